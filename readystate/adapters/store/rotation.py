"""Seals every stored secret anew, with the current key."""

from collections.abc import Callable, Sequence

from sqlalchemy import Table

from readystate.adapters.store.bulk import update
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.secrets import Seal
from readystate.adapters.store.tables import attributes, credentials, documents, proposals

_VALUES = (
    (attributes, ("scope", "subject_id", "profile", "name"), "value"),
    (documents, ("kind", "key"), "value"),
    (proposals, ("id",), "changes"),
)
_PASSWORDS = (credentials, ("deployment_id", "name"), "password")


def reseal_everything(connection: Connection, seal: Seal) -> int:
    """Returns how many values were written anew."""
    count = sum(_reseal(connection, place, seal.resealed) for place in _VALUES)
    return count + _reseal(connection, _PASSWORDS, seal.rotated)


def _reseal(
    connection: Connection,
    place: tuple[Table, Sequence[str], str],
    again: Callable[[str], str],
) -> int:
    table, key, column = place
    named = ", ".join(f'"{name}"' for name in (column, *key))
    rows = [
        (changed, *row[1:])
        for row in connection.fetch(f"SELECT {named} FROM {table.name}")
        if (changed := again(row[0])) != row[0]
    ]
    connection.bulk(update(table, key=key, columns=(column,)), rows)
    return len(rows)
