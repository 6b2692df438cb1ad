"""The one predicate: why a node-role does not move (design.md section 4.4).

The scheduler starts what has no blocker; `why` shows the same blockers. `needs_person` is the part
of it that children and soft successors look at, so it is stored with the node-role."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from readystate.domain.digest import Input, layered_verdict, read_input
from readystate.domain.graph import MISSING, Graph, Hold
from readystate.domain.ids import NodeId, NodeRoleId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.power_cycle import cycle_is_due, is_staged
from readystate.domain.role import Lane, Reboot, Role
from readystate.domain.run import RunPhase, lanes_of


class BlockerKind(StrEnum):
    PARENT = "unsettled-parent"
    ERROR_ANCESTOR = "error-ancestor"
    ERROR = "error"
    NOT_COMMITTED = "not-committed"
    HELD = "held"
    NODE_UNAVAILABLE = "node-not-available"
    LANE = "lane-busy"
    ADMISSION = "admission"
    WAITING = "waiting"
    CONFIRMATION = "confirmation"
    MISSING_ATTRIBUTE = "missing-attribute"
    NO_HAMMER = "no-hammer"
    BACKOFF = "retry-backoff"
    ORDERED_AFTER = "ordered-after"


class Owner(StrEnum):
    """Who can make the blocker go away."""

    OPERATOR = "operator"
    BMC = "bmc"
    TIMER = "timer"
    RUN = "run"  #: a run that is under way
    NODE_ROLE = "node-role"  #: another vertex; look at its own blockers


@dataclass(frozen=True, slots=True)
class Blocker:
    kind: BlockerKind
    owner: Owner
    detail: str
    since: datetime | None = None
    until: datetime | None = None
    node_role_id: int | None = None  #: the other vertex
    run_id: int | None = None
    family: str = ""  #: error family behind it
    by: str = ""
    attribute: str = ""  #: the one without a value


#: Blockers that only a person takes away, and that stand on the vertex itself.
PERSONAL = frozenset(
    {
        BlockerKind.ERROR,
        BlockerKind.NOT_COMMITTED,
        BlockerKind.HELD,
        BlockerKind.NODE_UNAVAILABLE,
        BlockerKind.CONFIRMATION,
        BlockerKind.MISSING_ATTRIBUTE,
        BlockerKind.NO_HAMMER,
    }
)


def blockers(
    graph: Graph, node_role: NodeRole, now: datetime, known: Input | None = None
) -> tuple[Blocker, ...]:
    """Every reason why `node_role` does not move now. Empty: settled, or runnable at once. `known`
    saves reading the input again."""
    if node_role.is_settled:
        return ()
    return tuple(_all(graph, node_role, now, known))


def _all(
    graph: Graph, node_role: NodeRole, now: datetime, known: Input | None
) -> Iterator[Blocker]:
    if node_role.state is NodeRoleState.TRANSITION:
        yield from _under_way(graph, node_role)
        yield from personal(graph, node_role)
        return
    yield from personal(graph, node_role, known)
    if node_role.state in (NodeRoleState.ERROR, NodeRoleState.PROPOSED):
        return
    yield from _unsettled_parents(graph, node_role)
    yield from _ordered_after(graph, node_role)
    if node_role.state is not NodeRoleState.TODO:
        return
    yield from _timers(graph, node_role, now)
    yield from _shared_resources(graph, node_role, now)


def personal(graph: Graph, node_role: NodeRole, known: Input | None = None) -> Iterator[Blocker]:
    """Blockers of the vertex's own that need a person. `known` saves reading the input again."""
    if node_role.is_settled:
        return
    if node_role.state is NodeRoleState.TRANSITION:
        yield from _on_its_cycle(graph, node_role)
        return
    operator = Owner.OPERATOR
    since = node_role.since
    if node_role.state is NodeRoleState.PROPOSED:
        yield Blocker(BlockerKind.NOT_COMMITTED, operator, "its proposal is not committed", since)
        return
    if node_role.state is NodeRoleState.ERROR:
        error = node_role.error
        yield Blocker(
            BlockerKind.ERROR,
            operator,
            error.message if error else "",
            since,
            family=error.family if error else "",
        )
        return
    hold = graph.hold_on(node_role)
    if hold is not None:
        yield _held(hold)
    if node_role.state is NodeRoleState.ACTIVE and node_role.unmet > 0:
        return  # stale: whether it must run again is not known yet
    if node_role.state is NodeRoleState.SKIPPED:
        return
    role = graph.role_of(node_role)
    node = graph.nodes[node_role.node_id] if node_role.node_id is not None else None
    if node is not None and not node.is_available:
        yield _not_available(node)
    yield from _missing(graph, node_role, role, known)
    if graph.is_barrier(node_role) or not layered_verdict(graph, node_role):
        return
    if node is not None and Lane.BMC in lanes_of(role.lane) and not node.bmc:
        yield Blocker(
            BlockerKind.NO_HAMMER, operator, f"{node.name} has no BMC that {role.name} could use"
        )
    if role.is_destructive and node_role.confirmation is None:
        yield Blocker(
            BlockerKind.CONFIRMATION,
            operator,
            f"{role.name} may destroy data and is not confirmed for what it would do now",
            since,
        )


