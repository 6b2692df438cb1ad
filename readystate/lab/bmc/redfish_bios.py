"""BIOS settings over Redfish: current and pending values, and the registry that judges them.

A write never changes the current values: it waits for the machine's next boot. Source: DSP0266,
"Settings resource"."""

from datetime import UTC, datetime

from readystate.lab.bmc.bios_attribute import BiosAttribute, BiosValue, infer
from readystate.lab.bmc.personalities.personality import BiosCommit, IfMatch, Personality
from readystate.lab.bmc.redfish_etag import encode, etag_of
from readystate.lab.bmc.redfish_messages import Body, Refusal
from readystate.lab.bmc.redfish_service import (
    Answer,
    Ask,
    RedfishService,
    accepted,
    check_writable,
    done,
    link,
    resource,
)
from readystate.lab.bmc.redfish_tasks import Task, TaskState, Work, stamp
from readystate.lab.bmc.virtual_bmc import VirtualBmc

APPLY_TIME = "@Redfish.SettingsApplyTime"


def attributes(service: RedfishService) -> dict[str, BiosAttribute]:
    """The BIOS attributes of this machine; the first call gives the BMC the vendor's defaults."""
    if service.bios_attributes is None:
        known = complete_bios(service.bmc, service.personality)
        service.bios_attributes = known
        service.bmc.on_boot.append(lambda: _note_applied(service))
    return service.bios_attributes


def complete_bios(bmc: VirtualBmc, personality: Personality) -> dict[str, BiosAttribute]:
    hardware = bmc.machine.hardware
    known = {item.name: item for item in personality.bios_attributes}
    for name, value in bmc.bios.items():
        known.setdefault(name, infer(name, value))
    told = {
        "SystemModelName": hardware.model,
        "SystemBiosVersion": hardware.bios_version,
        "SystemServiceTag": hardware.serial,
        "SerialNumber": hardware.serial,
    }
    for name, item in known.items():
        value = told.get(name, item.default) if item.is_read_only else item.default
        bmc.bios.setdefault(name, value)
    return known


def read_bios(service: RedfishService) -> Body:
    known = attributes(service)
    personality = service.personality
    settings: Body = {
        "@odata.type": "#Settings.v1_3_3.Settings",
        "SettingsObject": link(personality.bios_settings_path),
        "SupportedApplyTimes": ["OnReset"],
    }
    if service.bios_applied_at is not None:
        settings["Time"] = stamp(service.bios_applied_at)
        settings["Messages"] = [personality.spelling.message("Success")]
    if IfMatch.BIOS in personality.demands_if_match:  # what clients must send with their PATCH
        settings["ETag"] = etag_of(encode(read_settings(service)))
    path = personality.bios_path
    actions = (path if path.endswith("/") else path + "/") + "Actions"
    return resource(
        path,
        "Bios.v1_2_0.Bios",
        "BIOS Configuration Current Settings",
        AttributeRegistry=personality.registry_id,
        Attributes={name: service.bmc.bios[name] for name in known},
        Actions={"#Bios.ResetBios": {"target": f"{actions}/Bios.ResetBios"}},
        **{"@Redfish.Settings": settings, "Id": "Bios"},
    )


def read_settings(service: RedfishService) -> Body:
    known = attributes(service)
    personality, bmc = service.personality, service.bmc
    pending: dict[str, BiosValue] = bmc.bios_pending | service.bios_uncommitted
    if personality.bios_commit is BiosCommit.DIRECT:  # shows everything, as it will be
        pending = {name: bmc.bios[name] for name in known} | pending
    body = resource(
        personality.bios_settings_path,
        "Bios.v1_2_0.Bios",
        "BIOS Configuration Pending Settings",
        AttributeRegistry=personality.registry_id,
        Attributes=pending,
        Id="Settings",
    )
    if personality.has_jobs:
        jobs = link(f"{personality.manager_path}/Oem/Dell/Jobs")
        body["Oem"] = {"Dell": {"Jobs": jobs}}
        target = {"target": clear_pending_path(personality)}
        body["Actions"] = {"Oem": {"#DellManager.ClearPending": target}}
    return body


def clear_pending_path(personality: Personality) -> str:
    return f"{personality.bios_settings_path}/Actions/Oem/DellManager.ClearPending"


