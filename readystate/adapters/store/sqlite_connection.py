"""SQLite's way of doing what `connection` asks for."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from readystate.adapters.store.bulk import Bulk, Row
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.refusals import StoreError, value_refused
from readystate.domain.errors import ReadystateError


class SqliteConnection(Connection):
    def __init__(self, raw: sqlite3.Connection) -> None:
        self._cursor = raw.cursor()

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        try:
            return self._cursor.execute(_for_sqlite(statement), values).fetchall()
        except sqlite3.Error as error:
            raise _refused(error) from error

    def execute(self, statement: str, *values: Any) -> int:
        try:
            return self._cursor.execute(_for_sqlite(statement), values).rowcount
        except sqlite3.Error as error:
            raise _refused(error) from error

    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None:
        try:
            self._cursor.executemany(statement.sqlite, rows)
        except sqlite3.Error as error:
            raise _refused(error) from error

    def ids(self, values: Iterable[int]) -> str:
        return "[" + ",".join(map(str, values)) + "]"

    def words(self, values: Iterable[str]) -> str:
        return json.dumps(list(values))

    def instant(self, value: Any) -> datetime:
        return datetime.fromisoformat(value)

    def analyze(self, *tables: str) -> None:
        for table in tables:
            self.execute(f"ANALYZE {table}")


@cache
def _for_sqlite(statement: str) -> str:
    for name in ("ids", "words"):
        statement = statement.replace(f"IN ?{name}", "IN (SELECT value FROM json_each(?))")
    return statement


def _refused(error: sqlite3.Error) -> ReadystateError:
    text = str(error)
    if not isinstance(error, sqlite3.IntegrityError):
        return StoreError("SQLite could not do it", why=text)
    unique = re.search(r"UNIQUE constraint failed: (\w+)\.", text)
    return value_refused(unique.group(1) if unique else "", text)
