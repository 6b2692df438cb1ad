"""An interpreter for the part of iPXE's script language that boot scripts use.

Unlike a mock it can fail: an unknown command, a missing file or a fetch that is refused ends the
script as real firmware would, unless `||` catches it. Commands and semantics: ipxe.org/cmd and
ipxe.org/scripting."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin

MAGIC = "#!ipxe"
MAX_STEPS = 10_000  #: a script that loops for ever is stopped here; real firmware would hang
MAX_DEPTH = 16  #: of scripts chained from one another

_VARIABLE = re.compile(r"\$\{([^${}]*)\}")


class FetchFailed(Exception):
    """A download did not give a file; the text is iPXE-like, for the console."""


class ScriptFailed(Exception):
    """The script came to an error that nothing caught."""


@dataclass(frozen=True)
class BootKernel:
    """`boot`: the machine is handed to this kernel."""

    url: str
    command_line: str
    initrds: tuple[str, ...]


@dataclass(frozen=True)
class BootLocalDisk:
    """`sanboot --drive 0x80`: the machine is handed to the first local disk."""


@dataclass(frozen=True)
class ExitToFirmware:
    """`exit`, or the end of the script: the firmware tries its next boot device."""


IpxeResult = BootKernel | BootLocalDisk | ExitToFirmware


class _Handover(BaseException):
    """Unwinds chained scripts once the machine has been given away."""

    def __init__(self, result: BootKernel | BootLocalDisk) -> None:
        super().__init__()
        self.result = result


class _CommandFailed(Exception):
    pass


class _ExitScript(Exception):
    def __init__(self, *, failed: bool) -> None:
        super().__init__()
        self.failed = failed


@dataclass(frozen=True)
class _Image:
    url: str
    content: bytes
    arguments: str = ""


@dataclass
class Ipxe:
    """One run of the firmware's network stack on one NIC."""

    fetch: Callable[[str], Awaitable[bytes]]  #: raises FetchFailed
    settings: Mapping[str, str]  #: `net0/mac`, `uuid`, ...
    disk_is_bootable: Callable[[], bool]
    sleep: Callable[[float], Awaitable[None]]
    echo: Callable[[str], None] = lambda _line: None
    _set: dict[str, str] = field(default_factory=dict)
    _images: dict[str, _Image] = field(default_factory=dict)
    _kernel: str | None = None
    _steps: int = 0

    async def run(self, url: str) -> IpxeResult:
        """Fetch the script at `url` and follow it. Raises FetchFailed and ScriptFailed."""
        script = await self.fetch(url)
        try:
            await self._run_script(script, url, depth=1)
        except _Handover as handover:
            return handover.result
        except _CommandFailed as error:
            raise ScriptFailed(str(error)) from error
        return ExitToFirmware()

    async def _run_script(self, script: bytes, url: str, *, depth: int) -> None:
        text = script.decode("utf-8", "replace")
        lines = text.splitlines()
        if not lines or not lines[0].startswith(MAGIC):
            raise _CommandFailed(f"{url}: Exec format error")
        if depth > MAX_DEPTH:
            raise _CommandFailed(f"{url}: chained too deep")
        position = 1
        while position < len(lines):
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise _CommandFailed("script does not end")
            line = lines[position].strip()
            position += 1
            if not line or line.startswith(("#", ":")):
                continue
            try:
                label = await self._run_line(line, url, depth=depth)
            except _ExitScript as exit_script:
                if exit_script.failed:
                    raise _CommandFailed("script exited with an error") from exit_script
                return
            if label is not None:
                position = self._find_label(lines, label)

    @staticmethod
    def _find_label(lines: list[str], label: str) -> int:
        for number, line in enumerate(lines):
            words = line.strip().split()
            if words and words[0] == ":" + label:
                return number + 1
        raise _CommandFailed(f"goto {label}: No such label")

    async def _run_line(self, line: str, url: str, *, depth: int) -> str | None:
        """Run the commands of one line, joined by `||` and `&&`; returns a label to go to."""
        parts = re.split(r"\s+(\|\||&&)\s*", line)
        failure: _CommandFailed | None = None
        label: str | None = None
        for joint, command in zip(["", *parts[1::2]], parts[::2], strict=True):
            skipped = (joint == "||" and failure is None) or (joint == "&&" and failure is not None)
            if skipped or label is not None:
                continue
            failure = None
            try:
                label = await self._run_command(self._expand(command).split(), url, depth=depth)
            except (_CommandFailed, FetchFailed) as error:
                failure = _CommandFailed(str(error))
                self.echo(str(error))
        if failure is not None:
            raise failure
        return label

    def _expand(self, text: str) -> str:
        """Replace `${...}`, inner ones first; what is not set is empty, as in iPXE."""
        for _ in range(8):
            text, count = _VARIABLE.subn(lambda match: self._value(match[1]), text)
            if not count:
                break
        return text

    def _value(self, name: str) -> str:
        name, _, form = name.partition(":")
        value = self._set.get(name, self.settings.get(name, ""))
        match form:
            case "hexhyp":
                return value.replace(":", "-")
            case "hexraw":
                return value.replace(":", "")
            case "uristring":
                return quote(value, safe="")
            case _:
                return value

    async def _run_command(self, words: list[str], url: str, *, depth: int) -> str | None:
        if not words:
            return None
        name, arguments = words[0], words[1:]
        match name:
            case "goto":
                return arguments[0] if arguments else None
            case "exit":
                raise _ExitScript(failed=bool(arguments) and arguments[0] != "0")
            case "kernel" | "initrd" | "imgfetch" | "module":
                await self._load(name, arguments, url)
            case "chain" | "imgexec":
                await self._chain(arguments, url, depth=depth)
            case "boot":
                self._boot(arguments)
            case "sanboot":
                self._sanboot(arguments)
            case "sleep":
                await self.sleep(float(arguments[0]))
            case _:
                self._run_plain(name, arguments)
        return None

    def _run_plain(self, name: str, arguments: list[str]) -> None:
        """The commands that only touch settings and images."""
        match name:
            case "set":
                self._set[arguments[0]] = " ".join(arguments[1:])
            case "clear":
                self._set[arguments[0]] = ""
            case "isset":
                if not arguments:
                    raise _CommandFailed("isset: not set")
            case "iseq":
                if len(arguments) != 2 or arguments[0] != arguments[1]:
                    raise _CommandFailed("iseq: not equal")
            case "echo":
                self.echo(" ".join(arguments))
            case "imgargs":
                self._set_arguments(arguments)
            case "imgfree":
                self._images.clear()
                self._kernel = None
            case "dhcp" | "ifopen" | "ifclose" | "ifconf":
                pass  # the NIC is up and has its address for as long as the machine runs
            case _:
                raise _CommandFailed(f"{name}: command not found")

    async def _load(self, command: str, arguments: list[str], url: str) -> None:
        name, rest = _take_option(arguments, "--name", "-n")
        if not rest:
            raise _CommandFailed(f"{command}: no URL")
        target = urljoin(url, rest[0])
        content = await self.fetch(target)
        image = _Image(target, content, " ".join(rest[1:]))
        name = name or target.rsplit("/", 1)[-1]
        self._images[name] = image
        if command == "kernel":
            self._kernel = name

    def _set_arguments(self, arguments: list[str]) -> None:
        image = self._images.get(arguments[0]) if arguments else None
        if image is None:
            raise _CommandFailed("imgargs: no such image")
        self._images[arguments[0]] = _Image(image.url, image.content, " ".join(arguments[1:]))

    async def _chain(self, arguments: list[str], url: str, *, depth: int) -> None:
        targets = [word for word in arguments if not word.startswith("-")]
        if not targets:
            raise _CommandFailed("chain: no URL")
        target = urljoin(url, targets[0])
        await self._run_script(await self.fetch(target), target, depth=depth + 1)
        if "--replace" in arguments or "-r" in arguments:
            raise _ExitScript(failed=False)

    def _boot(self, arguments: list[str]) -> None:
        kernel = self._images.get(arguments[0] if arguments else self._kernel or "")
        if kernel is None:
            raise _CommandFailed("boot: no image to boot")
        initrds = tuple(image.url for image in self._images.values() if image is not kernel)
        raise _Handover(BootKernel(kernel.url, kernel.arguments, initrds))

    def _sanboot(self, arguments: list[str]) -> None:
        drive, rest = _take_option(arguments, "--drive", "-d")
        if (drive not in (None, "0x80", "128")) or any(not w.startswith("-") for w in rest):
            raise _CommandFailed("sanboot: only the first local disk (0x80) can be booted here")
        if not self.disk_is_bootable():
            raise _CommandFailed("sanboot: could not boot from disk 0x80")
        raise _Handover(BootLocalDisk())


def _take_option(arguments: list[str], *names: str) -> tuple[str | None, list[str]]:
    """The value of an option, written `--name x` or `--name=x`, and the other words."""
    rest = list(arguments)
    for index, word in enumerate(rest):
        key, has_value, value = word.partition("=")
        if key in names and has_value:
            return value, rest[:index] + rest[index + 1 :]
        if word in names and index + 1 < len(rest):
            return rest[index + 1], rest[:index] + rest[index + 2 :]
    return None, rest
