"""What a Redfish service says about the hardware, normalised. Reads only, survives gaps."""

import re

from readystate.adapters.hammers.redfish.tree import (
    RedfishTree,
    Resource,
    is_present,
    link,
    number,
    text,
)
from readystate.domain.errors import BadRequest
from readystate.domain.ids import parse_mac
from readystate.domain.inventory import DiskFacts, Inventory, NicFacts

_GIB = 1024**3


def read_inventory(
    tree: RedfishTree, system: Resource, *, address: str, serial_property: str
) -> Inventory:
    sockets, cores, cpu_model = _processors(tree, system)
    memory = system.get("MemorySummary")
    gib = number(memory, "TotalSystemMemoryGiB") if isinstance(memory, dict) else None
    return Inventory(
        uuid=text(system, "UUID").lower(),
        serial=text(system, serial_property, "SerialNumber"),
        manufacturer=text(system, "Manufacturer"),
        model=text(system, "Model"),
        cpu_model=cpu_model,
        cpu_sockets=sockets,
        cpu_cores=cores,
        memory_bytes=int((gib or 0) * _GIB),
        bios_version=text(system, "BiosVersion"),
        bmc_version=read_bmc_version(tree, system),
        bmc_address=address,
        nics=tuple(_nics(tree, system)),
        disks=tuple(_disks(tree, system)),
    )


def read_bmc_version(tree: RedfishTree, system: Resource) -> str:
    manager = tree.find(system, "Links", "ManagedBy")
    if manager is None:
        managers = tree.members(tree.root(), "Managers")
        manager = managers[0] if len(managers) == 1 else {}
    return text(manager, "FirmwareVersion")


def _processors(tree: RedfishTree, system: Resource) -> tuple[int, int, str]:
    """Sockets, cores of all sockets, model. The members are believed before the summary, whose
    `Count` is threads on some BMCs (Supermicro X10, firmware 3.80)."""
    found = [
        processor
        for processor in tree.members(system, "Processors")
        if is_present(processor) and processor.get("ProcessorType", "CPU") == "CPU"
    ]
    summary = system.get("ProcessorSummary")
    summary = summary if isinstance(summary, dict) else {}
    if found:
        cores = sum(int(number(item, "TotalCores") or 0) for item in found)
        return len(found), cores, text(found[0], "Model") or text(summary, "Model")
    return (
        int(number(summary, "Count") or 0),
        int(number(summary, "CoreCount") or 0),
        text(summary, "Model"),
    )


def _nics(tree: RedfishTree, system: Resource) -> list[NicFacts]:
    found = {}
    for interface in tree.members(system, "EthernetInterfaces"):
        try:
            mac = parse_mac(text(interface, "PermanentMACAddress", "MACAddress"))
        except BadRequest:
            continue  # an interface without an address (HPE lists such for absent ports)
        if mac == "00:00:00:00:00:00":
            continue
        speed = number(interface, "SpeedMbps")
        status = interface.get("LinkStatus")
        found[mac] = NicFacts(
            name=_name(interface),
            mac=mac,
            speed_mbps=int(speed) if speed else None,
            link=None if status is None else status == "LinkUp",
        )
    return list(found.values())


def _name(resource: Resource) -> str:
    """An id that says something, else the name: some BMCs number their interfaces."""
    resource_id = text(resource, "Id")
    return (
        text(resource, "Name") or resource_id if re.fullmatch(r"\d*", resource_id) else resource_id
    )


def _disks(tree: RedfishTree, system: Resource) -> list[DiskFacts]:
    disks = [
        DiskFacts(
            name=_name(drive),
            size_bytes=int(number(drive, "CapacityBytes") or 0),
            serial=text(drive, "SerialNumber"),
            model=text(drive, "Model"),
            rotational=drive.get("MediaType") == "HDD",
            wwn=_wwn(drive),
        )
        for storage in read_storage_units(tree, system)
        for drive in tree.resolve(storage.get("Drives"))
        if is_present(drive)
    ]
    return disks or _simple_disks(tree, system)


def _simple_disks(tree: RedfishTree, system: Resource) -> list[DiskFacts]:
    return [
        DiskFacts(
            name=text(device, "Name"),
            size_bytes=int(number(device, "CapacityBytes") or 0),
            serial=text(device, "SerialNumber"),
            model=text(device, "Model"),
        )
        for unit in tree.members(system, "SimpleStorage")
        for device in unit.get("Devices", ())
        if isinstance(device, dict) and is_present(device)
    ]


def read_storage_units(tree: RedfishTree, system: Resource) -> list[Resource]:
    """Each member of the system's Storage, with drives and volumes inline where possible: asking
    each expanded costs one request a controller instead of one a drive."""
    collection = tree.find(system, "Storage")
    paths = [link(member) for member in (collection or {}).get("Members", ())]
    units = [tree.get_expanded(path) for path in paths if path]
    return [unit for unit in units if unit is not None]


def _wwn(drive: Resource) -> str | None:
    for identifier in drive.get("Identifiers") or ():
        if isinstance(identifier, dict) and identifier.get("DurableNameFormat") in ("NAA", "EUI"):
            name = text(identifier, "DurableName")
            if name:
                return name.lower()
    return None
