"""Order among roles: hard edges through whoever provides a needed name, soft edges, and what each
epoch's raiser un-settles. Works on unchecked roles too, so that the checks can reason with it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Literal

from readystate.domain.ids import RoleName
from readystate.domain.role import Epoch, Flag, Lane, Reboot, Role, Scope

NeedReason = Literal["requires", "wants", "when"]
SoftReason = Literal["after", "invalidates"]
Edges = Mapping[RoleName, frozenset[RoleName]]  #: child -> its parents


def derive_raises(roles: Iterable[Role]) -> list[Role]:
    """A role that reboots its node moves the reboot epoch, whether it says so or not."""
    return [
        role if role.reboot is Reboot.NONE else replace(role, raises=role.raises | {Epoch.REBOOT})
        for role in roles
    ]


class RoleOrder:
    """`defaulted` roles take the default of `invalidated_by`: lanes os and both, below a role that
    raises reinstall, are un-settled by it (design.md section 4.1)."""

    def __init__(self, roles: Iterable[Role], defaulted: Iterable[RoleName] = ()) -> None:
        self.roles: dict[RoleName, Role] = {role.name: role for role in roles}
        self._providers = self._find_providers()
        self._output_owner = {
            out.name: role.name for role in self.roles.values() for out in role.outputs
        }
        self._needs = {name: self._find_needs(role) for name, role in self.roles.items()}
        self.hard: Edges = {
            name: frozenset(item for need in needs for item in self.providers(need))
            for name, needs in self._needs.items()
        }
        self._ancestors = _closure(self.hard)
        self._default_invalidation(defaulted)

    def _find_providers(self) -> dict[RoleName, tuple[RoleName, ...]]:
        found: defaultdict[RoleName, list[RoleName]] = defaultdict(list)
        for name in sorted(self.roles):
            if Flag.ABSTRACT not in self.roles[name].flags:
                found[name].insert(0, name)
            for provided in self.roles[name].provides:
                if provided != name:
                    found[provided].append(name)
        return {name: tuple(items) for name, items in found.items()}

    def _find_needs(self, role: Role) -> dict[RoleName, NeedReason]:
        needs: dict[RoleName, NeedReason] = {}
        for name in role.requires:
            needs.setdefault(name, "requires")
        for want in role.wants:
            if want.source is not None:
                needs.setdefault(want.source, "wants")
        for condition, _ in role.when:
            owner = self._output_owner.get(condition)
            if owner is not None and owner != role.name:
                needs.setdefault(owner, "when")
        return needs

    def _default_invalidation(self, defaulted: Iterable[RoleName]) -> None:
        for name in defaulted:
            role = self.roles[name]
            if role.lane in (Lane.OS, Lane.BOTH) and any(
                Epoch.REINSTALL in self.roles[item].raises for item in self.ancestors(name)
            ):
                self.roles[name] = replace(role, invalidated_by=frozenset({Epoch.REINSTALL}))

    # -- reading -----------------------------------------------------------------------------------

    def providers(self, name: RoleName) -> tuple[RoleName, ...]:
        return self._providers.get(name, ())

    def choice(self, name: RoleName) -> RoleName | None:
        """The name itself if it can be bound, else its only provider."""
        found = self.providers(name)
        return found[0] if found and (found[0] == name or len(found) == 1) else None

    def needs(self, name: RoleName) -> Mapping[RoleName, NeedReason]:
        return self._needs[name]

    def ancestors(self, name: RoleName) -> frozenset[RoleName]:
        return self._ancestors[name]

    def forced_ancestors(self, name: RoleName) -> frozenset[RoleName]:
        """Those that are bound with it whatever a person chooses."""
        found: set[RoleName] = set()
        pending = [name]
        while pending:
            for need in self._needs[pending.pop()]:
                chosen = self.providers(need)
                if len(chosen) == 1 and chosen[0] not in found:
                    found.add(chosen[0])
                    pending.append(chosen[0])
        return frozenset(found)

    @cached_property
    def conflicts(self) -> frozenset[tuple[RoleName, RoleName]]:
        """Pairs that may not be on one node, both ways round, whichever of them says so."""
        said = {
            (role.name, other)
            for role in self.roles.values()
            for name in role.conflicts
            for other in self.providers(name)
            if other != role.name
        }
        return frozenset(said | {(other, name) for name, other in said})

    @cached_property
    def invalidated(self) -> Edges:
        """Child: un-settled by what its parents here raise, on the same node."""
        on_nodes = [role for role in self.roles.values() if role.scope is not Scope.DEPLOYMENT]
        return {
            role.name: frozenset(
                other.name
                for other in on_nodes
                if role.invalidated_by & other.raises and role.scope is not Scope.DEPLOYMENT
            )
            for role in self.roles.values()
        }

    @cached_property
    def after(self) -> Edges:
        return {
            role.name: frozenset(
                item for name in role.after for item in self.providers(name) if item != role.name
            )
            for role in self.roles.values()
        }

    def soft_parents(self, name: RoleName) -> Mapping[RoleName, SoftReason]:
        """By role; not those that stand hard-above it anyway."""
        found: dict[RoleName, SoftReason] = {}
        for item in sorted(self.after[name]):
            found[item] = "after"
        for item in sorted(self.invalidated[name]):
            found.setdefault(item, "invalidates")
        return {item: reason for item, reason in found.items() if item not in self._ancestors[name]}

    def topological(self) -> tuple[RoleName, ...]:
        """Hard parents first, else by name. Only for roles without a hard cycle."""
        unmet = {name: len(parents) for name, parents in self.hard.items()}
        children = reversed_edges(self.hard)
        ready = [name for name, count in unmet.items() if count == 0]
        heapify(ready)
        found: list[RoleName] = []
        while ready:
            name = heappop(ready)
            found.append(name)
            for child in children[name]:
                unmet[child] -= 1
                if unmet[child] == 0:
                    heappush(ready, child)
        return tuple(found)

    @cached_property
    def _cohorts(self) -> Mapping[RoleName, int]:
        cohorts: dict[RoleName, int] = {}
        for name in self.topological():
            cohorts[name] = max((cohorts[item] + 1 for item in self.hard[name]), default=0)
        return cohorts

    def cohort(self, name: RoleName) -> int:
        return self._cohorts[name]


def reversed_edges(edges: Edges) -> defaultdict[RoleName, list[RoleName]]:
    found: defaultdict[RoleName, list[RoleName]] = defaultdict(list)
    for child, parents in edges.items():
        for parent in parents:
            found[parent].append(child)
    return found


def union(*many: Edges) -> Edges:
    names = {name for edges in many for name in edges}
    return {
        name: frozenset().union(*(edges.get(name, frozenset()) for edges in many)) for name in names
    }


def _closure(edges: Edges) -> dict[RoleName, frozenset[RoleName]]:
    found: dict[RoleName, frozenset[RoleName]] = {}
    for name in edges:
        above: set[RoleName] = set()
        pending = list(edges[name])
        while pending:
            item = pending.pop()
            if item not in above:
                above.add(item)
                pending += edges.get(item, ())
        found[name] = frozenset(above)
    return found


def cycles(edges: Edges) -> Iterator[tuple[RoleName, ...]]:
    """One cycle for each knot, the shortest from its first name: child, parent, ..., child."""
    seen: set[RoleName] = set()
    above = _closure(edges)
    for name in sorted(edges):
        if name in above[name] and name not in seen:
            cycle = _shortest_way_back(edges, name)
            seen |= {item for item in above[name] if name in above[item]}
            yield cycle


def _shortest_way_back(edges: Edges, start: RoleName) -> tuple[RoleName, ...]:
    ways: list[tuple[RoleName, ...]] = [(start,)]
    seen: set[RoleName] = set()
    while ways:
        longer = []
        for way in ways:
            for parent in sorted(edges[way[-1]]):
                if parent == start:
                    return (*way, start)
                if parent not in seen:
                    seen.add(parent)
                    longer.append((*way, parent))
        ways = longer
    raise AssertionError(f"{start} is in no cycle")
