"""`readystate anneal`: is everything done?"""

import time
from typing import Annotated, Any

import typer

from readystate.cli.errors import FAILED, STILL_WORKING
from readystate.cli.output import Format, Output, counted, say, show_data, tell

_LOOK_EVERY_S = 1.0
_EXITS = {"finished": 0, "failed": FAILED, "working": STILL_WORKING}


def anneal(
    wait: Annotated[bool, typer.Option("--wait", help="Until nothing moves any more.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 3600.0,
    deployment: Annotated[str, typer.Option(help="Of this one with all inside it.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Say whether everything is settled. Exits with 0 finished, 1 failed, 2 still working."""
    from readystate.cli.client import connect

    deadline = time.monotonic() + timeout
    told = ""
    with connect() as api:
        while True:
            status = api.get_with_status("/anneal", usual=(202, 409), deployment=deployment)
            left_s = deadline - time.monotonic()
            if not wait or status["state"] != "working" or left_s <= 0:
                break
            now = counted(status["counts"])
            if now != told:
                tell(now)
                told = now
            time.sleep(min(_LOOK_EVERY_S, left_s))
    if output is Format.TABLE:
        _show(status)
    else:
        show_data(status, output)
    raise typer.Exit(_EXITS[status["state"]])


def _show(status: Any) -> None:
    say(f"{status['state']}: {counted(status['counts'])}")
    for item in status["failing"]:
        reason = item["error"]["message"] if item["error"] else ""
        reason = reason or "; ".join(it["detail"] for it in item["blockers"])
        say(f"  {item['path']} is {item['state']}: {reason}")
    if status["failing"]:
        say("`readystate why` tells the causes and the smallest fix")
