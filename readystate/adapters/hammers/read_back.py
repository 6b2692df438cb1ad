"""Waiting until a device shows what it was told, by looking and never by a fixed sleep."""

import time
from collections.abc import Callable

_FIRST_PAUSE_S, _LAST_PAUSE_S, _GROWTH = 0.05, 2.0, 1.6


def is_seen_within(
    deadline_s: float,
    is_so: Callable[[], bool],
    *,
    pause: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Look until `is_so` or the deadline; at least once, with growing pauses of 0.05 to 2 s."""
    end = monotonic() + deadline_s
    pause_s = _FIRST_PAUSE_S
    while not is_so():
        left_s = end - monotonic()
        if left_s <= 0:
            return False
        pause(min(pause_s, left_s))
        pause_s = min(pause_s * _GROWTH, _LAST_PAUSE_S)
    return True
