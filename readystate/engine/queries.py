"""Read models: what the API, the pages and the CLI show. Each is a bounded number of queries,
whatever the number of nodes on a page."""

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from readystate.domain.blockers import Blocker, BlockerKind, blockers
from readystate.domain.deployment import AttributeScope, Deployment
from readystate.domain.graph import Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RunId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.role import Flag
from readystate.domain.run import Run
from readystate.engine.draft import seen_disks
from readystate.engine.explain import load_to_show
from readystate.engine.plan_report import is_drifted
from readystate.engine.scope import deployments_inside
from readystate.ports.store import Reader, Unit, UnitKind

STALE = "stale"  #: counted apart from active and skipped

#: Blockers that name the next thing on the way rather than a reason of their own.
_ONLY_ORDER = frozenset({BlockerKind.PARENT, BlockerKind.ERROR_ANCESTOR, BlockerKind.ORDERED_AFTER})
_PAGE = 1000


class NodeCondition(StrEnum):
    """A node in one word."""

    NEW = "new"  #: nothing is bound to it
    WORKING = "working"  #: moves, or will by itself
    STUCK = "stuck"  #: nothing more happens until a person acts
    SETTLED = "settled"  #: everything that is bound to it is done


@dataclass(frozen=True, slots=True)
class Doing:
    """An open run, for the live view."""

    run_id: RunId
    role: str  #: or the power action
    phase: str
    progress: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class NodeSummary:
    node: Node
    deployment: str
    condition: NodeCondition
    counts: Mapping[str, int]  #: node-roles by state; `stale` apart
    milestone: str  #: the furthest one that is settled; "" = none yet
    doing: tuple[Doing, ...]
    held_by: str  #: "" = not held


@dataclass(frozen=True, slots=True)
class NodeRoleView:
    node_role: NodeRole
    node: str
    deployment: str
    summary: str  #: of the role
    flags: tuple[str, ...]
    is_drifted: bool
    disks: tuple[str, ...]  #: serials of those that a confirmation given now would be for
    blockers: tuple[Blocker, ...]
    outputs: Mapping[str, Any]
    run: Doing | None

    @property
    def state_word(self) -> str:
        return state_word(self.node_role)


@dataclass(frozen=True, slots=True)
class NodeDetail:
    summary: NodeSummary
    node_roles: tuple[NodeRoleView, ...]
    hardware: Mapping[str, Any]  #: discovered facts by name


class Progress:
    """What runs say they are doing now: in memory, as it changes every second. Thread-safe."""

    LIMIT = 10_000  #: runs remembered; only what open ones said is ever asked for

    def __init__(self) -> None:
        self._texts: OrderedDict[RunId, str] = OrderedDict()
        self._lock = threading.Lock()

    def show(self, run_id: RunId, text: str) -> None:
        with self._lock:
            self._texts[run_id] = text
            self._texts.move_to_end(run_id)
            if len(self._texts) > self.LIMIT:
                self._texts.popitem(last=False)

    def of(self, run: Run) -> str:
        with self._lock:
            return self._texts.get(run.id, run.progress)


def state_word(node_role: NodeRole) -> str:
    return STALE if node_role.is_stale else node_role.state.value


# -- nodes -----------------------------------------------------------------------------------------


