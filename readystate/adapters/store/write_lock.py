"""Who may write: the one process that holds the lock file beside an SQLite file, or the advisory
lock of a PostgreSQL database. Two that serve one database would void each other's leases."""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from readystate.adapters.store.refusals import HeldElsewhere
from readystate.domain.errors import Conflict

#: Key of the advisory lock, on which all processes agree: "rdyst" in hex.
_ADVISORY_KEY = 0x7264797374

#: The server releases the lock of a process that was killed once it has noticed: milliseconds.
_ADVISORY_WAIT_S = 2.0
_ADVISORY_POLL_S = 0.1


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


def take_advisory_lock(raw: Any) -> None:
    """Take the lock for as long as this PostgreSQL session lives. Only its writes are made in it,
    so a session that broke takes the lock with it, and none writes without. `raw` is a DB-API
    connection with no transaction open. Raises HeldElsewhere with the holder's address and name.

    Sessions are shared behind a pooler in transaction mode: there this lock means nothing."""
    ends_at = time.monotonic() + _ADVISORY_WAIT_S
    with raw.cursor() as cursor:
        while not _is_ours(cursor):
            if time.monotonic() > ends_at:
                holder = _holder(cursor)
                raw.rollback()
                raise HeldElsewhere(
                    f"Store already in use by {holder}",
                    why="it holds the database's advisory lock",
                    hint="stop the other `readystate serve`, or give this one another database_url",
                )
            time.sleep(_ADVISORY_POLL_S)
    raw.commit()


def _is_ours(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_KEY,))
    return bool(cursor.fetchone()[0])


def _holder(cursor: Any) -> str:
    # A key of 64 bits stands in two columns (PostgreSQL manual, pg_locks); objsubid 1 says so.
    cursor.execute(
        "SELECT coalesce(host(client_addr), 'this machine'), application_name"
        " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND classid::bigint = %s AND objid::bigint = %s AND objsubid = 1",
        (_ADVISORY_KEY >> 32, _ADVISORY_KEY & 0xFFFFFFFF),
    )
    found = cursor.fetchone()
    return f"{found[1]} at {found[0]}" if found else "a process that is just leaving"
