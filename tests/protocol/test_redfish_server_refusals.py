"""What each personality refuses, with which status and which message, and that a refused request
changes nothing."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict

import pytest

from readystate.lab.bmc.virtual_bmc import Volume
from tests.protocol.redfish_rack import (
    SWITCHES,
    VENDORS,
    Curl,
    Served,
    drive_links,
    make_bmc,
    rack_network,
    serve,
)

READ_ONLY = {
    "dell": "SystemModelName",
    "hpe": "SerialNumber",
    "supermicro": "SystemBiosVersion",
}
NUMBERS = {
    "dell": "AcPwrRcvryUserDelay",
    "hpe": "NetworkBootRetryCount",
    "supermicro": "PXEBootWaitTime",
}


@pytest.fixture(scope="module", params=VENDORS)
def shared(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.4.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        yield one


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """The BMC; after the test its ledger and settings must be what they were."""

    def state() -> object:
        bmc = shared.bmc
        ledger = {**asdict(bmc.ledger), "refused_logins": 0, "boots": 0}
        return deepcopy((ledger, bmc.bios, bmc.bios_pending, bmc.volumes, bmc.users, bmc.override))

    before = state()
    yield shared
    assert before == state()


@pytest.fixture
def curl(served: Served) -> Curl:
    return Curl(served)


def refusal(curl: Curl, path: str, method: str, body: object) -> tuple[int, str]:
    reply = curl(path, method, body, If_Match="*")
    return reply.status, reply.message_id.rpartition(".")[2]


def test_unknown_attribute(served: Served, curl: Curl) -> None:
    body = {"Attributes": {"NoSuchAttribute": "Enabled"}}

    assert (400, "PropertyUnknown") == refusal(curl, served.settings, "PATCH", body)


def test_one_bad_attribute_spoils_the_whole_request(served: Served, curl: Curl) -> None:
    name, _, wanted = SWITCHES[served.personality]
    body = {"Attributes": {name: wanted, "NoSuchAttribute": 1}}

    assert (400, "PropertyUnknown") == refusal(curl, served.settings, "PATCH", body)


def test_value_that_is_not_in_the_list(served: Served, curl: Curl) -> None:
    body = {"Attributes": {SWITCHES[served.personality][0]: "Sometimes"}}

    assert (400, "PropertyValueNotInList") == refusal(curl, served.settings, "PATCH", body)


@pytest.mark.parametrize("value", [-1, 100000])
def test_number_out_of_range(served: Served, curl: Curl, value: int) -> None:
    body = {"Attributes": {NUMBERS[served.personality]: value}}

    assert (400, "PropertyValueOutOfRange") == refusal(curl, served.settings, "PATCH", body)


@pytest.mark.parametrize("value", ["3", True, None])
def test_value_of_the_wrong_type(served: Served, curl: Curl, value: object) -> None:
    body = {"Attributes": {NUMBERS[served.personality]: value}}

    assert (400, "PropertyValueTypeError") == refusal(curl, served.settings, "PATCH", body)


def test_string_that_is_too_long(served: Served, curl: Curl) -> None:
    body = {"Attributes": {"LabNote": "x" * 256}}

    assert (400, "PropertyValueFormatError") == refusal(curl, served.settings, "PATCH", body)


def test_read_only_attribute(served: Served, curl: Curl) -> None:
    body = {"Attributes": {READ_ONLY[served.personality]: "mine"}}

    assert (400, "PropertyNotWritable") == refusal(curl, served.settings, "PATCH", body)


def test_settings_without_attributes(served: Served, curl: Curl) -> None:
    assert (400, "PropertyMissing") == refusal(curl, served.settings, "PATCH", {})


def test_apply_time_that_is_not_offered(served: Served, curl: Curl) -> None:
    body = {"Attributes": {}, "@Redfish.SettingsApplyTime": {"ApplyTime": "Immediate"}}

    assert (400, "PropertyValueNotInList") == refusal(curl, served.settings, "PATCH", body)


def test_bios_itself_is_not_written(served: Served, curl: Curl) -> None:
    bios = curl(served.system).body["Bios"]["@odata.id"]
    reply = curl(bios, "PATCH", {"Attributes": {}})

    assert (405, "GET, HEAD") == (reply.status, reply.headers["allow"])


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"Boot": {"BootSourceOverrideTarget": "Floppy"}}, "PropertyValueNotInList"),
        ({"Boot": {"BootSourceOverrideEnabled": "Twice"}}, "PropertyValueNotInList"),
        ({"Boot": {"BootSourceOverrideMode": "Auto"}}, "PropertyValueNotInList"),
        ({"Boot": {"BootOrder": ["Boot9999"]}}, "PropertyValueNotInList"),
        ({"Boot": {"BootOrder": "Boot0001"}}, "PropertyValueTypeError"),
        ({"Boot": {"BootLoader": "grub"}}, "PropertyUnknown"),
        ({"Boot": {"BootOptions": {}}}, "PropertyNotWritable"),
        ({"Boot": "Pxe"}, "PropertyValueTypeError"),
        ({"Colour": "blue"}, "PropertyUnknown"),
        ({"UUID": "0"}, "PropertyNotWritable"),
        ({"IndicatorLED": "Green"}, "PropertyValueNotInList"),
    ],
)
def test_system_patch(served: Served, curl: Curl, body: object, key: str) -> None:
    assert (400, key) == refusal(curl, served.system, "PATCH", body)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "ActionParameterMissing"),
        ({"ResetType": "Explode"}, "ActionParameterValueNotInList"),
        ({"ResetType": 1}, "ActionParameterValueNotInList"),
    ],
)
def test_reset_that_the_system_does_not_know(
    served: Served, curl: Curl, body: object, key: str
) -> None:
    path = f"{served.system}/Actions/ComputerSystem.Reset"

    assert (400, key) == refusal(curl, path, "POST", body)


def test_power_command_that_the_state_forbids(served: Served, curl: Curl) -> None:
    path = f"{served.system}/Actions/ComputerSystem.Reset"
    off = curl(path, "POST", {"ResetType": "ForceOff"})
    restart = curl(path, "POST", {"ResetType": "ForceRestart"})

    expected = {
        "dell": [(409, "IDRAC.2.8.PSU502")] * 2,
        "hpe": [(400, "iLO.2.14.InvalidOperationForSystemState")] * 2,
        "supermicro": [(200, None), (400, "Base.1.4.ActionNotSupported")],
    }[served.personality]
    assert expected == [
        (reply.status, reply.message_id if reply.status >= 400 else None)
        for reply in (off, restart)
    ]


def test_switching_on_what_is_on(served: Served, curl: Curl) -> None:
    served.on_loop(served.bmc.machine.power_on)  # past the ledger
    reply = curl(f"{served.system}/Actions/ComputerSystem.Reset", "POST", {"ResetType": "On"})
    served.on_loop(served.bmc.machine.power_off)

    expected = {"dell": 409, "hpe": 400, "supermicro": 200}[served.personality]
    assert expected == reply.status


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_bad_json(served: Served, curl: Curl, method: str) -> None:
    path = served.system if method == "PATCH" else f"{served.system}/Actions/ComputerSystem.Reset"

    assert (400, "MalformedJSON") == refusal(curl, path, method, '{"Boot": ')
    assert (400, "MalformedJSON") == refusal(curl, path, method, "[1, 2]")


def test_wrong_content_type(served: Served, curl: Curl) -> None:
    reply = curl(served.system, "PATCH", '{"AssetTag": "x"}', Content_Type="text/plain")

    assert (415, "UnsupportedMediaType") == (reply.status, reply.message_id.rpartition(".")[2])


def test_method_that_the_resource_does_not_have(served: Served, curl: Curl) -> None:
    reply = curl(served.system, "DELETE")

    assert (405, "GET, HEAD, PATCH") == (reply.status, reply.headers["allow"])
    assert "OperationNotAllowed" in reply.message_id


def test_path_that_is_not_there(served: Served, curl: Curl) -> None:
    paths = ("/redfish/v1/Systems/9", f"{served.system}/Processors/9", f"{served.system}/Memory/x")

    for path in paths:
        reply = curl(path)
        assert (404, True) == (reply.status, reply.message_id.endswith("ResourceMissingAtURI"))
        assert [path] == reply.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"]


def test_other_version_of_odata(served: Served, curl: Curl) -> None:
    assert 412 == curl(served.system, OData_Version="3.0").status
    assert "4.0" == curl(served.system).headers["odata-version"]


def test_query_that_is_not_supported(served: Served, curl: Curl) -> None:
    assert 501 == curl(f"{served.system}?$filter=Id").status


def test_volume_that_is_not_there(served: Served, curl: Curl) -> None:
    path, _ = drive_links(curl)

    assert 404 == curl(f"{path}/Volumes/9", "DELETE").status
    assert 404 == curl(f"{path}/Volumes/9").status


def test_volume_over_a_used_drive(served: Served, curl: Curl) -> None:
    path, drives = drive_links(curl)
    served.bmc.volumes.append(Volume("v", "os", "RAID0", ("Disk.Bay.1",), 480 * 10**9))
    body = {"RAIDType": "RAID1", "Links": {"Drives": drives[:2]}}
    refused = refusal(curl, f"{path}/Volumes", "POST", body)
    served.bmc.volumes.clear()

    assert (400, "ResourceInUse") == refused


@pytest.mark.parametrize(
    ("body", "count", "key"),
    [
        ({}, 2, "PropertyMissing"),
        ({"RAIDType": "RAID9"}, 2, "PropertyValueNotInList"),
        ({"RAIDType": "RAID1"}, 3, "PropertyValueConflict"),
        ({"RAIDType": "RAID5"}, 2, "PropertyValueConflict"),
        ({"RAIDType": "RAID0"}, 0, "PropertyMissing"),
        ({"RAIDType": "RAID0", "CapacityBytes": 10**15}, 1, "PropertyValueOutOfRange"),
        ({"RAIDType": "RAID0", "Colour": "blue"}, 1, "PropertyUnknown"),
        (
            {"RAIDType": "RAID0", "@Redfish.OperationApplyTime": "Never"},
            1,
            "PropertyValueNotInList",
        ),
    ],
)
def test_volume_that_cannot_be(
    served: Served, curl: Curl, body: dict[str, object], count: int, key: str
) -> None:
    path, drives = drive_links(curl)
    body = {**body, "Links": {"Drives": drives[:count]}}

    assert (400, key) == refusal(curl, f"{path}/Volumes", "POST", body)


def test_volume_over_a_drive_of_another_controller(served: Served, curl: Curl) -> None:
    path, _ = drive_links(curl)
    _, drives = drive_links(curl, controller=1)
    body = {"RAIDType": "RAID0", "Links": {"Drives": drives[:1]}}

    assert (400, "PropertyValueNotInList") == refusal(curl, f"{path}/Volumes", "POST", body)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"RoleId": "God"}, "PropertyValueNotInList"),
        ({"Password": "x" * 40}, "PropertyValueFormatError"),
        ({"UserName": "watcher"}, "ResourceAlreadyExists"),
        ({"Enabled": "yes"}, "PropertyValueTypeError"),
        ({"Shoe": 43}, "PropertyUnknown"),
    ],
)
def test_account_patch(served: Served, curl: Curl, body: object, key: str) -> None:
    path = "/redfish/v1/AccountService/Accounts/4"

    assert (400, key) == refusal(curl, path, "PATCH", body)


def test_refusal_never_repeats_a_password(served: Served, curl: Curl) -> None:
    path = "/redfish/v1/AccountService/Accounts/4"
    reply = curl(path, "PATCH", {"Password": "canary-" + "x" * 40}, If_Match="*")

    assert 400 == reply.status
    assert "canary" not in str(reply)


@pytest.mark.parametrize("body", [{}, {"Image": 1}, {"Image": "file"}, {"Image": "a://b", "X": 1}])
def test_media_that_cannot_be_inserted(served: Served, curl: Curl, body: object) -> None:
    (member,) = curl(f"{served.manager}/VirtualMedia").body["Members"]
    path = f"{member['@odata.id']}/Actions/VirtualMedia.InsertMedia"

    assert 400 == curl(path, "POST", body).status
    assert served.bmc.virtual_media_url is None
