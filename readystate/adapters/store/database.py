"""Opening a database: what each kind is told before anything else (pragmas, isolation, locks)."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as PooledConnection
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from readystate.adapters.store.connection import Connection
from readystate.adapters.store.refusals import StoreError
from readystate.adapters.store.sqlite_connection import SqliteConnection
from readystate.adapters.store.write_lock import take_advisory_lock

READERS = 4

#: NORMAL would be faster, but may lose the last commits on power loss: that is, forget that a disk
#: was wiped.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "temp_store=MEMORY",
    "cache_size=-65536",
    "analysis_limit=1000",  # ANALYZE reads so many rows of an index, not all of them
)


#: So that the server notices within a minute that the machine of a lock's holder is gone; it would
#: take two hours by default (tcp(7), tcp_keepalive_time).
_KEEPALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


class Access(StrEnum):
    READ = "read"
    WRITE = "write"  #: by the one process that may
    MIGRATE = "migrate"  #: as WRITE, but tables may be made anew below those that refer to them


def is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_file(url: str) -> Path:
    """Raises StoreError for a database in memory: its readers would see another one."""
    name = make_url(url).database
    if not name or name == ":memory:":
        raise StoreError("the database must be a file", why=f"{url} names none")
    return Path(name)


def open_engine(url: str, access: Access) -> Engine:
    """Raises StoreError if the driver is not installed."""
    return _sqlite_engine(url, access) if is_sqlite(url) else _postgres_engine(url, access)


def _sqlite_engine(url: str, access: Access) -> Engine:
    size = READERS if access is Access.READ else 1
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        # Readers are used by one thread at a time, but not always by the same one.
        connect_args={"check_same_thread": False, "isolation_level": None},
    )
    begin = "BEGIN" if access is Access.READ else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _record: Any) -> None:
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")
        if access is Access.READ:
            raw.execute("PRAGMA query_only=ON")
        if access is Access.MIGRATE:
            raw.execute("PRAGMA foreign_keys=OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: PooledConnection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgres_engine(url: str, access: Access) -> Engine:
    try:
        # Reads see one snapshot. Writes must see what was committed while they waited for the lock.
        isolation = "REPEATABLE READ" if access is Access.READ else "READ COMMITTED"
        engine = create_engine(
            url,
            pool_size=READERS if access is Access.READ else 1,
            max_overflow=READERS if access is Access.READ else 0,
            pool_pre_ping=True,
            isolation_level=isolation,
            connect_args={
                "options": f"-c timezone=UTC {_KEEPALIVE}",
                "application_name": f"readystate pid {os.getpid()}",
            },
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL needs its driver",
            why=str(error),
            hint="pip install 'readystate[postgres]'",
        ) from error
    if access is Access.WRITE:

        @event.listens_for(engine, "connect")
        def _take_lock(raw: Any, _record: Any) -> None:
            try:
                take_advisory_lock(raw)
            except BaseException:
                raw.close()
                raise

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Commits at the end, rolls back when something is raised. Raises StoreError when the database
    cannot be reached or the commit fails, and HeldElsewhere when another process may write."""
    with translated(engine), engine.begin() as pooled:
        yield _connection_of(pooled)


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError(
            f"the {engine.dialect.name} database cannot be used", why=str(error.orig).strip()
        ) from error
    except PoolTimeout as error:
        raise StoreError(
            f"the {engine.dialect.name} database is too busy",
            why=f"none of {READERS} readers became free in time",
        ) from error


def _connection_of(pooled: PooledConnection) -> Connection:
    raw: Any = pooled.connection.driver_connection
    if pooled.dialect.name == "sqlite":
        return SqliteConnection(raw)
    from readystate.adapters.store.postgres_connection import PostgresConnection

    return PostgresConnection(raw)
