"""The IPMI hammer on virtual BMCs of every kind and on OpenIPMI's simulator."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pyghmi.ipmi.sdr
import pytest

from readystate.adapters.hammers import rmcp_session
from readystate.adapters.hammers.rmcp_session import BmcSession
from readystate.domain.errors import Busy, Invalid, Refused
from readystate.domain.power import BootDevice, PowerState
from readystate.domain.secret import Secret
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from tests.contracts.hammer_contract import (
    BootContract,
    EventLogContract,
    HammerRig,
    IdentifyContract,
    InventoryContract,
    PowerContract,
    SensorContract,
)
from tests.protocol.hammer_rigs import (
    ALL,
    Rack,
    endpoint_of,
    ipmi_hammer,
    make_rack,
    rig_for,
    serve,
)


@pytest.fixture(params=ALL)
def rack(request: pytest.FixtureRequest) -> Iterator[Rack]:
    with serve(make_rack([request.param])) as rack:
        yield rack


@pytest.fixture
def bmc(rack: Rack) -> VirtualBmc:
    return rack.bmcs[0]


@pytest.fixture
def rig(bmc: VirtualBmc) -> Iterator[HammerRig]:
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    yield rig_for(bmc, hammer)
    hammer.close()


class TestIpmiHammer(
    PowerContract,
    BootContract,
    IdentifyContract,
    InventoryContract,
    SensorContract,
    EventLogContract,
):
    pass


@pytest.fixture
def one_bmc() -> Iterator[tuple[Rack, VirtualBmc]]:
    with serve(make_rack(["generic-ipmi"])) as rack:
        yield rack, rack.bmcs[0]


@pytest.mark.parametrize("suite", [3, 17])
def test_both_cipher_suites_open_a_session(one_bmc: tuple[Rack, VirtualBmc], suite: int) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi", cipher_suite=suite))

    assert PowerState.OFF is hammer.read_power()


def test_the_restart_cause_is_told(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    hammer.power_on()

    assert "chassis-command" == hammer.read_restart_cause()


def test_a_password_of_odd_characters_works(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    odd = "p@\"ß' $x:%s\\"
    bmc.users[0].password = odd
    hammer = ipmi_hammer(replace(endpoint_of(bmc, "ipmi"), password=Secret(odd)))

    assert PowerState.OFF is hammer.read_power()


def test_a_password_longer_than_the_protocol_is_invalid_and_never_shown(
    one_bmc: tuple[Rack, VirtualBmc],
) -> None:
    _, bmc = one_bmc
    long = "secret-" * 4
    hammer = ipmi_hammer(replace(endpoint_of(bmc, "ipmi"), password=Secret(long)))

    with pytest.raises(Invalid, match="20 bytes") as caught:
        hammer.read_power()
    assert "secret-" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_an_unknown_user_is_refused(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(replace(endpoint_of(bmc, "ipmi"), username="nobody"))

    with pytest.raises(Refused):
        hammer.read_power()


def test_an_operator_may_switch(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    endpoint = replace(
        endpoint_of(bmc, "ipmi"), username="operator", password=Secret("operates-12")
    )
    hammer = ipmi_hammer(endpoint)
    hammer.power_on()

    assert bmc.machine.is_on


def test_a_user_who_may_only_read_is_refused(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    endpoint = replace(
        endpoint_of(bmc, "ipmi"), username="watcher", password=Secret("only-reads-12")
    )

    with pytest.raises(Refused, match="may not act"):
        ipmi_hammer(endpoint).power_on()
    assert not bmc.machine.is_on


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.SESSION_EXHAUSTION])
def test_not_now_is_busy(one_bmc: tuple[Rack, VirtualBmc], fault: Fault) -> None:
    _, bmc = one_bmc
    bmc.faults.plant(fault)
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))

    with pytest.raises(Busy):
        hammer.read_power()
    bmc.faults.clear()
    assert PowerState.OFF is hammer.read_power()


def test_a_session_that_the_bmc_forgot_is_opened_again(
    one_bmc: tuple[Rack, VirtualBmc], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rmcp_session, "KEPT_SESSION_WAITS_S", (0.1,))
    rack, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    hammer.read_power()
    rack.call(lambda: [hook() for hook in bmc.on_bmc_reset])  # sessions are gone, nobody says so

    assert PowerState.OFF is hammer.read_power()
    assert 2 == bmc.ledger.rakp_ended


def test_a_session_is_kept_between_commands(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    for _ in range(5):
        hammer.read_power()

    assert 1 == bmc.ledger.rakp_ended


def test_a_session_that_slept_too_long_is_not_trusted(
    one_bmc: tuple[Rack, VirtualBmc],
) -> None:
    _, bmc = one_bmc
    now = [0.0]
    session = BmcSession(endpoint_of(bmc, "ipmi"), monotonic=lambda: now[0])
    session.command(0x06, 0x01)
    now[0] += 55.0
    session.command(0x06, 0x01)

    assert 2 == bmc.ledger.rakp_ended


def test_a_slow_bmc_is_waited_for(
    one_bmc: tuple[Rack, VirtualBmc], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bmc = one_bmc
    bmc.faults.plant(Fault.SLOW, delay_s=0.25)
    monkeypatch.setattr(rmcp_session, "KEPT_SESSION_WAITS_S", (0.1,))
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    for _ in range(3):
        assert PowerState.OFF is hammer.read_power()

    assert 1 == bmc.ledger.rakp_ended  # slow is not taken for forgetful


def test_a_one_shot_override_survives_a_bmc_that_restarts_during_the_cycle(
    one_bmc: tuple[Rack, VirtualBmc],
) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    hammer._quirks = replace(hammer._quirks, power_settle_s=10.0)
    hammer.power_on()
    hammer.set_boot_override(BootDevice.PXE, persistent=False)
    bmc.faults.plant(Fault.BMC_RESETS)  # strikes after "off" was obeyed, before "on"
    hammer.power_cycle()
    boots = bmc.machine.boots  # type: ignore[attr-defined]

    assert BootDevice.PXE.value == boots[-1].order[0].value


def test_one_bmc_s_sensors_are_not_taken_for_another_s(
    one_bmc: tuple[Rack, VirtualBmc],
) -> None:
    _, bmc = one_bmc
    assert ipmi_hammer(endpoint_of(bmc, "ipmi")).read_sensors()

    assert {} == pyghmi.ipmi.sdr.shared_sdrs


def test_threads_share_a_hammer(one_bmc: tuple[Rack, VirtualBmc]) -> None:
    _, bmc = one_bmc
    hammer = ipmi_hammer(endpoint_of(bmc, "ipmi"))
    answers: list[object] = []

    def ask() -> None:
        for _ in range(20):
            answers.append(hammer.read_power())
            hammer.read_sensors()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [PowerState.OFF] * 160 == answers
