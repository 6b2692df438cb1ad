"""What a write transaction has beside a snapshot."""

from collections.abc import Callable

from readystate.adapters.store.connection import Connection
from readystate.adapters.store.counters import Counters
from readystate.adapters.store.secrets import Seal
from readystate.adapters.store.snapshot import Library, Snapshot


class Changing(Snapshot):
    """A snapshot that sees, and may make, changes."""

    def __init__(self, connection: Connection, seal: Seal, library: Library) -> None:
        super().__init__(connection, seal, library)
        self._counters = Counters(connection)
        self.callbacks: list[Callable[[], None]] = []  #: to be called after the commit
