"""`readystate runs`."""

import sys
import time
from typing import Annotated

import typer

from readystate.cli.output import (
    Columns,
    Format,
    Output,
    clock,
    escaped,
    say,
    show_data,
    show_fields,
    show_list,
)

app = typer.Typer(no_args_is_help=True, help="Attempts: input, outcome, log.")

RunId = Annotated[int, typer.Argument(metavar="RUN", help="Its number.")]
_LOOK_EVERY_S = 0.5

COLUMNS: Columns = {
    "RUN": lambda it: str(it["id"]),
    "NODE": lambda it: str(it["node"] or "-"),
    "ROLE": lambda it: str(it["role"] or f"power {it['action']}"),
    "OUTCOME": lambda it: str(it["outcome"] or it["phase"]),
    "STARTED": lambda it: clock(it["started_at"]),
    "FINISHED": lambda it: clock(it["finished_at"]),
    "HAMMERS": lambda it: ", ".join(it["hammers"]) or "-",
    "NOW": lambda it: str(it["progress"] or it["error"]),
}


@app.command("list")
def list_runs(
    node: Annotated[str, typer.Option(help="Only those on this node.")] = "",
    node_role: Annotated[str, typer.Option(help="Only those of this NODE/ROLE.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those not over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List runs, newest first."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items(
            "/runs", node=node, node_role=node_role, open_only=open_only or None, limit=limit
        )
    show_list(found, COLUMNS, output, none="no runs")


@app.command("show")
def show_run(run: RunId, output: Output = Format.TABLE) -> None:
    """Show a run with what went in."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.get(f"/runs/{run}")
    if output is not Format.TABLE:
        show_data(found, output)
        return
    show_fields(
        {
            "run": str(found["id"]),
            "of": f"{found['node']}/{found['role']}".strip("/") or found["kind"],
            "outcome": found["outcome"] or found["phase"],
            "error": f"{found['error_family']}: {found['error']}".strip(": "),
            "started": clock(found["started_at"]),
            "finished": clock(found["finished_at"]),
            "now": found["progress"],
            "hammers": ", ".join(found["hammers"]),
            "by": found["by"],
        }
    )
    if found["input"]:
        say("input:")
        show_data(found["input"], Format.YAML)


@app.command("log")
def show_log(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the run is over.")] = False,
) -> None:
    """Print a run's log."""
    from readystate.cli.client import connect

    offset = 0
    with connect() as api:
        while True:
            text, headers = api.text(f"/runs/{run}/log", offset=offset)
            sys.stdout.write(escaped(text, keep="\n\t"))
            sys.stdout.flush()
            offset = int(headers["X-Next-Offset"])
            if not text and (not follow or headers["X-Run-Open"] == "false"):
                return
            if not text:
                time.sleep(_LOOK_EVERY_S)


@app.command("cancel")
def cancel_run(run: RunId) -> None:
    """Stop a run; its node-role is held afterwards."""
    from readystate.cli.client import connect

    with connect() as api:
        api.post(f"/runs/{run}/cancel")
    say(f"run {run} is being stopped")
