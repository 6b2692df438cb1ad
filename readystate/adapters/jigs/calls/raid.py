"""raid-configured: create the volumes that the node's profile rule names, out of free drives.

Volumes that are there and not wanted are removed only where their drives are needed; the first
irreversible act is recorded before it is asked for."""

from collections.abc import Iterator, Sequence

from readystate.adapters.jigs.calls.hardware_rule import rule_for
from readystate.adapters.jigs.calls.volume_plan import VolumePlan, WantedVolume, plan_volumes
from readystate.domain.errors import Busy, Invalid
from readystate.domain.outcome import (
    CheckOutcome,
    Errored,
    Json,
    NotDone,
    Outcome,
    Staged,
    Succeeded,
)
from readystate.ports.hammer import DriveState, StorageControl, StorageState
from readystate.ports.jig import RunContext, Ticket


def configure_raid(ticket: Ticket, context: RunContext) -> Outcome:
    wanted = wanted_volumes(ticket)
    storage = context.hammers().pick(StorageControl)
    state = storage.read_storage()
    if all(item.is_in(state) for item in wanted):
        context.log("all wanted volumes are there; nothing to stage")
        return _all_there(wanted)
    if any(item.pending for item in state):
        # Nobody can tell whose they are. With the act recorded, `check` decides after the reset.
        context.record_effect()
        context.log("the controller has volumes pending already; they come with the next reset")
        return Staged()
    plan = plan_volumes(wanted, state)
    refuse_unconfirmed(ticket, plan, state)
    context.record_effect()
    _stage(plan, storage, context)
    context.progress(f"stages {len(plan.creations)} volumes")
    return Staged()


def check_raid(ticket: Ticket, context: RunContext) -> CheckOutcome:
    wanted = wanted_volumes(ticket)
    state = context.hammers().pick(StorageControl).read_storage()
    missing = [item.name for item in wanted if not item.is_in(state)]
    if not missing:
        return _all_there(wanted)
    if any(item.pending for item in state):
        return Errored(Busy("the storage controller has not applied its pending volumes yet"))
    return NotDone(f"not there: {', '.join(missing)}")


def wanted_volumes(ticket: Ticket) -> list[WantedVolume]:
    """Of the one rule that matches this machine. Raises Invalid when none or several do."""
    volumes = rule_for(ticket, "hardware/raid/profile")["volumes"]
    return [WantedVolume(it["name"], it["level"], it["drives"], it.get("media")) for it in volumes]


def refuse_unconfirmed(ticket: Ticket, plan: VolumePlan, state: Sequence[StorageState]) -> None:
    """Raises Invalid, with the drives, when `plan` would lose what nobody saw at the confirmation.

    A drive in no volume counts as blank, as far as a BMC can tell, unless the inventory found
    something on it."""
    if ticket.wipe_any:
        return
    unseen = [
        drive for drive in _lost(ticket, plan, state) if drive.serial not in ticket.confirmed_disks
    ]
    if unseen:
        raise Invalid(
            "what is on these drives would be lost, and nobody has confirmed that",
            why=", ".join(f"{it.name} serial {it.serial or 'unknown'}" for it in unseen),
            hint="confirm with --wipe-any, or change hardware/raid/profile for this node",
        )


def _lost(ticket: Ticket, plan: VolumePlan, state: Sequence[StorageState]) -> Iterator[DriveState]:
    """The drives of all volumes that go, and those taken that are known not to be blank."""
    doomed = {(it.controller, drive) for it in plan.removals for drive in it.volume.drives}
    taken = {(it.controller, drive) for it in plan.creations for drive in it.drives}
    written = {it["serial"] for it in ticket.input["disks"] if it.get("blank") is False}
    for unit in state:
        for drive in unit.drives:
            place = (unit.controller, drive.id)
            if place in doomed or (place in taken and drive.serial in written):
                yield drive


def _stage(plan: VolumePlan, storage: StorageControl, context: RunContext) -> None:
    for doomed in plan.removals:
        context.check_stopped()
        volume = doomed.volume
        context.log(f"removes volume {volume.name} ({volume.raid_type}) at the next reset")
        storage.stage_volume_removal(doomed.controller, volume.id)
    for item in plan.creations:
        context.check_stopped()
        context.log(f"creates {item.volume.name} ({item.volume.level}) from {item.drives}")
        storage.stage_volume(
            item.controller,
            name=item.volume.name,
            raid_type=item.volume.level,
            drives=item.drives,
        )


def _all_there(wanted: Sequence[WantedVolume]) -> Succeeded:
    volumes: list[Json] = [item.output for item in wanted]
    return Succeeded({"volumes": volumes})
