"""`readystate lab`: virtual racks. The commands call `readystate.lab`, imported when they run."""

import typer

app = typer.Typer(no_args_is_help=True, help="Virtual racks to try everything on.")
