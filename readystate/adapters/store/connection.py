"""One database connection within one transaction, in plain statements.

Statements are written once, with `?` for a value and `IN ?ids` or `IN ?words` for a set of any
size given as one value. Rows come back as plain tuples: on the hot path a millionth of a second
for each counts, and SQLAlchemy's result rows cost several."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from readystate.adapters.store.bulk import Bulk, Row


class Connection(ABC):
    """What the rest of the store needs from a database."""

    @abstractmethod
    def fetch(self, statement: str, *values: Any) -> list[Row]: ...

    @abstractmethod
    def execute(self, statement: str, *values: Any) -> int:
        """Returns how many rows it concerned."""

    @abstractmethod
    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    def ids(self, values: Iterable[int]) -> str:
        """The value for `IN ?ids`."""

    @abstractmethod
    def words(self, values: Iterable[str]) -> str:
        """The value for `IN ?words`."""

    @abstractmethod
    def instant(self, value: Any) -> datetime:
        """An instant as the database gives it, aware and in UTC."""

    @abstractmethod
    def analyze(self, *tables: str) -> None:
        """Renew the planner's statistics, which it needs after much was added at once."""
