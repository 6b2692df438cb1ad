"""One virtual BMC as IPMI sees it: what only this protocol needs beside the shared state, what a
vendor varies, and the shape of a command."""

import re
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from readystate.lab.bmc.ipmi_message import Privilege
from readystate.lab.bmc.ipmi_session import Session, SessionTable
from readystate.lab.bmc.sdr import SensorRecord, render_repository
from readystate.lab.bmc.virtual_bmc import VirtualBmc


@dataclass(frozen=True)
class Personality:
    """What Get Device ID tells about the vendor (section 20.1)."""

    manufacturer_id: int  #: IANA enterprise number
    product_id: int
    device_id: int = 0x20
    device_revision: int = 0x01


PERSONALITIES = {
    "dell": Personality(manufacturer_id=674, product_id=0x0100),
    "hpe": Personality(manufacturer_id=47196, product_id=0x2020, device_id=0x13),
    "supermicro": Personality(manufacturer_id=10876, product_id=0x0B3A),
    "generic-ipmi": Personality(manufacturer_id=0, product_id=0x0001),
}


class IpmiDevice:
    """State that IPMI keeps for one BMC. Cheap until somebody asks for sensors."""

    __slots__ = (
        "_sdr_names",
        "_sdr_records",
        "_sdr_rendered",
        "bmc",
        "boot_flags_lapse",
        "boot_info_ack",
        "guid",
        "in_flight",
        "port",
        "sdr_reservation",
        "sel_erased_at",
        "sel_reservation",
        "set_in_progress",
        "table",
    )

    def __init__(self, bmc: VirtualBmc, table: SessionTable, *, port: int) -> None:
        self.bmc = bmc
        self.table = table
        self.port = port
        # Vendors send the UUID as SMBIOS stores it (first three fields little-endian), whatever
        # section 20.8 says, and consoles have learned to read it so.
        self.guid = uuid.UUID(bmc.machine.hardware.uuid).bytes_le
        self.boot_flags_lapse = True  #: boot option 3, bit 3
        self.boot_info_ack = 0  #: boot option 4
        self.set_in_progress = 0  #: boot option 0
        self.sdr_reservation = self.sel_reservation = 0
        self.sel_erased_at = 0  #: seconds since 1970; 0 = never
        self.in_flight: set[bytes] = set()  #: power requests that are still being carried out
        self._sdr_names: tuple[str, ...] | None = None
        self._sdr_records: dict[int, SensorRecord] = {}
        self._sdr_rendered: dict[int, bytes] = {}

    @property
    def personality(self) -> Personality:
        return PERSONALITIES.get(
            self.bmc.machine.hardware.personality, PERSONALITIES["generic-ipmi"]
        )

    @property
    def firmware(self) -> tuple[int, int]:
        """Major and minor revision: the first two numbers in the BMC's version text."""
        numbers = [*re.findall(r"\d+", self.bmc.machine.hardware.bmc_version), "0", "0"]
        return int(numbers[0]) & 0x7F, int(numbers[1]) % 100

    def sensors(self) -> dict[int, SensorRecord]:
        """Sensors by number; numbers stay as long as the machine names the same sensors."""
        self._refresh_sensors()
        return self._sdr_records

    def sdr_repository(self) -> dict[int, bytes]:
        """Rendered records by record id, in order."""
        self._refresh_sensors()
        return self._sdr_rendered

    def _refresh_sensors(self) -> None:
        names = tuple(self.bmc.machine.sensors())
        if names != self._sdr_names:
            self._sdr_names = names
            self._sdr_records = {
                number: SensorRecord.from_name(number, name)
                for number, name in enumerate(names[:254], start=1)
            }
            self._sdr_rendered = render_repository(self._sdr_records.values())
            self.sdr_reservation += 1  # whoever was reading must begin again


class Call(NamedTuple):
    """A request, its session, and the BMC that it reached.

    A tuple, because one is made for every packet."""

    device: IpmiDevice
    session: Session
    data: bytes

    @property
    def bmc(self) -> VirtualBmc:
        return self.device.bmc


@dataclass(frozen=True)
class Command:
    """How one command is carried out. Data in and out are without header and completion code."""

    run: Callable[[Call], bytes]  #: raises `CommandRefused`
    privilege: int = Privilege.USER
    least_bytes: int = 0  #: of request data


@dataclass(frozen=True)
class PowerCommand:
    """A command that switches the machine, which may take its time."""

    run: Callable[[Call], Coroutine[Any, Any, bytes]]  #: raises `CommandRefused`
    privilege: int = Privilege.OPERATOR
    least_bytes: int = 1
