"""Telling a known node where its BMC is."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from readystate.domain.errors import Conflict
from readystate.domain.events import Event
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeId, NodeRoleId
from readystate.domain.node import BmcAccess
from readystate.engine.propagation import Propagation, look_at_all
from readystate.ports.store import Transaction, Unit, UnitKind


def add_bmc(tx: Transaction, node_id: NodeId, access: BmcAccess, now: datetime, *, by: str) -> None:
    """Another protocol of the node's BMC, or another address for one that it has: the credential is
    then proven anew. Raises Conflict when the address is another node's."""
    node = tx.node(node_id)
    owner = tx.nodes_with_bmc({access.address}).get(access.address, node.name)
    if owner != node.name:
        raise Conflict(
            f"the BMC at {access.address} belongs to {owner} already",
            hint=f"see `readystate nodes show {owner}`",
        )
    others = tuple(item for item in node.bmc if item.protocol != access.protocol)

    def change(graph: Graph) -> Iterable[NodeRoleId]:
        graph.put_node(replace(graph.nodes[node_id], bmc=(*others, access)))
        return look_at_all(graph)

    Propagation(tx, now, actor=by).carry([Unit(UnitKind.NODE, node_id)], change)
    data = {"protocol": access.protocol, "address": access.address}
    tx.append(Event(kind="node.bmc-set", at=now, node_id=node_id, actor=by, data=data))
