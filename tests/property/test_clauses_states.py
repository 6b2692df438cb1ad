"""The verb table of design.md section 4.3: every row, and every refusal."""

from collections.abc import Callable
from typing import Any

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.deployment import Recall, Recommit, Unbind
from readystate.domain.errors import (
    Busy,
    Conflict,
    Failed,
    Invalid,
    InvalidTransition,
    Refused,
    Unreachable,
    Unsupported,
)
from readystate.domain.graph import HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName
from readystate.domain.node_role import NodeRole, NodeRoleState, Verb, allowed_verbs
from readystate.domain.outcome import Succeeded
from readystate.domain.role import Declared, Lane, Retry, Scope, Want
from readystate.domain.role_data import declared_outputs
from readystate.engine import interventions
from tests.property.scenario import (
    ACTIVE,
    BLOCKED,
    ERROR,
    GATED,
    PROPOSED,
    SKIPPED,
    TODO,
    TRANSITION,
    Rig,
    destructive,
    make_role,
    milestone,
    puts_out,
    wants_output,
)
from tests.property.world import START

MakeRig = Callable[..., Rig]

#: The table, row by row, as design.md has it. A blocked node-role with nothing unmet is to do at
#: once, so what leaves `blocked` by a person or a verdict may leave `todo` as well.
TABLE: dict[Verb, tuple[set[NodeRoleState], NodeRoleState | None]] = {
    Verb.COMMIT: ({PROPOSED}, BLOCKED),
    Verb.RECALL: ({BLOCKED, TODO, ACTIVE, ERROR, SKIPPED}, PROPOSED),
    Verb.UNBIND: ({PROPOSED, BLOCKED, TODO, ACTIVE, ERROR, SKIPPED}, None),
    Verb.UNBLOCK: ({BLOCKED}, TODO),
    Verb.SKIP: ({BLOCKED, TODO}, SKIPPED),
    Verb.BLOCK: ({TODO}, BLOCKED),
    Verb.START: ({TODO}, TRANSITION),
    Verb.SUCCEED: ({TRANSITION}, ACTIVE),
    Verb.DEFER: ({TRANSITION}, BLOCKED),
    Verb.RELEASE: ({TRANSITION}, BLOCKED),
    Verb.CANCEL: ({TRANSITION}, BLOCKED),
    Verb.FAIL: ({TRANSITION}, ERROR),
    Verb.RETRY: ({ERROR}, BLOCKED),
    Verb.RERUN: ({ACTIVE}, BLOCKED),
    Verb.RECONSIDER: ({ACTIVE, ERROR, SKIPPED}, BLOCKED),
    Verb.ADOPT: ({BLOCKED, TODO}, ACTIVE),
}


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("state", list(NodeRoleState))
def test_a_verb_moves_as_the_table_says_or_is_refused_with_what_is_allowed(
    verb: Verb, state: NodeRoleState
) -> None:
    """One table; refusals raise and list what is allowed."""
    node_role = NodeRole(NodeRoleId(1), RoleName("r"), DeploymentId(1), NodeId(1), state=state)
    sources, target = TABLE[verb]
    if state in sources:
        assert node_role.check(verb).target is target
        return

    with pytest.raises(InvalidTransition) as refused:
        node_role.after(verb, START)

    assert "r (1)" in refused.value.what
    assert f"cannot {verb} from {state}" in refused.value.what
    allowed = {it for it, (states, _) in TABLE.items() if state in states}
    assert set(allowed_verbs(state)) == allowed
    assert all(it in refused.value.hint for it in allowed)


# -- commit, recall, unbind ------------------------------------------------------------------------


