"""What a lab machine is made of: the description that its BMC, its firmware and its live image
all tell truthfully. Sizes are bytes, MACs lower case with colons."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Nic:
    name: str  #: name the operating system gives it, `eno1`
    mac: str
    speed_mbps: int
    pci: str  #: `0000:19:00.0`


@dataclass(frozen=True)
class Drive:
    name: str  #: bay name, `Disk.Bay.0`
    size_bytes: int
    model: str
    serial: str
    media: str = "SSD"  #: SSD | HDD
    protocol: str = "SATA"  #: SATA | SAS | NVMe
    controller: str = "RAID.1"  #: the storage controller it hangs on


@dataclass(frozen=True)
class Hardware:
    personality: str  #: dell | hpe | supermicro | generic-ipmi: the shape of the BMC's answers
    manufacturer: str
    model: str
    serial: str
    uuid: str  #: SMBIOS system UUID, lower case with dashes
    bios_version: str
    bmc_version: str
    cpu_model: str
    cpu_sockets: int
    cpu_cores: int  #: per socket
    memory_bytes: int
    nics: tuple[Nic, ...]
    drives: tuple[Drive, ...]
    bios_defaults: dict[str, str | int | bool] = field(default_factory=dict)
    asset_tag: str = ""
