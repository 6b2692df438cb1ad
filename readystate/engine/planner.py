"""Decides what starts on a node now. Pure and deterministic: reads a working set, writes runs into
it, and returns what must be given to a worker. Imports no I/O, no clock, no asyncio."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from readystate.domain.answers import begin_stop
from readystate.domain.blockers import (
    THE_CYCLE,
    BlockerKind,
    blockers,
    breaker_is_open,
    reservation,
)
from readystate.domain.digest import read_input
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.node_role import NodeRole, NodeRoleState, Verb
from readystate.domain.power_cycle import cycle_is_due
from readystate.domain.role import Lane, Role
from readystate.domain.run import Run, RunKind, RunPhase, StopReason, lanes_of
from readystate.ports.dispatch import WorkKind
from readystate.ports.store import AgendaEntry, Unit, UnitKind


@dataclass(frozen=True)
class Work:
    """One message to a worker. It is only a hint: the run's row decides whether it still counts."""

    kind: WorkKind
    run_id: RunId
    dispatch: int
    values: Mapping[str, Any] | None = None  #: frozen input of a first dispatch


@dataclass
class Planner:
    graph: Graph
    now: datetime
    lease: timedelta
    owner: str
    new_run_id: Callable[[], RunId]

    def plan(self, unit: Unit) -> Iterable[Work]:
        """Everything that may start in the unit now."""
        items, node_id = _contents(self.graph, unit)
        if node_id is not None:
            yield from self.plan_node(node_id)
            return
        for item in items:
            yield from self.plan_vertex(item)

    def plan_vertex(self, node_role_id: NodeRoleId) -> Iterable[Work]:
        """Start a vertex that has no node, if nothing blocks it."""
        node_role = self.graph.node_roles[node_role_id]
        run = self.graph.run_of(node_role)
        if run is not None:
            yield from self._tend(run)
        elif node_role.state is NodeRoleState.TODO and not blockers(
            self.graph, node_role, self.now
        ):
            yield self._start(node_role)

    def plan_node(self, node_id: NodeId) -> Iterable[Work]:
        """Everything that may start on the node now, most urgent first."""
        for run in self.graph.open_runs(node_id):
            yield from self._tend(run)
        yield from self._power(node_id)
        for node_role in self._candidates(node_id):
            if not blockers(self.graph, node_role, self.now):
                yield self._start(node_role)
        # Asked after the starts: what has just begun may itself be about to stage.
        if self._cycle_may_start(node_id):
            yield self._cycle(node_id)

    def _candidates(self, node_id: NodeId) -> list[NodeRole]:
        todo = [
            node_role
            for item in self.graph.on_node[node_id]
            if (node_role := self.graph.node_roles[item]).state is NodeRoleState.TODO
        ]
        return sorted(todo, key=lambda item: (-self.graph.role_of(item).priority, item.id))

    # -- runs that exist ---------------------------------------------------------------------------

    def _tend(self, run: Run) -> Iterable[Work]:
        now = self.now
        lease_is_lost = run.lease_until is not None and run.lease_until <= now
        match run.phase:
            case RunPhase.RUNNING | RunPhase.VERIFYING if lease_is_lost:
                yield self._dispatch(begin_stop(self.graph, run, StopReason.LOST), WorkKind.STOP)
            case RunPhase.STOPPING if run.lease_until is None or lease_is_lost:
                if run.not_before is None or run.not_before <= now:
                    yield self._dispatch(run, WorkKind.STOP)
            case RunPhase.PENDING if (run.id, run.wake or "") in self.graph.wakes:
                self._give_wake(run)
                yield self._dispatch(replace(run, phase=RunPhase.RUNNING), WorkKind.RUN)
            case RunPhase.PENDING if run.wake_deadline is not None and run.wake_deadline <= now:
                yield self._dispatch(begin_stop(self.graph, run, StopReason.OVERDUE), WorkKind.STOP)
            case RunPhase.VERIFY if run.node_id is not None and (
                run.not_before is None or run.not_before <= now
            ):
                lanes = self.graph.lanes(run.node_id)
                if not any(lane in lanes for lane in lanes_of(run.lane)):
                    yield self._dispatch(replace(run, phase=RunPhase.VERIFYING), WorkKind.CHECK)
            case _:
                return

    def _give_wake(self, run: Run) -> None:
        key = (run.id, run.wake or "")
        self.graph.given_wakes[run.id] = self.graph.wakes[key]
        self.graph.newly_given.append((run.id, self.now))
        self.graph.consumed_wakes.append(key)

    def _dispatch(self, run: Run, kind: WorkKind) -> Work:
        given = replace(
            run,
            dispatch=run.dispatch + 1,
            lease_until=self.now + self.lease,
            owner=self.owner,
            not_before=None,
        )
        self.graph.put_run(given)
        return Work(kind, given.id, given.dispatch)

    # -- runs that begin ---------------------------------------------------------------------------

    def _start(self, node_role: NodeRole) -> Work:
        known = read_input(self.graph, node_role)
        run = Run(
            id=self.new_run_id(),
            kind=RunKind.ROLE,
            node_id=node_role.node_id,
            node_role_id=node_role.id,
            phase=RunPhase.RUNNING,
            lane=self.graph.role_of(node_role).lane,
            fence=node_role.fence + 1,
            dispatch=0,
            digest=known.digest,
            started_at=self.now,
        )
        self.graph.put_run(run)
        self.graph.put(
            node_role.after(
                Verb.START,
                self.now,
                run_id=run.id,
                fence=run.fence,
                first_started_at=node_role.first_started_at or self.now,
                not_before=None,
                is_stuck=False,
            )
        )
        self._take_gates()
        return replace(self._dispatch(run, WorkKind.RUN), values=known.values)

    def _take_gates(self) -> None:
        for name, gate in self.graph.gates.items():
            self.graph.gates[name] = replace(gate, used=gate.used + 1)

    def _power(self, node_id: NodeId) -> Iterable[Work]:
        """Power actions by a person: the bmc lane has one writer, holds stop them too."""
        for run in self.graph.open_runs(node_id):
            if run.phase is not RunPhase.QUEUED or not self._node_is_free(node_id, run.lane):
                continue
            if self.graph.lanes(node_id):  # one lane busy: do not go before work in both
                reserved = reservation(self.graph, node_id, self.now)
                if reserved is not None and reserved != THE_CYCLE:
                    continue
            yield self._dispatch(
                replace(run, phase=RunPhase.RUNNING, started_at=self.now), WorkKind.POWER
            )

    def _cycle_may_start(self, node_id: NodeId) -> bool:
        return cycle_is_due(self.graph, node_id) and self._node_is_free(node_id, Lane.BOTH)

    def _node_is_free(self, node_id: NodeId, lane: Lane) -> bool:
        node = self.graph.nodes[node_id]
        lanes = self.graph.lanes(node_id)
        return (
            not any(item in lanes for item in lanes_of(lane))
            and node.is_available
            and not breaker_is_open(node, self.now)
            and self.graph.hold_around(node.deployment_id, node_id) is None
        )

    def _cycle(self, node_id: NodeId) -> Work:
        run = Run(
            id=self.new_run_id(),
            kind=RunKind.CYCLE,
            node_id=node_id,
            node_role_id=None,
            phase=RunPhase.RUNNING,
            lane=Lane.BOTH,
            fence=0,
            dispatch=0,
            started_at=self.now,
        )
        return self._dispatch(self.graph.put_run(run), WorkKind.POWER)


