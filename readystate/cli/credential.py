"""`readystate credentials`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from readystate.cli.output import Columns, Format, Output, say, show_list
from readystate.domain.errors import BadRequest

app = typer.Typer(no_args_is_help=True, help="With which users BMCs are tried.")

COLUMNS: Columns = {
    "NAME": lambda it: str(it["name"]),
    "DEPLOYMENT": lambda it: str(it["deployment"]),
    "USER": lambda it: str(it["username"]),
    "POSITION": lambda it: str(it["position"]),
}


@app.command("list")
def list_credentials(
    deployment: Annotated[str, typer.Option(help="In force there.")] = "system",
    output: Output = Format.TABLE,
) -> None:
    """List credential sets in the order in which they are tried; passwords are never shown."""
    from readystate.cli.client import connect

    with connect() as api:
        found = api.items("/credentials", deployment=deployment)
    show_list(found, COLUMNS, output, none="none; BMCs cannot be reached without one")


@app.command("set")
def set_credentials(
    name: Annotated[str, typer.Argument(help="What the set is called.")],
    username: Annotated[str, typer.Option(help="The BMC's user.")],
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password.")
    ] = None,
    deployment: Annotated[str, typer.Option(help="Where it is in force.")] = "system",
    position: Annotated[int, typer.Option(min=0, help="Lower ones are tried first.")] = 0,
) -> None:
    """Set a credential set. The password is asked for, or read from a pipe or file: an argument
    would stand in process lists and in the shell's history."""
    from readystate.cli.client import connect

    body = {
        "username": username,
        "password": _read_password(password_file),
        "deployment": deployment,
        "position": position,
    }
    with connect() as api:
        api.put(f"/credentials/{name}", body)
    say(f"credential set {name} is in force in {deployment}")


def _read_password(file: Path | None) -> str:
    if file is not None:
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{file} cannot be read", why=str(error)) from error
    elif sys.stdin.isatty():
        text = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        text = sys.stdin.readline()
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise BadRequest("the password is empty", hint="type it, pipe it, or use --password-file")
    return password
