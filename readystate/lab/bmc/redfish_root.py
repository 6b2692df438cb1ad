"""The service root and what hangs directly below it: registries, firmware, tasks, jobs."""

from readystate.lab.bmc.personalities.personality import ROOT
from readystate.lab.bmc.redfish_bios import cancel, commit
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
    task_body,
)
from readystate.lab.bmc.redfish_tasks import Task

REGISTRIES = f"{ROOT}/Registries"
FIRMWARE = f"{ROOT}/UpdateService/FirmwareInventory"
TASKS = f"{ROOT}/TaskService/Tasks"
JOBS = f"{ROOT}/JobService/Jobs"
BASE_REGISTRY = f"{REGISTRIES}/Base/Base.json"


def read_versions(service: RedfishService) -> Body:
    del service
    return {"v1": f"{ROOT}/"}


def read_odata(service: RedfishService) -> Body:
    """Source: DSP0266, "OData service document"."""
    root = read_root(service)
    services = {name: value for name, value in root.items() if set(value) == {"@odata.id"}}
    return {
        "@odata.context": f"{ROOT}/$metadata",
        "value": [
            {"name": name, "kind": "Singleton", "url": value["@odata.id"]}
            for name, value in services.items()
        ],
    }


def read_root(service: RedfishService) -> Body:
    personality, expand = service.personality, service.personality.expand
    query: Body = {"ExpandAll": False, "Levels": False, "Links": False, "NoLinks": False}
    if expand is not None:
        query = {
            "ExpandAll": expand.all,
            "Levels": True,
            "Links": expand.links,
            "NoLinks": expand.no_links,
            "MaxLevels": expand.max_levels,
        }
    body = resource(
        ROOT,
        "ServiceRoot.v1_10_0.ServiceRoot",
        "Root Service",
        RedfishVersion=personality.redfish_version,
        Vendor=personality.vendor,
        Product=personality.product,
        UUID=service.uuid,
        ProtocolFeaturesSupported={
            "ExpandQuery": query,
            "SelectQuery": expand is not None,
            "FilterQuery": False,
            "OnlyMemberQuery": False,
            "ExcerptQuery": False,
        },
        Systems=link(f"{ROOT}/Systems"),
        Chassis=link(f"{ROOT}/Chassis"),
        Managers=link(f"{ROOT}/Managers"),
        SessionService=link(f"{ROOT}/SessionService"),
        AccountService=link(f"{ROOT}/AccountService"),
        UpdateService=link(f"{ROOT}/UpdateService"),
        Registries=link(REGISTRIES),
        Tasks=link(f"{ROOT}/TaskService"),
        Links={"Sessions": link(f"{ROOT}/SessionService/Sessions")},
        Id="RootService",
    )
    if personality.has_jobs:
        body["JobService"] = link(f"{ROOT}/JobService")
    return body


