"""Plan and commit, design.md section 4.6: what a commit writes however many units its change
reaches, and what its digest covers."""

from collections.abc import Callable

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.deployment import Bind, Change, Confirm, Recall
from readystate.domain.errors import Conflict, Unreachable
from readystate.domain.outcome import Succeeded
from readystate.domain.role import Declared, Retry, Want
from readystate.engine import propagation
from tests.property.scenario import (
    ACTIVE,
    GATED,
    SKIPPED,
    Rig,
    by_cluster,
    destructive,
    make_role,
    names,
)

MakeRig = Callable[..., Rig]
WANTS_A = (Want("set/a"),)


# -- counters --------------------------------------------------------------------------------------


@pytest.fixture
def _unit_by_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a change of more than 500 units: each is loaded after those before it were saved."""
    monkeypatch.setattr(propagation, "CHUNK", 1)


def _counters_are_right(rig: Rig) -> bool:
    return rig.read(lambda reader: reader.compare_counters()) == []


@pytest.mark.usefixtures("_unit_by_unit")
def test_a_barrier_counts_a_peer_that_is_skipped_and_one_that_joins_in_one_commit(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(by_cluster("peer", when=GATED), make_role("front", needs=["peer"]), nodes=4)
    rig.bind("peer", nodes=[0, 1, 2])
    rig.bind("front", nodes=[0])

    peer, last = names("peer")[0], rig.nodes[3]
    rig.commit([rig.setting("set/gate", False, node=0), Bind(peer, last)])

    assert rig.state("peer") is SKIPPED
    assert _counters_are_right(rig)
    rig.drain()
    assert rig.states("front", "peer") == [ACTIVE, SKIPPED]


def test_a_child_bound_to_what_is_recalled_waits_for_it_once(make_rig: MakeRig) -> None:
    rig = make_rig(make_role("below"), make_role("above", needs=["below"]))
    rig.bind("below")
    rig.work("below")

    above = names("above")[0]
    rig.commit([Recall(rig.the("below").id), Bind(above, rig.nodes[0])])

    assert _counters_are_right(rig)
    rig.recommit("below")
    rig.drain()
    assert rig.state("above") is ACTIVE


# -- what the digest covers ------------------------------------------------------------------------


def _bind(rig: Rig, *roles: str, node: int = 0) -> list[Change]:
    return [Bind(role, rig.nodes[node]) for role in names(*roles)]


def _is_refused(rig: Rig, changes: list[Change], digest: str) -> bool:
    try:
        rig.commit(changes, digest=digest)
    except Conflict as error:
        return "the plan has moved" in str(error)
    return False


def test_a_commit_is_refused_once_what_a_new_destructive_step_wants_is_edited(
    make_rig: MakeRig,
) -> None:
    """... refuses if what it rests on has moved: it would be confirmed with other wants."""
    rig = make_rig(make_role("below"), destructive("wipe", needs=["below"], wants=WANTS_A))
    changes = _bind(rig, "wipe")
    plan = rig.plan(changes)

    rig.edit("set/a", 1, node=0)

    assert _is_refused(rig, changes, plan.digest)
    rig.edit("set/a", 0, node=0)
    assert not _is_refused(rig, changes, plan.digest), "edited back, it is what was shown"


def test_a_commit_is_refused_once_what_a_waiting_step_wants_is_edited(make_rig: MakeRig) -> None:
    """... input digests: of node-roles that wait for others too."""
    rig = make_rig(make_role("below"), destructive("wipe", needs=["below"], wants=WANTS_A))
    rig.bind("wipe")
    changes: list[Change] = [rig.setting("set/b", 1, node=0)]
    plan = rig.plan(changes)

    rig.edit("set/a", 1, node=0)

    assert _is_refused(rig, changes, plan.digest)


def test_a_commit_is_refused_once_the_condition_of_a_new_step_is_edited(make_rig: MakeRig) -> None:
    rig = make_rig(destructive("wipe", when=GATED))
    rig.edit("set/gate", False)
    changes = _bind(rig, "wipe")
    plan = rig.plan(changes)
    assert plan.destructive == ()

    rig.edit("set/gate", True)

    assert _is_refused(rig, changes, plan.digest)


def test_a_commit_is_refused_once_another_disk_is_seen_than_was_shown(make_rig: MakeRig) -> None:
    """... destructive steps named one by one with their disks."""
    rig = make_rig(
        make_role(
            "inventory", wants=WANTS_A, outputs=(Declared("hardware/disks", {"type": "array"}),)
        ),
        destructive("wipe", wants=(Want("hardware/disks", names("inventory")[0]),)),
    )
    rig.bind("inventory")
    _see_disk(rig, "A")
    changes = _bind(rig, "wipe")
    plan = rig.plan(changes)
    assert [step.disks for step in plan.destructive] == [("A",)]

    for value in (1, 0):  # an edit and back: the input is what it was, the machine is not
        rig.edit("set/a", value)
        _see_disk(rig, "B")

    assert _is_refused(rig, changes, plan.digest)


def _see_disk(rig: Rig, serial: str) -> None:
    message = rig.message("inventory")
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({"hardware/disks": [{"serial": serial}]}))
    rig.settle_turns()


def test_a_commit_is_refused_once_other_annotations_are_in_force(make_rig: MakeRig) -> None:
    rig = make_rig(make_role("plain"))
    changes = _bind(rig, "plain")
    plan = rig.plan(changes)

    rig.use_edition("v2")

    assert _is_refused(rig, changes, plan.digest)


def test_a_commit_is_refused_once_somebody_else_has_bound_it(make_rig: MakeRig) -> None:
    rig = make_rig(make_role("below"), destructive("wipe", needs=["below"]))
    changes = _bind(rig, "wipe")
    plan = rig.plan(changes)

    rig.bind("wipe")

    assert _is_refused(rig, changes, plan.digest)


def test_other_nodes_attempts_and_times_do_not_move_a_plan(make_rig: MakeRig) -> None:
    """... not attempts, leases, times or other nodes."""
    rig = make_rig(
        make_role("below", retry=Retry(attempts=5, backoff_s=(10.0,))),
        destructive("wipe", needs=["below"], wants=WANTS_A),
        nodes=2,
    )
    rig.bind("below", nodes=[0, 1])
    changes = _bind(rig, "wipe")
    plan = rig.plan(changes)
    digests = set()

    rig.let_fail("below", Unreachable)
    digests.add(rig.plan(changes).digest)
    rig.work("below", node=1)
    digests.add(rig.plan(changes).digest)
    rig.clock.pass_s(5.0)
    rig.edit("set/a", 2, node=1)
    rig.bind("wipe", nodes=[1])
    rig.work("wipe", node=1)
    digests.add(rig.plan(changes).digest)

    assert digests == {plan.digest}
    assert not _is_refused(rig, changes, plan.digest)


# -- what a plan lists -----------------------------------------------------------------------------


def test_a_destructive_step_that_will_be_skipped_is_not_listed(make_rig: MakeRig) -> None:
    rig = make_rig(destructive("raid", when=GATED), destructive("wipe"), nodes=2)
    rig.edit("set/gate", False, node=0)

    plan = rig.bind("raid", "wipe", nodes=[0, 1])

    listed = {str(step.place) for step in plan.destructive}
    assert listed == {"node-0/wipe", "node-1/raid", "node-1/wipe"}


def test_a_new_destructive_step_that_waits_for_a_person_is_listed(make_rig: MakeRig) -> None:
    """It is confirmed by the plan, and runs as soon as somebody has set the value."""
    rig = make_rig(destructive("wipe", wants=(Want("set/required"),)))

    plan = rig.bind("wipe")

    assert plan.runs == ()
    assert [(str(it.place), it.is_confirmed) for it in plan.destructive] == [("node-0/wipe", True)]


def test_a_destructive_step_that_was_asked_for_is_listed_though_it_is_switched_off(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(make_role("below"), destructive("wipe", needs=["below"], when=GATED))
    rig.bind("wipe")
    off = rig.setting("set/gate", False)

    plan = rig.plan([off, Confirm(rig.the("wipe").id)])

    assert [str(step.place) for step in plan.destructive] == ["node-0/wipe"]


def test_a_plan_does_not_confirm_what_is_switched_off(make_rig: MakeRig) -> None:
    """It was not listed: who switches it on is asked."""
    rig = make_rig(make_role("below"), destructive("wipe", needs=["below"], when=GATED))
    rig.edit("set/gate", False)
    rig.bind("wipe")

    rig.edit("set/gate", True)
    rig.work("below")

    assert not rig.is_given("wipe")
    assert BlockerKind.CONFIRMATION in rig.kinds("wipe")
