"""Layered attributes: which value holds for a node-role, and where it came from (design.md 4.5).

Weakest first: annotation default, profile, deployment (outermost first), node, node-role. A value
replaces the whole of a weaker one; nothing is merged. What roles put out lives apart: no layer
overrides it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any

from readystate.domain.catalog import Catalog
from readystate.domain.declaration import did_you_mean
from readystate.domain.errors import BadRequest, Conflict
from readystate.domain.json_schema import is_match, value_problem
from readystate.domain.role import Declared
from readystate.domain.secret import Secret


class LayerKind(IntEnum):
    """Weakest first: the one list of precedence."""

    ANNOTATION = 1
    PROFILE = 2
    DEPLOYMENT = 3
    NODE = 4
    NODE_ROLE = 5

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Layer:
    """The values set in one place."""

    kind: LayerKind
    name: str  #: of the role, profile, deployment, node or node-role
    values: Mapping[str, Any] = field(repr=False)  #: by attribute; secrets as `Secret`
    #: how near to the node, among layers of one kind: for a deployment its distance from the root;
    #: for a profile that of the deployment it is attached to, and one more when it is on the node
    depth: int = 0

    @property
    def source(self) -> str:
        """`deployment:rack-a`"""
        return f"{self.kind.word}:{self.name}"

    @property
    def strength(self) -> tuple[int, int]:
        return (self.kind, self.depth)


@dataclass(frozen=True)
class Loser:
    """A value that a stronger one replaced."""

    value: Any
    source: str


@dataclass(frozen=True)
class Resolved:
    value: Any
    source: str
    losers: tuple[Loser, ...] = ()  #: strongest first


@dataclass(frozen=True)
class Missing:
    """No layer has a value. Not the same as null, which is one."""

    attribute: str


def resolve(attribute: str, layers: Iterable[Layer]) -> Resolved | Missing:
    """The strongest value. The order in which the layers come is irrelevant.

    Raises Conflict when two equally strong layers both set the attribute, as two profiles attached
    to one place can: which of them is meant would be a guess."""
    holding = [layer for layer in layers if attribute in layer.values]
    if not holding:
        return Missing(attribute)
    holding.sort(key=lambda layer: (layer.strength, layer.source), reverse=True)
    for stronger, weaker in pairwise(holding):
        if stronger.strength == weaker.strength:
            raise Conflict(
                f"{attribute} is set by {weaker.source} and by {stronger.source}",
                why="neither is stronger than the other",
                hint="remove it from one of them, or set it nearer to the node",
            )
    found = [Loser(layer.values[attribute], layer.source) for layer in holding]
    return Resolved(found[0].value, found[0].source, tuple(found[1:]))


def default_layers(catalog: Catalog) -> tuple[Layer, ...]:
    """The annotations' defaults: the weakest layer, one for each role that has any."""
    found = (
        Layer(
            LayerKind.ANNOTATION,
            name,
            {item.name: item.default for item in role.attributes if item.has_default},
        )
        for name, role in catalog.roles.items()
    )
    return tuple(layer for layer in found if layer.values)


def check_value(attribute: Declared, value: Any, *, place: str) -> None:
    """Raises BadRequest, which names the place (`deployment:rack-a`) and never shows a secret."""
    plain = value.reveal() if isinstance(value, Secret) else value
    if attribute.secret or isinstance(value, Secret):
        if not is_match(attribute.schema, plain):
            raise BadRequest(
                f"{attribute.name} at {place}: the value does not match its schema",
                why="it is a secret and not shown",
            )
        return
    wrong = value_problem(attribute.schema, plain)
    if wrong is not None:
        raise BadRequest(
            f"{attribute.name} at {place}: the value does not match its schema", why=wrong
        )


def check_settable(catalog: Catalog, name: str, *, place: str) -> Declared:
    """The attribute, if a layer may set it. Raises BadRequest for outputs and unknown names."""
    declared = catalog.attributes.get(name)
    if declared is not None:
        return declared
    owner = catalog.output_source(name)
    if owner is not None:
        raise BadRequest(
            f"{name} at {place}: no layer may set it",
            why=f"the role {owner} puts it out",
        )
    raise BadRequest(
        f"{name} at {place}: no role declares this attribute",
        hint=did_you_mean(name, catalog.attributes),
    )


def layer_problems(catalog: Catalog, layer: Layer) -> tuple[BadRequest, ...]:
    """Everything that is wrong with what one place sets, by attribute."""
    problems = []
    for name, value in sorted(layer.values.items()):
        try:
            attribute = check_settable(catalog, name, place=layer.source)
            check_value(attribute, value, place=layer.source)
        except BadRequest as problem:
            problems.append(problem)
    return tuple(problems)
