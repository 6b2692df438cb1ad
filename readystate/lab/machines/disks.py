"""The disks that an operating system finds on a machine, and what is on them.

A RAID volume hides its drives. Data lives on a medium, not under a name: a volume that was deleted
and created again is another medium, and a drive loses its data to the volume that takes it in."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from readystate.lab.hardware import Drive, Hardware
from readystate.lab.machines.virtual_fs import Entries


class Volume(Protocol):
    """What a disk needs to know of a BMC's RAID volume."""

    id: str
    name: str
    raid_type: str
    drives: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class OsDisk:
    """One block device as the kernel shows it."""

    name: str
    size_bytes: int
    serial: str
    model: str
    rotational: bool
    wwn: str
    by_path: str
    medium: object  #: the drive or volume itself: compared by identity


@dataclass
class Contents:
    """What is on one disk that is not blank."""

    medium: object
    is_bootable: bool = False
    entries: Entries = field(default_factory=dict)


def _digits(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def volume_serial(hardware: Hardware, volume: Volume) -> str:
    """The serial number under which the operating system sees a RAID volume (SCSI page 0x80)."""
    return "6" + _digits(hardware.serial, volume.id)[:31]


def os_disks(hardware: Hardware, volumes: Iterable[Volume]) -> tuple[OsDisk, ...]:
    """RAID volumes first, in their order, then the drives that belong to none."""
    drives = {drive.name: drive for drive in hardware.drives}
    listed = list(volumes)
    taken = {name for volume in listed for name in volume.drives}
    media: list[Volume | Drive] = [*listed]
    media += [drive for drive in hardware.drives if drive.name not in taken]
    disks: list[OsDisk] = []
    counts = {"sd": 0, "nvme": 0}
    for medium in media:
        if isinstance(medium, Drive):
            disks.append(_drive_disk(medium, counts))
        else:
            disks.append(_volume_disk(hardware, medium, drives, counts))
    return tuple(disks)


def _next_name(counts: dict[str, int], kind: str) -> str:
    number = counts[kind]
    counts[kind] += 1
    if kind == "nvme":
        return f"nvme{number}n1"
    letters = chr(ord("a") + number % 26)
    return "sd" + (chr(ord("a") + number // 26 - 1) if number >= 26 else "") + letters


def _drive_disk(drive: Drive, counts: dict[str, int]) -> OsDisk:
    kind = "nvme" if drive.protocol == "NVMe" else "sd"
    number = counts[kind]
    path = f"pci-0000:{0x3B + number:02x}:00.0-nvme-1"
    return OsDisk(
        name=_next_name(counts, kind),
        size_bytes=drive.size_bytes,
        serial=drive.serial,
        model=drive.model,
        rotational=drive.media == "HDD",
        wwn="0x5" + _digits(drive.serial)[:15],
        by_path=path if kind == "nvme" else f"pci-0000:18:00.0-ata-{number + 1}",
        medium=drive,
    )


def _volume_disk(
    hardware: Hardware, volume: Volume, drives: dict[str, Drive], counts: dict[str, int]
) -> OsDisk:
    number = counts["sd"]
    serial = volume_serial(hardware, volume)
    return OsDisk(
        name=_next_name(counts, "sd"),
        size_bytes=volume.size_bytes,
        serial=serial,
        model=f"{hardware.manufacturer} {volume.raid_type}",
        rotational=any(drives[name].media == "HDD" for name in volume.drives if name in drives),
        wwn="0x" + serial,
        by_path=f"pci-0000:18:00.0-scsi-0:2:{number}:0",
        medium=volume,
    )


@dataclass
class DiskShelf:
    """The contents of a machine's disks, by serial; a disk that is not here is blank."""

    contents: dict[str, Contents] = field(default_factory=dict)

    def forget_lost_media(self, disks: Sequence[OsDisk]) -> None:
        """Drop what lay on media that are gone. To be called at each boot."""
        present = {disk.serial: disk.medium for disk in disks}
        self.contents = {
            serial: contents
            for serial, contents in self.contents.items()
            if present.get(serial) is contents.medium
        }

    def is_blank(self, disk: OsDisk) -> bool:
        return disk.serial not in self.contents

    def wipe(self, disk: OsDisk) -> None:
        """Everything that lived there is gone, the partition table included."""
        self.contents.pop(disk.serial, None)

    def begin(self, disk: OsDisk) -> Contents:
        """Partition a wiped disk: from now on it is not blank, and not yet bootable."""
        self.contents[disk.serial] = contents = Contents(disk.medium)
        return contents

    def find_bootable(self, disks: Sequence[OsDisk]) -> Contents | None:
        """The first disk, in the machine's order, that a firmware could start from."""
        found = (self.contents.get(disk.serial) for disk in disks)
        return next((item for item in found if item is not None and item.is_bootable), None)
