"""`readystate plan`, `commit` and `proposals`: what is to change, what it would do, doing it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from readystate.cli.errors import ServerFailed
from readystate.cli.output import Columns, Format, Output, clock, say, show_data, show_list, tell
from readystate.domain.errors import BadRequest, Conflict, NotFound, ReadystateError, Unreachable

if TYPE_CHECKING:
    from readystate.cli.client import Api

app = typer.Typer(no_args_is_help=True, help="Changes that were collected.")

COLUMNS: Columns = {
    "ID": lambda it: str(it["id"]),
    "STATE": lambda it: str(it["state"]),
    "DEPLOYMENT": lambda it: str(it["deployment"]),
    "TITLE": lambda it: str(it["title"] or "-"),
    "CHANGES": lambda it: str(len(it["changes"])),
    "BY": lambda it: str(it["by"]),
    "CREATED": lambda it: clock(it["created_at"]),
}

ProposalId = Annotated[
    int | None, typer.Argument(metavar="PROPOSAL", help="None: the only open one.")
]
_Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="ATTRIBUTE=VALUE",
        help="The value in YAML; may be repeated, as all of these.",
    ),
]
_Names = Annotated[
    list[str] | None, typer.Option("--clear", metavar="ATTRIBUTE", help="Take a value away.")
]
_Roles = Annotated[
    list[str] | None, typer.Option("--bind", metavar="ROLE", help="A role, with all it needs.")
]
_Paths = list[str] | None


def plan(
    proposal: ProposalId = None,
    set_values: _Values = None,
    clear: _Names = None,
    at: Annotated[
        str,
        typer.Option(
            metavar="SCOPE:NAME",
            help="Where --set and --clear count: node:N, node-role:N/R, profile:P.",
        ),
    ] = "",
    bind: _Roles = None,
    nodes: Annotated[str, typer.Option(metavar="N1,N2", help="For --bind; or `all`.")] = "",
    unbind: Annotated[_Paths, typer.Option(metavar="NODE/ROLE", help="Take a role away.")] = None,
    recall: Annotated[_Paths, typer.Option(metavar="NODE/ROLE", help="Back to proposed.")] = None,
    recommit: Annotated[
        _Paths, typer.Option(metavar="NODE/ROLE", help="Once recalled: work again.")
    ] = None,
    confirm: Annotated[
        _Paths, typer.Option(metavar="NODE/ROLE", help="Destroy and do again.")
    ] = None,
    use_catalog: Annotated[str, typer.Option(metavar="VERSION", help="Other annotations.")] = "",
    deployment: Annotated[str, typer.Option(help="The deployment that changes.")] = "system",
    title: Annotated[str, typer.Option(help="What it is for.")] = "",
    wipe_any: Annotated[
        bool, typer.Option("--wipe-any", help="Also disks not seen yet that are not blank.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what a proposal would re-run, reboot and destroy; made of these changes, or by number.
    Nothing is touched before `readystate commit`."""
    from readystate.cli.client import connect

    with connect() as api:
        changes = [
            *_value_changes(set_values or (), clear or (), at),
            *_bindings(api, bind or (), nodes, deployment),
            *({"change": "unbind", "node_role": it} for it in unbind or ()),
            *({"change": "recall", "node_role": it} for it in recall or ()),
            *({"change": "recommit", "node_role": it} for it in recommit or ()),
            *({"change": "confirm", "node_role": it} for it in confirm or ()),
            *([{"change": "use-catalog", "version": use_catalog}] if use_catalog else ()),
        ]
        if changes and proposal is not None:
            raise BadRequest("either a proposal or changes", hint="leave the number out")
        if changes:
            body = {
                "deployment": deployment,
                "title": title,
                "changes": changes,
                "wipe_any": wipe_any,
            }
            proposal = api.post("/proposals", body)["id"]
        number = proposal if proposal is not None else _only_open(api)
        try:
            shown = api.get(f"/proposals/{number}/plan")
        except ReadystateError as error:
            if changes and not isinstance(error, Unreachable | ServerFailed):
                _discard_own(api, number)
            raise
    if output is not Format.TABLE:
        show_data({"proposal": number, **shown}, output)
        return
    _show_plan(number, shown)
    say(f"commit it with: readystate commit {number} --digest {shown['digest']}")


