"""Statements over many rows, built once from the tables.

SQLite runs them row by row (`executemany` costs microseconds there); PostgreSQL takes one array
for each column and does the whole in one round trip. Values are plain: int, bool, str, None, and
instants as text (`instants.instant_text`)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Boolean, Column, Integer, Table
from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Bulk:
    """One statement for many rows; a row's values stand in the order of `columns`."""

    columns: tuple[str, ...]
    sqlite: str
    postgres: str
    literals: tuple[Callable[[Iterable[Any]], str], ...]

    def followed_by(self, clause: str) -> "Bulk":
        """The same with a further clause at its end."""
        return replace(self, sqlite=self.sqlite + clause, postgres=self.postgres + clause)

    def arrays(self, rows: Sequence[Row]) -> list[str]:
        """The rows as one PostgreSQL array literal for each column."""
        return [
            literal(column)
            for literal, column in zip(self.literals, zip(*rows, strict=True), strict=True)
        ]


def insert(table: Table) -> Bulk:
    return _insert(table, tuple(column.name for column in table.columns))


def upsert(table: Table, *, key: Sequence[str], keep: Sequence[str] = ()) -> Bulk:
    """Insert, or else write all columns but `keep` anew."""
    columns = tuple(column.name for column in table.columns)
    written = [name for name in columns if name not in key and name not in keep]
    assignments = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in written)
    conflict = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {assignments}"
    return _insert(table, columns).followed_by(conflict)


def update(table: Table, *, key: Sequence[str], columns: Sequence[str]) -> Bulk:
    """Write `columns` of the rows named by `key`; a row is the columns, then the key."""
    names = (*columns, *key)
    matches = " AND ".join(f"{_quoted(name)} = ?" for name in key)
    sqlite = f"UPDATE {table.name} SET {_assigned(columns, '?')} WHERE {matches}"
    assignments = ", ".join(f"{_quoted(name)} = v.{_quoted(name)}" for name in columns)
    postgres = (
        f"UPDATE {table.name} AS t SET {assignments} FROM {_unnest(table, names)}"
        f" WHERE {_joined(key)}"
    )
    return Bulk(names, sqlite, postgres, _literals(table, names))


def delete(table: Table, *, key: Sequence[str]) -> Bulk:
    matches = " AND ".join(f"{_quoted(name)} = ?" for name in key)
    return Bulk(
        tuple(key),
        f"DELETE FROM {table.name} WHERE {matches}",
        f"DELETE FROM {table.name} AS t USING {_unnest(table, key)} WHERE {_joined(key)}",
        _literals(table, key),
    )


def _insert(table: Table, columns: Sequence[str]) -> Bulk:
    names = ", ".join(map(_quoted, columns))
    marks = ", ".join("?" for _ in columns)
    return Bulk(
        tuple(columns),
        f"INSERT INTO {table.name} ({names}) VALUES ({marks})",
        f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(table, columns)}",
        _literals(table, columns),
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _assigned(columns: Sequence[str], value: str) -> str:
    return ", ".join(f"{_quoted(name)} = {value}" for name in columns)


def _joined(key: Sequence[str]) -> str:
    return " AND ".join(f"t.{_quoted(name)} = v.{_quoted(name)}" for name in key)


def _unnest(table: Table, columns: Sequence[str]) -> str:
    dialect = postgresql.dialect()
    arrays = ", ".join(
        f"%s::{table.columns[name].type.compile(dialect=dialect)}[]" for name in columns
    )
    return f"unnest({arrays}) AS v ({', '.join(map(_quoted, columns))})"


def _literals(table: Table, columns: Sequence[str]) -> tuple[Callable[[Iterable[Any]], str], ...]:
    return tuple(_literal_of(table.columns[name]) for name in columns)


def _literal_of(column: Column[Any]) -> Callable[[Iterable[Any]], str]:
    return number_array if isinstance(column.type, Integer | Boolean) else text_array


def number_array(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def text_array(values: Iterable[str | None]) -> str:
    return (
        "{"
        + ",".join(
            [
                "NULL"
                if value is None
                else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                for value in values
            ]
        )
        + "}"
    )
