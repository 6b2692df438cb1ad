"""`readystate events`."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readystate.cli.output import Format, Output, say, show_data, tell
from readystate.domain.errors import Unreachable

if TYPE_CHECKING:
    from readystate.cli.client import Api

_RECONNECT_S = 2.0


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="As they happen.")] = False,
    after: Annotated[
        int | None, typer.Option(min=0, help="Those after this id; with -f: default is now.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only of this kind; may be repeated.")
    ] = None,
    node: Annotated[str, typer.Option(help="Only those of this node.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Print what happened, or follow what happens."""
    from readystate.cli.client import connect

    with connect() as api:
        if follow:
            _follow(api, after, kind or [], node, output)
            return
        found = api.all("/events", after=after, kind=kind, node=node)
    if output is not Format.TABLE:
        show_data(found, output)
        return
    for event in found:
        say(_line(event))


def _follow(api: "Api", after: int | None, kind: list[str], node: str, output: Format) -> None:
    """Goes on after a lost connection, with nothing missed; ends with Ctrl-C."""
    last_id = str(after) if after is not None else ""
    heard = False
    while True:
        try:
            for event in api.events("/events/stream", last_id=last_id, kind=kind, node=node):
                last_id, heard = event.id, True
                say(_line(event.data) if output is Format.TABLE else json.dumps(event.data))
                sys.stdout.flush()
        except Unreachable as error:
            if not heard:
                raise
            tell(f"readystate: {error.what}; trying again")
        time.sleep(_RECONNECT_S)


def _line(event: Any) -> str:
    data = event["data"]
    subject = " ".join(
        f"{name}={event[key]}"
        for name, key in (("node", "node_id"), ("run", "run_id"))
        if event[key] is not None
    )
    told = " ".join(f"{key}={_short(value)}" for key, value in data.items())
    return " ".join(
        part
        for part in (
            event["at"][:23].replace("T", " "),
            f"{event['id']:>6}",
            f"{event['kind']:<24}",
            subject,
            told,
            f"by={event['actor']}" if event["actor"] != "engine" else "",
        )
        if part
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
