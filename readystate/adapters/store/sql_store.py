"""The store on SQLite or PostgreSQL: one writer, many readers.

All writes go through one thread of one process (`write_lock`). On SQLite several writers would wait
for one another by sleeping, up to seconds; on either, two annealers would void each other's leases.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from typing import TypeVar

from readystate.adapters.store.database import (
    Access,
    is_sqlite,
    open_engine,
    sqlite_file,
    transaction,
)
from readystate.adapters.store.refusals import HeldElsewhere
from readystate.adapters.store.rotation import reseal_everything
from readystate.adapters.store.secrets import load_seal
from readystate.adapters.store.snapshot import BookFor, Library
from readystate.adapters.store.transaction import SqlReader, SqlTransaction
from readystate.adapters.store.write_lock import WriteLock
from readystate.domain.errors import Conflict
from readystate.ports.store import Reader, Transaction

T = TypeVar("T")

#: Called with `before` or `after`, the kind of a commit, and its number among its kind, from 1.
OnCommit = Callable[[str, str, int], None]

KEY_FILE = "secrets.key"


class SqlStore:
    """Implements `ports.store.Store`. Raises Conflict while another process serves from the same
    database. The schema must be there: see `migrations`.

    On PostgreSQL the right to write goes with the connection: when that breaks, writes raise
    StoreError until the right is regained."""

    def __init__(
        self,
        url: str,
        *,
        data_dir: Path,
        book_for: BookFor,
        on_commit: OnCommit | None = None,
    ) -> None:
        self._lock = WriteLock(sqlite_file(url)) if is_sqlite(url) else None
        try:
            self._seal = load_seal(data_dir / KEY_FILE)
            self._writing = open_engine(url, Access.WRITE)
            self._reading = open_engine(url, Access.READ)
            if self._lock is None:
                self._take_database()
        except BaseException:
            self._release_lock()
            raise
        self._library = Library(book_for)
        self._on_commit = on_commit
        self._commits: dict[str, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._writer_thread = self._writer.submit(get_ident).result()

    def _take_database(self) -> None:
        """PostgreSQL: the lock comes with the connection."""
        try:
            with transaction(self._writing):
                return
        except HeldElsewhere as error:
            raise Conflict(error.what, why=error.why, hint=error.hint) from error

    def write(self, change: Callable[[Transaction], T], *, kind: str) -> T:
        if get_ident() == self._writer_thread:
            raise RuntimeError("a write within a write would wait for itself for ever")
        return self._writer.submit(self._write, change, kind).result()

    def _write(self, change: Callable[[Transaction], T], kind: str) -> T:
        number = self._commits.get(kind, 0) + 1
        with transaction(self._writing) as connection:
            tx = SqlTransaction(connection, self._seal, self._library)
            result = change(tx)
            tx.give_back_numbers()
            self._tell("before", kind, number)
        self._commits[kind] = number
        self._tell("after", kind, number)
        for callback in tx.callbacks:
            callback()
        return result

    def _tell(self, phase: str, kind: str, number: int) -> None:
        if self._on_commit is not None:
            self._on_commit(phase, kind, number)

    def read(self, query: Callable[[Reader], T]) -> T:
        with transaction(self._reading) as connection:
            return query(SqlReader(connection, self._seal, self._library))

    def reseal(self) -> int:
        """Seal all stored secrets with the first key of the key file; returns how many values were
        written anew."""
        return self._writer.submit(self._reseal).result()

    def _reseal(self) -> int:
        with transaction(self._writing) as connection:
            return reseal_everything(connection, self._seal)

    def close(self) -> None:
        """Waits for the writes that were asked for. Idempotent."""
        self._writer.shutdown()
        self._writing.dispose()
        self._reading.dispose()
        self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
