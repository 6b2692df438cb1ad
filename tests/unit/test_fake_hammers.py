"""The fakes keep the contract that they stand for."""

import pytest

from readystate.domain.errors import Refused, Unreachable, Unsupported
from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint, PowerControl
from tests.contracts.hammer_contract import (
    BiosContract,
    BootContract,
    EventLogContract,
    HammerRig,
    IdentifyContract,
    InventoryContract,
    PowerContract,
    SensorContract,
    StorageContract,
)
from tests.fakes.hammers import BrokenHammer, FakeHammer, FakeHammerRegistry, FakeHammers


class TestFakeHammer(
    PowerContract,
    BootContract,
    IdentifyContract,
    InventoryContract,
    BiosContract,
    StorageContract,
    SensorContract,
    EventLogContract,
):
    @pytest.fixture
    def rig(self) -> HammerRig:
        fake = FakeHammer()

        def set_error(error: Refused | Unreachable) -> None:
            fake.error = error

        return HammerRig(
            hammer=fake,
            is_on=lambda: fake.is_on,
            boots=lambda: fake.boots,
            make_lie_about_power=lambda: setattr(fake, "lies_about_power", True),
            make_forget_overrides=lambda: setattr(fake, "forgets_overrides", True),
            change_password=lambda: set_error(Refused("fake: wrong password")),
            make_unreachable=lambda: set_error(Unreachable("fake: silent")),
            serial=fake.inventory.serial,
            uuid=fake.inventory.uuid,
            bios_writes=lambda: fake.bios_writes,
            bios_change={"NumLock": "Off"},
        )


def test_a_broken_hammer_raises_from_every_method() -> None:
    hammers = FakeHammers({"redfish@127.0.1.1": BrokenHammer(Unreachable("silent"))})

    with pytest.raises(Unreachable):
        hammers.pick(PowerControl).read_power()


def test_a_fake_registry_keeps_one_machine_an_address() -> None:
    registry = FakeHammerRegistry()
    endpoint = BmcEndpoint("127.0.1.1", "redfish", "admin", Secret("x"))
    registry.hammers([endpoint]).pick(PowerControl).power_on()
    hammers = registry.hammers([endpoint])

    assert registry.machine("127.0.1.1").is_on
    assert hammers.pick(PowerControl).read_power().value == "on"
    assert ("redfish@127.0.1.1",) == hammers.used()


def test_a_node_without_a_bmc_has_no_hammer() -> None:
    with pytest.raises(Unsupported, match="PowerControl"):
        FakeHammerRegistry().hammers([]).pick(PowerControl)
