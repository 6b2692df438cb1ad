"""Layers, provenance, and the values that are refused."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readystate.domain.attribute import (
    Layer,
    LayerKind,
    Loser,
    Missing,
    Resolved,
    check_value,
    default_layers,
    layer_problems,
    resolve,
)
from readystate.domain.catalog import Catalog
from readystate.domain.declaration import DeclaredRole
from readystate.domain.errors import BadRequest, Conflict
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Role
from readystate.domain.secret import Secret

SERVERS = Declared(
    "dns/servers",
    {"type": "array", "items": {"type": "string"}},
    default=["192.0.2.1"],
    has_default=True,
)
PASSWORD = Declared("os/password", {"type": "string", "minLength": 8}, secret=True)
SEEN = Declared("hardware/vendor", {"type": "string"})


def catalog() -> Catalog:
    role = Role(
        RoleName("dns"), "-", "call", "look", attributes=(SERVERS, PASSWORD), outputs=(SEEN,)
    )
    return Catalog.build([DeclaredRole(role, "annotations/dns.yml")])


def layer(kind: LayerKind, name: str, value: Any, depth: int = 0) -> Layer:
    return Layer(kind, name, {"dns/servers": value}, depth)


def test_the_strongest_layer_wins_and_the_losers_are_kept_strongest_first() -> None:
    layers = [
        layer(LayerKind.DEPLOYMENT, "system", ["a"]),
        layer(LayerKind.NODE, "node-7", ["c"]),
        layer(LayerKind.DEPLOYMENT, "rack-a", ["b"], depth=1),
        layer(LayerKind.PROFILE, "lab", ["p"]),
    ]

    assert resolve("dns/servers", layers) == Resolved(
        ["c"],
        "node:node-7",
        (
            Loser(["b"], "deployment:rack-a"),
            Loser(["a"], "deployment:system"),
            Loser(["p"], "profile:lab"),
        ),
    )


def test_a_node_role_s_own_value_is_stronger_than_the_node_s() -> None:
    layers = [layer(LayerKind.NODE_ROLE, "node-7/dns", [1]), layer(LayerKind.NODE, "node-7", [2])]

    resolved = resolve("dns/servers", layers)

    assert isinstance(resolved, Resolved)
    assert resolved.source == "node-role:node-7/dns"


def test_a_value_replaces_the_whole_of_a_weaker_one() -> None:
    layers = [layer(LayerKind.NODE, "n", {"b": 2}), layer(LayerKind.PROFILE, "p", {"a": 1})]

    resolved = resolve("dns/servers", layers)

    assert isinstance(resolved, Resolved)
    assert resolved.value == {"b": 2}


def test_null_is_a_value() -> None:
    layers = [layer(LayerKind.NODE, "n", None), layer(LayerKind.PROFILE, "p", 1)]

    assert resolve("dns/servers", layers) == Resolved(None, "node:n", (Loser(1, "profile:p"),))


def test_an_attribute_that_nobody_sets_is_missing() -> None:
    assert resolve("other", [layer(LayerKind.NODE, "n", 1)]) == Missing("other")


def test_annotation_defaults_are_the_weakest_layer() -> None:
    layers = [*default_layers(catalog()), layer(LayerKind.PROFILE, "p", ["198.51.100.1"])]

    assert resolve("dns/servers", layers) == Resolved(
        ["198.51.100.1"], "profile:p", (Loser(["192.0.2.1"], "annotation:dns"),)
    )


def test_two_profiles_at_one_place_are_refused_for_what_both_set() -> None:
    layers = [layer(LayerKind.PROFILE, "one", 1), layer(LayerKind.PROFILE, "two", 1)]

    with pytest.raises(Conflict, match="set by profile:one and by profile:two"):
        resolve("dns/servers", layers)


def test_two_profiles_at_one_place_are_refused_even_below_a_stronger_value() -> None:
    """Else editing the node's value away would turn a working node into a refusal."""
    layers = [
        layer(LayerKind.PROFILE, "one", 1),
        layer(LayerKind.PROFILE, "two", 1),
        layer(LayerKind.NODE, "n", 1),
    ]

    with pytest.raises(Conflict):
        resolve("dns/servers", layers)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(LayerKind), st.integers(0, 3)),
        st.dictionaries(st.sampled_from("abc"), st.integers()),
    ),
    st.randoms(use_true_random=False),
)
def test_resolve_is_order_free(
    places: dict[tuple[LayerKind, int], dict[str, int]], shuffler: random.Random
) -> None:
    layers = [Layer(kind, f"{depth}", values, depth) for (kind, depth), values in places.items()]
    expected = [resolve(name, layers) for name in "abc"]

    shuffler.shuffle(layers)

    assert [resolve(name, layers) for name in "abc"] == expected
    for name, found in zip("abc", expected, strict=True):
        holding = [item for item in places if name in places[item]]
        if holding:
            assert isinstance(found, Resolved)
            assert found.value == places[max(holding)][name]
            assert len(found.losers) == len(holding) - 1
        else:
            assert found == Missing(name)


def test_a_value_that_does_not_match_its_schema_is_refused_with_its_place() -> None:
    with pytest.raises(BadRequest) as refusal:
        check_value(SERVERS, "192.0.2.53", place="deployment:rack-a")

    assert str(refusal.value) == (
        "dns/servers at deployment:rack-a: the value does not match its schema:"
        " '192.0.2.53' is not of type 'array'"
    )


@pytest.mark.parametrize("value", [Secret("hunter2"), "hunter2"])
def test_a_refused_secret_is_not_shown(value: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_value(PASSWORD, value, place="node:node-7")

    assert "hunter2" not in f"{refusal.value!r} {refusal.value} {refusal.value.__context__}"
    assert "os/password at node:node-7" in str(refusal.value)


def test_a_matching_secret_is_accepted() -> None:
    check_value(PASSWORD, Secret("correct horse"), place="node:node-7")


def test_secrets_in_layers_and_results_are_not_shown() -> None:
    layers = [
        Layer(LayerKind.NODE, "n", {"os/password": Secret("hunter22")}),
        Layer(LayerKind.DEPLOYMENT, "d", {"os/password": Secret("hunter23")}),
    ]

    shown = f"{layers} {resolve('os/password', layers)}"

    assert "hunter" not in shown


def test_every_problem_of_a_layer_is_found() -> None:
    values = {
        "dns/servers": [53],
        "dns/server": [],
        "hardware/vendor": "Dell",
        "os/password": Secret("short"),
    }

    problems = layer_problems(catalog(), Layer(LayerKind.NODE, "node-7", values))

    assert [(str(item), item.hint) for item in problems] == [
        (
            "dns/server at node:node-7: no role declares this attribute",
            'did you mean "dns/servers"?',
        ),
        (
            "dns/servers at node:node-7: the value does not match its schema:"
            " 0: 53 is not of type 'string'",
            "",
        ),
        (
            "hardware/vendor at node:node-7: no layer may set it: the role dns puts it out",
            "",
        ),
        (
            "os/password at node:node-7: the value does not match its schema:"
            " it is a secret and not shown",
            "",
        ),
    ]
