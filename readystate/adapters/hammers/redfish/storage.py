"""Drives and RAID volumes over Redfish: read, and change at the next reset.

A controller that builds volumes at the next reset shows the waiting change in one of three places:
a task or job that has not ended (iDRAC), a settings resource of its volume collection, or a volume
whose own operations are not done. All three count as pending. Source: DSP0266 sections 9.9, 9.10
and 12.2; Swordfish Volume schema."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readystate.adapters.hammers.read_back import is_seen_within
from readystate.adapters.hammers.redfish.client import Answer, path_of
from readystate.adapters.hammers.redfish.inventory import read_storage_units
from readystate.adapters.hammers.redfish.tree import (
    RedfishTree,
    Resource,
    is_present,
    link,
    number,
    text,
)
from readystate.domain.errors import Failed, Invalid, Unsupported
from readystate.ports.hammer import DriveState, StorageState, VolumeState

_STAGED_WITHIN_S = 30.0
_FAILED_TASKS = {"Exception", "Killed", "Cancelled", "Failed"}
_ENDED_TASKS = {"Completed", "CompletedWithErrors", *_FAILED_TASKS}
#: What was asked for: name, RAID type, drives; a removal names only the volume.
_Order = tuple[str, str, tuple[str, ...]]
#: Volume types of services older than the RAIDType property (Volume 1.4).
_RAID_OF_TYPE = {
    "NonRedundant": "RAID0",
    "Mirrored": "RAID1",
    "StripedWithParity": "RAID5",
    "SpannedMirrors": "RAID10",
    "SpannedStripesWithParity": "RAID50",
}


class StorageAccess:
    def __init__(self, tree: RedfishTree, *, address: str, pause: Callable[[float], None]) -> None:
        self._tree = tree
        self._address = address
        self._pause = pause
        self._monitors: dict[str, list[str]] = {}  # by controller, of changes that we staged
        self._ordered: dict[str, set[_Order]] = {}  # by controller, while a change waits

    def read(self, system: Resource) -> list[StorageState]:
        open_tasks = self._open_tasks()
        units = read_storage_units(self._tree, system)
        return [self._state(unit, open_tasks) for unit in units]

    def stage_volume(
        self, system: Resource, controller: str, *, name: str, raid_type: str, drives: Sequence[str]
    ) -> None:
        unit = self._unit(system, controller)
        state = self._state(unit, self._open_tasks())
        order = (name, raid_type, tuple(sorted(drives)))
        if any(_order_of(volume) == order for volume in state.volumes):
            return
        if self._is_ordered(state, order):
            return
        paths = self._drive_paths(unit, state, drives)
        volumes = self._volumes(unit)
        body: dict[str, Any] = {
            "Name": name,
            "RAIDType": raid_type,
            "Links": {"Drives": [{"@odata.id": path} for path in paths]},
            **_apply_on_reset(volumes),
        }
        answer = self._tree.client.post(link(unit, "Volumes"), body)
        self._remember(controller, answer, order)
        self._read_back(
            system,
            controller,
            f"create volume {name!r}",
            lambda now: any(_order_of(item) == order for item in now.volumes),
        )

    def stage_volume_removal(self, system: Resource, controller: str, volume_id: str) -> None:
        unit = self._unit(system, controller)
        volumes = list(self._tree.members(unit, "Volumes"))
        doomed = next((item for item in volumes if text(item, "Id") == volume_id), None)
        order = ("", "", (volume_id,))
        if doomed is None or self._is_ordered(self._state(unit, self._open_tasks()), order):
            return  # gone already, or about to be: which is what was asked
        answer = self._tree.client.delete(
            str(doomed["@odata.id"]), _apply_on_reset(self._volumes(unit))
        )
        self._remember(controller, answer, order)
        self._read_back(
            system,
            controller,
            f"remove volume {volume_id!r}",
            lambda now: all(item.id != volume_id for item in now.volumes),
        )

    # -- reading -------------------------------------------------------------------------------

    def _state(self, unit: Resource, open_tasks: Sequence[str]) -> StorageState:
        volumes = [
            volume
            for volume in self._tree.resolve(_inline(unit, "Volumes", self._tree))
            if raid_type_of(volume)
        ]
        in_volume = {
            path
            for volume in volumes
            for item in (volume.get("Links") or {}).get("Drives") or ()
            if (path := link(item))
        }
        drives = [
            DriveState(
                id=text(drive, "Id"),
                name=text(drive, "Name"),
                size_bytes=int(number(drive, "CapacityBytes") or 0),
                serial=text(drive, "SerialNumber"),
                media="HDD" if drive.get("MediaType") == "HDD" else "SSD",
                in_volume=link(drive) in in_volume,
            )
            for drive in self._tree.resolve(unit.get("Drives"))
            if is_present(drive)
        ]
        controller = text(unit, "Id")
        return StorageState(
            controller=controller,
            drives=tuple(drives),
            volumes=tuple(_volume(volume) for volume in volumes),
            pending=self._is_pending(controller, unit, volumes, open_tasks),
        )

    def _is_pending(
        self,
        controller: str,
        unit: Resource,
        volumes: list[Resource],
        open_tasks: Sequence[str],
    ) -> bool:
        if any(volume.get("Operations") for volume in volumes):
            return True
        settings = link(unit, "@Redfish.Settings", "SettingsObject")
        if settings and (self._tree.find_at(settings) or {}).get("Volumes"):
            return True
        # Services name a task's target in different properties, so any mention of it counts.
        about = f"{link(unit).rstrip('/')}/"
        return self._is_monitor_open(controller) or any(about in task for task in open_tasks)

    # -- changing ------------------------------------------------------------------------------

    def _unit(self, system: Resource, controller: str) -> Resource:
        units = read_storage_units(self._tree, system)
        for unit in units:
            if text(unit, "Id") == controller:
                return unit
        known = ", ".join(text(unit, "Id") for unit in units) or "none"
        raise Invalid(
            f"{self._address}: no storage controller {controller!r}", why=f"the BMC shows {known}"
        )

    def _volumes(self, unit: Resource) -> Resource:
        volumes = self._tree.find(unit, "Volumes")
        if volumes is None:
            raise Unsupported(
                f"{self._address}: controller {text(unit, 'Id')} makes no volumes over Redfish"
            )
        return volumes

    def _is_ordered(self, state: StorageState, order: _Order) -> bool:
        if not state.pending:
            self._ordered.pop(state.controller, None)
        return order in self._ordered.get(state.controller, ())

    def _drive_paths(self, unit: Resource, state: StorageState, wanted: Sequence[str]) -> list[str]:
        paths = {text(item, "Id"): link(item) for item in self._tree.resolve(unit.get("Drives"))}
        used = {drive.id for drive in state.drives if drive.in_volume} - self._freed(state)
        problems = [f"no drive {drive!r}" for drive in wanted if drive not in paths]
        problems += [f"drive {drive!r} is in a volume" for drive in wanted if drive in used]
        if problems or not wanted:
            raise Invalid(
                f"{self._address}: cannot build a volume on controller {state.controller}",
                why="; ".join(problems) or "no drives given",
                hint=f"drives there: {', '.join(sorted(paths))}",
            )
        return [paths[drive] for drive in wanted]

    def _freed(self, state: StorageState) -> set[str]:
        """Drives of nothing but volumes that go at the next reset, by our own order."""
        going, staying = set[str](), set[str]()
        for volume in state.volumes:
            is_going = self._is_ordered(state, ("", "", (volume.id,)))
            (going if is_going else staying).update(volume.drives)
        return going - staying

    def _read_back(
        self,
        system: Resource,
        controller: str,
        doing: str,
        is_done: Callable[[StorageState], bool],
    ) -> None:
        def is_staged() -> bool:
            now = self._state(self._unit(system, controller), self._open_tasks())
            return now.pending or is_done(now)

        if not is_seen_within(_STAGED_WITHIN_S, is_staged, pause=self._pause):
            raise Failed(
                f"{self._address}: the BMC does not keep the order to {doing}",
                why="it was accepted, but is neither done nor pending",
            )

    # -- tasks ---------------------------------------------------------------------------------

    def _remember(self, controller: str, answer: Answer, order: _Order) -> None:
        self._ordered.setdefault(controller, set()).add(order)
        monitor = path_of(answer.headers.get("location", "")) or link(answer.body)
        if answer.status == 202 and monitor:
            self._monitors.setdefault(controller, []).append(monitor)

    def _is_monitor_open(self, controller: str) -> bool:
        """Whether a change that we staged has not ended; raises Failed if one ended badly. A
        monitor answers 202 until then (DSP0266 section 12.2)."""
        still_open = []
        for path in self._monitors.pop(controller, ()):
            try:
                answer = self._tree.client.get(path)
            except Unsupported:  # ended, and tidied away
                continue
            state = text(answer.body, "TaskState", "JobState")
            if state in _FAILED_TASKS:
                messages = [text(item, "Message") for item in answer.body.get("Messages") or ()]
                raise Failed(
                    f"{self._address}: the controller did not carry out the change",
                    why="; ".join(filter(None, messages)) or f"task {state}",
                )
            if answer.status == 202 or (state and state not in _ENDED_TASKS):
                still_open.append(path)
        if still_open:
            self._monitors[controller] = still_open
        return bool(still_open)

    def _open_tasks(self) -> list[str]:
        """The unfinished tasks and jobs that the service lists, whoever ordered them, as text."""
        found = []
        for service, collection in (("Tasks", "Tasks"), ("JobService", "Jobs")):
            holder = self._tree.find(self._tree.root(), service) or {}
            for task in self._tree.members(holder, collection):
                state = text(task, "TaskState", "JobState")
                if state and state not in _ENDED_TASKS:
                    found.append(json.dumps(task))
        return found


def raid_type_of(volume: Mapping[str, Any]) -> str:
    """ "" for a drive that is merely shown as a volume (iDRAC does so for NVMe behind no RAID)."""
    if volume.get("VolumeType") == "RawDevice":
        return ""
    return text(volume, "RAIDType") or _RAID_OF_TYPE.get(text(volume, "VolumeType"), "")


def _volume(volume: Resource) -> VolumeState:
    drives = (volume.get("Links") or {}).get("Drives") or ()
    return VolumeState(
        id=text(volume, "Id"),
        name=text(volume, "DisplayName", "Name"),
        raid_type=raid_type_of(volume),
        drives=tuple(link(item).rstrip("/").rpartition("/")[2] for item in drives),
        size_bytes=int(number(volume, "CapacityBytes") or 0),
    )


def _order_of(volume: VolumeState) -> _Order:
    return volume.name, volume.raid_type, tuple(sorted(volume.drives))


def _inline(unit: Resource, name: str, tree: RedfishTree) -> object:
    """The members of a subordinate collection, inline if the service expanded it."""
    collection = unit.get(name)
    if isinstance(collection, dict) and "Members" in collection:
        return collection["Members"]
    return tree.members(unit, name)


def _apply_on_reset(volumes: Resource) -> dict[str, str]:
    support = volumes.get("@Redfish.OperationApplyTimeSupport")
    times = support.get("SupportedValues") or () if isinstance(support, Mapping) else ()
    return {"@Redfish.OperationApplyTime": "OnReset"} if "OnReset" in times else {}
