"""Layered attribute values of one working set, resolved when a rule asks (design.md section 4.5).

Weakest first: annotation default < profile < deployment (outermost first) < node < node-role. A
value replaces whole. Values stay as they were stored until somebody reads them: most are not, and
opening a secret costs more than all else here."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from readystate.adapters.store.connection import Connection
from readystate.adapters.store.secrets import Seal
from readystate.domain.deployment import AttributeScope
from readystate.domain.errors import NotFound
from readystate.domain.graph import MISSING, RoleBook
from readystate.domain.ids import DeploymentId
from readystate.domain.node_role import NodeRole
from readystate.domain.role import Declared

_SET_VALUES = """
SELECT scope, subject_id, profile, name, value FROM attributes WHERE scope = 'deployment'
UNION ALL SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope = 'node' AND subject_id IN ?ids
UNION ALL SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope = 'node-role' AND subject_id IN ?ids
UNION ALL SELECT scope, subject_id, profile, name, value FROM attributes
 WHERE scope = 'profile' AND subject_id = 0 AND profile IN (
  SELECT profile FROM profile_attachments
   WHERE scope = 'deployment' OR (scope = 'node' AND subject_id IN ?ids))
"""
_ATTACHED = """
SELECT scope, subject_id, profile FROM profile_attachments
 WHERE scope = 'deployment' OR (scope = 'node' AND subject_id IN ?ids)
 ORDER BY scope, subject_id, position
"""

Place = tuple[AttributeScope, int, str]  #: scope, subject, profile


class Book(RoleBook, Protocol):
    """The roles in force, and the attributes that they declare."""

    def attribute(self, name: str) -> Declared:
        """Raises NotFound."""
        ...


class StoredText(str):
    """A value as it stands in the database: JSON in which secrets are sealed."""

    __slots__ = ()


@dataclass
class Layers:
    """What people set: as stored, or (while planning) as they would set it."""

    seal: Seal
    values: dict[Place, dict[str, Any]] = field(default_factory=dict)
    #: of deployments and nodes, weakest first
    profiles: dict[tuple[AttributeScope, int], list[str]] = field(default_factory=dict)


def load_layers(
    connection: Connection, node_ids: Collection[int], node_role_ids: Collection[int], seal: Seal
) -> Layers:
    layers = Layers(seal)
    nodes, focus = connection.ids(node_ids), connection.ids(node_role_ids)
    for scope, subject_id, profile, name, text in connection.fetch(
        _SET_VALUES, nodes, focus, nodes
    ):
        place = (AttributeScope(scope), subject_id, profile)
        layers.values.setdefault(place, {})[name] = StoredText(text)
    for scope, subject_id, profile in connection.fetch(_ATTACHED, nodes):
        layers.profiles.setdefault((AttributeScope(scope), subject_id), []).append(profile)
    return layers


class LayeredValues:
    """Implements `domain.graph.Values`."""

    def __init__(
        self,
        layers: Layers,
        books: Mapping[DeploymentId, Book],
        ancestry: Mapping[DeploymentId, tuple[DeploymentId, ...]],
    ) -> None:
        self._layers = layers
        self._books = books
        self._ancestry = ancestry
        self._opened: dict[str, Any] = {}

    def value(self, node_role: NodeRole, attribute: str) -> Any:
        set_values = self._layers.values
        if set_values:
            for place in self._places(node_role):
                here = set_values.get(place)
                if here is not None and attribute in here:
                    return self._open(here[attribute])
        return self._default(node_role, attribute)

    def set_value(
        self, scope: AttributeScope, subject_id: int, name: str, value: Any, *, profile: str = ""
    ) -> None:
        self._layers.values.setdefault((scope, subject_id, profile), {})[name] = value

    def clear_value(
        self, scope: AttributeScope, subject_id: int, name: str, *, profile: str = ""
    ) -> None:
        self._layers.values.get((scope, subject_id, profile), {}).pop(name, None)

    def attach_profiles(
        self, scope: AttributeScope, subject_id: int, profiles: tuple[str, ...]
    ) -> None:
        self._layers.profiles[scope, subject_id] = list(profiles)

    def _places(self, node_role: NodeRole) -> Iterator[Place]:
        """Strongest first."""
        outwards = self._ancestry[node_role.deployment_id]
        yield AttributeScope.NODE_ROLE, node_role.id, ""
        if node_role.node_id is not None:
            yield AttributeScope.NODE, node_role.node_id, ""
        for item in outwards:
            yield AttributeScope.DEPLOYMENT, item, ""
        subjects: list[tuple[AttributeScope, int]] = []
        if node_role.node_id is not None:
            subjects.append((AttributeScope.NODE, node_role.node_id))
        subjects += [(AttributeScope.DEPLOYMENT, item) for item in outwards]
        for subject in subjects:
            for profile in reversed(self._layers.profiles.get(subject, ())):
                yield AttributeScope.PROFILE, 0, profile

    def _default(self, node_role: NodeRole, attribute: str) -> Any:
        try:
            declared = self._books[node_role.deployment_id].attribute(attribute)
        except NotFound:
            return MISSING
        return declared.default if declared.has_default else MISSING

    def _open(self, value: Any) -> Any:
        if not isinstance(value, StoredText):
            return value
        if value not in self._opened:
            self._opened[value] = self._layers.seal.value_of(value)
        return self._opened[value]
