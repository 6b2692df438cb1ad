"""Soft edges, staleness, digests and epochs, design.md section 4.3; wants on parents, 4.5."""

from collections.abc import Callable
from typing import Any

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.deployment import AttachProfiles, AttributeScope, SetAttribute
from readystate.domain.errors import Failed, Refused, Unreachable
from readystate.domain.graph import HoldScope
from readystate.domain.outcome import Succeeded
from readystate.domain.role import Epoch, Flag, Lane, Role, Take, Want
from tests.property.scenario import (
    ACTIVE,
    BLOCKED,
    ERROR,
    GATED,
    SKIPPED,
    TODO,
    TRANSITION,
    Rig,
    by_cluster,
    destructive,
    in_memory,
    installing,
    make_role,
    milestone,
    on_disk,
    puts_out,
    rebooting,
    shared_by_deployment,
    wants_output,
)

MakeRig = Callable[..., Rig]
WANTS_A = (Want("set/a"),)
WANTS_B = (Want("set/b"),)


def _put_out(rig: Rig, role: str, value: Any, node: int | None = 0) -> None:
    message = rig.message(role, node)
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({f"out/{role}": value}))
    rig.settle_turns()


# -- soft edges ------------------------------------------------------------------------------------


def test_slow_work_delays_what_runs_softly_after_it(make_rig: MakeRig) -> None:
    """after: soft: only order, if both are bound. A soft parent delays ..."""
    rig = make_rig(make_role("slow"), make_role("later", after=["slow"]))
    rig.bind("slow", "later")

    assert rig.state("later") is TODO
    assert rig.started("slow", "later") == {"slow"}
    assert rig.kinds("later") == {BlockerKind.ORDERED_AFTER}
    rig.work("slow")
    assert rig.is_given("later")


def test_a_soft_parent_that_waits_for_a_timer_still_delays(make_rig: MakeRig) -> None:
    """A soft parent delays only while no *operator-owned* blocker stands: a backoff is none."""
    rig = make_rig(make_role("slow"), make_role("later", after=["slow"]))
    rig.bind("slow", "later")

    rig.let_fail("slow", Unreachable)

    assert not rig.is_given("later")


def test_without_the_other_there_is_no_order(make_rig: MakeRig) -> None:
    """after: soft: only order, *if both are bound*."""
    rig = make_rig(make_role("slow"), make_role("later", after=["slow"]))

    rig.bind("later")

    assert rig.find("slow") is None
    assert rig.is_given("later")


def _held(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "slow")


def _in_error(rig: Rig) -> None:
    rig.let_fail("slow", Refused)


def _recalled(rig: Rig) -> None:
    rig.recall("slow")


def _below_error(rig: Rig) -> None:
    rig.let_fail("above", Refused)


def _below_hold(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "above")


def _below_proposed(rig: Rig) -> None:
    rig.recall("slow", "above")
    rig.recommit("slow")


def _unconfirmed(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "slow")
    rig.edit("set/a", 1)
    rig.resume(HoldScope.NODE_ROLE, "slow")


def _nothing(rig: Rig) -> None:
    del rig


def _no_hammer(rig: Rig) -> None:
    rig.observe(rig.nodes[0], {"bmc": []})


STUCK = {
    "held": (make_role("slow"), _held),
    "error": (make_role("slow"), _in_error),
    "proposed": (make_role("slow"), _recalled),
    "missing attribute": (make_role("slow", wants=(Want("set/required"),)), _nothing),
    "unconfirmed": (destructive("slow", wants=WANTS_A), _unconfirmed),
    "no hammer": (make_role("slow", lane=Lane.BMC), _no_hammer),
    "below an error": (make_role("slow", needs=["above"]), _below_error),
    "below a hold": (make_role("slow", needs=["above"]), _below_hold),
    "below a proposal": (make_role("slow", needs=["above"]), _below_proposed),
}


