"""What is decided for the site or the deployment rather than done to a machine: services that nodes
are to use, and addresses on the admin network."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from readystate.domain.errors import Conflict, Invalid
from readystate.domain.ids import NodeId
from readystate.domain.outcome import CheckOutcome, Json, Outcome, Succeeded
from readystate.ports.jig import RunContext, Ticket

#: Keeps one address of a network for a node, of those offered: (network, node, candidates).
Claim = Callable[[str, NodeId, Iterable[str]], str]

ADMIN = "admin"


def declare_service(ticket: Ticket, context: RunContext) -> Outcome:
    """Put out what the site says about its service, for the clients to want."""
    del context
    return Succeeded(dict(ticket.input))


def check_service(ticket: Ticket, context: RunContext) -> CheckOutcome:
    del context
    return Succeeded(dict(ticket.input))


@dataclass(frozen=True)
class AddressAdmin:
    """Idempotent: a node keeps the address that it has, as long as the range holds it."""

    claim: Claim

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        return Succeeded(self._allocate(ticket, context))

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        return Succeeded(self._allocate(ticket, context))

    def _allocate(self, ticket: Ticket, context: RunContext) -> dict[str, Json]:
        node = ticket.node
        if node is None:
            raise Invalid("an address is allocated to a node")
        given = ticket.input["range"]
        network, candidates = admin_range(given)
        try:
            address = self.claim(ADMIN, node.id, candidates)
        except Conflict as error:
            raise Invalid(error.what, why=error.why, hint=error.hint) from error
        context.log(f"{address}/{network.prefixlen} on the admin network")
        return {
            "hostname": node.name,
            "address": address,
            "prefix_length": network.prefixlen,
            "gateway": given.get("gateway"),
            "mac": admin_mac(ticket.input["nics"]),
        }


def admin_range(given: Mapping[str, Json]) -> tuple[IPv4Network | IPv6Network, Iterable[str]]:
    """The network and its addresses, lowest first. Raises Invalid for a range not inside it."""
    try:
        network = ip_network(given["network"])
        first, last = ip_address(given["first"]), ip_address(given["last"])
    except ValueError as error:
        raise Invalid("network/admin/range cannot be read", why=str(error)) from error
    if first not in network or last not in network or int(first) > int(last):
        raise Invalid(
            "network/admin/range is not a range of its network",
            why=f"{first} to {last} in {network}",
        )
    make = type(first)
    return network, (str(make(number)) for number in range(int(first), int(last) + 1))


def admin_mac(nics: Sequence[Mapping[str, Json]]) -> str:
    """Of the first NIC with a link, in the order of the inventory; the first one if none tells."""
    if not nics:
        raise Invalid("the node has no NIC for the admin network")
    linked = next((nic for nic in nics if nic.get("link")), nics[0])
    return str(linked["mac"])
