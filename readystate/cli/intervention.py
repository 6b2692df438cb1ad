"""`readystate hold`, `resume`, `holds`, `retry`, `confirm`, `accept`, `cancel`."""

import sys
from collections.abc import Collection
from typing import Annotated, Any

import typer

from readystate.cli.output import Columns, Format, Output, clock, say, show_list
from readystate.domain.errors import BadRequest

Target = Annotated[
    str, typer.Argument(metavar="NODE[/ROLE]", help="A node, node-role or deployment.")
]
Path = Annotated[str, typer.Argument(metavar="NODE/ROLE", help="Its path or number.")]
OfNodeRole = Annotated[bool, typer.Option("--node-role", help="Exactly this node-role.")]
OfNode = Annotated[bool, typer.Option("--node", help="Its whole node.")]
OfDeployment = Annotated[bool, typer.Option("--deployment", help="Its whole deployment.")]
OfEverything = Annotated[bool, typer.Option("--everything", help="All there is.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before data may be destroyed.")]

COLUMNS: Columns = {
    "SCOPE": lambda it: str(it["scope"]),
    "SUBJECT": lambda it: str(it["subject"] or "-"),
    "BY": lambda it: str(it["by"]),
    "SINCE": lambda it: clock(it["at"]),
    "REASON": lambda it: str(it["reason"] or "-"),
}


def holds(output: Output = Format.TABLE) -> None:
    """List holds."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items("/holds")
    show_list(found, COLUMNS, output, none="nothing is held")


def hold(
    target: Target = "",
    node_role: OfNodeRole = False,
    node: OfNode = False,
    deployment: OfDeployment = False,
    everything: OfEverything = False,
    reason: Annotated[str, typer.Option(help="Told to whoever asks why.")] = "",
) -> None:
    """Start nothing new there; what runs may finish."""
    from readystate.cli.client import connect

    scope = _scope(
        target, node_role=node_role, node=node, deployment=deployment, everything=everything
    )
    with connect() as api:
        held = api.post("/holds", {"scope": scope, "subject": target, "reason": reason})
    say(f"{held['scope']} {held['subject']}".strip() + " is held")


def resume(
    target: Target = "",
    node_role: OfNodeRole = False,
    node: OfNode = False,
    deployment: OfDeployment = False,
    everything: OfEverything = False,
) -> None:
    """Lift a hold."""
    from readystate.cli.client import connect

    scope = _scope(
        target, node_role=node_role, node=node, deployment=deployment, everything=everything
    )
    with connect() as api:
        api.post("/holds/resume", {"scope": scope, "subject": target})
    say(f"{target or 'everything'} goes on")


def _scope(target: str, **said: bool) -> str:
    named = [name.replace("_", "-") for name, is_said in said.items() if is_said]
    if len(named) > 1:
        raise BadRequest(f"--{named[0]} and --{named[1]}", why="a hold has one scope")
    scope = named[0] if named else ("node-role" if "/" in target else "node")
    if not target and scope != "everything":
        raise BadRequest("what is meant?", hint="name a node or a node-role, or say --everything")
    return scope


def retry(path: Path, yes: Yes = False) -> None:
    """Try again what stopped with an error. Of destructive work this confirms it."""
    if not yes:
        _ask(path, "retry", ("error",))
    _change(path, "retry")


def confirm(
    path: Path,
    wipe_any: Annotated[
        bool, typer.Option("--wipe-any", help="Also disks not seen yet that are not blank.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Say yes to one destructive act, for what it would do now."""
    if not yes:
        _ask(path, "confirm", ("blocked", "todo", "active"), wipe_any=wipe_any)
    _change(path, "confirm", {"wipe_any": wipe_any})


def _ask(path: str, verb: str, states: Collection[str], *, wipe_any: bool = False) -> None:
    """Before data may be destroyed. In other states the server refuses anyway."""
    from readystate.cli.client import connect

    with connect() as api:
        item = api.get(f"/node-roles/{path}")
    if "destructive" not in item["flags"] or item["state"] not in states:
        return
    disks = ", ".join(item["disks"]) or "disks not seen yet: blank only"
    disks += "; and any other disk" if wipe_any else ""
    if not sys.stdin.isatty():
        raise BadRequest(
            f"{verb} {item['path']}: this may destroy data, and nobody is there to ask",
            why=f"it may write to {disks}",
            hint="say so with --yes",
        )
    say(f"{item['path']} may destroy data. It may write to {disks}.")
    typer.confirm("Do it?", abort=True)


def accept(path: Path) -> None:
    """Take done work as it is, though its inputs have moved."""
    _change(path, "accept")


def cancel(path: Path) -> None:
    """Stop a node-role's run; it is held afterwards."""
    _change(path, "cancel")


def _change(path: str, verb: str, body: Any = None) -> None:
    from readystate.cli.client import connect

    with connect() as api:
        item = api.post(f"/node-roles/{path}/{verb}", body)
    say(f"{item['path']} is {'stale' if item['stale'] else item['state']}")