def _held(hold: Hold) -> Blocker:
    detail = f"{hold.scope} held by {hold.by}" + (f": {hold.reason}" if hold.reason else "")
    return Blocker(BlockerKind.HELD, Owner.OPERATOR, detail, hold.at, by=hold.by)


def _on_its_cycle(graph: Graph, node_role: NodeRole) -> Iterator[Blocker]:
    """Staged work waits for its node's power cycle, which a hold around the node keeps back. What
    runs may finish, so nothing else in transition needs a person."""
    run = graph.run_of(node_role)
    if run is None or run.node_id is None or run.phase is not RunPhase.STAGED:
        return
    node = graph.nodes[run.node_id]
    hold = graph.hold_around(node.deployment_id, node.id)
    if hold is not None:
        yield _held(hold)
    if not node.is_available:
        yield _not_available(node)


def _not_available(node: Node) -> Blocker:
    return Blocker(
        BlockerKind.NODE_UNAVAILABLE, Owner.OPERATOR, f"{node.name} is set not available"
    )


def needs_person(graph: Graph, node_role: NodeRole, known: Input | None = None) -> bool:
    return next(personal(graph, node_role, known), None) is not None


def _missing(
    graph: Graph, node_role: NodeRole, role: Role, known: Input | None
) -> Iterator[Blocker]:
    if not role.wants:
        return
    if node_role.unmet == 0:
        missing = (known or read_input(graph, node_role)).missing
    elif not layered_verdict(graph, node_role):
        missing = ()
    else:  # only what attributes alone can tell; outputs may still come
        missing = tuple(
            want.attribute
            for want in role.wants
            if want.source is None
            and not want.has_default
            and graph.values.value(node_role, want.attribute) is MISSING
        )
    for name in missing:
        yield Blocker(
            BlockerKind.MISSING_ATTRIBUTE,
            Owner.OPERATOR,
            f"{name} has no value",
            node_role.since,
            attribute=name,
        )


def _under_way(graph: Graph, node_role: NodeRole) -> Iterator[Blocker]:
    run = graph.run_of(node_role)
    if run is None:
        raise LookupError(f"node-role {node_role.id} is in transition without an open run")
    match run.phase:
        case RunPhase.PENDING:
            detail, owner = f"waits for {run.wake}", Owner.NODE_ROLE
        case RunPhase.STAGED:
            detail, owner = "staged; waits for the node's next power cycle", Owner.RUN
        case RunPhase.VERIFY:
            detail, owner = "waits for the bmc lane to be verified", Owner.RUN
        case RunPhase.STOPPING:
            detail, owner = f"being stopped ({run.stop_reason})", Owner.RUN
        case _:
            detail, owner = run.progress or "running", Owner.RUN
    error = node_role.error
    yield Blocker(
        BlockerKind.WAITING,
        owner,
        detail,
        run.started_at,
        run.wake_deadline,
        run_id=run.id,
        family=error.family if error else "",
    )


def _unsettled_parents(graph: Graph, node_role: NodeRole) -> Iterator[Blocker]:
    for parent in graph.hard_parents(node_role.id):
        if parent.is_settled:
            continue
        if parent.state is NodeRoleState.ERROR:
            error = parent.error
            yield Blocker(
                BlockerKind.ERROR_ANCESTOR,
                Owner.NODE_ROLE,
                f"{parent.role} is in error",
                parent.since,
                node_role_id=parent.id,
                family=error.family if error else "",
            )
        else:
            yield Blocker(
                BlockerKind.PARENT,
                Owner.NODE_ROLE,
                f"{parent.role} is {'stale' if parent.is_stale else parent.state}",
                parent.since,
                node_role_id=parent.id,
            )


def _ordered_after(graph: Graph, node_role: NodeRole) -> Iterator[Blocker]:
    for parent in graph.unsettled_soft_parents(node_role.id):
        if not parent.holds_back:
            yield Blocker(
                BlockerKind.ORDERED_AFTER,
                Owner.NODE_ROLE,
                f"runs after {parent.role}",
                parent.since,
                node_role_id=parent.id,
            )


