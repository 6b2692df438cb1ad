"""Carries admitted work to a worker. The database is the run queue; this only carries messages, so
a lost, late or doubled one is harmless (design.md section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from readystate.domain.ids import RunId
from readystate.domain.role import Role
from readystate.ports.jig import Ticket
from readystate.ports.store import Transaction, Unit


class WorkKind(StrEnum):
    RUN = "run"
    CHECK = "check"
    STOP = "stop"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Message:
    kind: WorkKind
    run_id: RunId
    dispatch: int  #: an answer must bear the run's current one
    unit: Unit  #: whose run it is
    ticket: Ticket | None = None  #: None for an action on a node
    role: Role | None = None  #: of the ticket: what it may put out
    action: str = ""  #: POWER: which power action; "" is the shared cycle
    effect_recorded: bool = False  #: the act had begun before this dispatch


class Dispatcher(Protocol):
    def submit(self, batch: Sequence[Message], transaction: Transaction) -> None:
        """Give work to workers if, and only if, `transaction` commits."""
        ...

    def cancel(self, run_id: RunId) -> None:
        """Ask the worker that has it to stop soon. No answer is lost: it still reports."""
        ...

    def in_flight(self) -> frozenset[RunId]:
        """Runs whose worker lives, in this process."""
        ...

    def close(self, *, grace_s: float) -> None:
        """Take nothing new; wait at most `grace_s` for what runs."""
        ...
