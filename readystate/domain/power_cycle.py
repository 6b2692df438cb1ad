"""The power cycle that staged work of one node shares: what is staged, and when the cycle is due
(design.md section 4.3)."""

from readystate.domain.graph import Graph
from readystate.domain.ids import NodeId
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.role import Epoch, Reboot
from readystate.domain.run import Run, RunPhase


def is_staged(run: Run) -> bool:
    return run.phase in (RunPhase.STAGED, RunPhase.VERIFY, RunPhase.VERIFYING)


def cycle_is_due(graph: Graph, node_id: NodeId) -> bool:
    """Something is staged, and nothing else on the node can still stage."""
    node = graph.nodes[node_id]
    if not any(run.phase is RunPhase.STAGED for run in graph.open_runs(node.id)):
        return False
    if graph.hold_around(node.deployment_id, node.id) is not None or not node.is_available:
        return False
    return not any(
        can_still_stage(graph, graph.node_roles[item]) for item in graph.on_node[node.id]
    )


def can_still_stage(graph: Graph, node_role: NodeRole) -> bool:
    """Whether the power cycle should wait for this one."""
    role = graph.role_of(node_role)
    if role.reboot is not Reboot.SHARED or node_role.is_settled or node_role.holds_back:
        return False
    if node_role.state is NodeRoleState.TRANSITION:
        run = graph.run_of(node_role)
        return run is not None and not is_staged(run)
    return not _rests_on_reboot(graph, node_role)


def _rests_on_reboot(graph: Graph, node_role: NodeRole) -> bool:
    """An unsettled ancestor (hard, or delaying soft) reboots, or is on another node."""
    seen: set[int] = set()
    queue = [node_role]
    while queue:
        current = queue.pop()
        for parent in (
            *(item for item in graph.hard_parents(current.id) if not item.is_settled),
            *(item for item in graph.unsettled_soft_parents(current.id) if not item.holds_back),
        ):
            if parent.id in seen:
                continue
            seen.add(parent.id)
            if parent.node_id != node_role.node_id:
                return True
            if Epoch.REBOOT in graph.role_of(parent).raises:
                return True
            queue.append(parent)
    return False
