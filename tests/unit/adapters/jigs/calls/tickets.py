"""Tickets of the shipped functions, for the tests beside this file."""

from dataclasses import replace
from typing import Any

from readystate.domain.ids import NodeId, NodeRoleId
from readystate.ports.jig import NodeView, Ticket

NODE = NodeView(
    id=NodeId(1),
    name="node-1",
    uuid=None,
    serial=None,
    macs=(),
    admin_address=None,
    ssh_port=22,
    ssh_host_key=None,
)


def ticket_of(role: str, given: dict[str, Any] | None = None, **changes: Any) -> Ticket:
    ticket = Ticket(NodeRoleId(1), 1, role, "call", role, NODE, given or {}, {}, 10.0)
    return replace(ticket, **changes)
