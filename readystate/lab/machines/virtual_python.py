"""`python3 -c` on a simulated system: the real interpreter, given a virtual world.

The received source is compiled and executed as it is, with builtins whose `open` is the virtual
file system's and whose `import` knows a few harmless modules and virtual `os`, `sys`,
`subprocess` and `time`. This keeps honest scripts honest; it is no sandbox for hostile ones."""

import builtins
import functools
import importlib
import io
import json
import re
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readystate.lab.machines.running_system import Killed, Process, RunningSystem
from readystate.lab.machines.virtual_os import VirtualOs

#: Run as they are: none of them touches the real machine by itself.
REAL_MODULES = frozenset(
    {
        "__future__", "base64", "binascii", "collections", "collections.abc", "copy",
        "dataclasses", "datetime", "difflib", "enum", "errno", "functools", "hashlib", "io",
        "ipaddress", "itertools", "json", "math", "re", "shlex", "stat", "string", "textwrap",
        "traceback", "typing",
    }
)  # fmt: skip

RunProgram = Callable[[RunningSystem, Process], int]

_IMPORTS_TIME = re.compile(rb"\b(?:from|import)\s+(?:\w+\s*,\s*)*time\b")


def may_sleep(argv: list[str], stdin: bytes) -> bool:
    return any(_IMPORTS_TIME.search(text) for text in (" ".join(argv).encode(), stdin))


@functools.lru_cache(maxsize=256)
def _compile(source: str, filename: str, mode: str) -> types.CodeType:
    return compile(source, filename, mode, dont_inherit=True)


def run(system: RunningSystem, process: Process, run_program: RunProgram) -> int:
    """Execute `python3 [-I] -c SOURCE [ARGUMENT...]`; returns the exit status. Raises Killed."""
    words = [word for word in process.argv[1:] if word not in ("-I", "-u", "-B", "-E", "-s")]
    if words[:1] == ["--version"]:
        process.out(f"Python {sys.version.split()[0]}\n")
        return 0
    if words[:1] != ["-c"] or len(words) < 2:
        process.err("python3: only `python3 -c SOURCE` is offered here\n")
        return 2
    _count_script(system, process.stdin)
    world = _World(system, process, run_program, ["-c", *words[2:]])
    return world.execute(words[1])


def _count_script(system: RunningSystem, stdin: bytes) -> None:
    """Note in the ledger which script this is, if the input is a script jig's document."""
    try:
        document = json.loads(stdin)
    except ValueError:
        return
    if isinstance(document, dict) and "script" in document:
        system.ledger.scripts[(str(document.get("name")), str(document.get("action")))] += 1


