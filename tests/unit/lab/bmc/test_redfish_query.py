"""The query of a GET and the ETag of what it gets, without a server."""

from typing import Any

import pytest

from readystate.lab.bmc.personalities.dell import DELL
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.personalities.supermicro import SUPERMICRO
from readystate.lab.bmc.redfish_etag import encode, etag_of, is_match, with_etag
from readystate.lab.bmc.redfish_messages import Refusal
from readystate.lab.bmc.redfish_query import apply_query
from readystate.lab.bmc.redfish_service import RedfishService
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.lab.hardware import Drive, Hardware, Nic
from readystate.lab.machines.inert import InertMachine

RESOURCES = {"/a": {"@odata.id": "/a", "Id": "a", "Next": {"@odata.id": "/b"}}, "/b": {"Id": "b"}}
HARDWARE = Hardware(
    personality="dell",
    manufacturer="Dell Inc.",
    model="R-640",
    serial="SN1",
    uuid="0",
    bios_version="1",
    bmc_version="1",
    cpu_model="Xeon",
    cpu_sockets=1,
    cpu_cores=1,
    memory_bytes=2**30,
    nics=(Nic("eno1", "0c:c4:7a:00:00:01", 1000, "0000:19:00.0"),),
    drives=tuple(Drive(f"Disk.Bay.{bay}", 10**9, "S4510", f"D{bay}") for bay in range(4)),
)


def make_service(personality: Personality = DELL) -> RedfishService:
    return RedfishService(VirtualBmc("127.0.0.1", InertMachine(HARDWARE), []), personality)


def ask(
    body: dict[str, Any], query: dict[str, str], personality: Personality = DELL
) -> dict[str, Any]:
    return apply_query(make_service(personality), RESOURCES.get, body, query)


def make_log(count: int) -> dict[str, Any]:
    return {
        "@odata.id": "/log",
        "@odata.type": "#LogEntryCollection.LogEntryCollection",
        "Members": list(range(count)),
        "Members@odata.count": count,
    }


BODY = {"@odata.id": "/x", "Sub": {"@odata.id": "/a"}, "Links": {"Up": [{"@odata.id": "/b"}]}}


@pytest.mark.parametrize(
    ("expand", "sub", "up"),
    [(".", True, False), ("~", False, True), ("*", True, True), ("*($levels=1)", True, True)],
)
def test_expand_takes_what_its_sign_stands_for(expand: str, sub: bool, up: bool) -> None:
    body = ask(BODY, {"$expand": expand})

    assert sub == ("Id" in body["Sub"])
    assert up == ("Id" in body["Links"]["Up"][0])


def test_expand_stops_at_one_level_and_keeps_links_that_lead_nowhere() -> None:
    body = ask({"Sub": {"@odata.id": "/a"}, "Gone": {"@odata.id": "/gone"}}, {"$expand": "*"})

    assert {"@odata.id": "/b"} == body["Sub"]["Next"]
    assert {"@odata.id": "/gone"} == body["Gone"]


@pytest.mark.parametrize("expand", ["", "all", "*($levels=0)", "*($levels=2)", "*($levels=x)"])
def test_expand_that_cannot_be_read_is_refused(expand: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(BODY, {"$expand": expand})

    assert (400, "QueryParameterValueFormatError") == (refused.value.status, refused.value.key)


@pytest.mark.parametrize("query", [{"$expand": "."}, {"$select": "Id"}, {"$filter": "Id"}])
def test_query_is_refused_where_the_vendor_has_none(query: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(BODY, query, SUPERMICRO)

    assert 501 == refused.value.status


def test_select_keeps_what_was_asked_for_and_the_annotations() -> None:
    assert {"@odata.id": "/x", "Sub": BODY["Sub"]} == ask(BODY, {"$select": "Sub"})


@pytest.mark.parametrize(
    ("query", "first", "count", "next_link"),
    [
        ({}, 0, 50, "/log?$skip=50"),
        ({"$skip": "100"}, 100, 20, None),
        ({"$top": "5"}, 0, 5, "/log?$skip=5"),
        ({"$top": "500", "$skip": "60"}, 60, 50, "/log?$skip=110"),
    ],
)
def test_log_is_cut_into_pages(
    query: dict[str, str], first: int, count: int, next_link: str | None
) -> None:
    body = ask(make_log(120), query)

    assert list(range(first, first + count)) == body["Members"]
    assert next_link == body.get("Members@odata.nextLink")
    assert 120 == body["Members@odata.count"]


def test_page_number_must_be_a_number() -> None:
    with pytest.raises(Refusal):
        ask(make_log(3), {"$skip": "-1"})


def test_etag_follows_the_body_and_is_put_into_it() -> None:
    one, other = encode({"Id": "1"}), encode({"Id": "2"})

    assert etag_of(one) == etag_of(encode({"Id": "1"}))
    assert etag_of(one) != etag_of(other)
    assert b'{"@odata.etag":"W/\\"AB\\"","Id":"1"}' == with_etag(one, 'W/"AB"')


@pytest.mark.parametrize(
    ("if_match", "matches"),
    [
        ('W/"AB"', True),
        ('"AB"', True),
        ("AB", True),
        ("*", True),
        ('W/"CD", W/"AB"', True),
        ('W/"CD"', False),
        ("", False),
    ],
)
def test_if_match_is_compared_weakly(if_match: str, matches: bool) -> None:
    assert matches == is_match(if_match, 'W/"AB"')
