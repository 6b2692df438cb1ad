"""Nobody destroys data by a harmless word: the CLI asks first, and asks only then."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer

from readystate.cli import client, intervention
from readystate.domain.errors import BadRequest


class Api:
    """A server with one node-role."""

    def __init__(self, **said: Any) -> None:
        self.item = {
            "path": "n1/wipe",
            "state": "error",
            "stale": False,
            "flags": ["destructive"],
            "disks": ["S1", "S2"],
        } | said
        self.posted: list[str] = []

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def get(self, _path: str) -> Any:
        return self.item

    def post(self, path: str, _body: Any = None) -> Any:
        self.posted.append(path)
        return self.item


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Serve = Callable[..., Api]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    def serve(typed: str | None = None, **said: Any) -> Api:
        api = Api(**said)
        monkeypatch.setattr(client, "connect", lambda: api)
        monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        return api

    return serve


VERBS = pytest.mark.parametrize(
    ("verb", "state"), [(intervention.retry, "error"), (intervention.confirm, "todo")]
)


@VERBS
def test_destruction_needs_a_yes(
    serve: Serve, verb: Callable[..., None], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api = serve("n\n", state=state)
    with pytest.raises(typer.Abort):
        verb("n1/wipe")
    assert [] == api.posted
    assert "S1, S2" in capsys.readouterr().out

    api = serve("y\n", state=state)
    verb("n1/wipe")
    assert [f"/node-roles/n1/wipe/{verb.__name__}"] == api.posted


@VERBS
def test_where_nobody_can_be_asked_yes_must_be_said(
    serve: Serve, verb: Callable[..., None], state: str
) -> None:
    api = serve(state=state, disks=[])
    with pytest.raises(BadRequest, match="may destroy data") as caught:
        verb("n1/wipe")
    assert ([], "say so with --yes") == (api.posted, caught.value.hint)
    assert "not seen yet" in caught.value.why

    verb("n1/wipe", yes=True)
    assert 1 == len(api.posted)


@pytest.mark.parametrize("said", [{"flags": []}, {"state": "active"}])
def test_a_retry_that_destroys_nothing_is_not_asked_about(
    serve: Serve, said: dict[str, Any]
) -> None:
    api = serve(**said)
    intervention.retry("n1/wipe")

    assert 1 == len(api.posted)
