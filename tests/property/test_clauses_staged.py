"""Staged work and the one power cycle that it shares, design.md section 4.3."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.errors import Busy, Failed, Refused, Unreachable
from readystate.domain.graph import HoldScope
from readystate.domain.outcome import Errored, NotDone, Staged, Succeeded
from readystate.domain.role import Flag, Lane, Retry, Role, Want
from readystate.domain.run import RunPhase
from readystate.engine.annealer import Answer
from readystate.ports.dispatch import WorkKind
from tests.property.scenario import (
    ACTIVE,
    ERROR,
    GATED,
    TODO,
    TRANSITION,
    Rig,
    by_cluster,
    make_role,
    rebooting,
    staging,
)

MakeRig = Callable[..., Rig]
WANTS_A = (Want("set/a"),)


def _phase(rig: Rig, role: str) -> RunPhase:
    return rig.run_of(role).phase


def test_two_staged_roles_share_one_power_cycle_and_each_is_verified(make_rig: MakeRig) -> None:
    """When none of the node can [still stage], one power cycle runs in `both`, then each staged one
    is verified by `check`."""
    rig = make_rig(staging("bios"), staging("raid"), make_role("below", needs=["bios", "raid"]))
    rig.bind("below")
    rig.work("bios")
    assert rig.power_message() is None, "raid can still stage"
    rig.work("raid")

    rig.cycle()

    assert rig.message("bios").kind is WorkKind.CHECK
    rig.work("bios", "raid")
    assert rig.states("bios", "raid") == [ACTIVE, ACTIVE]
    assert rig.tally.reboots[rig.nodes[0]] == 1
    assert rig.is_given("below")


def test_staged_work_frees_its_lane(make_rig: MakeRig) -> None:
    """**Staged** (a change that takes effect at the next reset) frees the lane."""
    rig = make_rig(
        staging("bios"),
        make_role("sensors", lane=Lane.BMC),
        make_role("slow"),
        staging("raid", needs=["slow"]),
    )
    rig.bind("bios", "raid")
    rig.message("bios")
    rig.bind("sensors")
    assert not rig.is_given("sensors")

    rig.work("bios")

    assert rig.is_given("sensors")
    assert _phase(rig, "bios") is RunPhase.STAGED


def test_staged_work_is_not_settled_before_its_check(make_rig: MakeRig) -> None:
    """... then each staged one is verified by `check`."""
    rig = make_rig(staging("bios"), make_role("below", needs=["bios"]))
    rig.bind("below")
    rig.work("bios")
    rig.cycle()
    assert rig.state("bios") is TRANSITION
    assert not rig.is_given("below")


def test_the_cycle_reserves_both_lanes_and_waits_for_what_runs(make_rig: MakeRig) -> None:
    """One power cycle runs in `both`; `both` ... reserves them when lanes are its only blocker."""
    rig = make_rig(
        staging("bios"), make_role("files", lane=Lane.OS), make_role("sensors", lane=Lane.BMC)
    )
    rig.bind("bios", "files")
    rig.message("files")
    rig.bind("sensors")

    rig.work("bios")

    assert not rig.is_given("sensors")
    assert rig.kinds("sensors") == {BlockerKind.LANE}
    rig.work("files")
    assert rig.power_message() is not None
    assert not rig.is_given("sensors")
    rig.cycle()
    assert len(rig.started("bios", "sensors")) == 1


def test_a_cycle_that_waits_for_the_bmc_keeps_no_other_work_back(make_rig: MakeRig) -> None:
    """... reserves them when lanes are its *only* blocker: an open circuit breaker is another."""
    rig = make_rig(staging("bios"), make_role("files", lane=Lane.OS))
    rig.bind("bios")
    message = rig.message("bios")
    rig.dispatcher.messages.remove(message)
    until = rig.clock.now() + timedelta(seconds=300)
    rig.annealer.take(
        Answer(message.run_id, message.dispatch, message.unit, Staged(), breaker_until=until)
    )
    rig.settle_turns()
    assert rig.power_message() is None

    rig.bind("files")

    assert rig.is_given("files")
    rig.work("files")
    rig.pass_s(301.0)
    assert rig.power_message() is not None


def test_one_that_waits_for_its_backoff_can_still_stage(make_rig: MakeRig) -> None:
    """A `shared` role *can still stage* if nothing on or above it needs a person."""
    rig = make_rig(staging("bios"), staging("raid", priority=-1))
    rig.bind("bios", "raid")
    rig.work("bios")

    rig.let_fail("raid", Unreachable)

    assert rig.power_message() is None
    rig.pass_s(11.0)
    rig.work("raid")
    assert rig.power_message() is not None


def test_one_below_slow_work_can_still_stage(make_rig: MakeRig) -> None:
    """... no unsettled ancestor ... *reboots* or is on another node: others are waited for."""
    rig = make_rig(staging("bios"), make_role("slow"), staging("raid", needs=["slow"]))
    rig.bind("bios", "raid")
    rig.message("slow")
    rig.work("bios")

    assert rig.power_message() is None
    rig.work("slow", "raid")
    rig.cycle()
    assert rig.tally.reboots[rig.nodes[0]] == 1


def _held(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "raid")


def _in_error(rig: Rig) -> None:
    rig.let_fail("raid", Refused)


def _below_error(rig: Rig) -> None:
    rig.let_fail("first", Refused)


def _below_hold(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "first")


def _recalled(rig: Rig) -> None:
    rig.recall("raid")


def _without_value(rig: Rig) -> None:
    del rig


def _unconfirmed(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "raid")
    rig.edit("set/a", 1)
    rig.resume(HoldScope.NODE_ROLE, "raid")


@pytest.mark.parametrize(
    ("raid", "stuck"),
    [
        (staging("raid"), _held),
        (staging("raid", priority=1), _in_error),
        (staging("raid"), _recalled),
        (staging("raid", needs=["first"]), _below_error),
        (staging("raid", needs=["first"]), _below_hold),
        (staging("raid", wants=(Want("set/required"),)), _without_value),
        (staging("raid", flags=frozenset({Flag.DESTRUCTIVE}), wants=WANTS_A), _unconfirmed),
    ],
    ids=["held", "error", "proposed", "below-error", "below-hold", "attribute", "unconfirmed"],
)
def test_the_cycle_does_not_wait_for_one_that_needs_a_person(
    make_rig: MakeRig, raid: Role, stuck: Callable[[Rig], None]
) -> None:
    """*Can still stage* if nothing on or above it needs a person."""
    rig = make_rig(staging("bios"), make_role("first"), raid)
    rig.bind("raid")
    stuck(rig)
    rig.bind("bios")

    rig.work("bios")

    assert rig.power_message() is not None


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_the_cycle_does_not_wait_for_one_below_an_unsettled_rebooting_ancestor(
    make_rig: MakeRig, kind: str
) -> None:
    """... and no unsettled ancestor (hard, or delaying soft) reboots: it could only run after the
    cycle, and the cycle would wait for it."""
    order = {"needs": ["install"]} if kind == "hard" else {"after": ["install"]}
    rig = make_rig(staging("bios"), rebooting("install", priority=-1), staging("raid", **order))
    rig.bind("install", "bios")
    rig.message("bios")
    rig.bind("raid")

    rig.work("bios")

    assert rig.power_message() is not None
    rig.cycle()
    rig.work("bios", "install", "raid")
    rig.cycle()
    rig.work("raid")
    assert rig.states("bios", "install", "raid") == [ACTIVE] * 3


def test_the_cycle_does_not_wait_for_one_below_another_node(make_rig: MakeRig) -> None:
    """... no unsettled ancestor ... is on another node."""
    rig = make_rig(staging("bios"), by_cluster("peers"), staging("raid", needs=["peers"]), nodes=2)
    rig.bind("bios", nodes=(0,))
    rig.bind("peers", nodes=(0, 1))
    rig.bind("raid", nodes=(0,))
    rig.work("peers", node=0)

    rig.work("bios")

    assert rig.power_message() is not None


def test_work_that_reboots_alone_never_starts_while_its_node_has_staged_work(
    make_rig: MakeRig,
) -> None:
    """`alone` never starts while its node has staged work."""
    rig = make_rig(staging("bios"), staging("raid"), rebooting("install", priority=5))
    rig.bind("bios", "raid")
    rig.message("bios")
    rig.bind("install")
    rig.work("bios")
    assert _phase(rig, "bios") is RunPhase.STAGED
    assert not rig.is_given("install")
    assert BlockerKind.WAITING in rig.kinds("install")
    rig.work("raid")
    rig.cycle()
    assert not rig.is_given("install"), "nor before it is verified"
    rig.work("bios")
    assert not rig.is_given("install")
    rig.work("raid")

    assert rig.is_given("install")


def test_a_failed_check_is_a_failed_attempt(make_rig: MakeRig) -> None:
    """Verified by `check`; `Failed` counts, and the work is staged again."""
    rig = make_rig(staging("bios", retry=Retry(attempts=2, backoff_s=(10.0,))))
    rig.bind("bios")
    rig.work("bios")
    rig.cycle()
    message = rig.message("bios", kind=WorkKind.CHECK)
    rig.dispatcher.messages.remove(message)

    rig.answer(message, NotDone("another value"))
    rig.settle_turns()

    assert rig.state("bios") is TODO
    assert rig.the("bios").attempts == 1
    rig.physical[rig.nodes[0]].effects.clear()
    rig.pass_s(11.0)
    rig.work("bios")
    rig.cycle()
    rig.work("bios")
    assert rig.state("bios") is ACTIVE


@pytest.mark.parametrize("family", [Unreachable, Busy])
def test_a_bmc_that_does_not_answer_after_the_cycle_is_asked_again(
    make_rig: MakeRig, family: type
) -> None:
    """A BMC takes its time to apply what was staged: not yet is not no."""
    rig = make_rig(staging("bios", deadline_s=100.0))
    rig.bind("bios")
    rig.work("bios")
    rig.cycle()

    rig.let_fail("bios", family)

    assert rig.state("bios") is TRANSITION
    rig.pass_s(3.0)
    rig.work("bios")
    assert rig.state("bios") is ACTIVE
    assert rig.tally.reboots[rig.nodes[0]] == 1


@pytest.mark.parametrize("family", [Unreachable, Failed])
def test_a_failed_cycle_counts_as_an_attempt_of_each_staged_role(
    make_rig: MakeRig, family: type
) -> None:
    """A failed cycle counts as an attempt of each staged role."""
    retry = Retry(attempts=2, backoff_s=(10.0,))
    rig = make_rig(staging("bios", retry=retry), staging("raid", retry=Retry(attempts=3)))
    rig.bind("bios", "raid")
    rig.work("bios", "raid")

    _fail_cycle(rig, family)
    assert [rig.the(it).attempts for it in ("bios", "raid")] == [1, 1]
    assert rig.states("bios", "raid") == [TODO, TODO]
    rig.pass_s(11.0)
    rig.work("bios", "raid")
    _fail_cycle(rig, family)

    assert rig.states("bios", "raid") == [ERROR, TODO]


def _fail_cycle(rig: Rig, family: type) -> None:
    message = rig.power_message()
    assert message is not None
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Errored(family("planted")))
    rig.settle_turns()


def test_a_cycle_whose_worker_was_lost_counts_as_an_attempt_too(make_rig: MakeRig) -> None:
    """Node actions are runs too: ... fencing; a failed cycle counts as an attempt."""
    rig = make_rig(staging("bios"))
    rig.bind("bios")
    rig.work("bios")
    message = rig.power_message()
    assert message is not None
    rig.lose(message, after_acting=False)
    rig.clock.pass_s(61.0)
    rig.settle_turns()
    (stop,) = rig.dispatcher.messages
    assert stop.kind is WorkKind.STOP

    rig.carry_out(stop)
    rig.settle_turns()

    assert rig.the("bios").attempts == 1
    assert rig.state("bios") is not ERROR


def test_a_lost_cycle_is_made_again_and_destructive_work_stays_staged(make_rig: MakeRig) -> None:
    """A worker that was lost in the cycle did what was staged no harm: nobody is asked."""
    flags = frozenset({Flag.DESTRUCTIVE})
    rig = make_rig(staging("raid", flags=flags), staging("bios", retry=Retry(attempts=2)))
    rig.bind("raid", "bios")
    rig.work("bios", "raid")

    _lose_cycle(rig)

    assert rig.states("raid", "bios") == [TRANSITION, TRANSITION]
    assert [rig.the(it).attempts for it in ("raid", "bios")] == [1, 1]
    _lose_cycle(rig)
    assert rig.states("raid", "bios") == [TRANSITION, ERROR]
    rig.cycle()
    rig.work("raid")
    assert rig.state("raid") is ACTIVE


def _lose_cycle(rig: Rig) -> None:
    message = rig.power_message()
    assert message is not None
    rig.lose(message, after_acting=False)
    rig.clock.pass_s(61.0)
    rig.settle_turns()
    (stop,) = rig.dispatcher.messages
    rig.carry_out(stop)
    rig.settle_turns()


def test_a_lost_cycle_keeps_its_lanes_until_its_worker_has_stopped(make_rig: MakeRig) -> None:
    """A lane is freed only when the side effect has stopped."""
    rig = make_rig(staging("bios"), make_role("sensors", lane=Lane.BMC))
    rig.bind("bios")
    rig.work("bios")
    message = rig.power_message()
    assert message is not None
    rig.lose(message, after_acting=False)
    rig.clock.pass_s(61.0)
    rig.settle_turns()
    (stop,) = rig.dispatcher.messages
    rig.dispatcher.messages.remove(stop)

    rig.answer(stop, Errored(Busy("it has not stopped yet")))
    rig.bind("sensors")

    assert not rig.is_given("sensors")
    assert rig.kinds("sensors") == {BlockerKind.LANE}


def test_runs_that_a_failed_cycle_ends_have_their_outcome(make_rig: MakeRig) -> None:
    """No run is over without it being said how."""
    rig = make_rig(staging("bios"))
    rig.bind("bios")
    rig.work("bios")
    run = rig.run_of("bios")

    _fail_cycle(rig, Failed)

    record = rig.read(lambda reader: reader.run(run.id))
    assert (record.outcome, record.error_family) == ("failed", "failed")
    assert record.finished_at is not None


@pytest.mark.parametrize("scope", [HoldScope.NODE, HoldScope.DEPLOYMENT, HoldScope.EVERYTHING])
def test_a_hold_over_the_node_keeps_the_cycle_from_starting(
    make_rig: MakeRig, scope: HoldScope
) -> None:
    """Node actions are runs too: lanes, holds ..."""
    rig = make_rig(staging("bios"))
    rig.bind("bios")
    message = rig.message("bios")
    rig.hold(scope)
    rig.carry_out(message)

    assert rig.power_message() is None
    rig.resume(scope)
    assert rig.power_message() is not None


def test_a_node_that_is_not_available_is_not_cycled(make_rig: MakeRig) -> None:
    """Node not available: nothing new starts."""
    rig = make_rig(staging("bios"))
    rig.bind("bios")
    message = rig.message("bios")
    rig.set_available(False)
    rig.carry_out(message)

    assert rig.power_message() is None
    rig.set_available(True)
    assert rig.power_message() is not None


def test_only_a_shared_role_may_stage(make_rig: MakeRig) -> None:
    """`reboot: shared` (may share one power cycle): else the answer is the work's own defect."""
    rig = make_rig(make_role("bios", lane=Lane.BMC))
    rig.bind("bios")
    message = rig.message("bios")
    rig.dispatcher.messages.remove(message)

    rig.answer(message, Staged())
    rig.settle_turns()

    assert rig.state("bios") is ERROR
    error = rig.the("bios").error
    assert error is not None
    assert error.family == "invalid"


