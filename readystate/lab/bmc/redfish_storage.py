"""Storage over Redfish: controllers, drives, and volumes that may wait for a reset."""

from dataclasses import dataclass

from readystate.lab.bmc.personalities.personality import ROOT, VolumeWork
from readystate.lab.bmc.redfish_messages import Body, Refusal, not_found
from readystate.lab.bmc.redfish_service import (
    OK,
    Answer,
    Ask,
    RedfishService,
    accepted,
    collection,
    done,
    link,
    resource,
)
from readystate.lab.bmc.redfish_tasks import Work
from readystate.lab.bmc.virtual_bmc import Volume
from readystate.lab.hardware import Drive

APPLY_TIME = "@Redfish.OperationApplyTime"
CREATABLE = frozenset(
    {"Name", "DisplayName", "RAIDType", "CapacityBytes", "Links", "Drives", "StripSizeBytes"}
) | {APPLY_TIME}
BLOCK_BYTES = 512


@dataclass(frozen=True)
class Raid:
    least_drives: int
    exactly: int | None = None
    needs_even: bool = False

    def fits(self, count: int) -> bool:
        if self.exactly is not None:
            return count == self.exactly
        return count >= self.least_drives and not (self.needs_even and count % 2)


#: Source: SNIA's definitions of the RAID levels.
RAIDS = {
    "RAID0": Raid(1),
    "RAID1": Raid(2, exactly=2),
    "RAID5": Raid(3),
    "RAID6": Raid(4),
    "RAID10": Raid(4, needs_even=True),
}


def data_drives(raid_type: str, count: int) -> int:
    """How many drives' worth of data fit on `count` drives."""
    lost = {"RAID0": 0, "RAID5": 1, "RAID6": 2}
    return count - lost[raid_type] if raid_type in lost else count // 2


@dataclass(frozen=True)
class Controller:
    id: str
    name: str
    drives: tuple[Drive, ...]


def controllers(service: RedfishService) -> list[Controller]:
    by_name: dict[str, list[Drive]] = {}
    for drive in service.hardware.drives:
        by_name.setdefault(drive.controller, []).append(drive)
    return [
        Controller(service.personality.controller_id(index), name, tuple(drives))
        for index, (name, drives) in enumerate(by_name.items())
    ]


def find_controller(service: RedfishService, controller_id: str) -> Controller:
    for controller in controllers(service):
        if controller.id == controller_id:
            return controller
    raise not_found()


def drive_paths(service: RedfishService, controller: Controller) -> dict[str, Drive]:
    personality = service.personality
    return {
        personality.drive_pattern.format(
            controller.id, personality.drive_id(index, drive.name)
        ): drive
        for index, drive in enumerate(controller.drives)
    }


def read_storages(service: RedfishService) -> Body:
    path = service.personality.storage_path
    members = [f"{path}/{controller.id}" for controller in controllers(service)]
    return collection(path, "StorageCollection", members)


def read_storage(service: RedfishService, controller_id: str) -> Body:
    controller = find_controller(service, controller_id)
    path = f"{service.personality.storage_path}/{controller_id}"
    drives = [link(item) for item in drive_paths(service, controller)]
    body = resource(
        path,
        "Storage.v1_13_0.Storage",
        controller.name,
        Drives=drives,
        Volumes=link(f"{path}/Volumes"),
        Status={**OK, "HealthRollup": "OK"},
        **{"Drives@odata.count": len(drives)},
    )
    if service.personality.has_controllers:
        body["Controllers"] = link(f"{path}/Controllers")
    else:
        place = {"@odata.id": f"{path}#/StorageControllers/0", "MemberId": "0"}
        body["StorageControllers"] = [place | _controller(service, controller)]
    return body


def read_controllers(service: RedfishService, controller_id: str) -> Body:
    find_controller(service, controller_id)
    path = f"{service.personality.storage_path}/{controller_id}/Controllers"
    return collection(path, "StorageControllerCollection", [f"{path}/0"])


def read_controller(service: RedfishService, controller_id: str) -> Body:
    controller = find_controller(service, controller_id)
    path = f"{service.personality.storage_path}/{controller_id}/Controllers/0"
    properties = _controller(service, controller)
    kind = "StorageController.v1_7_2.StorageController"
    return resource(path, kind, controller.name) | properties


def _controller(service: RedfishService, controller: Controller) -> Body:
    return {
        "Name": controller.name,
        "Manufacturer": service.hardware.manufacturer,
        "Model": controller.name,
        "SupportedControllerProtocols": ["PCIe"],
        "SupportedDeviceProtocols": sorted({item.protocol for item in controller.drives}),
        "SupportedRAIDTypes": list(RAIDS),
        "Status": OK,
    }


