"""A machine that we bring to the ready state, and its counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from readystate.domain.ids import DeploymentId, NodeId
from readystate.domain.outcome import Json
from readystate.domain.role import Epoch


@dataclass(frozen=True, slots=True)
class Epochs:
    """Reboots, reinstalls and hardware changes so far; each only ever counts up."""

    reboot: int = 0
    reinstall: int = 0
    hardware_change: int = 0

    def of(self, epoch: Epoch) -> int:
        match epoch:
            case Epoch.REBOOT:
                return self.reboot
            case Epoch.REINSTALL:
                return self.reinstall
            case Epoch.HARDWARE_CHANGE:
                return self.hardware_change

    def moved(self, epochs: frozenset[Epoch]) -> "Epochs":
        return Epochs(
            self.reboot + (Epoch.REBOOT in epochs),
            self.reinstall + (Epoch.REINSTALL in epochs),
            self.hardware_change + (Epoch.HARDWARE_CHANGE in epochs),
        )


@dataclass(frozen=True, slots=True)
class BmcAccess:
    """One protocol of the node's BMC. The credential set is named, never contained."""

    protocol: str  #: redfish | ipmi
    address: str
    port: int | None = None  #: None = the protocol's own
    credential: str | None = None  #: name of the proven credential set; None = not proven yet


@dataclass(frozen=True, slots=True)
class Node:
    id: NodeId
    name: str
    deployment_id: DeploymentId
    epochs: Epochs = Epochs()
    is_available: bool = True  #: we may work on it; a person says so
    uuid: str | None = None
    serial: str | None = None
    vendor: str = ""
    model: str = ""
    macs: tuple[str, ...] = ()
    bmc: tuple[BmcAccess, ...] = ()
    admin_address: str | None = None  #: where ssh answers
    ssh_port: int = 22
    ssh_host_key: str | None = None  #: pinned; None until the first trusted boot
    boot_id: str | None = None  #: last seen; None = the next one seen is expected
    breaker_until: datetime | None = None  #: the BMC's circuit breaker is open until then
    labels: Mapping[str, Json] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What a destructive confirmation is bound to: the machine itself, not its name."""
        return f"{self.uuid or '-'}/{self.serial or '-'}"