def next_look(graph: Graph, unit: Unit, now: datetime) -> AgendaEntry | None:
    """When the unit must be looked at though nothing happens, or for which gate it waits."""
    items, node_id = _contents(graph, unit)
    gate = waits_for_gate(graph, items, now)
    if gate is not None:
        return AgendaEntry(unit, now, gate)
    due_at = next_due(graph, items, node_id, now)
    return AgendaEntry(unit, due_at) if due_at is not None else None


def _contents(graph: Graph, unit: Unit) -> tuple[Sequence[NodeRoleId], NodeId | None]:
    if unit.kind is UnitKind.NODE:
        node_id = NodeId(unit.id)
        return graph.on_node[node_id], node_id
    item = NodeRoleId(unit.id)
    return ([item] if item in graph.node_roles else []), None


def unit_of_run(run: Run) -> Unit:
    if run.node_id is not None:
        return Unit(UnitKind.NODE, run.node_id)
    if run.node_role_id is None:
        raise LookupError(f"run {run.id} has neither node nor node-role")
    return Unit(UnitKind.VERTEX, run.node_role_id)


def role_of_run(graph: Graph, run: Run) -> Role | None:
    if run.node_role_id is None:
        return None
    return graph.role_of(graph.node_roles[run.node_role_id])


def next_due(
    graph: Graph, items: Iterable[NodeRoleId], node_id: NodeId | None, now: datetime
) -> datetime | None:
    """When something here must be looked at again though nothing happens; None = never."""
    times: list[datetime | None] = []
    for item in items:
        node_role = graph.node_roles[item]
        if node_role.state is NodeRoleState.TODO:
            times.append(node_role.not_before)
        run = graph.run_of(node_role)
        if run is not None and run.node_id is None:
            times += [run.lease_until, run.wake_deadline, run.not_before]
    if node_id is not None:
        for run in graph.open_runs(node_id):
            times += [run.lease_until, run.not_before]
            if run.phase is RunPhase.PENDING:
                times.append(run.wake_deadline)
        times.append(graph.nodes[node_id].breaker_until)
    return min((time for time in times if time is not None and time > now), default=None)


def waits_for_gate(graph: Graph, items: Iterable[NodeRoleId], now: datetime) -> str | None:
    """The gate for which something here waits and nothing else stands in its way, or None."""
    if not any(gate.used >= gate.limit for gate in graph.gates.values()):
        return None
    for item in items:
        node_role = graph.node_roles[item]
        if node_role.state is NodeRoleState.TODO:
            found = blockers(graph, node_role, now)
            if found and all(blocker.kind is BlockerKind.ADMISSION for blocker in found):
                return next(iter(graph.gates))
    return None
