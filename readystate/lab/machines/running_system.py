"""A running operating system on a simulated machine: its files, its processes, its name.

Both the live image and the installed system are one of these; power ends it at once."""

import itertools
import shlex
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from readystate.lab.hardware import Nic
from readystate.lab.machines.ledger import MachineLedger
from readystate.lab.machines.virtual_fs import File, Folder, VirtualFs

BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"
HOSTNAME_PATH = "/proc/sys/kernel/hostname"
FIRST_PID = 400


class SystemKind(StrEnum):
    LIVE = "live"
    INSTALLED = "installed"


class Killed(BaseException):
    """Ends a program at its next step, as SIGKILL would. No `except Exception` may catch it."""


@dataclass
class Process:
    """One running program. `write_out` and `write_err` may be called from any thread."""

    pid: int
    argv: list[str]
    stdin: bytes
    write_out: Callable[[bytes], None]
    write_err: Callable[[bytes], None]
    killed: threading.Event = field(default_factory=threading.Event)

    def out(self, text: str) -> None:
        self.check_alive()
        self.write_out(text.encode())

    def err(self, text: str) -> None:
        self.check_alive()
        self.write_err(text.encode())

    def check_alive(self) -> None:
        if self.killed.is_set():
            raise Killed

    def sleep(self, seconds: float) -> None:
        """Sleep in this program's own thread; ends at once, with Killed, when it is killed."""
        if self.killed.wait(max(0.0, seconds)):
            raise Killed


@dataclass
class RunningSystem:
    kind: SystemKind
    fs: VirtualFs
    ledger: MachineLedger
    on_reboot: Callable[[], None]
    on_power_off: Callable[[], None]
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: float = field(default_factory=time.monotonic)
    processes: dict[int, Process] = field(default_factory=dict)
    _pids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_PID))

    def boot(self, command_line: str = "", nics: Sequence[Nic] = ()) -> None:
        """Give memory what a kernel shows in /proc and /sys."""
        name = self.fs.read_text("/etc/hostname").strip() if self.fs.exists("/etc/hostname") else ""
        for folder in ("/proc/sys", "/proc/sys/kernel", "/proc/sys/kernel/random"):
            self.fs.memory[folder] = Folder()
        self.fs.memory["/proc/cmdline"] = File(command_line.encode() + b"\n")
        self.fs.memory[BOOT_ID_PATH] = File(self.boot_id.encode() + b"\n")
        self.set_hostname(name)
        self.fs.memory |= {"/sys/class": Folder(), "/sys/class/net": Folder()}
        for nic in nics:
            self.fs.memory[f"/sys/class/net/{nic.name}"] = Folder()
            self.fs.memory[f"/sys/class/net/{nic.name}/address"] = File(nic.mac.encode() + b"\n")

    @property
    def hostname(self) -> str:
        return self.fs.read_text(HOSTNAME_PATH).strip()

    def set_hostname(self, name: str) -> None:
        self.fs.memory[HOSTNAME_PATH] = File(name.encode() + b"\n")

    def start_process(
        self,
        argv: list[str],
        stdin: bytes,
        write_out: Callable[[bytes], None],
        write_err: Callable[[bytes], None],
    ) -> Process:
        process = Process(next(self._pids), argv, stdin, write_out, write_err)
        self.processes[process.pid] = process
        folder = f"/proc/{process.pid}"
        self.fs.memory[folder] = Folder()
        self.fs.memory[f"{folder}/cmdline"] = File("\0".join(argv).encode() + b"\0")
        self.ledger.programs[argv[0] if "-c" in argv else shlex.join(argv)] += 1
        return process

    def end_process(self, process: Process) -> None:
        self.processes.pop(process.pid, None)
        self.fs.memory.pop(f"/proc/{process.pid}/cmdline", None)
        self.fs.memory.pop(f"/proc/{process.pid}", None)

    def kill(self, pid: int) -> None:
        """Raises ProcessLookupError."""
        if pid not in self.processes:
            raise ProcessLookupError(3, "No such process")
        self.processes[pid].killed.set()

    def stop(self) -> None:
        """The power is gone: nothing runs any more."""
        for process in list(self.processes.values()):
            process.killed.set()
