"""Numbers that are given once: from a row under the writer lock, so a rolled back transaction
gives its numbers back and nobody else can have seen them."""

from readystate.adapters.store.connection import Connection

#: A pass starts many runs; a round trip for each would cost more than the run's own row.
BLOCK = 50


class Counters:
    """The counters as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reserved: dict[str, range] = {}

    def take(self, name: str, count: int) -> int:
        """Reserve `count` numbers in a row; returns the first."""
        rows = self._connection.fetch(
            "INSERT INTO counters (name, last) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET last = counters.last + excluded.last RETURNING last",
            name,
            count,
        )
        return int(rows[0][0]) - count + 1

    def next(self, name: str) -> int:
        """One number. They come from a block, whose rest `give_back` returns."""
        left = self._reserved.get(name)
        if not left:
            first = self.take(name, BLOCK)
            left = range(first, first + BLOCK)
        self._reserved[name] = left[1:]
        return left[0]

    def give_back(self) -> None:
        """At the transaction's end: nobody else can have taken numbers since, so a block's rest is
        still the last that was reserved."""
        for name, left in self._reserved.items():
            if left:
                self._connection.execute(
                    "UPDATE counters SET last = last - ? WHERE name = ?", len(left), name
                )
        self._reserved.clear()
