"""A role's data as its work sees it: inputs under the names that a script uses, outputs under the
names that the annotation declares."""

from collections.abc import Mapping
from typing import Any

from readystate.domain.declaration import did_you_mean
from readystate.domain.errors import Invalid
from readystate.domain.json_schema import value_problem
from readystate.domain.role import Role


def script_input(role: Role, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by attribute, as a script gets them: by short name."""
    return {
        want.short_name: values[want.attribute] for want in role.wants if want.attribute in values
    }


def declared_outputs(role: Role, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the work put out, by declared name; it may itself use that or the short one.

    Raises Invalid for an output that is not declared, is given twice or does not match its schema.
    The value is not shown beyond what JSON Schema's message tells."""
    by_name = {item.name: item for item in role.outputs}
    by_short = {item.short_name: item for item in role.outputs}
    found: dict[str, Any] = {}
    for name, value in outputs.items():
        item = by_name.get(name) or by_short.get(name)
        if item is None:
            raise Invalid(
                f"{role.name} put out {name!r}",
                why="its annotation does not declare it",
                hint=did_you_mean(name, [*by_name, *by_short], else_hint="declare it"),
            )
        if item.name in found:
            raise Invalid(f"{role.name} put out {item.name!r} twice", why="by both of its names")
        wrong = value_problem(item.schema, value)
        if wrong is not None:
            raise Invalid(
                f"{role.name}: the output {item.name} does not match its schema", why=wrong
            )
        found[item.name] = value
    return found
