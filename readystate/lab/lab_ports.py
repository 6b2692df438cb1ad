"""Which network and ports a lab may use here, found by really binding them.

Ports below 1024 need permission on most systems, and a service of this machine may hold a port on
every address; both are met with a high port. Two labs never share a network: each keeps a claim,
a bound socket that the kernel frees when the lab ends, however it ends."""

import errno
import socket
from dataclasses import dataclass

from readystate.domain.errors import Conflict
from readystate.lab.rack_plan import LabPorts, parse_network

#: Well-known port, and the high one that stands for it.
_IPMI = (623, 6230)
_REDFISH = (443, 4430)
_SSH = (22, 2222)
#: Tried in this order unless a network is asked for; each takes two.
_NETWORKS = tuple(f"127.{second}" for second in range(32, 96, 2))
_CLAIM_PORT = 62300
#: The claim's place in both of a lab's /16, where no machine is.
_CLAIM_OFFSETS = (0xFFFE, 0x1FFFE)


@dataclass
class NetworkClaim:
    """Held as long as the lab runs."""

    network: str
    _sockets: tuple[socket.socket, ...]

    def release(self) -> None:
        for held in self._sockets:
            held.close()


def claim_network(network: str | None = None) -> NetworkClaim:
    """Claim this network, or the first free one. Raises Conflict, and BadRequest for nonsense."""
    for candidate in (network,) if network is not None else _NETWORKS:
        claim = _try_claim(candidate)
        if claim is not None:
            return claim
    if network is None:
        raise Conflict("no network is free for a lab", why=f"{len(_NETWORKS)} labs run already")
    raise Conflict(
        f"the network {network} is in use",
        why="another lab has its machines there",
        hint="choose another one with --network, or end that lab: readystate lab down",
    )


def _try_claim(network: str) -> NetworkClaim | None:
    first = parse_network(network)
    held: list[socket.socket] = []
    for offset in _CLAIM_OFFSETS:
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held.append(claim)
        try:
            claim.bind((str(first + offset), _CLAIM_PORT))
        except OSError as error:
            for item in held:
                item.close()
            if error.errno == errno.EADDRINUSE:
                return None
            raise
    return NetworkClaim(network, tuple(held))


def find_ports(network: str) -> LabPorts:
    """Well-known ports where they may be bound on this network, else high ones. Raises Conflict
    when neither can be had."""
    address = str(parse_network(network) + 1)
    return LabPorts(
        ipmi=_first_free(address, _IPMI, socket.SOCK_DGRAM, "IPMI"),
        redfish=_first_free(address, _REDFISH, socket.SOCK_STREAM, "Redfish"),
        ssh=_first_free(address, _SSH, socket.SOCK_STREAM, "ssh"),
    )


def _first_free(
    address: str, ports: tuple[int, ...], kind: socket.SocketKind, protocol: str
) -> int:
    why = ""
    for port in ports:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                # as the listeners do: what a lab before this one left in TIME_WAIT is no hindrance
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                why = error.strerror or str(error)
            else:
                return port
    raise Conflict(
        f"no port for {protocol} on {address}",
        why=f"tried {' and '.join(map(str, ports))}: {why.lower()}",
        hint="free one of them, or choose other addresses with --network",
    )
