"""Python and the other programs of a simulated system."""

import json
import threading

import pytest

from readystate.lab.machines import programs
from readystate.lab.machines.ledger import MachineLedger
from readystate.lab.machines.running_system import Killed, RunningSystem, SystemKind
from readystate.lab.machines.virtual_fs import VirtualFs, plain_tree


@pytest.fixture
def system() -> RunningSystem:
    files = {"/etc/hostname": "node-7\n", "/usr/bin/chronyc": "", "/root/note": "hello\n"}
    system = RunningSystem(
        kind=SystemKind.INSTALLED,
        fs=VirtualFs(plain_tree(files)),
        ledger=MachineLedger(),
        on_reboot=lambda: None,
        on_power_off=lambda: None,
    )
    system.boot("quiet")
    return system


def run(system: RunningSystem, *argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
    out, err = bytearray(), bytearray()
    process = system.start_process(list(argv), stdin, out.extend, err.extend)
    status = programs.run_program(system, process)
    return status, out.decode(), err.decode()


def python(system: RunningSystem, source: str, stdin: bytes = b"") -> tuple[int, str, str]:
    return run(system, "python3", "-I", "-c", source, stdin=stdin)


def test_source_is_really_executed(system: RunningSystem) -> None:
    source = "import json,sys\nprint(json.dumps({'sum': sum(json.load(sys.stdin))}))"

    assert (0, '{"sum": 6}\n', "") == python(system, source, b"[1, 2, 3]")


def test_files_are_the_virtual_ones(system: RunningSystem) -> None:
    source = (
        f"import os\nassert not os.path.exists({__file__!r})\n"
        "os.makedirs('/var/lib/x', exist_ok=True)\n"
        "with open('/var/lib/x/new', 'w', encoding='utf-8') as f:\n"
        "    f.write('text'); f.flush(); os.fsync(f.fileno())\n"
        "os.chmod('/var/lib/x/new', 0o640)\nos.replace('/var/lib/x/new', '/var/lib/x/file')\n"
        "print(os.listdir('/var/lib/x'), oct(os.stat('/var/lib/x/file').st_mode))"
    )

    assert (0, "['file'] 0o100640\n", "") == python(system, source)
    assert "text" == system.fs.read_text("/var/lib/x/file")


def test_code_compiled_by_the_program_sees_the_same_world(system: RunningSystem) -> None:
    source = "exec(compile('print(open(\"/etc/hostname\").read().strip())', 'x', 'exec'), {})"

    assert (0, "node-7\n", "") == python(system, source)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import socket", "No module named 'socket' in the lab's Python"),
        ("from ctypes import CDLL", "No module named 'ctypes'"),
        ("import os\nos.system('ls')", "the lab's os has no 'system'"),
        ("import os\nos.path.getsize('/')", "the lab's os.path has no 'getsize'"),
        ("input()", "does not offer input()"),
        ("open('/etc/none')", "FileNotFoundError: [Errno 2] No such file or directory"),
        ("raise ValueError('wrong')", "ValueError: wrong"),
        ("import subprocess\nsubprocess.run(['curl', 'x'])", "FileNotFoundError"),
        ("import subprocess\nsubprocess.run(['false'], check=True)", "CalledProcessError"),
    ],
)
def test_what_is_not_there_is_an_honest_error(system: RunningSystem, source: str, why: str) -> None:
    status, out, err = python(system, source)

    assert (1, "") == (status, out)
    assert why in err
    assert "virtual_python.py" not in err


@pytest.mark.parametrize(
    ("source", "status", "err"),
    [
        ("raise SystemExit", 0, ""),
        ("import sys\nsys.exit(4)", 4, ""),
        ("import sys\nsys.exit('no input')", 1, "no input\n"),
    ],
)
def test_exit_status_is_pythons(system: RunningSystem, source: str, status: int, err: str) -> None:
    assert (status, "", err) == python(system, source)


