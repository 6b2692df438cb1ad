"""A working set of the live graph: the neighbourhood of what changed, never the whole.

The rules (`digest`, `blockers`, `settling`, `answers`) read and write it; the engine fills it from
the store, lets the rules run, and writes back what `changes` names. `plan` fills it with a whole
cone and lets the same rules run on assumed answers. It does no I/O and knows no clock."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from readystate.domain.deployment import AttributeScope
from readystate.domain.events import Event
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName, RunId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole
from readystate.domain.role import Lane, Role, Scope
from readystate.domain.run import Run

#: Under this name the wake that a worker was given is kept, for as long as the run does not wait
#: again: should the worker be lost, the jig's `check` still knows what had come.
GIVEN = ""


class EdgeKind(StrEnum):
    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class Edge:
    parent: NodeRoleId
    child: NodeRoleId
    kind: EdgeKind
    reason: str  #: requires | wants | when | cluster | after | invalidates
    is_joining: bool = False  #: a cluster newcomer that has not settled yet: not counted

    @property
    def counts(self) -> bool:
        return self.kind is EdgeKind.HARD and not self.is_joining


class HoldScope(StrEnum):
    EVERYTHING = "everything"
    DEPLOYMENT = "deployment"
    NODE = "node"
    NODE_ROLE = "node-role"


@dataclass(frozen=True, slots=True)
class Hold:
    scope: HoldScope
    subject_id: int  #: 0 for everything
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """An admission limit: how many runs may be under way at once."""

    name: str
    limit: int
    used: int


class RoleBook(Protocol):
    """The roles in force in one deployment."""

    def role(self, name: RoleName) -> Role: ...

    def output_source(self, attribute: str) -> RoleName | None:
        """The role that puts this output out, or None if it is a layered attribute."""
        ...


class Values(Protocol):
    """Layered attributes, as `domain.attribute` resolves them."""

    def value(self, node_role: NodeRole, attribute: str) -> Any:
        """The resolved value, or `MISSING`."""
        ...

    # What follows changes this working set only, for `plan`.

    def set_value(
        self, scope: AttributeScope, subject_id: int, name: str, value: Any, *, profile: str = ""
    ) -> None: ...
    def clear_value(
        self, scope: AttributeScope, subject_id: int, name: str, *, profile: str = ""
    ) -> None: ...
    def attach_profiles(
        self, scope: AttributeScope, subject_id: int, profiles: tuple[str, ...]
    ) -> None: ...


class _Missing:
    """No value anywhere; not the same as null."""

    def __repr__(self) -> str:
        return "MISSING"


class _Unknown:
    """While planning: an output that a run will put out."""

    def __repr__(self) -> str:
        return "UNKNOWN"


MISSING = _Missing()
UNKNOWN = _Unknown()


def _no_outputs(node_role: NodeRole) -> Mapping[str, Any]:
    raise LookupError(f"the outputs of node-role {node_role.id} were not loaded")


@dataclass
class Graph:
    books: dict[DeploymentId, RoleBook]
    values: Values
    ancestry: Mapping[DeploymentId, tuple[DeploymentId, ...]]  #: the deployment, then outwards
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    node_roles: dict[NodeRoleId, NodeRole] = field(default_factory=dict)
    #: all of them, with how many hard ones are unsettled kept in `NodeRole.unmet`
    parents: defaultdict[NodeRoleId, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    #: those within this working set; the engine carries a change on to the others
    children: defaultdict[NodeRoleId, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    on_node: defaultdict[NodeId, list[NodeRoleId]] = field(
        default_factory=lambda: defaultdict(list)
    )
    focus: set[NodeRoleId] = field(default_factory=set)  #: whose parents are all here
    runs: dict[RunId, Run] = field(default_factory=dict)  #: open ones
    node_runs: defaultdict[NodeId, list[RunId]] = field(default_factory=lambda: defaultdict(list))
    holds: dict[tuple[HoldScope, int], Hold] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    wakes: dict[tuple[RunId, str], Any] = field(default_factory=dict)  #: came; not consumed yet
    given_wakes: dict[RunId, Any] = field(default_factory=dict)  #: what its worker was woken with
    read_outputs: Callable[[NodeRole], Mapping[str, Any]] = _no_outputs
    is_whole: bool = (
        False  #: while planning: holds all children, so edges across units are followed
    )
    is_calm: bool = False  #: while planning: a `when` on an unknown output says no
    # -- what the rules did ----------------------------------------------------------------------
    original: dict[NodeRoleId, NodeRole] = field(default_factory=dict)
    touched: set[NodeRoleId] = field(default_factory=set)  #: children must look at them again
    changed_nodes: set[NodeId] = field(default_factory=set)
    changed_runs: set[RunId] = field(default_factory=set)
    joined: list[Edge] = field(default_factory=list)  #: newcomers' edges that count from now on
    new_holds: list[Hold] = field(default_factory=list)
    consumed_wakes: list[tuple[RunId, str]] = field(default_factory=list)
    newly_given: list[tuple[RunId, datetime]] = field(default_factory=list)  #: of given_wakes
    events: list[Event] = field(default_factory=list)

    # -- filling -----------------------------------------------------------------------------------

    def add(self, node_role: NodeRole, *, in_focus: bool) -> None:
        self.node_roles[node_role.id] = node_role
        if in_focus:
            self.focus.add(node_role.id)
            if node_role.node_id is not None:
                self.on_node[node_role.node_id].append(node_role.id)

    def add_edge(self, edge: Edge) -> None:
        self.parents[edge.child].append(edge)
        self.children[edge.parent].append(edge)

    def add_run(self, run: Run) -> None:
        self.runs[run.id] = run
        if run.node_id is not None:
            self.node_runs[run.node_id].append(run.id)

    # -- reading -----------------------------------------------------------------------------------

    def role_of(self, node_role: NodeRole) -> Role:
        return self.books[node_role.deployment_id].role(node_role.role)

    def is_barrier(self, node_role: NodeRole) -> bool:
        """The one vertex behind all peers of a cluster role."""
        return node_role.node_id is None and self.role_of(node_role).scope is Scope.CLUSTER

    def may_destroy(self, node_role: NodeRole) -> bool:
        """Whether it needs a confirmation. A barrier does no work, so it never does."""
        return self.role_of(node_role).is_destructive and not self.is_barrier(node_role)

    def hard_parents(self, node_role_id: NodeRoleId) -> Iterable[NodeRole]:
        for edge in self.parents[node_role_id]:
            if edge.counts:
                yield self.node_roles[edge.parent]

    def unsettled_soft_parents(self, node_role_id: NodeRoleId) -> Iterable[NodeRole]:
        for edge in self.parents[node_role_id]:
            if edge.kind is EdgeKind.SOFT:
                parent = self.node_roles[edge.parent]
                if not parent.is_settled:
                    yield parent

    def open_runs(self, node_id: NodeId) -> list[Run]:
        return [run for item in self.node_runs[node_id] if (run := self.runs[item]).is_open]

    def run_of(self, node_role: NodeRole) -> Run | None:
        return self.runs.get(node_role.run_id) if node_role.run_id is not None else None

    def lanes(self, node_id: NodeId) -> dict[Lane, Run]:
        return {lane: run for run in self.open_runs(node_id) for lane in run.occupied}

    def hold_on(self, node_role: NodeRole) -> Hold | None:
        """The nearest hold over the vertex."""
        return next(self.all_holds_on(node_role), None) if self.holds else None

    def hold_around(self, deployment_id: DeploymentId, node_id: NodeId | None) -> Hold | None:
        """The nearest hold over the node, or over the deployment where there is no node."""
        return next(self._holds_around(deployment_id, node_id), None) if self.holds else None

    def all_holds_on(self, node_role: NodeRole) -> Iterator[Hold]:
        own = self.holds.get((HoldScope.NODE_ROLE, node_role.id))
        if own is not None:
            yield own
        yield from self._holds_around(node_role.deployment_id, node_role.node_id)

    def all_holds_around(self, node_role: NodeRole) -> Iterator[Hold]:
        """Those that keep the node's power cycle from starting."""
        if node_role.node_id is not None:
            node = self.nodes[node_role.node_id]
            yield from self._holds_around(node.deployment_id, node.id)

    def _holds_around(self, deployment_id: DeploymentId, node_id: NodeId | None) -> Iterator[Hold]:
        keys: list[tuple[HoldScope, int]] = []
        if node_id is not None:
            keys.append((HoldScope.NODE, node_id))
        keys += [(HoldScope.DEPLOYMENT, item) for item in self.ancestry[deployment_id]]
        keys.append((HoldScope.EVERYTHING, 0))
        yield from (self.holds[key] for key in keys if key in self.holds)

    # -- writing -----------------------------------------------------------------------------------

    def put(self, node_role: NodeRole) -> NodeRole:
        current = self.node_roles[node_role.id]
        self.original.setdefault(node_role.id, current)
        self.node_roles[node_role.id] = node_role
        return node_role

    def put_node(self, node: Node) -> None:
        self.nodes[node.id] = node
        self.changed_nodes.add(node.id)

    def put_run(self, run: Run) -> Run:
        if run.id not in self.runs:
            self.add_run(run)
        self.runs[run.id] = run
        self.changed_runs.add(run.id)
        return run

    def join(self, edge: Edge) -> None:
        """Count a newcomer's edge from now on."""
        counted = replace(edge, is_joining=False)
        for edges in (self.parents[edge.child], self.children[edge.parent]):
            edges[edges.index(edge)] = counted
        self.joined.append(counted)

    def emit(
        self,
        kind: str,
        at: datetime,
        *,
        node_role: NodeRole | None = None,
        node_id: NodeId | None = None,
        **data: Any,
    ) -> None:
        if node_role is None:
            self.events.append(Event(kind=kind, at=at, node_id=node_id, data=data))
        else:
            self.events.append(
                Event(
                    kind=kind,
                    at=at,
                    node_id=node_role.node_id,
                    node_role_id=node_role.id,
                    run_id=node_role.run_id,
                    deployment_id=node_role.deployment_id,
                    data={"role": node_role.role, **data},
                )
            )
