"""PostgreSQL's way of doing what `connection` asks for. The only module that knows psycopg, which
is an extra: it is imported when a database URL asks for it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psycopg

from readystate.adapters.store.bulk import Bulk, Row, number_array, text_array
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.refusals import StoreError, value_refused
from readystate.domain.errors import ReadystateError


class PostgresConnection(Connection):
    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self._cursor = raw.cursor()

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        try:
            rows: list[Row] = self._cursor.execute(_for_postgres(statement), values).fetchall()
        except psycopg.Error as error:
            raise _refused(error) from error
        return rows

    def execute(self, statement: str, *values: Any) -> int:
        try:
            return int(self._cursor.execute(_for_postgres(statement), values).rowcount)
        except psycopg.Error as error:
            raise _refused(error) from error

    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None:
        if not rows:
            return
        try:
            self._cursor.execute(statement.postgres, statement.arrays(rows))
        except psycopg.Error as error:
            raise _refused(error) from error

    def ids(self, values: Iterable[int]) -> str:
        return number_array(values)

    def words(self, values: Iterable[str]) -> str:
        return text_array(values)

    def instant(self, value: Any) -> datetime:
        # The session's time zone is UTC, but psycopg's object for it is not `datetime.UTC`.
        at: datetime = value.replace(tzinfo=UTC)
        return at

    def analyze(self, *tables: str) -> None:
        self.execute(f"ANALYZE {', '.join(tables)}")


@cache
def _for_postgres(statement: str) -> str:
    return (
        statement.replace("IN ?ids", "= ANY(%s::bigint[])")
        .replace("IN ?words", "= ANY(%s::text[])")
        .replace("?", "%s")
    )


def _refused(error: psycopg.Error) -> ReadystateError:
    text = str(error).strip()
    if not isinstance(error, psycopg.IntegrityError):
        return StoreError("PostgreSQL could not do it", why=text)
    is_unique = isinstance(error, psycopg.errors.UniqueViolation)
    return value_refused((error.diag.table_name or "") if is_unique else "", text)
