"""`readystate check`: annotation files, offline."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from readystate.cli.errors import FAILED
from readystate.cli.output import Format, Output, say, show_data


def check(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of annotations; none: those in use here.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Check annotations, profiles and quirks; every problem at once. Needs no server."""
    from readystate.adapters.declared.check import check_folder, problems_text
    from readystate.settings import load_settings
    from readystate.shipped import Shipped, shipped_path

    folder = folder or load_settings().annotations_dir or shipped_path(Shipped.ANNOTATIONS)
    problems = check_folder(folder)
    if output is not Format.TABLE:
        show_data(
            [
                {
                    "file": it.file,
                    "line": it.line,
                    "what": it.what,
                    "why": it.why,
                    "hint": it.hint,
                }
                for it in problems
            ],
            output,
        )
    elif problems:
        sys.stdout.write(problems_text(problems))
    else:
        say(f"{folder}: sound")
    if problems:
        raise typer.Exit(FAILED)
