"""All roles together: who provides what, who needs whom, and in which order. Built once from
declarations that `catalog_check` finds sound, then only read."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from readystate.domain.catalog_check import catalog_problems
from readystate.domain.declaration import DeclaredRole, did_you_mean
from readystate.domain.errors import AnnotationsInvalid, NotFound
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Epoch, Flag, Role
from readystate.domain.role_order import RoleOrder, SoftReason, derive_raises

#: what may change in a file without changing what a run brings about
_NOT_IN_VERSION = frozenset({"summary", "retry", "deadline_s", "priority"})


@dataclass(frozen=True, slots=True)
class ParentNeed:
    """A hard parent: some role that provides `name` must be settled before."""

    name: RoleName
    reason: Literal["requires", "wants", "when"]


@dataclass(frozen=True, slots=True)
class SoftParent:
    """Only order, where both are bound."""

    name: RoleName
    reason: SoftReason


@dataclass(frozen=True)
class Catalog:
    """The roles in force somewhere. Satisfies `domain.graph.RoleBook`."""

    roles: Mapping[RoleName, Role]  #: by name, in topological order
    attributes: Mapping[str, Declared]  #: all layered attributes, by name
    _order: RoleOrder = field(compare=False)  #: follows from the roles
    _outputs: Mapping[str, RoleName]
    _attributes: Mapping[str, RoleName]

    @classmethod
    def build(cls, declared: Sequence[DeclaredRole]) -> "Catalog":
        """Raises AnnotationsInvalid with all problems at once."""
        problems = catalog_problems(declared)
        if problems:
            raise AnnotationsInvalid(problems)
        return cls._of(
            [replace(item.role, version=_version(item.content)) for item in declared],
            defaulted={item.name for item in declared if not item.says_invalidated_by},
        )

    @classmethod
    def _of(cls, roles: Iterable[Role], defaulted: Iterable[RoleName]) -> "Catalog":
        order = RoleOrder(derive_raises(roles), defaulted=defaulted)
        by_name = order.roles
        return cls(
            roles={name: _with_outputs(by_name[name], by_name) for name in order.topological()},
            attributes={item.name: item for role in by_name.values() for item in role.attributes},
            _order=order,
            _outputs={out.name: role.name for role in by_name.values() for out in role.outputs},
            _attributes={it.name: role.name for role in by_name.values() for it in role.attributes},
        )

    # -- names -------------------------------------------------------------------------------------

    def role(self, name: RoleName) -> Role:
        """Raises NotFound."""
        try:
            return self.roles[name]
        except KeyError:
            raise NotFound(f'no role named "{name}"', hint=did_you_mean(name, self.roles)) from None

    def providers(self, name: RoleName) -> tuple[RoleName, ...]:
        """Roles that satisfy a requirement on the name: the role itself first, unless abstract."""
        return self._order.providers(name)

    def choice(self, name: RoleName) -> RoleName | None:
        """The provider to bind when none is bound yet; None when a person has to choose one."""
        return self._order.choice(name)

    def output_source(self, attribute: str) -> RoleName | None:
        """The role that puts this output out, or None if it is a layered attribute."""
        return self._outputs.get(attribute)

    def output_owner(self, attribute: str) -> Role:
        """Raises NotFound."""
        return self.roles[self._owner(attribute, self._outputs, "output")]

    def attribute_owner(self, attribute: str) -> Role:
        """The role that declares this layered attribute. Raises NotFound."""
        return self.roles[self._owner(attribute, self._attributes, "attribute")]

    def attribute(self, name: str) -> Declared:
        """The layered attribute as declared. Raises NotFound."""
        self._owner(name, self._attributes, "attribute")
        return self.attributes[name]

    def _owner(self, name: str, owners: Mapping[str, RoleName], kind: str) -> RoleName:
        try:
            return owners[name]
        except KeyError:
            raise NotFound(f'no {kind} named "{name}"', hint=did_you_mean(name, owners)) from None

    # -- order -------------------------------------------------------------------------------------

    def parents(self, role: RoleName) -> tuple[ParentNeed, ...]:
        """Hard needs by name, each once; `requires` before `wants` before `when`."""
        return self._parents[role]

    @cached_property
    def _parents(self) -> Mapping[RoleName, tuple[ParentNeed, ...]]:
        return {
            role: tuple(ParentNeed(*need) for need in self._order.needs(role).items())
            for role in self.roles
        }

    def soft_parents(self, role: RoleName) -> tuple[SoftParent, ...]:
        """Declared (`after`), and implied: what another raises un-settles it, so it runs after."""
        return tuple(
            SoftParent(name, reason) for name, reason in self._order.soft_parents(role).items()
        )

    def hard_parent_roles(self, role: RoleName) -> tuple[RoleName, ...]:
        """Every role that may stand as hard parent: all providers of all needs."""
        return tuple(sorted(self._order.hard[role]))

    def ancestors(self, role: RoleName) -> frozenset[RoleName]:
        """All that may stand hard-above it."""
        return self._order.ancestors(role)

    def order(self) -> tuple[RoleName, ...]:
        """Hard parents before their children; the same for the same roles, however they came."""
        return tuple(self.roles)

    def cohort(self, role: RoleName) -> int:
        """How many hard steps stand above it at most: 0 for a root."""
        return self._order.cohort(role)

    def discovery(self) -> tuple[RoleName, ...]:
        """Roles that bind by themselves on enroll, parents first."""
        return tuple(name for name, role in self.roles.items() if Flag.DISCOVERY in role.flags)

    def raisers(self, epoch: Epoch) -> tuple[RoleName, ...]:
        return tuple(name for name, role in self.roles.items() if epoch in role.raises)


def _with_outputs(role: Role, roles: Mapping[RoleName, Role]) -> Role:
    """An abstract role's outputs are put out by whoever provides it."""
    names = [name for name in role.provides if name in roles and name != role.name]
    inherited = [
        out for name in names if Flag.ABSTRACT in roles[name].flags for out in roles[name].outputs
    ]
    return replace(role, outputs=(*role.outputs, *inherited)) if inherited else role


def _version(content: Mapping[str, Any]) -> str:
    said = {key: value for key, value in content.items() if key not in _NOT_IN_VERSION}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
