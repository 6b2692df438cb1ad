"""What is told of nodes on their way, and times that people write."""

from typing import Any

import pytest

from readystate.cli.lab import parse_seconds
from readystate.cli.rack_view import LineView, activity, is_ready
from readystate.domain.errors import BadRequest


def node(
    name: str = "node-1", milestone: str = "", doing: tuple[tuple[str, str, str], ...] = ()
) -> dict[str, Any]:
    runs = [{"role": role, "phase": phase, "progress": said} for role, phase, said in doing]
    return {"name": name, "milestone": milestone, "doing": runs}


def shown(view: LineView, capsys: pytest.CaptureFixture[str], *nodes: dict[str, Any]) -> str:
    view.show(nodes, lambda name: f"{name} waits")
    return capsys.readouterr().out


def test_a_line_tells_milestone_role_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    doing = (("os-installed", "running", "boots the installer"),)
    line = shown(LineView(), capsys, node(milestone="discovered", doing=doing))

    assert "node-1    [discovered] os-installed: boots the installer\n" in line


def test_a_phase_that_is_not_plain_running_is_named() -> None:
    assert "inventory (pending): waits" == activity(
        node(doing=(("inventory", "pending", "waits"),))
    )


def test_nothing_is_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView()
    first = shown(view, capsys, node(doing=(("inventory", "running", "a"),)))
    again = shown(view, capsys, node(doing=(("inventory", "running", "b"),)))
    idle = shown(view, capsys, node())

    assert first
    assert "" == again == idle


def test_a_node_that_reached_a_milestone_and_waits_says_for_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "[discovered] node-1 waits" in shown(LineView(), capsys, node(milestone="discovered"))


def test_a_ready_node_waits_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(LineView(), capsys, node(milestone="ready")).endswith("[ready]\n")


@pytest.mark.parametrize(
    ("milestone", "ready"), [("", False), ("networked", False), ("ready", True)]
)
def test_only_the_last_milestone_is_ready(milestone: str, ready: bool) -> None:
    assert ready is is_ready(node(milestone=milestone))


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("10", 10), ("1.5s", 1.5), ("2m", 120), ("1h", 3600)]
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert seconds == parse_seconds(text)


@pytest.mark.parametrize("text", ["", "s", "ten", "10d", "-1s", "0", "nan", "inf", "1e12"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no time"):
        parse_seconds(text)
