"""Our hammers against BMCs that nobody here wrote."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from readystate.adapters.hammers.ipmi import IpmiHammer
from readystate.adapters.hammers.redfish import RedfishHammer
from readystate.adapters.hammers.rmcp_reader import PowerSweep
from readystate.domain.errors import Refused
from readystate.domain.power import BootDevice, BootMode, PowerState
from readystate.domain.secret import Secret
from tests.protocol.bmc_peers import IpmiSim, ipmi_sim, sushy_emulator
from tests.protocol.hammer_rigs import QUIRKS, TLS, ipmi_hammer, network, quick_quirks


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[IpmiSim]:
    with ipmi_sim(tmp_path, f"{network()}.9.1", 16233) as sim:
        yield sim


@pytest.fixture
def ipmi(sim: IpmiSim) -> Iterator[IpmiHammer]:
    hammer = ipmi_hammer(sim.endpoint)
    yield hammer
    hammer.close()


def test_openipmi_power_is_switched_and_read_back(sim: IpmiSim, ipmi: IpmiHammer) -> None:
    assert PowerState.OFF is ipmi.read_power()
    ipmi.power_on()
    assert (True, PowerState.ON) == (sim.is_on(), ipmi.read_power())

    ipmi.reset()
    ipmi.power_cycle()
    assert 3 == sim.boots()

    ipmi.power_off()
    assert (False, PowerState.OFF) == (sim.is_on(), ipmi.read_power())


@pytest.mark.parametrize("device", [BootDevice.PXE, BootDevice.DISK, BootDevice.CDROM])
def test_openipmi_boot_override_reads_back(ipmi: IpmiHammer, device: BootDevice) -> None:
    ipmi.set_boot_override(device, persistent=False)
    assert (device, False) == ipmi.read_boot_override()

    ipmi.set_boot_override(BootDevice.NONE, persistent=False)
    assert (BootDevice.NONE, False) == ipmi.read_boot_override()


def test_openipmi_identity_and_log_are_read(ipmi: IpmiHammer) -> None:
    identity = ipmi.read_identity()

    assert ("OpenIPMI", "Simulated 1", "SIM0001") == (
        identity.vendor,
        identity.model,
        identity.serial,
    )
    assert "9.08" == identity.firmware
    assert ["warning"] == [entry.severity for entry in ipmi.read_log()]
    assert [] == list(ipmi.read_sensors())


def test_openipmi_refuses_a_wrong_password(sim: IpmiSim) -> None:
    hammer = ipmi_hammer(replace(sim.endpoint, password=Secret("wrong")))

    with pytest.raises(Refused, match="wrong password"):
        hammer.read_power()


async def _sweep(sim: IpmiSim) -> list[object]:
    sweep = PowerSweep()
    found = [dict(await sweep.read([sim.endpoint])) for _ in range(2)]
    await sweep.close()
    return [states[sim.endpoint.address] for states in found]


def test_openipmi_is_swept(sim: IpmiSim) -> None:
    assert [PowerState.OFF, PowerState.OFF] == asyncio.run(_sweep(sim))


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedfishHammer]:
    with sushy_emulator(tmp_path_factory.mktemp("sushy"), f"{network()}.9.2", 16444) as endpoint:
        hammer = RedfishHammer(
            endpoint,
            tls=TLS,
            quirks=lambda machine: replace(quick_quirks(machine), power_settle_s=10.0),
            normalise_vendor=QUIRKS.normalise_vendor,
        )
        yield hammer
        hammer.close()


def test_sushy_tools_power_is_switched_and_read_back(emulated: RedfishHammer) -> None:
    assert PowerState.OFF is emulated.read_power()
    emulated.power_on()
    assert PowerState.ON is emulated.read_power()
    emulated.power_off()
    assert PowerState.OFF is emulated.read_power()


@pytest.mark.parametrize("device", [BootDevice.PXE, BootDevice.DISK, BootDevice.CDROM])
def test_sushy_tools_boot_override_is_accepted(emulated: RedfishHammer, device: BootDevice) -> None:
    """The emulator knows no one-shot: whatever is set stays, and it says "Continuous"."""
    emulated.set_boot_override(device, persistent=True, mode=BootMode.UEFI)

    assert (device, True) == emulated.read_boot_override()


def test_sushy_tools_inventory_is_read(emulated: RedfishHammer) -> None:
    inventory = emulated.read_inventory()

    assert "27946b59-9e44-4fa7-8e91-f3527a1ef094" == inventory.uuid
    assert ["00:5c:52:31:3a:9c"] == [nic.mac for nic in inventory.nics]