def test_environment_is_empty_and_process_is_its_own(system: RunningSystem) -> None:
    source = "import os,sys\nprint(dict(os.environ), os.geteuid(), sys.argv, os.uname().nodename)"
    status, out, _ = run(system, "python3", "-c", source, "marker")

    assert (0, "{} 0 ['-c', 'marker'] node-7\n") == (status, out)


def test_subprocess_runs_the_systems_programs_and_the_ledger_knows(system: RunningSystem) -> None:
    source = (
        "import subprocess\n"
        "r = subprocess.run(['hostname', 'other'])\n"
        "print(subprocess.run(['hostname'], capture_output=True, text=True).stdout.strip())\n"
        "subprocess.run(['chronyc', 'reload', 'sources'], check=True)"
    )

    assert (0, "other\n", "") == python(system, source)
    assert 1 == system.ledger.programs["chronyc reload sources"]


def test_scripts_are_counted_by_name_and_action(system: RunningSystem) -> None:
    document = json.dumps({"name": "dns-client", "script": "", "action": "run"}).encode()
    python(system, "import sys; sys.stdin.read()", document)

    assert {("dns-client", "run"): 1} == dict(system.ledger.scripts)


def test_sleeping_program_needs_a_thread_and_dies_when_killed(system: RunningSystem) -> None:
    argv = ["python3", "-c", "import time\nprint('begun')\ntime.sleep(60)\nprint('done')"]
    out = bytearray()
    process = system.start_process(argv, b"", out.extend, out.extend)
    ended: list[str] = []

    def work() -> None:
        try:
            programs.run_program(system, process)
        except Killed:
            ended.append("killed")

    thread = threading.Thread(target=work)
    thread.start()
    system.kill(process.pid)
    thread.join(5)

    assert programs.may_sleep(argv, b"")
    assert ["killed"] == ended
    assert b"done" not in out
    assert {} == system.processes


def test_killed_program_writes_no_more_files(system: RunningSystem) -> None:
    source = "import os\nos.kill(os.getpid(), 9)\nopen('/etc/motd', 'w').write('x')"

    with pytest.raises(Killed):
        python(system, source)
    assert not system.fs.exists("/etc/motd")


@pytest.mark.parametrize(
    ("argv", "stdin", "expected"),
    [
        (["python3", "-c", "import time"], b"", True),
        (["python3", "-c", "import os, time"], b"", True),
        (["python3", "-c", "x"], rb'{"script": "from time import sleep\nx"}', True),
        (["python3", "-c", "import datetime"], b'{"timeout": 3}', False),
        (["sleep", "3"], b"", True),
        (["cat"], b"import time", False),
    ],
)
def test_which_programs_may_sleep(argv: list[str], stdin: bytes, expected: bool) -> None:
    assert expected is programs.may_sleep(argv, stdin)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("true", (0, "", "")),
        ("false", (1, "", "")),
        ("echo a 'b  c'", (0, "a b  c\n", "")),
        ("cat /root/note", (0, "hello\n", "")),
        ("cat note", (0, "hello\n", "")),
        ("cat /none", (1, "", "cat: /none: No such file or directory\n")),
        ("hostname", (0, "node-7\n", "")),
        ("test -e /root/note", (0, "", "")),
        ("test -d /root/note", (1, "", "")),
        ("test 1 = 1", (2, "", "test: only -e, -f, -d and -L are offered here\n")),
        ("ls /root", (0, "note\n", "")),
        ("systemctl is-active ssh", (0, "active\n", "")),
        ("cat /proc/cmdline", (0, "quiet\n", "")),
        ("/usr/bin/uname -n", (0, "node-7\n", "")),
        ("vi /etc/hostname", (127, "", "vi: command not found\n")),
        ("python3 script.py", (2, "", "python3: only `python3 -c SOURCE` is offered here\n")),
    ],
)
def test_programs(system: RunningSystem, command: str, expected: tuple[int, str, str]) -> None:
    assert expected == run(system, *programs.split_command(command))
