"""The registry picks by capability and priority, keeps sessions, and guards every call."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from readystate.adapters.hammers.registry import BmcHammerRegistry
from readystate.domain.errors import Invalid, Refused, Unreachable, Unsupported
from readystate.domain.power import PowerState
from readystate.domain.secret import Secret
from readystate.lab.bmc.faults import Fault
from readystate.ports.hammer import (
    BiosControl,
    BmcEndpoint,
    HammerRegistry,
    PowerControl,
    SensorReader,
    StorageControl,
)
from tests.protocol.hammer_rigs import ALL, QUIRKS, TLS, Rack, endpoint_of, make_rack, serve


class SetClock:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def rack() -> Iterator[Rack]:
    with serve(make_rack(ALL)) as rack:
        yield rack


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def registry(rack: Rack, clock: SetClock) -> Iterator[HammerRegistry]:
    del rack  # closed after the registry
    registry = BmcHammerRegistry(clock=clock, quirks=QUIRKS, tls=TLS)
    yield registry
    registry.close()


def both(rack: Rack, number: int = 0) -> list[BmcEndpoint]:
    return [endpoint_of(rack.bmcs[number], protocol) for protocol in ("ipmi", "redfish")]


def test_redfish_comes_before_ipmi(rack: Rack, registry: HammerRegistry) -> None:
    hammers = registry.hammers(both(rack))

    assert PowerState.OFF is hammers.pick(PowerControl).read_power()
    assert (f"redfish@{rack.bmcs[0].address}",) == hammers.used()


def test_a_quirk_can_put_ipmi_first(rack: Rack, clock: SetClock) -> None:
    table = replace(
        QUIRKS,
        quirks=[
            replace(quirk, values={"prefer_protocol": "ipmi"})
            for quirk in QUIRKS.quirks
            if quirk.name == "supermicro-boot-mode"
        ],
    )
    registry = BmcHammerRegistry(clock=clock, quirks=table, tls=TLS)
    endpoints = [replace(item, vendor="Supermicro") for item in both(rack)]
    hammers = registry.hammers(endpoints)
    hammers.pick(PowerControl)

    assert (f"ipmi@{rack.bmcs[0].address}",) == hammers.used()


def test_a_capability_that_only_one_protocol_has_picks_that_one(
    rack: Rack, registry: HammerRegistry
) -> None:
    with pytest.raises(Unsupported, match=r"BiosControl.*ipmi@"):
        registry.hammers(both(rack)[:1]).pick(BiosControl)
    assert {} != registry.hammers(both(rack)).pick(BiosControl).read_bios().current
    assert registry.hammers(both(rack)).pick(StorageControl).read_storage()


def test_what_was_used_is_remembered_once_and_in_order(
    rack: Rack, registry: HammerRegistry
) -> None:
    ipmi, redfish = both(rack)
    hammers = registry.hammers([ipmi, redfish])
    for _ in range(2):
        hammers.pick(PowerControl)
        hammers.pick(SensorReader)

    assert (f"redfish@{rack.bmcs[0].address}",) == hammers.used()


def test_a_node_without_endpoints_says_so(registry: HammerRegistry) -> None:
    with pytest.raises(Unsupported, match="the node has no BMC"):
        registry.hammers([]).pick(PowerControl)


def test_an_unknown_protocol_is_invalid(rack: Rack, registry: HammerRegistry) -> None:
    endpoint = replace(both(rack)[0], protocol="telnet")

    with pytest.raises(Invalid, match="no hammer speaks 'telnet'"):
        registry.hammers([endpoint]).pick(PowerControl)


def test_sessions_are_shared_and_given_back(rack: Rack, registry: HammerRegistry) -> None:
    for endpoint in both(rack):
        for _ in range(3):
            registry.hammers([endpoint]).pick(PowerControl).read_power()
    bmc = rack.bmcs[0]
    assert (1, 1) == (bmc.ledger.rakp_ended, len(rack.sessions_of(bmc).list()))

    registry.close()
    assert [] == rack.sessions_of(bmc).list()


def test_what_is_learnt_of_a_machine_keeps_its_session(
    rack: Rack, registry: HammerRegistry
) -> None:
    bmc = rack.bmcs[0]
    for facts in ({}, {"vendor": "Dell"}, {"vendor": "Dell", "model": "R-640"}):
        for endpoint in both(rack):
            known = replace(endpoint, credential="site", **facts)
            registry.hammers([known]).pick(PowerControl).read_power()

    assert (1, 1) == (bmc.ledger.rakp_ended, len(rack.sessions_of(bmc).list()))


def test_more_bmcs_than_are_kept_give_the_oldest_session_back(rack: Rack, clock: SetClock) -> None:
    registry = BmcHammerRegistry(clock=clock, quirks=QUIRKS, tls=TLS, keep=2)
    for bmc in rack.bmcs[:3]:
        registry.hammers([endpoint_of(bmc, "redfish")]).pick(PowerControl).read_power()

    assert [0, 1, 1] == [len(rack.sessions_of(bmc).list()) for bmc in rack.bmcs[:3]]
    registry.close()


def test_a_silent_bmc_is_left_alone_after_three_failures(
    rack: Rack, registry: HammerRegistry, clock: SetClock
) -> None:
    bmc = rack.bmcs[0]
    bmc.faults.plant(Fault.UNREACHABLE)
    power = registry.hammers(both(rack)).pick(PowerControl)
    for _ in range(3):
        with pytest.raises(Unreachable, match="no answer"):
            power.read_power()
    until = registry.breaker_open_until(bmc.address)
    assert clock.at + timedelta(seconds=5) == until

    bmc.faults.clear()
    with pytest.raises(Unreachable, match="left alone until 12:00:05"):
        registry.hammers(both(rack)).pick(PowerControl).read_power()
    clock.at += timedelta(seconds=5)
    assert PowerState.OFF is power.read_power()
    assert registry.breaker_open_until(bmc.address) is None


def test_a_wrong_password_never_opens_the_breaker(rack: Rack, registry: HammerRegistry) -> None:
    endpoint = replace(both(rack)[1], password=Secret("wrong"))
    for _ in range(4):
        with pytest.raises(Refused):
            registry.hammers([endpoint]).pick(PowerControl).read_power()

    assert registry.breaker_open_until(endpoint.address) is None