def test_commit_leaves_what_has_something_unmet_blocked_and_the_rest_to_do(
    make_rig: MakeRig,
) -> None:
    """commit: proposed -> blocked; any blocked node-role with nothing unmet is unblocked or skipped
    in the same transaction."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))

    rig.bind("second")

    assert rig.states("first", "second") == [TODO, BLOCKED]


@pytest.mark.parametrize("take_away", [Recall, Unbind])
def test_what_a_committed_child_needs_cannot_be_taken_away_without_it(
    make_rig: MakeRig, take_away: Any
) -> None:
    """recall and unbind are refused while a committed node-role outside the change needs it."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    first, second = rig.the("first").id, rig.the("second").id

    with pytest.raises(Conflict, match=r"second"):
        rig.commit([take_away(first)])

    rig.commit([take_away(first), take_away(second)])
    assert [rig.find(it) and rig.state(it) for it in ("first", "second")] == (
        [PROPOSED, PROPOSED] if take_away is Recall else [None, None]
    )


def test_what_only_a_recalled_child_needs_may_be_recalled(make_rig: MakeRig) -> None:
    """... while a *committed* node-role ... needs it."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")

    rig.recall("second")
    rig.recall("first")

    assert rig.states("first", "second") == [PROPOSED, PROPOSED]


@pytest.mark.parametrize("take_away", [Recall, Unbind])
def test_nothing_under_way_is_taken_away(make_rig: MakeRig, take_away: Any) -> None:
    """recall, unbind: any but transition."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.message("first")

    with pytest.raises(InvalidTransition, match="transition") as refused:
        rig.commit([take_away(rig.the("first").id)])

    assert "cancel" in refused.value.hint
    assert rig.state("first") is TRANSITION


def _blocked(rig: Rig) -> None:
    rig.bind("second")


def _todo(rig: Rig) -> None:
    rig.bind("second")
    rig.hold(HoldScope.NODE_ROLE, "second")
    rig.work("first")


def _active(rig: Rig) -> None:
    rig.bind("second")
    rig.work("first", "second")


def _error(rig: Rig) -> None:
    rig.bind("second")
    rig.work("first")
    rig.let_fail("second", Refused)


def _skipped(rig: Rig) -> None:
    rig.edit("set/gate", False)
    rig.bind("second")
    rig.work("first")


REACHED = {BLOCKED: _blocked, TODO: _todo, ACTIVE: _active, ERROR: _error, SKIPPED: _skipped}


@pytest.mark.parametrize("state", list(REACHED))
def test_what_is_recalled_does_not_move_until_it_is_committed_again(
    make_rig: MakeRig, state: NodeRoleState
) -> None:
    """recall: any but transition -> proposed; its blocker is `not committed`."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"], when=GATED))
    REACHED[state](rig)
    assert rig.state("second") is state

    rig.recall("second")
    rig.drain()

    assert rig.state("second") is PROPOSED
    assert rig.kinds("second") == {BlockerKind.NOT_COMMITTED}
    rig.recommit("second")
    assert rig.state("second") in (BLOCKED, TODO, SKIPPED)


@pytest.mark.parametrize("state", list(REACHED))
def test_what_is_unbound_is_gone(make_rig: MakeRig, state: NodeRoleState) -> None:
    """unbind: any but transition -> gone."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"], when=GATED))
    REACHED[state](rig)

    rig.unbind("second")
    rig.drain()

    assert rig.find("second") is None
    assert rig.find("first") is not None


def test_a_proposed_node_role_may_be_unbound(make_rig: MakeRig) -> None:
    """unbind: any but transition -> gone."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.recall("first")

    rig.unbind("first")

    assert rig.find("first") is None


def test_only_what_is_proposed_can_be_committed(make_rig: MakeRig) -> None:
    """commit: proposed -> blocked; refusals raise and list what is allowed."""
    rig = make_rig(make_role("first"))
    rig.bind("first")

    with pytest.raises(InvalidTransition, match="cannot commit from todo"):
        rig.recommit("first")


def test_what_is_committed_again_needs_again_what_it_needed(make_rig: MakeRig) -> None:
    """Runnable only if every hard parent is settled: also when the parent was unbound while only a
    recalled node-role needed it."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.recall("second")
    rig.unbind("first")

    rig.recommit("second")

    assert rig.state("first") is TODO
    assert rig.state("second") is BLOCKED
    assert rig.started("first", "second") == {"first"}


