"""One BMC as its Redfish side sees it, and what passes between the server and the resources."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from readystate.lab.bmc.bios_attribute import BiosAttribute, BiosValue
from readystate.lab.bmc.personalities.personality import ROOT, Personality
from readystate.lab.bmc.redfish_messages import Body, Refusal
from readystate.lab.bmc.redfish_sessions import Sessions
from readystate.lab.bmc.redfish_tasks import Task, Tasks
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.hardware import Hardware

NAMESPACE = uuid.UUID("d64e4b4c-4f3b-4fae-bcb9-0c3ad2b8b7d5")  #: for UUIDs made from MACs


class RedfishService:
    """What the Redfish front end knows beyond the shared BMC: sessions, tasks, uncommitted BIOS."""

    def __init__(self, bmc: VirtualBmc, personality: Personality) -> None:
        self.bmc = bmc
        self.personality = personality
        self.sessions = Sessions(bmc, personality)
        self.tasks = Tasks(personality.task_id)
        #: written, but no job was made for it yet (`BiosCommit.BY_JOB`)
        self.bios_uncommitted: dict[str, BiosValue] = {}
        #: of this machine, by name; None until the BIOS is first asked for
        self.bios_attributes: dict[str, BiosAttribute] | None = None
        self.bios_applied_at: datetime | None = None
        self.bios_applies_seen = bmc.ledger.bios_applies
        self.uuid = str(uuid.uuid5(NAMESPACE, bmc.mac))  #: of the service, not of the system
        bmc.on_bmc_reset.append(self.sessions.clear)
        bmc.on_boot.append(self.tasks.complete_waiting)

    @property
    def hardware(self) -> Hardware:
        return self.bmc.machine.hardware


@dataclass(frozen=True)
class Ask:
    """A write, after authentication: who asks, and the parsed body."""

    user: BmcUser
    body: Body


@dataclass
class Answer:
    status: int = 200
    body: Body | None = None
    headers: dict[str, str] = field(default_factory=dict)
    afterwards: Callable[[], None] | None = None  #: to be called once the answer is on the wire


def done(service: RedfishService, key: str = "Success") -> Answer:
    return Answer(200, service.personality.spelling.success(key))


def accepted(service: RedfishService, task: Task) -> Answer:
    """202: the work goes on as a task, whose monitor `Location` leads to.

    No body, as from iDRAC: some clients follow the task in a body rather than the monitor."""
    return Answer(202, None, {"Location": service.personality.task_monitor_path(task.id)})


def task_body(service: RedfishService, task: Task) -> Body:
    monitor = service.personality.task_monitor_path(task.id)
    return task.body(f"{ROOT}/TaskService/Tasks/{task.id}", monitor)


def link(path: str) -> Body:
    return {"@odata.id": path}


def resource(path: str, odata_type: str, name: str, **properties: object) -> Body:
    """A resource's body: its OData annotations, then Id and Name, then the rest.

    `odata_type` is `Chassis.v1_10_0.Chassis`; the Id is the path's last part."""
    kind = odata_type.split(".", 1)[0]
    return {
        "@odata.context": f"{ROOT}/$metadata#{kind}.{kind}",
        "@odata.id": path,
        "@odata.type": f"#{odata_type}",
        "Id": path.rstrip("/").rsplit("/", 1)[-1],
        "Name": name,
        **properties,
    }


def collection(path: str, kind: str, members: list[str], name: str = "") -> Body:
    return {
        "@odata.context": f"{ROOT}/$metadata#{kind}.{kind}",
        "@odata.id": path,
        "@odata.type": f"#{kind}.{kind}",
        "Name": name or kind.removesuffix("Collection") + " Collection",
        "Members": [link(member) for member in members],
        "Members@odata.count": len(members),
    }


def check_writable(body: Body, writable: frozenset[str], current: Body) -> None:
    """Raise a Refusal for the first property of `body` that may not be written.

    One that the resource has is read-only, any other is unknown."""
    for name in body:
        if name not in writable:
            key = "PropertyNotWritable" if name in current else "PropertyUnknown"
            raise Refusal(400, key, (name,), f"#/{name}")


OK = {"State": "Enabled", "Health": "OK"}
