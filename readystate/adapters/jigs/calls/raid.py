"""raid-configured: create the volumes that the node's profile rule names, out of free drives.

Volumes that are there and not wanted are removed only where their drives are needed; the first
irreversible act is recorded before it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from readystate.domain.errors import BadRequest, Busy, Invalid
from readystate.domain.outcome import (
    CheckOutcome,
    Errored,
    Json,
    NotDone,
    Outcome,
    Staged,
    Succeeded,
)
from readystate.domain.profile import choose_rule
from readystate.ports.hammer import DriveState, StorageControl, StorageState, VolumeState
from readystate.ports.jig import RunContext, Ticket


@dataclass(frozen=True)
class WantedVolume:
    name: str
    level: str
    drives: int  #: how many
    media: str | None

    @property
    def output(self) -> dict[str, str]:
        return {"name": self.name, "level": self.level}


@dataclass(frozen=True)
class _Creation:
    controller: str
    volume: WantedVolume
    drives: tuple[str, ...]


def configure_raid(ticket: Ticket, context: RunContext) -> Outcome:
    wanted = wanted_volumes(ticket)
    storage = context.hammers().pick(StorageControl)
    state = storage.read_storage()
    missing = [item for item in wanted if not _is_there(item, state)]
    if not missing:
        context.log("all wanted volumes are there; nothing to stage")
        return Succeeded({"volumes": [item.output for item in wanted]})
    if any(item.pending for item in state):
        context.log("the controller has volumes pending already; they come with the next reset")
        return Staged()
    removals, creations = plan_volumes(wanted, missing, state)
    context.record_effect()
    for controller, volume in removals:
        context.log(f"removes volume {volume.name} ({volume.raid_type}) at the next reset")
        storage.stage_volume_removal(controller, volume.id)
    for item in creations:
        context.log(f"creates {item.volume.name} ({item.volume.level}) from {item.drives}")
        storage.stage_volume(
            item.controller,
            name=item.volume.name,
            raid_type=item.volume.level,
            drives=item.drives,
        )
    context.progress(f"stages {len(creations)} volumes")
    return Staged()


def check_raid(ticket: Ticket, context: RunContext) -> CheckOutcome:
    wanted = wanted_volumes(ticket)
    state = context.hammers().pick(StorageControl).read_storage()
    missing = [item.name for item in wanted if not _is_there(item, state)]
    if not missing:
        return Succeeded({"volumes": [item.output for item in wanted]})
    if any(item.pending for item in state):
        return Errored(Busy("the storage controller has not applied its pending volumes yet"))
    return NotDone(f"not there: {', '.join(missing)}")


def wanted_volumes(ticket: Ticket) -> list[WantedVolume]:
    """Of the one rule that matches this machine. Raises Invalid when none or several do."""
    given = ticket.input
    try:
        rule = choose_rule(
            given["profile"],
            vendor=given["vendor"],
            model=given["model"],
            attribute="hardware/raid/profile",
        )
    except BadRequest as error:
        raise Invalid(error.what, why=error.why, hint=error.hint) from error
    return [_wanted(item) for item in rule["volumes"]]


def _wanted(item: Json) -> WantedVolume:
    return WantedVolume(item["name"], item["level"], item["drives"], item.get("media"))


def _is_there(wanted: WantedVolume, state: Sequence[StorageState]) -> bool:
    return any(
        volume.name == wanted.name
        and volume.raid_type == wanted.level
        and len(volume.drives) == wanted.drives
        for controller in state
        for volume in controller.volumes
    )


def plan_volumes(
    wanted: Sequence[WantedVolume],
    missing: Sequence[WantedVolume],
    state: Sequence[StorageState],
) -> tuple[list[tuple[str, VolumeState]], list[_Creation]]:
    """Which volumes to remove and which drives to use: drives in no volume first, then those of
    volumes that nobody wants. Raises Invalid, listing the drives, when there are not enough."""
    kept = {item.name for item in wanted if _is_there(item, state)}
    removals: list[tuple[str, VolumeState]] = []
    creations: list[_Creation] = []
    used: set[str] = set()
    for item in missing:
        choice = _choose(item, state, used)
        if choice is None:
            doomed = [
                (controller.controller, volume)
                for controller in state
                for volume in controller.volumes
                if volume.name not in kept and (controller.controller, volume) not in removals
            ]
            removals += doomed
            choice = _choose(item, state, used, {it.id for _, it in removals})
        if choice is None:
            raise Invalid(
                f"not enough drives for volume {item.name}",
                why=f"{item.drives} {item.media or 'equal'} drives wanted; there are "
                + (", ".join(_drive_text(it) for c in state for it in c.drives) or "none"),
                hint="change hardware/raid/profile for this node",
            )
        used.update(choice.drives)
        creations.append(choice)
    return removals, creations


def _choose(
    wanted: WantedVolume,
    state: Sequence[StorageState],
    used: set[str],
    removed: frozenset[str] | set[str] = frozenset(),
) -> _Creation | None:
    """The first drives of one controller, one medium and one size that are enough."""
    for controller in state:
        freed = {
            drive
            for volume in controller.volumes
            if volume.id in removed
            for drive in volume.drives
        }
        groups: dict[tuple[str, int], list[str]] = {}
        for drive in sorted(controller.drives, key=lambda it: it.name):
            is_free = not drive.in_volume or drive.id in freed
            if is_free and drive.id not in used and wanted.media in (None, drive.media):
                groups.setdefault((drive.media, drive.size_bytes), []).append(drive.id)
        for drives in groups.values():
            if len(drives) >= wanted.drives:
                chosen = tuple(drives[: wanted.drives])
                return _Creation(controller.controller, wanted, chosen)
    return None


def _drive_text(drive: DriveState) -> str:
    state = "in a volume" if drive.in_volume else "free"
    return f"{drive.name} ({drive.media}, {drive.size_bytes} bytes, {state})"
