"""What the live image posts becomes facts of the node."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from readystate.adapters.jigs.calls.inventory import take_inventory
from readystate.domain.errors import Failed
from readystate.domain.inventory import Inventory
from readystate.domain.outcome import Succeeded
from tests.fakes.hammers import make_inventory
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of

FACTS = {
    "uuid": "4c4c4544-0000-1000-8000-000000000001",
    "serial": "FAKE0001",
    "vendor": "Fake Corp.",
    "model": "F-1",
    "macs": ["02:00:00:00:00:01"],
}


def facts_of(inventory: Inventory) -> dict[str, Any]:
    context = RecordingContext()
    ticket = ticket_of("inventory_take", wake={"inventory": asdict(inventory)})
    assert isinstance(take_inventory(ticket, context), Succeeded)
    return context.facts


def test_the_machine_says_who_it_is() -> None:
    assert FACTS == facts_of(make_inventory())


@pytest.mark.parametrize(
    ("fact", "empty"),
    [
        ("uuid", {"uuid": ""}),
        ("serial", {"serial": ""}),
        ("vendor", {"manufacturer": ""}),
        ("model", {"model": ""}),
        ("macs", {"nics": ()}),
    ],
)
def test_what_it_does_not_say_overwrites_nothing(fact: str, empty: dict[str, Any]) -> None:
    said = facts_of(replace(make_inventory(), **empty))

    assert {name: value for name, value in FACTS.items() if name != fact} == said


def test_what_cannot_be_read_fails_with_the_place() -> None:
    ticket = ticket_of("inventory_take", wake={"inventory": {"uuid": 7}})

    with pytest.raises(Failed) as failed:
        take_inventory(ticket, RecordingContext())

    assert "uuid" in failed.value.why
