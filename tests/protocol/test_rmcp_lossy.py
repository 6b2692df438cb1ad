"""Lost packets cost time and nothing else: sessions open, commands are carried out once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from readystate.adapters.hammers import rmcp_reader
from readystate.adapters.hammers.rmcp_reader import PowerSweep
from readystate.domain.errors import Unreachable, WorkError
from readystate.domain.power import PowerState
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.ports.hammer import BmcEndpoint
from tests.protocol.hammer_rigs import (
    RMCP_PORT,
    endpoint_of,
    ipmi_hammer,
    make_rack,
    network,
    serve,
)
from tests.protocol.lossy_link import Loses, lossy_link

LINK = f"{network()}.9.5"
#: Each packet of an opening and a command is lost once: open, RAKP 1, RAKP 3, privilege, command.
EACH_ONCE = [(number, from_bmc) for number in range(1, 6) for from_bmc in (False, True)]


@pytest.fixture
def bmc() -> Iterator[VirtualBmc]:
    with serve(make_rack(["generic-ipmi"])) as rack:
        yield rack.bmcs[0]


def loses_one(lost: int, *, lost_from_bmc: bool) -> Loses:
    return lambda number, from_bmc: (number, from_bmc) == (lost, lost_from_bmc)


def loses_all_after_the_first(number: int, from_bmc: bool) -> bool:
    return from_bmc and number > 1


def through(link_port: int, bmc: VirtualBmc) -> BmcEndpoint:
    return replace(endpoint_of(bmc, "ipmi"), address=LINK, port=link_port)


@pytest.mark.parametrize(("number", "from_bmc"), EACH_ONCE)
def test_the_hammer_survives_the_loss_of_any_packet(
    bmc: VirtualBmc, number: int, *, from_bmc: bool
) -> None:
    with lossy_link(
        LINK, (bmc.address, RMCP_PORT), loses_one(number, lost_from_bmc=from_bmc)
    ) as link:
        hammer = ipmi_hammer(through(link.port, bmc))
        assert PowerState.OFF is hammer.read_power()

    assert 1 == link.lost


def test_a_command_that_was_repeated_is_carried_out_once(bmc: VirtualBmc) -> None:
    # Four answers open the session, the fifth tells the power state, the sixth is lost.
    with lossy_link(LINK, (bmc.address, RMCP_PORT), loses_one(6, lost_from_bmc=True)) as link:
        hammer = ipmi_hammer(through(link.port, bmc))
        hammer.power_on()

    assert 1 == link.lost
    assert (True, 1, 1) == (bmc.machine.is_on, bmc.ledger.power_ons, bmc.ledger.boots)


def test_a_bmc_that_falls_silent_in_the_handshake_is_unreachable(bmc: VirtualBmc) -> None:
    with (
        lossy_link(LINK, (bmc.address, RMCP_PORT), loses_all_after_the_first) as link,
        pytest.raises(Unreachable),
    ):
        ipmi_hammer(through(link.port, bmc)).read_power()


async def sweep_once(endpoint: BmcEndpoint) -> PowerState | WorkError:
    sweep = PowerSweep()
    states = await sweep.read([endpoint])
    await sweep.close()
    return states[endpoint.address]


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rmcp_reader, "WAITS_S", (0.2, 0.2, 0.2))


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(("number", "from_bmc"), [item for item in EACH_ONCE if item[0] < 5])
def test_the_sweep_survives_the_loss_of_any_packet(
    bmc: VirtualBmc, number: int, *, from_bmc: bool
) -> None:
    with lossy_link(
        LINK, (bmc.address, RMCP_PORT), loses_one(number, lost_from_bmc=from_bmc)
    ) as link:
        state = asyncio.run(sweep_once(through(link.port, bmc)))

    assert (PowerState.OFF, 1) == (state, link.lost)


@pytest.mark.usefixtures("short_waits")
def test_the_sweep_gives_up_on_a_lost_handshake(bmc: VirtualBmc) -> None:
    with lossy_link(LINK, (bmc.address, RMCP_PORT), loses_all_after_the_first) as link:
        state = asyncio.run(sweep_once(through(link.port, bmc)))

    assert isinstance(state, Unreachable)