# -- unblock, skip, block --------------------------------------------------------------------------


def test_the_answer_that_settles_a_parent_unblocks_its_child_in_the_same_transaction(
    make_rig: MakeRig,
) -> None:
    """unblock, level, not edge: any blocked node-role with nothing unmet is unblocked ... in the
    same transaction."""
    rig = make_rig(
        make_role("first"),
        make_role("second", needs=["first"], lane=Lane.OS),
        make_role("third", needs=["first"], when=GATED),
    )
    rig.edit("set/gate", False)
    rig.bind("second", "third")
    rig.hold(HoldScope.NODE_ROLE, "second")
    rig.carry_out(rig.message("first"))

    rig.turn()

    assert rig.states("first", "second", "third") == [ACTIVE, TODO, SKIPPED]


def test_with_one_of_two_parents_unsettled_a_node_role_stays_blocked(make_rig: MakeRig) -> None:
    """unblock: blocked -> todo with nothing unmet; runnable only if every hard parent settled."""
    rig = make_rig(
        make_role("left"), make_role("right"), make_role("below", needs=["left", "right"])
    )
    rig.bind("below")

    rig.work("left")

    assert rig.state("below") is BLOCKED
    assert not rig.is_given("below")
    rig.work("right")
    assert rig.is_given("below")


def test_two_parents_that_settle_in_one_turn_do_not_strand_their_child(make_rig: MakeRig) -> None:
    """A counter, never a re-evaluation: two parents finishing side by side would strand it."""
    rig = make_rig(
        make_role("left"),
        make_role("right"),
        shared_child := make_role("below", needs=["left", "right"], scope=Scope.CLUSTER),
        make_role("last", needs=[shared_child.name]),
        nodes=2,
    )
    rig.bind("last", nodes=(0, 1))
    rig.settle_turns()
    for message in list(rig.dispatcher.messages):
        rig.carry_out(message)

    rig.turn()

    assert rig.state("below", 0) in (TODO, TRANSITION)
    assert rig.state("below", 1) in (TODO, TRANSITION)


def test_a_parent_that_unsettles_blocks_what_is_to_do(make_rig: MakeRig) -> None:
    """block: todo -> blocked when a hard parent un-settled."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)), make_role("second", needs=["first"]))
    _todo(rig)
    assert rig.state("second") is TODO

    rig.edit("set/a", 1)

    assert rig.states("first", "second") == [TODO, BLOCKED]


def test_an_error_stays_whatever_becomes_of_its_parents(make_rig: MakeRig) -> None:
    """block: Error is never left this way."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)), make_role("second", needs=["first"]))
    _error(rig)

    rig.edit("set/a", 1)
    assert rig.states("first", "second") == [TODO, ERROR]
    rig.work("first")

    assert rig.states("first", "second") == [ACTIVE, ERROR]


# -- start and succeed -----------------------------------------------------------------------------


def test_what_runs_keeps_the_input_that_it_started_with(make_rig: MakeRig) -> None:
    """start: input frozen with its digest. One in transition finishes under its frozen input and is
    compared then."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)))
    rig.edit("set/a", 1)
    rig.bind("first")
    message = rig.message("first")

    rig.edit("set/a", 2)

    assert rig.state("first") is TRANSITION
    assert message.ticket is not None
    assert message.ticket.input == {"a": 1}
    rig.work("first")
    again = rig.message("first")
    assert again.ticket is not None
    assert again.ticket.input == {"a": 2}
    rig.work("first")
    assert rig.state("first") is ACTIVE
    assert rig.runs("first") == 2


def test_a_wait_does_not_thaw_the_input(make_rig: MakeRig) -> None:
    """start: input frozen with its digest."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)))
    rig.bind("first")
    rig.let_pend("first")
    rig.edit("set/a", 2)

    rig.wake("first")
    again = rig.message("first")

    assert again.ticket is not None
    assert again.ticket.input == {"a": 0}


