"""The store: one writer, many readers, and working sets of the graph (design.md section 5).

`write` runs a function in one transaction under the one writer lock (SQLite: BEGIN IMMEDIATE in the
one writer thread; PostgreSQL: an advisory transaction lock), so whatever it read stays true until
it commits. It commits when the function returns and rolls back when it raises. Everything that
changes state writes its event in the same transaction."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Protocol, TypeVar

from readystate.domain.deployment import AttributeScope, Deployment, Proposal
from readystate.domain.errors import ReadystateError
from readystate.domain.events import Event
from readystate.domain.graph import Edge, Gate, Graph, Hold, HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RunId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole
from readystate.domain.run import Run
from readystate.domain.secret import Secret

T = TypeVar("T")


class UnitKind(StrEnum):
    NODE = "node"  #: a node with all its node-roles
    VERTEX = "vertex"  #: one vertex that has no node


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is looked at together."""

    kind: UnitKind
    id: int  #: of the node or the node-role


class StoreError(ReadystateError):
    """The database failed or cannot be reached; nothing of the transaction was written."""


class Extent(Enum):
    """Which node-roles of a node are loaded in focus. (A vertex without a node always is.)"""

    WHOLE = "whole"
    #: those that are not settled: nothing follows for the others while no epoch and no value moves
    UNSETTLED = "unsettled"
    NONE = "none"  #: the node and its open runs alone


