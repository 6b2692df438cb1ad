"""Our Redfish readers on recorded trees of real machines (tests/fixtures/redfish)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from readystate.adapters.hammers.redfish.bios import BiosAccess
from readystate.adapters.hammers.redfish.client import Answer
from readystate.adapters.hammers.redfish.inventory import read_inventory
from readystate.adapters.hammers.redfish.readings import read_log, read_sensors
from readystate.adapters.hammers.redfish.storage import StorageAccess
from readystate.adapters.hammers.redfish.tree import RedfishTree, Resource, text
from readystate.domain.errors import Invalid, Unsupported
from readystate.domain.inventory import Inventory

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "redfish"
R750, DL360, X10, OPENBMC = (
    "poweredge-r750-idrac9",
    "proliant-dl360-gen10-ilo5-3.11",
    "supermicro-x10-bmc-3.80",
    "openbmc-stock",
)


class RecordedClient:
    """Answers GET from a recording, whatever the case of the path, as iLO does; no $expand."""

    def __init__(self, machine: str) -> None:
        tree = json.loads((FOLDER / machine / "tree.json").read_text())
        self._tree = {path.lower(): body for path, body in tree.items()}
        self.patched: list[tuple[str, Mapping[str, Any]]] = []

    def root(self) -> dict[str, Any]:
        root = dict(
            self._tree.get("/redfish/v1", {"Systems": {"@odata.id": "/redfish/v1/Systems"}})
        )
        root.pop("ProtocolFeaturesSupported", None)
        return root

    def get(self, path: str) -> Answer:
        body = self._tree.get(path.rstrip("/").lower())
        if body is None:
            raise Unsupported(f"GET {path}", why="HTTP 404")
        return Answer(200, {}, body)

    def patch(self, path: str, body: Mapping[str, Any], *, etag: str = "") -> Answer:
        del etag
        self.patched.append((path, body))
        self._tree[path.rstrip("/").lower()] = body
        return Answer(202, {})


def open_tree(machine: str) -> tuple[RedfishTree, Resource]:
    tree = RedfishTree(RecordedClient(machine))  # type: ignore[arg-type]
    return tree, tree.members(tree.root(), "Systems")[0]


def inventory_of(machine: str, serial_property: str = "SerialNumber") -> Inventory:
    tree, system = open_tree(machine)
    return read_inventory(tree, system, address="127.0.1.7", serial_property=serial_property)


def test_r750_inventory() -> None:
    inventory = inventory_of(R750, "SKU")

    assert ("F54P1G3", "Dell Inc.", "PowerEdge R750") == (
        inventory.serial,
        inventory.manufacturer,
        inventory.model,
    )
    assert (2, 36) == (inventory.cpu_sockets, inventory.cpu_cores)  # the video card is no CPU
    assert 512 * 2**30 == inventory.memory_bytes
    assert "1.8.2" == inventory.bios_version
    assert ("NIC.Embedded.1-1-1", "70:b5:e8:f0:52:dc", None, False) in [
        (nic.name, nic.mac, nic.speed_mbps, nic.link) for nic in inventory.nics
    ]
    assert [1920383410176] * 3 == [disk.size_bytes for disk in inventory.disks]


def test_dl360_inventory_leaves_empty_bays_out() -> None:
    inventory = inventory_of(DL360)

    assert ("MXQ2390RHW", "HPE") == (inventory.serial, inventory.manufacturer)
    assert (2, 24) == (inventory.cpu_sockets, inventory.cpu_cores)
    assert 2 == len(inventory.disks)
    assert all(disk.serial and disk.size_bytes for disk in inventory.disks)
    assert "3.11" in inventory.bmc_version


def test_x10_inventory_believes_the_processors_and_not_their_count() -> None:
    inventory = inventory_of(X10)

    assert (2, 20) == (inventory.cpu_sockets, inventory.cpu_cores)
    assert "0c:c4:7a:b7:21:c6" in [nic.mac for nic in inventory.nics]
    assert ("3.80", ()) == (inventory.bmc_version, inventory.disks)


def test_a_bmc_without_a_host_has_an_empty_inventory() -> None:
    inventory = inventory_of(OPENBMC)

    assert (0, 0, 0, (), ()) == (
        inventory.cpu_sockets,
        inventory.cpu_cores,
        inventory.memory_bytes,
        inventory.nics,
        inventory.disks,
    )


def test_r750_drives_shown_as_volumes_are_no_raid_volumes() -> None:
    tree, system = open_tree(R750)
    units = StorageAccess(tree, address="127.0.1.7", pause=lambda _: None).read(system)
    unit = next(item for item in units if item.controller == "CPU.1")

    assert (3, (), False) == (len(unit.drives), unit.volumes, unit.pending)
    assert not any(drive.in_volume for drive in unit.drives)


def test_dl360_storage_has_a_controller_with_two_drives() -> None:
    tree, system = open_tree(DL360)
    (unit,) = StorageAccess(tree, address="127.0.1.7", pause=lambda _: None).read(system)

    assert ("DE00A000", 2) == (unit.controller, len(unit.drives))


def bios_of(machine: str) -> tuple[BiosAccess, RedfishTree, Resource]:
    tree, system = open_tree(machine)
    return BiosAccess(tree, address="127.0.1.7", pause=lambda _: None), tree, system


@pytest.mark.parametrize("machine", [R750, DL360])
def test_bios_is_read_and_nothing_is_pending(machine: str) -> None:
    bios, _, system = bios_of(machine)
    state = bios.read(system)

    assert "Uefi" == state.current["BootMode"]
    assert {} == dict(state.pending)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"BootMode": "Wrong"}, "BootMode: 'Wrong' is none of"),
        ({"EnabledCoresPerProc": 65}, r"EnabledCoresPerProc: 65 is outside 0\.\.64"),
        ({"EnabledCoresPerProc": "8"}, "EnabledCoresPerProc: '8' is not a whole number"),
        ({"AdminName": 7}, "AdminName: 7 is not a text"),
        ({"NoSuch": "x"}, "NoSuch: no such attribute"),
    ],
)
def test_ilo_registry_refuses_before_anything_is_sent(
    settings: dict[str, Any], problem: str
) -> None:
    bios, tree, system = bios_of(DL360)

    with pytest.raises(Invalid, match=problem):
        bios.stage(system, settings)
    assert [] == tree.client.patched  # type: ignore[attr-defined]


def test_all_refused_settings_are_named_together() -> None:
    bios, _, system = bios_of(DL360)

    with pytest.raises(Invalid, match=r"2 BIOS setting.*BootMode.*NoSuch"):
        bios.stage(system, {"BootMode": "Wrong", "NoSuch": "x"})


def test_idrac_is_told_when_to_apply() -> None:
    bios, tree, system = bios_of(R750)
    bios.stage(system, {"BootMode": "Bios"})

    (path, body) = tree.client.patched[0]  # type: ignore[attr-defined]
    assert path.endswith("/Bios/Settings")
    assert {"BootMode": "Bios"} == body["Attributes"]
    assert "OnReset" == body["@Redfish.SettingsApplyTime"]["ApplyTime"]


def test_a_bmc_without_bios_settings_says_so() -> None:
    bios, _, system = bios_of(OPENBMC)

    with pytest.raises(Unsupported, match="no BIOS settings"):
        bios.read(system)


@pytest.mark.parametrize("machine", [R750, DL360, X10])
def test_sensors_of_real_machines_are_read(machine: str) -> None:
    tree, system = open_tree(machine)
    readings = read_sensors(tree, system)
    units = {reading.unit for reading in readings}

    assert {"C", "W"} <= units
    assert all(reading.name for reading in readings)


def test_ilo_log_is_read_and_times_before_the_clock_was_set_are_none() -> None:
    tree, system = open_tree(DL360)
    entries = read_log(tree, system, 5)

    assert 1 <= len(entries) <= 5
    assert all(entry.message for entry in entries)


def test_x10_log_leads_nowhere_and_is_empty() -> None:
    tree, system = open_tree(X10)

    assert [] == read_log(tree, system, 5)


def test_links_are_followed_in_any_case() -> None:
    _, system = open_tree(DL360)

    assert "/redfish/v1/systems/1/bios" == system["Bios"]["@odata.id"]
    assert "ProLiant" in text(system, "Model")
