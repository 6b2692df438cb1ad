"""What a worker is told: one attempt with its frozen input."""

from collections.abc import Mapping
from typing import Any

from readystate.domain.digest import read_input
from readystate.domain.graph import Graph
from readystate.domain.node import Node
from readystate.domain.role_data import script_input
from readystate.domain.run import Run
from readystate.domain.secret import Secret
from readystate.ports.jig import NodeView, Ticket


def ticket_for(graph: Graph, run: Run, values: Mapping[str, Any]) -> Ticket | None:
    """The ticket of a role's run; None for an action on a node."""
    if run.node_role_id is None:
        return None
    node_role = graph.node_roles[run.node_role_id]
    role = graph.role_of(node_role)
    confirmation = node_role.confirmation
    given = script_input(role, values)
    return Ticket(
        node_role_id=node_role.id,
        fence=run.fence,
        role=role.name,
        jig=role.jig,
        argument=role.argument,
        node=node_view(graph.nodes[run.node_id]) if run.node_id is not None else None,
        input={name: it for name, it in given.items() if not isinstance(it, Secret)},
        secrets={name: it for name, it in given.items() if isinstance(it, Secret)},
        deadline_s=role.deadline_s,
        wake=graph.given_wakes.get(run.id),
        confirmed_disks=confirmation.disks if confirmation else (),
        wipe_any=confirmation.wipe_any if confirmation else False,
    )


def frozen_input(graph: Graph, run: Run, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The input as frozen at the start; secrets are never recorded, so they are read anew."""
    if run.node_role_id is None:
        return recorded
    now = read_input(graph, graph.node_roles[run.node_role_id]).values
    secrets = {name: value for name, value in now.items() if isinstance(value, Secret)}
    return {**recorded, **secrets}


def node_view(node: Node) -> NodeView:
    return NodeView(
        id=node.id,
        name=node.name,
        uuid=node.uuid,
        serial=node.serial,
        macs=node.macs,
        admin_address=node.admin_address,
        ssh_port=node.ssh_port,
        ssh_host_key=node.ssh_host_key,
    )