def _timers(graph: Graph, node_role: NodeRole, now: datetime) -> Iterator[Blocker]:
    error = node_role.error
    if node_role.not_before is not None and node_role.not_before > now:
        family = error.family if error else ""
        owner = Owner.BMC if family in ("unreachable", "busy") else Owner.TIMER
        yield Blocker(
            BlockerKind.BACKOFF,
            owner,
            error.message if error else "tries again later",
            error.since if error else None,
            node_role.not_before,
            family=family,
        )
    if node_role.node_id is None:
        return
    node = graph.nodes[node_role.node_id]
    lane = graph.role_of(node_role).lane
    if breaker_is_open(node, now) and Lane.BMC in lanes_of(lane):
        yield Blocker(
            BlockerKind.WAITING,
            Owner.BMC,
            f"the BMC of {node.name} does not answer; its circuit breaker is open",
            error.since if error else None,
            node.breaker_until,
            family=error.family if error else "unreachable",
        )


def breaker_is_open(node: Node, now: datetime) -> bool:
    return node.breaker_until is not None and node.breaker_until > now


def _shared_resources(graph: Graph, node_role: NodeRole, now: datetime) -> Iterator[Blocker]:
    role = graph.role_of(node_role)
    node_id = node_role.node_id
    if node_id is not None and role.lane is not Lane.NONE:
        runs = graph.open_runs(node_id)
        staged = next((run for run in runs if is_staged(run)), None)
        if role.reboot is Reboot.ALONE and staged is not None:
            yield Blocker(
                BlockerKind.WAITING,
                Owner.RUN,
                "staged work of the node comes first: its power cycle",
                staged.started_at,
                run_id=staged.id,
            )
        yield from _busy_lanes(graph, node_role, node_id, now)
    for gate in graph.gates.values():
        if not role.is_inline and gate.used >= gate.limit:
            yield Blocker(
                BlockerKind.ADMISSION,
                Owner.RUN,
                f"gate {gate.name} is full ({gate.limit} under way)",
                node_role.since,
            )


def _busy_lanes(
    graph: Graph, node_role: NodeRole, node_id: NodeId, now: datetime
) -> Iterator[Blocker]:
    wanted = lanes_of(graph.role_of(node_role).lane)
    lanes = graph.lanes(node_id)
    busy = {run.id: run for lane in wanted if (run := lanes.get(lane)) is not None}
    for run in busy.values():
        yield Blocker(
            BlockerKind.LANE,
            Owner.RUN,
            f"lane busy: {run.progress or run.kind}",
            run.started_at,
            run_id=run.id,
        )
    if not busy:
        holder = reservation(graph, node_id, now)
        if holder is not None and not _goes_first(graph, node_role, holder):
            yield Blocker(
                BlockerKind.LANE,
                Owner.NODE_ROLE if holder else Owner.RUN,
                "lane reserved by work that needs both lanes",
                node_role_id=holder or None,
            )


def _goes_first(graph: Graph, node_role: NodeRole, holder: NodeRoleId) -> bool:
    """A reservation does not hold against the holder itself, nor against what is more urgent."""
    if holder in (THE_CYCLE, node_role.id):
        return holder == node_role.id
    holding = graph.role_of(graph.node_roles[holder])
    return graph.role_of(node_role).priority > holding.priority


#: Stands for the node's power cycle where a node-role's id is expected.
THE_CYCLE = NodeRoleId(0)


def reservation(graph: Graph, node_id: NodeId, now: datetime) -> NodeRoleId | None:
    """Who has reserved both lanes of the node: a node-role, `THE_CYCLE`, or None.

    Work in `both` whose only blocker is a busy lane reserves them, or work that needs one lane
    would follow one another and keep it waiting for ever. So it holds also when the lanes are free,
    until that work has started."""
    if cycle_is_due(graph, node_id) and not breaker_is_open(graph.nodes[node_id], now):
        return THE_CYCLE
    waiting = [
        candidate
        for item in graph.on_node[node_id]
        if (candidate := graph.node_roles[item]).state is NodeRoleState.TODO
        and graph.role_of(candidate).lane is Lane.BOTH
        and _waits_only_for_lanes(graph, candidate, node_id, now)
    ]
    if not waiting:
        return None
    return min(waiting, key=lambda item: (-graph.role_of(item).priority, item.id)).id


def _waits_only_for_lanes(
    graph: Graph, node_role: NodeRole, node_id: NodeId, now: datetime
) -> bool:
    if next(personal(graph, node_role), None) is not None:
        return False
    if next(_timers(graph, node_role, now), None) is not None:
        return False
    if next(_ordered_after(graph, node_role), None) is not None:
        return False
    staged = graph.role_of(node_role).reboot is Reboot.ALONE and any(
        is_staged(run) for run in graph.open_runs(node_id)
    )
    return not staged and node_role.unmet == 0
