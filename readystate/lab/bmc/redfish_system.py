"""The computer system over Redfish: power, boot override and order, processors, memory, NICs."""

from collections.abc import Callable

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.redfish_identify import is_lit, set_light
from readystate.lab.bmc.redfish_messages import Body, Refusal, not_found
from readystate.lab.bmc.redfish_service import (
    OK,
    Answer,
    Ask,
    RedfishService,
    check_writable,
    collection,
    done,
    link,
    resource,
)
from readystate.lab.bmc.virtual_bmc import BootOverride
from readystate.lab.machines.machine import BootDevice

GIB = 2**30
DIMM_BYTES = 32 * GIB

#: Values of BootSourceOverrideTarget. Source: DSP8010, schema ComputerSystem.
TARGETS = {
    "None": BootDevice.NONE,
    "Pxe": BootDevice.PXE,
    "Hdd": BootDevice.DISK,
    "Cd": BootDevice.CDROM,
    "BiosSetup": BootDevice.BIOS_SETUP,
}
TARGET_NAMES = {device: name for name, device in TARGETS.items()}
ENABLED = ("Once", "Continuous", "Disabled")
MODES = ("UEFI", "Legacy")
BOOT_PROPERTIES = frozenset(
    {
        "BootSourceOverrideTarget",
        "BootSourceOverrideEnabled",
        "BootSourceOverrideMode",
        "BootOrder",
    }
)
#: The boot options that every machine has, by reference.
BOOT_OPTIONS = {
    "Boot0000": BootDevice.DISK,
    "Boot0001": BootDevice.PXE,
    "Boot0002": BootDevice.CDROM,
}
OPTION_NAMES = {device: reference for reference, device in BOOT_OPTIONS.items()}
OPTION_TEXTS = {
    BootDevice.DISK: "Hard drive",
    BootDevice.PXE: "PXE device",
    BootDevice.CDROM: "Virtual CD",
}
WRITABLE = frozenset({"Boot", "AssetTag", "IndicatorLED", "LocationIndicatorActive"})


def read_systems(service: RedfishService) -> Body:
    path = service.personality.system_path
    return collection(path.rpartition("/")[0], "ComputerSystemCollection", [path])


def read_system(service: RedfishService) -> Body:
    personality, hardware, bmc = service.personality, service.hardware, service.bmc
    path = personality.system_path
    memory_gib = hardware.memory_bytes // GIB
    body = resource(
        path,
        "ComputerSystem.v1_16_0.ComputerSystem",
        "System",
        SystemType="Physical",
        Manufacturer=hardware.manufacturer,
        Model=hardware.model,
        SerialNumber=hardware.serial,
        UUID=hardware.uuid,
        AssetTag=bmc.asset_tag or hardware.asset_tag,
        HostName="",
        BiosVersion=hardware.bios_version,
        PowerState="On" if bmc.reported_power_on else "Off",
        IndicatorLED="Blinking" if is_lit(bmc) else "Off",
        LocationIndicatorActive=is_lit(bmc),
        Status={**OK, "HealthRollup": "OK"},
        Boot=_boot(service),
        ProcessorSummary={
            "Count": hardware.cpu_sockets,
            "Model": hardware.cpu_model,
            "CoreCount": hardware.cpu_sockets * hardware.cpu_cores,
            "LogicalProcessorCount": 2 * hardware.cpu_sockets * hardware.cpu_cores,
            "Status": OK,
        },
        MemorySummary={"TotalSystemMemoryGiB": memory_gib, "Status": OK},
        Bios=link(personality.bios_path),
        Processors=link(f"{path}/Processors"),
        Memory=link(f"{path}/Memory"),
        EthernetInterfaces=link(f"{path}/EthernetInterfaces"),
        Storage=link(personality.storage_path),
        Links={
            "Chassis": [link(personality.chassis_path)],
            "ManagedBy": [link(personality.manager_path)],
        },
        Actions={
            "#ComputerSystem.Reset": {
                "target": f"{path}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(personality.reset_types),
            }
        },
    )
    if any(log.under == "Systems" for log in personality.logs):
        body["LogServices"] = link(f"{path}/LogServices")
    if personality.has_service_tag:
        body["SKU"] = hardware.serial
    return body


def _boot(service: RedfishService) -> Body:
    personality, override = service.personality, service.bmc.current_override()
    enabled = "Disabled"
    if override.device is not BootDevice.NONE:
        enabled = "Continuous" if override.persistent else "Once"
    return {
        "BootOptions": link(f"{personality.system_path}/BootOptions"),
        "BootOrder": _boot_order(service),
        "BootSourceOverrideEnabled": enabled,
        "BootSourceOverrideEnabled@Redfish.AllowableValues": list(ENABLED),
        "BootSourceOverrideTarget": TARGET_NAMES[override.device],
        "BootSourceOverrideTarget@Redfish.AllowableValues": list(TARGETS),
        "BootSourceOverrideMode": "UEFI" if _is_uefi(service, override) else "Legacy",
        "BootSourceOverrideMode@Redfish.AllowableValues": list(MODES),
    }