@dataclass(frozen=True, slots=True)
class AgendaEntry:
    unit: Unit
    due_at: datetime
    gate: str | None = None  #: waits for this admission gate since `due_at`


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run with what people want to read of it."""

    run: Run
    role: str
    node: str
    input: Mapping[str, Any]
    outcome: str  #: "" while open; succeeded | staged | failed | deferred | cancelled | released
    error_family: str
    error_message: str
    finished_at: datetime | None
    hammers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CredentialSet:
    name: str
    deployment_id: DeploymentId
    username: str
    password: Secret
    position: int  #: tried in this order


class Reader(Protocol):
    """All reads of one consistent snapshot."""

    # -- the graph ---------------------------------------------------------------------------------

    def load(self, units: Collection[Unit], extent: Extent = Extent.WHOLE) -> Graph:
        """The neighbourhood of `units`: their node-roles (of that extent) in focus with all parent
        edges; parents outside as they are (not in focus), and for those that are barriers, if a
        want reads through them, the peers behind; nodes, open runs, holds around, wakes, layered
        values; outputs are parsed only when read. A bounded number of queries, whatever the
        number of units."""
        ...

    def cross_edges(self, parents: Collection[NodeRoleId]) -> list[Edge]:
        """Edges from `parents` to children in other units."""
        ...

    def units_of(self, node_roles: Collection[NodeRoleId]) -> dict[NodeRoleId, Unit]: ...

    def vertices(self, deployments: Collection[DeploymentId]) -> set[NodeRoleId]:
        """Those without a node, in exactly these deployments."""
        ...

    def node_roles_on(self, nodes: Collection[NodeId]) -> set[NodeRoleId]: ...
    def node_ids_in(self, deployments: Collection[DeploymentId]) -> set[NodeId]: ...
    def deployments_of(self, nodes: Collection[NodeId]) -> set[DeploymentId]: ...
    def attached_to(self, profile: str) -> list[tuple[AttributeScope, int]]:
        """Where a profile is attached: deployments and nodes."""
        ...

    def hard_descendants(self, node_roles: Collection[NodeRoleId]) -> set[NodeRoleId]:
        """All below, over units (a recursive query)."""
        ...

    def hard_ancestors(self, node_roles: Collection[NodeRoleId]) -> set[NodeRoleId]: ...

    def full_gates(self) -> dict[str, Gate]:
        """Admission gates that something waits for: nothing more gets through now. A graph that is
        loaded to be shown needs them, for it to tell what the annealer saw."""
        ...

    def compare_counters(self) -> list[str]:
        """The slow reconciler: node-roles whose counters do not agree with their edges, one
        sentence each. Reads the whole graph; a difference is a bug."""
        ...

    # -- nouns -------------------------------------------------------------------------------------

    def deployment(self, name_or_id: str | DeploymentId) -> Deployment:
        """Raises NotFound."""
        ...

    def deployments(self) -> list[Deployment]: ...
    def node(self, name_or_id: str | NodeId) -> Node:
        """Raises NotFound."""
        ...

    def find_node_by_identity(
        self, *, uuid: str | None, serial: str | None, macs: Collection[str]
    ) -> Node | None:
        """By SMBIOS UUID, then serial, then any MAC."""
        ...

    def nodes_with_bmc(self, addresses: Collection[str]) -> dict[str, str]:
        """BMC address -> node name, for those that belong to a node."""
        ...

    def nodes(
        self, *, deployment: DeploymentId | None = None, after: int = 0, limit: int = 1000
    ) -> list[Node]: ...
    def node_role(self, node_role_id: NodeRoleId) -> NodeRole: ...
    def find_node_role(
        self, role: str, *, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> NodeRole | None: ...
    def node_roles(
        self,
        *,
        node_id: NodeId | None = None,
        deployment_id: DeploymentId | None = None,
        role: str | None = None,
        state: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[NodeRole]: ...
    def state_counts(self, deployment_id: DeploymentId | None = None) -> dict[str, int]:
        """Node-roles by state (`stale` apart from `active` and `skipped`), for anneal status."""
        ...

    def edges_among(self, node_roles: Collection[NodeRoleId]) -> list[Edge]: ...
    def run(self, run_id: RunId) -> RunRecord: ...
    def runs(
        self,
        *,
        node_id: NodeId | None = None,
        node_role_id: NodeRoleId | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """Newest first."""
        ...

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 1000,
        kinds: Collection[str] = (),
        node_id: NodeId | None = None,
    ) -> list[tuple[int, Event]]:
        """In order of id; ids have no meaning but their order."""
        ...

    def last_event_id(self) -> int: ...
    def holds(self) -> list[Hold]: ...
    def attribute_layers(
        self, scope: AttributeScope, subject_id: int, *, profile: str = ""
    ) -> dict[str, Any]:
        """Values set at exactly that place, by attribute name; secrets as Secret."""
        ...

    def profiles_of(self, scope: AttributeScope, subject_id: int) -> tuple[str, ...]: ...
    def proposal(self, proposal_id: int) -> Proposal: ...
    def proposals(self, *, deployment_id: DeploymentId | None = None) -> list[Proposal]: ...
    def credentials(self, deployment_id: DeploymentId) -> list[CredentialSet]:
        """Of the deployment and its ancestors, nearest first, then by position."""
        ...

    def catalog_files(self, version: str) -> dict[str, str]:
        """The annotation texts of one catalog by file name. Raises NotFound."""
        ...

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """Small keyed JSON documents of adapters and services (boot plans, sightings ...)."""
        ...

    def documents(self, kind: str) -> dict[str, dict[str, Any]]: ...


class Transaction(Reader, Protocol):
    """A write transaction. Sees its own writes."""

    def save(self, graph: Graph) -> None:
        """Write what the rules changed (`original`, `changed_nodes`, `changed_runs`, `joined`,
        `new_holds`, `consumed_wakes`, then `newly_given`), keep `run_lanes` equal to what the open
        runs occupy, and append `graph.events`."""
        ...

    def move_counters(
        self, children: Collection[NodeRoleId], *, unmet: int, stuck: int
    ) -> set[NodeRoleId]:
        """Add to `unmet` and `stuck_parents` of those of `children` from whom nothing follows:
        blocked, with something unmet afterwards, and held back as before. Returns them; the others
        are left for the rules to look at."""
        ...

    def new_run_id(self) -> RunId: ...
    def record_input(self, run_id: RunId, values: Mapping[str, Any]) -> None: ...
    def record_outcome(
        self,
        run_id: RunId,
        *,
        outcome: str,
        error_family: str,
        error_message: str,
        hammers: Sequence[str],
        at: datetime,
    ) -> None: ...

    # -- the agenda --------------------------------------------------------------------------------

    def due(self, now: datetime, limit: int) -> list[AgendaEntry]:
        """Entries without a gate whose time has come, oldest first."""
        ...

    def waiting_for_gate(self, gate: str, limit: int) -> list[AgendaEntry]: ...
    def next_due(self) -> datetime | None: ...
    def schedule(self, entries: Iterable[AgendaEntry]) -> None:
        """Replace each unit's entry."""
        ...

    def wake_units(self, units: Iterable[Unit], at: datetime) -> None:
        """Make units due at `at` or sooner; an earlier time stays."""
        ...

    def drop_from_agenda(self, units: Iterable[Unit]) -> None: ...
    def working_runs(self) -> int:
        """Runs that have a worker now."""
        ...

    # -- changing nouns ----------------------------------------------------------------------------

    def add_deployment(
        self, name: str, parent_id: DeploymentId | None, catalog_version: str
    ) -> Deployment:
        """Raises Conflict if the name is taken."""
        ...

    def use_catalog(self, deployment_id: DeploymentId, version: str) -> None: ...
    def add_catalog(self, version: str, files: Mapping[str, str]) -> None:
        """Idempotent."""
        ...

    def add_node(self, node: Node) -> Node:
        """Stored with a new id (the given one is ignored). Raises Conflict on name or identity."""
        ...

    def add_node_roles(self, node_roles: Sequence[NodeRole]) -> list[NodeRole]:
        """Stored with new ids, in order; fast for hundreds of thousands."""
        ...

    def add_edges(self, edges: Sequence[Edge]) -> None: ...
    def remove_edges(self, edges: Sequence[Edge]) -> None: ...
    def remove_node_roles(self, node_roles: Collection[NodeRoleId]) -> None:
        """With their edges, holds and agenda entries; their runs and events stay."""
        ...

    def add_wake(self, run_id: RunId, name: str, payload: Mapping[str, Any], at: datetime) -> None:
        """One that comes early counts; the same name again replaces it."""
        ...

    def add_hold(self, hold: Hold) -> None: ...
    def remove_hold(self, scope: HoldScope, subject_id: int) -> None: ...
    def set_attribute(
        self, scope: AttributeScope, subject_id: int, name: str, value: Any, *, profile: str = ""
    ) -> None: ...
    def clear_attribute(
        self, scope: AttributeScope, subject_id: int, name: str, *, profile: str = ""
    ) -> None: ...
    def attach_profiles(
        self, scope: AttributeScope, subject_id: int, profiles: Sequence[str]
    ) -> None: ...
    def add_proposal(self, proposal: Proposal) -> Proposal: ...
    def save_proposal(self, proposal: Proposal) -> None: ...
    def put_credentials(self, credentials: CredentialSet) -> None: ...
    def put_document(self, kind: str, key: str, value: Mapping[str, Any]) -> None: ...
    def remove_document(self, kind: str, key: str) -> None: ...
    def claim_address(self, network: str, node_id: NodeId, candidates: Iterable[str]) -> str:
        """The node's address on the network: the one it has, else the first free candidate. One
        address has one holder, by constraint. Raises Conflict when none is free."""
        ...

    def renew_leases(self, owner: str, run_ids: Collection[RunId], until: datetime) -> None: ...
    def void_leases(self, owner: str, now: datetime) -> None:
        """End at `now` every lease that is not `owner`'s, and make those units due."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call when this transaction has committed, on the writer thread; not if it rolls back."""
        ...

    def append(self, event: Event) -> int:
        """Write one event; returns its id."""
        ...


class Store(Protocol):
    def write(self, change: Callable[[Transaction], T], *, kind: str) -> T:
        """`kind` names the sort of commit (`anneal`, `commit`, `effect`, `wake` ...)."""
        ...

    def read(self, query: Callable[[Reader], T]) -> T: ...
    def close(self) -> None: ...
