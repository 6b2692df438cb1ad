"""What a person may do to work that exists: hold, resume, cancel, retry, confirm, accept, power;
and the wake that a node's callback raises. Each is one transaction, idempotent where it can be."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from readystate.domain.answers import begin_stop, cancel_staged
from readystate.domain.digest import read_input
from readystate.domain.errors import Conflict, NotFound
from readystate.domain.events import Event
from readystate.domain.graph import Graph, Hold, HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RunId
from readystate.domain.node_role import Confirmation, NodeRoleState, Verb
from readystate.domain.outcome import Json
from readystate.domain.power import PowerAction
from readystate.domain.power_cycle import is_staged
from readystate.domain.role import Lane
from readystate.domain.run import Run, RunKind, RunPhase, StopReason
from readystate.engine.draft import give_confirmation, seen_disks
from readystate.engine.naming import hold_subject_name
from readystate.engine.propagation import Propagation, look_at_all, unit_of
from readystate.engine.scope import deployments_inside
from readystate.ports.store import Reader, Transaction, Unit, UnitKind

# -- holds -----------------------------------------------------------------------------------------


def hold(
    tx: Transaction, scope: HoldScope, subject_id: int, now: datetime, *, by: str, reason: str = ""
) -> None:
    """Nothing new starts there; what runs may finish. A second hold replaces the first."""
    tx.add_hold(Hold(scope, subject_id, by, now, reason))
    _say(tx, "hold.placed", now, by, scope=scope.value, subject=subject_id, reason=reason)
    Propagation(tx, now, actor=by).carry(_units_under(tx, scope, subject_id), look_at_all)


def resume(tx: Transaction, scope: HoldScope, subject_id: int, now: datetime, *, by: str) -> None:
    """Take a hold away; work under it begins a new history of attempts. Raises NotFound."""
    if not any(it.scope is scope and it.subject_id == subject_id for it in tx.holds()):
        name = hold_subject_name(tx, scope, subject_id)
        raise NotFound(f"{scope} {name} is not held".replace("  ", " "), hint="readystate holds")
    tx.remove_hold(scope, subject_id)
    _say(tx, "hold.lifted", now, by, scope=scope.value, subject=subject_id)
    units = _units_under(tx, scope, subject_id)
    only = NodeRoleId(subject_id) if scope is HoldScope.NODE_ROLE else None

    def begin_anew(graph: Graph) -> Iterable[NodeRoleId]:
        for item in tuple(graph.focus):
            node_role = graph.node_roles[item]
            has_history = node_role.deferrals or node_role.first_started_at is not None
            if only in (None, item) and node_role.state in _WAITING and has_history:
                graph.put(
                    replace(
                        node_role, attempts=0, deferrals=0, first_started_at=None, not_before=None
                    )
                )
        return look_at_all(graph)

    Propagation(tx, now, actor=by).carry(units, begin_anew)


_WAITING = (NodeRoleState.BLOCKED, NodeRoleState.TODO)


def _units_under(reader: Reader, scope: HoldScope, subject_id: int) -> set[Unit]:
    match scope:
        case HoldScope.NODE:
            return {Unit(UnitKind.NODE, subject_id)}
        case HoldScope.NODE_ROLE:
            return {unit_of(reader.node_role(NodeRoleId(subject_id)))}
        case HoldScope.DEPLOYMENT:
            inside = deployments_inside(reader, DeploymentId(subject_id))
        case HoldScope.EVERYTHING:
            inside = {item.id for item in reader.deployments()}
    nodes = {Unit(UnitKind.NODE, item) for item in reader.node_ids_in(inside)}
    return nodes | {Unit(UnitKind.VERTEX, item) for item in reader.vertices(inside)}


# -- single node-roles -----------------------------------------------------------------------------


def retry(tx: Transaction, item: NodeRoleId, now: datetime, *, by: str) -> None:
    """Out of error. Of destructive work, this confirms it. Raises InvalidTransition."""

    def again(graph: Graph) -> Iterable[NodeRoleId]:
        node_role = graph.node_roles[item].after(Verb.RETRY, now)
        if graph.role_of(node_role).is_destructive:
            seen = seen_disks(graph, node_role)
            node_role = replace(node_role, confirmation=Confirmation(by, now, disks=seen))
        graph.put(node_role)
        return (item,)

    _change_one(tx, item, again, now, by)


def confirm(
    tx: Transaction, item: NodeRoleId, now: datetime, *, by: str, wipe_any: bool = False
) -> None:
    """A person's yes to one destructive act, for what it would do now; also runs done work again.
    Given in blocked, todo or active; raises Conflict elsewhere."""

    def give(graph: Graph) -> Iterable[NodeRoleId]:
        give_confirmation(graph, item, Confirmation(by, now, wipe_any=wipe_any))
        return (item,)

    _change_one(tx, item, give, now, by)


def accept(tx: Transaction, item: NodeRoleId, now: datetime, *, by: str) -> None:
    """Take done work as it is: its present input becomes the one that it rests on. Ends drift, and
    settles destructive work whose epochs moved. Raises Conflict unless active and nothing unmet."""

    def take(graph: Graph) -> Iterable[NodeRoleId]:
        node_role = graph.node_roles[item]
        if node_role.state is not NodeRoleState.ACTIVE or node_role.unmet:
            raise Conflict(
                f"{node_role.role} ({item}) cannot be accepted",
                why=f"it is {node_role.state} with {node_role.unmet} unsettled parents",
            )
        digest = read_input(graph, node_role).digest
        graph.put(replace(node_role, digest=digest, is_stale=False, confirmation=None))
        return (item,)

    _change_one(tx, item, take, now, by)


def _change_one(tx: Transaction, item: NodeRoleId, change: Any, now: datetime, by: str) -> None:
    unit = unit_of(tx.node_role(item))
    Propagation(tx, now, actor=by).carry([unit], change)


# -- runs and power --------------------------------------------------------------------------------


def cancel(tx: Transaction, run_id: RunId, now: datetime, *, by: str) -> None:
    """Stop a run; its node-role is then held until a person resumes it. Raises Conflict when the
    run is over."""
    record = tx.run(run_id)
    run = record.run
    if not run.is_open:
        raise Conflict(f"run {run_id} is over", why=f"it ended {record.outcome}")
    unit = (
        Unit(UnitKind.NODE, run.node_id)
        if run.node_id is not None
        else Unit(UnitKind.VERTEX, run.node_role_id or 0)
    )

    def end(graph: Graph) -> Iterable[NodeRoleId]:
        current = graph.runs[run_id]
        if is_staged(current) and not current.has_worker:
            return cancel_staged(graph, current, now, by=by)
        if current.phase is RunPhase.QUEUED:
            graph.put_run(replace(current, phase=RunPhase.DONE))
            return ()
        begin_stop(graph, current, StopReason.CANCELLED, by=by)
        return ()

    Propagation(tx, now, actor=by).carry([unit], end)
    if not tx.run(run_id).run.is_open:
        tx.record_outcome(
            run_id,
            outcome="cancelled",
            error_family="",
            error_message="",
            hammers=record.hammers,
            at=now,
        )
    _say(tx, "run.cancelled", now, by, run=run_id)


def request_power(
    tx: Transaction, node_id: NodeId, action: PowerAction, now: datetime, *, by: str
) -> RunId:
    """Queue a power action of a person: it waits for the node's lanes and holds like other work."""
    run = Run(
        id=tx.new_run_id(),
        kind=RunKind.POWER,
        node_id=node_id,
        node_role_id=None,
        phase=RunPhase.QUEUED,
        lane=Lane.BMC if action is PowerAction.ON else Lane.BOTH,
        fence=0,
        dispatch=0,
        started_at=now,
        action=action.value,
        by=by,
    )

    def queue(graph: Graph) -> Iterable[NodeRoleId]:
        graph.put_run(run)
        return ()

    Propagation(tx, now, actor=by).carry([Unit(UnitKind.NODE, node_id)], queue)
    _say(tx, "power.requested", now, by, node_id=node_id, action=action.value, run=run.id)
    return run.id


