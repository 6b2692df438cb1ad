"""Facts about one vendor, model or firmware, as data: matched by pattern, merged by specificity.

The more a quirk demands (vendor, then model, then firmware), the more it weighs. A machine that
contradicts any demand is out, and two quirks of equal weight that disagree are an error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from readystate.domain.errors import Invalid


@dataclass(frozen=True)
class Quirks:
    """What a hammer does differently. The defaults are what the specifications promise."""

    power_settle_s: float = 20.0  #: how long a power command may take until it is observed
    soft_off_settle_s: float = 120.0  #: the same when an operating system shuts itself down
    command_gap_s: float = 0.0  #: rest between the off and the on of a power cycle
    boot_settle_s: float = 5.0  #: the same for a boot override
    power_advice: str = ""  #: what to tell the operator when a power command shows no effect
    prefer_protocol: str = "redfish"  #: redfish | ipmi
    cipher_suite: int | None = None  #: 3: the BMC says nothing at all to suite 17
    ipmi_has_valid_bit: bool = True  #: False: it keeps the boot device but not the "valid" flag
    redfish_expand: bool = True  #: use $expand where the service advertises it
    redfish_sessions: bool = True  #: False: basic auth only
    redfish_boot_mode_required: bool = False  #: an override without its mode resets the mode
    redfish_boot_settings: bool = False  #: overrides go to the system's settings resource
    redfish_serial_property: str = "SerialNumber"  #: where the SMBIOS system serial stands
    redfish_cdrom_target: str = "Cd"
    redfish_busy_messages: tuple[str, ...] = ()  #: message ids that mean "not now", whatever status
    redfish_absent_despite_500: str = ""  #: pattern of paths whose status 500 means "not there"
    redfish_ignored_systems: str = ""  #: pattern of system ids that are not the node itself


@dataclass(frozen=True)
class Machine:
    """The facts that quirks match on; "" means not known yet."""

    vendor: str
    model: str = ""
    firmware: str = ""


@dataclass(frozen=True)
class Quirk:
    name: str
    place: str  #: `file:line`, for messages
    source: str  #: where the fact was seen: issue, specification, source file
    vendor: re.Pattern[str]
    model: re.Pattern[str] | None
    firmware: re.Pattern[str] | None
    values: Mapping[str, object]  #: field of `Quirks` to value
    seen_on: tuple[Machine, ...]  #: machines it must match; they also prove it unambiguous

    def weight(self) -> int:
        return 1 + (2 if self.model else 0) + (4 if self.firmware else 0)


@dataclass(frozen=True)
class Verdict:
    """One line of the trace: why a quirk applies or does not."""

    quirk: str
    applies: bool
    why: str


@dataclass(frozen=True)
class Resolved:
    quirks: Quirks
    trace: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class QuirkTable:
    quirks: Sequence[Quirk] = ()
    vendors: Mapping[str, re.Pattern[str]] = field(default_factory=dict)  #: name to pattern

    def normalise_vendor(self, manufacturer: str) -> str:
        """`Dell Inc.` to `Dell`; an unknown manufacturer keeps its own spelling."""
        names = [name for name, pattern in self.vendors.items() if pattern.search(manufacturer)]
        return names[0] if len(names) == 1 else manufacturer.strip()

    def resolve(self, machine: Machine) -> Resolved:
        """Raises Invalid when two quirks of equal weight disagree."""
        known = replace(machine, vendor=self.normalise_vendor(machine.vendor))
        verdicts = tuple(_judge(quirk, known) for quirk in self.quirks)
        chosen: dict[str, tuple[int, object, str]] = {}
        for quirk, verdict in zip(self.quirks, verdicts, strict=True):
            if not verdict.applies:
                continue
            for name, value in quirk.values.items():
                weight, rival, place = chosen.get(name, (0, None, ""))
                if weight == quirk.weight() and rival != value:
                    raise Invalid(
                        f"{quirk.place}: {name} contradicts {place}",
                        why=f"both match {known.vendor} {known.model} {known.firmware}".strip(),
                        hint="make one of them more specific",
                    )
                if quirk.weight() > weight:
                    chosen[name] = (quirk.weight(), value, quirk.place)
        values = {name: value for name, (_, value, _) in chosen.items()}
        return Resolved(Quirks(**values), verdicts)  # type: ignore[arg-type]  # checked at load


QUIRK_FIELDS = {item.name: item for item in fields(Quirks)}


def _judge(quirk: Quirk, machine: Machine) -> Verdict:
    demands = (
        ("vendor", quirk.vendor, machine.vendor),
        ("model", quirk.model, machine.model),
        ("firmware", quirk.firmware, machine.firmware),
    )
    matched = []
    for name, pattern, fact in demands:
        if pattern is None:
            continue
        if not fact:
            return Verdict(quirk.name, applies=False, why=f"{name} is not known yet")
        if not pattern.search(fact):
            why = f"{name} {fact!r} does not match {pattern.pattern!r}"
            return Verdict(quirk.name, applies=False, why=why)
        matched.append(f"{name} {fact!r}")
    return Verdict(quirk.name, applies=True, why="matches " + ", ".join(matched))
