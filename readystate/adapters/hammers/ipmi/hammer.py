"""The IPMI hammer: power, boot device, identify, sensors, event log and FRU of one BMC."""

import struct
import threading
import time
from collections.abc import Callable, Sequence

from readystate.adapters.hammers.ipmi.answers import completion_error
from readystate.adapters.hammers.ipmi.readings import IpmiReadings, parse_system_uuid
from readystate.adapters.hammers.read_back import is_seen_within
from readystate.adapters.hammers.rmcp_session import ANSWER_WAITS_S, BmcSession
from readystate.domain.errors import Busy, Failed, Invalid, Unreachable, Unsupported, WorkError
from readystate.domain.inventory import Inventory
from readystate.domain.power import BootDevice, BootMode, PowerState
from readystate.domain.quirk import Machine, Quirks
from readystate.ports.hammer import BmcEndpoint, BmcIdentity, LogEntry, SensorReading

_CHASSIS, _APPLICATION = 0x00, 0x06
_POWER_DOWN, _POWER_UP, _HARD_RESET, _SOFT_SHUTDOWN = 0x00, 0x01, 0x03, 0x05
_BOOT_FLAGS, _FLAG_CLEARING = 5, 3
_VALID, _PERSISTENT, _UEFI = 0x80, 0x40, 0x20

#: Boot device selector, bits 5..2 of data 2 of boot option parameter 5 (table 28-14).
_SELECTOR = {
    BootDevice.NONE: 0x0,
    BootDevice.PXE: 0x1,
    BootDevice.DISK: 0x2,
    BootDevice.CDROM: 0x5,
    BootDevice.BIOS_SETUP: 0x6,
}
_DEVICE = {selector: device for device, selector in _SELECTOR.items()}

#: Table 28-11.
_RESTART_CAUSE = (
    "unknown",
    "chassis-command",
    "reset-button",
    "power-button",
    "watchdog",
    "oem",
    "power-restored",
    "power-restored",
    "event-filter",
    "event-filter",
    "soft-reset",
    "clock-alarm",
)

#: IANA enterprise numbers in Get Device ID, for BMCs whose FRU names no manufacturer.
_MANUFACTURERS = {
    11: "HPE",
    343: "Intel",
    674: "Dell",
    10876: "Supermicro",
    19046: "Lenovo",
    47196: "HPE",
}


