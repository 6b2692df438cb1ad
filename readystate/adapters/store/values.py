"""Layered attribute values of one working set, resolved when a rule asks (`domain.attribute`).

Values stay as they were stored until somebody reads them: most are not, and opening a secret costs
more than all else here. All profiles are loaded, not only the attached ones: a plan may attach
others."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from readystate.adapters.store.connection import Connection
from readystate.adapters.store.secrets import Seal
from readystate.domain.attribute import Layer, LayerKind, Resolved, resolve
from readystate.domain.deployment import AttributeScope
from readystate.domain.graph import MISSING, RoleBook
from readystate.domain.ids import DeploymentId, NodeId
from readystate.domain.node_role import NodeRole
from readystate.domain.role import Declared

_SET_VALUES = """
SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope IN ('deployment', 'profile')
UNION ALL SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope = 'node' AND subject_id IN ?ids
UNION ALL SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope = 'node-role' AND subject_id IN ?ids
"""
_ATTACHED = """
SELECT scope, subject_id, profile FROM profile_attachments
 WHERE scope = 'deployment' OR (scope = 'node' AND subject_id IN ?ids)
 ORDER BY scope, subject_id, position
"""

#: The profiles attached to one place stand in an order, weakest first: it is the finer part of a
#: layer's depth, so that no two are ever equally strong.
_PROFILES_IN_A_PLACE = 1000

Place = tuple[AttributeScope, int, str]  #: scope, subject, profile


class Book(RoleBook, Protocol):
    """The roles in force, and the attributes that they declare (`domain.catalog.Catalog`)."""

    @property
    def attributes(self) -> Mapping[str, Declared]: ...


class StoredText(str):
    """A value as it stands in the database: JSON in which secrets are sealed."""

    __slots__ = ()


class SetValues(Mapping[str, Any]):
    """What is set in one place: as stored, or (while planning) as it would be set."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._values: dict[str, Any] = {}

    def put(self, name: str, value: Any) -> None:
        self._values[name] = value

    def drop(self, name: str) -> None:
        self._values.pop(name, None)

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        if isinstance(value, StoredText):
            value = self._values[name] = self._seal.value_of(value)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass
class Settings:
    """What people set, by place."""

    seal: Seal
    values: dict[Place, SetValues] = field(default_factory=dict)
    #: of deployments and nodes, weakest first
    profiles: dict[tuple[AttributeScope, int], tuple[str, ...]] = field(default_factory=dict)

    def at(self, place: Place) -> SetValues:
        return self.values.setdefault(place, SetValues(self.seal))


def load_settings(
    connection: Connection, node_ids: Collection[int], node_role_ids: Collection[int], seal: Seal
) -> Settings:
    settings = Settings(seal)
    nodes, focus = connection.ids(node_ids), connection.ids(node_role_ids)
    for scope, subject_id, profile, name, text in connection.fetch(_SET_VALUES, nodes, focus):
        settings.at((AttributeScope(scope), subject_id, profile)).put(name, StoredText(text))
    for scope, subject_id, profile in connection.fetch(_ATTACHED, nodes):
        subject = (AttributeScope(scope), subject_id)
        settings.profiles[subject] = (*settings.profiles.get(subject, ()), profile)
    return settings


class LayeredValues:
    """Implements `domain.graph.Values`."""

    def __init__(
        self,
        settings: Settings,
        books: Mapping[DeploymentId, Book],
        ancestry: Mapping[DeploymentId, tuple[DeploymentId, ...]],
    ) -> None:
        self._settings = settings
        self._books = books
        self._ancestry = ancestry
        self._around: dict[tuple[DeploymentId, NodeId | None], tuple[Layer, ...]] = {}

    def value(self, node_role: NodeRole, attribute: str) -> Any:
        if self._settings.values:
            found = resolve(attribute, self._layers(node_role))
            if isinstance(found, Resolved):
                return found.value
        declared = self._books[node_role.deployment_id].attributes.get(attribute)
        return declared.default if declared is not None and declared.has_default else MISSING

    def set_value(
        self, scope: AttributeScope, subject_id: int, name: str, value: Any, *, profile: str = ""
    ) -> None:
        self._settings.at((scope, subject_id, profile)).put(name, value)
        self._around.clear()

    def clear_value(
        self, scope: AttributeScope, subject_id: int, name: str, *, profile: str = ""
    ) -> None:
        self._settings.at((scope, subject_id, profile)).drop(name)
        self._around.clear()

    def attach_profiles(
        self, scope: AttributeScope, subject_id: int, profiles: tuple[str, ...]
    ) -> None:
        self._settings.profiles[scope, subject_id] = profiles
        self._around.clear()

    # -- layers ------------------------------------------------------------------------------------

    def _layers(self, node_role: NodeRole) -> tuple[Layer, ...]:
        key = (node_role.deployment_id, node_role.node_id)
        around = self._around.get(key)
        if around is None:
            around = self._around[key] = tuple(self._layers_around(*key))
        own = self._settings.values.get((AttributeScope.NODE_ROLE, node_role.id, ""))
        if own is None:
            return around
        return (*around, Layer(LayerKind.NODE_ROLE, str(node_role.id), own))

    def _layers_around(
        self, deployment_id: DeploymentId, node_id: NodeId | None
    ) -> Iterator[Layer]:
        outermost_first = tuple(reversed(self._ancestry[deployment_id]))
        subjects = [(AttributeScope.DEPLOYMENT, int(item)) for item in outermost_first]
        if node_id is not None:
            subjects.append((AttributeScope.NODE, node_id))
        for depth, subject in enumerate(subjects):
            for place, profile in enumerate(self._settings.profiles.get(subject, ())):
                set_there = self._settings.values.get((AttributeScope.PROFILE, 0, profile))
                if set_there is not None:
                    nearness = depth * _PROFILES_IN_A_PLACE + place
                    yield Layer(LayerKind.PROFILE, profile, set_there, depth=nearness)
            scope, subject_id = subject
            set_here = self._settings.values.get((scope, subject_id, ""))
            if set_here is not None:
                kind = LayerKind.NODE if scope is AttributeScope.NODE else LayerKind.DEPLOYMENT
                yield Layer(kind, str(subject_id), set_here, depth=depth)