def test_the_cycle_and_not_the_staging_moves_the_reboot_epoch(make_rig: MakeRig) -> None:
    """An epoch moves once, when the side effect is recorded or observed."""
    rig = make_rig(staging("bios"))
    rig.bind("bios")
    rig.work("bios")
    assert rig.counted_reboots() == 0

    rig.cycle()
    rig.work("bios")

    assert rig.counted_reboots() == 1


def test_staged_work_that_is_cancelled_is_held_at_once(make_rig: MakeRig) -> None:
    """cancel: transition -> blocked, held; there is no worker to wait for."""
    rig = make_rig(staging("bios"), staging("raid"))
    rig.bind("bios", "raid")
    rig.work("bios")

    rig.cancel("bios")

    assert rig.state("bios") is TODO
    assert BlockerKind.HELD in rig.kinds("bios")
    rig.work("raid")
    assert rig.power_message() is not None


def test_staged_work_survives_a_restart_of_the_engine(make_rig: MakeRig) -> None:
    """Staged work holds no worker, so none is lost."""
    rig = make_rig(staging("bios"), staging("raid"))
    rig.bind("bios", "raid")
    rig.work("bios")

    rig.dispatcher.messages.clear()
    rig.annealer = rig.new_engine()
    rig.settle_turns()

    assert _phase(rig, "bios") is RunPhase.STAGED
    rig.stopped("raid")
    rig.work("raid")
    rig.cycle()
    rig.work("bios", "raid")
    assert rig.states("bios", "raid") == [ACTIVE, ACTIVE]


def test_a_skipped_shared_role_is_not_waited_for(make_rig: MakeRig) -> None:
    """Settled work cannot stage."""
    rig = make_rig(staging("bios"), staging("raid", when=GATED))
    rig.edit("set/gate", False)
    rig.bind("bios", "raid")

    rig.work("bios")

    assert rig.power_message() is not None


def test_work_that_finds_nothing_to_stage_needs_no_cycle(make_rig: MakeRig) -> None:
    """A `shared` role may answer `Succeeded`: what is as wanted already is not staged."""
    rig = make_rig(staging("bios", wants=WANTS_A))
    rig.bind("bios")
    message = rig.message("bios")
    rig.dispatcher.messages.remove(message)

    rig.answer(message, Succeeded())
    rig.settle_turns()

    assert rig.state("bios") is ACTIVE
    assert rig.power_message() is None
