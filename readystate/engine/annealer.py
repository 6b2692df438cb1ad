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
from functools import partial

from readystate.domain.answers import take_answer
from readystate.domain.events import Event
from readystate.domain.graph import Gate, Graph
from readystate.domain.ids import NodeRoleId, RunId
from readystate.domain.node_role import NodeRoleState
from readystate.domain.outcome import Errored, NotDone, Outcome, Staged, Succeeded
from readystate.domain.run import Run, RunKind, RunPhase
from readystate.engine.planner import Planner, Work, next_look, role_of_run, unit_of_run
from readystate.engine.propagation import Propagation
from readystate.engine.ticket import frozen_input, ticket_for
from readystate.ports.clock import Clock
from readystate.ports.dispatch import Dispatcher, Message, WorkKind
from readystate.ports.store import (
    AgendaEntry,
    Extent,
    Store,
    StoreError,
    Transaction,
    Unit,
    UnitKind,
)

log = logging.getLogger(__name__)

#: The one admission gate so far: how many runs may have a worker at once.
WORKERS_GATE = "workers"
#: For how long a unit that the rules fail on is left alone.
SET_ASIDE = timedelta(minutes=1)

#: What else comes so soon after a signal goes into the same turn.
GATHER_S = 0.005


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
        self._put_off: list[tuple[datetime, Answer]] = []  #: of units that are set aside
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
            if wait_s > 0 and self._signal.wait(wait_s):
                self._stopping.wait(GATHER_S)

    def stop(self) -> None:
        self._stopping.set()
        self._signal.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def begin(self) -> None:
        """Void the leases of earlier engines: their workers died with them."""
        now = self.clock.now()
        self.store.write(lambda tx: tx.void_leases(self.owner, now), kind="begin")

    def take_last_answers(self) -> None:
        """After `stop`: what workers have said still counts, and nothing is started any more."""
        answers, now = self._next_answers(), self.clock.now()
        if answers:
            units = {answer.unit for answer in answers}
            self.store.write(
                lambda tx: self._carry(tx, now, units, answers, tx.working_runs()), kind="anneal"
            )

    def turn(self) -> float:
        """One transaction; returns for how many seconds there is nothing to do unless woken. Raises
        StoreError; what else goes wrong with one unit does not hold up the others."""
        answers = self._next_answers()
        try:
            return self.store.write(lambda tx: self._turn(tx, answers), kind="anneal")
        except StoreError:
            self._answers.extendleft(reversed(answers))
            raise
        except Exception:  # a defect in the rules, or in what they are given
            log.exception("a turn failed; its units are looked at one by one")
            if not self._turn_one_by_one(answers):
                raise
            return 0.0

    def _next_answers(self) -> list[Answer]:
        now = self.clock.now()
        late = [answer for at, answer in self._put_off if at <= now]
        self._put_off = [(at, answer) for at, answer in self._put_off if at > now]
        return late + [self._answers.popleft() for _ in range(min(len(self._answers), 1024))]

    def _turn_one_by_one(self, answers: Sequence[Answer]) -> int:
        """What the turn would have done, but for the units that fail alone; returns how many units
        it had. Raises StoreError."""
        now = self.clock.now()
        entries = self.store.write(
            lambda tx: self._entries(tx, now, tx.working_runs()), kind="anneal"
        )
        left: dict[Unit, list[Answer]] = {entry.unit: [] for entry in entries}
        for answer in answers:
            left.setdefault(answer.unit, []).append(answer)
        units = sorted(left)
        try:
            for unit in units:
                self._turn_of(unit, left[unit], now)
                del left[unit]
        finally:
            self._answers.extendleft(answer for own in left.values() for answer in reversed(own))
        return len(units)

    def _turn_of(self, unit: Unit, answers: Sequence[Answer], now: datetime) -> None:
        try:
            self.store.write(
                lambda tx: self._carry(tx, now, {unit}, answers, tx.working_runs()), kind="anneal"
            )
        except StoreError:
            raise
        except Exception as error:
            log.exception("a unit is set aside", extra={"unit": str(unit)})
            again, what = now + SET_ASIDE, repr(error)
            self.store.write(lambda tx: _set_aside(tx, unit, now, again, what), kind="anneal")
            self._put_off += [(again, answer) for answer in answers]

    def _turn(self, tx: Transaction, answers: Sequence[Answer]) -> float:
        now = self.clock.now()
        self._renew(tx, now)
        working = tx.working_runs()
        entries = self._entries(tx, now, working)
        units = {entry.unit for entry in entries} | {answer.unit for answer in answers}
        if units:
            working = self._carry(tx, now, units, answers, working)
        if self._answers or len(entries) >= self.limits.batch:
            return 0.0
        if working < self.limits.workers and tx.waiting_for_gate(WORKERS_GATE, 1):
            return 0.0
        due_at = tx.next_due()
        longest = self.limits.lease.total_seconds() / 3
        if due_at is None:
            return longest
        return min(longest, max(0.0, (due_at - now).total_seconds()))

    def _entries(self, tx: Transaction, now: datetime, working: int) -> list[AgendaEntry]:
        """Whose time has come. Places that answers free now are for the nodes that they come from,
        which are looked at anyway; what those leave is for others in the next turn."""
        entries = tx.due(now, self.limits.batch)
        free = self.limits.workers - working
        return entries + tx.waiting_for_gate(WORKERS_GATE, free) if free > 0 else entries

    def _carry(
        self,
        tx: Transaction,
        now: datetime,
        units: Collection[Unit],
        answers: Sequence[Answer],
        working: int,
    ) -> int:
        """Returns how many runs have a worker then."""
        turn = _Turn(self, tx, now, answers, working)
        turn.carry(units)
        return turn.used

    def _renew(self, tx: Transaction, now: datetime) -> None:
        """Workers of this process live as long as it does: extend their leases in time."""
        if self._renewed_at is not None and now - self._renewed_at < self.limits.lease / 3:
            return
        alive = self.dispatcher.in_flight()
        if alive:
            tx.renew_leases(self.owner, alive, now + self.limits.lease)

        def note() -> None:
            self._renewed_at = now

        tx.after_commit(note)


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
        self._record(graph, run, after, answer)
        return looked_at

    def _record(self, graph: Graph, run: Run, after: Run, answer: Answer) -> None:
        error = answer.outcome.error if isinstance(answer.outcome, Errored) else None
        if after.is_open and error is None:
            return
        self.tx.record_outcome(
            run.id,
            outcome=_outcome_word(graph, run, answer.outcome),
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
        if annealer.is_stopping:
            self.entries.update((unit, AgendaEntry(unit, self.now)) for unit in units)
            return
        graph.gates = {WORKERS_GATE: Gate(WORKERS_GATE, annealer.limits.workers, self.used)}
        planner = Planner(
            graph, self.now, annealer.limits.lease, annealer.owner, self.tx.new_run_id
        )
        works: list[Work] = []
        for unit in sorted(units):
            works += planner.plan(unit)
            self.entries[unit] = next_look(graph, unit, self.now)
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
                    unit=unit_of_run(run),
                    ticket=ticket,
                    role=role_of_run(graph, run),
                    action=run.action,
                    effect_recorded=run.effect_recorded,
                )
            )
        for work in works:
            if work.kind is WorkKind.STOP:  # whoever is still at it hears of it at once
                self.tx.after_commit(partial(self.annealer.dispatcher.cancel, work.run_id))
        self.annealer.dispatcher.submit(messages, self.tx)


