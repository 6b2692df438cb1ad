"""What each planted fault does on the IPMI wire, seen by ipmitool."""

import time
from collections.abc import Iterator

import pytest

from readystate.lab.bmc import ipmi_chassis
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.virtual_bmc import BMC_RESTART_S
from readystate.lab.machines.inert import InertMachine
from readystate.lab.machines.machine import BootDevice
from tests.protocol.rmcp_rack import (
    PING,
    Ipmitool,
    ServedRack,
    ask,
    make_bmc,
    open_session_request,
    rack_network,
    serve,
)

QUICK = ("-N", "1", "-R", "1")


@pytest.fixture
def rack() -> Iterator[ServedRack]:
    with serve([make_bmc(f"{rack_network(72)}.0.1")]) as served:
        yield served


@pytest.fixture
def ipmitool(rack: ServedRack) -> Ipmitool:
    return Ipmitool(rack.bmcs[0], wait=QUICK)


def first_boot_device(ipmitool: Ipmitool) -> BootDevice:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    return machine.boots[-1].order[0]


def test_unreachable_answers_nothing_until_it_is_removed(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.UNREACHABLE)
    assert ask(ipmitool.bmc, PING) is None
    assert ask(ipmitool.bmc, open_session_request(1)) is None
    assert ipmitool.try_("power", "status").returncode == 1
    ipmitool.bmc.faults.remove(Fault.UNREACHABLE)

    assert "Chassis Power" in ipmitool("power", "status")


def test_wrong_password_refuses_the_right_one_while_it_lasts(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.WRONG_PASSWORD)
    assert ipmitool.try_("power", "status").returncode == 1
    ipmitool.bmc.faults.remove(Fault.WRONG_PASSWORD)

    assert "Chassis Power" in ipmitool("power", "status")


def test_slow_delays_every_answer_and_changes_none(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.SLOW, delay_s=0.1)
    began = time.monotonic()
    assert "Chassis Power is off" in ipmitool("power", "status")

    assert time.monotonic() - began > 0.5  # five answers at least


def test_unavailable_says_busy_to_commands(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.UNAVAILABLE)
    refused = ipmitool.try_("power", "status")

    assert refused.returncode == 1
    assert "busy" in (refused.stdout + refused.stderr).lower()


def test_power_lies_accepts_and_does_nothing(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.POWER_LIES)
    for command in ("on", "cycle", "reset"):
        ipmitool("power", command)

    assert "Chassis Power is off" in ipmitool("power", "status")
    assert not ipmitool.bmc.machine.is_on
    assert ipmitool.bmc.ledger.boots == 0


def test_drops_boot_override_accepts_and_forgets(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.DROPS_BOOT_OVERRIDE)
    ipmitool("chassis", "bootdev", "pxe")
    assert "Boot Flag Invalid" in ipmitool("chassis", "bootparam", "get", "5")
    ipmitool("power", "on")

    assert first_boot_device(ipmitool) is BootDevice.DISK


def test_session_exhaustion_opens_no_new_session(ipmitool: Ipmitool) -> None:
    ipmitool.bmc.faults.plant(Fault.SESSION_EXHAUSTION)
    refused = ipmitool.try_("-v", "power", "status")

    assert "insufficient resources" in (refused.stdout + refused.stderr).lower()


def test_bmc_resets_strikes_once_after_a_power_command(ipmitool: Ipmitool) -> None:
    bmc = ipmitool.bmc
    ipmitool("power", "on")
    bmc.faults.plant(Fault.BMC_RESETS)
    assert "Chassis Power is on" in ipmitool("power", "status")  # looking does not set it off
    began = time.monotonic()
    assert "Cycle" in ipmitool.try_("power", "cycle").stdout
    assert not bmc.faults.is_active(Fault.BMC_RESETS)
    assert bmc.ledger.boots == 2
    while ask(bmc, PING, wait_s=0.1) is None:
        assert time.monotonic() - began < 3 * BMC_RESTART_S

    assert time.monotonic() - began >= BMC_RESTART_S
    assert "Chassis Power is on" in ipmitool("power", "status")


def test_a_cold_reset_forgets_sessions_and_the_one_shot_override(ipmitool: Ipmitool) -> None:
    bmc = ipmitool.bmc
    ipmitool("chassis", "bootdev", "pxe")
    ipmitool.try_("mc", "reset", "cold")
    assert ask(bmc, PING, wait_s=0.1) is None
    while ask(bmc, PING, wait_s=0.1) is None:
        pass
    ipmitool("power", "on")

    assert first_boot_device(ipmitool) is BootDevice.DISK


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], BootDevice.DISK),
        (["chassis bootparam set bootflag none"], BootDevice.DISK),
        (["raw 0x00 0x08 0x03 0x08"], BootDevice.PXE),
    ],
    ids=["lapses", "lapses-after-other-settings", "kept-by-option-3"],
)
def test_a_one_shot_lapses_after_its_minute_unless_option_3_says_not(
    ipmitool: Ipmitool,
    monkeypatch: pytest.MonkeyPatch,
    before: list[str],
    expected: BootDevice,
) -> None:
    monkeypatch.setattr(ipmi_chassis, "BOOT_FLAGS_LAPSE_S", 0.2)
    for command in before:
        ipmitool(*command.split())
    ipmitool("raw", "0x00", "0x08", "0x05", "0x80", "0x04", "0x00", "0x00", "0x00")
    time.sleep(0.25)
    ipmitool("power", "on")

    assert first_boot_device(ipmitool) is expected