@pytest.mark.parametrize(("slow", "stick"), STUCK.values(), ids=STUCK)
def test_a_soft_parent_that_needs_a_person_delays_nobody(
    make_rig: MakeRig, slow: Role, stick: Callable[[Rig], None]
) -> None:
    """A **soft** parent delays only while no operator-owned blocker (error, hold, proposal, missing
    confirmation, attribute or hammer) stands on it or hard-above it."""
    rig = make_rig(make_role("above"), slow, make_role("later", after=["slow"], lane=Lane.OS))
    rig.bind("slow")
    stick(rig)
    rig.settle_turns()

    rig.bind("later")

    assert rig.is_given("later")


def test_when_the_person_has_helped_the_soft_parent_delays_again(make_rig: MakeRig) -> None:
    """... delays only while no operator-owned blocker ... stands."""
    rig = make_rig(make_role("slow"), make_role("later", after=["slow"]))
    rig.hold(HoldScope.NODE)
    rig.bind("slow", "later")
    rig.hold(HoldScope.NODE_ROLE, "slow")

    rig.resume(HoldScope.NODE_ROLE, "slow")
    rig.resume(HoldScope.NODE)

    assert rig.started("slow", "later") == {"slow"}


def test_what_a_step_invalidates_runs_softly_after_it(make_rig: MakeRig) -> None:
    """What a step invalidates also runs softly after it: else it would run twice."""
    rig = make_rig(in_memory("mounts"), make_role("slow"), rebooting("install", needs=["slow"]))
    rig.bind("install", "mounts")

    assert rig.started("mounts", "slow") == {"slow"}
    rig.work("slow", "install", "mounts")
    rig.drain()
    assert rig.runs("mounts") == 1


# -- errors ----------------------------------------------------------------------------------------


def test_an_error_freezes_exactly_its_hard_descendants(make_rig: MakeRig) -> None:
    """An error freezes exactly its hard descendants; the node's other work goes on unless blockers
    of its own stop it."""
    rig = make_rig(
        make_role("bad"),
        make_role("below", needs=["bad"]),
        make_role("far-below", needs=["below"]),
        make_role("beside", after=["bad"]),
        make_role("other"),
        nodes=2,
    )
    rig.bind("bad", "far-below", "beside", "other", nodes=(0, 1))
    rig.let_fail("bad", Refused)
    rig.drain()

    assert rig.states("bad", "below", "far-below") == [ERROR, BLOCKED, BLOCKED]
    assert rig.states("beside", "other") == [ACTIVE, ACTIVE]
    assert rig.states("bad", "below", "far-below", node=1) == [ACTIVE] * 3
    assert rig.kinds("below") == {BlockerKind.ERROR_ANCESTOR}
    rig.retry("bad")
    rig.drain()
    assert rig.states("bad", "below", "far-below") == [ACTIVE] * 3


# -- staleness -------------------------------------------------------------------------------------


def _three(make_rig: MakeRig) -> Rig:
    rig = make_rig(
        puts_out("first", wants=WANTS_A),
        make_role("second", wants=wants_output("first")),
        make_role("third", needs=["second"]),
        make_role("skipped", needs=["second"], when=GATED),
    )
    rig.edit("set/gate", False)
    rig.bind("third", "skipped")
    _put_out(rig, "first", 1)
    rig.work("second", "third")
    return rig


def test_when_a_parent_unsettles_all_below_are_stale_and_none_runs(make_rig: MakeRig) -> None:
    """When a parent un-settles, its active *and skipped* descendants become stale (not re-run) and
    their children count it unmet."""
    rig = _three(make_rig)

    rig.edit("set/a", 1)
    rig.settle_turns()

    assert rig.states("first", "second", "third", "skipped") == [
        TRANSITION,
        ACTIVE,
        ACTIVE,
        SKIPPED,
    ]
    assert all(rig.the(it).is_stale for it in ("second", "third", "skipped"))
    assert rig.the("third").unmet == 1
    assert (rig.runs("second"), rig.runs("third")) == (1, 1)