def test_a_success_with_something_unmet_is_stale_until_the_parent_settles(
    make_rig: MakeRig,
) -> None:
    """succeed: with something unmet it enters active, stale."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.work("first")
    rig.message("second")
    rig.edit("set/a", 1)
    assert rig.states("first", "second") == [TODO, TRANSITION]

    rig.work("second")

    assert rig.state("second") is ACTIVE
    assert rig.the("second").is_stale
    rig.work("first")
    assert rig.the("second").is_settled
    assert rig.runs("second") == 1


def test_outputs_are_stored_for_those_who_want_them(make_rig: MakeRig) -> None:
    """succeed: outputs checked and stored with the frozen digest."""
    rig = make_rig(puts_out("first"), make_role("second", wants=wants_output("first")))
    rig.bind("second")
    message = rig.message("first")

    digest = rig.run_of("first").digest
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({"out/first": "eth7"}))

    ticket = rig.message("second").ticket
    assert ticket is not None
    assert ticket.input == {"first": "eth7"}
    assert rig.the("first").digest == digest


# -- defer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [Unreachable, Busy])
def test_unreachable_and_busy_wait_longer_each_time_until_the_deadline(
    make_rig: MakeRig, family: type
) -> None:
    """defer: `Unreachable`, `Busy`: not before the next backoff; the last interval repeats until
    `deadline_s` after the first start, then fail."""
    retry = Retry(attempts=2, backoff_s=(10.0, 20.0))
    rig = make_rig(make_role("first", retry=retry, deadline_s=75.0))
    rig.bind("first")

    starts = []
    while rig.state("first") is not ERROR:
        assert len(starts) < 9, "no deadline ends this"
        rig.message("first")
        starts.append((rig.clock.now() - START).total_seconds())
        rig.let_fail("first", family)
        if rig.state("first") is TODO:
            assert rig.kinds("first") == {BlockerKind.BACKOFF}
            assert rig.the("first").not_before is not None
            rig.clock.at = rig.the("first").not_before

    assert starts == [0.0, 10.0, 30.0, 50.0, 70.0]
    error = rig.the("first").error
    assert error is not None
    assert error.family == family.family


def test_a_failure_with_attempts_left_waits_and_then_stops_when_they_are_used_up(
    make_rig: MakeRig,
) -> None:
    """defer: `Failed` with attempts left likewise; fail: `Failed` when `attempts` are used up."""
    rig = make_rig(make_role("first", retry=Retry(attempts=3, backoff_s=(10.0, 20.0))))
    rig.bind("first")

    rig.let_fail("first", Failed)
    assert (rig.state("first"), rig.is_given("first")) == (TODO, False)
    rig.pass_s(9.9)
    assert not rig.is_given("first")
    rig.pass_s(0.2)
    rig.let_fail("first", Failed)
    rig.pass_s(19.0)
    assert not rig.is_given("first")
    rig.pass_s(1.1)
    rig.let_fail("first", Failed)

    assert rig.state("first") is ERROR
    assert rig.the("first").attempts == 3


@pytest.mark.parametrize("family", [Unreachable, Busy, Failed])
def test_destructive_work_is_tried_again_before_its_point_of_no_return_with_the_same_confirmation(
    make_rig: MakeRig, family: type
) -> None:
    """defer: not past PNR. A confirmation is spent at PNR, not before."""
    rig = make_rig(destructive("first"))
    rig.bind("first")

    rig.let_fail("first", family)

    assert rig.state("first") is TODO
    assert rig.the("first").confirmation is not None
    rig.pass_s(11.0)
    assert rig.is_given("first")


# -- release, cancel -------------------------------------------------------------------------------


def test_a_lost_lease_makes_ordinary_work_start_again_and_counts_as_an_attempt(
    make_rig: MakeRig,
) -> None:
    """release: lease lost, role not destructive; a lost lease counts as an attempt."""
    rig = make_rig(make_role("first", retry=Retry(attempts=2, backoff_s=(10.0,))))
    rig.bind("first")
    rig.lose_worker("first")
    assert rig.state("first") is TRANSITION

    rig.stopped("first")

    assert rig.the("first").attempts == 1
    assert rig.is_given("first")
    rig.lose_worker("first")
    rig.stopped("first")
    assert rig.state("first") is ERROR


def test_a_cancelled_run_is_stopped_and_then_held_until_it_is_resumed(make_rig: MakeRig) -> None:
    """cancel, resume: transition -> blocked, held, by a person."""
    rig = make_rig(make_role("first", lane=Lane.BMC), make_role("other", lane=Lane.BMC))
    rig.bind("first")
    rig.message("first")
    rig.bind("other")

    rig.cancel("first")
    assert rig.state("first") is TRANSITION
    assert not rig.is_given("other"), "the lane is free only when the side effect has stopped"
    rig.stopped("first")

    assert rig.state("first") is TODO
    assert BlockerKind.HELD in rig.kinds("first")
    rig.work("other")
    assert not rig.is_given("first")
    rig.resume(HoldScope.NODE_ROLE, "first")
    rig.work("first")
    assert rig.state("first") is ACTIVE


def test_a_run_that_is_over_cannot_be_cancelled(make_rig: MakeRig) -> None:
    """cancel: from transition only."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    message = rig.message("first")
    rig.work("first")

    with pytest.raises(Conflict, match="is over"):
        rig.person(interventions.cancel, message.run_id)


