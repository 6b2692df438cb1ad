"""`readystate why`."""

from typing import Annotated, Any

import typer

from readystate.cli.output import Format, Output, clock, say, show_data

#: Without a target: so many of what needs a person are explained.
_EXPLAINED = 20


def why(
    target: Annotated[
        str, typer.Argument(metavar="NODE[/ROLE]", help="None: whatever needs a person.")
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Why does it not move? The root causes, who owns them, and the smallest fix."""
    from readystate.cli.client import connect

    with connect() as api:
        if not target:
            failing = api.get_with_status("/anneal", usual=(409,))["failing"]
            answers = [api.get(f"/why/{it['path']}") for it in failing[:_EXPLAINED]]
        elif "/" in target or target.isdecimal():
            answers = [api.get(f"/why/{target}")]
        else:
            answers = api.items(f"/why/node/{target}")
    if output is not Format.TABLE:
        show_data(answers, output)
        return
    if not answers:
        say(f"{target or 'everything'}: nothing stands in the way of anything")
    for answer in answers:
        _explain(answer)


def _explain(answer: Any) -> None:
    first = answer["chain"][0]
    if answer["settled"]:
        say(f"{answer['path']} is settled")
        return
    say(f"{answer['path']} is {first['state']}")
    if answer["runnable"]:
        say("  nothing stands in its way: it runs in the next turn")
    for root in answer["roots"]:
        say(f"  because {_root(root)}")
    for fix in answer["fix"]:
        say(f"  fix:    {fix['command']}{_note(fix)}")
    if answer["roots"] and not answer["fix"]:
        say("  fix:    none needed; it goes on by itself")
    _show_chain(answer["chain"])


def _root(root: Any) -> str:
    blocker = root["blocker"]
    family = f" ({blocker['family']})" if blocker["family"] else ""
    bmc = f", BMC {root['bmc']}" if root["bmc"] else ""
    since = f", since {clock(blocker['since'])}" if blocker["since"] else ""
    until = f", until {clock(blocker['until'])}" if blocker["until"] else ""
    detail = f": {blocker['detail']}" if blocker["detail"] else ""
    return (
        f"{root['path']}: {blocker['kind']}{family}{detail}"
        f" [owner: {blocker['owner']}{bmc}{since}{until}]"
    )


def _note(fix: Any) -> str:
    if fix["destroys"]:
        return "  (confirms that data may be destroyed)"
    if fix["verb"] in ("set-attribute", "commit"):
        return "  (and commit it)"
    return ""


def _show_chain(chain: Any) -> None:
    if len(chain) > 1:
        say("  chain:  " + " <- ".join(link["path"] for link in chain))
