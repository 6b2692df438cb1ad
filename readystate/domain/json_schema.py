"""JSON Schema 2020-12 for attribute values. Validators are compiled once for each schema; a `$ref`
never leaves the schema itself, so that checking a value cannot reach the network."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_DATA = frozenset({"const", "enum", "default", "examples"})  #: keys that hold no schema


class _Lookup(Protocol):
    def lookup(self, ref: str) -> object: ...


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why this is not a JSON Schema, or None."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return _describe(error)
    except RecursionError:
        return "it is nested too deeply"
    return next(_deeper_problems(schema, _resolver(schema)), None) or _endless_problem(schema)


def _deeper_problems(schema: Any, resolver: _Lookup) -> Iterator[str]:
    """What the meta-schema cannot see: patterns that do not compile, references to nowhere."""
    if isinstance(schema, list):
        for item in schema:
            yield from _deeper_problems(item, resolver)
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            yield from _pattern_problems([value])
        elif key == "patternProperties" and isinstance(value, Mapping):
            yield from _pattern_problems(value)
        elif key in ("$ref", "$dynamicRef") and isinstance(value, str):
            try:
                resolver.lookup(value)
            except Unresolvable:
                yield f"{value!r} refers to nothing in it"
        if key not in _DATA:
            yield from _deeper_problems(value, resolver)


def _pattern_problems(patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{pattern!r} is not a regular expression: {error}"


def _endless_problem(schema: Mapping[str, Any]) -> str | None:
    """`{$ref: "#"}` is a sound schema by the book, and no value can ever be checked against it."""
    try:
        next(_validator(_canonical(schema)).iter_errors(None), None)
    except RecursionError:
        return "a reference leads back to itself"
    return None


def _resolver(schema: Mapping[str, Any]) -> _Lookup:
    resolver: _Lookup = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    return resolver


def value_problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why the value does not match, or None. The value itself is shown only as far as JSON Schema
    must; for a secret use `is_match`."""
    try:
        errors = list(_validator(_canonical(schema)).iter_errors(value))
    except Unresolvable as error:
        return f"the schema refers to {error.ref!r}, which is not in it"
    except RecursionError:
        return "it is nested too deeply"
    if not errors:
        return None
    return _describe(min(errors, key=lambda item: (len(item.absolute_path), str(item.json_path))))


def is_match(schema: Mapping[str, Any], value: Any) -> bool:
    return value_problem(schema, value) is None


def _describe(error: ValidationError | SchemaError) -> str:
    where = "/".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message}" if where else str(error.message)


def _canonical(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=4096)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), registry=Registry())
