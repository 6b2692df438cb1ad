"""Paths to routes, what the routes of each personality allow, and sessions that grow old."""

import pytest

from readystate.lab.bmc import redfish_sessions
from readystate.lab.bmc.personalities.dell import DELL
from readystate.lab.bmc.personalities.hpe import HPE
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.personalities.supermicro import SUPERMICRO
from readystate.lab.bmc.redfish_messages import BASE, Refusal
from readystate.lab.bmc.redfish_sessions import Sessions
from readystate.lab.bmc.redfish_tree import Route, Tree, tree_of
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.machines.inert import InertMachine
from tests.unit.lab.bmc.test_redfish_query import HARDWARE

PERSONALITIES = [DELL, HPE, SUPERMICRO]


def make_tree(*templates: str, is_case_insensitive: bool = False) -> Tree:
    routes = {template: Route(is_public=True) for template in templates}
    return Tree(routes, is_case_insensitive=is_case_insensitive)


def test_ids_are_what_stands_for_the_braces() -> None:
    found = make_tree("/s/{}/v/{}").find("/s/RAID.1/v/Disk.0:RAID.1/")

    assert found is not None
    assert ("RAID.1", "Disk.0:RAID.1") == found[1]


def test_part_that_is_spelt_out_goes_first_but_does_not_hide_the_braces() -> None:
    tree = make_tree("/r/{}", "/r/Base/file")

    assert [("Base",), ()] == [tree.find(path)[1] for path in ("/r/Base", "/r/Base/file")]  # type: ignore[index]


@pytest.mark.parametrize("path", ["/", "/s", "/s/1/2", "/S/1"])
def test_path_without_a_route_is_not_found(path: str) -> None:
    assert make_tree("/s/{}").find(path) is None


def test_case_matters_unless_the_vendor_says_otherwise() -> None:
    tree = make_tree("/Systems/{}", is_case_insensitive=True)

    assert ("AbC",) == tree.find("/systems/AbC")[1]  # type: ignore[index]


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda item: item.vendor)
def test_tree_is_made_once_for_a_personality(personality: Personality) -> None:
    assert tree_of(personality) is tree_of(personality)


@pytest.mark.parametrize(
    ("personality", "accounts", "account"),
    [
        (DELL, "GET, HEAD", "GET, HEAD, PATCH"),
        (HPE, "GET, HEAD, POST", "GET, HEAD, PATCH, DELETE"),
        (SUPERMICRO, "GET, HEAD, POST", "GET, HEAD, PATCH, DELETE"),
    ],
    ids=["dell", "hpe", "supermicro"],
)
def test_allow_names_what_the_vendor_lets_one_do_with_accounts(
    personality: Personality, accounts: str, account: str
) -> None:
    found = [
        tree_of(personality).find(f"/redfish/v1/AccountService/Accounts{tail}")
        for tail in ("", "/2")
    ]

    assert [accounts, account] == [item[0].allow for item in found if item is not None]


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda item: item.vendor)
def test_every_default_of_an_enumeration_is_one_of_its_values(personality: Personality) -> None:
    for attribute in personality.bios_attributes:
        if attribute.values:
            assert attribute.default in attribute.values
        if not attribute.is_read_only:
            attribute.check(attribute.default)


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda item: item.vendor)
def test_every_message_can_be_spelt(personality: Personality) -> None:
    for key in {*BASE, *personality.spelling.own}:
        message = personality.spelling.message(key, ("one", "two", "three"))
        assert "%" not in message.get("Message", "")
        assert 3 <= len(message["MessageId"].split("."))


def test_session_that_is_not_used_for_too_long_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(redfish_sessions.time, "monotonic", lambda: now_s)
    bmc = VirtualBmc("127.0.0.1", InertMachine(HARDWARE), [BmcUser(2, "admin", "secret")])
    sessions = Sessions(bmc, SUPERMICRO)
    session = sessions.create("admin", "secret")

    now_s += SUPERMICRO.session_timeout_s - 1
    assert "admin" == sessions.authenticate(session.token, None).name
    now_s += SUPERMICRO.session_timeout_s - 1
    assert [session] == sessions.list()
    now_s += 2
    with pytest.raises(Refusal) as refused:
        sessions.authenticate(session.token, None)
    assert 401 == refused.value.status
    assert [] == sessions.list()


@pytest.mark.parametrize("authorization", [None, "", "Bearer x", "Basic !", "Basic bm9jb2xvbg=="])
def test_credentials_that_cannot_be_read_are_refused(authorization: str | None) -> None:
    bmc = VirtualBmc("127.0.0.1", InertMachine(HARDWARE), [BmcUser(2, "admin", "secret")])

    with pytest.raises(Refusal) as refused:
        Sessions(bmc, DELL).authenticate(None, authorization)

    assert 401 == refused.value.status
    assert "Basic" in refused.value.headers["WWW-Authenticate"]


def test_token_is_not_shown() -> None:
    bmc = VirtualBmc("127.0.0.1", InertMachine(HARDWARE), [BmcUser(2, "admin", "secret")])
    session = Sessions(bmc, DELL).create("admin", "secret")

    assert session.token not in repr(session)
