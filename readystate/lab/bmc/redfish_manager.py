"""The BMC itself over Redfish: its log, its address, its virtual CD, its restart."""

from datetime import UTC, datetime

from readystate.lab.bmc.personalities.personality import LogService
from readystate.lab.bmc.redfish_messages import Body, Refusal, not_found
from readystate.lab.bmc.redfish_service import (
    OK,
    Answer,
    Ask,
    RedfishService,
    collection,
    done,
    link,
    resource,
)
from readystate.lab.bmc.redfish_tasks import stamp
from readystate.lab.bmc.virtual_bmc import SelEntry

INSERTABLE = frozenset(
    {
        "Image",
        "Inserted",
        "WriteProtected",
        "TransferMethod",
        "TransferProtocolType",
        "MediaTypes",
        "UserName",
        "Password",
    }
)


def read_managers(service: RedfishService) -> Body:
    path = service.personality.manager_path
    return collection(path.rpartition("/")[0], "ManagerCollection", [path])


def read_manager(service: RedfishService) -> Body:
    personality, path = service.personality, service.personality.manager_path
    body = resource(
        path,
        "Manager.v1_12_0.Manager",
        "Manager",
        ManagerType="BMC",
        UUID=service.uuid,
        Model=personality.manager_model,
        FirmwareVersion=service.hardware.bmc_version,
        DateTime=stamp(datetime.now(UTC)),
        DateTimeLocalOffset="+00:00",
        Status=OK,
        EthernetInterfaces=link(f"{path}/EthernetInterfaces"),
        VirtualMedia=link(f"{path}/VirtualMedia"),
        Links={
            "ManagerForServers": [link(personality.system_path)],
            "ManagerForChassis": [link(personality.chassis_path)],
        },
        Actions={
            "#Manager.Reset": {
                "target": f"{path}/Actions/Manager.Reset",
                "ResetType@Redfish.AllowableValues": list(personality.manager_reset_types),
            }
        },
    )
    if any(log.under == "Managers" for log in personality.logs):
        body["LogServices"] = link(f"{path}/LogServices")
    if personality.has_jobs:
        body["Links"]["Oem"] = {"Dell": {"Jobs": link(f"{path}/Oem/Dell/Jobs")}}
    return body


async def reset_manager(service: RedfishService, ask: Ask) -> Answer:
    allowed = service.personality.manager_reset_types
    reset_type = ask.body.get("ResetType", allowed[0])
    if reset_type not in allowed:
        arguments = (str(reset_type), "ResetType", "Manager.Reset")
        raise Refusal(400, "ActionParameterValueNotInList", arguments)
    answer = done(service)
    answer.afterwards = service.bmc.cold_reset
    return answer


def read_interfaces(service: RedfishService) -> Body:
    path = f"{service.personality.manager_path}/EthernetInterfaces"
    return collection(path, "EthernetInterfaceCollection", [f"{path}/1"])


def read_interface(service: RedfishService) -> Body:
    bmc = service.bmc
    address = {
        "Address": bmc.address,
        "SubnetMask": "255.0.0.0",
        "Gateway": "0.0.0.0",  # noqa: S104 (no gateway, nothing is bound)
        "AddressOrigin": "Static",
    }
    return resource(
        f"{service.personality.manager_path}/EthernetInterfaces/1",
        "EthernetInterface.v1_8_0.EthernetInterface",
        "Manager Ethernet Interface",
        MACAddress=bmc.mac,
        PermanentMACAddress=bmc.mac,
        HostName=f"{service.personality.manager_model.split()[0].lower()}-{bmc.mac[-2:]}",
        SpeedMbps=1000,
        InterfaceEnabled=True,
        LinkStatus="LinkUp",
        IPv4Addresses=[address],
        IPv6Addresses=[],
        DHCPv4={"DHCPEnabled": False},
        Status=OK,
    )


# -- the event log -----------------------------------------------------------------------------


