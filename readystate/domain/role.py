"""A role as its annotation declares it (design.md section 4.1). Immutable and already checked:
only `catalog.py` builds a set of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from readystate.domain.ids import RoleName


class Lane(StrEnum):
    """What a run occupies on its node."""

    BMC = "bmc"
    OS = "os"
    BOTH = "both"
    NONE = "none"


class Scope(StrEnum):
    NODE = "node"  #: one vertex for each node
    DEPLOYMENT = "deployment"  #: one vertex for the whole deployment, run on the engine
    CLUSTER = "cluster"  #: one vertex for each node, and one barrier behind them all


class Flag(StrEnum):
    DISCOVERY = "discovery"  #: binds by itself when a node is enrolled
    MILESTONE = "milestone"  #: means something to people
    DESTRUCTIVE = "destructive"  #: may lose data: needs a confirmation, has a point of no return
    ABSTRACT = "abstract"  #: only a name that other roles provide; never bound


class Epoch(StrEnum):
    """A node's counters; a moved one un-settles what is `invalidated_by` it."""

    REBOOT = "reboot"
    REINSTALL = "reinstall"
    HARDWARE_CHANGE = "hardware-change"


class Reboot(StrEnum):
    NONE = "none"
    SHARED = "shared"  #: stages a change; may share one power cycle with others
    ALONE = "alone"  #: reboots within its own run


class Take(StrEnum):
    """How a want reads an attribute that several vertices put out."""

    ONE = "one"  #: exactly one source
    FIRST = "first"  #: of the lowest node id
    ALL = "all"  #: a list, by node id
    COUNT = "count"


def short_name(path: str) -> str:
    """`services/proxy/no-proxy` is `no_proxy` to a script."""
    return path.rpartition("/")[2].replace("-", "_")


@dataclass(frozen=True)
class Declared:
    """An attribute or output that a role declares."""

    name: str  #: slash-separated path, unique among all roles
    schema: Mapping[str, Any] = field(default_factory=dict)  #: JSON Schema 2020-12
    default: Any = None
    has_default: bool = False
    secret: bool = False
    given_name: str = ""  #: `name:` in the file

    @property
    def short_name(self) -> str:
        """What a script calls this output: `name:`, else the last part of the path."""
        return self.given_name or short_name(self.name)


@dataclass(frozen=True)
class Want:
    """Data in. `source` is None for a layered attribute, else the role whose output it is."""

    attribute: str
    source: RoleName | None = None
    take: Take = Take.ONE
    default: Any = None
    has_default: bool = False
    given_name: str = ""  #: `name:` in the file

    @property
    def short_name(self) -> str:
        """What a script calls this input: `name:`, else the last part of the path."""
        return self.given_name or short_name(self.attribute)


@dataclass(frozen=True)
class Retry:
    attempts: int = 5  #: counted attempts before `error`
    backoff_s: tuple[float, ...] = (5.0, 15.0, 60.0, 300.0)  #: the last one repeats


@dataclass(frozen=True)
class Role:
    name: RoleName
    summary: str
    jig: str = "noop"
    argument: str = ""  #: the function, script or playbook that the jig carries out
    lane: Lane = Lane.NONE
    scope: Scope = Scope.NODE
    flags: frozenset[Flag] = frozenset()
    when: tuple[tuple[str, Any], ...] = ()  #: attribute or output name -> required value, sorted
    requires: tuple[RoleName, ...] = ()  #: as declared; wants and `when` add to it, see `parents`
    after: tuple[RoleName, ...] = ()
    provides: tuple[RoleName, ...] = ()
    conflicts: tuple[RoleName, ...] = ()
    wants: tuple[Want, ...] = ()
    attributes: tuple[Declared, ...] = ()
    outputs: tuple[Declared, ...] = ()
    reboot: Reboot = Reboot.NONE
    raises: frozenset[Epoch] = frozenset()  #: with the one that `reboot` implies
    invalidated_by: frozenset[Epoch] = frozenset()  #: with the default that the catalog adds
    retry: Retry = field(default_factory=Retry)
    deadline_s: float = 2700.0
    priority: int = 0  #: higher starts first
    version: str = ""  #: digest of the annotation's content; part of every input digest

    @property
    def is_destructive(self) -> bool:
        return Flag.DESTRUCTIVE in self.flags

    @property
    def is_inline(self) -> bool:
        """Needs no work: settled by the annealer itself, without a worker."""
        return self.jig == "noop"
