"""The sweep reads hundreds of BMCs of every state, and keeps their sessions."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from readystate.adapters.hammers import rmcp_reader
from readystate.adapters.hammers.rmcp_reader import PowerSweep
from readystate.domain.errors import Busy, Invalid, Refused, Unreachable, WorkError
from readystate.domain.power import PowerState
from readystate.domain.secret import Secret
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.ports.hammer import BmcEndpoint
from tests.protocol.hammer_rigs import ALL, Rack, endpoint_of, make_rack, serve

States = Mapping[str, PowerState | WorkError]


@pytest.fixture(autouse=True)
def _short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rmcp_reader, "WAITS_S", (0.15, 0.2))
    monkeypatch.setattr(rmcp_reader, "KEPT_WAITS_S", (0.15,))


@pytest.fixture
def rack() -> Iterator[Rack]:
    with serve(make_rack(ALL)) as rack:
        yield rack


def run(act: Callable[[PowerSweep], Awaitable[States]]) -> States:
    async def go() -> States:
        sweep = PowerSweep()
        try:
            return await act(sweep)
        finally:
            await sweep.close()

    return asyncio.run(go())


def endpoints_of(bmcs: list[VirtualBmc]) -> list[BmcEndpoint]:
    return [
        endpoint_of(bmc, "ipmi", cipher_suite=(3, 17)[number % 2])
        for number, bmc in enumerate(bmcs)
    ]


def test_every_state_is_told_for_what_it_is(rack: Rack) -> None:
    on, silent, refusing, busy = rack.bmcs
    rack.call(on.power_on)
    silent.faults.plant(Fault.UNREACHABLE)
    refusing.faults.plant(Fault.WRONG_PASSWORD)
    busy.faults.plant(Fault.UNAVAILABLE)
    states = run(lambda sweep: sweep.read(endpoints_of(rack.bmcs)))

    assert PowerState.ON is states[on.address]
    assert isinstance(states[silent.address], Unreachable)
    assert isinstance(states[refusing.address], Refused)
    assert isinstance(states[busy.address], Busy)


def test_sessions_are_kept_between_sweeps_and_given_back(rack: Rack) -> None:
    async def thrice(sweep: PowerSweep) -> States:
        for _ in range(2):
            await sweep.read(endpoints_of(rack.bmcs))
        return await sweep.read(endpoints_of(rack.bmcs))

    assert {PowerState.OFF} == set(run(thrice).values())
    assert [1, 1, 1, 1] == [bmc.ledger.rakp_ended for bmc in rack.bmcs]


def test_a_bmc_that_forgot_its_session_is_asked_anew(rack: Rack) -> None:
    async def around_a_reset(sweep: PowerSweep) -> States:
        await sweep.read(endpoints_of(rack.bmcs))
        rack.call(lambda: [hook() for bmc in rack.bmcs[:2] for hook in bmc.on_bmc_reset])
        return await sweep.read(endpoints_of(rack.bmcs))

    assert {PowerState.OFF} == set(run(around_a_reset).values())
    assert [2, 2, 1, 1] == [bmc.ledger.rakp_ended for bmc in rack.bmcs]


def test_a_changed_power_state_is_seen(rack: Rack) -> None:
    async def twice(sweep: PowerSweep) -> States:
        await sweep.read(endpoints_of(rack.bmcs))
        rack.call(rack.bmcs[2].power_on)
        return await sweep.read(endpoints_of(rack.bmcs))

    states = run(twice)
    assert [rack.bmcs[2].address] == [
        address for address, state in states.items() if state is PowerState.ON
    ]


def test_bad_endpoints_do_not_spoil_the_sweep(rack: Rack) -> None:
    good, *_ = endpoints_of(rack.bmcs)
    long = replace(good, address="127.0.0.99", password=Secret("x" * 21))
    nobody = replace(good, address="no-such-bmc.invalid")
    states = run(lambda sweep: sweep.read([long, good, nobody]))

    assert PowerState.OFF is states[good.address]
    assert isinstance(states[long.address], Invalid)
    assert isinstance(states[nobody.address], Unreachable)


def test_more_bmcs_than_fit_at_once_are_all_read(rack: Rack) -> None:
    async def go() -> States:
        sweep = PowerSweep(in_flight=1)
        states = await sweep.read(endpoints_of(rack.bmcs))
        await sweep.close()
        return states

    assert {PowerState.OFF} == set(asyncio.run(go()).values())


def test_an_empty_sweep_is_empty() -> None:
    assert {} == run(lambda sweep: sweep.read([]))
