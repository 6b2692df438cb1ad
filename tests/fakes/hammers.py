"""An honest fake of a BMC with every capability, a broken one, and the registry around them.

The fake keeps state and behaves as tests/contracts/hammer_contract.py demands of every hammer: what
is staged waits for the next boot, a one-shot override is spent by it, commands are read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from readystate.domain.errors import Failed, Invalid, Unsupported, WorkError
from readystate.domain.inventory import DiskFacts, Inventory, NicFacts
from readystate.domain.outcome import Json
from readystate.domain.power import BootDevice, BootMode, PowerState
from readystate.ports.hammer import (
    BiosState,
    BmcEndpoint,
    BmcIdentity,
    DriveState,
    LogEntry,
    SensorReading,
    StorageState,
    VolumeState,
)

CapabilityT = TypeVar("CapabilityT")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_inventory(number: int = 1) -> Inventory:
    return Inventory(
        uuid=f"4c4c4544-0000-1000-8000-{number:012x}",
        serial=f"FAKE{number:04d}",
        manufacturer="Fake Corp.",
        model="F-1",
        cpu_model="Fake CPU",
        cpu_sockets=2,
        cpu_cores=16,
        memory_bytes=64 * 2**30,
        bios_version="1.0",
        bmc_version="2.0",
        bmc_address=f"127.0.1.{number}",
        nics=(NicFacts("nic1", f"02:00:00:00:00:{number:02x}", speed_mbps=10000, link=True),),
        disks=(
            DiskFacts("bay1", 480 * 10**9, f"D{number}A"),
            DiskFacts("bay2", 480 * 10**9, f"D{number}B"),
        ),
    )


@dataclass
class FakeHammer:
    """All capabilities of one machine. Public fields are the machine's truth, for tests."""

    inventory: Inventory = field(default_factory=make_inventory)
    is_on: bool = False
    bios: dict[str, Json] = field(default_factory=lambda: {"BootMode": "Uefi", "NumLock": "On"})
    bios_pending: dict[str, Json] = field(default_factory=dict)
    volumes: list[VolumeState] = field(default_factory=list)
    volumes_pending: list[VolumeState] = field(default_factory=list)
    volumes_doomed: set[str] = field(default_factory=set)
    override: tuple[BootDevice, bool] = (BootDevice.NONE, False)
    light: bool = False
    log: list[LogEntry] = field(default_factory=list)
    boots: int = 0
    bios_writes: int = 0
    boot_order: list[BootDevice] = field(default_factory=list)  #: what each boot tried first
    lies_about_power: bool = False
    forgets_overrides: bool = False
    error: WorkError | None = None  #: raised by every call while set

    # -- power -----------------------------------------------------------------------------------

    def read_power(self) -> PowerState:
        self._check()
        return PowerState.ON if self.is_on and not self.lies_about_power else PowerState.OFF

    def power_on(self) -> None:
        if self.read_power() is PowerState.OFF:
            self._switch(on=True)

    def power_off(self, *, graceful: bool = False) -> None:
        del graceful
        if self.read_power() is PowerState.ON:
            self._switch(on=False)

    def power_cycle(self) -> None:
        self.power_off()
        self._switch(on=True)

    def reset(self) -> None:
        if self.read_power() is PowerState.OFF:
            raise Failed("fake: cannot reset", why="the machine is off")
        self._boot()

    def read_restart_cause(self) -> str:
        self._check()
        return "chassis-command" if self.boots else "unknown"

    def _switch(self, *, on: bool) -> None:
        self._check()
        if self.lies_about_power:
            if on:
                raise Failed("fake: cannot power on", why="accepted, but it still reports 'off'")
            return
        if self.is_on != on:
            self.is_on = on
            self._note("System Power", "Power on" if on else "Power off")
            if on:
                self._boot()

    def _boot(self) -> None:
        self.boots += 1
        self.boot_order.append(self.override[0])
        if not self.override[1]:
            self.override = (BootDevice.NONE, False)
        self.bios |= self.bios_pending
        self.bios_pending = {}
        kept = [item for item in self.volumes if item.id not in self.volumes_doomed]
        self.volumes = kept + self.volumes_pending
        self.volumes_pending, self.volumes_doomed = [], set()

    # -- boot ------------------------------------------------------------------------------------

    def read_boot_override(self) -> tuple[BootDevice, bool]:
        self._check()
        return self.override

    def set_boot_override(
        self, device: BootDevice, *, persistent: bool, mode: BootMode | None = None
    ) -> None:
        del mode
        self._check()
        wanted = (device, persistent and device is not BootDevice.NONE)
        if not self.forgets_overrides:
            self.override = wanted
        if self.override != wanted:
            raise Failed("fake: the BMC forgot the boot override")

    # -- identity --------------------------------------------------------------------------------

    def read_identity(self) -> BmcIdentity:
        self._check()
        facts = self.inventory
        return BmcIdentity("Fake", facts.model, facts.serial, facts.uuid, facts.bmc_version)

    def set_identify_light(self, *, on: bool) -> None:
        self._check()
        self.light = on

    def read_inventory(self) -> Inventory:
        self._check()
        return self.inventory

    # -- BIOS and storage ------------------------------------------------------------------------

    def read_bios(self) -> BiosState:
        self._check()
        return BiosState(dict(self.bios), dict(self.bios_pending))

    def stage_bios(self, settings: Mapping[str, Json]) -> None:
        self._check()
        unknown = sorted(settings.keys() - self.bios.keys())
        if unknown:
            raise Invalid("fake: BIOS settings refused", why=", ".join(unknown))
        will_be = {**self.bios, **self.bios_pending}
        changes = {name: value for name, value in settings.items() if will_be[name] != value}
        if changes:
            self.bios_writes += 1
            merged = {**self.bios_pending, **changes}
            self.bios_pending = {n: v for n, v in merged.items() if self.bios[n] != v}

    def read_storage(self) -> Sequence[StorageState]:
        self._check()
        used = {drive for volume in self.volumes for drive in volume.drives}
        drives = tuple(
            DriveState(disk.name, disk.name, disk.size_bytes, disk.serial, "SSD", disk.name in used)
            for disk in self.inventory.disks
        )
        pending = bool(self.volumes_pending or self.volumes_doomed)
        return (StorageState("raid1", drives, tuple(self.volumes), pending),)

    def stage_volume(
        self, controller: str, *, name: str, raid_type: str, drives: Sequence[str]
    ) -> None:
        state = self._controller(controller)
        known = {drive.id: drive for drive in state.drives}
        wanted = VolumeState(
            str(self.boots),
            name,
            raid_type,
            tuple(drives),
            known[drives[0]].size_bytes if drives and drives[0] in known else 0,
        )
        for volume in (*self.volumes, *self.volumes_pending):
            if replace(volume, id="") == replace(wanted, id=""):
                return
        kept = [it for it in self.volumes if it.id not in self.volumes_doomed]
        used = {item for it in (*kept, *self.volumes_pending) for item in it.drives}
        if not drives or any(item not in known or item in used for item in drives):
            raise Invalid("fake: cannot build a volume", why=", ".join(drives) or "no drives")
        self.volumes_pending.append(wanted)

    def stage_volume_removal(self, controller: str, volume_id: str) -> None:
        self._controller(controller)
        if any(volume.id == volume_id for volume in self.volumes):
            self.volumes_doomed.add(volume_id)

    def _controller(self, controller: str) -> StorageState:
        for state in self.read_storage():
            if state.controller == controller:
                return state
        raise Invalid(f"fake: no storage controller {controller!r}")

    # -- readings --------------------------------------------------------------------------------

    def read_sensors(self) -> Sequence[SensorReading]:
        self._check()
        return (SensorReading("CPU1 Temp", 40.0 if self.is_on else 20.0, "C"),)

    def read_log(self, *, limit: int = 200) -> Sequence[LogEntry]:
        self._check()
        return self.log[::-1][:limit]

    def _note(self, sensor: str, message: str) -> None:
        number = len(self.log) + 1
        at = EPOCH + timedelta(seconds=number)
        self.log.append(LogEntry(str(number), at, sensor, message, "ok"))

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