def commit(
    proposal: ProposalId = None,
    digest: Annotated[str, typer.Option(help="Of the plan that was looked at.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Commit the plan as it is now.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Commit a plan. Without its digest the plan is shown and a yes is asked for."""
    from readystate.cli.client import connect

    with connect() as api:
        number = proposal if proposal is not None else _only_open(api)
        if not digest:
            shown = api.get(f"/proposals/{number}/plan")
            digest = shown["digest"]
            if not yes:
                _show_plan(number, shown)
                typer.confirm("Commit it?", abort=True)
        done = api.post(f"/proposals/{number}/commit", {"digest": digest})
    if output is not Format.TABLE:
        show_data({"proposal": number, **done}, output)
        return
    say(f"proposal {number} is committed; `readystate anneal --wait` waits for it")


@app.command("list")
def list_proposals(
    open_only: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List proposals, oldest first."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items("/proposals", state="open" if open_only else None)
    show_list(found, COLUMNS, output, none="no proposals")


@app.command("show")
def show_proposal(proposal: int, output: Output = Format.TABLE) -> None:
    """Show a proposal with its changes."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.get(f"/proposals/{proposal}")
    if output is not Format.TABLE:
        show_data(found, output)
        return
    say(f"proposal {found['id']} in {found['deployment']}, {found['state']}: {found['title']}")
    for change in found["changes"]:
        words = {key: it for key, it in change.items() if key != "change" and it not in ("", None)}
        say(f"  {change['change']} " + " ".join(f"{key}={it}" for key, it in words.items()))


@app.command("discard")
def discard_proposal(proposal: int) -> None:
    """Discard an open proposal."""
    from readystate.cli.client import connect

    with connect() as api:
        api.delete(f"/proposals/{proposal}")
    say(f"proposal {proposal} is discarded")


# -- changes ---------------------------------------------------------------------------------------


def _value_changes(values: Any, clear: Any, at: str) -> list[dict[str, Any]]:
    place = _place(at)
    changes = []
    for item in values:
        name, found, text = item.partition("=")
        if not found or not name:
            raise BadRequest(f"--set {item}: no value", hint="write --set ATTRIBUTE=VALUE")
        changes.append(
            {"change": "set-attribute", "name": name, "value": _parse_value(name, text), **place}
        )
    return [*changes, *({"change": "clear-attribute", "name": it, **place} for it in clear)]


def _parse_value(name: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        # The text itself is not repeated: it may be a secret.
        raise BadRequest(f"--set {name}: the value is no YAML", hint="quote it") from error


def _place(at: str) -> dict[str, str]:
    if not at:
        return {}
    scope, found, subject = at.partition(":")
    if not found or scope not in ("node", "node-role", "profile", "deployment"):
        raise BadRequest(
            f"--at {at}: no such place",
            hint="write node:NAME, node-role:NODE/ROLE, profile:NAME or deployment:NAME",
        )
    return {"scope": scope, "subject": subject}


def _bindings(api: "Api", roles: Any, nodes: str, deployment: str) -> list[dict[str, Any]]:
    if nodes and not roles:
        raise BadRequest("--nodes without --bind", hint="name a role to bind: --bind ready")
    if nodes == "all":
        names = [it["name"] for it in api.all("/nodes", deployment=deployment)]
        if not names:
            raise NotFound(f"no nodes in {deployment}")
    else:
        names = [it.strip() for it in nodes.split(",") if it.strip()] or [""]
    return [{"change": "bind", "role": role, "node": name} for role in roles for name in names]


def _discard_own(api: "Api", number: int) -> None:
    """Whoever was refused a plan does not know of the proposal that was made for it."""
    try:
        api.delete(f"/proposals/{number}")
    except ReadystateError:
        tell(f"readystate: proposal {number} stays open; discard it")


def _only_open(api: "Api") -> int:
    found = api.items("/proposals", state="open")
    if len(found) == 1:
        return int(found[0]["id"])
    if not found:
        raise NotFound("no open proposal", hint="readystate plan --help shows how to make one")
    numbers = ", ".join(str(it["id"]) for it in found)
    raise Conflict(f"{len(found)} proposals are open", hint=f"name one of them: {numbers}")


# -- the plan --------------------------------------------------------------------------------------


def _show_plan(number: int, shown: Any) -> None:
    say(f"proposal {number} would")
    _show_part("bind", [_place_of(it) for it in shown["added"]])
    _show_part("unbind", [_place_of(it) for it in shown["removed"]])
    _show_part("recall", [_place_of(it) for it in shown["recalled"]])
    _show_part("run", [_run(it) for it in shown["runs"]])
    _show_part("reboot", [_reboots(*it) for it in shown["reboots"].items()])
    _show_part("DESTROY DATA", [_destructive(it) for it in shown["destructive"]])
    _show_part("leave drifted", [_place_of(it) for it in shown["drifted"]])
    _show_part("then wait for a person", [_place_of(it) for it in shown["waits_for_person"]])
    if not any(shown[key] for key in ("added", "removed", "recalled", "runs", "reboots")):
        say("  change nothing that runs")


def _show_part(title: str, lines: list[str]) -> None:
    if lines:
        say(f"  {title}:")
        for line in lines:
            say(f"    {line}")


def _place_of(place: Any) -> str:
    return f"{place['node'] or place['deployment']}/{place['role']}"


def _run(run: Any) -> str:
    words = [] if run["certainty"] == "certain" else ["possibly"]
    words += [f"up to {run['count']} times"] if run["count"] > 1 else []
    words += [] if run["is_new"] else ["again"]
    return _place_of(run["place"]) + (f" ({', '.join(words)})" if words else "")


def _reboots(node: str, times: list[int]) -> str:
    least, most = times
    return f"{node} {least} times" if least == most else f"{node} {least} to {most} times"


def _destructive(step: Any) -> str:
    disks = ", ".join(step["disks"]) or "disks not seen yet: blank only"
    if step["wipe_any"]:
        disks += " (any disk may be wiped)"
    meaning = "the commit confirms it" if step["is_confirmed"] else "only listed, not confirmed"
    if step["why"] == "confirmed before":
        meaning = "confirmed before; goes on with this commit"
    return f"{_place_of(step['place'])}: {disks}; {meaning}"