# -- fail ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [Refused, Unsupported, Invalid])
def test_some_families_stop_at_once(make_rig: MakeRig, family: type) -> None:
    """fail: `Refused`, `Unsupported`, `Invalid`: at once."""
    rig = make_rig(make_role("first"))
    rig.bind("first")

    rig.let_fail("first", family)

    assert rig.state("first") is ERROR
    (blocker,) = rig.blockers("first")
    assert (blocker.kind, blocker.family) == (BlockerKind.ERROR, family.family)


@pytest.mark.parametrize("family", [Unreachable, Busy, Failed])
def test_past_the_point_of_no_return_every_family_stops_at_once(
    make_rig: MakeRig, family: type
) -> None:
    """fail: anything past PNR: at once."""
    rig = make_rig(destructive("first"))
    rig.bind("first")

    rig.let_fail("first", family, after_acting=True)

    assert rig.state("first") is ERROR
    assert rig.the("first").confirmation is None


# -- retry, rerun, reconsider ----------------------------------------------------------------------


def test_a_person_retries_an_error(make_rig: MakeRig) -> None:
    """retry: error -> blocked, a person."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.let_fail("first", Refused)

    rig.retry("first")

    assert rig.is_given("first")


@pytest.mark.parametrize("reached", [_blocked, _todo, _active, _skipped])
def test_only_an_error_can_be_retried(make_rig: MakeRig, reached: Callable[[Rig], None]) -> None:
    """retry: error -> blocked; refusals raise and list what is allowed."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"], when=GATED))
    reached(rig)

    with pytest.raises(InvalidTransition, match="cannot retry from"):
        rig.retry("second")


