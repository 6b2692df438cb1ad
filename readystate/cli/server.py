"""`readystate serve`, `db` and `version`: the process itself."""

from pathlib import Path
from typing import Annotated

import typer

from readystate.cli.output import say, tell

db = typer.Typer(no_args_is_help=True, help="The database.")

DataDir = Annotated[
    Path | None, typer.Option(help="Where everything is kept; READYSTATE_DATA_DIR.")
]


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="And on which port.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API and anneal, until Ctrl-C."""
    from readystate import bootstrap
    from readystate.settings import load_settings

    settings = load_settings(api_host=host, api_port=port, data_dir=data_dir)
    bootstrap.serve(settings, say=tell)


@db.command("upgrade")
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the database to this release's schema; an SQLite file is copied beside itself first."""
    from readystate import bootstrap
    from readystate.settings import load_settings

    bootstrap.upgrade_database(load_settings(data_dir=data_dir))
    say("the database has this release's schema")


def show_version() -> None:
    """Print the version."""
    from importlib.metadata import version

    say(version("readystate"))
