"""Inventory and installation end only when the machine cannot go on with them."""

from dataclasses import dataclass

import pytest

from readystate.adapters.jigs.calls.registry import shipped_calls
from readystate.domain.errors import Failed, Unreachable
from readystate.domain.power import PowerState
from readystate.ports.boot_services import BootKind, BootWish
from tests.fakes.hammers import BrokenHammer, FakeHammer, FakeHammers
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of

CALLS = shipped_calls(prove=lambda it: it, claim=lambda *_: "", own_key="ssh-ed25519 OURS")
BOOTED = pytest.mark.parametrize("function", ["inventory_take", "os_install"])


def context_with(hammer: object) -> RecordingContext:
    return RecordingContext(reached=FakeHammers({"redfish@127.0.1.1": hammer}))


@dataclass
class StaysOn(FakeHammer):
    def power_off(self, *, graceful: bool = False) -> None:
        del graceful


@BOOTED
def test_a_stop_switches_off_and_lets_the_next_boot_be_from_disk(function: str) -> None:
    hammer = FakeHammer(is_on=True)
    context = context_with(hammer)

    CALLS.stop(ticket_of(function), context)
    CALLS.stop(ticket_of(function), context)

    assert [BootWish(BootKind.LOCAL)] * 2 == context.wishes
    assert PowerState.OFF is hammer.read_power()


@BOOTED
def test_a_stop_fails_while_the_bmc_is_away(function: str) -> None:
    context = context_with(BrokenHammer(Unreachable("no answer")))

    with pytest.raises(Unreachable):
        CALLS.stop(ticket_of(function), context)


@BOOTED
def test_a_stop_fails_while_the_machine_stays_on(function: str) -> None:
    context = context_with(StaysOn(is_on=True))

    with pytest.raises(Failed, match="still on"):
        CALLS.stop(ticket_of(function), context)


@BOOTED
def test_a_machine_that_has_called_back_is_left_alone(function: str) -> None:
    hammer = FakeHammer(is_on=True)
    context = context_with(hammer)

    CALLS.stop(ticket_of(function, wake={"callback": "first-boot"}), context)

    assert [] == context.wishes
    assert PowerState.ON is hammer.read_power()