def _is_uefi(service: RedfishService, override: BootOverride) -> bool:
    """The override's mode; with none set, the mode that the BIOS boots in."""
    if override.device is not BootDevice.NONE:
        return override.uefi
    return service.bmc.boots_uefi


def _boot_order(service: RedfishService) -> list[str]:
    first = [device for device in service.bmc.boot_order if device in OPTION_NAMES]
    return [OPTION_NAMES[device] for device in first] + [
        reference for reference, device in BOOT_OPTIONS.items() if device not in first
    ]


def read_boot_options(service: RedfishService) -> Body:
    path = f"{service.personality.system_path}/BootOptions"
    return collection(path, "BootOptionCollection", [f"{path}/{item}" for item in BOOT_OPTIONS])


def read_boot_option(service: RedfishService, reference: str) -> Body:
    device = BOOT_OPTIONS.get(reference)
    if device is None:
        raise not_found()
    return resource(
        f"{service.personality.system_path}/BootOptions/{reference}",
        "BootOption.v1_0_4.BootOption",
        "Boot option",
        BootOptionReference=reference,
        DisplayName=OPTION_TEXTS[device],
        BootOptionEnabled=True,
        Alias=TARGET_NAMES[device],
    )


async def patch_system(service: RedfishService, ask: Ask) -> Answer:
    check_writable(ask.body, WRITABLE, read_system(service))
    boot = ask.body.get("Boot", {})
    if not isinstance(boot, dict):
        raise Refusal(400, "PropertyValueTypeError", (str(boot), "Boot"), "#/Boot")
    check_writable(boot, BOOT_PROPERTIES, _boot(service))
    order = _parse_order(boot)  # every value is judged before the first one is set
    override = _parse_override(service, boot)
    if order is not None:
        service.bmc.boot_order = order
    if override is not None:
        service.bmc.set_boot_override(
            override.device, persistent=override.persistent, uefi=override.uefi
        )
    if "AssetTag" in ask.body:
        service.bmc.asset_tag = str(ask.body["AssetTag"])
    set_light(service.bmc, ask.body)
    return done(service)


def _parse_order(boot: Body) -> tuple[BootDevice, ...] | None:
    if "BootOrder" not in boot:
        return None
    order = boot["BootOrder"]
    if not isinstance(order, list):
        raise Refusal(400, "PropertyValueTypeError", (str(order), "BootOrder"), "#/Boot/BootOrder")
    for reference in order:
        if str(reference) not in BOOT_OPTIONS:
            raise Refusal(
                400, "PropertyValueNotInList", (str(reference), "BootOrder"), "#/Boot/BootOrder"
            )
    return tuple(BOOT_OPTIONS[reference] for reference in dict.fromkeys(order))


def _parse_override(service: RedfishService, boot: Body) -> BootOverride | None:
    """The override that a PATCH asks for, with what it leaves out taken from the present one."""
    if not any(name.startswith("BootSourceOverride") for name in boot):
        return None
    present = service.bmc.current_override()
    target = _one_of(boot, "BootSourceOverrideTarget", tuple(TARGETS))
    enabled = _one_of(boot, "BootSourceOverrideEnabled", ENABLED)
    mode = _one_of(boot, "BootSourceOverrideMode", MODES)
    if enabled == "Disabled":
        return BootOverride()
    device = present.device if target is None else TARGETS[target]
    return BootOverride(
        device,
        persistent=present.persistent if enabled is None else enabled == "Continuous",
        uefi=_is_uefi(service, present) if mode is None else mode == "UEFI",
    )


def _one_of(boot: Body, name: str, values: tuple[str, ...]) -> str | None:
    if name not in boot:
        return None
    value = boot[name]
    if value not in values:
        raise Refusal(400, "PropertyValueNotInList", (str(value), name), f"#/Boot/{name}")
    return str(value)


async def reset_system(service: RedfishService, ask: Ask) -> Answer:
    """ComputerSystem.Reset; refused, where the vendor does, when the machine is there already."""
    action = "ComputerSystem.Reset"
    if "ResetType" not in ask.body:
        raise Refusal(400, "ActionParameterMissing", (action, "ResetType"), "#/ResetType")
    reset_type = ask.body["ResetType"]
    if reset_type not in service.personality.reset_types:
        raise Refusal(400, "ActionParameterValueNotInList", (str(reset_type), "ResetType", action))
    _check_state(service, reset_type)
    await _carry_out(service, reset_type)
    answer = done(service)
    if service.personality.reset_status == 204:
        answer = Answer(204)
    answer.afterwards = service.bmc.end_power_command
    return answer


