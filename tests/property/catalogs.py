"""Random sound catalogs: every clause of the annotation file with a fair share of examples."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from readystate.domain.catalog import Catalog
from readystate.domain.declaration import DeclaredRole
from readystate.domain.errors import AnnotationsInvalid
from readystate.domain.ids import RoleName
from readystate.domain.role import (
    Declared,
    Epoch,
    Flag,
    Lane,
    Reboot,
    Retry,
    Role,
    Scope,
    Take,
    Want,
)
from tests.property.physical import LivesIn

#: Attributes that every random catalog's first role declares.
SETTINGS = ("set/a", "set/b", "set/gate")

_INVALIDATED = {
    LivesIn.MEMORY: frozenset({Epoch.REBOOT, Epoch.REINSTALL}),
    LivesIn.DISK: frozenset({Epoch.REINSTALL}),
    LivesIn.FIRMWARE: frozenset({Epoch.HARDWARE_CHANGE}),
}


@dataclass(frozen=True)
class RandomCatalog:
    catalog: Catalog
    lives_in: dict[str, LivesIn]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        del cycle
        printer.text(repr(self))

    def __repr__(self) -> str:
        lines = []
        for role in self.catalog.roles.values():
            said = {
                "needs": [it.name for it in self.catalog.parents(role.name)],
                "after": list(role.after),
                "when": list(role.when),
                "lane": role.lane.value,
                "scope": role.scope.value,
                "reboot": role.reboot.value,
                "raises": sorted(role.raises),
                "by": sorted(role.invalidated_by),
                "flags": sorted(role.flags),
                "wants": [it.attribute for it in role.wants],
                "jig": role.jig,
            }
            lines.append(f"{role.name}: " + ", ".join(f"{k}={v}" for k, v in said.items() if v))
        return "\n".join(lines)


def _name(i: int) -> RoleName:
    return RoleName(f"r{i}")


@st.composite
def random_catalogs(draw: st.DrawFn, *, most: int = 8) -> RandomCatalog:
    count = draw(st.integers(3, most))
    roles: list[Role] = []
    lives: dict[str, LivesIn] = {}
    for i in range(count):
        role, place = _draw_role(draw, i, roles)
        roles.append(role)
        lives[role.name] = place
    catalog = _catalog_of(roles)
    if catalog is None:
        roles = _sound_part(roles)
        catalog = _catalog_of(roles)
    if catalog is None:
        raise AssertionError("a catalog grew from sound ones and is not sound")
    return RandomCatalog(catalog, lives)


def _sound_part(drawn: list[Role]) -> list[Role]:
    """Each role as drawn, or a plainer one of its name where the drawn one would not be sound."""
    roles: list[Role] = []
    for role in drawn:
        plainer = [
            role,
            replace(role, after=()),
            replace(role, after=(), wants=(), when=(), outputs=()),
            Role(name=role.name, summary="plain", jig="noop"),
        ]
        roles.append(next(it for it in plainer if _catalog_of([*roles, it]) is not None))
    return roles


def _catalog_of(roles: list[Role]) -> Catalog | None:
    settings = tuple(
        Declared(name, {}, default, has_default=True)
        for name, default in (("set/a", 0), ("set/b", 0), ("set/gate", True))
    )
    settings += (Declared("set/required", {}),)
    anchor = Role(RoleName("settings"), "declares", jig="noop", attributes=settings)
    declared = [
        DeclaredRole(
            role,
            f"{role.name}.yml",
            content={"role": role.name},
            stated_name=role.name,
            says_invalidated_by=True,
        )
        for role in [anchor, *roles]
    ]
    try:
        return Catalog.build(declared)
    except AnnotationsInvalid:
        return None


def _draw_role(draw: st.DrawFn, i: int, before: list[Role]) -> tuple[Role, LivesIn]:
    names = [role.name for role in before]
    scope = draw(st.sampled_from([Scope.NODE] * 7 + [Scope.CLUSTER, Scope.DEPLOYMENT]))
    shape = draw(
        st.sampled_from(["plain"] * 4 + ["milestone", "shared", "alone", "installer", "both"])
    )
    allowed = names
    if scope is Scope.DEPLOYMENT:
        shape = draw(st.sampled_from(["plain", "milestone"]))
        allowed = [role.name for role in before if role.scope is not Scope.NODE]
    requires = (
        tuple(draw(st.lists(st.sampled_from(allowed), max_size=2, unique=True)))
        if (allowed)
        else ()
    )
    soft = [name for name in names if name not in requires]
    after = (
        tuple(draw(st.lists(st.sampled_from(soft), max_size=1)))
        if soft and scope is not Scope.DEPLOYMENT
        else ()
    )
    wants = _draw_wants(draw, before, allowed, scope)
    when = _draw_when(draw, before, allowed)
    place = draw(st.sampled_from(list(LivesIn)))
    if scope is Scope.DEPLOYMENT:
        place = LivesIn.FIRMWARE
    common: dict[str, Any] = {
        "name": _name(i),
        "summary": shape,
        "requires": requires,
        "after": after,
        "wants": wants,
        "when": when,
        "scope": scope,
        "invalidated_by": _INVALIDATED[place] if scope is not Scope.DEPLOYMENT else frozenset(),
        "retry": Retry(attempts=3, backoff_s=(1.0, 5.0)),
        "deadline_s": 500.0,
        "priority": draw(st.integers(0, 2)),
    }
    if shape == "milestone":
        return Role(**{**common, "jig": "noop", "invalidated_by": frozenset()}), place
    common |= {"jig": "call", "argument": "work"}
    common["outputs"] = (Declared(f"out/{i}", {}),) if draw(st.booleans()) else ()
    destructive = scope is not Scope.DEPLOYMENT and draw(st.integers(0, 3)) == 0
    flags = frozenset({Flag.DESTRUCTIVE}) if destructive else frozenset()
    match shape:
        case "shared":
            extra = {"lane": Lane.BMC, "reboot": Reboot.SHARED}
        case "alone":
            extra = {"lane": Lane.BOTH, "reboot": Reboot.ALONE}
        case "installer":
            raises = frozenset({Epoch.REINSTALL})
            extra = {"lane": Lane.BOTH, "reboot": Reboot.ALONE, "raises": raises}
        case "both":
            extra = {"lane": Lane.BOTH}
        case _:
            lane = (
                Lane.NONE
                if scope is Scope.DEPLOYMENT
                else draw(st.sampled_from([Lane.BMC, Lane.OS, Lane.NONE]))
            )
            extra = {"lane": lane}
    if shape in ("shared", "alone", "installer"):  # their own reboot must not undo them
        place = LivesIn.FIRMWARE if shape != "installer" else place
        if shape == "installer" or place is LivesIn.FIRMWARE:
            common["invalidated_by"] = frozenset({Epoch.HARDWARE_CHANGE})
            place = LivesIn.FIRMWARE
    return Role(**{**common, **extra, "flags": flags}), place


def _draw_wants(
    draw: st.DrawFn, before: list[Role], allowed: list[RoleName], scope: Scope
) -> tuple[Want, ...]:
    wants = [Want(name) for name in draw(st.lists(st.sampled_from(SETTINGS[:2]), max_size=1))]
    if draw(st.integers(0, 14)) == 0:
        wants.append(Want("set/required"))
    sources = [role for role in before if role.outputs and role.name in allowed]
    if sources and draw(st.booleans()):
        source = draw(st.sampled_from(sources))
        take = Take.ONE
        if source.scope is Scope.CLUSTER:
            take = draw(st.sampled_from([Take.ALL, Take.COUNT]))
        has_default = take is Take.ONE and draw(st.booleans())
        wants.append(
            Want(source.outputs[0].name, source.name, take, default=-1, has_default=has_default)
            if has_default
            else Want(source.outputs[0].name, source.name, take)
        )
    del scope
    return tuple(wants)


def _draw_when(
    draw: st.DrawFn, before: list[Role], allowed: list[RoleName]
) -> tuple[tuple[str, Any], ...]:
    kind = draw(st.sampled_from(["none"] * 5 + ["attribute", "output"]))
    if kind == "attribute":
        return (("set/gate", True),)
    sources = [
        role
        for role in before
        if role.outputs and role.name in allowed and role.scope is not Scope.CLUSTER
    ]
    if kind == "output" and sources:
        return ((draw(st.sampled_from(sources)).outputs[0].name, draw(st.integers(0, 1))),)
    return ()
