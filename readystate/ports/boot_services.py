"""What a node boots next: wanted, rendered, and the one-time tokens with which it calls back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from readystate.domain.outcome import Json


class BootKind(StrEnum):
    LOCAL = "local"
    DISCOVERY = "discovery"  #: the live image; posts inventory, then answers ssh
    INSTALL = "install"


@dataclass(frozen=True)
class BootWish:
    kind: BootKind
    bootenv: str = ""  #: for `install`: which operating system
    plan: Mapping[str, Json] | None = None  #: for `install`: the install plan
    wake: str = ""  #: wake to raise on the asking node-role when the node calls back


class BootServices(Protocol):
    """Bound to one node and one run."""

    def want(self, wish: BootWish) -> int:
        """Store the wish with a new generation and render it; returns the generation. When this
        returns, *rendered* equals *wanted* and the node may be told to boot."""
        ...

    def is_rendered(self, generation: int) -> bool: ...


class BootRenderer(Protocol):
    """Turns a wish into what firmware follows. The templates of a boot environment are its own."""

    def check(self, wish: BootWish) -> None:
        """Raises Invalid, naming the boot environment and the template, when it cannot be rendered
        at all: found out before a node is told to boot, never at boot."""
        ...

    def script(self, wish: BootWish, values: Mapping[str, str]) -> str:
        """The iPXE script; `values` has `url`, `token` and `hostname`."""
        ...

    def local_script(self) -> str:
        """Boot what is on the disk. Harmless for machines that we do not know."""
        ...