class IpmiHammer:
    """Implements PowerControl, BootControl, Identify, InventoryReader, SensorReader and
    EventLogReader. Shared freely between threads: the session takes one command at a time."""

    protocol = "ipmi"

    def __init__(
        self,
        endpoint: BmcEndpoint,
        *,
        quirks: Callable[[Machine], Quirks],
        normalise_vendor: Callable[[str], str],
        waits_s: tuple[float, ...] = ANSWER_WAITS_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = endpoint.address
        self._session = BmcSession(endpoint, waits_s=waits_s)
        self._readings = IpmiReadings(self._session)
        self._readings_lock = threading.Lock()
        self._normalise_vendor = normalise_vendor
        self._pause = pause
        self._quirks = quirks(Machine(endpoint.vendor, endpoint.model, endpoint.firmware))
        self._quirks_of = quirks

    def close(self) -> None:
        self._session.close()

    def learn(self, machine: Machine) -> None:
        """What the machine is decides how it must be treated."""
        self._quirks = self._quirks_of(machine)

    # -- power ---------------------------------------------------------------------------------

    def read_power(self) -> PowerState:
        data = self._do("read the power state", _CHASSIS, 0x01)
        return PowerState.ON if data[0] & 1 else PowerState.OFF

    def power_on(self) -> None:
        if self.read_power() is PowerState.OFF:
            self._command_power(_POWER_UP, "power on", PowerState.ON)

    def power_off(self, *, graceful: bool = False) -> None:
        if self.read_power() is PowerState.ON:
            if graceful:
                self._command_power(_SOFT_SHUTDOWN, "shut down", PowerState.OFF)
            else:
                self._command_power(_POWER_DOWN, "power off", PowerState.OFF)

    def power_cycle(self) -> None:
        wanted = self._read_boot_flags_if_any()
        if self.read_power() is PowerState.ON:
            self._command_power(_POWER_DOWN, "power off", PowerState.OFF)
            self._pause(self._quirks.command_gap_s)
        # A BMC that restarted meanwhile has forgotten a one-shot override.
        if wanted is not None and wanted[1] & _VALID and self._read_boot_flags_if_any() != wanted:
            self._write_boot_flags(wanted[1], wanted[2])
        self._command_power(_POWER_UP, "power on", PowerState.ON)

    def reset(self) -> None:
        if self.read_power() is PowerState.OFF:
            raise Failed(f"{self.address}: cannot reset", why="the machine is off")
        self._command_power(_HARD_RESET, "reset", PowerState.ON)

    def read_restart_cause(self) -> str:
        code = self._do("read the restart cause", _CHASSIS, 0x07)[0] & 0x0F
        return _RESTART_CAUSE[code] if code < len(_RESTART_CAUSE) else "unknown"

    def _command_power(self, action: int, doing: str, wanted: PowerState) -> None:
        lost: WorkError | None = None
        try:
            self._do(doing, _CHASSIS, 0x02, bytes((action,)))
        except Unreachable as error:
            lost = error  # it may have been obeyed: some BMCs fall silent while the host starts

        def is_there() -> bool:
            try:
                return self.read_power() is wanted
            except (Unreachable, Busy):
                return False

        soft = action == _SOFT_SHUTDOWN
        settle_s = self._quirks.soft_off_settle_s if soft else self._quirks.power_settle_s
        if not is_seen_within(settle_s, is_there, pause=self._pause):
            if lost:
                raise lost
            raise Failed(
                f"{self.address}: cannot {doing}",
                why=f"accepted, but the BMC does not report {wanted.value!r} after {settle_s:g} s",
                hint=self._quirks.power_advice,
            )

    # -- boot ----------------------------------------------------------------------------------

    def read_boot_override(self) -> tuple[BootDevice, bool]:
        _, flags, selector = self._read_boot_flags()
        if self._quirks.ipmi_has_valid_bit and not flags & _VALID:
            return BootDevice.NONE, False
        device = _DEVICE.get(selector >> 2 & 0x0F)
        if device is None:
            raise Unsupported(
                f"{self.address}: unknown boot device in the override",
                why=f"boot device selector {selector >> 2 & 0x0F}",
            )
        return device, bool(flags & _PERSISTENT) and device is not BootDevice.NONE

    def set_boot_override(
        self, device: BootDevice, *, persistent: bool, mode: BootMode | None = None
    ) -> None:
        flags = 0
        if device is not BootDevice.NONE:
            flags = _VALID | (_PERSISTENT if persistent else 0)
            flags |= _UEFI if mode is BootMode.UEFI else 0
        self._write_boot_flags(flags, _SELECTOR[device] << 2)
        wanted = (device, persistent and device is not BootDevice.NONE)
        seen = self.read_boot_override()
        if seen != wanted:
            raise Failed(
                f"{self.address}: the BMC forgot the boot override",
                why=f"{_spell(*wanted)} was accepted, but it reports {_spell(*seen)}",
            )

    def _write_boot_flags(self, flags: int, selector: int) -> None:
        # Without this the BMC drops the flags 60 s after they are set (boot option parameter 3,
        # bit 3). Not every BMC has the parameter, so its refusal is no failure.
        self._session.command(_CHASSIS, 0x08, bytes((_FLAG_CLEARING, 0x08)))
        data = bytes((_BOOT_FLAGS, flags, selector, 0, 0, 0))
        self._do("set the boot override", _CHASSIS, 0x08, data)

    def _read_boot_flags(self) -> tuple[int, int, int]:
        data = self._do("read the boot override", _CHASSIS, 0x09, bytes((_BOOT_FLAGS, 0, 0)))
        return data[1] & 0x7F, data[2], data[3] & 0x3C

    def _read_boot_flags_if_any(self) -> tuple[int, int, int] | None:
        """None where the BMC cannot tell: that must not stand in the way of a power cycle."""
        try:
            return self._read_boot_flags()
        except (Unsupported, Failed, Invalid):
            return None

    # -- identity and inventory ------------------------------------------------------------------

    def read_identity(self) -> BmcIdentity:
        inventory = self.read_inventory()
        identity = BmcIdentity(
            vendor=self._normalise_vendor(inventory.manufacturer),
            model=inventory.model,
            serial=inventory.serial,
            uuid=inventory.uuid,
            firmware=inventory.bmc_version,
        )
        self.learn(Machine(identity.vendor, identity.model, identity.firmware))
        return identity

    def set_identify_light(self, *, on: bool) -> None:
        self._do("set the identify light", _CHASSIS, 0x04, bytes((0, 1 if on else 0)))

    def read_inventory(self) -> Inventory:
        """What IPMI knows: identity and versions. NICs, disks and memory need another hammer."""
        device = self._do("read the device id", _APPLICATION, 0x01)
        with self._readings_lock:
            fru = self._readings.fru()
        iana = struct.unpack("<I", device[6:9] + b"\0")[0]
        return Inventory(
            uuid=self._read_uuid(),
            serial=_first(fru, "Serial Number", "Chassis serial number", "Board serial number"),
            manufacturer=_first(fru, "Manufacturer", "Board manufacturer")
            or _MANUFACTURERS.get(iana, ""),
            model=_first(fru, "Product name", "Board product name"),
            bmc_version=f"{device[2] & 0x7F}.{device[3]:02x}",  # the minor part is BCD (20.1)
            bmc_address=self.address,
        )

    def _read_uuid(self) -> str:
        try:
            return parse_system_uuid(self._do("read the system UUID", _APPLICATION, 0x37))
        except Unsupported:
            return ""

    # -- readings --------------------------------------------------------------------------------

    def read_sensors(self) -> Sequence[SensorReading]:
        with self._readings_lock:
            return self._readings.sensors()

    def read_log(self, *, limit: int = 200) -> Sequence[LogEntry]:
        with self._readings_lock:
            return self._readings.log(limit)

    def _do(self, doing: str, netfn: int, command: int, data: bytes = b"") -> bytes:
        response = self._session.command(netfn, command, data)
        if response.code:
            raise completion_error(self.address, doing, response.code)
        return response.data


def _first(fru: dict[str, str], *names: str) -> str:
    return next((fru[name].strip() for name in names if fru.get(name, "").strip()), "")


def _spell(device: BootDevice, persistent: bool) -> str:
    return f"{device.value} ({'persistent' if persistent else 'once'})"
