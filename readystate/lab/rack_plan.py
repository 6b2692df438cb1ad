"""What a virtual rack consists of, before anything runs: machines, addresses, ports. The same
arguments give the same rack."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from readystate.domain.declaration import did_you_mean
from readystate.domain.errors import BadRequest
from readystate.domain.secret import Secret
from readystate.lab.hardware import Hardware
from readystate.lab.hardware_model import MODELS, make_hardware

#: Three that speak Redfish and IPMI, one that speaks IPMI alone.
MIXED = ("dell", "hpe", "supermicro", "generic-ipmi")
LOOPBACK = IPv4Network("127.0.0.0/8")
#: Last octets 1 to 250 are used: no address looks like a network's own or its broadcast.
_IN_A_ROW = 250
MOST_MACHINES = 255 * _IN_A_ROW


@dataclass(frozen=True)
class LabPorts:
    """Where everything in one lab listens, each on its own address."""

    ipmi: int = 623
    redfish: int = 443
    ssh: int = 22


@dataclass(frozen=True)
class PlannedMachine:
    number: int  #: from 1, in the order of BMC addresses
    hardware: Hardware
    bmc_address: str
    ssh_address: str


@dataclass(frozen=True)
class BmcLogin:
    """What every BMC of the rack takes."""

    username: str
    password: Secret


@dataclass(frozen=True)
class RackPlan:
    network: str  #: `127.32`: BMCs are in this /16, the machines' ssh in the next one
    machines: tuple[PlannedMachine, ...]
    ports: LabPorts
    login: BmcLogin
    pace: float = 1.0  #: multiplies every delay of the machines

    @property
    def bmc_range(self) -> str:
        """As a scan wants it."""
        return f"{self.machines[0].bmc_address}-{self.machines[-1].bmc_address}"


def plan_rack(
    count: int,
    *,
    network: str,
    ports: LabPorts,
    login: BmcLogin,
    personalities: Sequence[str] = MIXED,
    pace: float = 1.0,
    seed: int = 0,
) -> RackPlan:
    """A rack of `count` machines, the personalities in turn. Raises BadRequest."""
    if not 1 <= count <= MOST_MACHINES:
        raise BadRequest(
            f"a rack of {count} machines cannot be made", hint=f"ask for 1 to {MOST_MACHINES:,}"
        )
    for name in personalities:
        if name not in MODELS:
            raise BadRequest(
                f"no personality is called {name!r}",
                hint=did_you_mean(name, MODELS, else_hint=f"there are: {', '.join(MODELS)}"),
            )
    first = parse_network(network)
    machines = tuple(
        PlannedMachine(
            number=number,
            hardware=make_hardware(
                MODELS[personalities[(number - 1) % len(personalities)]], number, seed=seed
            ),
            bmc_address=str(first + _offset(number)),
            ssh_address=str(first + 2**16 + _offset(number)),
        )
        for number in range(1, count + 1)
    )
    return RackPlan(network, machines, ports, login, pace)


def parse_network(text: str) -> IPv4Address:
    """The first address of `127.32`. Raises BadRequest for what is not two octets below 127."""
    octets = text.split(".")
    if len(octets) == 2 and all(octet.isascii() and octet.isdigit() for octet in octets):
        head, second = map(int, octets)
        if head == 127 and 1 <= second <= 253:  # 127.0 is everyone's, and two are needed
            return IPv4Address(f"127.{second}.0.0")
    raise BadRequest(
        f"{text!r} is no network for a lab",
        why="a lab lives on the loopback interface, in two neighbouring /16",
        hint="write 127.32 (or another second number, 1 to 253)",
    )


def _offset(number: int) -> int:
    row, place = divmod(number - 1, _IN_A_ROW)
    return row * 256 + place + 1