class _World:
    """Everything that one program can see."""

    def __init__(
        self,
        system: RunningSystem,
        process: Process,
        run_program: RunProgram,
        argv: list[str],
    ) -> None:
        self._system = system
        self._process = process
        self._run_program = run_program
        self._stdout = _Output(process.out)
        self._stderr = _Output(process.err)
        self._os = VirtualOs(system, process)
        self._virtual: dict[str, Any] = {
            "os": self._os,
            "os.path": self._os.path,
            "posixpath": self._os.path,
            "sys": self._make_sys(argv),
            "subprocess": self._make_subprocess(),
            "time": self._make_time(),
            "shutil": types.SimpleNamespace(which=self._os.which),
        }
        self._builtins = vars(builtins) | {
            "__import__": self._import,
            "open": self._os.open_file,
            "print": self._print,
            "compile": self._compile,
            "input": _offer_nothing("input"),
            "breakpoint": _offer_nothing("breakpoint"),
        }

    def execute(self, source: str) -> int:
        names = {"__builtins__": self._builtins, "__name__": "__main__"}
        try:
            exec(_compile(source, "<string>", "exec"), names)  # noqa: S102 this is its job
        except SystemExit as stop:
            return self._exit_status(stop)
        except BaseException as error:
            if not isinstance(error, Exception):
                raise
            # What the program did not catch ends the program, not us.
            told = traceback.TracebackException.from_exception(error)
            _keep_own_frames(told)
            self._process.err("".join(told.format()))
            return 1
        return 0

    def _exit_status(self, stop: SystemExit) -> int:
        if stop.code is None:
            return 0
        if isinstance(stop.code, int):
            return stop.code & 0xFF
        self._process.err(f"{stop.code}\n")
        return 1

    # -- builtins ------------------------------------------------------------------------------

    def _import(
        self,
        name: str,
        _globals: Mapping[str, object] | None = None,
        _locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        _level: int = 0,
    ) -> Any:
        if name in self._virtual:
            return self._virtual[name if fromlist else name.partition(".")[0]]
        if name in REAL_MODULES:
            module = importlib.import_module(name)
            return module if fromlist else sys.modules[name.partition(".")[0]]
        raise ModuleNotFoundError(f"No module named {name!r} in the lab's Python", name=name)

    def _print(self, *values: object, file: Any = None, **keywords: Any) -> None:
        print(*values, file=self._stdout if file is None else file, **keywords)

    def _compile(
        self, source: str | bytes, filename: str, mode: str, *_flags: object
    ) -> types.CodeType:
        text = source.decode() if isinstance(source, bytes) else source
        return _compile(text, filename, mode)

    # -- virtual modules -----------------------------------------------------------------------

    def _make_sys(self, argv: list[str]) -> types.SimpleNamespace:
        return types.SimpleNamespace(
            argv=argv,
            stdin=_Input(self._process.stdin),
            stdout=self._stdout,
            stderr=self._stderr,
            exit=sys.exit,
            version=sys.version,
            version_info=sys.version_info,
            platform="linux",
            executable="/usr/bin/python3",
            path=[],
        )

    def _make_time(self) -> types.SimpleNamespace:
        import time

        return types.SimpleNamespace(
            sleep=self._process.sleep,
            time=time.time,
            monotonic=time.monotonic,
            strftime=time.strftime,
            gmtime=time.gmtime,
        )

    def _make_subprocess(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(
            run=self._run_subprocess,
            PIPE=subprocess.PIPE,
            DEVNULL=subprocess.DEVNULL,
            STDOUT=subprocess.STDOUT,
            CalledProcessError=subprocess.CalledProcessError,
            CompletedProcess=subprocess.CompletedProcess,
            TimeoutExpired=subprocess.TimeoutExpired,
        )

    def _run_subprocess(
        self,
        argv: Sequence[str],
        *,
        check: bool = False,
        capture_output: bool = False,
        stdout: int | None = None,
        stderr: int | None = None,
        text: bool = False,
        input: str | bytes | None = None,
        timeout: float | None = None,  # noqa: ARG002 programs here end at once
    ) -> "subprocess.CompletedProcess[Any]":
        out, err = bytearray(), bytearray()
        stdin = input.encode() if isinstance(input, str) else input or b""
        child = self._system.start_process(
            list(argv),
            stdin,
            self._sink(out, piped=capture_output or stdout is not None, own=self._stdout),
            self._sink(err, piped=capture_output or stderr is not None, own=self._stderr),
        )
        child.killed = self._process.killed
        status = self._run_program(self._system, child)
        if status == 127:
            raise FileNotFoundError(2, "No such file or directory", argv[0])
        result: subprocess.CompletedProcess[Any] = subprocess.CompletedProcess(list(argv), status)
        result.stdout = out.decode() if text else bytes(out)
        result.stderr = err.decode() if text else bytes(err)
        if check:
            result.check_returncode()
        return result

    @staticmethod
    def _sink(buffer: bytearray, *, piped: bool, own: "_Output") -> Callable[[bytes], None]:
        return buffer.extend if piped else lambda data: own.write_bytes(data)


class _Output(io.TextIOBase):
    """Standard output or error of one program."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._put(text)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        self._put(data.decode("utf-8", "replace"))


class _Input(io.StringIO):
    """Standard input of one program."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.decode("utf-8", "replace"))
        self._data = data

    @property
    def buffer(self) -> io.BytesIO:
        return io.BytesIO(self._data)


def _offer_nothing(name: str) -> Callable[..., None]:
    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise RuntimeError(f"the lab's Python does not offer {name}()")

    return refuse


def _keep_own_frames(told: traceback.TracebackException | None) -> None:
    """Leave only lines of the program: all other code has a file on the real disk."""
    if told is not None:
        own = [frame for frame in told.stack if not frame.filename.startswith("/")]
        told.stack = traceback.StackSummary.from_list(own)
        _keep_own_frames(told.__cause__)
        _keep_own_frames(told.__context__)


__all__ = ["REAL_MODULES", "Killed", "may_sleep", "run"]
