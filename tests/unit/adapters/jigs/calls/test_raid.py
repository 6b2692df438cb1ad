"""raid-configured on a fake BMC: what it refuses, and when it stops."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from readystate.adapters.jigs.calls.raid import (
    check_raid,
    configure_raid,
    refuse_unconfirmed,
    wanted_volumes,
)
from readystate.adapters.jigs.calls.volume_plan import plan_volumes
from readystate.domain.errors import Busy, Invalid, Stopped
from readystate.domain.inventory import DiskFacts
from readystate.domain.outcome import Errored, NotDone, Staged, Succeeded
from readystate.ports.hammer import DriveState, StorageState, VolumeState
from readystate.ports.jig import Ticket
from tests.fakes.hammers import FakeHammer, FakeHammers, make_inventory
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of

OLD = VolumeState("7", "old", "RAID1", ("bay1", "bay2"), 1)
DONE = Succeeded({"volumes": [{"name": "system", "level": "RAID1"}]})


def raid_ticket(*volumes: dict[str, Any], disks: tuple[Any, ...] = (), **changes: Any) -> Ticket:
    wanted = list(volumes) or [{"name": "system", "level": "RAID1", "drives": 2}]
    given = {
        "profile": [{"match": {"vendor": "*"}, "volumes": wanted}],
        "vendor": "Fake", "model": "F-1", "disks": disks,
    }  # fmt: skip
    return ticket_of("raid_configure", given, **changes)


@dataclass
class Machine:
    hammer: FakeHammer = field(default_factory=FakeHammer)
    context: RecordingContext = field(default_factory=RecordingContext)

    def __post_init__(self) -> None:
        self.context.reached = FakeHammers({"redfish@127.0.1.1": self.hammer})

    @property
    def is_touched(self) -> bool:
        return bool(self.hammer.volumes_pending or self.hammer.volumes_doomed)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_volume_of_free_drives_needs_no_seen_disks(machine: Machine) -> None:
    assert Staged() == configure_raid(raid_ticket(), machine.context)
    machine.hammer.power_cycle()

    assert 1 == machine.context.effects
    assert DONE == check_raid(raid_ticket(), machine.context)
    assert DONE == configure_raid(raid_ticket(), machine.context)


@pytest.mark.parametrize("seen", [(), ("D1A",), ("D1B", "old")])
def test_a_volume_whose_drives_nobody_saw_is_not_removed(
    machine: Machine, seen: tuple[str, ...]
) -> None:
    machine.hammer.volumes = [OLD]

    with pytest.raises(Invalid, match="confirmed") as refused:
        configure_raid(raid_ticket(confirmed_disks=seen), machine.context)

    assert [it not in seen for it in ("D1A", "D1B")] == [
        it in refused.value.why for it in ("D1A", "D1B")
    ]
    assert "--wipe-any" in refused.value.hint
    assert (0, False) == (machine.context.effects, machine.is_touched)


@pytest.mark.parametrize("changes", [{"confirmed_disks": ("D1A", "D1B")}, {"wipe_any": True}])
def test_a_volume_is_removed_when_that_was_confirmed(
    machine: Machine, changes: dict[str, Any]
) -> None:
    machine.hammer.volumes = [OLD]

    assert Staged() == configure_raid(raid_ticket(**changes), machine.context)
    machine.hammer.power_cycle()

    assert ["system"] == [it.name for it in machine.hammer.volumes]


def test_all_drives_of_a_volume_that_goes_must_be_confirmed(machine: Machine) -> None:
    """Those that the new volume does not use lose their data too."""
    machine.hammer.volumes = [OLD]
    small = {"name": "system", "level": "RAID0", "drives": 1}

    with pytest.raises(Invalid, match="confirmed"):
        configure_raid(raid_ticket(small, confirmed_disks=("D1A",)), machine.context)


def test_a_drive_without_serial_cannot_have_been_seen(machine: Machine) -> None:
    nameless = tuple(replace(it, serial="") for it in machine.hammer.inventory.disks)
    machine.hammer.inventory = replace(machine.hammer.inventory, disks=nameless)
    machine.hammer.volumes = [OLD]

    with pytest.raises(Invalid, match="confirmed") as refused:
        configure_raid(raid_ticket(confirmed_disks=("D1A", "D1B")), machine.context)

    assert "serial unknown" in refused.value.why


@pytest.mark.parametrize(
    ("blank", "seen", "is_refused"),
    [(False, (), True), (False, ("D1A",), False), (None, (), False), (True, (), False)],
)
def test_a_free_drive_on_which_the_inventory_found_data_must_be_confirmed(
    machine: Machine, blank: bool | None, seen: tuple[str, ...], is_refused: bool
) -> None:
    ticket = raid_ticket(disks=({"serial": "D1A", "blank": blank},), confirmed_disks=seen)

    if is_refused:
        with pytest.raises(Invalid, match="confirmed"):
            configure_raid(ticket, machine.context)
    else:
        assert Staged() == configure_raid(ticket, machine.context)


def test_changes_that_wait_already_are_past_the_point_of_no_return(machine: Machine) -> None:
    """They may be ours or not: the check after the reset tells."""
    machine.hammer.stage_volume("raid1", name="x", raid_type="RAID1", drives=["bay1", "bay2"])

    assert Staged() == configure_raid(raid_ticket(), machine.context)
    assert 1 == machine.context.effects
    waiting = check_raid(raid_ticket(), machine.context)
    machine.hammer.power_cycle()

    assert isinstance(waiting, Errored)
    assert isinstance(waiting.error, Busy)
    assert NotDone("not there: system") == check_raid(raid_ticket(), machine.context)


@dataclass
class StoppedAfter(FakeHammer):
    """A run that is stopped while this BMC takes its order number `orders`."""

    context: RecordingContext = field(default_factory=RecordingContext)
    orders: int = 1
    taken: list[str] = field(default_factory=list)

    def stage_volume(self, controller: str, **order: Any) -> None:
        self._take("create")
        super().stage_volume(controller, **order)

    def stage_volume_removal(self, controller: str, volume_id: str) -> None:
        self._take("remove")
        super().stage_volume_removal(controller, volume_id)

    def _take(self, order: str) -> None:
        self.taken.append(order)
        if len(self.taken) == self.orders:
            self.context.stopped.set()


@pytest.mark.parametrize(
    ("orders", "taken"),
    [(1, ["remove"]), (2, ["remove", "remove"]), (3, ["remove", "remove", "create"])],
)
def test_a_stopped_run_gives_no_more_orders(orders: int, taken: list[str]) -> None:
    machine = Machine()
    hammer = StoppedAfter(context=machine.context, orders=orders)
    disks = tuple(DiskFacts(f"bay{it}", 480 * 10**9, f"D{it}") for it in range(1, 5))
    hammer.inventory = replace(make_inventory(), disks=disks)
    hammer.volumes = [OLD, VolumeState("8", "older", "RAID1", ("bay3", "bay4"), 1)]
    machine.context.reached = FakeHammers({"redfish@127.0.1.1": hammer})
    two = [{"name": name, "level": "RAID1", "drives": 2} for name in ("a", "b")]

    with pytest.raises(Stopped):
        configure_raid(raid_ticket(*two, wipe_any=True), machine.context)

    assert taken == hammer.taken


def unit(name: str, *, holds: str = "") -> StorageState:
    drives = tuple(DriveState(it, it, 1, f"{name}-{it}", "SSD", bool(holds)) for it in ("0", "1"))
    volumes = (VolumeState("7", holds, "RAID1", ("0", "1"), 1),) if holds else ()
    return StorageState(name, drives, volumes, pending=False)


@pytest.mark.parametrize(
    ("state", "disks"),
    [
        ([unit("c1", holds="system"), unit("c2", holds="old")], ()),
        ([unit("c1", holds="system"), unit("c2")], ({"serial": "c2-0", "blank": False},)),
    ],
)
def test_drives_are_told_apart_by_their_controllers(
    state: list[StorageState], disks: tuple[Any, ...]
) -> None:
    """Both controllers have drives 0 and 1: what is on the first one is kept."""
    ticket = raid_ticket(
        *({"name": name, "level": "RAID1", "drives": 2} for name in ("system", "data")),
        disks=disks,
        confirmed_disks=("c1-0", "c1-1"),
    )
    plan = plan_volumes(wanted_volumes(ticket), state)

    with pytest.raises(Invalid, match="confirmed") as refused:
        refuse_unconfirmed(ticket, plan, state)

    assert "c2-0" in refused.value.why
    assert "c1-" not in refused.value.why
