"""Answers at a terminal: tables for people, JSON or YAML for machines."""

import io
import json
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], str]]  #: heading to cell

#: Wide enough for every table, where nobody looks.
_PIPE_WIDTH = 250

_STYLES = {
    "settled": "green",
    "active": "green",
    "finished": "green",
    "succeeded": "green",
    "working": "cyan",
    "transition": "cyan",
    "stuck": "red",
    "error": "red",
    "failed": "red",
    "stale": "yellow",
    "deferred": "yellow",
}


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print the answer.")]


def show_list(items: Sequence[Row], columns: Columns, output: Format, *, none: str) -> None:
    """`none` is said where a table would be empty."""
    if output is not Format.TABLE:
        show_data(list(items), output)
    elif not items:
        say(none)
    else:
        _print_table(items, columns)


def show_data(data: Any, output: Format) -> None:
    if output is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    else:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def escaped(text: str, *, keep: str = "") -> str:
    """Control characters made visible: what devices tell must not command the terminal."""
    if text.isprintable():
        return text
    return "".join(
        f"\\x{ord(char):02x}" if unicodedata.category(char) == "Cc" and char not in keep else char
        for char in text
    )


def say(text: str) -> None:
    """A line for people on standard output."""
    sys.stdout.write(escaped(text) + "\n")


def tell(text: str) -> None:
    """A line that is no part of the answer: progress, remarks."""
    sys.stderr.write(escaped(text) + "\n")


def _print_table(items: Sequence[Row], columns: Columns) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_watched = sys.stdout.isatty()
    page = io.StringIO()
    console = Console() if is_watched else Console(width=_PIPE_WIDTH, file=page)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, no_wrap=True)
    for item in items:
        cells = [escaped(cell(item)) for cell in columns.values()]
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    console.print(table)
    for line in page.getvalue().splitlines():
        say(line.rstrip())


def show_fields(fields: Mapping[str, str]) -> None:
    """One thing, a line for each fact that there is."""
    width = max(len(name) for name in fields) + 2
    for name, value in fields.items():
        if value:
            say(f"{name + ':':<{width}}{value}")


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"


def clock(at: str | None) -> str:
    """An instant of the API, to the second."""
    return at[:19].replace("T", " ") if at else ""
