"""All roles together: parents, order, what is derived, and what is refused."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readystate.domain.catalog import Catalog, ParentNeed, SoftParent
from readystate.domain.declaration import DeclaredRole
from readystate.domain.dot import to_dot
from readystate.domain.errors import AnnotationsInvalid, NotFound
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Epoch, Flag, Lane, Reboot, Role, Scope, Take, Want

ANY: dict[str, Any] = {}


def role(name: str, **keys: Any) -> Role:
    if "lane" in keys:
        keys = {"jig": "call", "argument": "work", **keys}
    return Role(RoleName(name), "Something.", **keys)


def declare(item: Role, *, says_invalidated_by: bool = False, **content: Any) -> DeclaredRole:
    return DeclaredRole(
        item,
        f"annotations/{item.name}.yml",
        content={"role": item.name, **content},
        says_invalidated_by=says_invalidated_by or bool(item.invalidated_by),
    )


def build(*roles: Role) -> Catalog:
    return Catalog.build([declare(item) for item in roles])


def name(text: str) -> RoleName:
    return RoleName(text)


# -- parents ---------------------------------------------------------------------------------------


def test_parents_come_from_requires_wants_and_when_each_once() -> None:
    catalog = build(
        role("a", outputs=(Declared("a/x"), Declared("a/y")), lane=Lane.BMC),
        role("b", outputs=(Declared("b/x"),), lane=Lane.BMC),
        role("c"),
        role(
            "d",
            lane=Lane.BMC,
            requires=(name("c"), name("b")),
            wants=(Want("b/x", source=name("b")), Want("a/x", source=name("a"))),
            when=(("a/y", 1), ("b/x", 2)),
        ),
    )

    assert catalog.parents(name("d")) == (
        ParentNeed(name("c"), "requires"),
        ParentNeed(name("b"), "requires"),
        ParentNeed(name("a"), "wants"),
    )


def test_a_condition_on_an_output_makes_its_role_a_hard_parent() -> None:
    catalog = build(
        role("inventory", lane=Lane.BMC, outputs=(Declared("vendor"),)),
        role("bios", lane=Lane.BMC, when=(("vendor", "Dell"),)),
    )

    assert catalog.parents(name("bios")) == (ParentNeed(name("inventory"), "when"),)


def test_a_condition_on_an_attribute_makes_nobody_a_parent() -> None:
    gate = Declared("bios/enabled", default=False, has_default=True)
    catalog = build(
        role("other", lane=Lane.BMC, attributes=(gate,)),
        role("bios", lane=Lane.BMC, when=(("bios/enabled", True),)),
    )

    assert catalog.parents(name("bios")) == ()


# -- providers -------------------------------------------------------------------------------------


def storage(*, conflict: bool = True) -> tuple[Role, ...]:
    return (
        role("storage", flags=frozenset({Flag.ABSTRACT}), outputs=(Declared("storage/size"),)),
        role("tape", lane=Lane.OS, provides=(name("storage"),)),
        role(
            "disk",
            lane=Lane.OS,
            provides=(name("storage"),),
            conflicts=(name("tape"),) if conflict else (),
        ),
    )


def test_a_role_provides_its_own_name_before_others_do() -> None:
    catalog = build(role("z"), role("a", provides=(name("z"),)))

    assert catalog.providers(name("z")) == ("z", "a")
    assert catalog.choice(name("z")) == "z"
    assert catalog.providers(name("nobody")) == ()


def test_an_abstract_role_is_no_provider_and_conflicting_ones_are_a_person_s_choice() -> None:
    catalog = build(*storage(), role("web", requires=(name("storage"),)))

    assert catalog.providers(name("storage")) == ("disk", "tape")
    assert catalog.choice(name("storage")) is None
    assert catalog.hard_parent_roles(name("web")) == ("disk", "tape")


def test_a_single_provider_is_the_choice() -> None:
    catalog = build(*storage()[:2], role("web", requires=(name("storage"),)))

    assert catalog.choice(name("storage")) == "tape"


def test_providers_that_do_not_conflict_are_an_ambiguity() -> None:
    with pytest.raises(AnnotationsInvalid, match="disk and tape both provide storage"):
        build(*storage(conflict=False), role("web", requires=(name("storage"),)))


def test_a_role_may_conflict_with_whoever_else_provides_what_it_provides() -> None:
    rival = role("disk", provides=(name("storage"),), conflicts=(name("storage"),))
    catalog = build(*storage()[:2], rival, role("web", requires=(name("storage"),)))

    assert catalog.choice(name("storage")) is None


def test_an_abstract_role_s_outputs_are_put_out_by_its_providers() -> None:
    want = Want("storage/size", source=name("storage"))
    catalog = build(*storage(), role("web", lane=Lane.OS, wants=(want,)))

    assert catalog.output_source("storage/size") == "storage"
    assert [item.name for item in catalog.role(name("disk")).outputs] == ["storage/size"]
    assert catalog.parents(name("web")) == (ParentNeed(name("storage"), "wants"),)


# -- names -----------------------------------------------------------------------------------------


def test_owners_of_data_are_found_and_unknown_names_refused_with_a_remedy() -> None:
    catalog = build(
        role("a", lane=Lane.OS, outputs=(Declared("a/size"),), attributes=(Declared("a/port"),))
    )

    assert catalog.output_owner("a/size").name == "a"
    assert catalog.attribute_owner("a/port").name == "a"
    assert catalog.attribute("a/port") == Declared("a/port")
    assert catalog.output_source("a/port") is None
    for ask in (catalog.output_owner, catalog.attribute_owner, catalog.attribute):
        with pytest.raises(NotFound) as refusal:
            ask("a/siz" if ask == catalog.output_owner else "a/prt")
        assert refusal.value.hint.startswith("did you mean")
    with pytest.raises(NotFound, match='no role named "b"'):
        catalog.role(name("b"))


# -- derived ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reboot", [Reboot.SHARED, Reboot.ALONE])
def test_a_role_that_reboots_raises_reboot(reboot: Reboot) -> None:
    lane = Lane.BMC if reboot is Reboot.SHARED else Lane.BOTH
    item = role("a", lane=lane, reboot=reboot, raises=frozenset({Epoch.HARDWARE_CHANGE}))

    assert build(item).role(name("a")).raises == {Epoch.REBOOT, Epoch.HARDWARE_CHANGE}


def below_reinstall(lane: Lane, **keys: Any) -> tuple[Role, ...]:
    return (
        role("os", lane=Lane.BOTH, raises=frozenset({Epoch.REINSTALL})),
        role("installed", requires=(name("os"),)),
        role("a", lane=lane, requires=(name("installed"),), **keys),
    )


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (Lane.OS, {Epoch.REINSTALL}),
        (Lane.BOTH, {Epoch.REINSTALL}),
        (Lane.BMC, set()),
        (Lane.NONE, set()),
    ],
)
def test_what_lives_on_a_disk_is_un_settled_by_a_reinstall(
    lane: Lane, expected: set[Epoch]
) -> None:
    assert build(*below_reinstall(lane)).role(name("a")).invalidated_by == expected


def test_a_file_that_speaks_of_invalidation_has_the_last_word() -> None:
    roles = below_reinstall(Lane.OS)
    catalog = Catalog.build([declare(item, says_invalidated_by=True) for item in roles])

    assert catalog.role(name("a")).invalidated_by == frozenset()


def test_the_raiser_of_reinstall_is_not_un_settled_by_itself() -> None:
    assert build(*below_reinstall(Lane.OS)).role(name("os")).invalidated_by == frozenset()


def version(**content: Any) -> str:
    return Catalog.build([declare(role("a"), **content)]).role(name("a")).version


def test_version_is_sixteen_digits_of_what_matters() -> None:
    assert len(version()) == 16
    assert version(jig="noop", lane="none") == version(lane="none", jig="noop")
    assert version(requires=["b"]) != version(requires=["c"])


@pytest.mark.parametrize("key", ["summary", "retry", "deadline_s", "priority"])
def test_what_changes_no_result_changes_no_version(key: str) -> None:
    """Else a corrected sentence would run a fleet anew."""
    assert version(**{key: 1}) == version(**{key: 2})


# -- order -----------------------------------------------------------------------------------------


def chain() -> list[Role]:
    return [
        role("c", requires=(name("b"),)),
        role("b", requires=(name("a"),)),
        role("a"),
        role("d", requires=(name("a"), name("c"))),
        role("e"),
    ]


def test_order_has_parents_first_and_cohorts_count_the_steps() -> None:
    catalog = build(*chain())

    assert catalog.order() == ("a", "b", "c", "d", "e")
    assert [catalog.cohort(item) for item in catalog.order()] == [0, 1, 2, 3, 0]
    assert catalog.ancestors(name("d")) == {"a", "b", "c"}


def test_soft_parents_are_declared_or_implied_and_never_hard_ones() -> None:
    reboots = frozenset({Epoch.REBOOT})
    catalog = build(
        role("kernel", lane=Lane.BOTH, reboot=Reboot.ALONE),
        role("fan", lane=Lane.OS, invalidated_by=reboots),
        role("led", lane=Lane.OS, invalidated_by=reboots, requires=(name("kernel"),)),
        role("log", after=(name("fan"), name("kernel"))),
    )

    assert catalog.soft_parents(name("fan")) == (SoftParent(name("kernel"), "invalidates"),)
    assert catalog.soft_parents(name("led")) == ()
    assert catalog.soft_parents(name("log")) == (
        SoftParent(name("fan"), "after"),
        SoftParent(name("kernel"), "after"),
    )


def test_a_deployment_role_is_un_settled_by_no_node_s_epoch() -> None:
    catalog = build(
        role("kernel", lane=Lane.BOTH, reboot=Reboot.ALONE),
        role("site", jig="call", argument="x", scope=Scope.DEPLOYMENT),
    )

    assert catalog.soft_parents(name("site")) == ()


def test_a_deployment_role_counts_what_a_cluster_puts_out() -> None:
    want = Want("peer/id", source=name("peer"), take=Take.COUNT)
    catalog = build(
        role("peer", lane=Lane.OS, scope=Scope.CLUSTER, outputs=(Declared("peer/id"),)),
        role("site", jig="call", argument="x", scope=Scope.DEPLOYMENT, wants=(want,)),
    )

    assert catalog.parents(name("site")) == (ParentNeed(name("peer"), "wants"),)


@st.composite
def many_roles(draw: st.DrawFn) -> list[Role]:
    """Roles that only rest on earlier ones."""
    roles = []
    for i in range(draw(st.integers(1, 8))):
        earlier = [name(f"r{k}") for k in range(i)]
        chosen = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        cut = draw(st.integers(0, len(chosen)))
        roles.append(role(f"r{i}", requires=tuple(chosen[:cut]), after=tuple(chosen[cut:])))
    return roles


@given(many_roles(), st.randoms(use_true_random=False))
def test_a_catalog_does_not_depend_on_the_order_of_its_files(
    roles: list[Role], shuffler: random.Random
) -> None:
    first = build(*roles)

    shuffler.shuffle(roles)
    second = build(*roles)

    assert (first.order(), dict(first.roles)) == (second.order(), dict(second.roles))
    place = {item: i for i, item in enumerate(first.order())}
    for item in roles:
        assert all(place[need.name] < place[item.name] for need in first.parents(item.name))


@given(many_roles(), st.data())
def test_an_edge_back_is_found_whatever_stands_around_it(
    roles: list[Role], data: st.DataObject
) -> None:
    catalog = build(*roles)
    child = data.draw(st.sampled_from(roles))
    above = sorted({child.name, *catalog.ancestors(child.name)})
    back = data.draw(st.sampled_from(above))
    broken = [
        Role(item.name, "-", requires=(*item.requires, child.name), after=item.after)
        if item.name == back and child.name not in item.requires
        else item
        for item in roles
    ]

    assert "a cycle of hard needs" in problems(broken)


def problems(roles: Sequence[Role]) -> str:
    with pytest.raises(AnnotationsInvalid) as refusal:
        build(*roles)
    return str(refusal.value)


def test_all_problems_come_in_one_error_sorted_by_file() -> None:
    roles = [role("b", requires=(name("x"),)), role("a", requires=(name("y"),))]

    with pytest.raises(AnnotationsInvalid) as refusal:
        build(*roles)

    assert [item.what for item in refusal.value.problems] == [
        'annotations/a.yml:1 requires[0]: no role is named "y"',
        'annotations/b.yml:1 requires[0]: no role is named "x"',
    ]


# -- picture ---------------------------------------------------------------------------------------


def test_the_picture_shows_hard_and_soft_edges_and_quotes_names() -> None:
    catalog = build(
        role("a", lane=Lane.BMC, flags=frozenset({Flag.DESTRUCTIVE})),
        Role(name("b"), 'Say "hello".', requires=(name("a"),), after=(name("c"),)),
        role("c", flags=frozenset({Flag.MILESTONE})),
    )

    assert to_dot(catalog) == (
        "digraph roles {\n"
        '  rankdir=LR; node [style=filled, fontname="sans-serif"];\n'
        '  "a" [shape=box, fillcolor="#dbeafe", color="#b91c1c", penwidth=2,'
        ' tooltip="Something."];\n'
        '  "b" [shape=box, fillcolor="#ffffff", tooltip="Say \\"hello\\"."];\n'
        '  "c" [shape=doubleoctagon, fillcolor="#ffffff", tooltip="Something."];\n'
        '  "a" -> "b" [tooltip=requires];\n'
        '  "c" -> "b" [style=dashed, constraint=false, tooltip=after];\n'
        "}\n"
    )
