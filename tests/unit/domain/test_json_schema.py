"""Schemas and values, without reaching beyond them."""

import socket
from typing import Any

import pytest

from readystate.domain.json_schema import is_match, schema_problem, value_problem


def test_a_sound_schema_has_no_problem() -> None:
    assert schema_problem({"type": ["string", "null"], "pattern": "^a"}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"minimum": "1"},
        {"required": "name"},
        {"pattern": "("},
        {"items": {"patternProperties": {"[": {}}}},
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/$defs/nowhere"}}},
        {"$ref": "http://127.0.0.1/schema.json"},
        {"anyOf": [{"$dynamicRef": "#gone"}]},
    ],
)
def test_an_unsound_schema_is_found(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) is not None


def test_a_schema_that_is_too_deep_is_found() -> None:
    schema: dict[str, Any] = {}
    for _ in range(300):
        schema = {"items": schema}

    assert schema_problem(schema) == "it is nested too deeply"


def test_data_inside_a_schema_is_no_schema() -> None:
    assert schema_problem({"enum": [{"pattern": "("}], "default": {"$ref": "nowhere"}}) is None


def test_a_schema_may_refer_to_itself_where_a_value_gets_smaller() -> None:
    schema = {"type": "object", "additionalProperties": {"$ref": "#"}}

    assert schema_problem(schema) is None
    assert is_match(schema, {"a": {"b": {}}})


def test_a_wrong_value_is_found_with_its_place() -> None:
    schema = {"type": "array", "items": {"properties": {"port": {"maximum": 65535}}}}

    assert value_problem(schema, [{"port": 1}, {"port": 70000}]) == (
        "1/port: 70000 is greater than the maximum of 65535"
    )
    assert value_problem(schema, [{"port": 1}]) is None
    assert not is_match(schema, {})


def test_a_reference_never_leaves_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("reached for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    url = "http://127.0.0.1:9/schema.json"

    assert value_problem({"$ref": url}, 1) == f"the schema refers to {url!r}, which is not in it"


def test_a_reference_within_the_schema_is_followed() -> None:
    schema = {"$defs": {"port": {"type": "integer"}}, "$ref": "#/$defs/port"}

    assert is_match(schema, 80)
    assert not is_match(schema, "80")
