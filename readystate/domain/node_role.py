"""A role bound to a node: a vertex of the live graph, its states, and the one transition table
(design.md section 4.3). docs/states.md is generated from `TRANSITIONS`."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

from readystate.domain.errors import InvalidTransition
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName, RunId


class NodeRoleState(StrEnum):
    PROPOSED = "proposed"  #: part of a proposal; does not move
    BLOCKED = "blocked"  #: a hard parent is not settled
    TODO = "todo"  #: every hard parent is settled; starts when its other blockers are gone
    TRANSITION = "transition"  #: an attempt is under way, waiting for a wake, or staged
    ACTIVE = "active"  #: done and read back
    ERROR = "error"  #: stopped; a person, or a changed input, moves it on
    SKIPPED = "skipped"  #: its `when` says that there is nothing to do


class Verb(StrEnum):
    COMMIT = "commit"
    RECALL = "recall"
    UNBIND = "unbind"
    UNBLOCK = "unblock"
    SKIP = "skip"
    BLOCK = "block"
    START = "start"
    SUCCEED = "succeed"
    DEFER = "defer"
    RELEASE = "release"
    CANCEL = "cancel"
    FAIL = "fail"
    RETRY = "retry"
    RERUN = "rerun"
    RECONSIDER = "reconsider"
    ADOPT = "adopt"


@dataclass(frozen=True)
class Transition:
    sources: frozenset[NodeRoleState]
    target: NodeRoleState | None  #: None = the node-role is gone
    when: str  #: for docs/states.md


_S = NodeRoleState
_NOT_RUNNING = frozenset(_S) - {_S.TRANSITION}

TRANSITIONS: dict[Verb, Transition] = {
    Verb.COMMIT: Transition(frozenset({_S.PROPOSED}), _S.BLOCKED, "a person commits its proposal"),
    Verb.RECALL: Transition(
        _NOT_RUNNING - {_S.PROPOSED},
        _S.PROPOSED,
        "a person; refused while a committed node-role outside the change needs it",
    ),
    Verb.UNBIND: Transition(
        _NOT_RUNNING,
        None,
        "a person; refused while a committed node-role outside the change needs it",
    ),
    Verb.UNBLOCK: Transition(frozenset({_S.BLOCKED}), _S.TODO, "nothing is unmet"),
    Verb.SKIP: Transition(
        frozenset({_S.BLOCKED, _S.TODO}), _S.SKIPPED, "nothing is unmet and `when` says no"
    ),
    Verb.BLOCK: Transition(frozenset({_S.TODO}), _S.BLOCKED, "a hard parent un-settled"),
    Verb.START: Transition(
        frozenset({_S.TODO}), _S.TRANSITION, "admitted: lanes and gates granted, input frozen"
    ),
    Verb.SUCCEED: Transition(
        frozenset({_S.TRANSITION}), _S.ACTIVE, "outputs checked and stored with the frozen digest"
    ),
    Verb.DEFER: Transition(
        frozenset({_S.TRANSITION}),
        _S.BLOCKED,
        "unreachable, busy, or failed with attempts left; not past the point of no return",
    ),
    Verb.RELEASE: Transition(
        frozenset({_S.TRANSITION}), _S.BLOCKED, "lease lost, not past the point of no return"
    ),
    Verb.CANCEL: Transition(frozenset({_S.TRANSITION}), _S.BLOCKED, "a person; it is then held"),
    Verb.FAIL: Transition(
        frozenset({_S.TRANSITION}),
        _S.ERROR,
        "refused, unsupported, invalid; anything past the point of no return; attempts or "
        "deadline used up",
    ),
    Verb.RETRY: Transition(
        frozenset({_S.ERROR}), _S.BLOCKED, "a person; or a changed digest, if not destructive"
    ),
    Verb.RERUN: Transition(
        frozenset({_S.ACTIVE}), _S.BLOCKED, "digest changed and not destructive; or confirmed"
    ),
    Verb.RECONSIDER: Transition(
        frozenset({_S.ACTIVE, _S.ERROR, _S.SKIPPED}), _S.BLOCKED, "the verdict of `when` changed"
    ),
    Verb.ADOPT: Transition(
        frozenset({_S.BLOCKED, _S.TODO}),
        _S.ACTIVE,
        "a person takes in a running node, and `check` says that the work is already done",
    ),
}

#: These begin a new history of attempts; fencing numbers never reset.
_RESETS = frozenset({Verb.RETRY, Verb.RERUN, Verb.RECONSIDER, Verb.COMMIT})


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A person's yes to one destructive act. Used once, spent at the point of no return."""

    by: str
    at: datetime
    key: str | None = None  #: digest + machine identity; None = binds when all parents first settle
    disks: tuple[str, ...] = ()  #: serials that the person saw; others must be blank
    wipe_any: bool = False


