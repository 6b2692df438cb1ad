"""The virtual BMC's RMCP+ side as ipmitool, which nobody here wrote, sees it."""

from collections.abc import Iterator

import pytest

from readystate.lab.machines.inert import InertMachine
from readystate.lab.machines.machine import BootDevice
from tests.protocol.rmcp_rack import Ipmitool, ServedRack, make_bmc, rack_network, serve


@pytest.fixture(scope="module")
def rack() -> Iterator[ServedRack]:
    network = rack_network(40)
    with serve([make_bmc(f"{network}.0.{suite}", suite) for suite in (3, 17)]) as served:
        yield served


@pytest.fixture(params=[3, 17], ids=["suite3", "suite17"])
def ipmitool(request: pytest.FixtureRequest, rack: ServedRack) -> Ipmitool:
    return Ipmitool(rack.bmcs[[3, 17].index(request.param)], request.param)


def test_chassis_status_and_power_follow_the_machine(ipmitool: Ipmitool) -> None:
    ipmitool("power", "off")
    assert "System Power         : off" in ipmitool("chassis", "status")
    assert "Up/On" in ipmitool("power", "on")
    assert "System Power         : on" in ipmitool("chassis", "status")
    assert "Chassis Power is on" in ipmitool("power", "status")
    assert ipmitool.bmc.machine.is_on


def test_cycle_and_reset_boot_the_machine_once_each(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "on")
    before = len(machine.boots)
    ipmitool("power", "cycle")
    ipmitool("power", "reset")

    assert len(machine.boots) == before + 2


@pytest.mark.parametrize("command", ["cycle", "reset"])
def test_cycle_and_reset_of_a_machine_that_is_off_are_refused(
    ipmitool: Ipmitool, command: str
) -> None:
    ipmitool("power", "off")
    refused = ipmitool.try_("power", command)

    assert refused.returncode != 0
    assert "not supported in present state" in refused.stderr


def test_a_one_shot_boot_device_serves_one_boot(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "off")
    ipmitool("chassis", "bootdev", "pxe")
    ipmitool("power", "on")
    ipmitool("power", "cycle")
    one_shot, next_boot = machine.boots[-2:]

    assert one_shot.order[0] is BootDevice.PXE
    assert next_boot.order[0] is BootDevice.DISK


def test_a_persistent_efi_boot_device_stays_and_reads_back(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "on")
    ipmitool("chassis", "bootdev", "pxe", "options=efiboot,persistent")
    ipmitool("power", "cycle")
    ipmitool("power", "cycle")
    spoken = ipmitool("chassis", "bootparam", "get", "5")
    ipmitool("chassis", "bootdev", "none")

    assert [(boot.order[0], boot.uefi) for boot in machine.boots[-2:]] == [
        (BootDevice.PXE, True)
    ] * 2
    assert "Options apply to all future boots" in spoken
    assert "BIOS EFI boot" in spoken
    assert "Force PXE" in spoken


def test_mc_info_names_the_vendor_and_its_firmware(ipmitool: Ipmitool) -> None:
    spoken = ipmitool("mc", "info")

    assert "Manufacturer ID           : 674" in spoken
    assert "Firmware Revision         : 6.10" in spoken