def read_logs(service: RedfishService, under: str) -> Body:
    personality = service.personality
    paths = [personality.log_path(log) for log in personality.logs if log.under == under]
    return collection(paths[0].rpartition("/")[0], "LogServiceCollection", paths)


def read_log(service: RedfishService, log: LogService) -> Body:
    path = service.personality.log_path(log)
    return resource(
        path,
        "LogService.v1_1_3.LogService",
        log.name,
        OverWritePolicy="WrapsWhenFull",
        LogEntryType="SEL",
        DateTime=stamp(datetime.now(UTC)),
        ServiceEnabled=True,
        Status=OK,
        Entries=link(f"{path}/Entries"),
        Actions={"#LogService.ClearLog": {"target": f"{path}/Actions/LogService.ClearLog"}},
    )


def read_entries(service: RedfishService, log: LogService) -> Body:
    """Every entry, newest first; the query part of the server cuts it into pages."""
    path = f"{service.personality.log_path(log)}/Entries"
    body = collection(path, "LogEntryCollection", [])
    body["Members"] = [_entry(path, item) for item in reversed(service.bmc.sel)]
    body["Members@odata.count"] = len(body["Members"])
    return body


def read_entry(service: RedfishService, log: LogService, entry_id: str) -> Body:
    path = f"{service.personality.log_path(log)}/Entries"
    for item in service.bmc.sel:
        if str(item.id) == entry_id:
            return _entry(path, item)
    raise not_found()


def _entry(path: str, item: SelEntry) -> Body:
    return resource(
        f"{path}/{item.id}",
        "LogEntry.v1_11_0.LogEntry",
        f"Log Entry {item.id}",
        EntryType="SEL",
        Created=stamp(item.at),
        Severity=item.severity,
        SensorType=item.sensor,
        Message=item.message,
        Id=str(item.id),
    )


async def clear_log(service: RedfishService, ask: Ask) -> Answer:
    del ask
    service.bmc.sel.clear()
    return done(service)


# -- virtual media -----------------------------------------------------------------------------


def read_media_list(service: RedfishService) -> Body:
    path = f"{service.personality.manager_path}/VirtualMedia"
    return collection(path, "VirtualMediaCollection", [f"{path}/{service.personality.media_id}"])


def read_media(service: RedfishService) -> Body:
    path = f"{service.personality.manager_path}/VirtualMedia/{service.personality.media_id}"
    url = service.bmc.virtual_media_url
    return resource(
        path,
        "VirtualMedia.v1_4_0.VirtualMedia",
        "Virtual CD",
        MediaTypes=["CD", "DVD"],
        Image=url,
        ImageName=url and url.rpartition("/")[2],
        Inserted=url is not None,
        ConnectedVia="NotConnected" if url is None else "URI",
        WriteProtected=True,
        Actions={
            "#VirtualMedia.InsertMedia": {"target": f"{path}/Actions/VirtualMedia.InsertMedia"},
            "#VirtualMedia.EjectMedia": {"target": f"{path}/Actions/VirtualMedia.EjectMedia"},
        },
    )


async def insert_media(service: RedfishService, ask: Ask) -> Answer:
    for name in ask.body:
        if name not in INSERTABLE:
            arguments = (name, "VirtualMedia.InsertMedia")
            raise Refusal(400, "ActionParameterNotSupported", arguments)
    image = ask.body.get("Image")
    if not isinstance(image, str) or not image:
        raise Refusal(400, "ActionParameterMissing", ("VirtualMedia.InsertMedia", "Image"))
    if "://" not in image:
        raise Refusal(400, "PropertyValueFormatError", (image, "Image"), "#/Image")
    if service.bmc.virtual_media_url is not None:
        raise Refusal(400, "MediaInUse")
    service.bmc.virtual_media_url = image
    return done(service)


async def eject_media(service: RedfishService, ask: Ask) -> Answer:
    del ask
    if service.bmc.virtual_media_url is None:
        raise Refusal(400, "NoMedia")
    service.bmc.virtual_media_url = None
    return done(service)
