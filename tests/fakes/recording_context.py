"""A RunContext that keeps everything a jig did to it, and says "stopped" when told to."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from readystate.domain.errors import Stopped
from readystate.domain.outcome import Json
from readystate.ports.boot_services import BootServices
from readystate.ports.hammer import BmcEndpoint, Hammers


@dataclass
class RecordingContext:
    lines: list[str] = field(default_factory=list)
    facts: dict[str, Json] = field(default_factory=dict)
    effects: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    line_came: threading.Event = field(default_factory=threading.Event)

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
        return ()

    def hammers(self) -> Hammers:
        raise NotImplementedError("this context reaches no BMC")

    def boot(self) -> BootServices:
        raise NotImplementedError("this context boots nothing")

    def remember(self, facts: Mapping[str, Json]) -> None:
        self.facts |= facts
