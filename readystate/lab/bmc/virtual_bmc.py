"""The state of one virtual BMC, shared by its RMCP+ and Redfish front ends.

Whatever a BMC remembers lives here and nowhere else: users, boot override, pending BIOS settings,
volumes, event log, faults. The ledger counts what was really done, for tests that compare it
with what was planned."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from readystate.lab.bmc.faults import Fault, Faults
from readystate.lab.machines.machine import BootChoice, BootDevice, Machine

BMC_RESTART_S = 2.0  #: how long a restarting BMC answers nothing on any protocol


@dataclass
class BmcUser:
    id: int  #: IPMI user id, 2..15
    name: str
    password: str
    role: str = "Administrator"  #: Redfish role name; IPMI privilege follows it
    enabled: bool = True


@dataclass
class BootOverride:
    device: BootDevice = BootDevice.NONE
    persistent: bool = False
    uefi: bool = False
    set_at: float | None = None  #: loop time
    lapses_at: float | None = None  #: `time.monotonic()`; only IPMI lets a one-shot flag lapse


@dataclass
class Volume:
    id: str
    name: str
    raid_type: str  #: RAID0 | RAID1 | RAID5 | RAID6 | RAID10
    drives: tuple[str, ...]
    size_bytes: int


@dataclass
class SelEntry:
    id: int
    at: datetime
    sensor: str
    message: str
    severity: str = "OK"  #: OK | Warning | Critical
    raw: bytes = b""  #: the 16-byte record, if it came in by IPMI's Add SEL Entry


@dataclass
class Ledger:
    """How often each thing was really done. Only ever counts up."""

    power_ons: int = 0
    power_offs: int = 0
    resets: int = 0
    boots: int = 0
    bios_writes: int = 0  #: settings accepted to pending, per request
    bios_applies: int = 0  #: boots at which pending settings took effect
    volume_creates: int = 0
    volume_deletes: int = 0
    boot_override_sets: int = 0
    refused_logins: int = 0
    rakp_begun: int = 0  #: IPMI logins that were answered with RAKP message 2
    rakp_ended: int = 0  #: of these, those whose message 3 came, right or wrong

    @property
    def failed_logins(self) -> int:
        """Refused ones, and those that the console gave up: over IPMI it is the console that finds
        the password wrong, and ipmitool, FreeIPMI and pyghmi then go away without a word. Exact
        while nobody is just logging in."""
        return self.refused_logins + self.rakp_begun - self.rakp_ended


@dataclass
class VirtualBmc:
    address: str
    machine: Machine
    users: list[BmcUser]
    faults: Faults = field(default_factory=Faults)
    override: BootOverride = field(default_factory=BootOverride)
    boot_order: tuple[BootDevice, ...] = (BootDevice.DISK, BootDevice.PXE)
    bios: dict[str, str | int | bool] = field(default_factory=dict)
    bios_pending: dict[str, str | int | bool] = field(default_factory=dict)
    volumes: list[Volume] = field(default_factory=list)
    volumes_pending: list[Volume] = field(default_factory=list)  #: appear at the next reset
    volumes_doomed: set[str] = field(default_factory=set)  #: ids that vanish at the next reset
    virtual_media_url: str | None = None
    identify_until: float = 0.0  #: loop time until which the identify light is on
    asset_tag: str = ""
    restart_cause: str = "unknown"  #: chassis-command | power-button | watchdog | unknown
    power_restore: str = "always-off"  #: always-off | previous | always-on, after mains returns
    restarting_until: float = 0.0  #: `time.monotonic()` instant; until then the BMC is silent
    sel: list[SelEntry] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    on_bmc_reset: list[Callable[[], None]] = field(default_factory=list)
    on_boot: list[Callable[[], None]] = field(default_factory=list)  #: after pending took effect
    _sel_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.bios = {**self.machine.hardware.bios_defaults, **self.bios}
        self.machine.attach(self)

    @property
    def mac(self) -> str:
        """The BMC's own MAC: the first NIC's, made locally administered so that it stays unique."""
        first, rest = self.machine.hardware.nics[0].mac.split(":", 1)
        return f"{int(first, 16) | 0x02:02x}:{rest}"

    @property
    def is_silent(self) -> bool:
        """True while every front end must answer nothing at all, not even a refused connection."""
        return self.faults.is_active(Fault.UNREACHABLE) or time.monotonic() < self.restarting_until

    # -- accounts ------------------------------------------------------------------------------

    def find_user(self, name: str) -> BmcUser | None:
        return next((user for user in self.users if user.name == name and user.enabled), None)

    def accepts(self, name: str, password: str) -> bool:
        """Check a login, as Redfish does; RMCP+ compares keyed hashes with `effective_password`."""
        user = self.find_user(name)
        accepted = user is not None and self.effective_password(user) == password
        if not accepted:
            self.ledger.refused_logins += 1
        return accepted

    def effective_password(self, user: BmcUser) -> str:
        """The password that really works now: another one while `wrong-password` is planted."""
        if self.faults.is_active(Fault.WRONG_PASSWORD):
            return "changed-" + user.password  # in front: IPMI hears 20 bytes at most
        return user.password

    # -- power ---------------------------------------------------------------------------------

    @property
    def reported_power_on(self) -> bool:
        """What the BMC says: the machine's true state, unless it is told to lie."""
        return self.faults.spoken_power(self.machine.is_on)

    async def power_on(self) -> None:
        if self.faults.is_active(Fault.POWER_LIES):
            return  # says yes, does nothing
        if not self.machine.is_on:
            self.ledger.power_ons += 1
            self.restart_cause = "chassis-command"
            self.log("System Power", "Power on")
            await self.machine.power_on()

    async def power_off(self, *, graceful: bool = False) -> None:
        if self.faults.is_active(Fault.POWER_LIES):
            return
        if self.machine.is_on:
            self.ledger.power_offs += 1
            self.log("System Power", "Power off")
            await (self.machine.shut_down() if graceful else self.machine.power_off())

    async def power_cycle(self) -> None:
        if self.faults.is_active(Fault.POWER_LIES):
            return
        if self.machine.is_on:
            await self.power_off()
            await asyncio.sleep(0)
        await self.power_on()

    async def reset(self) -> None:
        if self.faults.is_active(Fault.POWER_LIES) or not self.machine.is_on:
            return
        self.ledger.resets += 1
        self.restart_cause = "chassis-command"
        self.log("System Power", "Reset")
        await self.machine.reset()

    def end_power_command(self) -> None:
        """For front ends: call once an accepted power command has been answered.

        This is the moment at which the fault `bmc-resets` strikes, once."""
        if self.faults.is_active(Fault.BMC_RESETS):
            self.faults.remove(Fault.BMC_RESETS)
            self.cold_reset()

    # -- boot ----------------------------------------------------------------------------------

    def set_boot_override(
        self, device: BootDevice, *, persistent: bool, uefi: bool, lapse_s: float | None = None
    ) -> None:
        """Set what the next boot tries first; a one-shot with `lapse_s` is void after that time."""
        self.ledger.boot_override_sets += 1
        now = asyncio.get_running_loop().time()
        lapses_at = None if lapse_s is None or persistent else time.monotonic() + lapse_s
        self.override = BootOverride(
            device, persistent=persistent, uefi=uefi, set_at=now, lapses_at=lapses_at
        )
        if self.faults.is_active(Fault.DROPS_BOOT_OVERRIDE):
            self.override = BootOverride()

    def current_override(self) -> BootOverride:
        """The override in force now; one whose time is over is dropped here."""
        lapses_at = self.override.lapses_at
        if lapses_at is not None and time.monotonic() >= lapses_at:
            self.override = BootOverride()
        return self.override

    @property
    def boots_uefi(self) -> bool:
        """The mode that the BIOS is set to; one without such a setting boots in legacy mode."""
        mode = self.bios.get("BootMode", self.bios.get("BootModeSelect", ""))
        return str(mode).lower() in ("uefi", "dual")

    def begin_boot(self) -> BootChoice:
        self.ledger.boots += 1
        self._apply_pending()
        for hook in self.on_boot:
            hook()
        override = self.current_override()
        order, uefi = self.boot_order, self.boots_uefi
        if override.device is not BootDevice.NONE:
            uefi = override.uefi
            order = (override.device, *(item for item in order if item is not override.device))
        if not override.persistent:
            self.override = BootOverride()
        return BootChoice(order=order, uefi=uefi, virtual_media_url=self.virtual_media_url)

    def _apply_pending(self) -> None:
        if self.bios_pending:
            self.ledger.bios_applies += 1
            self.bios |= self.bios_pending
            self.bios_pending = {}
        doomed, born = self.volumes_doomed, self.volumes_pending
        self.volumes_pending, self.volumes_doomed = [], set()
        for volume_id in doomed:
            self.delete_volume(volume_id, at_reset=False)
        for volume in born:
            self.create_volume(volume, at_reset=False)

    # -- volumes -------------------------------------------------------------------------------

    def create_volume(self, volume: Volume, *, at_reset: bool) -> None:
        """Create now, or at the next boot; the ledger counts it when it is really done."""
        if at_reset:
            self.volumes_pending.append(volume)
        else:
            self.volumes.append(volume)
            self.ledger.volume_creates += 1

    def delete_volume(self, volume_id: str, *, at_reset: bool) -> None:
        if at_reset:
            self.volumes_doomed.add(volume_id)
        else:
            self.volumes = [item for item in self.volumes if item.id != volume_id]
            self.ledger.volume_deletes += 1

    # -- the BMC itself ------------------------------------------------------------------------

    def cold_reset(self) -> None:
        """The BMC restarts: sessions and one-shot overrides are gone, the machine runs on.

        It is silent for `BMC_RESTART_S`."""
        self.restarting_until = time.monotonic() + BMC_RESTART_S
        if not self.override.persistent:
            self.override = BootOverride()
        for hook in self.on_bmc_reset:
            hook()

    def log(self, sensor: str, message: str, severity: str = "OK") -> None:
        self.sel.append(SelEntry(next(self._sel_ids), datetime.now(UTC), sensor, message, severity))
