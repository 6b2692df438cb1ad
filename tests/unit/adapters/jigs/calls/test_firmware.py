"""firmware-baseline: versions in the order in which people read them."""

from itertools import pairwise

import pytest

from readystate.adapters.jigs.calls.firmware import check_baseline, recheck_baseline, version_key
from readystate.domain.errors import Invalid
from readystate.domain.outcome import NotDone, Succeeded
from readystate.ports.jig import Ticket
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of


def firmware_ticket(**minimum: str) -> Ticket:
    given = {"bios_version": "U32 v2.68", "bmc_version": "5.10.30.00", "minimum": minimum}
    return ticket_of("firmware_check", given)


@pytest.mark.parametrize(
    "versions",
    [
        ("", "1", "1.0", "1.2", "1.10", "2"),
        ("5.10.9.00", "5.10.30.00", "6.0"),
        ("U32 v2.9", "U32 v2.68", "U46 v1.0"),
        ("1.2a", "1.2b", "1.10a"),
        ("1.2-rc", "1.2.1"),
        ("a", "1"),
    ],
)
def test_order(versions: tuple[str, ...]) -> None:
    assert all(version_key(low) < version_key(high) for low, high in pairwise(versions))


@pytest.mark.parametrize(
    ("one", "other"), [("1.2", "01.02"), ("V2.1", "v2.1"), ("1.2", "1-2"), (" 1.2 ", "1.2")]
)
def test_spellings_of_one_version(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@pytest.mark.parametrize(
    ("minimum", "old"),
    [
        ({}, ""),
        ({"bios": "U32 v2.68", "bmc": "5.10.30.00"}, ""),
        ({"bios": "U32 v2.70"}, "bios"),
        ({"bmc": "6.0", "bios": "U32 v2.9"}, "bmc"),
    ],
)
def test_what_is_below_is_refused_by_name(minimum: dict[str, str], old: str) -> None:
    ticket, context = firmware_ticket(**minimum), RecordingContext()
    if not old:
        done = Succeeded({"versions": {"bios": "U32 v2.68", "bmc": "5.10.30.00"}})
        assert [done] * 2 == [check_baseline(ticket, context), recheck_baseline(ticket, context)]
        return

    with pytest.raises(Invalid) as refused:
        check_baseline(ticket, context)

    assert refused.value.why.startswith(f"{old} ")
    assert ";" not in refused.value.why
    assert NotDone(str(refused.value)) == recheck_baseline(ticket, context)


def test_a_version_that_is_not_known_is_below_all() -> None:
    ticket = firmware_ticket(bios="0.1")
    unknown = ticket_of("firmware_check", {**ticket.input, "bios_version": ""})

    with pytest.raises(Invalid) as refused:
        check_baseline(unknown, RecordingContext())

    assert "of unknown version" in refused.value.why