def test_the_same_digest_settles_again_without_running(make_rig: MakeRig) -> None:
    """When it settles again the digest is computed anew: same, settled without running."""
    rig = _three(make_rig)
    rig.edit("set/a", 1)

    _put_out(rig, "first", 1)

    assert all(rig.the(it).is_settled for it in ("first", "second", "third", "skipped"))
    assert (rig.runs("second"), rig.runs("third")) == (1, 1)


def test_another_digest_runs_again_and_only_where_it_differs(make_rig: MakeRig) -> None:
    """... different, rerun."""
    rig = _three(make_rig)
    rig.edit("set/a", 1)

    _put_out(rig, "first", 2)
    assert rig.the("third").is_stale
    rig.work("second")

    assert (rig.runs("second"), rig.runs("third")) == (2, 1)
    assert all(rig.the(it).is_settled for it in ("second", "third", "skipped"))


def test_a_change_reaches_exactly_those_who_rest_on_it(make_rig: MakeRig) -> None:
    """A changed fact, attribute, profile or epoch re-digests exactly those who rest on it, in the
    same transaction."""
    rig = make_rig(
        make_role("on-a", wants=WANTS_A), make_role("on-b", wants=WANTS_B), make_role("on-none")
    )
    rig.bind("on-a", "on-b", "on-none")
    rig.work("on-a", "on-b", "on-none")

    rig.edit("set/a", 1)

    assert rig.states("on-a", "on-b", "on-none") == [TODO, ACTIVE, ACTIVE]


def test_a_profile_is_a_changed_want_too(make_rig: MakeRig) -> None:
    """A changed ... profile ... re-digests exactly those who rest on it."""
    rig = make_rig(make_role("on-a", wants=WANTS_A), nodes=2)
    rig.bind("on-a", nodes=(0, 1))
    rig.commit([SetAttribute(AttributeScope.PROFILE, 0, "set/a", 7, profile="big")])
    rig.work("on-a", node=0)
    rig.work("on-a", node=1)

    rig.commit([AttachProfiles(AttributeScope.NODE, int(rig.nodes[1]), ("big",))])

    assert rig.state("on-a", 0) is ACTIVE
    ticket = rig.message("on-a", 1).ticket
    assert ticket is not None
    assert ticket.input == {"a": 7}


def test_setting_the_value_that_holds_already_changes_nothing(make_rig: MakeRig) -> None:
    """Same digest: settled without running."""
    rig = make_rig(make_role("on-a", wants=WANTS_A))
    rig.bind("on-a")
    rig.work("on-a")

    rig.edit("set/a", 0)
    rig.settle_turns()

    assert rig.state("on-a") is ACTIVE


def test_a_new_edition_of_the_annotations_runs_again_what_it_changes(make_rig: MakeRig) -> None:
    """Input digest = annotation version + ...; takes effect deployment by deployment, through a
    proposal."""
    rig = make_rig(make_role("first"), milestone("there", needs=["first"]))
    rig.bind("there")
    rig.work("first")

    rig.use_edition("v2")

    assert rig.is_given("first")


# -- epochs ----------------------------------------------------------------------------------------


def test_an_epoch_that_is_recorded_and_then_observed_moves_once(make_rig: MakeRig) -> None:
    """An epoch moves once, when the side effect is recorded or *observed*."""
    rig = make_rig(rebooting("install"))
    rig.bind("install")
    message = rig.message("install")
    assert rig.begin_effect(message)
    assert rig.begin_effect(message), "the same attempt may say it again"
    assert rig.counted_reboots() == 1

    rig.observe(rig.nodes[0], {"boot_id": "boot-new"})
    rig.observe(rig.nodes[0], {"boot_id": "boot-new"})

    assert rig.counted_reboots() == 1


