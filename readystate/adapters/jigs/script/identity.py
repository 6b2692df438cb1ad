"""Our own ssh key: made once, kept in the data folder, readable by its owner alone."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

import asyncssh

from readystate.domain.errors import Invalid

FOLDER, FILE = "ssh", "id_ed25519"
COMMENT = "readystate"


def load_identity(data_dir: Path) -> asyncssh.SSHKey:
    """The key under `data_dir`, made when it is not there yet; safe when two processes ask at once.

    Raises Invalid when others could read it, or when it is not a key."""
    path = data_dir / FOLDER / FILE
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Invalid(
            f"{path} can be read by others than its owner",
            why="whoever reads it is root on every node",
            hint=f"chmod 600 {path}, or delete it and reinstall the nodes",
        )
    try:
        return asyncssh.read_private_key(path)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise Invalid(f"{path} is not an ssh private key", why=str(error)) from error


def public_key_line(identity: asyncssh.SSHKey) -> str:
    """As in authorized_keys: `ssh-ed25519 AAAA... readystate`."""
    words = identity.export_public_key("openssh").decode().split()
    return f"{words[0]} {words[1]} {COMMENT}"


def origin_of(identity: asyncssh.SSHKey) -> str:
    """A short name for whoever holds this key, fit for a process list."""
    return hashlib.sha256(identity.export_public_key("openssh")).hexdigest()[:10]


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = asyncssh.generate_private_key("ssh-ed25519", COMMENT)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600 from its first instant
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(key.export_private_key("openssh"))
            handle.flush()
            os.fsync(handle.fileno())
        # link(2) refuses to replace: of two processes the first one's key is everyone's.
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