def _set_aside(tx: Transaction, unit: Unit, now: datetime, again: datetime, error: str) -> None:
    """The unit is looked at again then, and not before unless something wakes it."""
    tx.schedule([AgendaEntry(unit, again)])
    tx.append(
        Event(
            kind="annealer.unit-set-aside",
            at=now,
            node_id=unit.id if unit.kind is UnitKind.NODE else None,
            node_role_id=unit.id if unit.kind is UnitKind.VERTEX else None,
            data={"error": error},
        )
    )


def _staged_beside(graph: Graph, run: Run) -> Sequence[Run]:
    """What a node's power cycle decides about, besides itself."""
    if run.kind is not RunKind.CYCLE or run.node_id is None:
        return ()
    return [item for item in graph.open_runs(run.node_id) if item.phase is RunPhase.STAGED]


def _is_here(graph: Graph, unit: Unit) -> bool:
    if unit.kind is UnitKind.NODE:
        return unit.id in graph.nodes
    return unit.id in graph.focus


def _outcome_word(graph: Graph, run: Run, outcome: Outcome | NotDone) -> str:
    """`failed` only where nothing tries again by itself."""
    if run.phase is RunPhase.STOPPING and not isinstance(outcome, Succeeded):
        return str(run.stop_reason)
    match outcome:
        case Succeeded():
            return "succeeded"
        case Staged():
            return "staged"
        case _:
            if run.node_role_id is None:
                return "failed"
            state = graph.node_roles[run.node_role_id].state
            return "failed" if state is NodeRoleState.ERROR else "deferred"