def test_a_crash_moves_the_reboot_epoch_when_it_is_seen(make_rig: MakeRig) -> None:
    """... or *observed* (a crash reboot too)."""
    rig = make_rig(make_role("first"))

    rig.observe(rig.nodes[0], {"boot_id": "boot-1"})
    rig.observe(rig.nodes[0], {"boot_id": "boot-1"})

    assert rig.counted_reboots() == 1


def test_a_crash_runs_again_only_what_says_so(make_rig: MakeRig) -> None:
    """... and a reboot only what says so."""
    rig = make_rig(installing("install"), on_disk("files"), in_memory("mounts"), make_role("else"))
    rig.bind("install", "files", "mounts", "else")
    rig.drain()

    rig.crash(rig.nodes[0])
    rig.drain()

    assert [rig.runs(it) for it in ("install", "files", "mounts", "else")] == [1, 1, 2, 1]


@pytest.mark.parametrize("below", [True, False], ids=["below", "beside"])
def test_a_reinstall_runs_again_what_lives_on_the_disk_even_with_identical_outputs(
    make_rig: MakeRig, below: bool
) -> None:
    """So a reinstall re-runs what lives on the disk, even with identical outputs."""
    rig = make_rig(
        installing("install", wants=WANTS_A),
        on_disk("files", needs=["install"] if below else []),
        make_role("else", needs=["install"]),
    )
    rig.bind("files", "else", "install")
    rig.drain()
    assert [rig.runs(it) for it in ("install", "files", "else")] == [1, 1, 1]

    rig.edit("set/a", 1)
    rig.drain()

    assert [rig.runs(it) for it in ("install", "files", "else")] == [2, 2, 1]


def test_an_epoch_moves_whatever_the_outcome_of_the_run(make_rig: MakeRig) -> None:
    """An epoch moves ... when the side effect is recorded ..., whatever the outcome of the run."""
    rig = make_rig(in_memory("mounts"), rebooting("install", wants=WANTS_A))
    rig.bind("install", "mounts")
    rig.drain()
    rig.edit("set/a", 1)

    rig.let_fail("install", Failed, after_acting=True)

    assert rig.state("mounts") in (TODO, TRANSITION)


def test_other_hardware_runs_again_what_lives_in_it(make_rig: MakeRig) -> None:
    """Epoch: a node's counter of ... hardware changes; a changed uuid or serial proves one."""
    by = frozenset({Epoch.HARDWARE_CHANGE})
    rig = make_rig(make_role("firmware", invalidated_by=by), on_disk("files"))
    rig.bind("firmware", "files")
    rig.drain()

    rig.observe(rig.nodes[0], {"serial": "another"})
    rig.drain()

    assert (rig.runs("firmware"), rig.runs("files")) == (2, 1)


def test_an_epoch_of_one_node_is_no_business_of_another(make_rig: MakeRig) -> None:
    """... the *node's* epochs named by `invalidated_by`."""
    rig = make_rig(in_memory("mounts"), nodes=2)
    rig.bind("mounts", nodes=(0, 1))
    rig.drain()

    rig.crash(rig.nodes[0])
    rig.drain()

    assert (rig.runs("mounts", 0), rig.runs("mounts", 1)) == (2, 1)


def test_a_reinstall_reaches_what_has_no_node_through_the_barrier(make_rig: MakeRig) -> None:
    """... and so are the reinstall epochs of all nodes above a vertex that has no node."""
    rig = make_rig(
        installing("install", wants=WANTS_A),
        by_cluster("peers", needs=["install"]),
        shared_by_deployment("fleet", needs=["peers"]),
        shared_by_deployment("over-it", needs=["fleet"]),
        nodes=2,
    )
    rig.bind("peers", nodes=(0, 1))
    rig.bind("over-it")
    rig.drain()
    assert (rig.runs("fleet", None), rig.runs("over-it", None)) == (1, 1)

    rig.crash(rig.nodes[0])
    rig.drain()
    assert rig.runs("fleet", None) == 1, "a reboot is none of its business"
    rig.commit([rig.setting("set/a", 1, node=1)])
    rig.drain()

    assert (rig.runs("fleet", None), rig.runs("over-it", None)) == (2, 2)


