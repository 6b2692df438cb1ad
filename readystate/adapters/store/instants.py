"""Instants as text: ISO 8601 in UTC with microseconds, always as wide, so that they sort."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=256)  # all that one transaction writes bears one instant
def instant_text(at: datetime) -> str:
    """Raises ValueError for a naive time: nobody knows what it means."""
    if at.tzinfo is UTC:
        return at.isoformat(timespec="microseconds")
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def optional_instant_text(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