def read_drive(service: RedfishService, controller_id: str, drive_id: str) -> Body:
    controller = find_controller(service, controller_id)
    path = service.personality.drive_pattern.format(controller_id, drive_id)
    drive = drive_paths(service, controller).get(path)
    if drive is None:
        raise not_found(path)
    volumes = f"{service.personality.storage_path}/{controller.id}/Volumes"
    return resource(
        path,
        "Drive.v1_15_0.Drive",
        drive.name,
        CapacityBytes=drive.size_bytes,
        BlockSizeBytes=BLOCK_BYTES,
        MediaType=drive.media,
        Protocol=drive.protocol,
        Model=drive.model,
        SerialNumber=drive.serial,
        FailurePredicted=False,
        PhysicalLocation={"PartLocation": {"LocationType": "Bay", "ServiceLabel": drive.name}},
        Status=OK,
        Links={
            "Volumes": [
                link(f"{volumes}/{volume.id}")
                for volume in service.bmc.volumes
                if drive.name in volume.drives
            ]
        },
    )


def read_volumes(service: RedfishService, controller_id: str) -> Body:
    controller = find_controller(service, controller_id)
    path = f"{service.personality.storage_path}/{controller_id}/Volumes"
    body = collection(
        path,
        "VolumeCollection",
        [f"{path}/{volume.id}" for volume in _volumes_of(service, controller)],
    )
    body["@Redfish.OperationApplyTimeSupport"] = {
        "@odata.type": "#Settings.v1_3_3.OperationApplyTimeSupport",
        "SupportedValues": _apply_times(service),
    }
    return body


def read_volume(service: RedfishService, controller_id: str, volume_id: str) -> Body:
    controller = find_controller(service, controller_id)
    volume = _find_volume(service, controller, volume_id)
    path = f"{service.personality.storage_path}/{controller_id}/Volumes/{volume_id}"
    paths = drive_paths(service, controller)
    return resource(
        path,
        "Volume.v1_8_0.Volume",
        volume.name,
        DisplayName=volume.name,
        RAIDType=volume.raid_type,
        CapacityBytes=volume.size_bytes,
        BlockSizeBytes=BLOCK_BYTES,
        Identifiers=[],
        Status=OK,
        Links={
            "Drives": [link(item) for item, drive in paths.items() if drive.name in volume.drives]
        },
        Actions={"#Volume.Initialize": {"target": f"{path}/Actions/Volume.Initialize"}},
    )


async def create_volume(service: RedfishService, ask: Ask, controller_id: str) -> Answer:
    controller = find_controller(service, controller_id)
    volume = _parse_volume(service, controller, ask.body)
    at_reset = _waits_for_reset(service, ask.body)
    service.bmc.create_volume(volume, at_reset=at_reset)
    path = f"{service.personality.storage_path}/{controller_id}/Volumes"
    if service.personality.volume_work is VolumeWork.AT_ONCE and not at_reset:
        location = f"{path}/{volume.id}"
        return Answer(201, read_volume(service, controller_id, volume.id), {"Location": location})
    return _start_task(service, f"{path}/{volume.id}", at_reset=at_reset)


async def delete_volume(
    service: RedfishService, ask: Ask, controller_id: str, volume_id: str
) -> Answer:
    _find_volume(service, find_controller(service, controller_id), volume_id)
    if volume_id in service.bmc.volumes_doomed:
        raise Refusal(400, "ResourceInUse")
    at_reset = _waits_for_reset(service, ask.body)
    service.bmc.delete_volume(volume_id, at_reset=at_reset)
    if service.personality.volume_work is VolumeWork.AT_ONCE and not at_reset:
        return done(service)
    path = f"{service.personality.storage_path}/{controller_id}/Volumes/{volume_id}"
    return _start_task(service, path, at_reset=at_reset)


async def initialize_volume(
    service: RedfishService, ask: Ask, controller_id: str, volume_id: str
) -> Answer:
    """Accepted for any volume that there is; the lab's volumes hold nothing to erase."""
    del ask
    _find_volume(service, find_controller(service, controller_id), volume_id)
    return done(service)


def _start_task(service: RedfishService, target: str, *, at_reset: bool) -> Answer:
    work = Work.RAID if at_reset else Work.RAID_NOW
    return accepted(service, service.tasks.add(work, target, waits_for_boot=at_reset))


