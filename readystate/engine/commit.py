"""Propose, plan, commit (design.md section 4.6). A plan touches nothing; a commit takes the plan's
digest and refuses when what the plan rests on has moved."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime

from readystate.domain.catalog import Catalog
from readystate.domain.deployment import (
    AttachProfiles,
    AttributeScope,
    Bind,
    ClearAttribute,
    Confirm,
    Deployment,
    Proposal,
    ProposalState,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
    UseCatalog,
)
from readystate.domain.digest import known_part, read_input
from readystate.domain.errors import Conflict
from readystate.domain.events import Event
from readystate.domain.graph import Edge, Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId
from readystate.domain.node_role import NodeRole
from readystate.domain.plan import Plan
from readystate.engine.draft import Draft, draft_proposal
from readystate.engine.forecast import forecast
from readystate.engine.plan_report import report_plan, shown_within
from readystate.engine.propagation import Propagation, look_at_all
from readystate.engine.scope import deployments_inside
from readystate.ports.store import Reader, Transaction, Unit, UnitKind

#: Gives the catalog of a version; the same object for the same version.
CatalogOf = Callable[[str], Catalog]

_COUNTERS = frozenset({"unmet", "stuck_parents"})


@dataclass(frozen=True)
class _Cone:
    """What a proposal can reach."""

    units: frozenset[Unit]
    deployments: tuple[Deployment, ...]
    catalogs: Mapping[DeploymentId, Catalog]
    rests_on: frozenset[NodeRoleId]  #: what the plan's digest covers of what is there


def plan_proposal(reader: Reader, proposal: Proposal, catalog_of: CatalogOf, now: datetime) -> Plan:
    """Everything the proposal would do. Raises Conflict where it cannot be committed at all."""
    cone = _cone_of(reader, proposal, catalog_of)

    def drafted(graph: Graph) -> Draft:
        return draft_proposal(graph, proposal, cone.catalogs, cone.deployments, now, proposal.by)

    graph = reader.load(cone.units)
    facts = _facts(graph, cone.rests_on)
    shown = drafted(graph)
    calm = forecast(drafted(reader.load(cone.units)).graph, now, calm=True)
    stormy = forecast(drafted(reader.load(cone.units)).graph, now, calm=False)
    covered = cone.rests_on | set(shown.created)
    plan = report_plan(shown, calm, stormy, cone.deployments)
    told = shown_within(plan, shown.graph, cone.deployments, covered)
    return replace(plan, digest=_digest(proposal, cone, shown, facts, told))


def commit_proposal(
    tx: Transaction,
    proposal: Proposal,
    catalog_of: CatalogOf,
    now: datetime,
    *,
    by: str,
    digest: str | None,
) -> Plan:
    """Write the proposal's changes down; what follows from them is the annealer's. `digest` None
    commits whatever the plan is now (for callers that are themselves the intent, as enroll is)."""
    if proposal.state is not ProposalState.OPEN:
        raise Conflict(f"proposal {proposal.id} is {proposal.state}")
    plan = plan_proposal(tx, proposal, catalog_of, now)
    if digest is not None and digest != plan.digest:
        raise Conflict(
            f"proposal {proposal.id}: the plan has moved since it was shown",
            why=f"its digest is {plan.digest} now, not {digest}",
            hint="look at the new plan, then commit its digest",
        )
    write_proposal(tx, proposal, catalog_of, now, by=by)
    done = replace(
        proposal, state=ProposalState.COMMITTED, committed_at=now, plan=plan_document(plan)
    )
    tx.save_proposal(done)
    tx.append(
        Event(
            kind="proposal.committed",
            at=now,
            deployment_id=proposal.deployment_id,
            actor=by,
            data={"proposal": proposal.id, "title": proposal.title, "digest": plan.digest},
        )
    )
    return plan


def draft_only(reader: Reader, proposal: Proposal, catalog_of: CatalogOf, now: datetime) -> Draft:
    """The proposal applied in memory. Raises Conflict where it cannot be committed at all."""
    cone = _cone_of(reader, proposal, catalog_of)
    graph = reader.load(cone.units)
    return draft_proposal(graph, proposal, cone.catalogs, cone.deployments, now, proposal.by)


def write_proposal(
    tx: Transaction, proposal: Proposal, catalog_of: CatalogOf, now: datetime, *, by: str
) -> None:
    """Apply the changes without planning: for bulk use by callers that have planned already."""
    cone = _cone_of(tx, proposal, catalog_of)
    graph = tx.load(cone.units)
    draft = draft_proposal(graph, proposal, cone.catalogs, cone.deployments, now, by)
    _write_values(tx, proposal)
    tx.remove_node_roles(draft.removed)
    real = _write_created(tx, draft)
    changed = {
        item: (before, draft.graph.node_roles[item])
        for item, before in graph.original.items()
        if item > 0
    }

    def apply(loaded: Graph) -> Iterable[NodeRoleId]:
        """What the draft changed on vertices that were there before, on freshly loaded ones."""
        for item in changed.keys() & loaded.focus:
            before, after = changed.pop(item)
            loaded.put(_drafted_on(loaded.node_roles[item], before, after))
        loaded.touched |= draft.graph.touched & loaded.focus
        return look_at_all(loaded)

    units = set(cone.units) | set(tx.units_of(real.values()).values())
    Propagation(tx, now, actor=by).carry(units, apply)
    if changed:
        raise RuntimeError(f"the draft changed node-roles outside its cone: {sorted(changed)}")


def _drafted_on(loaded: NodeRole, before: NodeRole, after: NodeRole) -> NodeRole:
    """The draft's change on a vertex as it is now: units before it may have moved its counters
    since, and nothing else, so these are moved by as much as the draft moved them."""
    changes = {
        item.name: getattr(after, item.name)
        for item in fields(NodeRole)
        if getattr(after, item.name) != getattr(before, item.name)
    }
    for name in _COUNTERS & changes.keys():
        changes[name] = getattr(loaded, name) + getattr(after, name) - getattr(before, name)
    return loaded.changed(**changes)


def _write_created(tx: Transaction, draft: Draft) -> dict[NodeRoleId, NodeRoleId]:
    """Insert new vertices and edges; returns the real ids of the drafted ones."""
    drafted = [draft.graph.node_roles[item] for item in draft.created]
    stored = tx.add_node_roles(drafted)
    real = {old.id: new.id for old, new in zip(drafted, stored, strict=True)}
    tx.add_edges(
        [
            Edge(
                real.get(edge.parent, edge.parent),
                real.get(edge.child, edge.child),
                edge.kind,
                edge.reason,
                edge.is_joining,
            )
            for edge in draft.new_edges
        ]
    )
    return real


def _write_values(tx: Transaction, proposal: Proposal) -> None:
    for change in proposal.changes:
        match change:
            case SetAttribute(scope, subject_id, name, value, profile):
                tx.set_attribute(scope, subject_id, name, value, profile=profile)
            case ClearAttribute(scope, subject_id, name, profile):
                tx.clear_attribute(scope, subject_id, name, profile=profile)
            case AttachProfiles(scope, subject_id, profiles):
                tx.attach_profiles(scope, subject_id, profiles)
            case UseCatalog(version):
                tx.use_catalog(proposal.deployment_id, version)
            case _:
                continue


def plan_document(plan: Plan) -> dict[str, object]:
    """The plan as JSON, as it is kept with the committed proposal."""
    document: dict[str, object] = json.loads(json.dumps(asdict(plan), default=str))
    return document


# -- what a proposal can reach ---------------------------------------------------------------------


def _cone_of(reader: Reader, proposal: Proposal, catalog_of: CatalogOf) -> _Cone:
    deployments = tuple(reader.deployments())
    catalogs = {item.id: catalog_of(item.catalog_version) for item in deployments}
    for change in proposal.changes:
        if isinstance(change, UseCatalog):
            catalogs[proposal.deployment_id] = catalog_of(change.version)
    nodes, vertices, places = _named_places(reader, proposal, deployments)
    units = {Unit(UnitKind.NODE, item) for item in nodes}
    units |= {Unit(UnitKind.VERTEX, item) for item in vertices}
    affected = _rooted_at(reader, units)
    below = reader.hard_descendants(affected)
    units |= set(reader.units_of(below).values())
    context = {Unit(UnitKind.VERTEX, item) for item in reader.vertices(places)}
    return _Cone(frozenset(units | context), deployments, catalogs, frozenset(affected | below))


def _rooted_at(reader: Reader, units: Collection[Unit]) -> set[NodeRoleId]:
    found: set[NodeRoleId] = set()
    for unit in units:
        if unit.kind is UnitKind.VERTEX:
            found.add(NodeRoleId(unit.id))
    nodes = [NodeId(unit.id) for unit in units if unit.kind is UnitKind.NODE]
    return found | reader.node_roles_on(nodes)


def _named_places(
    reader: Reader, proposal: Proposal, deployments: Collection[Deployment]
) -> tuple[set[NodeId], set[NodeRoleId], set[DeploymentId]]:
    """Nodes and vertices that the changes name, and the deployments where binding looks."""
    parents = {item.id: item.parent_id for item in deployments}
    nodes: set[NodeId] = set()
    vertices: set[NodeRoleId] = set()
    places = {proposal.deployment_id}
    named = {
        change.node_role_id
        for change in proposal.changes
        if isinstance(change, Unbind | Recall | Recommit | Confirm)
    }
    for item, unit in reader.units_of(named).items():
        if unit.kind is UnitKind.NODE:
            nodes.add(NodeId(unit.id))
        else:
            vertices.add(item)
    for change in proposal.changes:
        match change:
            case Bind(_, node_id) if node_id is not None:
                nodes.add(node_id)
            case SetAttribute() | ClearAttribute() | AttachProfiles() | UseCatalog():
                _add_scope(reader, proposal, change, nodes, vertices)
            case _:
                continue
    places |= reader.deployments_of(nodes)
    for place in list(places):
        while (above := parents[place]) is not None:
            place = above
            places.add(place)
    return nodes, vertices, places


def _add_scope(
    reader: Reader,
    proposal: Proposal,
    change: SetAttribute | ClearAttribute | AttachProfiles | UseCatalog,
    nodes: set[NodeId],
    vertices: set[NodeRoleId],
) -> None:
    """Everything on which a value set at that place is in force."""
    if isinstance(change, UseCatalog):
        scope, subject_id = AttributeScope.DEPLOYMENT, int(proposal.deployment_id)
    else:
        scope, subject_id = change.scope, change.subject_id
    match scope:
        case AttributeScope.NODE:
            nodes.add(NodeId(subject_id))
        case AttributeScope.NODE_ROLE:
            item = NodeRoleId(subject_id)
            unit = reader.units_of({item})[item]
            if unit.kind is UnitKind.NODE:
                nodes.add(NodeId(unit.id))
            else:
                vertices.add(item)
        case AttributeScope.DEPLOYMENT:
            inside = deployments_inside(reader, DeploymentId(subject_id))
            nodes |= reader.node_ids_in(inside)
            vertices |= reader.vertices(inside)
        case AttributeScope.PROFILE:
            profile = "" if isinstance(change, UseCatalog | AttachProfiles) else change.profile
            for place, place_id in reader.attached_to(profile):
                _add_scope(reader, proposal, AttachProfiles(place, place_id, ()), nodes, vertices)


# -- the digest ------------------------------------------------------------------------------------


def _digest(
    proposal: Proposal,
    cone: _Cone,
    shown: Draft,
    facts: Sequence[object],
    told: Mapping[str, object],
) -> str:
    """Over intent; over what it rests on inside the cone; and over what was shown of the cone: new
    work with what is known of its input, runs, destructive steps with their disks, reboots. Not
    attempts, leases, times, or other nodes."""
    graph = shown.graph
    created = sorted(
        [item.role, item.node_id or 0, item.deployment_id, known_part(graph, item)]
        for item in (graph.node_roles[it] for it in shown.created)
    )
    places = {proposal.deployment_id} | {
        graph.node_roles[item].deployment_id
        for item in (*cone.rests_on, *shown.created)
        if item in graph.node_roles
    }
    versions = sorted(
        [item.id, item.catalog_version] for item in cone.deployments if item.id in places
    )
    intent = sorted(
        json.dumps([type(change).__name__, asdict(change)], sort_keys=True, default=str)
        for change in proposal.changes
    )
    canonical = json.dumps(
        [intent, proposal.wipe_any, versions, facts, created, told],
        separators=(",", ":"),
        sort_keys=True,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:24]


def _facts(graph: Graph, rests_on: Collection[NodeRoleId]) -> list[list[object]]:
    """Of what is there before the change: settledness, input and running run."""
    return [
        [
            item,
            node_role.is_settled,
            node_role.is_committed,
            read_input(graph, node_role).digest if node_role.unmet == 0 else None,
            known_part(graph, node_role),
            node_role.run_id,
        ]
        for item in sorted(rests_on)
        if (node_role := graph.node_roles.get(item)) is not None
    ]
