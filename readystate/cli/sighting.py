"""`readystate scan` and `readystate sightings`."""

import time
from typing import Annotated, Any

import typer

from readystate.cli.node import Goal, Place, show_enrolled
from readystate.cli.output import Columns, Format, Output, clock, show_list, tell
from readystate.domain.errors import BadRequest, Failed

app = typer.Typer(no_args_is_help=True, help="Machines that were seen, and making nodes of them.")

_LOOK_EVERY_S = 0.5

COLUMNS: Columns = {
    "ADDRESS": lambda it: str(it["address"]),
    "PROTOCOLS": lambda it: "+".join(it["protocols"]),
    "VENDOR": lambda it: str(it["vendor"] or "-"),
    "PRODUCT": lambda it: str(it["product"] or "-"),
    "SEEN": lambda it: clock(it["seen_at"]),
    "NODE": lambda it: str(it["node"] or "-"),
}


def scan(
    ranges: Annotated[
        list[str], typer.Argument(help="10.0.0.0/24, 10.0.0.7-10.0.0.9, or one address.")
    ],
    output: Output = Format.TABLE,
) -> None:
    """Look for BMCs in address ranges, without a login; then list what was seen."""
    from readystate.cli.client import connect

    with connect() as api:
        started = api.post("/scans", {"ranges": ranges})
        while (now := api.get(f"/scans/{started['id']}"))["state"] == "running":
            _show_progress(now)
            time.sleep(_LOOK_EVERY_S)
        _show_progress(now)
        if now["state"] == "failed":
            raise Failed("the scan failed", why=now["error"])
        seen = api.items("/sightings")
    show_list(seen, COLUMNS, output, none="nothing answered")


def _show_progress(now: Any) -> None:
    tell(f"{now['done']} of {now['total']} addresses tried, {now['found']} BMCs found")


@app.command("list")
def list_sightings(
    waiting: Annotated[bool, typer.Option(help="Only those that are no nodes yet.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List what was seen."""
    from readystate.cli.client import connect

    with connect() as api:
        seen = api.items("/sightings", waiting_only=waiting)
    show_list(seen, COLUMNS, output, none="nothing seen; `readystate scan RANGE` looks")


@app.command("enroll")
def enroll(
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="ADDRESS[=NAME]", help="None: all that are no nodes yet."),
    ] = None,
    deployment: Place = "system",
    goal: Goal = "",
    output: Output = Format.TABLE,
) -> None:
    """Make nodes of sightings, and bind what discovers them."""
    from readystate.cli.client import connect

    names = dict(item.split("=", 1) for item in addresses or () if "=" in item)
    plain = [item for item in addresses or () if "=" not in item]
    if any(not name for name in names.values()):
        raise BadRequest("a name is empty", hint="write ADDRESS=NAME, or ADDRESS alone")
    body = {"addresses": plain, "names": names, "deployment": deployment, "goal": goal}
    with connect() as api:
        enrolled = api.post("/sightings/enroll", body)
    show_enrolled(enrolled, output)
