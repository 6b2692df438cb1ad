"""The handful of programs that a simulated system has. An unknown one answers 127, as a shell."""

import posixpath
import shlex
import time
from collections.abc import Callable

from readystate.lab.machines import virtual_python
from readystate.lab.machines.running_system import Process, RunningSystem
from readystate.lab.machines.virtual_fs import File, Folder, Link

COMMAND_NOT_FOUND = 127
KERNEL_RELEASE = "6.1.0-lab-amd64"

Program = Callable[[RunningSystem, Process], int]


def _cat(system: RunningSystem, process: Process) -> int:
    paths = process.argv[1:]
    if not paths:
        process.write_out(process.stdin)
    status = 0
    for path in paths:
        try:
            process.write_out(system.fs.read(path))
        except OSError as error:
            process.err(f"cat: {path}: {error.strerror}\n")
            status = 1
    return status


def _echo(_system: RunningSystem, process: Process) -> int:
    process.out(" ".join(process.argv[1:]) + "\n")
    return 0


def _hostname(system: RunningSystem, process: Process) -> int:
    names = [word for word in process.argv[1:] if not word.startswith("-")]
    if names:
        system.set_hostname(names[0])
    else:
        process.out(system.hostname + "\n")
    return 0


def _uptime(system: RunningSystem, process: Process) -> int:
    up_s = time.monotonic() - system.started_at
    process.out(f" up {int(up_s // 60)} min, 1 user, load average: 0.00, 0.00, 0.00\n")
    return 0


def _uname(system: RunningSystem, process: Process) -> int:
    words = {"-r": KERNEL_RELEASE, "-n": system.hostname, "-m": "x86_64"}
    flag = process.argv[1] if len(process.argv) > 1 else ""
    full = f"Linux {system.hostname} {KERNEL_RELEASE} x86_64 GNU/Linux"
    process.out((full if flag == "-a" else words.get(flag, "Linux")) + "\n")
    return 0


def _test(system: RunningSystem, process: Process) -> int:
    match process.argv[1:]:
        case ["-e", path]:
            return 0 if system.fs.exists(path) else 1
        case ["-f", path]:
            return 0 if isinstance(system.fs.find(path), File) else 1
        case ["-d", path]:
            return 0 if isinstance(system.fs.find(path), Folder) else 1
        case ["-L" | "-h", path]:
            return 0 if isinstance(system.fs.find(path, follow=False), Link) else 1
        case _:
            process.err("test: only -e, -f, -d and -L are offered here\n")
            return 2


def _ls(system: RunningSystem, process: Process) -> int:
    path = next((word for word in process.argv[1:] if not word.startswith("-")), "/root")
    try:
        process.out("".join(name + "\n" for name in system.fs.list(path)))
    except OSError as error:
        process.err(f"ls: cannot access '{path}': {error.strerror}\n")
        return 2
    return 0


def _sleep(_system: RunningSystem, process: Process) -> int:
    process.sleep(float(process.argv[1]))
    return 0


def _reboot(system: RunningSystem, _process: Process) -> int:
    system.on_reboot()
    return 0


def _power_off(system: RunningSystem, _process: Process) -> int:
    system.on_power_off()
    return 0


def _systemctl(system: RunningSystem, process: Process) -> int:
    match process.argv[1:]:
        case ["reboot"]:
            system.on_reboot()
        case ["poweroff"]:
            system.on_power_off()
        case ["is-active", *_]:
            process.out("active\n")
        case ["is-system-running"]:
            process.out("running\n")
    return 0


def _accepted(_system: RunningSystem, _process: Process) -> int:
    return 0  # what it asked for is in the ledger


PROGRAMS: dict[str, Program] = {
    "cat": _cat,
    "chronyc": _accepted,
    "echo": _echo,
    "false": lambda _system, _process: 1,
    "hostname": _hostname,
    "ls": _ls,
    "poweroff": _power_off,
    "python3": lambda system, process: virtual_python.run(system, process, run_program),
    "reboot": _reboot,
    "sleep": _sleep,
    "sync": _accepted,
    "systemctl": _systemctl,
    "test": _test,
    "timedatectl": _accepted,
    "true": _accepted,
    "uname": _uname,
    "uptime": _uptime,
}


def split_command(command: str) -> list[str]:
    """Words of a command line. There is no shell here: `;`, `|` and `>` are plain characters.

    Raises ValueError for an unclosed quote."""
    return shlex.split(command)


def reads_input(argv: list[str]) -> bool:
    """True if the program waits for the end of its standard input before it can begin."""
    name = posixpath.basename(argv[0]) if argv else ""
    return (name == "python3" and "stdin" in " ".join(argv)) or (name == "cat" and len(argv) == 1)


def may_sleep(argv: list[str], stdin: bytes) -> bool:
    """True if the program needs a thread of its own; all others run where they are started."""
    name = posixpath.basename(argv[0]) if argv else ""
    return name == "sleep" or (name == "python3" and virtual_python.may_sleep(argv, stdin))


def run_program(system: RunningSystem, process: Process) -> int:
    """Run to the end and return the exit status. Raises Killed."""
    program = PROGRAMS.get(posixpath.basename(process.argv[0])) if process.argv else None
    if program is None:
        process.err(f"{process.argv[0] if process.argv else ''}: command not found\n")
        return COMMAND_NOT_FOUND
    try:
        return program(system, process)
    finally:
        system.end_process(process)
