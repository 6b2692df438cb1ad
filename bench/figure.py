"""One measured figure, its goal, and the line that tells both."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, le

_HOLDS: dict[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge}


@dataclass(frozen=True)
class Goal:
    operator: str  #: "<=" or ">="
    number: float

    def holds(self, value: float) -> bool:
        return _HOLDS[self.operator](value, self.number)


@dataclass(frozen=True)
class Peer:
    """Another program that did the same in the same run."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    goal: Goal
    peer: Peer | None = None

    @property
    def is_met(self) -> bool:
        return self.goal.holds(self.value)

    def line(self) -> str:
        verdict = "ok" if self.is_met else "MISS"
        goal = f"goal {self.goal.operator} {shown(self.goal.number)}"
        line = f"bench {self.name} {shown(self.value)} {self.unit} {goal} {verdict}"
        if self.peer is None:
            return line
        ratio = self.value / self.peer.value
        peer = f"{self.peer.name} {shown(self.peer.value)} {self.unit}"
        return f"{line} (beside {peer}, ratio {shown(ratio)})"


def at_most(number: float) -> Goal:
    return Goal("<=", number)


def at_least(number: float) -> Goal:
    return Goal(">=", number)


def shown(number: float) -> str:
    """Three digits that mean something, and no more than are there."""
    if abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}"
