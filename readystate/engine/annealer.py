"""The annealer: makes runnable node-roles run (design.md section 5).

A turn is one transaction: take the answers that workers have given and the units whose time has
come, let the rules run, start what nothing blocks, and note when to look again. Woken by a signal
that carries no data, and by a timer; the first run, the retry and the restart are one code path."""

import logging
import threading
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from readystate.domain.answers import take_answer
from readystate.domain.graph import Gate, Graph
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.outcome import Errored, NotDone, Outcome, Staged, Succeeded
from readystate.domain.role import Role
from readystate.domain.run import Run, RunKind, RunPhase
from readystate.engine.planner import Planner, Work, next_due, waits_for_gate
from readystate.engine.propagation import Propagation
from readystate.engine.ticket import frozen_input, ticket_for
from readystate.ports.clock import Clock
from readystate.ports.dispatch import Dispatcher, Message
from readystate.ports.store import AgendaEntry, Extent, Store, Transaction, Unit, UnitKind

log = logging.getLogger(__name__)

#: The one admission gate so far: how many runs may have a worker at once.
WORKERS_GATE = "workers"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker reports. Refused when the run has been given to somebody else since."""

    run_id: RunId
    dispatch: int
    unit: Unit
    outcome: Outcome | NotDone
    outputs: str = "{}"  #: checked JSON text of a success
    hammers: tuple[str, ...] = ()
    breaker_until: datetime | None = None


@dataclass(frozen=True)
class Limits:
    workers: int = 64  #: runs with a worker at once
    batch: int = 256  #: units looked at in one turn
    lease: timedelta = timedelta(seconds=60)


@dataclass
class Annealer:
    store: Store
    dispatcher: Dispatcher
    clock: Clock
    owner: str  #: this engine's name in leases; new at every start
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._answers: deque[Answer] = deque()
        self._signal = threading.Event()
        self._stopping = threading.Event()
        self._renewed_at: datetime | None = None

    # -- the loop ----------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something has changed. Carries no data; safe from any thread."""
        self._signal.set()

    def take(self, answer: Answer) -> None:
        """A worker's answer; safe from any thread. Lost when the process dies: the lease tells."""
        self._answers.append(answer)
        self._signal.set()

    def run(self) -> None:
        """Turn until `stop`; the calling thread waits in between."""
        self.begin()
        while not self._stopping.is_set():
            self._signal.clear()
            wait_s = self.turn()
            if wait_s > 0:
                self._signal.wait(wait_s)

    def stop(self) -> None:
        self._stopping.set()
        self._signal.set()

    def begin(self) -> None:
        """Void the leases of earlier engines: their workers died with them."""
        now = self.clock.now()
        self.store.write(lambda tx: tx.void_leases(self.owner, now), kind="begin")

    def turn(self) -> float:
        """One transaction; returns for how many seconds there is nothing to do unless woken."""
        answers = [self._answers.popleft() for _ in range(min(len(self._answers), 1024))]
        try:
            return self.store.write(lambda tx: self._turn(tx, answers), kind="anneal")
        except BaseException:
            self._answers.extendleft(reversed(answers))
            raise

    def _turn(self, tx: Transaction, answers: Sequence[Answer]) -> float:
        now = self.clock.now()
        self._renew(tx, now)
        working = tx.working_runs()
        entries = tx.due(now, self.limits.batch)
        # Places that answers free now are for the nodes that they come from, which are looked at
        # anyway; what those leave is for others in the next turn.
        free = self.limits.workers - working
        if free > 0:
            entries += tx.waiting_for_gate(WORKERS_GATE, free)
        units = {entry.unit for entry in entries} | {answer.unit for answer in answers}
        if units:
            turn = _Turn(self, tx, now, answers, working)
            turn.carry(units)
            working = turn.used
        if self._answers or len(entries) >= self.limits.batch:
            return 0.0
        if working < self.limits.workers and tx.waiting_for_gate(WORKERS_GATE, 1):
            return 0.0
        due_at = tx.next_due()
        longest = self.limits.lease.total_seconds() / 3
        if due_at is None:
            return longest
        return min(longest, max(0.0, (due_at - now).total_seconds()))

    def _renew(self, tx: Transaction, now: datetime) -> None:
        """Workers of this process live as long as it does: extend their leases in time."""
        if self._renewed_at is not None and now - self._renewed_at < self.limits.lease / 3:
            return
        self._renewed_at = now
        alive = self.dispatcher.in_flight()
        if alive:
            tx.renew_leases(self.owner, alive, now + self.limits.lease)


