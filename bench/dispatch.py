"""Node-roles that a worker carries out, though there is nothing to do: the way from `todo` through
the local dispatcher, an executor's thread and the answer, to `active`."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from bench.anneal import anneal
from bench.bound_store import open_bound
from bench.figure import Figure, at_least
from bench.own_process import measure
from bench.shipped_graph import FUNCTION, Work, graph_files
from readystate.adapters.dispatch.local import LocalDispatcher
from readystate.adapters.jigs.call import CallJig
from readystate.adapters.jigs.noop import NoopJig
from readystate.adapters.run_log import FileRunLog
from readystate.adapters.system_clock import SystemClock
from readystate.domain.ids import RunId
from readystate.domain.outcome import Outcome, Succeeded
from readystate.engine.annealer import Annealer, Limits
from readystate.engine.executor import Executor
from readystate.engine.run_context import Surroundings
from readystate.ports.hammer import Hammers
from readystate.ports.jig import RunContext, Ticket
from readystate.settings import Settings

NODES = 500
WORKERS: int = Settings.model_fields["worker_threads"].default


def figures(nodes: int = NODES) -> Iterable[Figure]:
    done = measure(run_all, nodes=nodes)
    yield Figure("dispatch", done.result["rate"], "node-roles/s", at_least(1000))


def run_all(nodes: int) -> Mapping[str, Any]:
    """Bind so many nodes and let everything on them run."""
    with open_bound(graph_files(Work.CALL)) as bound:
        bound.bind(nodes)
        jigs = {"call": CallJig({FUNCTION: _do_nothing}), "noop": NoopJig()}
        around = Surroundings(
            store=bound.store,
            clock=SystemClock(),
            run_log=FileRunLog(bound.folder / "runs"),
            hammers=_NoHammers(),
            boot_services=_no_boot,
            wake=lambda: annealer.wake(),
            show_progress=lambda _run, _text: None,
        )
        executor = Executor(jigs, around, report=lambda answer: annealer.take(answer))
        dispatcher = LocalDispatcher(executor.carry_out, cancel=executor.cancel, workers=WORKERS)
        annealer = Annealer(
            bound.store, dispatcher, SystemClock(), "bench", Limits(workers=WORKERS)
        )
        began_cpu_s = time.process_time()
        spent_s = anneal(annealer, bound.is_at_rest)
        spent_cpu_s = time.process_time() - began_cpu_s
        dispatcher.close(grace_s=10)
        runs = bound.store.write(lambda tx: tx.new_run_id(), kind="bench") - 1
        return {"rate": runs / spent_s, "runs": runs, "cpu_s": spent_cpu_s}


def _do_nothing(ticket: Ticket, context: RunContext) -> Outcome:
    del ticket, context
    return Succeeded()


def _no_boot(node_id: int, run_id: RunId) -> NoReturn:
    raise AssertionError(f"run {run_id} boots node {node_id}")


class _NoHammers:
    def hammers(self, endpoints: Any) -> Hammers:
        raise AssertionError(f"a run reaches for {endpoints}")

    def breaker_open_until(self, _address: str) -> None:
        return None
