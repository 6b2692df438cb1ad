"""Facts about a node's hardware, normalised: bytes, MHz, canonical MACs, aware UTC instants."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class NicFacts:
    name: str
    mac: str
    speed_mbps: int | None = None
    pci: str | None = None
    link: bool | None = None


@dataclass(frozen=True)
class DiskFacts:
    name: str  #: kernel name, `sda`
    size_bytes: int
    serial: str
    model: str = ""
    rotational: bool = False
    wwn: str | None = None
    by_path: str | None = None
    blank: bool | None = None  #: no partition table, filesystem, LVM or md signature; None unknown


@dataclass(frozen=True)
class Inventory:
    """One machine as its live image or its BMC tells it."""

    uuid: str
    serial: str
    manufacturer: str
    model: str
    cpu_model: str = ""
    cpu_sockets: int = 0
    cpu_cores: int = 0  #: of all sockets
    memory_bytes: int = 0
    bios_version: str = ""
    bmc_version: str = ""
    bmc_address: str | None = None
    nics: tuple[NicFacts, ...] = ()
    disks: tuple[DiskFacts, ...] = ()


def same_uuid(one: str, other: str) -> bool:
    """Whether both texts name one machine. SMBIOS since 2.6 writes the first three fields little
    endian (DSP0134 section 7.2.1); tools and BMCs differ in whether they turn them to RFC 4122's
    order."""
    try:
        first, second = UUID(one), UUID(other)
    except ValueError:
        return one.strip().casefold() == other.strip().casefold()
    return second.bytes in (first.bytes, first.bytes_le)
