"""Bind roles to nodes: find or create every node-role that a role needs, add the edges with their
reason (design.md section 4.2). Pure: works on a `Graph`; new vertices get negative ids, which the
store replaces when the change is committed. Idempotent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from readystate.domain.catalog import Catalog
from readystate.domain.errors import Conflict
from readystate.domain.graph import Edge, EdgeKind, Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName
from readystate.domain.node_role import NodeRole, NodeRoleState, Verb
from readystate.domain.role import Role, Scope

_SoftOrder = Mapping[RoleName, Mapping[RoleName, str]]


@dataclass(frozen=True)
class Candidate:
    """One place that was looked at for a required role, for `explain bind`."""

    place: str
    role: RoleName
    taken: bool
    why: str


@dataclass
class Binder:
    """Binds within one graph. `reserved` are cluster roles that some node binds on purpose."""

    graph: Graph
    catalogs: Mapping[DeploymentId, Catalog]
    deployment_names: Mapping[DeploymentId, str]
    now: datetime
    reserved: set[tuple[DeploymentId, RoleName]] = field(default_factory=set)
    created: list[NodeRoleId] = field(default_factory=list)
    new_edges: list[Edge] = field(default_factory=list)
    trace: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_place: dict[tuple[RoleName, NodeId | None, DeploymentId], NodeRoleId] = {}
        self._on_node: dict[tuple[RoleName, NodeId], NodeRoleId] = {}
        for node_role in self.graph.node_roles.values():
            self._index(node_role)
        self._in_conflict = {
            name
            for catalog in {id(item): item for item in self.catalogs.values()}.values()
            for role in catalog.roles.values()
            if role.conflicts
            for name in (role.name, *role.conflicts)
        }
        self._soft: dict[DeploymentId, tuple[_SoftOrder, _SoftOrder]] = {}
        self._next_id = min([0, *self.graph.node_roles]) - 1
        self._had_barrier = {
            key for key, item in self._by_place.items() if key[1] is None and item > 0
        }

    def reserve(self, name: RoleName, deployment_id: DeploymentId) -> None:
        """Say beforehand that a cluster role is bound on purpose, so that the order in which nodes
        are bound does not decide who becomes a peer."""
        if self.catalogs[deployment_id].role(name).scope is Scope.CLUSTER:
            self.reserved.add((deployment_id, name))

    def bind(
        self, name: RoleName, *, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> NodeRoleId:
        """The vertex of `name` at that place, created with all that it needs if it is absent."""
        role = self.catalogs[deployment_id].role(name)
        if role.scope is Scope.DEPLOYMENT:
            found = self._in_deployments((role,), deployment_id)
            return found if found is not None else self._create(role, None, deployment_id)
        if node_id is None:
            raise Conflict(
                f"{name} cannot be bound to deployment {self.deployment_names[deployment_id]}",
                why=f"its scope is {role.scope}",
                hint="bind it to nodes",
            )
        existing = self._on_node.get((name, node_id))
        if existing is not None:
            return existing
        return self._create(role, node_id, deployment_id)

    def complete(self, item: NodeRoleId) -> None:
        """What an existing vertex needs and has lost meanwhile: a parent may have been unbound
        while the vertex was recalled."""
        vertex = self.graph.node_roles[item]
        catalog = self.catalogs[vertex.deployment_id]
        bound = {
            self.graph.node_roles[edge.parent].role
            for edge in self.graph.parents[item]
            if edge.kind is EdgeKind.HARD
        }
        for need in catalog.parents(vertex.role):
            if not bound.intersection(catalog.providers(need.name)):
                for parent in self._need(need.name, vertex.node_id, vertex.deployment_id):
                    self._add_edge(Edge(parent, item, EdgeKind.HARD, need.reason))

    def finish(self) -> None:
        """Commit what was created and give it the counters that its parents imply now; existing
        children of new edges are changed in the working set, for the rules to carry on."""
        graph = self.graph
        counted: set[NodeRoleId] = set()
        for item in self.created:
            self._count(item, counted)
        for edge in self.new_edges:
            if edge.counts and edge.child not in counted:
                child, parent = graph.node_roles[edge.child], self._before(edge.parent)
                graph.put(count_parent(child, parent, 1))

    def _count(self, item: NodeRoleId, counted: set[NodeRoleId]) -> None:
        if item in counted or item > 0:
            return
        counted.add(item)
        graph = self.graph
        unmet = stuck = 0
        for edge in graph.parents[item]:
            if edge.counts:
                self._count(edge.parent, counted)
                parent = self._before(edge.parent)
                unmet += not parent.is_settled
                stuck += parent.holds_back
        vertex = graph.node_roles[item]
        graph.node_roles[item] = vertex.after(
            Verb.COMMIT,
            self.now,
            unmet=vertex.unmet + unmet,
            stuck_parents=vertex.stuck_parents + stuck,
        )

    def _before(self, item: NodeRoleId) -> NodeRole:
        """A parent as it was before the change: the rules tell its children what it became."""
        return self.graph.original.get(item, self.graph.node_roles[item])

    # -- finding -----------------------------------------------------------------------------------

    def _need(
        self, name: RoleName, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> list[NodeRoleId]:
        """The vertices that satisfy a requirement on `name`: same node, then the deployment, then
        its ancestors, else created. A cluster role gives its barrier, and this node's own peer."""
        catalog = self.catalogs[deployment_id]
        options = [catalog.role(item) for item in catalog.providers(name)]
        cluster = next((item for item in options if item.scope is Scope.CLUSTER), None)
        if cluster is not None:
            return self._need_cluster(cluster, node_id, deployment_id)
        if node_id is not None:
            for option in options:
                found = self._on_node.get((option.name, node_id))
                self._note("same node", option, found)
                if found is not None:
                    return [found]
        found = self._in_deployments(options, deployment_id)
        if found is not None:
            return [found]
        choice = catalog.choice(name)
        if choice is None:
            raise Conflict(
                f"{name} has several providers and none is bound",
                why=", ".join(item.name for item in options),
                hint="bind the one that you want first",
            )
        role = catalog.role(choice)
        self.trace.append(Candidate("created", role.name, True, "nothing bound provides it"))
        place = None if role.scope is Scope.DEPLOYMENT else node_id
        if role.scope is Scope.NODE and node_id is None:
            raise Conflict(
                f"{name} is required by a deployment role but is bound node by node",
                why="a deployment role cannot rest on one node's role",
                hint=f"make {name} a cluster role",
            )
        return [self._create(role, place, deployment_id)]

    def _need_cluster(
        self, role: Role, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> list[NodeRoleId]:
        own = self._on_node.get((role.name, node_id)) if node_id is not None else None
        barrier_at = next(
            (
                place
                for place in self.graph.ancestry[deployment_id]
                if (role.name, None, place) in self._had_barrier
                or (place, role.name) in self.reserved
            ),
            None,
        )
        if own is None and barrier_at is None and node_id is not None:
            own = self._create(role, node_id, deployment_id)
        barrier = self._barrier(role, barrier_at or deployment_id)
        return [barrier] if own is None else [barrier, own]

    def _in_deployments(
        self, options: Iterable[Role], deployment_id: DeploymentId
    ) -> NodeRoleId | None:
        for place in self.graph.ancestry[deployment_id]:
            for option in options:
                if option.scope is Scope.NODE:
                    continue
                found = self._by_place.get((option.name, None, place))
                self._note(f"deployment {self.deployment_names.get(place, place)}", option, found)
                if found is not None:
                    return found
        return None

    def _note(self, place: str, role: Role, found: NodeRoleId | None) -> None:
        why = "bound here" if found is not None else "not bound here"
        self.trace.append(Candidate(place, role.name, found is not None, why))

    # -- creating ----------------------------------------------------------------------------------

    def _create(
        self, role: Role, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> NodeRoleId:
        self._refuse_conflicts(role, node_id)
        catalog = self.catalogs[deployment_id]
        needed: dict[NodeRoleId, str] = {}
        for need in catalog.parents(role.name):
            for parent in self._need(need.name, node_id, deployment_id):
                needed.setdefault(parent, need.reason)
        item = self._add_vertex(role, node_id, deployment_id)
        for parent, reason in needed.items():
            self._add_edge(Edge(parent, item, EdgeKind.HARD, reason))
        if node_id is not None:
            self._order_softly(role, item, node_id, deployment_id)
        if role.scope is Scope.CLUSTER:
            self._join_barrier(role, item, deployment_id)
        return item

    def _add_vertex(
        self, role: Role, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> NodeRoleId:
        item = NodeRoleId(self._next_id)
        self._next_id -= 1
        vertex = NodeRole(item, role.name, deployment_id, node_id, since=self.now)
        self.graph.add(vertex, in_focus=True)
        self._index(vertex)
        self.created.append(item)
        return item

    def _add_edge(self, edge: Edge) -> None:
        if any(known.parent == edge.parent for known in self.graph.parents[edge.child]):
            return
        self.graph.add_edge(edge)
        self.new_edges.append(edge)

    def _order_softly(
        self, role: Role, item: NodeRoleId, node_id: NodeId, deployment_id: DeploymentId
    ) -> None:
        before, behind = self._soft_order(deployment_id)
        for name, reason in before[role.name].items():
            parent = self._on_node.get((name, node_id))
            if parent is not None and parent != item:
                self._add_edge(Edge(parent, item, EdgeKind.SOFT, reason))
        for name, reason in behind[role.name].items():
            child = self._on_node.get((name, node_id))
            if child is not None and child != item:
                self._add_edge(Edge(item, child, EdgeKind.SOFT, reason))

    def _soft_order(self, deployment_id: DeploymentId) -> tuple[_SoftOrder, _SoftOrder]:
        """Soft parents and soft children of each role, with the reason; read once a deployment."""
        known = self._soft.get(deployment_id)
        if known is None:
            catalog = self.catalogs[deployment_id]
            before = {
                name: {item.name: item.reason for item in catalog.soft_parents(name)}
                for name in catalog.roles
            }
            behind: dict[RoleName, dict[RoleName, str]] = {name: {} for name in catalog.roles}
            for name, parents in before.items():
                for parent, reason in parents.items():
                    behind[parent][name] = reason
            known = self._soft[deployment_id] = (before, behind)
        return known

    def _barrier(self, role: Role, deployment_id: DeploymentId) -> NodeRoleId:
        found = self._by_place.get((role.name, None, deployment_id))
        if found is not None:
            return found
        return self._add_vertex(role, None, deployment_id)

    def _join_barrier(self, role: Role, item: NodeRoleId, deployment_id: DeploymentId) -> None:
        """Members stay settled until the newcomer settles: its edge counts only from then on. What
        the newcomer's node has behind the barrier waits for its own peer as well."""
        barrier = self.graph.node_roles[self._barrier(role, deployment_id)]
        is_joining = barrier.state is NodeRoleState.ACTIVE
        self._add_edge(Edge(item, barrier.id, EdgeKind.HARD, "cluster", is_joining=is_joining))
        node_id = self.graph.node_roles[item].node_id
        for edge in list(self.graph.children[barrier.id]):
            if self.graph.node_roles[edge.child].node_id == node_id is not None:
                self._add_edge(Edge(item, edge.child, EdgeKind.HARD, edge.reason))

    def _refuse_conflicts(self, role: Role, node_id: NodeId | None) -> None:
        if node_id is None or role.name not in self._in_conflict:
            return
        for item in self.graph.on_node[node_id]:
            other = self.graph.role_of(self.graph.node_roles[item])
            if other.name in role.conflicts or role.name in other.conflicts:
                raise Conflict(
                    f"{role.name} cannot be bound to {self.graph.nodes[node_id].name}",
                    why=f"it conflicts with {other.name}, which is bound there",
                    hint=f"unbind {other.name} first",
                )

    def _index(self, node_role: NodeRole) -> None:
        place = (node_role.role, node_role.node_id, node_role.deployment_id)
        self._by_place[place] = node_role.id
        if node_role.node_id is not None:
            self._on_node[node_role.role, node_role.node_id] = node_role.id


def count_parent(child: NodeRole, parent: NodeRole, sign: int) -> NodeRole:
    """`child` with its counters moved for an edge from `parent` that begins (1) or ends (-1)."""
    return child.changed(
        unmet=child.unmet + sign * (not parent.is_settled),
        stuck_parents=child.stuck_parents + sign * parent.holds_back,
    )
