"""Disks as an operating system sees them, and where data goes when volumes change."""

from dataclasses import dataclass, field

from readystate.lab.hardware import Drive, Hardware
from readystate.lab.machines.disks import DiskShelf, os_disks


@dataclass
class FakeVolume:
    id: str = "vd0"
    name: str = "os"
    raid_type: str = "RAID1"
    drives: tuple[str, ...] = ("bay0", "bay1")
    size_bytes: int = 100
    marks: list[str] = field(default_factory=list)


def hardware(*drives: Drive) -> Hardware:
    return Hardware("dell", "Dell Inc.", "R640", "SN1", "4c4c", "1", "1", "Xeon", 1, 4, 2**30, (),
                    drives)  # fmt: skip


SATA = (Drive("bay0", 100, "HDD", "A", media="HDD"), Drive("bay1", 100, "HDD", "B", media="HDD"))
NVME = Drive("bay2", 500, "P4510", "C", protocol="NVMe")


def test_volume_hides_its_drives_and_names_go_by_kind() -> None:
    alone = os_disks(hardware(*SATA, NVME), [])
    joined = os_disks(hardware(*SATA, NVME), [FakeVolume()])

    assert [("sda", "A"), ("sdb", "B"), ("nvme0n1", "C")] == [(d.name, d.serial) for d in alone]
    assert ["sda", "nvme0n1"] == [disk.name for disk in joined]
    assert (True, "Dell Inc. RAID1") == (joined[0].rotational, joined[0].model)


def test_serials_are_stable_and_distinct() -> None:
    volumes = [FakeVolume("vd0", drives=("bay0",)), FakeVolume("vd1", drives=("bay1",))]
    first, second = (os_disks(hardware(*SATA, NVME), volumes) for _ in range(2))

    assert [disk.serial for disk in first] == [disk.serial for disk in second]
    assert 3 == len({disk.serial for disk in first})


def test_27th_disk_has_two_letters() -> None:
    drives = [Drive(f"bay{n}", 1, "X", f"S{n}") for n in range(27)]

    assert "sdaa" == os_disks(hardware(*drives), [])[-1].name


def test_drive_that_joined_a_volume_comes_back_blank() -> None:
    shelf, machine = DiskShelf(), hardware(*SATA)
    disk = os_disks(machine, [])[0]
    shelf.begin(disk).is_bootable = True
    shelf.forget_lost_media(os_disks(machine, [FakeVolume()]))
    shelf.forget_lost_media(os_disks(machine, []))

    assert shelf.is_blank(disk)


def test_volume_that_was_made_anew_is_blank_and_an_untouched_one_is_not() -> None:
    shelf, machine, volume = DiskShelf(), hardware(*SATA), FakeVolume()
    disks = os_disks(machine, [volume])
    shelf.begin(disks[0]).is_bootable = True
    shelf.forget_lost_media(os_disks(machine, [volume]))
    before = shelf.find_bootable(disks)
    shelf.forget_lost_media(os_disks(machine, [FakeVolume()]))

    assert before is not None
    assert shelf.find_bootable(disks) is None


def test_wiped_disk_is_blank_and_a_begun_one_is_neither_blank_nor_bootable() -> None:
    shelf, disks = DiskShelf(), os_disks(hardware(*SATA), [])
    shelf.begin(disks[0])

    assert not shelf.is_blank(disks[0])
    assert shelf.find_bootable(disks) is None
    shelf.wipe(disks[0])
    assert shelf.is_blank(disks[0])
