"""Settling node-roles that need no work: what the graph itself costs, on both databases."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
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
_ROUNDS = 3  #: of the few, before the many and after; the median counts
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
    urls: list[str | None] = [None] * (2 * _ROUNDS + 1)
    yield from _of_database("sqlite", urls, 0, few, many)
    server, process = start_server(Durability.ON_DISK)
    try:
        urls = [server.create_database() for _ in urls]
        yield from _of_database("postgresql", urls, process.pid, few, many)
    finally:
        stop_server(server, process)


def _of_database(
    name: str, urls: Sequence[str | None], server: int, few: int, many: int
) -> Iterable[Figure]:
    measured = measure(settle_all, few=few, many=many, urls=urls, server=server)
    found = measured.result
    yield Figure(f"bind-{name}", found["bound_s"], "s", at_most(60))
    yield Figure(f"settle-{name}", found["rate"], "node-roles/s", at_least(5000))
    yield Figure(f"settle-{name}-memory", measured.peak_bytes / _MIB, "MiB", at_most(600))
    yield Figure(f"settle-{name}-growth", found["growth"], "times", at_most(1.3))
    yield Figure(f"settle-{name}-one", found["one"], "times", at_most(1.3))


def settle_all(few: int, many: int, urls: Sequence[str | None], server: int) -> Mapping[str, float]:
    """Bind and settle few nodes several times, each in a database of its own, and many once; then
    one node more among the few and one among the many, in turns.

    What grows is told in CPU seconds, of the database server too: other work on the machine slows
    down one measurement and spares the other."""
    several = [open_bound(graph_files(Work.NOOP), url) for url in urls]
    few_cpu_s = [_settle_alone(bound, few, server) for bound in several[2 : _ROUNDS + 1]]
    with several[0] as among_few, several[1] as among_many:
        few_cpu_s.append(_settle(among_few, few, server).cpu_s)
        large = _settle(among_many, many, server)
        few_cpu_s += [_settle_alone(bound, few, server) for bound in several[_ROUNDS + 1 :]]
        ones: tuple[list[float], list[float]] = ([], [])
        for _ in range(_ONES):
            for bound, spent in zip((among_few, among_many), ones, strict=True):
                spent.append(_settle(bound, 1, server).cpu_s)
        one_few_s, one_many_s = map(statistics.median, ones)
        return {
            "rate": large.count / large.wall_s,
            "bound_s": large.bound_s,
            "growth": large.cpu_s / many / (statistics.median(few_cpu_s) / few),
            "one": one_many_s / one_few_s,
        }


@dataclass(frozen=True)
class _Settled:
    count: int
    bound_s: float
    wall_s: float
    cpu_s: float


def _settle_alone(opening: AbstractContextManager[BoundStore], nodes: int, server: int) -> float:
    with opening as bound:
        return _settle(bound, nodes, server).cpu_s


def _settle(bound: BoundStore, nodes: int, server: int) -> _Settled:
    """Bind so many nodes more, and turn until there is nothing to do."""
    before_s = bound.bound_s
    bound.bind(nodes)
    annealer = Annealer(bound.store, _NoWorkers(), SystemClock(), "bench")
    began_s, began_cpu_s = time.perf_counter(), _cpu_s(server)
    while annealer.turn() == 0.0:
        pass
    wall_s, cpu_s = time.perf_counter() - began_s, _cpu_s(server) - began_cpu_s
    if nodes > 1:
        assert bound.is_at_rest()
        assert bound.count() == bound.nodes * ROLES_A_NODE + DEPLOYMENT_ROLES
    return _Settled(nodes * ROLES_A_NODE, bound.bound_s - before_s, wall_s, cpu_s)


def _cpu_s(server: int) -> float:
    """Of this process and of the processes below `server`, if it is not 0."""
    return time.process_time() + sum(map(_scheduled_s, _children(server) if server else ()))


def _children(process: int) -> Iterable[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [process, *map(int, listed.split())]


def _scheduled_s(process: int) -> float:
    """Seconds on a CPU: the first field of schedstat is nanoseconds (kernel, sched-stats.rst)."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0  # ended since
