"""Workers in this process: a bounded pool of threads. The embedded default.

It holds no truth: what is queued or running here when the process dies comes back through the
leases of the runs."""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from readystate.domain.ids import RunId
from readystate.ports.dispatch import Message
from readystate.ports.store import Transaction

log = logging.getLogger(__name__)


class LocalDispatcher:
    """Implements `ports.dispatch.Dispatcher`. Threads are started as they are needed."""

    def __init__(
        self,
        carry_out: Callable[[Message], None],
        *,
        cancel: Callable[[RunId], None],
        workers: int = 64,
    ) -> None:
        self._carry_out = carry_out
        self._cancel = cancel
        self._workers = workers
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._in_flight: Counter[RunId] = Counter()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, batch: Sequence[Message], transaction: Transaction) -> None:
        transaction.after_commit(lambda: self._enqueue(batch))

    def _enqueue(self, batch: Sequence[Message]) -> None:
        with self._lock:
            if self._closed:
                return  # the leases of these runs end; the next engine takes them up
            self._in_flight.update(message.run_id for message in batch)
            missing = min(len(batch) - self._idle, self._workers - len(self._threads))
            for _ in range(missing):
                self._start_thread()
        for message in batch:
            self._messages.put(message)

    def _start_thread(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"worker-{len(self._threads)}", daemon=True
        )
        self._threads.append(thread)
        self._idle += 1
        thread.start()

    def _work(self) -> None:
        while (message := self._messages.get()) is not None:
            with self._lock:
                self._idle -= 1
            try:
                self._carry_out(message)
            finally:
                with self._lock:
                    self._idle += 1
                    self._in_flight[message.run_id] -= 1
                    if not self._in_flight[message.run_id]:
                        del self._in_flight[message.run_id]

    def cancel(self, run_id: RunId) -> None:
        self._cancel(run_id)

    def in_flight(self) -> frozenset[RunId]:
        with self._lock:
            return frozenset(self._in_flight)

    def close(self, *, grace_s: float) -> None:
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        deadline = time.monotonic() + grace_s
        for _ in threads:
            self._messages.put(None)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = self.in_flight()
        if left:
            log.warning("runs left to their leases", extra={"runs": len(left)})
