"""curl against each personality: both ways to log in, ETags, settings, volumes, and the ledger
beside what was asked."""

from collections.abc import Iterator

import pytest

from tests.protocol.redfish_rack import (
    PASSWORD,
    SWITCHES,
    USER,
    VENDORS,
    Curl,
    Served,
    drive_links,
    make_bmc,
    rack_network,
    serve,
)

SESSIONS = "/redfish/v1/SessionService/Sessions"
LOGIN = {"UserName": USER, "Password": PASSWORD}


@pytest.fixture(params=VENDORS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.3.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        yield one


@pytest.fixture
def curl(served: Served) -> Curl:
    return Curl(served)


def patch_bios(curl: Curl, attributes: dict[str, object]) -> None:
    """Write settings as the vendor wants it: with If-Match, and with a job where there are jobs."""
    served = curl.served
    body: dict[str, object] = {"Attributes": attributes}
    if served.personality == "dell":
        body["@Redfish.SettingsApplyTime"] = {"ApplyTime": "OnReset"}
    etag = curl(served.settings).headers["etag"]
    reply = curl(served.settings, "PATCH", body, If_Match=etag)
    assert (202 if served.personality == "dell" else 200) == reply.status


def test_session_opens_reads_and_closes(served: Served) -> None:
    login = Curl(served, user=None)(SESSIONS, "POST", LOGIN)
    assert 201 == login.status
    by_token = Curl(served, token=login.headers["x-auth-token"])

    assert USER == by_token(login.headers["location"]).body["UserName"]
    assert [{"@odata.id": login.headers["location"]}] == by_token(SESSIONS).body["Members"]
    assert 200 == by_token(login.headers["location"], "DELETE").status
    assert 401 == by_token(SESSIONS).status


def test_wrong_password_is_refused_both_ways_and_counted(served: Served) -> None:
    wrong = Curl(served, password="guess")
    basic = wrong(served.system)
    login = wrong(SESSIONS, "POST", {**LOGIN, "Password": "guess"})

    assert [401, 401] == [basic.status, login.status]
    assert "NoValidSession" in basic.message_id
    assert ("www-authenticate" in basic.headers) == (served.personality != "hpe")
    assert 2 == served.bmc.ledger.refused_logins


def test_sessions_run_out_at_the_vendors_limit(served: Served) -> None:
    limit = {"dell": 8, "hpe": 24, "supermicro": 16}[served.personality]
    anyone = Curl(served, user=None)
    logins = [anyone(SESSIONS, "POST", LOGIN) for _ in range(limit)]

    assert {201} == {login.status for login in logins}
    refused = anyone(SESSIONS, "POST", LOGIN)
    own = {"dell": "IDRAC.2.8.RAC0218"}.get(served.personality, "Base.1.4.SessionLimitExceeded")
    assert (503, own) == (refused.status, refused.message_id)
    Curl(served)(logins[0].headers["location"], "DELETE")
    assert 201 == anyone(SESSIONS, "POST", LOGIN).status


@pytest.mark.parametrize(
    ("user", "password", "power", "account"),
    [("watcher", "only-reads-12", 403, 403), ("operator", "operates-12", 200, 403)],
)
def test_role_decides_what_an_account_may_do(
    served: Served, user: str, password: str, power: int, account: int
) -> None:
    curl = Curl(served, user, password)
    reset = f"{served.system}/Actions/ComputerSystem.Reset"
    accounts = "/redfish/v1/AccountService/Accounts"

    assert 200 == curl(served.system).status
    asked = curl(reset, "POST", {"ResetType": "On"})
    assert power == (200 if asked.status == 204 else asked.status)
    renamed = curl(f"{accounts}/2", "PATCH", {"UserName": "mine"}, If_Match="*")
    assert (account, USER) == (renamed.status, served.bmc.users[0].name)
    own = curl(
        f"{accounts}/{served.bmc.find_user(user).id}",
        "PATCH",
        {"Password": "changed-12"},
        If_Match="*",
    )
    assert 200 == own.status
    assert 200 == Curl(served, user, "changed-12")(served.system).status


def test_stale_etag_is_refused_and_a_fresh_one_accepted(served: Served, curl: Curl) -> None:
    first = curl(served.system)
    assert first.body["@odata.etag"] == first.headers["etag"]
    body = {"AssetTag": "A-1"}

    assert 200 == curl(served.system, "PATCH", body, If_Match=first.headers["etag"]).status
    stale = curl(served.system, "PATCH", {"AssetTag": "A-2"}, If_Match=first.headers["etag"])
    assert (412, True) == (stale.status, stale.message_id.endswith("PreconditionFailed"))
    assert "A-1" == served.bmc.asset_tag
    strong = curl(served.system).headers["etag"].removeprefix("W/")
    assert 200 == curl(served.system, "PATCH", {"AssetTag": "A-3"}, If_Match=strong).status


def test_supermicro_demands_an_etag_and_the_others_do_not(served: Served, curl: Curl) -> None:
    name, _, value = SWITCHES[served.personality]
    reply = curl(served.settings, "PATCH", {"Attributes": {name: value}})

    assert (428 if served.personality == "supermicro" else 200) == reply.status


def test_bios_waits_for_the_reset_and_is_written_and_applied_once(
    served: Served, curl: Curl
) -> None:
    name, default, wanted = SWITCHES[served.personality]
    bios = curl(served.system).body["Bios"]["@odata.id"]
    served.power_on()
    patch_bios(curl, {name: wanted, "LabNote": "changed"})

    assert default == curl(bios).body["Attributes"][name]
    assert wanted == curl(served.settings).body["Attributes"][name]
    assert (1, 0) == (served.bmc.ledger.bios_writes, served.bmc.ledger.bios_applies)
    assert 0 == served.bmc.ledger.resets
    reset = f"{served.system}/Actions/ComputerSystem.Reset"
    assert curl(reset, "POST", {"ResetType": "ForceRestart"}).status in (200, 204)
    after = curl(bios).body
    assert [wanted, "changed"] == [after["Attributes"][key] for key in (name, "LabNote")]
    assert "Time" in after["@Redfish.Settings"]
    served.reset()
    ledger = served.bmc.ledger
    assert (1, 1, 2, 1) == (
        ledger.bios_writes,
        ledger.bios_applies,
        ledger.resets,
        ledger.power_ons,
    )


def test_reset_bios_brings_the_defaults_back(served: Served, curl: Curl) -> None:
    name, default, wanted = SWITCHES[served.personality]
    patch_bios(curl, {name: wanted})
    served.power_on()
    bios = curl(served.system).body["Bios"]["@odata.id"]
    assert wanted == curl(bios).body["Attributes"][name]

    target = curl(bios).body["Actions"]["#Bios.ResetBios"]["target"]
    assert 200 == curl(target, "POST").status
    assert wanted == curl(bios).body["Attributes"][name]
    served.reset()
    assert default == curl(bios).body["Attributes"][name]


def test_registry_describes_every_attribute(served: Served, curl: Curl) -> None:
    bios = curl(curl(served.system).body["Bios"]["@odata.id"]).body
    file = curl(f"/redfish/v1/Registries/{bios['AttributeRegistry']}").body
    registry = curl(file["Location"][0]["Uri"]).body
    entries = {item["AttributeName"]: item for item in registry["RegistryEntries"]["Attributes"]}

    assert set(bios["Attributes"]) == set(entries)
    kinds = {item["Type"] for item in entries.values()}
    assert {"Enumeration", "Integer", "String"} <= kinds
    for name, value in bios["Attributes"].items():
        if entries[name]["Type"] == "Enumeration":
            assert value in [item["ValueName"] for item in entries[name]["Value"]]


def test_volume_is_made_and_removed_and_counted_once_each(served: Served, curl: Curl) -> None:
    served.power_on()
    path, drives = drive_links(curl)
    body = {"RAIDType": "RAID1", "Name": "os", "Links": {"Drives": drives[:2]}}
    reply = curl(f"{path}/Volumes", "POST", body)

    assert {"dell": 202, "hpe": 201, "supermicro": 202}[served.personality] == reply.status
    waits = served.personality == "dell"
    ledger = served.bmc.ledger
    assert (0 if waits else 1) == ledger.volume_creates
    served.reset()
    assert 1 == ledger.volume_creates
    (member,) = curl(f"{path}/Volumes").body["Members"]
    volume = curl(member["@odata.id"]).body
    assert ["RAID1", 480 * 10**9, "os"] == [
        volume[key] for key in ("RAIDType", "CapacityBytes", "Name")
    ]
    assert drives[:2] == volume["Links"]["Drives"]
    assert [member] == curl(drives[0]["@odata.id"]).body["Links"]["Volumes"]
    assert curl(member["@odata.id"], "DELETE").status in (200, 202)
    served.reset()
    assert [] == curl(f"{path}/Volumes").body["Members"]
    assert (1, 1) == (ledger.volume_creates, ledger.volume_deletes)


def test_task_reports_the_work_as_done(served: Served, curl: Curl) -> None:
    path, drives = drive_links(curl)
    reply = curl(f"{path}/Volumes", "POST", {"RAIDType": "RAID0", "Links": {"Drives": drives[:1]}})
    if served.personality == "hpe":
        assert reply.headers["location"] == reply.body["@odata.id"]
        assert [] == curl("/redfish/v1/TaskService/Tasks").body["Members"]
        return
    monitor = curl(reply.headers["location"])
    if served.personality == "dell":
        assert (202, "Pending", 0) == (
            monitor.status,
            monitor.body["TaskState"],
            monitor.body["PercentComplete"],
        )
        served.power_on()
        monitor = curl(reply.headers["location"])
    assert (200, "Completed", 100) == (
        monitor.status,
        monitor.body["TaskState"],
        monitor.body["PercentComplete"],
    )
    assert monitor.body["@odata.id"].startswith("/redfish/v1/TaskService/Tasks/")


@pytest.mark.parametrize("served", ["dell"], indirect=True)
def test_dell_applies_only_what_a_job_was_made_for(served: Served, curl: Curl) -> None:
    name, default, wanted = SWITCHES["dell"]
    bios = f"{served.system}/Bios"
    jobs = f"{served.manager}/Oem/Dell/Jobs"
    target = {"TargetSettingsURI": served.settings}

    assert 400 == curl(jobs, "POST", target).status  # nothing to commit yet
    assert 200 == curl(served.settings, "PATCH", {"Attributes": {name: wanted}}).status
    served.power_on()
    assert default == curl(bios).body["Attributes"][name]
    job = curl(jobs, "POST", target)
    assert 202 == job.status
    again = curl(served.settings, "PATCH", {"Attributes": {name: default}})
    assert (400, "IDRAC.2.8.SYS011") == (again.status, again.message_id)
    (listed,) = curl(jobs).body["Members"]
    assert "Scheduled" == curl(listed["@odata.id"]).body["JobState"]
    served.reset()
    assert wanted == curl(bios).body["Attributes"][name]
    assert "Completed" == curl(listed["@odata.id"]).body["JobState"]
    assert (1, 1) == (served.bmc.ledger.bios_writes, served.bmc.ledger.bios_applies)


@pytest.mark.parametrize("served", ["dell"], indirect=True)
def test_dell_job_that_is_deleted_applies_nothing(served: Served, curl: Curl) -> None:
    name, default, wanted = SWITCHES["dell"]
    patch_bios(curl, {name: wanted})
    (job,) = curl("/redfish/v1/JobService/Jobs").body["Members"]

    assert 200 == curl(job["@odata.id"], "DELETE").status
    served.power_on()
    assert default == curl(f"{served.system}/Bios").body["Attributes"][name]
    assert 404 == curl(job["@odata.id"]).status


@pytest.mark.parametrize("served", ["hpe"], indirect=True)
def test_hpe_does_not_mind_the_case_of_a_path(served: Served, curl: Curl) -> None:
    spellings = (
        "/redfish/v1/Systems/1/Bios",
        "/redfish/v1/systems/1/bios/",
        "/REDFISH/V1/systems/1",
    )

    assert [200] * 3 == [curl(path).status for path in spellings]


def test_accounts_are_made_as_the_vendor_makes_them(served: Served, curl: Curl) -> None:
    accounts = "/redfish/v1/AccountService/Accounts"
    body = {"UserName": "ready", "Password": "state-secret", "RoleId": "Administrator"}
    if served.personality == "dell":
        assert 16 == len(curl(accounts).body["Members"])
        assert 405 == curl(accounts, "POST", body).status
        path = f"{accounts}/5"
        assert "" == curl(path).body["UserName"]
        assert 200 == curl(path, "PATCH", {**body, "Enabled": True}).status
    else:
        made = curl(accounts, "POST", body)
        path = made.headers["location"]
        assert 201 == made.status
    ready = Curl(served, "ready", "state-secret")

    assert ("ready", None) == (ready(path).body["UserName"], ready(path).body["Password"])
    assert 200 == curl(path, "PATCH", {"Password": "other-secret"}, If_Match="*").status
    assert 401 == ready(path).status
    ready = Curl(served, "ready", "other-secret")
    assert 200 == ready(path).status
    gone = (
        curl(path, "PATCH", {"UserName": ""})
        if served.personality == "dell"
        else curl(path, "DELETE")
    )
    assert 200 == gone.status
    assert 401 == ready(served.system).status


def test_virtual_media_goes_in_once_and_out_again(served: Served, curl: Curl) -> None:
    (member,) = curl(f"{served.manager}/VirtualMedia").body["Members"]
    path = member["@odata.id"]
    insert = f"{path}/Actions/VirtualMedia.InsertMedia"
    image = {"Image": "http://127.0.0.1/discovery.iso"}

    assert 200 == curl(insert, "POST", image).status
    assert [True, image["Image"]] == [curl(path).body[key] for key in ("Inserted", "Image")]
    assert image["Image"] == served.bmc.virtual_media_url
    assert 400 == curl(insert, "POST", image).status
    eject = f"{path}/Actions/VirtualMedia.EjectMedia"
    assert [200, 400] == [curl(eject, "POST", {}).status for _ in range(2)]
    assert served.bmc.virtual_media_url is None


def test_boot_order_is_read_back_as_it_was_set(served: Served, curl: Curl) -> None:
    order = curl(served.system).body["Boot"]["BootOrder"]

    assert 200 == curl(served.system, "PATCH", {"Boot": {"BootOrder": order[::-1]}}).status
    assert order[::-1] == curl(served.system).body["Boot"]["BootOrder"]
    assert ("disk", "pxe", "cdrom") == tuple(served.bmc.boot_order)[::-1]


def test_bios_mode_decides_how_it_boots_and_shows_as_the_override_mode(
    served: Served, curl: Curl
) -> None:
    name, value = {
        "dell": ("BootMode", "Bios"),
        "hpe": ("BootMode", "LegacyBios"),
        "supermicro": ("BootModeSelect", "LEGACY"),
    }[served.personality]
    served.power_on()
    assert "UEFI" == curl(served.system).body["Boot"]["BootSourceOverrideMode"]
    patch_bios(curl, {name: value})
    served.reset()

    assert "Legacy" == curl(served.system).body["Boot"]["BootSourceOverrideMode"]
    assert [True, False] == [boot.uefi for boot in served.bmc.machine.boots]


def test_identify_light_is_lit_and_put_out(served: Served, curl: Curl) -> None:
    lit = []
    for value in (True, False):
        assert 200 == curl(served.system, "PATCH", {"LocationIndicatorActive": value}).status
        lit.append(curl(served.system).body["IndicatorLED"])

    assert ["Blinking", "Off"] == lit


def test_log_is_cleared(served: Served, curl: Curl) -> None:
    served.bmc.log("Fan1", "stopped", "Critical")
    system, manager = curl(served.system).body, curl(served.manager).body
    logs = (manager.get("LogServices") or system["LogServices"])["@odata.id"]
    log = curl(logs).body["Members"][0]["@odata.id"]

    (entry,) = curl(f"{log}/Entries").body["Members"]
    assert ["stopped", "Critical"] == [entry[key] for key in ("Message", "Severity")]
    assert 200 == curl(f"{log}/Actions/LogService.ClearLog", "POST", {}).status
    assert [] == served.bmc.sel
