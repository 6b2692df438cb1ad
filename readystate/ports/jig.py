"""What carries out a node-role. Jigs block in a worker thread for the time of one piece of work and
never for a wait: a long wait is `Pending`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from readystate.domain.ids import NodeId, NodeRoleId
from readystate.domain.outcome import CheckOutcome, Json, Outcome
from readystate.domain.secret import Secret
from readystate.ports.boot_services import BootServices
from readystate.ports.hammer import BmcEndpoint, Hammers


@dataclass(frozen=True)
class NodeView:
    """The node as the work sees it."""

    id: NodeId
    name: str
    uuid: str | None
    serial: str | None
    macs: tuple[str, ...]
    admin_address: str | None  #: where ssh answers, without prefix length
    ssh_port: int
    ssh_host_key: str | None  #: pinned public key line, None until the first trusted boot


@dataclass(frozen=True)
class Ticket:
    """One attempt with its frozen input. `fence` never repeats for a node-role."""

    node_role_id: NodeRoleId
    fence: int
    role: str
    jig: str  #: `call`, `script`, `noop`
    argument: str  #: the jig's argument: function or script name
    node: NodeView | None  #: None for a deployment-scope role
    input: Mapping[str, Json]  #: resolved wants by short name (`Want.short_name`)
    secrets: Mapping[str, Secret]  #: secret wants, apart so that they are never stored or logged
    deadline_s: float
    wake: Mapping[str, Json] | None = None  #: payload of the wake that a Pending waited for
    confirmed_disks: tuple[str, ...] = ()  #: serials seen when the destruction was confirmed
    wipe_any: bool = False  #: the proposal said `wipe: any`


class RunContext(Protocol):
    """What a running jig may reach. Bound to one ticket; refuses when the ticket is outdated."""

    def log(self, line: str) -> None:
        """Append to the run's log, visible at once."""
        ...

    def progress(self, text: str) -> None:
        """What the node is doing now, in a few words, for the live view."""
        ...

    def record_effect(self) -> None:
        """Commit that the irreversible act begins now: the point of no return of a destructive
        role; the instant at which its epochs (`raises`) move. Once per attempt; again is a no-op.
        Raises Stopped when this attempt may no longer act."""
        ...

    def check_stopped(self) -> None:
        """Raises Stopped when the run was cancelled or its lease is lost."""
        ...

    def endpoints(self) -> tuple[BmcEndpoint, ...]:
        """BMC endpoints with the credential sets to try, best first."""
        ...

    def hammers(self) -> Hammers: ...

    def boot(self) -> BootServices: ...

    def remember(self, facts: Mapping[str, Json]) -> None:
        """Store identity facts of the node: `uuid`, `serial`, `macs`, `admin_address`, `ssh_port`,
        `ssh_host_key`, `bmc` (proven protocols with credential names; the others are kept),
        `vendor`, `model`, `boot_id`. A changed `boot_id` moves the reboot epoch, a changed uuid or
        serial the hardware-change epoch."""
        ...


class Jig(Protocol):
    def run(self, ticket: Ticket, context: RunContext) -> Outcome: ...

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        """Read only: is the work in place? With the outputs it would have given."""
        ...

    def stop(self, ticket: Ticket, context: RunContext) -> None:
        """End what an attempt whose worker is gone may still be doing. Idempotent."""
        ...