def test_an_error_of_ordinary_work_is_retried_when_its_input_changes(make_rig: MakeRig) -> None:
    """retry: if not destructive, a changed digest."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)))
    rig.bind("first")
    rig.let_fail("first", Refused)

    rig.edit("set/b", 1)
    assert rig.state("first") is ERROR
    rig.edit("set/a", 1)

    assert rig.is_given("first")


def test_an_error_of_destructive_work_waits_for_a_person_whatever_its_input(
    make_rig: MakeRig,
) -> None:
    """retry: a person (of destructive work: it confirms it); or, *if not destructive*, a changed
    digest."""
    rig = make_rig(destructive("first", wants=(Want("set/a"),)))
    rig.bind("first")
    rig.let_fail("first", Refused)

    rig.edit("set/a", 1)
    assert rig.state("first") is ERROR
    rig.retry("first")

    assert rig.is_given("first")


def test_done_work_runs_again_when_its_input_changes(make_rig: MakeRig) -> None:
    """rerun: active -> blocked, digest changed and not destructive."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)))
    rig.bind("first")
    rig.work("first")

    rig.edit("set/a", 1)

    assert rig.state("first") is TODO
    assert not rig.the("first").is_stale
    rig.work("first")
    assert rig.runs("first") == 2


def test_a_verdict_that_flips_to_no_skips_done_work(make_rig: MakeRig) -> None:
    """reconsider: active -> blocked, the verdict of `when` changed; skip: blocked -> skipped."""
    rig = make_rig(make_role("first", when=GATED))
    rig.bind("first")
    rig.work("first")

    rig.edit("set/gate", False)

    assert rig.state("first") is SKIPPED


def test_a_verdict_that_flips_to_no_skips_failed_work(make_rig: MakeRig) -> None:
    """reconsider: error -> blocked; skip: blocked -> skipped."""
    rig = make_rig(destructive("first", when=GATED))
    rig.bind("first")
    rig.let_fail("first", Refused)

    rig.edit("set/gate", False)

    assert rig.state("first") is SKIPPED


def test_a_verdict_that_flips_to_yes_runs_skipped_work(make_rig: MakeRig) -> None:
    """reconsider: skipped -> blocked."""
    rig = make_rig(make_role("first", when=GATED))
    rig.edit("set/gate", False)
    rig.bind("first")
    assert rig.state("first") is SKIPPED

    rig.edit("set/gate", True)

    rig.work("first")
    assert rig.state("first") is ACTIVE


def test_a_verdict_that_flips_before_the_start_skips(make_rig: MakeRig) -> None:
    """skip: any blocked node-role with nothing unmet is ... skipped (by `when`)."""
    rig = make_rig(make_role("first", when=GATED))
    rig.bind("first")
    rig.hold(HoldScope.EVERYTHING)
    assert rig.state("first") is TODO

    rig.edit("set/gate", False)

    assert rig.state("first") is SKIPPED


def test_skipped_work_satisfies_its_children(make_rig: MakeRig) -> None:
    """Settled = active or skipped, and not stale."""
    rig = make_rig(make_role("first", when=GATED), make_role("second", needs=["first"]))
    rig.edit("set/gate", False)

    rig.bind("second")

    assert rig.is_given("second")
    assert rig.runs("first") == 0


def test_a_condition_on_an_output_is_judged_when_the_parent_settles(make_rig: MakeRig) -> None:
    """when: outputs (makes their role a hard parent)."""
    rig = make_rig(
        puts_out("first"),
        make_role("yes", when=(("out/first", "x"),)),
        make_role("no", when=(("out/first", "y"),)),
    )
    rig.bind("yes", "no")
    assert rig.states("yes", "no") == [BLOCKED, BLOCKED]
    message = rig.message("first")
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({"out/first": "x"}))

    assert rig.is_given("yes")
    assert rig.state("no") is SKIPPED


# -- new histories ---------------------------------------------------------------------------------


def _failed_twice(rig: Rig) -> None:
    rig.bind("first")
    rig.let_fail("first", Failed)
    rig.pass_s(11.0)
    rig.let_fail("first", Failed)
    assert rig.the("first").attempts == 2


def _is_new_history(rig: Rig, fence: int) -> bool:
    found = rig.the("first")
    history = (found.attempts, found.deferrals, found.first_started_at, found.not_before)
    return history == (0, 0, None, None) and found.fence == fence