class BrokenHammer:
    """Has every method of a hammer, and each one raises."""

    def __init__(self, error: WorkError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def broken(*_args: object, **_kwargs: object) -> None:
            raise self.error

        if not hasattr(FakeHammer, name):
            raise AttributeError(name)
        return broken


@dataclass
class FakeHammers:
    """The Hammers port over fakes by name, `redfish@127.0.1.1`, best first."""

    by_name: Mapping[str, object]
    picked: dict[str, None] = field(default_factory=dict)

    def pick(self, capability: type[CapabilityT]) -> CapabilityT:
        for name, hammer in self.by_name.items():
            if isinstance(hammer, (capability, BrokenHammer)):
                self.picked[name] = None
                return cast(CapabilityT, hammer)
        raise Unsupported(f"no hammer with {capability.__name__}", why=", ".join(self.by_name))

    def used(self) -> Sequence[str]:
        return tuple(self.picked)


@dataclass
class FakeHammerRegistry:
    """The HammerRegistry port: one fake machine an address, made at the first question."""

    machines: dict[str, FakeHammer] = field(default_factory=dict)
    open_until: dict[str, datetime] = field(default_factory=dict)
    is_closed: bool = False

    def hammers(self, endpoints: Sequence[BmcEndpoint]) -> FakeHammers:
        return FakeHammers(
            {f"{item.protocol}@{item.address}": self.machine(item.address) for item in endpoints}
        )

    def machine(self, address: str) -> FakeHammer:
        return self.machines.setdefault(address, FakeHammer(make_inventory(len(self.machines) + 1)))

    def breaker_open_until(self, address: str) -> datetime | None:
        return self.open_until.get(address)

    def close(self) -> None:
        self.is_closed = True
