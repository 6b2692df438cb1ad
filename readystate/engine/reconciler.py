"""The slow reconciler: looks from time to time whether what is counted step by step still agrees
with the graph. A difference is a defect, so it is told and never put right in silence."""

import logging
import threading

from readystate.domain.errors import ReadystateError
from readystate.domain.events import Event
from readystate.ports.clock import Clock
from readystate.ports.store import Store

log = logging.getLogger(__name__)

EVERY_S = 600.0

#: Beyond these, more say nothing more.
_MOST_TOLD = 20


class Reconciler:
    """On a thread of its own: one read of the store at each look."""

    def __init__(self, store: Store, clock: Clock, *, every_s: float = EVERY_S) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def stop(self) -> None:
        """Waits for the look that is under way. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> list[str]:
        """Tell of every difference, in the log and as an event; returns them all."""
        found = self._store.read(lambda reader: reader.compare_counters())
        for sentence in found[:_MOST_TOLD]:
            log.error(
                "a defect in readystate: counters and edges differ; please report it",
                extra={"difference": sentence, "differences": len(found)},
            )
        if found:
            event = Event(
                kind="reconciler.difference",
                at=self._clock.now(),
                data={"count": len(found), "differences": found[:_MOST_TOLD]},
            )
            self._store.write(lambda tx: tx.append(event), kind="reconciler")
        return found

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.look()
            except ReadystateError as error:  # the next look is the retry
                log.warning("the reconciler could not look", extra={"error": str(error)})
