"""What a person sees while a rack becomes ready: a live table on a terminal, plain lines anywhere
else."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from readystate.cli.rack_tour import MILESTONES

_MOST_ROWS = 40  #: a terminal shows no more; unfinished nodes come first then

Node = Mapping[str, Any]


class View(Protocol):
    def __enter__(self) -> "View": ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def say(self, text: str) -> None: ...
    def show(self, nodes: Sequence[Node], blocker: Callable[[str], str]) -> None:
        """The nodes as they are now; `blocker` tells what an idle one waits for."""
        ...


def open_view() -> "TableView | LineView":
    return TableView() if sys.stdout.isatty() else LineView()


def reached(node: Node) -> int:
    """How many milestones lie behind a node."""
    found = node["milestone"]
    return MILESTONES.index(found) + 1 if found in MILESTONES else 0


def is_ready(node: Node) -> bool:
    return reached(node) == len(MILESTONES)


def activity(node: Node) -> str:
    """What runs on a node now, with what the run says of itself."""
    words = []
    for doing in node["doing"]:
        phase = "" if doing["phase"] == "running" else f" ({doing['phase']})"
        progress = f": {doing['progress']}" if doing["progress"] else ""
        words.append(f"{doing['role']}{phase}{progress}")
    return ", ".join(words)


@dataclass
class LineView:
    """For pipes and logs: a line whenever a node reaches a milestone or begins something else."""

    began_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._shown: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> "LineView":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def show(self, nodes: Sequence[Node], blocker: Callable[[str], str]) -> None:
        for node in nodes:
            count, doing = reached(node), ", ".join(it["role"] for it in node["doing"])
            before = self._shown.get(node["name"], (0, ""))
            now = (count, doing or before[1])
            if now == before:
                continue
            self._shown[node["name"]] = now
            milestone = f"[{MILESTONES[count - 1]}] " if count else ""
            text = activity(node) or ("" if is_ready(node) else blocker(node["name"]))
            self.say(f"{time.monotonic() - self.began_at:6.1f} s  {node['name']:<9} "
                     f"{milestone}{text}".rstrip())  # fmt: skip


class TableView:
    """For people: a row a node, drawn again in place."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, refresh_per_second=8, transient=False)
        self._began_at = time.monotonic()

    def __enter__(self) -> "TableView":
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    def show(self, nodes: Sequence[Node], blocker: Callable[[str], str]) -> None:
        done = sum(is_ready(node) for node in nodes)
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.title = (
            f"{done} of {len(nodes)} nodes ready, {time.monotonic() - self._began_at:.0f} s"
        )
        for heading in ("NODE", "BMC", "VENDOR", "MILESTONE", "DOING"):
            table.add_column(heading, no_wrap=True)
        rows = sorted(nodes, key=lambda it: (is_ready(it), it["id"])) if (
            len(nodes) > _MOST_ROWS
        ) else nodes  # fmt: skip
        for node in rows[:_MOST_ROWS]:
            table.add_row(*_cells(node, blocker))
        if len(rows) > _MOST_ROWS:
            table.add_row(f"and {len(rows) - _MOST_ROWS} more")
        self._live.update(table)


def _cells(node: Node, blocker: Callable[[str], str]) -> tuple[Text, ...]:
    count = reached(node)
    bar = Text("●" * count, style="green") + Text("○" * (len(MILESTONES) - count), style="dim")
    bar.append(f" {node['milestone'] or 'enrolled'}")
    bmc = node["bmc"][0]["address"] if node["bmc"] else ""
    if is_ready(node):
        doing = Text("")
    elif text := activity(node):
        doing = Text(text, style="cyan")
    else:
        style = "red" if node["condition"] == "stuck" else "dim"
        doing = Text(blocker(node["name"]), style=style)
    return (Text(node["name"]), Text(bmc), Text(node["vendor"]), bar, doing)
