"""One attempt of a jig on a node-role, or one action on a node; and what it occupies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.role import Lane


class RunPhase(StrEnum):
    QUEUED = "queued"  #: a power action that waits for its lane
    RUNNING = "running"  #: a worker has it
    PENDING = "pending"  #: the work goes on without us; keeps its lanes
    STAGED = "staged"  #: takes effect at the next reset; holds no lane
    VERIFY = "verify"  #: the reset has happened; wants a worker for `check`
    VERIFYING = "verifying"  #: a worker does the `check`
    STOPPING = "stopping"  #: a worker ends what may still go on; then `stop_reason` decides
    DONE = "done"


class StopReason(StrEnum):
    LOST = "lost"  #: its worker is gone
    CANCELLED = "cancelled"  #: by a person
    OVERDUE = "overdue"  #: past its deadline


class RunKind(StrEnum):
    ROLE = "role"
    POWER = "power"  #: a power action asked for by a person
    CYCLE = "cycle"  #: the one power cycle that staged work shares


_LANELESS = frozenset({RunPhase.QUEUED, RunPhase.STAGED, RunPhase.VERIFY, RunPhase.DONE})


@dataclass(frozen=True, slots=True)
class Run:
    id: RunId
    kind: RunKind
    node_id: NodeId | None
    node_role_id: NodeRoleId | None
    phase: RunPhase
    lane: Lane
    fence: int  #: of the node-role; 0 for node actions
    dispatch: int  #: how often it was given to a worker; an answer must bear the current one
    digest: str = ""  #: of the frozen input
    lease_until: datetime | None = None  #: while a worker has it
    owner: str | None = None  #: the engine that gave the lease
    started_at: datetime | None = None
    effect_recorded: bool = False  #: past its point of no return
    wake: str | None = None  #: PENDING: the wake it waits for
    wake_deadline: datetime | None = None
    stop_reason: StopReason | None = None
    not_before: datetime | None = None  #: STOPPING: could not be stopped yet, tries again then
    action: str = ""  #: POWER: the power action
    by: str = ""  #: POWER, CANCELLED: the person
    progress: str = ""

    @property
    def is_open(self) -> bool:
        return self.phase is not RunPhase.DONE

    @property
    def has_worker(self) -> bool:
        return self.phase in (RunPhase.RUNNING, RunPhase.VERIFYING, RunPhase.STOPPING)

    @property
    def occupied(self) -> tuple[Lane, ...]:
        """The lanes it holds now. Staged work holds none."""
        if self.phase in _LANELESS:
            return ()
        return lanes_of(self.lane)


def lanes_of(lane: Lane) -> tuple[Lane, ...]:
    match lane:
        case Lane.BOTH:
            return (Lane.BMC, Lane.OS)
        case Lane.NONE:
            return ()
        case single:
            return (single,)
