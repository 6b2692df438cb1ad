"""What was really done to one simulated machine. Only ever counts up; read by tests that compare
what the graph believes, or a plan predicted, with what happened."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Install:
    disk_serial: str
    bootenv: str
    hostname: str
    generation: int | None


@dataclass
class MachineLedger:
    boots: Counter[str] = field(default_factory=Counter)  #: by device that in the end booted
    reboots: int = 0  #: warm restarts: by the BMC, by the system itself, by a crash
    crashes: int = 0  #: those of the reboots that nobody asked for
    power_cuts: int = 0  #: power ended while something ran
    wipes: list[str] = field(default_factory=list)  #: serials of disks, oldest first
    installs: list[Install] = field(default_factory=list)  #: those that came to their end
    file_writes: Counter[str] = field(default_factory=Counter)  #: by path, in live image and system
    scripts: Counter[tuple[str, str]] = field(default_factory=Counter)  #: by (name, action)
    programs: Counter[str] = field(default_factory=Counter)  #: by name, over ssh or from a script
