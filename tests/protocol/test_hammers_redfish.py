"""The Redfish hammer on virtual BMCs of every vendor: the contract, then what a wire can do."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from readystate.adapters.hammers.redfish import RedfishHammer
from readystate.domain.errors import Busy, Invalid, Refused, Unreachable, Unsupported
from readystate.domain.power import BootDevice, PowerState
from readystate.domain.secret import Secret
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.ports.hammer import BmcEndpoint
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
from tests.protocol.hammer_rigs import (
    WITH_REDFISH,
    Rack,
    endpoint_of,
    make_rack,
    redfish_hammer,
    rig_for,
    serve,
)
from tests.protocol.redfish_rack import SWITCHES


@pytest.fixture(params=WITH_REDFISH)
def rack(request: pytest.FixtureRequest) -> Iterator[Rack]:
    with serve(make_rack([request.param])) as rack:
        yield rack


@pytest.fixture
def bmc(rack: Rack) -> VirtualBmc:
    return rack.bmcs[0]


OpenHammer = Callable[[BmcEndpoint], RedfishHammer]


@pytest.fixture
def open_hammer(rack: Rack) -> Iterator[OpenHammer]:
    """Makes hammers, and closes them before their BMC stops."""
    del rack
    opened: list[RedfishHammer] = []

    def open_one(endpoint: BmcEndpoint) -> RedfishHammer:
        opened.append(redfish_hammer(endpoint))
        return opened[-1]

    yield open_one
    for hammer in opened:
        hammer.close()


@pytest.fixture
def rig(bmc: VirtualBmc, open_hammer: OpenHammer) -> HammerRig:
    return rig_for(bmc, open_hammer(endpoint_of(bmc, "redfish")))


class TestRedfishHammer(
    PowerContract,
    BootContract,
    IdentifyContract,
    InventoryContract,
    BiosContract,
    StorageContract,
    SensorContract,
    EventLogContract,
):
    pass


def test_the_inventory_is_the_hardware(rig: HammerRig, bmc: VirtualBmc) -> None:
    hardware = bmc.machine.hardware
    inventory = rig.hammer.read_inventory()

    assert (hardware.manufacturer, hardware.model) == (inventory.manufacturer, inventory.model)
    assert (hardware.bios_version, hardware.bmc_version) == (
        inventory.bios_version,
        inventory.bmc_version,
    )
    assert (2, 40, hardware.memory_bytes) == (
        inventory.cpu_sockets,
        inventory.cpu_cores,
        inventory.memory_bytes,
    )
    assert {(nic.mac, nic.speed_mbps) for nic in hardware.nics} == {
        (nic.mac, nic.speed_mbps) for nic in inventory.nics
    }
    assert {(item.serial, item.size_bytes) for item in hardware.drives} == {
        (disk.serial, disk.size_bytes) for disk in inventory.disks
    }


def test_the_vendor_is_normalised(rig: HammerRig, bmc: VirtualBmc) -> None:
    names = {"dell": "Dell", "hpe": "HPE", "supermicro": "Supermicro"}

    assert names[bmc.machine.hardware.personality] == rig.hammer.read_identity().vendor


def test_two_changes_of_the_bios_wait_together_or_the_second_is_busy(
    rig: HammerRig, bmc: VirtualBmc
) -> None:
    rig.hammer.stage_bios(rig.bios_change)
    second = {"LabNote": "rack 13"}
    if bmc.machine.hardware.personality == "dell":  # its job holds what is pending
        with pytest.raises(Busy, match="others are pending"):
            rig.hammer.stage_bios(second)
    else:
        rig.hammer.stage_bios(second)
        assert {**rig.bios_change, **second} == dict(rig.hammer.read_bios().pending)


def test_a_value_that_the_registry_does_not_allow_is_invalid(
    rig: HammerRig, bmc: VirtualBmc
) -> None:
    name, default, _ = SWITCHES[bmc.machine.hardware.personality]

    with pytest.raises(Invalid, match=f"{name}: 'Perhaps' is none of .*{default}"):
        rig.hammer.stage_bios({name: "Perhaps"})
    assert 0 == bmc.ledger.bios_writes


def test_a_one_shot_override_survives_a_bmc_that_restarts_during_the_cycle(
    rig: HammerRig, bmc: VirtualBmc
) -> None:
    rig.hammer.power_on()
    rig.hammer.set_boot_override(BootDevice.PXE, persistent=False)
    bmc.faults.plant(Fault.BMC_RESETS)  # strikes after "off" was obeyed, before "on"
    rig.hammer._quirks = replace(rig.hammer._quirks, power_settle_s=10.0)
    rig.hammer.power_cycle()
    boots = bmc.machine.boots  # type: ignore[attr-defined]

    assert BootDevice.PXE.value == boots[-1].order[0].value


def test_the_session_is_kept_and_given_back(rig: HammerRig, rack: Rack, bmc: VirtualBmc) -> None:
    for _ in range(3):
        rig.hammer.read_power()
    sessions = rack.sessions_of(bmc)
    assert 1 == len(sessions.list())

    rig.hammer.close()
    assert 0 == len(sessions.list())


def test_a_dropped_session_is_opened_again(rig: HammerRig, rack: Rack, bmc: VirtualBmc) -> None:
    rig.hammer.read_power()
    rack.call(rack.sessions_of(bmc).clear)

    assert PowerState.OFF is rig.hammer.read_power()


def test_no_free_session_is_busy_and_passes(rig: HammerRig, bmc: VirtualBmc) -> None:
    bmc.faults.plant(Fault.SESSION_EXHAUSTION)

    with pytest.raises(Busy, match=r"session|503|limit"):
        rig.hammer.read_power()
    bmc.faults.clear()
    assert PowerState.OFF is rig.hammer.read_power()


def test_unavailable_is_busy(rig: HammerRig, bmc: VirtualBmc) -> None:
    bmc.faults.plant(Fault.UNAVAILABLE)

    with pytest.raises(Busy, match="503"):
        rig.hammer.read_power()


def test_a_slow_bmc_is_waited_for(rig: HammerRig, bmc: VirtualBmc) -> None:
    bmc.faults.plant(Fault.SLOW, delay_s=0.1)

    assert PowerState.OFF is rig.hammer.read_power()


def test_a_wrong_password_is_tried_once(bmc: VirtualBmc, open_hammer: OpenHammer) -> None:
    hammer = open_hammer(replace(endpoint_of(bmc, "redfish"), password=Secret("wrong")))

    with pytest.raises(Refused) as caught:
        hammer.read_power()
    assert 1 == bmc.ledger.refused_logins
    assert "wrong" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_a_password_of_odd_characters_works(bmc: VirtualBmc, open_hammer: OpenHammer) -> None:
    odd = "p@\"ß' $x:%s"
    bmc.users[0].password = odd
    hammer = open_hammer(replace(endpoint_of(bmc, "redfish"), password=Secret(odd)))

    assert PowerState.OFF is hammer.read_power()


def test_a_user_who_may_only_read_is_refused_to_switch(
    bmc: VirtualBmc, open_hammer: OpenHammer
) -> None:
    endpoint = replace(
        endpoint_of(bmc, "redfish"), username="watcher", password=Secret("only-reads-12")
    )
    hammer = open_hammer(endpoint)

    assert PowerState.OFF is hammer.read_power()
    with pytest.raises(Refused):
        hammer.power_on()


def test_threads_share_a_hammer(rig: HammerRig) -> None:
    answers: list[object] = []

    def ask() -> None:
        for _ in range(10):
            answers.append(rig.hammer.read_power())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [PowerState.OFF] * 80 == answers


def test_a_cut_connection_is_opened_again(rig: HammerRig, rack: Rack, bmc: VirtualBmc) -> None:
    rig.hammer.read_power()
    rack.call(bmc.cold_reset)  # cuts every connection, then answers nothing for a while
    with pytest.raises(Unreachable):
        rig.hammer.read_power()
    bmc.restarting_until = time.monotonic()

    assert PowerState.OFF is rig.hammer.read_power()


def test_the_restart_cause_needs_another_protocol(rig: HammerRig) -> None:
    with pytest.raises(Unsupported):
        rig.hammer.read_restart_cause()