class _Turn:
    """What one turn does with each working set."""

    def __init__(
        self,
        annealer: Annealer,
        tx: Transaction,
        now: datetime,
        answers: Sequence[Answer],
        working: int,
    ) -> None:
        self.annealer = annealer
        self.tx = tx
        self.now = now
        self.answers: dict[Unit, list[Answer]] = {}
        for answer in answers:
            self.answers.setdefault(answer.unit, []).append(answer)
        self.used = working  #: workers
        self.entries: dict[Unit, AgendaEntry | None] = {}

    def carry(self, units: Collection[Unit]) -> None:
        propagation = Propagation(
            self.tx, self.now, inline=True, after_settling=self.start_what_may
        )
        # Answers move no epoch: who moves one (`record_effect`, `remember`) looks at all.
        propagation.carry(units, self.take_answers, Extent.UNSETTLED)
        self.tx.drop_from_agenda(unit for unit, entry in self.entries.items() if entry is None)
        self.tx.schedule(entry for entry in self.entries.values() if entry is not None)

    # -- answers -----------------------------------------------------------------------------------

    def take_answers(self, graph: Graph) -> Iterable[NodeRoleId]:
        for unit in list(self.answers):
            if not _is_here(graph, unit):
                continue
            for answer in self.answers.pop(unit):
                yield from self._take(graph, answer)

    def _take(self, graph: Graph, answer: Answer) -> Iterable[NodeRoleId]:
        run = graph.runs.get(answer.run_id)
        if run is None or run.dispatch != answer.dispatch or not run.has_worker:
            log.info("late answer refused", extra={"run": answer.run_id})
            return ()
        self.used -= 1
        staged = _staged_beside(graph, run)
        looked_at = take_answer(graph, run, answer.outcome, self.now, outputs=answer.outputs)
        for item in staged:
            self._record_closed(graph, item)
        if answer.breaker_until is not None and run.node_id is not None:
            node = graph.nodes[run.node_id]
            graph.put_node(replace(node, breaker_until=answer.breaker_until))
        after = graph.runs[run.id]
        self._record(run, after, answer)
        return looked_at

    def _record(self, run: Run, after: Run, answer: Answer) -> None:
        error = answer.outcome.error if isinstance(answer.outcome, Errored) else None
        if after.is_open and error is None:
            return
        self.tx.record_outcome(
            run.id,
            outcome=_outcome_word(run, after, answer.outcome),
            error_family=error.family if error else "",
            error_message=str(error) if error else "",
            hammers=answer.hammers,
            at=self.now,
        )

    def _record_closed(self, graph: Graph, staged: Run) -> None:
        """A power cycle that failed ends the runs that were staged for it."""
        if graph.runs[staged.id].is_open or staged.node_role_id is None:
            return
        error = graph.node_roles[staged.node_role_id].error
        self.tx.record_outcome(
            staged.id,
            outcome="failed",
            error_family=error.family if error else "",
            error_message=error.message if error else "",
            hammers=self.tx.run(staged.id).hammers,
            at=self.now,
        )

    # -- starts ------------------------------------------------------------------------------------

    def start_what_may(self, graph: Graph, units: Collection[Unit]) -> None:
        annealer = self.annealer
        graph.gates = {WORKERS_GATE: Gate(WORKERS_GATE, annealer.limits.workers, self.used)}
        planner = Planner(
            graph, self.now, annealer.limits.lease, annealer.owner, self.tx.new_run_id
        )
        works: list[Work] = []
        for unit in sorted(units):
            works += _plan(planner, unit)
            self.entries[unit] = self._next_look(graph, unit)
        self.used = graph.gates[WORKERS_GATE].used
        if works:
            self._submit(graph, works)

    def _submit(self, graph: Graph, works: Sequence[Work]) -> None:
        messages = []
        for work in works:
            run = graph.runs[work.run_id]
            values = work.values
            if values is not None:
                self.tx.record_input(work.run_id, values)
            elif run.kind is RunKind.ROLE:
                values = frozen_input(graph, run, self.tx.run(work.run_id).input)
            ticket = ticket_for(graph, run, values or {})
            messages.append(
                Message(
                    kind=work.kind,
                    run_id=work.run_id,
                    dispatch=work.dispatch,
                    unit=_unit_of(run),
                    ticket=ticket,
                    role=_role_of(graph, run),
                    action=run.action,
                    effect_recorded=run.effect_recorded,
                )
            )
        self.annealer.dispatcher.submit(messages, self.tx)

    def _next_look(self, graph: Graph, unit: Unit) -> AgendaEntry | None:
        items, node_id = _contents(graph, unit)
        gate = waits_for_gate(graph, items, self.now)
        if gate is not None:
            return AgendaEntry(unit, self.now, gate)
        due_at = next_due(graph, items, node_id, self.now)
        return AgendaEntry(unit, due_at) if due_at is not None else None


def _staged_beside(graph: Graph, run: Run) -> Sequence[Run]:
    """What a node's power cycle decides about, besides itself."""
    if run.kind is not RunKind.CYCLE or run.node_id is None:
        return ()
    return [item for item in graph.open_runs(run.node_id) if item.phase is RunPhase.STAGED]


def _plan(planner: Planner, unit: Unit) -> list[Work]:
    items, node_id = _contents(planner.graph, unit)
    if node_id is not None:
        return list(planner.plan_node(node_id))
    return [work for item in items for work in planner.plan_vertex(item)]


def _contents(graph: Graph, unit: Unit) -> tuple[Sequence[NodeRoleId], NodeId | None]:
    if unit.kind is UnitKind.NODE:
        node_id = NodeId(unit.id)
        return graph.on_node[node_id], node_id
    item = NodeRoleId(unit.id)
    return ([item] if item in graph.node_roles else []), None


def _role_of(graph: Graph, run: Run) -> Role | None:
    if run.node_role_id is None:
        return None
    return graph.role_of(graph.node_roles[run.node_role_id])


def _unit_of(run: Run) -> Unit:
    if run.node_id is not None:
        return Unit(UnitKind.NODE, run.node_id)
    if run.node_role_id is None:
        raise LookupError(f"run {run.id} has neither node nor node-role")
    return Unit(UnitKind.VERTEX, run.node_role_id)


def _is_here(graph: Graph, unit: Unit) -> bool:
    if unit.kind is UnitKind.NODE:
        return unit.id in graph.nodes
    return unit.id in graph.focus


def _outcome_word(run: Run, after: Run, outcome: Outcome | NotDone) -> str:
    if run.phase is RunPhase.STOPPING and not isinstance(outcome, Succeeded):
        return str(run.stop_reason)
    match outcome:
        case Succeeded():
            return "succeeded"
        case Staged():
            return "staged"
        case _:
            return "failed" if not after.is_open or run.kind is not RunKind.ROLE else "deferred"
