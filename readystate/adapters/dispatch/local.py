"""Workers in this process: a bounded pool of threads. The embedded default.

It holds no truth: what is queued or running here when the process dies comes back through the
leases of the runs."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from readystate.domain.ids import RunId
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.store import Transaction

log = logging.getLogger(__name__)

#: Threads beside the workers that only stop: a stop must not wait for whom it stops.
STOP_WORKERS = 8


class LocalDispatcher:
    """Implements `ports.dispatch.Dispatcher`."""

    def __init__(
        self,
        carry_out: Callable[[Message], None],
        *,
        cancel: Callable[[RunId], None],
        workers: int = 64,
    ) -> None:
        self._cancel = cancel
        self._workers = _Pool("worker", workers, carry_out)
        self._stoppers = _Pool("stopper", STOP_WORKERS, carry_out)

    def submit(self, batch: Sequence[Message], transaction: Transaction) -> None:
        transaction.after_commit(lambda: self._enqueue(batch))

    def _enqueue(self, batch: Sequence[Message]) -> None:
        self._stoppers.put([item for item in batch if item.kind is WorkKind.STOP])
        self._workers.put([item for item in batch if item.kind is not WorkKind.STOP])

    def cancel(self, run_id: RunId) -> None:
        self._cancel(run_id)

    def in_flight(self) -> frozenset[RunId]:
        return self._workers.in_flight() | self._stoppers.in_flight()

    def close(self, *, grace_s: float) -> None:
        """What is queued is dropped, as if the process had died: the leases of those runs end, and
        the next engine takes them up."""
        deadline = time.monotonic() + grace_s
        threads = [*self._workers.close(), *self._stoppers.close()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = self.in_flight()
        if left:
            log.warning("runs left to their leases", extra={"runs": len(left)})


class _Pool:
    """Threads that take from one queue; started as they are needed, up to `size`."""

    def __init__(self, name: str, size: int, carry_out: Callable[[Message], None]) -> None:
        self._name = name
        self._size = size
        self._carry_out = carry_out
        self._changed = threading.Condition()
        self._queued: deque[Message] = deque()
        self._running: list[Message] = []
        self._threads: list[threading.Thread] = []
        self._closed = False

    def put(self, batch: Sequence[Message]) -> None:
        with self._changed:
            if self._closed:
                return
            self._queued.extend(batch)
            wanted = min(self._size, len(self._queued) + len(self._running))
            for _ in range(wanted - len(self._threads)):
                self._start_thread()
            self._changed.notify(len(batch))

    def _start_thread(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            while (message := self._next()) is not None:
                try:
                    self._carry_out(message)
                finally:
                    with self._changed:
                        self._running.remove(message)
        finally:  # a thread that dies of a defect leaves its place to another
            with self._changed:
                self._threads.remove(threading.current_thread())
                if self._queued:
                    self._start_thread()

    def _next(self) -> Message | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queued or self._closed)
            if not self._queued:
                return None
            message = self._queued.popleft()
            self._running.append(message)
            return message

    def in_flight(self) -> frozenset[RunId]:
        with self._changed:
            return frozenset(item.run_id for item in (*self._queued, *self._running))

    def close(self) -> Sequence[threading.Thread]:
        """Drop what is queued; returns the threads, which end when they have done what they do."""
        with self._changed:
            self._closed = True
            if self._queued:
                log.info("messages dropped", extra={"messages": len(self._queued)})
            self._queued.clear()
            self._changed.notify_all()
            return tuple(self._threads)
