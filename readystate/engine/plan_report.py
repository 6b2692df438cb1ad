"""Put what two forecasts counted into the words of a plan."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from readystate.domain.deployment import Deployment
from readystate.domain.digest import read_input
from readystate.domain.graph import Graph
from readystate.domain.ids import DeploymentId, NodeRoleId
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.plan import Certainty, DestructiveStep, Place, Plan, PlannedRun
from readystate.engine.draft import Draft
from readystate.engine.forecast import Forecast


def report_plan(
    draft: Draft,
    calm: Forecast,
    stormy: Forecast,
    deployments: Collection[Deployment],
) -> Plan:
    """All but the digest."""
    namer = _Namer(draft.graph, {item.id: item.name for item in deployments})
    runs = tuple(
        PlannedRun(
            place=namer.place(item),
            certainty=Certainty.CERTAIN
            if min(calm.runs[item], stormy.runs[item]) > 0
            else Certainty.POSSIBLE,
            is_new=draft.graph.node_roles[item].digest is None,
            count=max(calm.runs[item], stormy.runs[item]),
        )
        for item in sorted({*calm.runs, *stormy.runs}, key=namer.sort_key)
    )
    nodes = {*calm.reboots, *stormy.reboots}
    reboots = {
        draft.graph.nodes[node_id].name: (
            min(calm.reboots[node_id], stormy.reboots[node_id]),
            max(calm.reboots[node_id], stormy.reboots[node_id]),
        )
        for node_id in sorted(nodes)
    }
    return Plan(
        added=namer.places(draft.created),
        removed=tuple(namer.place_of(item) for item in draft.removed.values()),
        recalled=namer.places(draft.recalled),
        runs=runs,
        destructive=_destructive(draft, calm, stormy, namer),
        drifted=namer.places(
            item
            for item in sorted(draft.graph.focus)
            if is_drifted(draft.graph, item) and item not in draft.confirmed
        ),
        waits_for_person=namer.places(calm.left),
        reboots=reboots,
        digest="",
        is_exact=calm.known and stormy.known,
    )


def shown_within(
    plan: Plan,
    graph: Graph,
    deployments: Collection[Deployment],
    covered: AbstractSet[NodeRoleId],
) -> dict[str, object]:
    """The part of a plan that its digest answers for: what it tells of these node-roles, and of
    nodes that bear no others. The rest may go on while a person reads."""
    namer = _Namer(graph, {item.id: item.name for item in deployments})
    inside = {namer.place(item) for item in covered if item in graph.node_roles}
    nodes = {
        graph.nodes[node_id].name
        for node_id, items in graph.on_node.items()
        if items and covered >= set(items)
    }
    return {
        "runs": [
            [str(item.place), item.certainty, item.count]
            for item in plan.runs
            if item.place in inside
        ],
        "destructive": [
            [str(item.place), item.is_confirmed, list(item.disks), item.wipe_any]
            for item in plan.destructive
            if item.place in inside
        ],
        "reboots": {name: list(span) for name, span in plan.reboots.items() if name in nodes},
    }


def is_drifted(graph: Graph, item: NodeRoleId) -> bool:
    """Destructive work that is done with other wants than now. Derived, never stored."""
    node_role = graph.node_roles[item]
    return (
        node_role.state is NodeRoleState.ACTIVE
        and node_role.is_settled
        and node_role.unmet == 0
        and graph.may_destroy(node_role)
        and read_input(graph, node_role).digest != node_role.digest
    )


def _destructive(
    draft: Draft, calm: Forecast, stormy: Forecast, namer: "_Namer"
) -> tuple[DestructiveStep, ...]:
    """Those that run, may run, or run once a person has seen to what they wait for; not those that
    `when` will skip, unless the proposal names them."""
    graph = draft.graph
    steps = []
    waiting = {*calm.left, *stormy.left}.intersection(draft.confirmed)
    for item in sorted({*calm.runs, *stormy.runs, *waiting, *draft.asked}, key=namer.sort_key):
        node_role = graph.node_roles[item]
        if not graph.may_destroy(node_role):
            continue
        confirmation = node_role.confirmation
        steps.append(
            DestructiveStep(
                place=namer.place(item),
                is_confirmed=confirmation is not None,
                disks=confirmation.disks if confirmation else (),
                wipe_any=confirmation.wipe_any if confirmation else False,
                why=_why_confirmed(draft, item),
            )
        )
    return tuple(steps)


def _why_confirmed(draft: Draft, item: NodeRoleId) -> str:
    node_role = draft.graph.node_roles[item]
    if node_role.confirmation is not None and item not in draft.confirmed:
        return "confirmed before"
    return "new" if node_role.digest is None else "asked for"


class _Namer:
    def __init__(self, graph: Graph, deployments: Mapping[DeploymentId, str]) -> None:
        self.graph = graph
        self.deployments = deployments

    def place(self, item: NodeRoleId) -> Place:
        return self.place_of(self.graph.node_roles[item])

    def place_of(self, node_role: NodeRole) -> Place:
        node = self.graph.nodes[node_role.node_id].name if node_role.node_id is not None else ""
        return Place(node_role.role, node, self.deployments[node_role.deployment_id])

    def places(self, items: Iterable[NodeRoleId]) -> tuple[Place, ...]:
        return tuple(self.place(item) for item in items)

    def sort_key(self, item: NodeRoleId) -> tuple[str, str, str]:
        place = self.place(item)
        return (place.deployment, place.node, place.role)