def test_retry_begins_a_new_history_but_not_a_new_fence(make_rig: MakeRig) -> None:
    """Retry, rerun, reconsider and resume reset attempts and first start; fencing numbers never
    reset."""
    rig = make_rig(make_role("first"))
    _failed_twice(rig)
    rig.pass_s(21.0)
    rig.let_fail("first", Failed)
    assert rig.state("first") is ERROR

    rig.retry("first")

    assert _is_new_history(rig, fence=3)
    assert rig.message("first").ticket.fence == 4  # type: ignore[union-attr]


def test_rerun_begins_a_new_history_but_not_a_new_fence(make_rig: MakeRig) -> None:
    """Retry, rerun, reconsider and resume reset attempts and first start."""
    rig = make_rig(make_role("first", wants=(Want("set/a"),)))
    _failed_twice(rig)
    rig.pass_s(21.0)
    rig.work("first")

    rig.edit("set/a", 1)

    assert _is_new_history(rig, fence=3)


def test_reconsider_begins_a_new_history_but_not_a_new_fence(make_rig: MakeRig) -> None:
    """Retry, rerun, reconsider and resume reset attempts and first start."""
    rig = make_rig(make_role("first", when=GATED))
    _failed_twice(rig)
    rig.pass_s(21.0)
    rig.let_fail("first", Failed)

    rig.edit("set/gate", False)
    assert rig.state("first") is SKIPPED
    rig.edit("set/gate", True)

    assert _is_new_history(rig, fence=3)


def test_resume_begins_a_new_history_but_not_a_new_fence(make_rig: MakeRig) -> None:
    """Retry, rerun, reconsider and resume reset attempts and first start."""
    rig = make_rig(make_role("first"))
    _failed_twice(rig)
    rig.hold(HoldScope.NODE)

    rig.resume(HoldScope.NODE)

    assert _is_new_history(rig, fence=2)


def test_resume_after_a_cancel_of_the_first_attempt_forgets_the_first_start(
    make_rig: MakeRig,
) -> None:
    """Resume resets ... first start: else a long hold would use up the deadline."""
    rig = make_rig(make_role("first", deadline_s=100.0))
    rig.bind("first")
    rig.message("first")
    rig.cancel("first")
    rig.stopped("first")
    rig.pass_s(100_000.0)

    rig.resume(HoldScope.NODE_ROLE, "first")
    rig.let_fail("first", Unreachable)

    assert rig.state("first") is TODO


# -- adopt -----------------------------------------------------------------------------------------


@pytest.mark.xfail(strict=True, reason="no use case of the engine carries out `adopt` yet")
def test_a_person_adopts_work_that_a_check_finds_done() -> None:
    """adopt: blocked -> active, a person takes in a running node, and the jig's `check` says that
    the work is already done."""

    assert hasattr(interventions, "adopt")


def test_milestones_need_no_worker(make_rig: MakeRig) -> None:
    """Vertices that need no work (`noop` ...) are settled inline, without a worker."""
    rig = make_rig(make_role("first"), milestone("there", needs=["first"]))
    rig.bind("there")
    rig.work("first")

    assert rig.state("there") is ACTIVE
    assert rig.runs("there") == 0


def test_undeclared_outputs_are_refused() -> None:
    """outputs: anything undeclared is refused."""
    role = make_role("first", outputs=(Declared("out/first", {"type": "integer"}),))

    assert declared_outputs(role, {"out/first": 1}) == {"out/first": 1}
    with pytest.raises(Invalid, match="does not declare"):
        declared_outputs(role, {"out/other": 1})
    with pytest.raises(Invalid, match="schema"):
        declared_outputs(role, {"out/first": "x"})


def test_recommit_begins_as_new(make_rig: MakeRig) -> None:
    """commit: proposed -> blocked, also for what was in error when it was recalled."""
    rig = make_rig(make_role("first"))
    _failed_twice(rig)
    rig.recall("first")

    rig.commit([Recommit(rig.the("first").id)])

    assert _is_new_history(rig, fence=2)
