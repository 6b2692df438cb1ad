"""What a jig may answer: a closed family, matched exhaustively."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from readystate.domain.errors import WorkError

Json = Any  #: a JSON value: None, bool, int, float, str, list or dict of them


@dataclass(frozen=True)
class Succeeded:
    """The work is done and was read back."""

    outputs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class NotDone:
    """Said by `check` and the answer of no `run`: the work is not in place on the node."""

    reason: str


@dataclass(frozen=True)
class Errored:
    """The work did not succeed; the error's family decides what happens next."""

    error: WorkError


@dataclass(frozen=True)
class Pending:
    """The work goes on without us. Holds no worker; `run` is called again with `wake` when the
    named wake has come (it may have come already), or fails after `deadline_s`."""

    wake: str
    deadline_s: float


@dataclass(frozen=True)
class Staged:
    """Takes effect at the node's next reset; verified by `check` after it. Frees the lane."""

    outputs: Mapping[str, Json] = field(default_factory=dict)


Outcome = Succeeded | Errored | Pending | Staged
CheckOutcome = Succeeded | NotDone | Errored
