"""Who may write to a SQLite file: the one process that holds the lock file beside it."""

import fcntl
import os
from pathlib import Path

from readystate.domain.errors import Conflict


class WriteLock:
    """Held from construction to `release`, or until the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        """Raises Conflict with the holder's process id."""
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode().strip() or "unknown"
            os.close(self._descriptor)
            raise Conflict(
                f"Store already in use by pid {holder}",
                why=f"it holds {self._path}",
                hint="stop the other `readystate serve`, or give this one another data_dir",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)
