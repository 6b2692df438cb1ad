"""The log of a run: lines as they come, readable while they come."""

from collections.abc import Iterator
from typing import Protocol

from readystate.domain.ids import RunId


class RunLog(Protocol):
    def append(self, run_id: RunId, line: str) -> None: ...

    def read(self, run_id: RunId, *, offset: int = 0) -> tuple[str, int]:
        """Text from a byte offset, and the offset to go on from."""
        ...

    def lines(self, run_id: RunId) -> Iterator[str]: ...
