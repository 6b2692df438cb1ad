"""What all reads and writes of one transaction share."""

import json
from collections.abc import Callable, Mapping

from readystate.adapters.store.connection import Connection
from readystate.adapters.store.secrets import Seal
from readystate.adapters.store.values import Book
from readystate.domain.errors import NotFound

#: Builds the roles of a catalog from its version and files.
BookFor = Callable[[str, Mapping[str, str]], Book]


class Library:
    """The books built so far; a catalog version never changes, so they stay right for ever."""

    def __init__(self, book_for: BookFor) -> None:
        self._book_for = book_for
        self._books: dict[str, Book] = {}

    def book(self, version: str, connection: Connection) -> Book:
        """Raises NotFound."""
        known = self._books.get(version)
        if known is None:
            known = self._book_for(version, read_catalog_files(connection, version))
            self._books[version] = known
        return known


def read_catalog_files(connection: Connection, version: str) -> dict[str, str]:
    rows = connection.fetch("SELECT files FROM catalogs WHERE version = ?", version)
    if not rows:
        raise NotFound(f"no catalog of version {version!r}", why="it was never added to the store")
    files: dict[str, str] = json.loads(rows[0][0])
    return files


class Snapshot:
    """One consistent view of the database."""

    def __init__(self, connection: Connection, seal: Seal, library: Library) -> None:
        self._connection = connection
        self._seal = seal
        self._library = library
