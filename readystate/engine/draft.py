"""Apply a proposal's changes to a working set, in memory: what `plan` forecasts and `commit` writes
down. The order in which changes stand in a proposal does not matter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from readystate.domain.binding import Binder, Candidate, count_parent
from readystate.domain.catalog import Catalog
from readystate.domain.deployment import (
    AttachProfiles,
    Bind,
    ClearAttribute,
    Confirm,
    Deployment,
    Proposal,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
)
from readystate.domain.digest import layered_verdict, sources
from readystate.domain.errors import Conflict
from readystate.domain.graph import Edge, EdgeKind, Graph
from readystate.domain.ids import DeploymentId, NodeRoleId
from readystate.domain.node_role import Confirmation, NodeRole, NodeRoleState, Verb

#: The output in which an inventory lists disks, each with its `serial`.
DISKS = "hardware/disks"


@dataclass
class Draft:
    """A working set with a proposal applied to it."""

    graph: Graph
    created: list[NodeRoleId] = field(default_factory=list)  #: negative ids, in creation order
    new_edges: list[Edge] = field(default_factory=list)
    removed: dict[NodeRoleId, NodeRole] = field(default_factory=dict)
    recalled: list[NodeRoleId] = field(default_factory=list)
    confirmed: list[NodeRoleId] = field(default_factory=list)
    asked: set[NodeRoleId] = field(default_factory=set)  #: confirmed by name in the proposal
    looked_at: list[Candidate] = field(default_factory=list)  #: for what is bound, in order


def seen_disks(graph: Graph, node_role: NodeRole) -> tuple[str, ...]:
    """Serials of the disks that a person can know of when confirming: those that the node-role
    wants to be told of and that somebody has put out already."""
    serials: list[str] = []
    for want in graph.role_of(node_role).wants:
        if want.attribute != DISKS:
            continue
        for source in sources(graph, node_role, want):
            found = graph.read_outputs(source).get(DISKS, ())
            serials += [str(disk["serial"]) for disk in found]
    return tuple(serials)


CONFIRMABLE = (NodeRoleState.BLOCKED, NodeRoleState.TODO, NodeRoleState.ACTIVE)


def give_confirmation(graph: Graph, item: NodeRoleId, give: Confirmation) -> None:
    """Raises Conflict for one that is neither blocked, to do nor active."""
    node_role = graph.node_roles[item]
    if node_role.state not in CONFIRMABLE:
        raise Conflict(
            f"{node_role.role} ({item}) cannot be confirmed",
            why=f"it is {node_role.state}",
            hint="confirm when it is blocked, to do or active; retry it when in error",
        )
    graph.put(replace(node_role, confirmation=replace(give, disks=seen_disks(graph, node_role))))


def draft_proposal(
    graph: Graph,
    proposal: Proposal,
    catalogs: Mapping[DeploymentId, Catalog],
    deployments: Sequence[Deployment],
    now: datetime,
    by: str,
) -> Draft:
    """Raises Conflict or InvalidTransition; the working set is spoilt then."""
    draft = Draft(graph)
    graph.books.update(catalogs)
    change_values(graph, proposal)
    _take_away(draft, proposal, now)
    _bind(draft, proposal, catalogs, deployments, now)
    give = Confirmation(by=by, at=now, wipe_any=proposal.wipe_any)
    for change in proposal.changes:
        if isinstance(change, Confirm):
            _confirm(draft, change.node_role_id, give)
        elif isinstance(change, Recommit):
            node_role = graph.node_roles[change.node_role_id]
            graph.put(node_role.after(Verb.COMMIT, now))
            _confirm_if_destructive(draft, change.node_role_id, give)
    for item in draft.created:
        _confirm_if_destructive(draft, item, give)
    return draft


def change_values(graph: Graph, proposal: Proposal) -> None:
    for change in proposal.changes:
        match change:
            case SetAttribute(scope, subject_id, name, value, profile):
                graph.values.set_value(scope, subject_id, name, value, profile=profile)
            case ClearAttribute(scope, subject_id, name, profile):
                graph.values.clear_value(scope, subject_id, name, profile=profile)
            case AttachProfiles(scope, subject_id, profiles):
                graph.values.attach_profiles(scope, subject_id, profiles)
            case _:
                continue


def _bind(
    draft: Draft,
    proposal: Proposal,
    catalogs: Mapping[DeploymentId, Catalog],
    deployments: Sequence[Deployment],
    now: datetime,
) -> None:
    graph = draft.graph
    binds = [change for change in proposal.changes if isinstance(change, Bind)]
    again = {change.node_role_id for change in proposal.changes if isinstance(change, Recommit)}
    if not binds and not again:
        return
    names = {item.id: item.name for item in deployments}
    binder = Binder(graph, catalogs, names, now)
    placed = [
        (
            change,
            graph.nodes[change.node_id].deployment_id
            if change.node_id is not None
            else proposal.deployment_id,
        )
        for change in binds
    ]
    for change, deployment_id in placed:
        binder.reserve(change.role, deployment_id)
    for change, deployment_id in sorted(
        placed, key=lambda item: (item[0].node_id or 0, item[0].role)
    ):
        binder.bind(change.role, node_id=change.node_id, deployment_id=deployment_id)
    for item in sorted(again):
        binder.complete(item)
    binder.finish()
    draft.created = binder.created
    draft.new_edges = binder.new_edges
    draft.looked_at = binder.trace


def _confirm(draft: Draft, item: NodeRoleId, give: Confirmation) -> None:
    graph = draft.graph
    node_role = graph.node_roles[item]
    if not graph.may_destroy(node_role):
        raise Conflict(f"{node_role.role} is not destructive", why="there is nothing to confirm")
    give_confirmation(graph, item, give)
    draft.confirmed.append(item)
    draft.asked.add(item)


def _confirm_if_destructive(draft: Draft, item: NodeRoleId, give: Confirmation) -> None:
    """Not what attributes switch off: the plan does not name it, and who switches it on asks."""
    graph = draft.graph
    node_role = graph.node_roles[item]
    if graph.may_destroy(node_role) and layered_verdict(graph, node_role):
        seen = replace(give, disks=seen_disks(graph, node_role))
        changed = replace(node_role, confirmation=seen)
        if item < 0:
            graph.node_roles[item] = changed
        else:
            graph.put(changed)
        draft.confirmed.append(item)


# -- taking away -----------------------------------------------------------------------------------


def _take_away(draft: Draft, proposal: Proposal, now: datetime) -> None:
    graph = draft.graph
    unbound = {it.node_role_id for it in proposal.changes if isinstance(it, Unbind)}
    recalled = {it.node_role_id for it in proposal.changes if isinstance(it, Recall)}
    for item in sorted(unbound | recalled):
        refuse_needed(graph, item, unbound | recalled)
    for item in sorted(recalled):
        graph.put(graph.node_roles[item].after(Verb.RECALL, now, is_stale=False, error=None))
        draft.recalled.append(item)
    for item in sorted(unbound):
        _unbind(draft, item)


def refuse_needed(graph: Graph, item: NodeRoleId, going: Iterable[NodeRoleId]) -> None:
    """Raises Conflict while a committed node-role outside the change needs `item`."""
    needing = [
        graph.node_roles[edge.child]
        for edge in graph.children[item]
        if edge.kind is EdgeKind.HARD and edge.child not in set(going)
    ]
    needing = [it for it in needing if it.is_committed and not graph.is_barrier(it)]
    if needing:
        raise Conflict(
            f"{graph.node_roles[item].role} ({item}) cannot be taken away",
            why="needed by " + ", ".join(f"{it.role} ({it.id})" for it in needing[:5]),
            hint="take these away in the same proposal",
        )


def _unbind(draft: Draft, item: NodeRoleId) -> None:
    graph = draft.graph
    node_role = graph.node_roles[item]
    node_role.check(Verb.UNBIND)
    draft.removed[item] = node_role
    for edge in list(graph.children[item]):
        graph.parents[edge.child].remove(edge)
        if edge.counts and edge.child not in draft.removed:
            child = graph.node_roles[edge.child]
            graph.put(count_parent(child, node_role, -1))
            graph.touched.add(edge.child)
    for edge in list(graph.parents[item]):
        graph.children[edge.parent].remove(edge)
    del graph.node_roles[item]
    graph.original.pop(item, None)
    graph.focus.discard(item)
    if node_role.node_id is not None:
        graph.on_node[node_role.node_id].remove(item)


def reads_attribute(graph: Graph, node_role: NodeRole, names: Iterable[str]) -> bool:
    """Whether a change of one of the attributes can change the node-role's input."""
    role = graph.role_of(node_role)
    wanted = {want.attribute for want in role.wants if want.source is None}
    wanted |= {name for name, _ in role.when}
    return not wanted.isdisjoint(names)
