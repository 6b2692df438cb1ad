"""The virtual BMC's RMCP+ side as pyghmi sees it, which is also the engine's IPMI hammer."""

from collections.abc import Iterator

import pytest
from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.command import Command

from tests.protocol.rmcp_rack import (
    PASSWORD,
    PORT,
    USER,
    ServedRack,
    make_bmc,
    rack_network,
    serve,
)


@pytest.fixture(scope="module")
def rack() -> Iterator[ServedRack]:
    network = rack_network(56)
    with serve([make_bmc(f"{network}.0.{n}", n) for n in (1, 2)]) as served:
        yield served


@pytest.fixture(scope="module")
def command(rack: ServedRack) -> Iterator[Command]:
    command = Command(rack.bmcs[0].address, USER, PASSWORD, port=PORT)
    yield command
    command.ipmi_session.logout()


def test_power_is_switched_and_read_back(rack: ServedRack, command: Command) -> None:
    command.set_power("on", wait=True)
    assert command.get_power() == {"powerstate": "on"}
    command.set_power("off", wait=True)

    assert command.get_power() == {"powerstate": "off"}
    assert not rack.bmcs[0].machine.is_on


def test_boot_device_is_set_and_read_back(command: Command) -> None:
    command.set_bootdev("network", persist=True, uefiboot=True)
    told = command.get_bootdev()
    command.set_bootdev("default")

    assert told["bootdev"] == "network"
    assert told["persistent"] is True
    assert told["uefimode"] is True


def test_sensors_inventory_log_and_guid_are_read(rack: ServedRack, command: Command) -> None:
    command.set_power("on", wait=True)
    readings = {reading.name: reading.value for reading in command.get_sensor_data()}
    inventory = dict(command.get_inventory())
    hardware = rack.bmcs[0].machine.hardware

    assert readings["CPU1 Temp"] == 47
    assert readings["Fan1"] == 4800
    assert inventory["System"]["Serial Number"] == hardware.serial
    assert inventory["System"]["UUID"].lower() == hardware.uuid
    assert "Power" in str(list(command.get_event_log()))


def test_users_and_network_are_read(rack: ServedRack, command: Command) -> None:
    assert command.get_users()[2]["name"] == USER
    told = command.get_net_configuration()

    assert told["ipv4_address"] == f"{rack.bmcs[0].address}/8"
    assert told["mac_address"] == rack.bmcs[0].mac


def test_a_wrong_password_is_noticed(rack: ServedRack) -> None:
    bmc = rack.bmcs[1]
    with pytest.raises(IpmiException, match="Incorrect password"):
        Command(bmc.address, USER, "something else", port=PORT)

    assert bmc.ledger.failed_logins == 1
