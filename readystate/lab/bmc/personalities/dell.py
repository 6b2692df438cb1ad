"""A tree shaped like iDRAC 9's on a PowerEdge R750, firmware 6.00."""

from readystate.lab.bmc.bios_attribute import enumeration, integer, read_only, string
from readystate.lab.bmc.personalities.personality import (
    ROOT,
    AccountStyle,
    BiosCommit,
    Expand,
    LogService,
    Personality,
    VolumeWork,
)
from readystate.lab.bmc.redfish_messages import Message, Spelling
from readystate.lab.hardware import Hardware

SYSTEM = f"{ROOT}/Systems/System.Embedded.1"

SPELLING = Spelling(
    base="Base.1.12",
    error_code="Base.1.12.GeneralError",
    own={
        # Source: Dell's Event and Error Message Reference Guide for iDRAC 9.
        "SessionLimitExceeded": Message(
            "The maximum number of user sessions is reached.", "Critical", id="IDRAC.2.8.RAC0218"
        ),
        "AlreadyOn": Message("The server is already powered on.", id="IDRAC.2.8.PSU501"),
        "AlreadyOff": Message("The server is already powered off.", id="IDRAC.2.8.PSU502"),
        "PendingAlreadyCommitted": Message(
            "Pending configuration values are already committed, unable to perform another set "
            "operation.",
            id="IDRAC.2.8.SYS011",
        ),
        "NoPendingData": Message(
            "There are no pending data present to create a configuration job.",
            id="IDRAC.2.8.SWC9005",
        ),
        "ResetRequired": Message(
            "The request completed successfully. It takes effect at the next reset.",
            "OK",
            id="IDRAC.2.8.SYS413",
        ),
        "MediaInUse": Message(
            "The Virtual Media image is already attached.", id="IDRAC.2.8.VRM0012"
        ),
        "NoMedia": Message("The Virtual Media image is not attached.", id="IDRAC.2.8.VRM0009"),
    },
)


def _firmware_ids(hardware: Hardware) -> tuple[str, str]:
    return (
        f"Installed-159-{hardware.bios_version}__BIOS.Setup.1-1",
        f"Installed-25227-{hardware.bmc_version}__iDRAC.Embedded.1-1",
    )


DELL = Personality(
    vendor="Dell",
    product="Integrated Dell Remote Access Controller",
    redfish_version="1.13.1",
    spelling=SPELLING,
    system_id="System.Embedded.1",
    chassis_id="System.Embedded.1",
    manager_id="iDRAC.Embedded.1",
    manager_model="14G Monolithic",
    session_limit=8,
    session_timeout_s=1800,
    bios_path=f"{SYSTEM}/Bios",
    bios_settings_path=f"{SYSTEM}/Bios/Settings",
    registry_id="BiosAttributeRegistry.v1_0_0",
    registry_uri=f"{SYSTEM}/Bios/BiosRegistry",
    bios_attributes=(
        read_only("SystemModelName"),
        read_only("SystemBiosVersion"),
        read_only("SystemServiceTag"),
        enumeration("BootMode", "Uefi", "Bios"),
        enumeration("LogicalProc", "Enabled", "Disabled"),
        enumeration("ProcVirtualization", "Enabled", "Disabled"),
        enumeration("SriovGlobalEnable", "Disabled", "Enabled"),
        enumeration(
            "SysProfile",
            "PerfPerWattOptimizedDapc",
            "PerfPerWattOptimizedOs",
            "PerfOptimized",
            "PerfWorkStationOptimized",
            "Custom",
        ),
        enumeration("WorkloadProfile", "NotConfigured", "TelcoOptimizedProfile"),
        enumeration("SubNumaCluster", "Disabled", "Enabled"),
        enumeration("NodeInterleave", "Disabled", "Enabled"),
        enumeration("EmbSata", "AhciMode", "RaidMode", "Off"),
        enumeration("SerialComm", "OnConRedirAuto", "OnConRedir", "OnNoConRedir", "Off"),
        enumeration("AcPwrRcvry", "Last", "On", "Off"),
        integer("AcPwrRcvryUserDelay", 60, 60, 600),
        enumeration("NumLock", "On", "Off"),
        enumeration("ErrPrompt", "Enabled", "Disabled"),
        enumeration("TpmSecurity", "Off", "On"),
        enumeration("PxeDev1EnDis", "Enabled", "Disabled"),
        string("AssetTag", 63),
    ),
    reset_types=(
        "On",
        "ForceOff",
        "ForceRestart",
        "GracefulRestart",
        "GracefulShutdown",
        "PushPowerButton",
        "Nmi",
        "PowerCycle",
    ),
    manager_reset_types=("GracefulRestart", "ForceRestart"),
    logs=(LogService("Managers", "Sel", "SEL Log Service"),),
    media_id="CD",
    cpu_id=lambda index: f"CPU.Socket.{index + 1}",
    dimm_id=lambda index: f"DIMM.Socket.{'AB'[index % 2]}{index // 2 + 1}",
    nic_id=lambda index: f"NIC.Integrated.1-{index + 1}-1",
    controller_id=lambda index: f"RAID.Integrated.{index + 1}-1",
    drive_pattern=f"{SYSTEM}/Storage/{{}}/Drives/{{}}",
    drive_id=lambda _index, name: f"{name}:Enclosure.Internal.0-1",
    volume_id=lambda number, controller: f"Disk.Virtual.{239 - number}:{controller}",
    firmware_ids=_firmware_ids,
    task_id=lambda number: f"JID_{102241909000 + number}",
    task_monitor_path=lambda task_id: f"{ROOT}/TaskService/TaskMonitors/{task_id}",
    expand=Expand(max_levels=1, all=True, links=True),
    bios_commit=BiosCommit.BY_JOB,
    volume_work=VolumeWork.BY_JOB,
    account_style=AccountStyle.SLOTS,
    minimum_password=1,
    has_sensors=True,
    has_jobs=True,
    has_service_tag=True,
    reset_status=204,
    same_state_status=409,
    exhausted_status=503,
)
