"""A readystate that kills itself, as `kill -9` would, when it comes to a given point of its life.

Runs in a process of its own. Nothing of it is in the package: it hands `build` a hook on the
store's commits, and wraps the methods between which a side effect and its record lie. A point is a
name and how often the process has come there: `commit anneal before` with 3 is the third turn's
transaction, done but not committed."""

import functools
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readystate import bootstrap
from readystate.adapters.hammers.ipmi.hammer import IpmiHammer
from readystate.adapters.hammers.redfish.client import RedfishClient
from readystate.adapters.hammers.redfish.hammer import RedfishHammer
from readystate.adapters.jigs.calls import install, inventory
from readystate.adapters.jigs.script import jig as script_jig
from readystate.engine.boot_desk import BootDesk
from readystate.engine.executor import Executor
from readystate.engine.run_context import EngineRunContext
from readystate.ports.dispatch import Message
from readystate.settings import Settings, load_settings

#: A machine that asked for its boot while nobody served may have booted its disk instead, and is
#: sent there again when the wait has lasted this long: an hour of real POSTs is a second here.
BOOT_DEADLINE_S = 30.0


@dataclass(frozen=True, order=True)
class Point:
    name: str
    number: int = 1  #: the how manieth time, from the start of the process

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


@dataclass
class Fuse:
    """Kills the process at `point`; notes every point that it passes in `journal`."""

    point: Point | None
    journal: int  #: descriptor, open for appending
    _passed: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_point(self, name: str) -> None:
        with self._lock:
            self._passed[name] += 1
            here = Point(name, self._passed[name])
            self._note(str(here))
            if here == self.point:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_commit(self, phase: str, kind: str, _number: int) -> None:
        self.pass_point(f"commit {kind} {phase}")

    def wrap(self, owner: type, method: str, name: str | Callable[..., str]) -> None:
        """Points before and after each call; `name` may look at the arguments. Whatever is raised
        passes the point as well: the other side may have acted all the same."""
        original = getattr(owner, method)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            called = name if isinstance(name, str) else name(*args, **kwargs)
            self.pass_point(f"{called} before")
            try:
                return original(*args, **kwargs)
            finally:
                self.pass_point(f"{called} after")

        setattr(owner, method, wrapped)

    def note_work(self, executor: type[Executor]) -> None:
        """Journal when a jig begins and ends its work on a run, for who looks for two at once."""
        work = executor._work

        def noted(this: Executor, message: Message, context: EngineRunContext) -> Any:
            self._note(f"(b run {message.run_id}")
            try:
                return work(this, message, context)
            finally:
                self._note(f"(e run {message.run_id}")

        executor._work = noted  # type: ignore[method-assign]

    def _note(self, line: str) -> None:
        os.write(self.journal, f"{line}\n".encode())


def run_victim(wishes: dict[str, Any], point: Point | None, folder: Path) -> None:
    """Serve until SIGINT or the point. `wishes` are settings; output and journal go to `folder`."""
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    journal = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(journal, f"= {os.getpid()}\n".encode())
    fuse = Fuse(point, journal)
    lay(fuse)
    install.INSTALL_DEADLINE_S = inventory.BOOT_DEADLINE_S = BOOT_DEADLINE_S
    build = bootstrap.build

    def build_with_hook(settings: Settings) -> bootstrap.Application:
        return build(settings, on_commit=fuse.on_commit)

    bootstrap.build = build_with_hook  # type: ignore[assignment]
    bootstrap.serve(load_settings(**wishes), say=print)


def lay(fuse: Fuse) -> None:
    """Between a side effect and its record there is always one of these."""
    fuse.wrap(bootstrap, "keep_token", "keep-token")  # type: ignore[arg-type]
    fuse.wrap(bootstrap.migrations, "upgrade", "make-schema")  # type: ignore[arg-type]
    for hammer in (RedfishHammer, IpmiHammer):
        fuse.wrap(hammer, "power_cycle", "power-cycle")
        fuse.wrap(hammer, "_command_power", f"{hammer.protocol} power-command")
        fuse.wrap(hammer, "set_boot_override", f"{hammer.protocol} boot-override")
    fuse.wrap(RedfishHammer, "stage_bios", "stage-bios")
    fuse.wrap(RedfishHammer, "stage_volume", "stage-volume")
    for method in ("post", "patch"):
        fuse.wrap(RedfishClient, method, f"redfish {method}")
    fuse.wrap(script_jig._Conversation, "start", "script-sent")
    fuse.wrap(script_jig.ScriptJig, "_carry_out", _name_of_script)
    fuse.wrap(BootDesk, "callback", lambda _desk, kind, *_rest: f"callback {kind.value}")
    fuse.wrap(Executor, "_work", _name_of_work)
    fuse.note_work(Executor)


def _name_of_script(_jig: Any, ticket: Any, *_rest: Any) -> str:
    return f"script {ticket.argument}"


def _name_of_work(_executor: Any, message: Any, context: Any) -> str:
    return f"work {message.kind.value} {context.role}"
