"""The lab's trees beside the recorded trees of real machines: the same resource at the same path
says no less than what readers need and, but for a few named properties, nothing of its own."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from readystate.lab.bmc.redfish import PERSONALITIES
from readystate.lab.bmc.redfish_messages import Refusal
from readystate.lab.bmc.redfish_service import RedfishService
from readystate.lab.bmc.redfish_tree import tree_of
from tests.protocol.redfish_rack import make_bmc

RECORDED = Path(__file__).resolve().parent.parent / "fixtures" / "redfish"
FOLDERS = {
    "dell": "poweredge-r750-idrac9",
    "hpe": "proliant-dl360-gen10-ilo5-3.11",
    "supermicro": "supermicro-x10-bmc-3.80",
}
#: What the recorded firmware has not: later firmware does, or the recording was cut.
OURS = {
    "@odata.context",
    "@odata.id",
    "Members@odata.count",
    "Drives@odata.count",
    "Description",
    "LocationIndicatorActive",
    "LogEntryType",
    "@Redfish.OperationApplyTimeSupport",
}
OURS_BY_VENDOR = {
    "dell": {"UUID", "Oem"},  # the recording was cut of vendor extensions
    "hpe": {"Sensors"},
    # X10 had neither BIOS settings nor storage nor the state of its links; X11 has
    "supermicro": {
        "Bios",
        "Storage",
        "AssetTag",
        "HostName",
        "PowerState",
        "InterfaceEnabled",
        "LinkStatus",
        "PermanentMACAddress",
    },
}
#: What a reader of inventory, power and settings looks at, where the real machine has it.
NEEDED = {
    "Boot",
    "Bios",
    "Attributes",
    "AttributeRegistry",
    "@Redfish.Settings",
    "Storage",
    "Drives",
    "Volumes",
    "Controllers",
    "CapacityBytes",
    "MACAddress",
    "SpeedMbps",
    "TotalCores",
    "MemorySummary",
    "Temperatures",
    "Fans",
    "PowerControl",
    "ProtocolFeaturesSupported",
}
#: Beside those, of a system and of a manager.
OF_SYSTEM = {
    "UUID",
    "SerialNumber",
    "Model",
    "Manufacturer",
    "PowerState",
    "Actions",
    "Links",
    "EthernetInterfaces",
    "Processors",
}
OF_MANAGER = {"UUID", "FirmwareVersion", "Actions", "LogServices", "VirtualMedia"}


def read_both(personality: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By path, the recorded body and ours, where both have one."""
    recorded = json.loads((RECORDED / FOLDERS[personality] / "tree.json").read_text())
    vendor = PERSONALITIES[personality]

    async def read_ours() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        service, both = RedfishService(make_bmc(personality, "127.0.0.1"), vendor), {}
        for path, body in recorded.items():
            found = tree_of(vendor).find(path)
            if found is not None and found[0].read is not None:
                with suppress(Refusal):  # a machine of another make-up: no such drive or port
                    both[path] = body, found[0].read(service, *found[1])
        return both

    return asyncio.run(read_ours())


@pytest.mark.parametrize("personality", FOLDERS)
def test_resource_looks_like_the_real_one_at_its_path(personality: str) -> None:
    both = read_both(personality)

    assert len(both) >= 12
    for path, (real, ours) in both.items():
        invented = set(ours) - set(real) - OURS - OURS_BY_VENDOR[personality]
        if "StorageControllers" in real or "Controllers" in real:
            invented -= {"StorageControllers"}
        assert set() == invented, path
        needed = NEEDED
        if path == PERSONALITIES[personality].system_path:
            needed = NEEDED | OF_SYSTEM
        elif path == PERSONALITIES[personality].manager_path:
            needed = NEEDED | OF_MANAGER
        assert set() == needed & (set(real) - set(ours)), path


@pytest.mark.parametrize("personality", ["dell", "hpe"])
def test_root_promises_the_queries_that_the_real_one_promises(personality: str) -> None:
    real, ours = read_both(personality)["/redfish/v1"]

    key = "ProtocolFeaturesSupported"
    assert real[key]["ExpandQuery"] == ours[key]["ExpandQuery"]
