"""The schema's history: brings a database to this release's schema, and refuses any other."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from readystate.adapters.store.database import (
    Access,
    is_sqlite,
    open_engine,
    sqlite_file,
    translated,
)
from readystate.adapters.store.refusals import HeldElsewhere, StoreError
from readystate.adapters.store.write_lock import WriteLock, take_advisory_lock
from readystate.domain.errors import Conflict
from readystate.shipped import Shipped, shipped_path


class SchemaMismatch(StoreError):
    """The database's schema is not the one of this readystate."""


def upgrade(url: str, *, to: str = "head") -> None:
    """Bring the schema up to date; idempotent. Raises Conflict while a process serves from the
    database, and SchemaMismatch for a schema of a newer readystate.

    A SQLite file that holds something is copied beside itself first."""
    _migrate(url, command.upgrade, to)


def downgrade(url: str, *, to: str) -> None:
    """Back to an older schema; loses what only the newer one can hold. Raises as `upgrade` does."""
    _migrate(url, command.downgrade, to)


def _migrate(url: str, step: Callable[[Config, str], None], to: str) -> None:
    lock = WriteLock(sqlite_file(url)) if is_sqlite(url) else None
    engine = open_engine(url, Access.MIGRATE)
    try:
        with translated(engine), engine.begin() as connection:
            if lock is None:
                _refuse_while_served(connection)
            current = _revision(connection)
            _refuse_unknown(current)
            target = _head() if to == "head" else to
            if lock is not None and current not in (None, target):
                _copy_beside(sqlite_file(url), str(current))
            config = _config()
            config.attributes["connection"] = connection
            step(config, to)
    finally:
        engine.dispose()
        if lock is not None:
            lock.release()


def _refuse_while_served(connection: Connection) -> None:
    """PostgreSQL: the lock of those who write goes with the connection."""
    try:
        take_advisory_lock(connection.connection.driver_connection)
    except HeldElsewhere as error:
        raise Conflict(error.what, why=error.why, hint=error.hint) from error


def check_schema(url: str) -> None:
    """Raises SchemaMismatch, with the command that mends it, unless the schema is the one that this
    readystate knows."""
    engine = open_engine(url, Access.READ)
    try:
        with translated(engine), engine.connect() as connection:
            current = _revision(connection)
    finally:
        engine.dispose()
    if current == _head():
        return
    _refuse_unknown(current)
    raise SchemaMismatch(
        f"the database has {'schema ' + current if current else 'no schema'}",
        why=f"this readystate needs schema {_head()}",
        hint="readystate db upgrade",
    )


def is_new(url: str) -> bool:
    """Whether the database holds nothing yet, so that a schema can be made without asking."""
    engine = open_engine(url, Access.READ)
    try:
        with translated(engine), engine.connect() as connection:
            return not inspect(connection).get_table_names()
    finally:
        engine.dispose()


def _refuse_unknown(current: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise SchemaMismatch(
            f"the database has schema {current}, which this readystate does not know",
            why="a newer readystate has written it",
            hint="install that readystate again (then `readystate db upgrade` has nothing to do), "
            "or restore a backup",
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(shipped_path(Shipped.ALEMBIC)).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _head() -> str:
    head = _scripts().get_current_head()
    if head is None:
        raise StoreError("readystate's migrations are missing", why="alembic/versions is empty")
    return head


def _copy_beside(path: Path, revision: str) -> None:
    """A failed migration is undone; the copy is for one that succeeds and is regretted."""
    copy = Path(f"{path}.before-{revision}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        copy.chmod(0o600)
        source.backup(target)
