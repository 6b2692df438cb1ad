"""Whatever is asked of a BMC over Redfish, it answers in JSON and never falls over."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readystate.lab.bmc.personalities.dell import DELL
from readystate.lab.bmc.personalities.hpe import HPE
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.personalities.supermicro import SUPERMICRO
from readystate.lab.bmc.redfish_requests import Request, Response, respond
from readystate.lab.bmc.redfish_service import RedfishService
from readystate.lab.bmc.redfish_tree import tree_of
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.machines.inert import InertMachine
from tests.unit.lab.bmc.test_redfish_query import HARDWARE

BASIC = "Basic " + base64.b64encode(b"admin:secret-12").decode()
PERSONALITIES = [DELL, HPE, SUPERMICRO]


def make_service(personality: Personality) -> RedfishService:
    users = [BmcUser(2, "admin", "secret-12")]
    return RedfishService(VirtualBmc("127.0.0.1", InertMachine(HARDWARE), users), personality)


def ask(
    service: RedfishService,
    method: str,
    target: str,
    content: bytes = b"",
    **headers: str,
) -> Response:
    given_headers = {"Authorization": BASIC, "Content-Type": "application/json", **headers}
    request = Request(method, target, given_headers, content)
    return asyncio.run(respond(service, tree_of(service.personality), request))


def writable_paths(p: Personality) -> list[str]:
    return [
        p.system_path,
        f"{p.system_path}/Actions/ComputerSystem.Reset",
        p.bios_settings_path,
        f"{p.bios_path.rstrip('/')}/Actions/Bios.ResetBios",
        f"{p.storage_path}/{p.controller_id(0)}/Volumes",
        f"{p.storage_path}/{p.controller_id(0)}/Volumes/1",
        p.chassis_path,
        f"{p.manager_path}/Actions/Manager.Reset",
        f"{p.manager_path}/VirtualMedia/{p.media_id}/Actions/VirtualMedia.InsertMedia",
        f"{p.manager_path}/Oem/Dell/Jobs",
        "/redfish/v1/AccountService/Accounts",
        "/redfish/v1/AccountService/Accounts/2",
        "/redfish/v1/AccountService/Accounts/5",
        "/redfish/v1/SessionService/Sessions",
        "/redfish/v1/TaskService/Tasks/1",
    ]


NAMES = st.sampled_from(
    [
        "Boot",
        "BootOrder",
        "BootSourceOverrideTarget",
        "BootSourceOverrideEnabled",
        "Attributes",
        "@Redfish.SettingsApplyTime",
        "@Redfish.OperationApplyTime",
        "ApplyTime",
        "ResetType",
        "RAIDType",
        "Links",
        "Drives",
        "CapacityBytes",
        "Image",
        "UserName",
        "Password",
        "RoleId",
        "Enabled",
        "AssetTag",
        "IndicatorLED",
        "LocationIndicatorActive",
        "TargetSettingsURI",
        "NumLock",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=8) | st.floats()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda item: item.vendor)
@settings(max_examples=150)
@given(data=st.data(), body=st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_body_gets_an_answer(personality: Personality, data: Any, body: Any) -> None:
    service = make_service(personality)
    path = data.draw(st.sampled_from(writable_paths(personality)))
    method = data.draw(st.sampled_from(["PATCH", "POST", "DELETE"]))

    response = ask(service, method, path, json.dumps(body).encode(), **{"If-Match": "*"})

    assert response.status in (200, 201, 202, 204, 400, 401, 404, 405, 409)
    if response.status >= 400:
        (message,) = json.loads(response.content)["error"]["@Message.ExtendedInfo"]
        assert message["MessageId"]


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda item: item.vendor)
@settings(max_examples=150)
@given(path=st.text(max_size=40), query=st.text(max_size=20))
def test_any_path_gets_an_answer(personality: Personality, path: str, query: str) -> None:
    response = ask(make_service(personality), "GET", f"/redfish/v1/{path}?{query}")

    assert response.status in (200, 400, 404, 501)
    json.loads(response.content)


@pytest.mark.parametrize("value", [[], {}, None, 1, True, [[1]], {"a": []}])
def test_value_of_any_shape_is_judged(value: object) -> None:
    bodies: list[tuple[str, str, Any]] = [
        ("PATCH", HPE.system_path, {"Boot": {"BootOrder": [value]}}),
        ("PATCH", HPE.system_path, {"Boot": {"BootSourceOverrideTarget": value}}),
        ("POST", f"{HPE.system_path}/Actions/ComputerSystem.Reset", {"ResetType": value}),
        ("POST", f"{HPE.storage_path}/DE00A000/Volumes", {"RAIDType": value}),
        (
            "POST",
            f"{HPE.storage_path}/DE00A000/Volumes",
            {"RAIDType": "RAID0", "Links": {"Drives": [value]}},
        ),
        ("POST", "/redfish/v1/AccountService/Accounts", {"UserName": "a", "Password": value}),
        ("POST", "/redfish/v1/SessionService/Sessions", {"UserName": value, "Password": value}),
        ("PATCH", HPE.bios_settings_path, {"Attributes": {"Sriov": value}}),
    ]
    for method, path, body in bodies:
        assert 400 == ask(make_service(HPE), method, path, json.dumps(body).encode()).status, path


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b"[]", b'"x"', b"null", b"nan"])
def test_body_that_is_no_object_is_malformed(content: bytes) -> None:
    assert 400 == ask(make_service(DELL), "PATCH", DELL.system_path, content).status


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW"])
def test_strange_method_is_not_allowed(method: str) -> None:
    response = ask(make_service(DELL), method, DELL.system_path)

    assert (405, "GET, HEAD, PATCH") == (response.status, response.headers["Allow"])


def test_head_is_answered_like_get() -> None:
    service = make_service(DELL)
    get, head = (ask(service, method, DELL.system_path) for method in ("GET", "HEAD"))

    assert get.headers["ETag"] == head.headers["ETag"]


def test_request_is_shown_without_its_body() -> None:
    assert "secret" not in repr(Request("POST", "/", {}, b'{"Password": "secret"}'))
