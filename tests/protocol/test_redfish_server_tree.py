"""The whole tree of each personality, walked from the root by its own links."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.protocol.redfish_rack import (
    PASSWORD,
    USER,
    VENDORS,
    Served,
    make_bmc,
    rack_network,
    serve,
    stranger,
)

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(scope="module", params=VENDORS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.2.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        one.power_on()
        for number in range(120):
            bmc.log("Fan1", f"event {number}")
        yield one


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[requests.Session]:
    with stranger() as session:
        session.auth = (USER, PASSWORD)
        yield session


def links_of(value: Any) -> Iterator[str]:
    """Every reference and every URI in a body; targets of actions are no resources."""
    if isinstance(value, list):
        for item in value:
            yield from links_of(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("@odata.id", "Uri", "@odata.nextLink", "Members@odata.nextLink"):
                yield item.partition("#")[0]
            elif key not in ("@odata.context", "Actions"):
                yield from links_of(item)


def actions_of(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from actions_of(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "target":
                yield item
            else:
                yield from actions_of(item)


def walk(served: Served, client: requests.Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    todo = ["/redfish", "/redfish/v1", "/redfish/v1/odata"]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        reply = client.get(served.url + path)
        assert 200 == reply.status_code, path
        found[path] = reply.json()
        todo += links_of(found[path])
    return found


def test_every_link_from_the_root_leads_to_a_resource(
    served: Served, client: requests.Session
) -> None:
    found = walk(served, client)

    assert len(found) > 60
    for path, body in found.items():
        if "@odata.id" in body and "?" not in path:
            assert path.rstrip("/") == body["@odata.id"].rstrip("/")
            assert {"@odata.type", "Name"} <= set(body)
        if "Members" in body and "nextLink" not in str(body) and "?" not in path:
            assert len(body["Members"]) == body["Members@odata.count"]


def test_every_action_that_is_shown_exists(served: Served, client: requests.Session) -> None:
    targets = {target for body in walk(served, client).values() for target in actions_of(body)}

    assert len(targets) >= 6
    for target in targets:
        reply = client.get(served.url + target)
        assert (405, "POST") == (reply.status_code, reply.headers["Allow"]), target


def test_log_is_read_page_by_page(served: Served, client: requests.Session) -> None:
    pages, log = [], next(path for path in walk(served, client) if path.endswith("/Entries"))
    while log:
        body = client.get(served.url + log).json()
        pages.append(len(body["Members"]))
        log = body.get("Members@odata.nextLink")

    assert [50, 50, 21] == pages  # 120 events and the power on
    assert 121 == body["Members@odata.count"]


def test_inventory_is_what_the_machine_is_made_of(served: Served, client: requests.Session) -> None:
    def members(path: str) -> list[Any]:
        listed = client.get(f"{served.url}{served.system}{path}").json()["Members"]
        return [client.get(served.url + item["@odata.id"]).json() for item in listed]

    hardware = served.bmc.machine.hardware
    body = client.get(served.url + served.system).json()
    assert hardware.uuid == body["UUID"]
    assert (hardware.serial, "On", 80) == (
        body["SerialNumber"],
        body["PowerState"],
        body["MemorySummary"]["TotalSystemMemoryGiB"],
    )
    assert 2 == len(members("/Processors"))
    assert 80 * 1024 == sum(item["CapacityMiB"] for item in members("/Memory"))
    assert [nic.mac for nic in hardware.nics] == [
        item["MACAddress"].lower() for item in members("/EthernetInterfaces")
    ]
    drives = [
        client.get(served.url + item["@odata.id"]).json()
        for storage in members("/Storage")
        for item in storage["Drives"]
    ]
    assert [drive.serial for drive in hardware.drives] == [item["SerialNumber"] for item in drives]


def test_sensors_are_the_readings_of_the_machine(served: Served, client: requests.Session) -> None:
    found = walk(served, client)
    thermal = next(body for path, body in found.items() if path.endswith("/Thermal"))
    power = next(body for path, body in found.items() if path.endswith("/Power"))

    readings = {item["Name"]: item["ReadingCelsius"] for item in thermal["Temperatures"]}
    readings |= {item["Name"]: item["Reading"] for item in thermal["Fans"]}
    readings |= {
        f"{item['Name']} Power": item["LastPowerOutputWatts"] for item in power["PowerSupplies"]
    }
    assert dict(served.bmc.machine.sensors()) == readings
    assert readings["PSU1 Power"] <= power["PowerControl"][0]["PowerConsumedWatts"]
    assert (served.personality != "supermicro") == any("/Sensors/" in path for path in found)


def test_root_needs_no_credentials_and_the_rest_does(served: Served) -> None:
    root = "/redfish/v1"
    public = ("/redfish", root, f"{root}/", f"{root}/odata", f"{root}/$metadata")
    secret = (f"{root}/Systems", served.system, f"{root}/Nowhere")

    with stranger() as client:
        statuses = [client.get(served.url + path).status_code for path in (*public, *secret)]

    assert [200] * 5 + [401] * 3 == statuses


def test_expand_is_what_the_root_promises(served: Served, client: requests.Session) -> None:
    features = client.get(f"{served.url}/redfish/v1").json()["ProtocolFeaturesSupported"]
    expand = features["ExpandQuery"]
    reply = client.get(f"{served.url}/redfish/v1/Systems?$expand=.($levels=1)")

    if served.personality == "supermicro":
        assert not expand["NoLinks"]
        assert 501 == reply.status_code
        return
    assert expand["NoLinks"]
    assert 1 == expand["MaxLevels"]
    assert served.bmc.machine.hardware.uuid == reply.json()["Members"][0]["UUID"]
    too_deep = client.get(f"{served.url}/redfish/v1/Systems?$expand=.($levels=2)")
    assert 400 == too_deep.status_code
    links = client.get(f"{served.url}{served.system}?$expand=~")
    assert (200 if expand["Links"] else 400) == links.status_code


def test_generic_ipmi_personality_has_no_redfish_at_all() -> None:
    bmc = make_bmc("generic-ipmi", f"{rack_network()}.2.9")
    with serve([bmc]) as (one,), stranger() as client, pytest.raises(requests.ConnectionError):
        client.get(f"{one.url}/redfish/v1")