def raise_wake(
    tx: Transaction, run_id: RunId, name: str, payload: Mapping[str, Json], now: datetime
) -> None:
    """What a Pending run waits for has come; one that comes early counts. Raises Conflict when the
    run is over."""
    run = tx.run(run_id).run
    if not run.is_open:
        raise Conflict(f"run {run_id} is over", why="nothing waits for this any more")
    tx.add_wake(run_id, name, payload, now)
    if run.node_id is not None:
        tx.wake_units([Unit(UnitKind.NODE, run.node_id)], now)
    elif run.node_role_id is not None:
        tx.wake_units([Unit(UnitKind.VERTEX, run.node_role_id)], now)


def set_available(tx: Transaction, node_id: NodeId, now: datetime, *, by: str, to: bool) -> None:
    """Whether we may work on the node at all."""

    def change(graph: Graph) -> Iterable[NodeRoleId]:
        graph.put_node(replace(graph.nodes[node_id], is_available=to))
        return look_at_all(graph)

    Propagation(tx, now, actor=by).carry([Unit(UnitKind.NODE, node_id)], change)


def _say(
    tx: Transaction, kind: str, now: datetime, by: str, *, node_id: int | None = None, **data: Any
) -> None:
    tx.append(Event(kind=kind, at=now, node_id=node_id, actor=by, data=data))
