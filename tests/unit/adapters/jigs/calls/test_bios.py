"""bios-configured: what differs is staged, and nothing else."""

from typing import Any

import pytest

from readystate.adapters.jigs.calls.bios import check_bios, configure_bios, differing_settings
from readystate.domain.errors import Busy, Invalid
from readystate.domain.outcome import Errored, NotDone, Staged, Succeeded
from readystate.ports.hammer import BiosState
from readystate.ports.jig import Ticket
from tests.fakes.hammers import FakeHammer, FakeHammers
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of


def bios_ticket(settings: dict[str, Any], *vendors: str) -> Ticket:
    rules = [{"match": {"vendor": it}, "settings": settings} for it in vendors or ("Fake",)]
    return ticket_of("bios_configure", {"profile": rules, "vendor": "Fake", "model": "F-1"})


@pytest.fixture
def hammer() -> FakeHammer:
    return FakeHammer()


@pytest.fixture
def context(hammer: FakeHammer) -> RecordingContext:
    return RecordingContext(reached=FakeHammers({"redfish@127.0.1.1": hammer}))


@pytest.mark.parametrize(
    ("wanted", "differing"),
    [
        ({}, {}),
        ({"A": 1}, {}),
        ({"A": 2}, {"A": 2}),
        ({"A": "1"}, {"A": "1"}),
        ({"B": "y"}, {"B": "y"}),
        ({"C": None}, {}),
        ({"A": 1, "B": "z"}, {"B": "z"}),
    ],
)
def test_diff(wanted: dict[str, Any], differing: dict[str, Any]) -> None:
    """By what is in force: what is pending is not in force yet."""
    assert differing == differing_settings(wanted, BiosState({"A": 1, "B": "x"}, {"B": "y"}))


def test_what_differs_is_in_force_after_the_reset(
    hammer: FakeHammer, context: RecordingContext
) -> None:
    ticket = bios_ticket({"BootMode": "Uefi", "NumLock": "Off"})

    assert Staged() == configure_bios(ticket, context)
    assert {"NumLock": "Off"} == hammer.bios_pending
    waiting = check_bios(ticket, context)
    hammer.power_cycle()

    assert isinstance(waiting, Errored)
    assert isinstance(waiting.error, Busy)
    done = Succeeded({"applied": {"BootMode": "Uefi", "NumLock": "Off"}})
    assert [done] * 2 == [check_bios(ticket, context), configure_bios(ticket, context)]


def test_what_did_not_come_is_named(context: RecordingContext) -> None:
    assert NotDone("NumLock is 'On'") == check_bios(bios_ticket({"NumLock": "Off"}), context)


@pytest.mark.parametrize("vendors", [("Other",), ("Fake", "F*")])
def test_no_rule_and_two_rules_are_refused(
    context: RecordingContext, vendors: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid, match="hardware/bios/profile"):
        configure_bios(bios_ticket({"NumLock": "Off"}, *vendors), context)
