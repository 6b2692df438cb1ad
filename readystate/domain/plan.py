"""What a change will do, shown before it is committed (design.md section 4.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from readystate.domain.ids import RoleName


class Certainty(StrEnum):
    CERTAIN = "certain"
    POSSIBLE = "possible"  #: rests on an output that is not known yet


@dataclass(frozen=True, slots=True)
class Place:
    """A vertex by names, the same before and after the commit."""

    role: RoleName
    node: str  #: "" for a vertex without a node
    deployment: str

    def __str__(self) -> str:
        return f"{self.node or self.deployment}/{self.role}"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    place: Place
    certainty: Certainty
    is_new: bool  #: it has never run
    count: int  #: how often it runs until the graph is quiet, at most


@dataclass(frozen=True, slots=True)
class DestructiveStep:
    place: Place
    is_confirmed: bool  #: the plan's commit confirms it, or a person has before; else only listed
    disks: tuple[str, ...]  #: serials seen when it was confirmed; of others, blank ones only
    wipe_any: bool
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    added: tuple[Place, ...]
    removed: tuple[Place, ...]
    recalled: tuple[Place, ...]
    runs: tuple[PlannedRun, ...]
    destructive: tuple[DestructiveStep, ...]
    drifted: tuple[Place, ...]  #: done with other wants than now; stays as it is
    waits_for_person: tuple[Place, ...]
    reboots: Mapping[str, tuple[int, int]]  #: by node name: at least, at most
    digest: str
    is_exact: bool  #: nothing rested on an output that is not known: what is told is what happens

    @property
    def certain_runs(self) -> int:
        return sum(item.certainty is Certainty.CERTAIN for item in self.runs)

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.recalled or self.runs)