async def patch_settings(service: RedfishService, ask: Ask) -> Answer:
    check_writable(ask.body, frozenset({"Attributes", APPLY_TIME}), read_settings(service))
    wanted = ask.body.get("Attributes")
    if not isinstance(wanted, dict):
        raise Refusal(400, "PropertyMissing", ("Attributes",), "#/Attributes")
    known = attributes(service)
    for name, value in wanted.items():
        if name not in known:
            raise Refusal(400, "PropertyUnknown", (str(name),), f"#/Attributes/{name}")
        known[name].check(value)
    apply_time = _apply_time(ask.body)
    if service.personality.bios_commit is BiosCommit.DIRECT:
        service.bmc.ledger.bios_writes += 1
        service.bmc.bios_pending |= wanted
        return done(service, "ResetRequired")
    if service.tasks.waiting(Work.BIOS):
        raise Refusal(400, "PendingAlreadyCommitted")
    service.bmc.ledger.bios_writes += 1
    service.bios_uncommitted |= wanted
    if apply_time is None:
        return done(service)
    return accepted(service, commit(service))


def commit(service: RedfishService) -> Task:
    """Make the job that brings uncommitted values to the next boot (`BiosCommit.BY_JOB`)."""
    if service.tasks.waiting(Work.BIOS):
        raise Refusal(400, "PendingAlreadyCommitted")
    if not service.bios_uncommitted:
        raise Refusal(400, "NoPendingData")
    service.bmc.bios_pending |= service.bios_uncommitted
    service.bios_uncommitted = {}
    return service.tasks.add(Work.BIOS, service.personality.bios_settings_path, waits_for_boot=True)


def cancel(service: RedfishService, task: Task) -> None:
    """Drop a job that still waits, and what it would have applied."""
    if task.state.is_final:
        raise Refusal(400, "ResourceInUse")
    if task.work is Work.BIOS:
        service.bmc.bios_pending.clear()
    elif task.work is Work.RAID:
        service.bmc.volumes_pending.clear()
        service.bmc.volumes_doomed.clear()
    task.end(TaskState.CANCELLED)


async def clear_pending(service: RedfishService, ask: Ask) -> Answer:
    """Dell's ClearPending: forget what no job was made for; what a job holds stays."""
    del ask
    if service.tasks.waiting(Work.BIOS):
        raise Refusal(400, "PendingAlreadyCommitted")
    service.bios_uncommitted = {}
    return done(service)


async def reset_bios(service: RedfishService, ask: Ask) -> Answer:
    """All writable attributes go back to the machine's defaults at the next boot."""
    del ask
    known = attributes(service)
    defaults = service.hardware.bios_defaults
    service.bmc.ledger.bios_writes += 1
    service.bmc.bios_pending |= {
        name: defaults.get(name, item.default)
        for name, item in known.items()
        if not item.is_read_only
    }
    return done(service, "ResetRequired")


def read_registry(service: RedfishService) -> Body:
    personality, hardware = service.personality, service.hardware
    return {
        "@odata.id": personality.registry_uri,
        "@odata.type": "#AttributeRegistry.v1_3_6.AttributeRegistry",
        "Id": personality.registry_id,
        "Name": "BIOS Attribute Registry",
        "Language": "en",
        "OwningEntity": personality.vendor,
        "RegistryVersion": personality.registry_id.rpartition(".v")[2].replace("_", "."),
        "Description": "This registry defines a representation of BIOS Attribute instances",
        "SupportedSystems": [
            {"ProductName": hardware.model, "FirmwareVersion": hardware.bios_version}
        ],
        "RegistryEntries": {
            "Attributes": [
                item.entry(order) for order, item in enumerate(attributes(service).values(), 1)
            ],
            "Dependencies": [],
            "Menus": [],
        },
    }


def _apply_time(body: Body) -> str | None:
    asked = body.get(APPLY_TIME)
    if asked is None:
        return None
    value = asked.get("ApplyTime") if isinstance(asked, dict) else asked
    if value != "OnReset":
        raise Refusal(400, "PropertyValueNotInList", (str(value), "ApplyTime"), f"#/{APPLY_TIME}")
    return "OnReset"


def _note_applied(service: RedfishService) -> None:
    """Runs at each boot, after what was pending has become current."""
    if service.bmc.ledger.bios_applies > service.bios_applies_seen:
        service.bios_applies_seen = service.bmc.ledger.bios_applies
        service.bios_applied_at = datetime.now(UTC)
