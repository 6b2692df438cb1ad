"""A RunContext that keeps everything a jig did to it, and says "stopped" when told to."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from readystate.domain.errors import Stopped
from readystate.domain.outcome import Json
from readystate.ports.boot_services import BootServices, BootWish
from readystate.ports.hammer import BmcEndpoint, Hammers


@dataclass(frozen=True)
class RecordedWishes:
    """Boot services that render at once."""

    wishes: list[BootWish]

    def want(self, wish: BootWish) -> int:
        self.wishes.append(wish)
        return len(self.wishes)

    def is_rendered(self, generation: int) -> bool:
        return generation == len(self.wishes)


@dataclass
class RecordingContext:
    lines: list[str] = field(default_factory=list)
    facts: dict[str, Json] = field(default_factory=dict)
    effects: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    line_came: threading.Event = field(default_factory=threading.Event)
    known: tuple[BmcEndpoint, ...] = ()
    reached: Hammers | None = None
    wishes: list[BootWish] = field(default_factory=list)

    def log(self, line: str) -> None:
        self.lines.append(line)
        self.line_came.set()

    def progress(self, text: str) -> None:
        self.lines.append(text)

    def record_effect(self) -> None:
        self.check_stopped()
        self.effects += 1

    def check_stopped(self) -> None:
        if self.stopped.is_set():
            raise Stopped("the run was cancelled")

    def endpoints(self) -> tuple[BmcEndpoint, ...]:
        return self.known

    def hammers(self) -> Hammers:
        if self.reached is None:
            raise NotImplementedError("this context reaches no BMC")
        return self.reached

    def boot(self) -> BootServices:
        return RecordedWishes(self.wishes)

    def remember(self, facts: Mapping[str, Json]) -> None:
        self.facts |= facts
