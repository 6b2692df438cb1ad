"""An annealer that runs in its thread until the graph is at rest."""

import threading
import time
from collections.abc import Callable

from readystate.engine.annealer import Annealer

_POLL_S = 0.25  #: asking reads all states, which costs something too
_TIMEOUT_S = 600.0


def anneal(annealer: Annealer, is_over: Callable[[], bool]) -> float:
    """Let the annealer run in its thread until it is over; returns the seconds that it took."""
    began_s = time.perf_counter()
    thread = threading.Thread(target=annealer.run)
    thread.start()
    try:
        while not is_over():
            time.sleep(_POLL_S)
            if time.perf_counter() - began_s > _TIMEOUT_S:
                raise TimeoutError("the graph does not come to rest")
        return time.perf_counter() - began_s
    finally:
        annealer.stop()
        thread.join()
