"""Finds BMCs in address ranges, without a login and without changing anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from readystate.domain.sighting import BmcSighting


@dataclass(frozen=True, slots=True)
class ScanCount:
    done: int
    total: int
    found: int


class Scanner(Protocol):
    def count(self, ranges: Sequence[str]) -> int:
        """How many addresses that is. Raises BadRequest for what is no range, or too large."""
        ...

    def scan(
        self,
        ranges: Sequence[str],
        *,
        on_sighting: Callable[[BmcSighting], None],
        on_progress: Callable[[ScanCount], None],
    ) -> int:
        """Blocks until all addresses were tried; returns how many BMCs were found."""
        ...

    def port_of(self, protocol: str) -> int | None:
        """Where BMCs answer, when not on the protocol's own port."""
        ...
