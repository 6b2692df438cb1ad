"""Direct control of one node from outside, split by capability (design.md section 6).

A hammer is bound to one BMC. All methods block for the time of one exchange (never of a wait) and
raise only the work families of `readystate.domain.errors`. Every command is read back before it
returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

from readystate.domain.inventory import Inventory
from readystate.domain.outcome import Json
from readystate.domain.power import BootDevice, BootMode, PowerState
from readystate.domain.secret import Secret


class Capability(StrEnum):
    POWER = "power"
    BOOT = "boot"
    IDENTIFY = "identify"
    INVENTORY = "inventory"
    BIOS = "bios"
    STORAGE = "storage"
    SENSORS = "sensors"
    EVENT_LOG = "event-log"


@dataclass(frozen=True)
class BmcEndpoint:
    """How to reach one BMC: what the engine hands to the registry."""

    address: str
    protocol: str  #: redfish | ipmi
    username: str
    password: Secret
    port: int | None = None  #: None = the protocol's own
    cipher_suite: int = 17  #: IPMI only; 3 is tried when the BMC does not offer 17
    vendor: str = ""  #: for quirks; "" = not known yet
    model: str = ""
    firmware: str = ""
    credential: str = ""  #: name of the credential set, for the record


@dataclass(frozen=True)
class SensorReading:
    name: str
    value: float | None  #: None = present but not readable now
    unit: str  #: C | RPM | W | V | A | %
    health: str = "ok"  #: ok | warning | critical


@dataclass(frozen=True)
class LogEntry:
    id: str
    at: datetime | None
    sensor: str
    message: str
    severity: str  #: ok | warning | critical


@dataclass(frozen=True)
class DriveState:
    id: str  #: unique on the controller
    name: str
    size_bytes: int
    serial: str
    media: str  #: SSD | HDD
    in_volume: bool


@dataclass(frozen=True)
class VolumeState:
    id: str
    name: str
    raid_type: str  #: RAID0 | RAID1 | RAID5 | RAID6 | RAID10
    drives: tuple[str, ...]  #: drive ids
    size_bytes: int


@dataclass(frozen=True)
class StorageState:
    controller: str
    drives: tuple[DriveState, ...]
    volumes: tuple[VolumeState, ...]
    pending: bool  #: a change waits for the next reset


@dataclass(frozen=True)
class BiosState:
    current: Mapping[str, Json]
    pending: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class BmcIdentity:
    """Enough to know a machine again and to choose quirks."""

    vendor: str  #: Dell | HPE | Supermicro | ... as normalised by the quirk tables
    model: str
    serial: str
    uuid: str
    firmware: str


@runtime_checkable
class PowerControl(Protocol):
    def read_power(self) -> PowerState: ...
    def power_on(self) -> None: ...
    def power_off(self, *, graceful: bool = False) -> None: ...
    def power_cycle(self) -> None:
        """Off, read back, on, read back. Starts a machine that is off."""
        ...

    def reset(self) -> None: ...
    def read_restart_cause(self) -> str: ...


@runtime_checkable
class BootControl(Protocol):
    def read_boot_override(self) -> tuple[BootDevice, bool]:
        """The device and whether it is persistent."""
        ...

    def set_boot_override(
        self, device: BootDevice, *, persistent: bool, mode: BootMode | None = None
    ) -> None:
        """Read back; raises Failed when the BMC forgets what it accepted."""
        ...


@runtime_checkable
class Identify(Protocol):
    def read_identity(self) -> BmcIdentity: ...
    def set_identify_light(self, *, on: bool) -> None: ...


@runtime_checkable
class InventoryReader(Protocol):
    def read_inventory(self) -> Inventory: ...


@runtime_checkable
class BiosControl(Protocol):
    def read_bios(self) -> BiosState: ...
    def stage_bios(self, settings: Mapping[str, Json]) -> None:
        """Make `settings` pending until the next reset, read back. Idempotent. `Invalid` names each
        attribute that the BMC's registry does not know or allow; nothing is staged then."""
        ...


@runtime_checkable
class StorageControl(Protocol):
    def read_storage(self) -> Sequence[StorageState]: ...
    def stage_volume(
        self, controller: str, *, name: str, raid_type: str, drives: Sequence[str]
    ) -> None: ...
    def stage_volume_removal(self, controller: str, volume_id: str) -> None: ...


@runtime_checkable
class SensorReader(Protocol):
    def read_sensors(self) -> Sequence[SensorReading]: ...


@runtime_checkable
class EventLogReader(Protocol):
    def read_log(self, *, limit: int = 200) -> Sequence[LogEntry]:
        """Newest first."""
        ...


CapabilityT = TypeVar("CapabilityT")


class Hammers(Protocol):
    """All hammers of one node. An action picks by capability, then priority (Redfish first)."""

    def pick(self, capability: type[CapabilityT]) -> CapabilityT:
        """The best hammer with that protocol. Raises Unsupported, naming what the node has."""
        ...

    def used(self) -> Sequence[str]:
        """Which hammers were picked so far, `redfish@127.0.1.7`, for the run's record."""
        ...


class HammerRegistry(Protocol):
    def hammers(self, endpoints: Sequence[BmcEndpoint]) -> Hammers:
        """Sessions are kept inside and shared between calls for the same endpoint."""
        ...

    def breaker_open_until(self, address: str) -> datetime | None:
        """While a BMC's circuit breaker is open: when it will be tried again."""
        ...

    def close(self) -> None: ...