@dataclass(frozen=True, slots=True)
class LastError:
    family: str
    message: str
    at: datetime
    since: datetime  #: of an unbroken row of errors of this family


@dataclass(frozen=True, slots=True)
class NodeRole:
    id: NodeRoleId
    role: RoleName
    deployment_id: DeploymentId
    node_id: NodeId | None  #: None: deployment scope, or the barrier of a cluster role
    state: NodeRoleState = NodeRoleState.PROPOSED
    is_stale: bool = False  #: done (active, skipped), but its inputs may have moved
    is_stuck: bool = False  #: a blocker of its own needs a person (error, hold, confirmation ...)
    unmet: int = 0  #: hard parents that are not settled
    stuck_parents: int = 0  #: hard parents that are stuck themselves or below a stuck one
    digest: str | None = None  #: of the input of the last success, skip or final failure
    outputs: str = "{}"  #: JSON text; parsed only by who wants it
    attempts: int = 0  #: counted failures since the last reset
    deferrals: int = 0  #: times put off since the last reset: the place in the backoff table
    first_started_at: datetime | None = None
    not_before: datetime | None = None
    fence: int = 0  #: starts so far; never reset
    confirmation: Confirmation | None = None
    error: LastError | None = None
    since: datetime | None = None  #: when the state began
    run_id: RunId | None = None  #: the open run while in transition

    @property
    def is_settled(self) -> bool:
        return (
            self.state is NodeRoleState.ACTIVE or self.state is NodeRoleState.SKIPPED
        ) and not self.is_stale

    @property
    def holds_back(self) -> bool:
        """Unsettled, and it or something hard-above it needs a person."""
        return not self.is_settled and (self.is_stuck or self.stuck_parents > 0)

    @property
    def is_committed(self) -> bool:
        return self.state is not NodeRoleState.PROPOSED

    def check(self, verb: Verb) -> Transition:
        """The transition, if the state allows it; raises InvalidTransition."""
        transition = TRANSITIONS[verb]
        if self.state not in transition.sources:
            raise InvalidTransition(
                f"{self.role} ({self.id}): cannot {verb} from {self.state}",
                why="the transition table does not allow it",
                hint="allowed: " + ", ".join(sorted(allowed_verbs(self.state))),
            )
        return transition

    def after(self, verb: Verb, now: datetime, **changes: Any) -> "NodeRole":
        """The node-role after `verb`; raises InvalidTransition with what is allowed instead."""
        target = self.check(verb).target
        if target is None:
            raise InvalidTransition(f"{self.role} ({self.id}): after {verb} there is nothing")
        if verb in _RESETS:
            changes = {"attempts": 0, "deferrals": 0, "first_started_at": None, **changes}
            changes.setdefault("not_before", None)
        return self.changed(state=target, since=now, **changes)

    def through(self, verbs: Iterable[Verb], now: datetime, **changes: Any) -> "NodeRole":
        """The node-role after `verbs` in a row at one instant, as `after` each; none of them may
        begin a new history."""
        state = self.state
        for verb in verbs:
            rule = TRANSITIONS[verb]
            if state not in rule.sources or rule.target is None or verb in _RESETS:
                self.check(verb)
                raise InvalidTransition(f"{self.role} ({self.id}): cannot pass through {verb}")
            state = rule.target
        return self.changed(state=state, since=now, **changes)

    def changed(self, **changes: Any) -> "NodeRole":
        """As `dataclasses.replace`, in half the time: the rules do little else."""
        values = list(_values_of(self))
        for name, value in changes.items():
            values[_PLACES[name]] = value
        return NodeRole(*values)


_NAMES = tuple(item.name for item in fields(NodeRole))
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_values_of = attrgetter(*_NAMES)


def allowed_verbs(state: NodeRoleState) -> tuple[Verb, ...]:
    return tuple(verb for verb, rule in TRANSITIONS.items() if state in rule.sources)
