"""`readystate explain bind`."""

from typing import Annotated

import typer

from readystate.cli.output import Columns, Format, Output, show_list

app = typer.Typer(no_args_is_help=True, help="What a rule would decide, place by place.")

COLUMNS: Columns = {
    "NEEDED": lambda it: str(it["role"]),
    "LOOKED AT": lambda it: str(it["place"]),
    "TAKEN": lambda it: "yes" if it["taken"] else "no",
    "WHY": lambda it: str(it["why"]),
}


@app.callback()
def explain() -> None:
    """What a rule would decide, place by place."""


@app.command("bind")
def bind(
    role: str,
    node: Annotated[str, typer.Argument(help="None: to the deployment.")] = "",
    deployment: Annotated[str, typer.Option(help="Where there is no node.")] = "system",
    output: Output = Format.TABLE,
) -> None:
    """Where binding a role would find what it needs. It binds nothing."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items(f"/explain/bind/{role}", node=node, deployment=deployment)
    show_list(found, COLUMNS, output, none=f"{role} needs nothing, or is bound there already")
