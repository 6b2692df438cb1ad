"""Which drives become which volumes, and which volumes have to go for them. Drives are chosen
first; a volume is removed only because its drives were chosen."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from readystate.domain.errors import Invalid
from readystate.ports.hammer import DriveState, StorageState, VolumeState

#: Ids are unique on their controller only: (controller, drive) or (controller, volume).
Place = tuple[str, str]


@dataclass(frozen=True)
class WantedVolume:
    name: str
    level: str
    drives: int  #: how many
    media: str | None

    @property
    def output(self) -> dict[str, str]:
        return {"name": self.name, "level": self.level}

    def is_like(self, volume: VolumeState) -> bool:
        return (
            volume.name == self.name
            and volume.raid_type == self.level
            and len(volume.drives) == self.drives
        )

    def is_in(self, state: Sequence[StorageState]) -> bool:
        return any(self.is_like(volume) for controller in state for volume in controller.volumes)


@dataclass(frozen=True)
class Removal:
    controller: str
    volume: VolumeState


@dataclass(frozen=True)
class Creation:
    controller: str
    volume: WantedVolume
    drives: tuple[str, ...]


@dataclass(frozen=True)
class VolumePlan:
    removals: tuple[Removal, ...]
    creations: tuple[Creation, ...]


def plan_volumes(wanted: Sequence[WantedVolume], state: Sequence[StorageState]) -> VolumePlan:
    """For the wanted volumes that are not there: drives in no volume first, then those of volumes
    that nobody wants. Raises Invalid, listing the drives, when there are not enough."""
    search = _Search(wanted, state)
    missing = list(dict.fromkeys(item for item in wanted if not item.is_in(state)))
    creations = {
        item: search.take(item)
        for item in sorted(missing, key=lambda it: it.media is None)  # the choosy ones first
    }
    removals = tuple(Removal(place[0], it) for place, it in search.removed.items())
    return VolumePlan(removals, tuple(creations[item] for item in missing))


@dataclass
class _Search:
    wanted: Sequence[WantedVolume]
    state: Sequence[StorageState]
    removed: dict[Place, VolumeState] = field(default_factory=dict)
    used: set[Place] = field(default_factory=set)

    def take(self, item: WantedVolume) -> Creation:
        """Choose drives of one controller, one medium and one size, so that the fewest volumes
        have to go; the first of several such choices."""
        choices = [
            (controller, group[: item.drives])
            for controller in self.state
            for group in self._groups(controller, item.media)
            if len(group) >= item.drives
        ]
        if not choices:
            raise self._not_enough(item)
        controller, drives = min(choices, key=lambda it: len(self._holders(*it)))
        at = controller.controller
        self.removed |= {(at, it.id): it for it in self._holders(controller, drives)}
        self.used |= {(at, drive.id) for drive in drives}
        return Creation(at, item, tuple(drive.id for drive in drives))

    def _groups(self, controller: StorageState, media: str | None) -> Iterator[list[DriveState]]:
        """Drives that may be used together, in the order in which they are to be used: free ones,
        then volume by volume, those first that give the most drives."""
        groups: dict[tuple[str, int], list[DriveState]] = {}
        for drive in controller.drives:
            if media in (None, drive.media) and self._is_available(controller, drive):
                groups.setdefault((drive.media, drive.size_bytes), []).append(drive)
        for group in groups.values():
            holders = {it: [item.id for item in self._holders(controller, [it])] for it in group}
            gives = Counter(volume for it in group for volume in holders[it])
            ranks = {
                it: (len(volumes), -sum(gives[volume] for volume in volumes), volumes, it.name)
                for it, volumes in holders.items()
            }
            yield sorted(group, key=ranks.__getitem__)

    def _is_available(self, controller: StorageState, drive: DriveState) -> bool:
        if (controller.controller, drive.id) in self.used:
            return False
        # A drive that no volume lists but that is said to be in one may be a spare: not ours.
        is_explained = any(drive.id in volume.drives for volume in controller.volumes)
        return not any(
            wanted.is_like(volume)
            for wanted in self.wanted
            for volume in self._holders(controller, [drive])
        ) and (is_explained or not drive.in_volume)

    def _holders(self, controller: StorageState, drives: Sequence[DriveState]) -> list[VolumeState]:
        """The volumes that stand on these drives and would have to go for them."""
        ids = {drive.id for drive in drives}
        return [
            volume
            for volume in controller.volumes
            if ids & set(volume.drives) and (controller.controller, volume.id) not in self.removed
        ]

    def _not_enough(self, item: WantedVolume) -> Invalid:
        there = ", ".join(_drive_text(it) for unit in self.state for it in unit.drives)
        return Invalid(
            f"not enough drives for volume {item.name}",
            why=f"{item.drives} {item.media or 'equal'} drives wanted; there are {there or 'none'}",
            hint="change hardware/raid/profile for this node",
        )


def _drive_text(drive: DriveState) -> str:
    state = "in a volume" if drive.in_volume else "free"
    return f"{drive.name} ({drive.media}, {drive.size_bytes} bytes, {state})"
