"""`readystate deployments`."""

from typing import Annotated

import typer

from readystate.cli.output import Columns, Format, Output, counted, say, show_data, show_list

app = typer.Typer(no_args_is_help=True, help="Named scopes of nodes, roles and settings.")

COLUMNS: Columns = {
    "DEPLOYMENT": lambda it: str(it["name"]),
    "PARENT": lambda it: str(it["parent"] or "-"),
    "CATALOG": lambda it: str(it["catalog"]),
    "NODE-ROLES": lambda it: counted(it["counts"]),
    "PROFILES": lambda it: ", ".join(it["profiles"]) or "-",
    "HELD": lambda it: str(it["held_by"] or "-"),
}


@app.command("list")
def list_deployments(output: Output = Format.TABLE) -> None:
    """List deployments."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items("/deployments")
    show_list(found, COLUMNS, output, none="no deployments")


@app.command("show")
def show_deployment(name: str, output: Output = Format.YAML) -> None:
    """Show a deployment with the values that are set in it."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.get(f"/deployments/{name}")
    if output is Format.TABLE:
        show_list([found], COLUMNS, output, none="")
    else:
        show_data(found, output)


@app.command("add")
def add_deployment(
    name: str, parent: Annotated[str, typer.Option(help="Inside this one.")] = "system"
) -> None:
    """Add a deployment."""
    from readystate.cli.client import connect

    with connect() as api:
        api.post("/deployments", {"name": name, "parent": parent})
    say(f"deployment {name} is there; `readystate plan --deployment {name}` changes it")
