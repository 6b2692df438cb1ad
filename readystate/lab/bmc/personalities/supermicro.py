"""A tree shaped like Supermicro's: X10's resources, with the BIOS and storage of X11 and later.

No `$expand`, and changes to the BIOS and to accounts want an If-Match."""

from readystate.lab.bmc.bios_attribute import enumeration, integer, read_only, string
from readystate.lab.bmc.personalities.personality import (
    ROOT,
    IfMatch,
    LogService,
    Personality,
    VolumeWork,
)
from readystate.lab.bmc.redfish_messages import Message, Spelling

SYSTEM = f"{ROOT}/Systems/1"
REGISTRY_ID = "BiosAttributeRegistry.v1_0_0"

SPELLING = Spelling(
    base="Base.1.4",
    error_code="Base.1.4.GeneralError",
    own={
        "ResetRequired": Message(
            "The request completed successfully. It takes effect at the next reset.",
            "OK",
            id="Base.1.4.Success",
        ),
        "MediaInUse": Message(
            "The virtual media is in use.", "Critical", id="Base.1.4.ResourceInUse"
        ),
        "NoMedia": Message(
            "The virtual media is not mounted.", "Critical", id="Base.1.4.ResourceInUse"
        ),
    },
)

SUPERMICRO = Personality(
    vendor="Supermicro",
    product="X11DPT-B",
    redfish_version="1.8.0",
    spelling=SPELLING,
    system_id="1",
    chassis_id="1",
    manager_id="1",
    manager_model="ASPEED",
    session_limit=16,
    session_timeout_s=300,
    bios_path=f"{SYSTEM}/Bios",
    bios_settings_path=f"{SYSTEM}/Bios/SD",
    registry_id=REGISTRY_ID,
    registry_uri=f"{ROOT}/Registries/{REGISTRY_ID}/{REGISTRY_ID}.en-US.json",
    bios_attributes=(
        read_only("SystemBiosVersion"),
        enumeration("BootModeSelect", "UEFI", "LEGACY", "DUAL"),
        enumeration("QuietBoot", "Enabled", "Disabled"),
        enumeration("WaitForF1IfError", "Enabled", "Disabled"),
        enumeration("RestoreOnACPowerLoss", "LastState", "PowerOn", "StayOff"),
        enumeration("HyperThreading", "Enabled", "Disabled"),
        enumeration("IntelVirtualizationTechnology", "Enabled", "Disabled"),
        enumeration("IntelVTforDirectedIO", "Enabled", "Disabled"),
        enumeration("SRIOVSupport", "Disabled", "Enabled"),
        enumeration("PowerTechnology", "Custom", "EnergyEfficient", "Disabled"),
        enumeration("NUMA", "Enabled", "Disabled"),
        enumeration("TurboMode", "Enabled", "Disabled"),
        enumeration("SATAModeSelection", "AHCI", "RAID"),
        enumeration("SerialPort1", "Enabled", "Disabled"),
        enumeration("NetworkStack", "Enabled", "Disabled"),
        integer("PXEBootWaitTime", 0, 0, 5),
        integer("MediaDetectCount", 1, 1, 50),
        string("AssetTag", 32),
    ),
    reset_types=(
        "On",
        "ForceOff",
        "GracefulShutdown",
        "GracefulRestart",
        "ForceRestart",
        "Nmi",
        "ForceOn",
        "PowerCycle",
    ),
    manager_reset_types=("GracefulRestart",),
    logs=(LogService("Managers", "Log1", "Health Event Log Service"),),
    media_id="VirtualMedia1",
    cpu_id=lambda index: str(index + 1),
    dimm_id=lambda index: str(index + 1),
    nic_id=lambda index: str(index + 1),
    controller_id=lambda index: f"HA-RAID.{index}",
    drive_pattern=f"{SYSTEM}/Storage/{{}}/Drives/{{}}",
    drive_id=lambda index, _name: f"Disk.Bay.{index}",
    volume_id=lambda number, _controller: f"Disk.Virtual.{number}",
    firmware_ids=lambda _hardware: ("BIOS", "BMC"),
    task_id=str,
    task_monitor_path=lambda task_id: f"{ROOT}/TaskMonitor/{task_id}",
    volume_work=VolumeWork.BY_TASK,
    exhausted_status=503,
    # Seen on firmware that names its settings object Bios/SD: 428 without If-Match.
    demands_if_match=frozenset({IfMatch.BIOS, IfMatch.ACCOUNT}),
)
