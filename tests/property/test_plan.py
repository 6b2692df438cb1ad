"""A plan tells what will happen: held to what the machines themselves count when it does."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from readystate.domain.deployment import AttributeScope, Bind, Change, Confirm, SetAttribute, Unbind
from readystate.domain.errors import Conflict, InvalidTransition
from readystate.domain.ids import RoleName
from readystate.domain.plan import Certainty, Plan
from tests.property.catalogs import RandomCatalog, random_catalogs
from tests.property.world import World

EXAMPLES = 2000 if os.environ.get("LONG") else 250
FEW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)

FEWER = settings(FEW, max_examples=EXAMPLES // 2)


def _binds(world: World, names: list[str], nodes: list[Any]) -> list[Change]:
    changes: list[Change] = []
    for name in names:
        role = world.catalog.role(name)
        if role.scope.value == "deployment":
            changes.append(Bind(role.name))
        else:
            changes += [Bind(role.name, item) for item in nodes]
    return changes


@st.composite
def worlds_at_rest(draw: st.DrawFn) -> World:
    """A random graph, partly bound, quiet."""
    random: RandomCatalog = draw(random_catalogs())
    world = World(random, nodes=draw(st.integers(1, 3)), deep=draw(st.booleans()))
    names = [name for name in random.catalog.roles if name != "settings"]
    first = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    try:
        world.commit(_binds(world, first, world.nodes[:2]))
    except Conflict:
        world.close()
        assume(False)
    world.drain()
    return world


@st.composite
def changes_of(draw: st.DrawFn, world: World) -> list[Change]:
    names = [name for name in world.catalog.roles if name != "settings"]
    kind = draw(st.sampled_from(["attribute", "attribute", "bind", "bind", "confirm", "unbind"]))
    if kind == "attribute":
        name = draw(st.sampled_from(["set/a", "set/b", "set/gate", "set/required"]))
        value: Any = draw(st.booleans()) if name == "set/gate" else draw(st.integers(0, 2))
        scope, subject = draw(
            st.sampled_from(
                [
                    (AttributeScope.DEPLOYMENT, int(world.deployments[0])),
                    (AttributeScope.NODE, int(world.nodes[0])),
                ]
            )
        )
        return [SetAttribute(scope, subject, name, value)]
    if kind == "bind":
        more = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        nodes = draw(st.lists(st.sampled_from(world.nodes), min_size=1, unique=True))
        return _binds(world, more, nodes)
    found = [it for it in world.node_roles() if not world.is_barrier(it)]
    if not found:
        return []
    chosen = found[draw(st.integers(0, len(found) - 1))]
    return [Confirm(chosen.id) if kind == "confirm" else Unbind(chosen.id)]


@FEW
@given(st.data())
def test_what_happens_lies_within_the_plan(data: st.DataObject) -> None:
    world = data.draw(worlds_at_rest())
    try:
        for _ in range(data.draw(st.integers(1, 3))):
            try:
                _change_and_compare(world, data.draw(changes_of(world)))
            except (Conflict, InvalidTransition):
                continue
    finally:
        world.close()


def _change_and_compare(world: World, changes: list[Change]) -> None:
    plan: Plan = world.plan(changes)
    world.tally.runs.clear()
    world.tally.reboots.clear()
    world.commit(changes, digest=plan.digest)
    world.drain()
    happened = _runs_by_place(world)
    told = f"{plan}\nhappened: {happened}\n{world.describe()}"
    at_most = {str(item.place): item.count for item in plan.runs}
    certain = {str(item.place) for item in plan.runs if item.certainty is Certainty.CERTAIN}

    assert certain <= set(happened), f"a certain run did not happen\n{told}"
    for place, count in happened.items():
        assert count <= at_most.get(place, 0), f"{place} ran {count} times\n{told}"
    for node_id in world.nodes:
        name = world.read(lambda reader, it=node_id: reader.node(it)).name
        least, most = plan.reboots.get(name, (0, 0))
        assert least <= world.tally.reboots[node_id] <= most, f"reboots of {name}\n{told}"
    if plan.is_exact:
        assert at_most == dict(happened), f"not exact\n{told}"
        assert all(least == most for least, most in plan.reboots.values()), told


def _runs_by_place(world: World) -> Counter[str]:
    names = {item: world.read(lambda reader, it=item: reader.node(it)).name for item in world.nodes}
    deployments = {item.id: item.name for item in world.read(lambda reader: reader.deployments())}
    places = {
        it.id: f"{names[it.node_id] if it.node_id else deployments[it.deployment_id]}/{it.role}"
        for it in world.node_roles()
    }
    return Counter({places[item]: count for item, count in world.tally.runs.items()})


@st.composite
def wanted_binds(draw: st.DrawFn, world: World) -> list[Change]:
    """Binds on the first node, of roles that want `set/a` where the catalog has some."""
    names = sorted(name for name in world.catalog.roles if name != "settings")
    wanting = [name for name in names if _wants(world, name, "set/a")]
    chosen = draw(st.lists(st.sampled_from(wanting or names), min_size=1))
    chosen += draw(st.lists(st.sampled_from(names), max_size=3))
    return _binds(world, list(dict.fromkeys(chosen)), world.nodes[:1])


def _wants(world: World, name: str, attribute: str) -> bool:
    return any(item.attribute == attribute for item in world.catalog.role(RoleName(name)).wants)


def _places_that_want(world: World, plan: Plan, attribute: str) -> set[str]:
    """What the plan adds on the first node and wants the attribute, by its annotation alone."""
    first = world.read(lambda reader: reader.node(world.nodes[0])).name
    return {
        str(place)
        for place in plan.added
        if place.node == first and _wants(world, place.role, attribute)
    }


def test_a_plan_that_new_work_would_run_with_other_wants_is_refused() -> None:
    """The oracle is the annotation: what is new on the node and wants the attribute."""
    compared = Counter[bool]()

    @FEWER
    @given(st.data())
    def check(data: st.DataObject) -> None:
        world = data.draw(worlds_at_rest())
        try:
            changes = data.draw(wanted_binds(world))
            try:
                plan = world.plan(changes)
            except (Conflict, InvalidTransition):
                return
            concerned = bool(_places_that_want(world, plan, "set/a"))
            compared[concerned] += 1
            if not concerned:
                return
            world.commit([SetAttribute(AttributeScope.NODE, int(world.nodes[0]), "set/a", 77)])
            with pytest.raises(Conflict, match="the plan has moved"):
                world.commit(changes, digest=plan.digest)
        finally:
            world.close()

    check()
    assert compared[True] * 10 >= compared.total(), f"hardly anything was compared: {compared}"


def test_the_order_of_the_changes_does_not_matter() -> None:
    """A proposal is a set of changes: same plan, same digest."""
    compared = Counter[bool]()

    @FEWER
    @given(st.data())
    def check(data: st.DataObject) -> None:
        world = data.draw(worlds_at_rest())
        try:
            changes = data.draw(changes_of(world)) + data.draw(wanted_binds(world))
            changes = list(dict.fromkeys(changes))
            shuffled = data.draw(st.permutations(changes))
            said = [_plan_or_refusal(world, order) for order in (changes, shuffled)]
            compared[isinstance(said[0], Plan) and list(shuffled) != changes] += 1
            assert said[0] == said[1], f"{changes}\n{shuffled}\n{world.describe()}"
        finally:
            world.close()

    check()
    assert compared[True] * 10 >= compared.total(), f"hardly anything was compared: {compared}"


def _plan_or_refusal(world: World, changes: list[Change]) -> Plan | str:
    try:
        plan: Plan = world.plan(changes)
    except (Conflict, InvalidTransition) as error:
        return type(error).__name__
    return plan
