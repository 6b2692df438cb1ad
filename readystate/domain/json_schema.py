"""JSON Schema 2020-12 for attribute values. Validators are compiled once for each schema; a `$ref`
never leaves the schema itself, so that checking a value cannot reach the network."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why this is not a JSON Schema, or None."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return _describe(error)
    return None


def value_problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why the value does not match, or None. The value itself is shown only as far as JSON Schema
    must; for a secret use `is_match`."""
    try:
        errors = list(_validator(_canonical(schema)).iter_errors(value))
    except Unresolvable as error:
        return f"the schema refers to {error.ref!r}, which is not in it"
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
