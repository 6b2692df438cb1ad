"""address-admin: which addresses may be given out, and to which NIC."""

from collections.abc import Iterable
from typing import Any

import pytest

from readystate.adapters.jigs.calls.site import AddressAdmin, admin_mac, admin_range
from readystate.domain.errors import Conflict, Invalid
from readystate.domain.ids import NodeId
from readystate.domain.outcome import Succeeded
from readystate.ports.jig import Ticket
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of


def network(net: str, first: str, last: str, **more: str) -> dict[str, Any]:
    return {"network": net, "first": first, "last": last, **more}


RANGE = network("10.0.0.0/24", "10.0.0.9", "10.0.0.11", gateway="10.0.0.1")


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        (RANGE, ["10.0.0.9", "10.0.0.10", "10.0.0.11"]),
        (network("10.0.0.0/24", "10.0.0.9", "10.0.0.9"), ["10.0.0.9"]),
        (network("10.0.0.0/30", "10.0.0.0", "10.0.0.3"), [f"10.0.0.{it}" for it in range(4)]),
        (network("fd00::/64", "fd00::a", "fd00::b"), ["fd00::a", "fd00::b"]),
        (network("::/64", "::1", "::2"), ["::1", "::2"]),
    ],
)
def test_range_lowest_first(given: dict[str, Any], addresses: list[str]) -> None:
    found, candidates = admin_range(given)

    assert (given["network"], addresses) == (str(found), list(candidates))


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (network("10.0.0.0/24", "10.0.1.1", "10.0.0.9"), "not a range"),
        (network("10.0.0.0/24", "10.0.0.1", "10.0.1.0"), "not a range"),
        (network("10.0.0.0/24", "9.255.255.255", "10.0.0.9"), "not a range"),
        (network("10.0.0.0/24", "10.0.0.9", "10.0.0.8"), "not a range"),
        (network("10.0.0.0/24", "fd00::1", "fd00::2"), "not a range"),
        (network("10.0.0.1/24", "10.0.0.1", "10.0.0.2"), "cannot be read"),
        (network("10.0.0.0/24", "10.0.0.x", "10.0.0.2"), "cannot be read"),
        (network("10.0.0.0/24", "10.0.0.1", ""), "cannot be read"),
    ],
)
def test_what_is_no_range_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(Invalid, match=what):
        admin_range(given)


@pytest.mark.parametrize(
    ("links", "chosen"),
    [([True], 0), ([False, True, True], 1), ([None, None], 0), ([False, None, True], 2)],
)
def test_the_first_nic_with_a_link(links: list[bool | None], chosen: int) -> None:
    nics = [{"mac": f"m{number}", "link": link} for number, link in enumerate(links)]

    assert f"m{chosen}" == admin_mac(nics)


def test_no_nic_is_refused() -> None:
    with pytest.raises(Invalid, match="no NIC"):
        admin_mac([])


def first(_network: str, _node: NodeId, candidates: Iterable[str]) -> str:
    return next(iter(candidates))


def none_left(_network: str, _node: NodeId, _candidates: Iterable[str]) -> str:
    raise Conflict("no address is left on admin", hint="widen it")


def address_ticket(**changes: Any) -> Ticket:
    given = {"range": RANGE, "nics": [{"mac": "m0", "link": True}]}
    return ticket_of("address_allocate", given, **changes)


def test_what_a_node_is_given() -> None:
    jig, context = AddressAdmin(first), RecordingContext()
    expected = Succeeded(
        {
            "hostname": "node-1",
            "address": "10.0.0.9",
            "prefix_length": 24,
            "gateway": "10.0.0.1",
            "mac": "m0",
        }
    )

    assert expected == jig.run(address_ticket(), context)
    assert expected == jig.check(address_ticket(), context)


def test_a_network_without_addresses_left_is_refused() -> None:
    with pytest.raises(Invalid, match="no address is left"):
        AddressAdmin(none_left).run(address_ticket(), RecordingContext())


def test_a_role_without_a_node_is_refused() -> None:
    with pytest.raises(Invalid):
        AddressAdmin(first).run(address_ticket(node=None), RecordingContext())