# -- wants on parents ------------------------------------------------------------------------------


def test_a_want_on_a_skipped_parent_takes_its_own_default(make_rig: MakeRig) -> None:
    """A want on a skipped parent takes the want's own `default`."""
    rig = make_rig(
        puts_out("first", when=GATED),
        make_role("second", wants=wants_output("first", default=-1, has_default=True)),
    )
    rig.edit("set/gate", False)
    rig.bind("second")

    ticket = rig.message("second").ticket

    assert ticket is not None
    assert ticket.input == {"first": -1}


def test_without_a_default_it_is_a_missing_attribute(make_rig: MakeRig) -> None:
    """... else is a missing attribute."""
    rig = make_rig(puts_out("first", when=GATED), make_role("second", wants=wants_output("first")))
    rig.edit("set/gate", False)
    rig.bind("second")

    assert not rig.is_given("second")
    assert rig.kinds("second") == {BlockerKind.MISSING_ATTRIBUTE}
    rig.edit("set/gate", True)
    _put_out(rig, "first", 5)
    ticket = rig.message("second").ticket
    assert ticket is not None
    assert ticket.input == {"first": 5}


def test_outputs_of_work_that_was_skipped_later_do_not_count(make_rig: MakeRig) -> None:
    """A want on a *skipped* parent takes the want's own `default`: not what it once put out."""
    rig = make_rig(
        puts_out("first", when=GATED),
        make_role("second", wants=wants_output("first", default=-1, has_default=True)),
    )
    rig.bind("second")
    _put_out(rig, "first", 5)
    rig.work("second")

    rig.edit("set/gate", False)

    ticket = rig.message("second").ticket
    assert ticket is not None
    assert ticket.input == {"first": -1}


@pytest.mark.parametrize(("take", "expected"), [(Take.ALL, [1, 3]), (Take.COUNT, 2)])
def test_all_and_count_leave_skipped_ones_out(make_rig: MakeRig, take: Take, expected: Any) -> None:
    """`all` and `count` leave it out; lists sorted by node id."""
    rig = make_rig(
        by_cluster("peers", when=GATED, outputs=puts_out("peers").outputs),
        make_role("reads", wants=wants_output("peers", take=take)),
        nodes=3,
    )
    rig.commit([rig.setting("set/gate", False, node=1)])
    rig.bind("peers", nodes=(2, 1, 0))
    rig.bind("reads")
    _put_out(rig, "peers", 3, node=2)
    _put_out(rig, "peers", 1, node=0)

    ticket = rig.message("reads").ticket

    assert ticket is not None
    assert ticket.input == {"peers": expected}


def test_a_value_of_a_layer_frees_what_misses_it(make_rig: MakeRig) -> None:
    """Blockers: missing attribute."""
    rig = make_rig(make_role("first", wants=(Want("set/required"),)))
    rig.bind("first")
    assert rig.kinds("first") == {BlockerKind.MISSING_ATTRIBUTE}

    rig.edit("set/required", None)

    assert rig.is_given("first"), "null is a value"


def test_a_destructive_soft_parent_is_waited_for_while_it_is_confirmed(make_rig: MakeRig) -> None:
    """A soft parent delays while nobody is needed, whatever its flags."""
    flags = frozenset({Flag.DESTRUCTIVE})
    rig = make_rig(
        make_role("wipe", flags=flags, lane=Lane.BMC), make_role("later", after=["wipe"])
    )
    rig.bind("wipe", "later")

    assert rig.started("wipe", "later") == {"wipe"}
