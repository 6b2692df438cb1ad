"""A value that must never be shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """A password or token. `str`, `repr` and formatting give `***`; `reveal()` is explicit."""

    _value: str = field(repr=False)
    #: Keyed hash of the value, given by whoever stores it: what input digests rest on instead.
    mark: str = field(default="", compare=False, repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, spec: str) -> str:
        return format("***", spec)
