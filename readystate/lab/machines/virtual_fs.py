"""A small file system in memory, with the one property that matters to provisioning: what lives on
the disk survives a reboot and not a wipe; what lives in memory survives neither.

Errors are the ones Python programs expect from a real disk (FileNotFoundError and its kin)."""

import errno
import io
import os
import posixpath
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

MEMORY_AREAS = ("/run", "/tmp", "/proc", "/dev", "/sys")  # noqa: S108 paths of the virtual system
MAX_LINKS = 40  #: as Linux: more in one path is a loop


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    mode: int = 0o644
    mtime: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    target: str


@dataclass(frozen=True, slots=True)
class Folder:
    mode: int = 0o755


Entry = File | Link | Folder
Entries = dict[str, Entry]  #: by absolute normal path; frozen entries are shared between machines


def plain_tree(files: dict[str, str], folders: tuple[str, ...] = ()) -> Entries:
    """Entries for text files and the folders above them."""
    entries: Entries = {}
    for path in (*folders, *(posixpath.dirname(path) for path in files)):
        while path != "/":
            entries.setdefault(path, Folder())
            path = posixpath.dirname(path)
    return entries | {path: File(text.encode()) for path, text in files.items()}


def _refuse(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)


@dataclass
class VirtualFs:
    disk: Entries
    memory: Entries = field(default_factory=dict)
    on_write: Callable[[str], None] = lambda _path: None  #: told each path whose content changed

    def __post_init__(self) -> None:
        for area in MEMORY_AREAS:
            self.memory.setdefault(area, Folder())

    # -- looking -------------------------------------------------------------------------------

    def find(self, path: str, *, follow: bool = True) -> Entry | None:
        """The entry, or None; a link in the last place is followed on request."""
        if posixpath.normpath(path) == "/":
            return Folder()
        real = self.resolve(path, follow=follow)
        return self._area(real).get(real)

    def exists(self, path: str) -> bool:
        return self.find(path) is not None

    def read(self, path: str) -> bytes:
        match self.find(path):
            case File(content=content):
                return content
            case Folder():
                raise _refuse(errno.EISDIR, path)
            case _:
                raise _refuse(errno.ENOENT, path)

    def read_text(self, path: str) -> str:
        return self.read(path).decode()

    def list(self, path: str) -> list[str]:
        if not isinstance(self.find(path), Folder):
            raise _refuse(errno.ENOTDIR if self.exists(path) else errno.ENOENT, path)
        prefix = self.resolve(path).rstrip("/") + "/"
        names = (
            key[len(prefix) :]
            for entries in (self.disk, self.memory)
            for key in tuple(entries)  # a program in another thread may write meanwhile
            if key.startswith(prefix)
        )
        return sorted(name for name in names if "/" not in name)

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The path with links replaced; the last component's own link only if `follow`."""
        if not path.startswith("/"):
            path = "/root/" + path
        done, ahead = "/", [part for part in posixpath.normpath(path).split("/") if part]
        for _ in range(MAX_LINKS * 64):
            if not ahead:
                return done
            candidate = posixpath.join(done, ahead.pop(0))
            entry = self._area(candidate).get(candidate)
            if isinstance(entry, Link) and (ahead or follow):
                target = posixpath.normpath(posixpath.join(done, entry.target))
                done, ahead = "/", [part for part in target.split("/") if part] + ahead
            else:
                done = candidate
        raise _refuse(errno.ELOOP, path)

    # -- changing ------------------------------------------------------------------------------

    def write(self, path: str, content: bytes, *, mode: int | None = None) -> None:
        real = self.resolve(path)
        self._need_parent(real)
        old = self._area(real).get(real)
        if isinstance(old, Folder):
            raise _refuse(errno.EISDIR, path)
        kept_mode = old.mode if isinstance(old, File) else 0o644
        new = File(content, kept_mode if mode is None else mode, time.time())
        self._area(real)[real] = new
        self.on_write(real)

    def symlink(self, target: str, path: str) -> None:
        real = self.resolve(path, follow=False)
        self._need_parent(real)
        if real in self._area(real):
            raise _refuse(errno.EEXIST, path)
        self._area(real)[real] = Link(target)

    def make_folder(self, path: str, *, mode: int = 0o755) -> None:
        real = self.resolve(path)
        self._need_parent(real)
        if real in self._area(real) or real == "/":
            raise _refuse(errno.EEXIST, path)
        self._area(real)[real] = Folder(mode)

    def make_folders(self, path: str, *, exist_ok: bool, mode: int = 0o755) -> None:
        real = self.resolve(path)
        if self.exists(real):
            if exist_ok and isinstance(self.find(real), Folder):
                return
            raise _refuse(errno.EEXIST, path)
        self.make_folders(posixpath.dirname(real), exist_ok=True)
        self.make_folder(real, mode=mode)

    def replace(self, source: str, target: str) -> None:
        """rename(2): the target's last link is replaced, not followed. Files and links only."""
        old, new = self.resolve(source, follow=False), self.resolve(target, follow=False)
        entry = self._area(old).get(old)
        if entry is None:
            raise _refuse(errno.ENOENT, source)
        self._need_parent(new)
        if isinstance(entry, Folder) or isinstance(self._area(new).get(new), Folder):
            raise _refuse(errno.EISDIR, target)
        if self._area(old) is not self._area(new):
            raise _refuse(errno.EXDEV, target)
        del self._area(old)[old]
        self._area(new)[new] = entry
        self.on_write(new)

    def remove(self, path: str) -> None:
        real = self.resolve(path, follow=False)
        entry = self._area(real).get(real)
        if entry is None:
            raise _refuse(errno.ENOENT, path)
        if isinstance(entry, Folder):
            raise _refuse(errno.EISDIR, path)
        del self._area(real)[real]

    def change_mode(self, path: str, mode: int) -> None:
        real = self.resolve(path)
        entry = self._area(real).get(real)
        if not isinstance(entry, File | Folder):
            raise _refuse(errno.ENOENT, path)
        self._area(real)[real] = replace(entry, mode=mode)

    # -- open(2) -------------------------------------------------------------------------------

    def open(self, path: str, mode: str = "r") -> "TextHandle | BinaryHandle":
        """As the builtin, UTF-8 only; `+` is not offered. What was written is there on flush."""
        kind = mode.replace("b", "").replace("t", "")
        if kind not in ("r", "w", "a", "x"):
            raise ValueError(f"the lab's open() has no mode {mode!r}")
        if kind == "x" and self.find(path, follow=False) is not None:
            raise _refuse(errno.EEXIST, path)
        start = self.read(path) if kind == "r" or (kind == "a" and self.exists(path)) else b""
        if kind in "wx":
            self.write(path, b"")
        owner = None if kind == "r" else self
        handle = BinaryHandle(start) if "b" in mode else TextHandle(start.decode())
        handle.bind(owner, path)
        if kind == "a":
            handle.seek(0, io.SEEK_END)
        return handle

    def _area(self, path: str) -> Entries:
        top = "/" + path.split("/", 2)[1]
        return self.memory if top in MEMORY_AREAS else self.disk

    def _need_parent(self, path: str) -> None:
        parent = self.find(posixpath.dirname(path))
        if parent is None:
            raise _refuse(errno.ENOENT, path)
        if not isinstance(parent, Folder):
            raise _refuse(errno.ENOTDIR, path)


class _Bound:
    """What an open file adds to an in-memory buffer: a name, and a home on flush and close."""

    _owner: VirtualFs | None = None
    _dirty = False
    name = ""

    def bind(self, owner: VirtualFs | None, path: str) -> None:
        self._owner, self.name = owner, path

    def fileno(self) -> int:
        return 3  # only good for os.fsync, which has nothing to do here

    def _mark(self) -> None:
        if self._owner is None:
            raise io.UnsupportedOperation("not writable")
        self._dirty = True

    def _keep(self, content: bytes) -> None:
        if self._owner is not None and self._dirty:
            self._dirty = False
            self._owner.write(self.name, content)


class TextHandle(_Bound, io.StringIO):
    def write(self, text: str) -> int:
        self._mark()
        return io.StringIO.write(self, text)

    def flush(self) -> None:
        self._keep(self.getvalue().encode())

    def close(self) -> None:
        if not self.closed:
            self.flush()
        io.StringIO.close(self)


class BinaryHandle(_Bound, io.BytesIO):
    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._mark()
        return io.BytesIO.write(self, data)

    def flush(self) -> None:
        self._keep(self.getvalue())

    def close(self) -> None:
        if not self.closed:
            self.flush()
        io.BytesIO.close(self)
