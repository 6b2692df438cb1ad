"""Settling node-roles that need no work: what the graph itself costs, on both databases."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.bound_store import BoundStore, open_bound
from bench.figure import Figure, at_least, at_most
from bench.own_process import measure
from bench.shipped_graph import DEPLOYMENT_ROLES, ROLES_A_NODE, Work, graph_files
from readystate.adapters.system_clock import SystemClock
from readystate.engine.annealer import Annealer
from readystate.ports.dispatch import Message
from readystate.ports.store import Transaction
from tests.postgres import Durability, start_server, stop_server

FEW, MANY = 100, 10_000
_ROUNDS = 5  #: of the few; the median counts
_ONES = 25
_MIB = 2**20


class _NoWorkers:
    """Nothing of this graph needs one."""

    def submit(self, batch: Sequence[Message], _transaction: Transaction) -> None:
        raise AssertionError(f"{len(batch)} runs of node-roles that need no work")

    def cancel(self, run_id: int) -> None: ...
    def in_flight(self) -> frozenset[Any]:
        return frozenset()

    def close(self, *, grace_s: float) -> None: ...


def figures(few: int = FEW, many: int = MANY) -> Iterable[Figure]:
    yield from _of_database("sqlite", lambda: None, few, many)
    server, process = start_server(Durability.ON_DISK)
    try:
        yield from _of_database("postgresql", server.create_database, few, many)
    finally:
        stop_server(server, process)


def _of_database(
    name: str, create: Callable[[], str | None], few: int, many: int
) -> Iterable[Figure]:
    small = measure(settle_all, nodes=few, urls=[create() for _ in range(_ROUNDS)])
    large = measure(settle_all, nodes=many, urls=[create()])
    small_s, large_s = (item.result["each_s"] for item in (small, large))
    yield Figure(f"settle-{name}", 1 / large_s, "node-roles/s", at_least(5000))
    yield Figure(f"settle-{name}-memory", large.peak_bytes / _MIB, "MiB", at_most(600))
    yield Figure(f"settle-{name}-growth", large_s / small_s, "times", at_most(1.3))
    one_small_s, one_large_s = (item.result["one_s"] for item in (small, large))
    yield Figure(f"settle-{name}-one", one_large_s / one_small_s, "times", at_most(1.3))
    yield Figure(f"bind-{name}", large.result["bound_s"], "s", at_most(60))


def settle_all(nodes: int, urls: Sequence[str | None]) -> Mapping[str, Any]:
    """Bind so many nodes and settle all of it, in each database anew; then one node more, and
    one more."""
    each_s = []
    for url in urls:
        with open_bound(graph_files(Work.NOOP), url) as bound:
            annealer = Annealer(bound.store, _NoWorkers(), SystemClock(), "bench")
            annealer.begin()
            bound.bind(nodes)
            bound_s = bound.bound_s
            spent_s = _turns(annealer)
            settled, count = bound.settled(), bound.count()
            assert settled == count == nodes * ROLES_A_NODE + DEPLOYMENT_ROLES
            each_s.append(spent_s / count)
            if url is urls[-1]:
                one_s = statistics.median(_one_more(bound, annealer) for _ in range(_ONES))
    return {"each_s": statistics.median(each_s), "bound_s": bound_s, "one_s": one_s}


def _one_more(bound: BoundStore, annealer: Annealer) -> float:
    bound.bind(1)
    return _turns(annealer)


def _turns(annealer: Annealer) -> float:
    """Turn until there is nothing to do; returns the seconds spent."""
    began_s = time.perf_counter()
    while annealer.turn() == 0.0:
        pass
    return time.perf_counter() - began_s