def _check_state(service: RedfishService, reset_type: str) -> None:
    bmc = service.bmc
    status = service.personality.same_state_status
    if bmc.faults.is_active(Fault.POWER_LIES):
        return  # accepts everything, whatever it says about the state
    if bmc.machine.is_on and reset_type in ("On", "ForceOn") and status:
        raise Refusal(status, "AlreadyOn")
    if not bmc.machine.is_on and reset_type not in ("On", "ForceOn", "PushPowerButton"):
        if status:
            raise Refusal(status, "AlreadyOff")
        if "Off" not in reset_type and "Shutdown" not in reset_type:
            raise Refusal(400, "ActionNotSupported", (reset_type,))


async def _carry_out(service: RedfishService, reset_type: str) -> None:
    bmc = service.bmc
    match reset_type:
        case "On" | "ForceOn":
            await bmc.power_on()
        case "ForceOff":
            await bmc.power_off()
        case "GracefulShutdown":
            await bmc.power_off(graceful=True)
        case "PowerCycle" | "FullPowerCycle":
            await bmc.power_cycle()
        case "ForceRestart" | "GracefulRestart":
            await bmc.reset()
        case "PushPowerButton":
            await (bmc.power_off(graceful=True) if bmc.machine.is_on else bmc.power_on())
        case _:  # Nmi: no operating system here dumps core
            pass


def read_processors(service: RedfishService) -> Body:
    path = f"{service.personality.system_path}/Processors"
    ids = [service.personality.cpu_id(index) for index in range(service.hardware.cpu_sockets)]
    return collection(path, "ProcessorCollection", [f"{path}/{item}" for item in ids])


def read_processor(service: RedfishService, cpu_id: str) -> Body:
    hardware, personality = service.hardware, service.personality
    index = _index(cpu_id, personality.cpu_id, hardware.cpu_sockets)
    return resource(
        f"{personality.system_path}/Processors/{cpu_id}",
        "Processor.v1_14_0.Processor",
        f"CPU {index + 1}",
        Socket=f"CPU{index + 1}",
        ProcessorType="CPU",
        ProcessorArchitecture="x86",
        InstructionSet="x86-64",
        Manufacturer="AMD" if "AMD" in hardware.cpu_model else "Intel",
        Model=hardware.cpu_model,
        TotalCores=hardware.cpu_cores,
        TotalThreads=2 * hardware.cpu_cores,
        Status=OK,
    )


def read_memories(service: RedfishService) -> Body:
    path = f"{service.personality.system_path}/Memory"
    ids = [service.personality.dimm_id(index) for index in range(_dimm_count(service))]
    return collection(path, "MemoryCollection", [f"{path}/{item}" for item in ids])


def read_memory(service: RedfishService, dimm_id: str) -> Body:
    personality, total_bytes = service.personality, service.hardware.memory_bytes
    index = _index(dimm_id, personality.dimm_id, _dimm_count(service))
    return resource(
        f"{personality.system_path}/Memory/{dimm_id}",
        "Memory.v1_13_0.Memory",
        dimm_id,
        DeviceLocator=dimm_id,
        MemoryType="DRAM",
        MemoryDeviceType="DDR4",
        CapacityMiB=min(DIMM_BYTES, total_bytes - index * DIMM_BYTES) // 2**20,
        OperatingSpeedMhz=3200,
        Status=OK,
    )


def _dimm_count(service: RedfishService) -> int:
    return -(-service.hardware.memory_bytes // DIMM_BYTES)


def read_nics(service: RedfishService) -> Body:
    path = f"{service.personality.system_path}/EthernetInterfaces"
    ids = [service.personality.nic_id(index) for index in range(len(service.hardware.nics))]
    return collection(path, "EthernetInterfaceCollection", [f"{path}/{item}" for item in ids])


def read_nic(service: RedfishService, nic_id: str) -> Body:
    personality, nics = service.personality, service.hardware.nics
    nic = nics[_index(nic_id, personality.nic_id, len(nics))]
    is_up = service.bmc.machine.is_on
    return resource(
        f"{personality.system_path}/EthernetInterfaces/{nic_id}",
        "EthernetInterface.v1_8_0.EthernetInterface",
        "System Ethernet Interface",
        MACAddress=_mac(personality, nic.mac),
        PermanentMACAddress=_mac(personality, nic.mac),
        SpeedMbps=nic.speed_mbps,
        LinkStatus="LinkUp" if is_up else "LinkDown",
        InterfaceEnabled=True,
        Status=OK,
    )


def _mac(personality: Personality, mac: str) -> str:
    """Vendors differ in the case of MACs, so readers must not rely on it."""
    return mac if personality.vendor == "Supermicro" else mac.upper()


def _index(wanted: str, name_of: Callable[[int], str], count: int) -> int:
    """The index whose id is `wanted`; raises not found."""
    for index in range(count):
        if name_of(index) == wanted:
            return index
    raise not_found()