def metadata() -> bytes:
    """The smallest OData metadata document that names the service. Source: DSP0266."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">\n'
        b"<edmx:DataServices>\n"
        b'<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">\n'
        b'<EntityContainer Name="Service" Extends="ServiceRoot.v1_10_0.ServiceContainer"/>\n'
        b"</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n"
    )


# -- registries --------------------------------------------------------------------------------


def read_registries(service: RedfishService) -> Body:
    ids = ("Base", service.personality.registry_id)
    return collection(
        REGISTRIES, "MessageRegistryFileCollection", [f"{REGISTRIES}/{item}" for item in ids]
    )


def read_registry_file(service: RedfishService, registry_id: str) -> Body:
    personality = service.personality
    places = {
        "Base": (f"{personality.spelling.base}.0", BASE_REGISTRY),
        personality.registry_id: (personality.registry_id, personality.registry_uri),
    }
    if registry_id not in places:
        raise not_found()
    registry, uri = places[registry_id]
    return resource(
        f"{REGISTRIES}/{registry_id}",
        "MessageRegistryFile.v1_1_3.MessageRegistryFile",
        f"{registry_id} Registry File",
        Registry=registry,
        Languages=["en"],
        Location=[{"Language": "en", "Uri": uri}],
    )


def read_base_registry(service: RedfishService) -> Body:
    return {"@odata.id": BASE_REGISTRY, **service.personality.spelling.registry()}


# -- firmware ----------------------------------------------------------------------------------


def read_update_service(service: RedfishService) -> Body:
    del service
    return resource(
        f"{ROOT}/UpdateService",
        "UpdateService.v1_11_0.UpdateService",
        "Update Service",
        ServiceEnabled=True,
        Status=OK,
        FirmwareInventory=link(FIRMWARE),
    )


def read_firmware_list(service: RedfishService) -> Body:
    ids = service.personality.firmware_ids(service.hardware)
    members = [f"{FIRMWARE}/{item}" for item in ids]
    return collection(FIRMWARE, "SoftwareInventoryCollection", members)


def read_firmware(service: RedfishService, firmware_id: str) -> Body:
    hardware = service.hardware
    bios_id, bmc_id = service.personality.firmware_ids(hardware)
    known = {
        bios_id: ("BIOS", hardware.bios_version),
        bmc_id: (service.personality.manager_model, hardware.bmc_version),
    }
    if firmware_id not in known:
        raise not_found()
    name, version = known[firmware_id]
    return resource(
        f"{FIRMWARE}/{firmware_id}",
        "SoftwareInventory.v1_7_0.SoftwareInventory",
        name,
        Version=version,
        Updateable=False,
        Status=OK,
    )


# -- tasks and jobs ----------------------------------------------------------------------------


def read_task_service(service: RedfishService) -> Body:
    del service
    return resource(
        f"{ROOT}/TaskService",
        "TaskService.v1_2_0.TaskService",
        "Task Service",
        ServiceEnabled=True,
        CompletedTaskOverWritePolicy="Oldest",
        Status=OK,
        Tasks=link(TASKS),
    )


def read_tasks(service: RedfishService) -> Body:
    return collection(TASKS, "TaskCollection", [f"{TASKS}/{item}" for item in service.tasks.by_id])


def read_task(service: RedfishService, task_id: str) -> Body:
    return task_body(service, find_task(service, task_id))


def find_task(service: RedfishService, task_id: str) -> Task:
    task = service.tasks.by_id.get(task_id)
    if task is None:
        raise not_found()
    return task


async def delete_task(service: RedfishService, ask: Ask, task_id: str) -> Answer:
    del ask
    task = find_task(service, task_id)
    if not task.state.is_final:
        cancel(service, task)
    del service.tasks.by_id[task_id]
    return done(service)


def read_job_service(service: RedfishService) -> Body:
    del service
    return resource(
        f"{ROOT}/JobService",
        "JobService.v1_0_4.JobService",
        "Job Service",
        ServiceEnabled=True,
        ServiceCapabilities={"MaxJobs": 256, "MaxSteps": 1, "Scheduling": True},
        Status=OK,
        Jobs=link(JOBS),
    )


def read_jobs(service: RedfishService) -> Body:
    return collection(JOBS, "JobCollection", [f"{JOBS}/{item}" for item in service.tasks.by_id])


def read_job(service: RedfishService, job_id: str) -> Body:
    return find_task(service, job_id).job_body(f"{JOBS}/{job_id}")


def read_dell_jobs(service: RedfishService) -> Body:
    path = f"{service.personality.manager_path}/Oem/Dell/Jobs"
    members = [f"{path}/{item}" for item in service.tasks.by_id]
    return collection(path, "DellJobCollection", members)


def read_dell_job(service: RedfishService, job_id: str) -> Body:
    path = f"{service.personality.manager_path}/Oem/Dell/Jobs/{job_id}"
    return find_task(service, job_id).job_body(path)


async def create_dell_job(service: RedfishService, ask: Ask) -> Answer:
    """Dell's way to commit what was written to a settings object without an apply time."""
    target = ask.body.get("TargetSettingsURI")
    if target != service.personality.bios_settings_path:
        arguments = (str(target), "TargetSettingsURI")
        raise Refusal(400, "PropertyValueNotInList", arguments, "#/TargetSettingsURI")
    return accepted(service, commit(service))