def _apply_times(service: RedfishService) -> list[str]:
    if service.personality.volume_work is VolumeWork.BY_JOB:
        return ["OnReset", "Immediate"]
    return ["Immediate"]


def _waits_for_reset(service: RedfishService, body: Body) -> bool:
    """Whether the work waits: as asked, else the vendor's way, which is its list's first."""
    allowed = _apply_times(service)
    value = body.get(APPLY_TIME, allowed[0])
    if value not in allowed:
        raise Refusal(400, "PropertyValueNotInList", (str(value), APPLY_TIME), f"#/{APPLY_TIME}")
    return bool(value == "OnReset")


def _volumes_of(service: RedfishService, controller: Controller) -> list[Volume]:
    names = {drive.name for drive in controller.drives}
    return [volume for volume in service.bmc.volumes if names & set(volume.drives)]


def _find_volume(service: RedfishService, controller: Controller, volume_id: str) -> Volume:
    for volume in _volumes_of(service, controller):
        if volume.id == volume_id:
            return volume
    raise not_found()


def _parse_volume(service: RedfishService, controller: Controller, body: Body) -> Volume:
    for name in body:
        if name not in CREATABLE:
            raise Refusal(400, "PropertyUnknown", (name,), f"#/{name}")
    if "RAIDType" not in body:
        raise Refusal(400, "PropertyMissing", ("RAIDType",), "#/RAIDType")
    raid_type = body["RAIDType"]
    if str(raid_type) not in RAIDS:
        raise Refusal(400, "PropertyValueNotInList", (str(raid_type), "RAIDType"), "#/RAIDType")
    drives = _parse_drives(service, controller, body)
    if not RAIDS[raid_type].fits(len(drives)):
        raise Refusal(400, "PropertyValueConflict", ("RAIDType", "Drives"), "#/RAIDType")
    least_bytes = min(drive.size_bytes for drive in drives)
    most_bytes = least_bytes * data_drives(raid_type, len(drives))
    size_bytes = body.get("CapacityBytes", most_bytes)
    if not isinstance(size_bytes, int) or not 0 < size_bytes <= most_bytes:
        raise Refusal(
            400, "PropertyValueOutOfRange", (str(size_bytes), "CapacityBytes"), "#/CapacityBytes"
        )
    volume_id = _free_id(service, controller)
    name = str(body.get("Name") or body.get("DisplayName") or f"Virtual Disk {volume_id}")
    return Volume(volume_id, name, raid_type, tuple(item.name for item in drives), size_bytes)


def _parse_drives(service: RedfishService, controller: Controller, body: Body) -> list[Drive]:
    links = body.get("Links", {})
    asked = links.get("Drives") if isinstance(links, dict) else None
    asked = body.get("Drives") if asked is None else asked  # Dell's form before firmware 4.40
    if not isinstance(asked, list) or not asked:
        raise Refusal(400, "PropertyMissing", ("Links/Drives",), "#/Links/Drives")
    paths, drives = drive_paths(service, controller), []
    busy = {
        name
        for volume in (*service.bmc.volumes, *service.bmc.volumes_pending)
        for name in volume.drives
        if volume.id not in service.bmc.volumes_doomed
    }
    for item in asked:
        path = item.get("@odata.id") if isinstance(item, dict) else None
        drive = paths.get(str(path))
        if drive is None or drive in drives:
            raise Refusal(400, "PropertyValueNotInList", (str(path), "Drives"), "#/Links/Drives")
        if drive.name in busy:
            raise Refusal(400, "ResourceInUse", related="#/Links/Drives")
        drives.append(drive)
    return drives


def _free_id(service: RedfishService, controller: Controller) -> str:
    taken = {item.id for item in (*service.bmc.volumes, *service.bmc.volumes_pending)}
    number = 0
    while (volume_id := service.personality.volume_id(number, controller.id)) in taken:
        number += 1
    return volume_id


def read_enclosure(service: RedfishService, controller_id: str) -> Body:
    """The extra chassis that some vendors hang the drives of a controller in."""
    personality = service.personality
    controller = find_controller(service, controller_id)
    return resource(
        f"{ROOT}/Chassis/{controller_id}",
        "Chassis.v1_10_0.Chassis",
        "Storage Enclosure",
        ChassisType="StorageEnclosure",
        Manufacturer=service.hardware.manufacturer,
        Status=OK,
        Links={
            "ComputerSystems": [link(personality.system_path)],
            "ManagedBy": [link(personality.manager_path)],
            "Drives": [link(item) for item in drive_paths(service, controller)],
        },
    )
