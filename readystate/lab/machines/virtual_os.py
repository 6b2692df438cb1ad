"""The module `os`, as a program on a simulated system sees it: a few functions of the real one on
the virtual files and processes. What is missing says so by name."""

import os
import posixpath
import stat
import types
from collections.abc import Mapping
from typing import Any

from readystate.lab.machines.running_system import Process, RunningSystem
from readystate.lab.machines.virtual_fs import BinaryHandle, Entry, File, Folder, Link, TextHandle

SEARCH_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


class VirtualPath:
    """`os.path`: the real one's text functions, and questions to the virtual files."""

    join = staticmethod(posixpath.join)
    dirname = staticmethod(posixpath.dirname)
    basename = staticmethod(posixpath.basename)
    normpath = staticmethod(posixpath.normpath)
    split = staticmethod(posixpath.split)
    splitext = staticmethod(posixpath.splitext)
    isabs = staticmethod(posixpath.isabs)
    relpath = staticmethod(posixpath.relpath)
    sep = "/"

    def __init__(self, system: RunningSystem) -> None:
        self._fs = system.fs

    def exists(self, path: str) -> bool:
        return self._fs.exists(path)

    def lexists(self, path: str) -> bool:
        return self._fs.find(path, follow=False) is not None

    def isfile(self, path: str) -> bool:
        return isinstance(self._fs.find(path), File)

    def isdir(self, path: str) -> bool:
        return isinstance(self._fs.find(path), Folder)

    def islink(self, path: str) -> bool:
        return isinstance(self._fs.find(path, follow=False), Link)

    def realpath(self, path: str) -> str:
        return self._fs.resolve(path)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the lab's os.path has no {name!r}")


class VirtualOs:
    sep = "/"
    linesep = "\n"
    name = "posix"
    environ: Mapping[str, str] = types.MappingProxyType({})

    def __init__(self, system: RunningSystem, process: Process) -> None:
        self._system = system
        self._process = process
        self._fs = system.fs
        self.path = VirtualPath(system)
        self.fspath = os.fspath
        self.strerror = os.strerror

    def open_file(self, path: str, mode: str = "r", **_ignored: Any) -> TextHandle | BinaryHandle:
        """The builtin `open`; text is always UTF-8 here, whatever else is asked for."""
        self._process.check_alive()
        return self._fs.open(path, mode)

    def makedirs(self, path: str, mode: int = 0o755, exist_ok: bool = False) -> None:
        self._process.check_alive()
        self._fs.make_folders(path, exist_ok=exist_ok, mode=mode)

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        self._process.check_alive()
        self._fs.make_folder(path, mode=mode)

    def replace(self, source: str, target: str) -> None:
        self._process.check_alive()
        self._fs.replace(source, target)

    rename = replace

    def remove(self, path: str) -> None:
        self._process.check_alive()
        self._fs.remove(path)

    unlink = remove

    def symlink(self, target: str, path: str) -> None:
        self._process.check_alive()
        self._fs.symlink(target, path)

    def chmod(self, path: str, mode: int) -> None:
        self._process.check_alive()
        self._fs.change_mode(path, mode)

    def listdir(self, path: str = ".") -> list[str]:
        return self._fs.list(path)

    def readlink(self, path: str) -> str:
        entry = self._fs.find(path, follow=False)
        if not isinstance(entry, Link):
            raise OSError(22, os.strerror(22), path)
        return entry.target

    def stat(self, path: str) -> types.SimpleNamespace:
        return self._status(path, self._fs.find(path))

    def lstat(self, path: str) -> types.SimpleNamespace:
        return self._status(path, self._fs.find(path, follow=False))

    @staticmethod
    def _status(path: str, entry: Entry | None) -> types.SimpleNamespace:
        match entry:
            case File(content=content, mode=mode, mtime=mtime):
                kind, size = stat.S_IFREG, len(content)
            case Folder(mode=mode):
                kind, size, mtime = stat.S_IFDIR, 4096, 0.0
            case Link(target=target):
                kind, size, mode, mtime = stat.S_IFLNK, len(target), 0o777, 0.0
            case _:
                raise FileNotFoundError(2, os.strerror(2), path)
        return types.SimpleNamespace(
            st_mode=kind | mode, st_size=size, st_mtime=mtime, st_uid=0, st_gid=0
        )

    def fsync(self, _descriptor: int) -> None:
        """Everything written is already where it belongs."""

    def sync(self) -> None:
        """As fsync."""

    def getpid(self) -> int:
        return self._process.pid

    def getpgid(self, pid: int) -> int:
        if pid and pid not in self._system.processes:
            raise ProcessLookupError(3, os.strerror(3))
        return pid or self._process.pid

    def geteuid(self) -> int:
        return 0

    getuid = geteuid

    def kill(self, pid: int, _signal: int) -> None:
        self._system.kill(pid)

    killpg = kill

    def uname(self) -> types.SimpleNamespace:
        from readystate.lab.machines.programs import KERNEL_RELEASE

        return types.SimpleNamespace(
            sysname="Linux", nodename=self._system.hostname, release=KERNEL_RELEASE,
            version="#1 SMP", machine="x86_64",
        )  # fmt: skip

    def which(self, program: str) -> str | None:
        """`shutil.which`."""
        paths = (posixpath.join(folder, program) for folder in SEARCH_PATH)
        return next((path for path in paths if self._fs.exists(path)), None)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the lab's os has no {name!r}")
