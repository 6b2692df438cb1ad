"""What must hold, whatever happened: looked at in the store, never in the engine's memory."""

from readystate.domain.blockers import blockers
from readystate.domain.graph import Graph
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.run import RunKind
from tests.property.world import World


def check_always(world: World) -> None:
    """After every commit."""
    problems = world.read(lambda reader: reader.compare_counters())

    assert problems == [], "\n".join([*problems, world.describe()])

    graph = world.whole_graph()
    for item in graph.focus:
        node_role = graph.node_roles[item]
        _check_state(world, graph, node_role)
    _check_lanes(world, graph)
    _check_points_of_no_return(world)


def _check_state(world: World, graph: Graph, node_role: NodeRole) -> None:
    state = node_role.state
    told = f"{node_role.role} ({node_role.id})\n{world.describe()}"
    if state is NodeRoleState.BLOCKED:
        assert node_role.unmet > 0, f"blocked with nothing unmet: {told}"
    if state is NodeRoleState.TODO:
        assert node_role.unmet == 0, f"to do with something unmet: {told}"
    if state is NodeRoleState.TRANSITION:
        run = graph.run_of(node_role)
        assert run is not None, f"in transition without a run: {told}"
        assert run.is_open, f"in transition with a run that is over: {told}"
        assert run.node_role_id == node_role.id, told
    else:
        assert node_role.run_id is None, f"a run left behind: {told}"
    if node_role.is_settled:
        assert not node_role.is_stuck, f"settled and stuck: {told}"
        assert node_role.unmet == 0, f"settled with something unmet: {told}"
        assert blockers(graph, node_role, world.clock.now()) == (), told
    elif state is not NodeRoleState.TODO:
        assert blockers(graph, node_role, world.clock.now()), f"no way to tell why: {told}"


def _check_lanes(world: World, graph: Graph) -> None:
    for node_id in world.nodes:
        taken = [lane for run in graph.open_runs(node_id) for lane in run.occupied]
        assert len(taken) == len(set(taken)), f"two runs in one lane\n{world.describe()}"
    by_vertex = [
        run.node_role_id for run in graph.runs.values() if run.is_open and run.kind is RunKind.ROLE
    ]
    assert len(by_vertex) == len(set(by_vertex)), "two open runs of one node-role"


def _check_points_of_no_return(world: World) -> None:
    for item, count in world.tally.points_of_no_return.items():
        given = world.tally.confirmations[item]
        assert count <= given, (
            f"node-role {item} passed its point of no return {count} times on {given} "
            f"confirmations\n{world.describe()}"
        )


def check_runnable(world: World) -> None:
    """When the annealer rests: what has no blocker has been started, and only that."""
    graph = world.whole_graph()
    working = sum(run.has_worker and run.lease_until is not None for run in graph.runs.values())
    full = working >= world.annealer.limits.workers
    for item in graph.focus:
        node_role = graph.node_roles[item]
        if node_role.state is NodeRoleState.TODO and not full:
            found = blockers(graph, node_role, world.clock.now())
            assert found, f"runnable but not started: {node_role.role}\n{world.describe()}"


def check_started(world: World, since: int) -> None:
    """Messages given to workers since: no run before every hard parent is settled."""
    graph = world.whole_graph()
    for message in world.dispatcher.started[since:]:
        ticket = message.ticket
        if ticket is None or message.kind.value != "run" or message.dispatch != 1:
            continue
        for parent in graph.hard_parents(ticket.node_role_id):
            assert parent.is_settled, (
                f"{ticket.role} started before {parent.role} was settled\n{world.describe()}"
            )


def check_quiet(world: World) -> None:
    """When nothing will move by itself: what is unsettled needs a person, and whatever is settled
    is really there."""
    graph = world.whole_graph()
    for item in sorted(graph.focus):
        node_role = graph.node_roles[item]
        if not node_role.is_settled:
            assert node_role.holds_back, (
                f"{node_role.role} ({item}) is stranded\n{world.describe()}"
            )
            continue
        if node_role.state is NodeRoleState.ACTIVE:
            _check_effect(world, graph, node_role)


def _check_effect(world: World, graph: Graph, node_role: NodeRole) -> None:
    role = world.role_of(node_role)
    if role.is_inline or world.is_barrier(node_role):
        return
    if node_role.node_id is None:
        assert node_role.id in world.deployment_effects, world.describe()
        return
    effects = world.physical[node_role.node_id].effects
    assert role.name in effects, (
        f"{role.name} is settled on node {node_role.node_id} but its effect is gone: "
        f"{effects}\n{world.describe()}"
    )
