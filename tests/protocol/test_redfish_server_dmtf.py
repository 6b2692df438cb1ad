"""DMTF's own client library, unmodified, against each personality."""

from collections.abc import Iterator
from typing import Any

import pytest
import redfish
from redfish.rest.v1 import InvalidCredentialsError

from tests.protocol.redfish_rack import (
    PASSWORD,
    USER,
    VENDORS,
    Served,
    make_bmc,
    rack_network,
    serve,
)

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(params=VENDORS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.6.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        yield one


def make_client(served: Served, password: str = PASSWORD) -> Any:
    return redfish.redfish_client(base_url=served.url, username=USER, password=password)


@pytest.fixture(params=["session", "basic"])
def client(served: Served, request: pytest.FixtureRequest) -> Iterator[Any]:
    one = make_client(served)
    one.login(auth=request.param)
    yield one
    one.logout()


def test_reads_changes_and_acts_with_either_login(served: Served, client: Any) -> None:
    system = client.get(served.system)
    assert served.bmc.machine.hardware.uuid == system.dict["UUID"]
    boot = {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}
    patched = client.patch(
        served.system, body={"Boot": boot}, headers={"If-Match": system.getheader("ETag")}
    )
    assert 200 == patched.status
    target = system.dict["Actions"]["#ComputerSystem.Reset"]["target"]
    assert client.post(target, body={"ResetType": "On"}).status in (200, 204)

    assert "On" == client.get(served.system).dict["PowerState"]
    assert [("pxe", "disk")] == [boot.order for boot in served.bmc.machine.boots]
    assert (1, 1) == (served.bmc.ledger.power_ons, served.bmc.ledger.boot_override_sets)


def test_wrong_password_does_not_log_in(served: Served) -> None:
    with pytest.raises(InvalidCredentialsError):
        make_client(served, "guess").login(auth="session")

    assert 1 <= served.bmc.ledger.refused_logins


def test_refusal_comes_with_the_vendors_message(served: Served, client: Any) -> None:
    reply = client.patch(served.system, body={"Colour": "blue"})

    (message,) = reply.dict["error"]["@Message.ExtendedInfo"]
    assert (400, "PropertyUnknown") == (reply.status, message["MessageId"].rpartition(".")[2])
    assert ["Colour"] == message["MessageArgs"]


def test_task_of_a_volume_is_followed_to_its_end(served: Served, client: Any) -> None:
    storages = client.get(f"{served.system}/Storage").dict["Members"]
    path = storages[0]["@odata.id"]
    drives = client.get(path).dict["Drives"]
    reply = client.post(f"{path}/Volumes", body={"RAIDType": "RAID10", "Links": {"Drives": drives}})

    if served.personality == "dell":
        assert reply.is_processing
        assert reply.monitor(client).is_processing
        served.power_on()
    if served.personality != "hpe":
        assert not reply.monitor(client).is_processing
    (member,) = client.get(f"{path}/Volumes").dict["Members"]
    assert 960 * 10**9 == client.get(member["@odata.id"]).dict["CapacityBytes"]
    assert 204 != client.delete(member["@odata.id"]).status
