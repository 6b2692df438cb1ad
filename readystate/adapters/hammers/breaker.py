"""A circuit breaker for each BMC, shared by all its hammers.

A BMC that does not answer would otherwise hold a worker for its full timeout at every try. Answers
that say no (Refused, Invalid ...) prove that it is alive and close the breaker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from readystate.domain.errors import Busy, Unreachable, WorkError
from readystate.ports.clock import Clock

ResultT = TypeVar("ResultT")

FAILURES_TO_OPEN = 3
FIRST_WAIT_S, LAST_WAIT_S = 5.0, 60.0


@dataclass
class _State:
    failures: int = 0  #: in a row
    open_until: datetime | None = None
    wait_s: float = FIRST_WAIT_S
    is_probing: bool = False  #: one call is trying whether the BMC is back
    last_error: str = ""


class Breakers:
    """Thread-safe. `guard` runs one hammer call on one BMC."""

    def __init__(self, clock: Clock, *, failures_to_open: int = FAILURES_TO_OPEN) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def open_until(self, address: str) -> datetime | None:
        """When the next call will be let through; None while calls may pass."""
        with self._lock:
            state = self._states.get(address)
            if state is None or state.open_until is None:
                return None
            return state.open_until if self._clock.now() < state.open_until else None

    def guard(self, address: str, call: Callable[[], ResultT]) -> ResultT:
        """Raises Unreachable at once while the breaker is open, else whatever the call raises."""
        self._admit(address)
        try:
            result = call()
        except (Unreachable, Busy) as error:
            self._record_failure(address, error)
            raise
        except BaseException:
            # The BMC said something else, or the fault is ours: no reason to keep it shut out.
            self._record_answer(address)
            raise
        self._record_answer(address)
        return result

    def _admit(self, address: str) -> None:
        with self._lock:
            state = self._states.get(address)
            if state is None or state.open_until is None:
                return
            if self._clock.now() >= state.open_until and not state.is_probing:
                state.is_probing = True
                return
            raise Unreachable(
                f"{address}: left alone until {state.open_until:%H:%M:%S} UTC",
                why=f"{state.failures} failures in a row, the last: {state.last_error}",
                hint="the next try comes by itself",
            )

    def _record_failure(self, address: str, error: WorkError) -> None:
        with self._lock:
            state = self._states.setdefault(address, _State())
            state.failures += 1
            state.last_error = str(error)
            if state.is_probing:
                state.wait_s = min(state.wait_s * 2, LAST_WAIT_S)
            if state.is_probing or state.failures >= self._failures_to_open:
                state.open_until = self._clock.now() + timedelta(seconds=state.wait_s)
            state.is_probing = False

    def _record_answer(self, address: str) -> None:
        with self._lock:
            self._states.pop(address, None)