def node_summaries(
    reader: Reader,
    progress: Progress,
    *,
    deployment: DeploymentId | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[NodeSummary]:
    nodes = reader.nodes(deployment=deployment, after=after, limit=limit)
    if not nodes:
        return []
    graph = load_to_show(reader, [Unit(UnitKind.NODE, node.id) for node in nodes])
    names = deployment_names(reader)
    return [_summary(graph, graph.nodes[node.id], names, progress) for node in nodes]


def node_detail(reader: Reader, node: Node, progress: Progress, now: datetime) -> NodeDetail:
    graph = load_to_show(reader, [Unit(UnitKind.NODE, node.id)])
    names = deployment_names(reader)
    views = tuple(_views(graph, graph.on_node[node.id], names, progress, now))
    return NodeDetail(
        summary=_summary(graph, graph.nodes[node.id], names, progress),
        node_roles=tuple(sorted(views, key=lambda view: view.node_role.id)),
        hardware={
            name: value
            for view in views
            for name, value in view.outputs.items()
            if name.startswith("hardware/")
        },
    )


def _summary(
    graph: Graph, node: Node, names: Mapping[DeploymentId, str], progress: Progress
) -> NodeSummary:
    node_roles = [graph.node_roles[item] for item in graph.on_node[node.id]]
    hold = graph.hold_around(node.deployment_id, node.id)
    return NodeSummary(
        node=node,
        deployment=names[node.deployment_id],
        condition=_condition(node_roles),
        counts=Counter(state_word(item) for item in node_roles),
        milestone=_furthest_milestone(graph, node_roles),
        doing=tuple(_doing(graph, run, progress) for run in graph.open_runs(node.id)),
        held_by=hold.by if hold is not None else "",
    )


def _condition(node_roles: Sequence[NodeRole]) -> NodeCondition:
    committed = [item for item in node_roles if item.is_committed]
    if not committed:
        return NodeCondition.NEW
    unsettled = [item for item in committed if not item.is_settled]
    if not unsettled:
        return NodeCondition.SETTLED
    if all(is_at_rest(item) for item in unsettled):
        return NodeCondition.STUCK
    return NodeCondition.WORKING


def is_at_rest(node_role: NodeRole) -> bool:
    """Unsettled, not under way, and will not move before a person acts."""
    return node_role.state is not NodeRoleState.TRANSITION and node_role.holds_back


def _furthest_milestone(graph: Graph, node_roles: Sequence[NodeRole]) -> str:
    """Milestones lie in a row, so the one bound last among the settled is the furthest."""
    settled = [
        item
        for item in node_roles
        if item.is_settled and Flag.MILESTONE in graph.role_of(item).flags
    ]
    below = {edge.parent for item in settled for edge in graph.parents[item.id]}
    last = [item for item in settled if item.id not in below] or settled
    return max(last, key=lambda item: (item.since is not None, item.since)).role if last else ""


def _doing(graph: Graph, run: Run, progress: Progress) -> Doing:
    role = (
        graph.node_roles[run.node_role_id].role
        if run.node_role_id is not None
        else f"power {run.action or 'cycle'}"
    )
    return Doing(run.id, role, run.phase.value, progress.of(run), run.started_at)


# -- node-roles ------------------------------------------------------------------------------------


def node_role_views(
    reader: Reader, node_roles: Collection[NodeRole], progress: Progress, now: datetime
) -> list[NodeRoleView]:
    """In the order given."""
    if not node_roles:
        return []
    wanted = [item.id for item in node_roles]
    graph = load_to_show(reader, set(reader.units_of(wanted).values()))
    return list(_views(graph, wanted, deployment_names(reader), progress, now))


def _views(
    graph: Graph,
    wanted: Iterable[NodeRoleId],
    names: Mapping[DeploymentId, str],
    progress: Progress,
    now: datetime,
) -> Iterator[NodeRoleView]:
    for item in wanted:
        node_role = graph.node_roles[item]
        role = graph.role_of(node_role)
        run = graph.run_of(node_role)
        yield NodeRoleView(
            node_role=node_role,
            node=graph.nodes[node_role.node_id].name if node_role.node_id is not None else "",
            deployment=names[node_role.deployment_id],
            summary=role.summary,
            flags=tuple(sorted(flag.value for flag in role.flags)),
            is_drifted=is_drifted(graph, item),
            disks=seen_disks(graph, node_role) if graph.may_destroy(node_role) else (),
            blockers=blockers(graph, node_role, now),
            outputs=json.loads(node_role.outputs),
            run=_doing(graph, run, progress) if run is not None else None,
        )


def own_blockers(found: Iterable[Blocker]) -> tuple[Blocker, ...]:
    """Without those that only name a parent."""
    return tuple(item for item in found if item.kind not in _ONLY_ORDER)


# -- deployments -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeploymentView:
    deployment: Deployment
    parent: str  #: "" for the root
    counts: Mapping[str, int]
    attributes: Mapping[str, Any]  #: set here; secrets as Secret
    profiles: tuple[str, ...]
    held_by: str


def deployment_names(reader: Reader) -> dict[DeploymentId, str]:
    return {item.id: item.name for item in reader.deployments()}


def deployment_view(reader: Reader, deployment: Deployment) -> DeploymentView:
    names = deployment_names(reader)
    scope = AttributeScope.DEPLOYMENT
    held = [
        hold.by
        for hold in reader.holds()
        if hold.scope.value == scope.value and hold.subject_id == deployment.id
    ]
    return DeploymentView(
        deployment=deployment,
        parent=names[deployment.parent_id] if deployment.parent_id is not None else "",
        counts=reader.state_counts(deployment.id),
        attributes=reader.attribute_layers(scope, deployment.id),
        profiles=reader.profiles_of(scope, deployment.id),
        held_by=held[0] if held else "",
    )


# -- is everything done? ---------------------------------------------------------------------------


class AnnealState(StrEnum):
    FINISHED = "finished"  #: every committed node-role is settled
    WORKING = "working"  #: something moves, or will by itself
    FAILED = "failed"  #: not finished, and nothing moves before a person acts


@dataclass(frozen=True, slots=True)
class AnnealStatus:
    state: AnnealState
    counts: Mapping[str, int]
    failing: tuple[NodeRole, ...]  #: those that need a person themselves, not what waits for them


def anneal_status(reader: Reader, deployment: DeploymentId | None = None) -> AnnealStatus:
    """Of one deployment with all inside it, or of everything. Reads node-roles only where counts
    alone cannot tell."""
    places = [None] if deployment is None else sorted(deployments_inside(reader, deployment))
    counts: Counter[str] = Counter()
    for place in places:
        counts.update(reader.state_counts(place))
    if not any(counts[word] for word in _UNSETTLED):
        return AnnealStatus(AnnealState.FINISHED, counts, ())
    failing = tuple(_failing(reader, places))
    if counts[NodeRoleState.TRANSITION] or _anything_moves(reader, places):
        return AnnealStatus(AnnealState.WORKING, counts, failing)
    return AnnealStatus(AnnealState.FAILED, counts, failing)


_MOVABLE = (NodeRoleState.TODO.value, NodeRoleState.BLOCKED.value, STALE)
_UNSETTLED = (*_MOVABLE, NodeRoleState.TRANSITION.value, NodeRoleState.ERROR.value)
_TOLD = 100  #: failing node-roles named in one answer


def _anything_moves(reader: Reader, places: Sequence[DeploymentId | None]) -> bool:
    return any(
        not is_at_rest(item)
        for place in places
        for word in _MOVABLE
        for item in _all_in(reader, place, word)
    )


def _failing(reader: Reader, places: Sequence[DeploymentId | None]) -> list[NodeRole]:
    found = [
        item
        for place in places
        for word in (NodeRoleState.ERROR.value, *_MOVABLE)
        for item in _first_stuck(reader, place, word)
    ]
    return found[:_TOLD]


def _first_stuck(reader: Reader, place: DeploymentId | None, word: str) -> list[NodeRole]:
    """Of the first page: who has more stuck work than that looks at `why`."""
    found = reader.node_roles(deployment_id=place, state=word, limit=_PAGE)
    return [item for item in found if item.is_stuck or item.state is NodeRoleState.ERROR]


def _all_in(reader: Reader, place: DeploymentId | None, word: str) -> Iterator[NodeRole]:
    after = 0
    while page := reader.node_roles(deployment_id=place, state=word, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def node_names(reader: Reader, node_ids: Iterable[NodeId | None]) -> dict[NodeId, str]:
    wanted = {item for item in node_ids if item is not None}
    return {item: reader.node(item).name for item in sorted(wanted)}
