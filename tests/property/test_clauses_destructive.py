"""Destructive work, design.md section 4.3: confirmed by name, used once, spent at the point of no
return; drift that un-readies nothing; moved epochs that ask."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.deployment import Confirm, Recall
from readystate.domain.errors import Conflict, Failed, Refused, Unreachable
from readystate.domain.graph import HoldScope
from readystate.domain.outcome import NotDone, Succeeded
from readystate.domain.role import Declared, Epoch, Flag, Lane, Scope, Want
from readystate.engine.commit import commit_proposal
from readystate.engine.plan_report import is_drifted
from readystate.ports.dispatch import WorkKind
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
    installing,
    make_role,
    puts_out,
    wants_output,
)

MakeRig = Callable[..., Rig]
WANTS_A = (Want("set/a"),)
BY_REINSTALL = frozenset({Epoch.REINSTALL})


def _done(rig: Rig) -> None:
    rig.bind("wipe")
    rig.work("wipe")
    assert rig.state("wipe") is ACTIVE


def _drifted(rig: Rig, role: str = "wipe") -> bool:
    return is_drifted(rig.whole_graph(), rig.the(role).id)


def _asks(rig: Rig, role: str = "wipe") -> bool:
    return BlockerKind.CONFIRMATION in rig.kinds(role)


# -- confirmed by a plan ---------------------------------------------------------------------------


def test_a_plan_confirms_by_name_what_is_new_in_it(make_rig: MakeRig) -> None:
    """Committing a plan confirms the destructive steps that are new or asked for in it, each by
    name."""
    rig = make_rig(destructive("wipe"), make_role("plain"))

    plan = rig.bind("wipe", "plain")

    assert [(str(it.place), it.is_confirmed) for it in plan.destructive] == [("node-0/wipe", True)]
    assert rig.the("wipe").confirmation is not None
    assert rig.is_given("wipe")


def test_a_plan_confirms_what_it_asks_for_and_only_lists_the_rest_as_drift(
    make_rig: MakeRig,
) -> None:
    """... new or asked for in it; other ones it merely lists as drift."""
    rig = make_rig(destructive("wipe", wants=WANTS_A), destructive("raid", wants=WANTS_A))
    rig.bind("wipe", "raid")
    rig.drain()

    plan = rig.commit([rig.setting("set/a", 1), Confirm(rig.the("raid").id)])

    assert [(str(it.place), it.is_confirmed) for it in plan.destructive] == [("node-0/raid", True)]
    assert [str(it) for it in plan.drifted] == ["node-0/wipe"]
    assert rig.started("wipe", "raid") == {"raid"}
    assert rig.the("wipe").is_settled


def test_another_plan_does_not_confirm_what_is_not_named_in_it(make_rig: MakeRig) -> None:
    """Committing a plan confirms the destructive steps that are new or asked for in it."""
    rig = make_rig(destructive("wipe", when=GATED), make_role("plain"))
    rig.edit("set/gate", False)
    rig.bind("wipe")
    assert rig.state("wipe") is SKIPPED

    rig.edit("set/gate", True)
    rig.bind("plain")

    assert rig.the("wipe").confirmation is None
    assert rig.started("wipe", "plain") == {"plain"}
    assert _asks(rig)


def test_only_destructive_work_can_be_confirmed_by_a_plan(make_rig: MakeRig) -> None:
    """A confirmation is for destructive steps."""
    rig = make_rig(make_role("plain"))
    rig.bind("plain")

    with pytest.raises(Conflict, match="not destructive"):
        rig.commit([Confirm(rig.the("plain").id)])


def test_work_on_a_disk_not_seen_is_told_so_unless_the_proposal_says_wipe_any(
    make_rig: MakeRig,
) -> None:
    """For a disk that was not seen at the commit only a blank one may be written unless the
    proposal says `wipe: any`."""
    rig = make_rig(destructive("wipe"), nodes=2)
    rig.bind("wipe")
    ticket = rig.message("wipe").ticket
    assert ticket is not None
    assert (ticket.confirmed_disks, ticket.wipe_any) == ((), False)

    proposal = replace(rig.propose([Confirm(rig.the("wipe").id)]), wipe_any=True)
    rig.work("wipe")
    rig.write(
        lambda tx: commit_proposal(
            tx,
            tx.add_proposal(proposal),
            lambda version: rig.catalog,
            rig.clock.now(),
            by="tester",
            digest=None,
        )
    )
    rig.tally.confirmations[rig.the("wipe").id] += 1

    ticket = rig.message("wipe").ticket
    assert ticket is not None
    assert ticket.wipe_any


def _with_disks() -> tuple[Any, Any]:
    inventory = make_role(
        "inventory", wants=WANTS_A, outputs=(Declared("hardware/disks", {"type": "array"}),)
    )
    return inventory, destructive("wipe", wants=(Want("hardware/disks", inventory.name),))


def _report_disks(rig: Rig, *serials: str) -> None:
    message = rig.message("inventory")
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({"hardware/disks": [{"serial": it} for it in serials]}))
    rig.settle_turns()


def test_a_confirmation_names_the_disks_that_were_seen(make_rig: MakeRig) -> None:
    """A confirmation binds node-role, digest, machine and *disk identity*."""
    rig = make_rig(*_with_disks())
    rig.bind("inventory")
    _report_disks(rig, "S1", "S2")

    plan = rig.bind("wipe")

    assert [it.disks for it in plan.destructive] == [("S1", "S2")]
    ticket = rig.message("wipe").ticket
    assert ticket is not None
    assert ticket.confirmed_disks == ("S1", "S2")


@pytest.mark.parametrize("how", ["confirm", "retry"])
def test_a_person_who_confirms_one_node_role_confirms_the_disks_seen(
    make_rig: MakeRig, how: str
) -> None:
    """A confirmation binds ... disk identity, whichever way it is given."""
    rig = make_rig(*_with_disks())
    rig.bind("inventory")
    _report_disks(rig, "S1")
    rig.bind("wipe")
    if how == "confirm":
        rig.work("wipe")
        rig.confirm("wipe")
    else:
        rig.let_fail("wipe", Refused)
        rig.retry("wipe")

    ticket = rig.message("wipe").ticket
    assert ticket is not None
    assert ticket.confirmed_disks == ("S1",)


# -- what a confirmation binds ---------------------------------------------------------------------


def test_inputs_unknown_at_the_commit_bind_when_all_parents_first_settle(
    make_rig: MakeRig,
) -> None:
    """... inputs unknown at the commit bind when all parents first settle, and later changes void
    it."""
    rig = make_rig(
        puts_out("inventory", wants=WANTS_A), destructive("wipe", wants=wants_output("inventory"))
    )
    rig.bind("wipe")
    given = rig.the("wipe").confirmation
    assert given is not None
    assert given.key is None
    rig.hold(HoldScope.NODE_ROLE, "wipe")
    _put_out(rig, "inventory", 1)
    bound = rig.the("wipe").confirmation
    assert bound is not None
    assert bound.key is not None

    rig.edit("set/a", 1)
    _put_out(rig, "inventory", 2)

    assert rig.the("wipe").confirmation is None
    assert rig.events_of("node-role.confirmation-void")
    rig.resume(HoldScope.NODE_ROLE, "wipe")
    assert not rig.is_given("wipe")
    assert _asks(rig)


def _put_out(rig: Rig, role: str, value: Any) -> None:
    message = rig.message(role)
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({f"out/{role}": value}))
    rig.settle_turns()


def test_a_parent_that_runs_again_with_the_same_outputs_does_not_void_it(make_rig: MakeRig) -> None:
    """Later *changes* void it."""
    rig = make_rig(
        puts_out("inventory", wants=WANTS_A), destructive("wipe", wants=wants_output("inventory"))
    )
    rig.bind("wipe")
    rig.hold(HoldScope.NODE_ROLE, "wipe")
    _put_out(rig, "inventory", 1)

    rig.edit("set/a", 1)
    _put_out(rig, "inventory", 1)
    rig.resume(HoldScope.NODE_ROLE, "wipe")

    assert rig.is_given("wipe")


def test_an_edited_want_before_the_start_voids_it(make_rig: MakeRig) -> None:
    """A confirmation binds node-role, digest ...; later changes void it."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    rig.bind("wipe")
    rig.hold(HoldScope.NODE)

    rig.edit("set/a", 1)
    rig.resume(HoldScope.NODE)

    assert not rig.is_given("wipe")
    assert _asks(rig)


@pytest.mark.parametrize("fact", ["uuid", "serial"])
def test_another_machine_voids_it(make_rig: MakeRig, fact: str) -> None:
    """A confirmation binds ... machine."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.hold(HoldScope.NODE)

    rig.observe(rig.nodes[0], {fact: "another"})
    rig.resume(HoldScope.NODE)

    assert not rig.is_given("wipe")
    assert _asks(rig)


def test_a_moved_epoch_voids_it(make_rig: MakeRig) -> None:
    """A confirmation binds ... digest, and epochs are in the digest."""
    rig = make_rig(
        destructive("wipe", lane=Lane.OS, invalidated_by=BY_REINSTALL), installing("install")
    )
    rig.bind("wipe")
    rig.hold(HoldScope.NODE_ROLE, "wipe")
    assert rig.the("wipe").confirmation is not None

    rig.bind("install")
    rig.work("install")
    rig.resume(HoldScope.NODE_ROLE, "wipe")

    assert not rig.is_given("wipe")
    assert _asks(rig)


def test_one_plan_confirms_work_together_with_what_moves_its_epoch_first(
    make_rig: MakeRig,
) -> None:
    """Inputs unknown at the commit bind when *all* parents first settle: what un-settles a step
    also runs softly before it, so the epoch that it moves is one of these inputs."""
    rig = make_rig(
        destructive("wipe", lane=Lane.OS, invalidated_by=BY_REINSTALL), installing("install")
    )
    rig.bind("wipe", "install")

    rig.work("install")

    assert rig.is_given("wipe")


def test_a_missing_value_is_an_input_not_known_yet(make_rig: MakeRig) -> None:
    """Inputs unknown at the commit bind when ...: setting what was missing voids nothing, and the
    next edit does."""
    rig = make_rig(destructive("wipe", wants=(Want("set/required"),)))
    rig.bind("wipe")
    rig.hold(HoldScope.NODE)
    rig.edit("set/required", 1)
    assert rig.the("wipe").confirmation is not None

    rig.edit("set/required", 2)
    rig.resume(HoldScope.NODE)

    assert not rig.is_given("wipe")
    assert _asks(rig)


# -- given where, used once, spent when ------------------------------------------------------------


def test_it_can_be_given_while_blocked_to_do_or_active(make_rig: MakeRig) -> None:
    """It is given in blocked, todo or active."""
    rig = make_rig(make_role("first"), destructive("wipe", needs=["first"], wants=WANTS_A))
    rig.bind("wipe")
    assert rig.state("wipe") is BLOCKED
    rig.confirm("wipe")
    rig.work("first")

    rig.hold(HoldScope.NODE)
    rig.edit("set/a", 1)
    assert rig.state("wipe") in (TODO, TRANSITION)
    rig.resume(HoldScope.NODE)
    rig.work("wipe")
    rig.confirm("wipe")
    assert rig.is_given("wipe")


def test_it_frees_what_waits_for_it(make_rig: MakeRig) -> None:
    """confirm in todo: the blocker goes away."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    rig.bind("wipe")
    rig.hold(HoldScope.NODE)
    rig.edit("set/a", 1)
    rig.resume(HoldScope.NODE)
    assert _asks(rig)

    rig.confirm("wipe")

    assert rig.is_given("wipe")


def _in_error(rig: Rig) -> None:
    rig.bind("wipe")
    rig.let_fail("wipe", Refused)


def _under_way(rig: Rig) -> None:
    rig.bind("wipe")
    rig.message("wipe")


def _skipped(rig: Rig) -> None:
    rig.edit("set/gate", False)
    rig.bind("wipe")


def _proposed(rig: Rig) -> None:
    rig.bind("wipe")
    rig.recall("wipe")


@pytest.mark.parametrize("how", ["by itself", "in a plan"])
@pytest.mark.parametrize(
    ("reach", "state"),
    [
        (_in_error, ERROR),
        (_under_way, TRANSITION),
        (_skipped, SKIPPED),
        (_proposed, PROPOSED),
    ],
)
def test_it_is_refused_in_every_other_state(
    make_rig: MakeRig, reach: Callable[[Rig], None], state: Any, how: str
) -> None:
    """It is given in blocked, todo or active."""
    rig = make_rig(destructive("wipe", when=GATED))
    reach(rig)
    assert rig.state("wipe") is state

    def confirm() -> None:
        if how == "by itself":
            rig.confirm("wipe")
        else:
            rig.commit([Confirm(rig.the("wipe").id)])

    with pytest.raises(Conflict, match=f"it is {state}"):
        confirm()


def test_it_is_used_once(make_rig: MakeRig) -> None:
    """It is ... used once, and spent at PNR."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    _done(rig)
    assert rig.the("wipe").confirmation is None
    rig.confirm("wipe")

    rig.work("wipe")

    assert rig.runs("wipe") == 2
    assert rig.the("wipe").confirmation is None
    assert rig.the("wipe").is_settled


def test_it_is_spent_at_the_point_of_no_return(make_rig: MakeRig) -> None:
    """... spent at PNR, recorded by its jig before the first irreversible act."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    message = rig.message("wipe")
    assert rig.the("wipe").confirmation is not None

    assert rig.begin_effect(message)

    assert rig.the("wipe").confirmation is None
    rig.work("wipe")


def test_it_is_kept_by_a_cancel_before_the_point_of_no_return(make_rig: MakeRig) -> None:
    """Spent at PNR, not before."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.message("wipe")
    rig.cancel("wipe")
    rig.stopped("wipe")

    rig.resume(HoldScope.NODE_ROLE, "wipe")

    assert rig.is_given("wipe")


def test_a_cancel_past_the_point_of_no_return_asks_before_it_runs_again(make_rig: MakeRig) -> None:
    """It is ... used once, and spent at PNR; cancel: transition -> blocked, held."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    assert rig.begin_effect(rig.message("wipe"))
    rig.cancel("wipe")
    rig.stopped("wipe")

    rig.resume(HoldScope.NODE_ROLE, "wipe")

    assert not rig.is_given("wipe")
    assert _asks(rig)


def test_skipping_uses_it_up(make_rig: MakeRig) -> None:
    """The verdict of `when` is in the digest: a changed one voids it."""
    rig = make_rig(destructive("wipe", when=GATED))
    rig.bind("wipe")
    rig.hold(HoldScope.NODE)
    rig.edit("set/gate", False)
    assert rig.state("wipe") is SKIPPED

    rig.edit("set/gate", True)
    rig.resume(HoldScope.NODE)

    assert not rig.is_given("wipe")
    assert _asks(rig)


def test_retry_of_destructive_work_confirms_it(make_rig: MakeRig) -> None:
    """retry: a person (of destructive work: it confirms it)."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.let_fail("wipe", Failed, after_acting=True)
    assert rig.state("wipe") is ERROR

    rig.retry("wipe")

    rig.work("wipe")
    assert rig.state("wipe") is ACTIVE


def test_work_that_passes_no_point_of_no_return_spends_it_by_succeeding(make_rig: MakeRig) -> None:
    """Used once."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    message = rig.message("wipe")
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded())
    rig.settle_turns()

    assert rig.state("wipe") is ACTIVE
    assert rig.the("wipe").confirmation is None
    assert not rig.is_given("wipe")


# -- drift -----------------------------------------------------------------------------------------


def test_changed_wants_leave_it_settled_and_drifted_until_they_are_edited_back(
    make_rig: MakeRig,
) -> None:
    """Afterwards: changed *wants* leave it settled and **drifted** (derived, never stored: editing
    back ends it). One edited boot URL never un-readies a fleet."""
    rig = make_rig(destructive("wipe", wants=WANTS_A), make_role("above-it", needs=["wipe"]))
    rig.bind("above-it")
    rig.work("wipe", "above-it")

    rig.edit("set/a", 1)

    assert rig.the("wipe").is_settled
    assert rig.the("above-it").is_settled
    assert _drifted(rig)
    rig.drain()
    assert (rig.runs("wipe"), rig.runs("above-it")) == (1, 1)
    rig.edit("set/a", 0)
    assert not _drifted(rig)
    assert rig.the("wipe").is_settled


def test_a_changed_annotation_is_drift_too(make_rig: MakeRig) -> None:
    """Changed wants leave it settled: an upgrade never re-runs destructive work by itself."""
    rig = make_rig(destructive("wipe"))
    _done(rig)

    rig.use_edition("v2")

    assert rig.the("wipe").is_settled
    assert _drifted(rig)


def test_drift_survives_a_parent_that_unsettles_and_settles_again(make_rig: MakeRig) -> None:
    """Changed wants leave it settled and drifted."""
    rig = make_rig(
        puts_out("inventory", wants=WANTS_A), destructive("wipe", wants=wants_output("inventory"))
    )
    rig.bind("wipe")
    _put_out(rig, "inventory", 1)
    rig.work("wipe")

    rig.edit("set/a", 1)
    assert rig.the("wipe").is_stale
    _put_out(rig, "inventory", 2)

    assert rig.the("wipe").is_settled
    assert _drifted(rig)
    assert not rig.is_given("wipe")


def test_a_person_ends_drift_by_confirming(make_rig: MakeRig) -> None:
    """A person `confirm`s (re-run)."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    _done(rig)
    rig.edit("set/a", 1)

    rig.confirm("wipe")

    assert not rig.the("wipe").is_settled
    rig.work("wipe")
    assert rig.the("wipe").is_settled
    assert not _drifted(rig)
    assert rig.runs("wipe") == 2


def test_a_person_ends_drift_by_accepting(make_rig: MakeRig) -> None:
    """A person ... `accept`s (adopt the digest)."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    _done(rig)
    rig.edit("set/a", 1)

    rig.accept("wipe")
    rig.drain()

    assert not _drifted(rig)
    assert rig.runs("wipe") == 1
    rig.edit("set/a", 0)
    assert _drifted(rig), "what was accepted is now the digest that it rests on"


def _blocked_below(rig: Rig) -> None:
    rig.bind("wipe")


@pytest.mark.parametrize(
    "reach",
    [_blocked_below, _in_error, _under_way, _skipped, _proposed],
    ids=lambda it: it.__name__,
)
def test_only_done_work_can_be_accepted(make_rig: MakeRig, reach: Callable[[Rig], None]) -> None:
    """accept: adopt the digest of work that is done."""
    rig = make_rig(destructive("wipe", when=GATED))
    reach(rig)

    with pytest.raises(Conflict, match="cannot be accepted"):
        rig.accept("wipe")


def test_work_with_an_unsettled_parent_cannot_be_accepted(make_rig: MakeRig) -> None:
    """The digest is known only when all parents are settled."""
    rig = make_rig(make_role("first", wants=WANTS_A), destructive("wipe", needs=["first"]))
    rig.bind("wipe")
    rig.work("first", "wipe")
    rig.edit("set/a", 1)

    with pytest.raises(Conflict, match="unsettled parents"):
        rig.accept("wipe")


# -- moved epochs ----------------------------------------------------------------------------------


def _with_moved_epoch(make_rig: MakeRig) -> Rig:
    rig = make_rig(
        destructive("wipe", lane=Lane.OS, invalidated_by=BY_REINSTALL),
        make_role("below", needs=["wipe"]),
        installing("install", wants=WANTS_A),
    )
    rig.bind("install")
    rig.work("install")
    rig.bind("below")
    rig.work("wipe", "below")
    rig.edit("set/a", 1)
    rig.work("install")
    return rig


def test_a_moved_epoch_unsettles_it_and_asks(make_rig: MakeRig) -> None:
    """A moved *epoch* un-settles it. A person `confirm`s (re-run) ..."""
    rig = _with_moved_epoch(make_rig)

    assert rig.state("wipe") is ACTIVE
    assert rig.the("wipe").is_stale
    assert rig.the("below").is_stale
    assert not rig.is_given("wipe")
    assert rig.kinds("wipe") == {BlockerKind.CONFIRMATION}
    rig.confirm("wipe")
    rig.work("wipe")
    assert rig.the("wipe").is_settled
    assert rig.the("below").is_settled
    assert rig.runs("below") == 1


def test_a_moved_epoch_may_be_accepted(make_rig: MakeRig) -> None:
    """... or `accept`s (adopt the digest)."""
    rig = _with_moved_epoch(make_rig)

    rig.accept("wipe")

    assert rig.the("wipe").is_settled
    assert rig.the("below").is_settled
    rig.drain()
    assert rig.runs("wipe") == 1


def test_a_moved_epoch_that_no_want_goes_with_stays_unsettled_through_edits(
    make_rig: MakeRig,
) -> None:
    """A moved epoch un-settles it: editing back ends drift, never this."""
    rig = make_rig(
        destructive("wipe", lane=Lane.OS, invalidated_by=BY_REINSTALL, wants=(Want("set/b"),)),
        installing("install", wants=WANTS_A),
    )
    rig.bind("install")
    rig.work("install")
    rig.bind("wipe")
    rig.work("wipe")
    rig.edit("set/a", 1)
    rig.work("install")
    assert rig.the("wipe").is_stale

    rig.edit("set/b", 1)
    rig.edit("set/b", 0)

    assert rig.the("wipe").is_stale


# -- lost past the point of no return --------------------------------------------------------------


def test_a_lost_worker_before_the_point_of_no_return_is_an_ordinary_loss(make_rig: MakeRig) -> None:
    """release: lease lost, role ... not past PNR."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.lose_worker("wipe")

    rig.stopped("wipe")

    assert rig.is_given("wipe")
    rig.work("wipe")
    assert rig.the("wipe").is_settled


def test_a_lost_worker_past_it_ends_in_outcome_unknown_and_asks(make_rig: MakeRig) -> None:
    """A `destructive` one past its point of no return goes to error("outcome unknown") and asks,
    unless its jig can tell by a check."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.lose_worker("wipe", after_acting=True)

    rig.stopped("wipe", outcome=NotDone("its check cannot tell"))

    assert rig.state("wipe") is ERROR
    (blocker,) = rig.blockers("wipe")
    assert (blocker.kind, blocker.family) == (BlockerKind.ERROR, "outcome-unknown")
    assert not rig.is_given("wipe")
    rig.retry("wipe")
    rig.work("wipe")
    assert rig.the("wipe").is_settled


def test_a_lost_worker_past_it_whose_check_can_tell_is_taken_as_done(make_rig: MakeRig) -> None:
    """... unless its jig can tell by a check."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.lose_worker("wipe", after_acting=True)
    message = rig.message("wipe", kind=WorkKind.STOP)
    assert message.effect_recorded

    rig.work("wipe")

    assert rig.state("wipe") is ACTIVE
    assert rig.the("wipe").is_settled
    assert rig.runs("wipe") == 0


def test_a_pending_destructive_run_past_its_deadline_is_unknown_past_its_point_of_no_return(
    make_rig: MakeRig,
) -> None:
    """fail: anything past PNR: at once."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    assert rig.begin_effect(rig.message("wipe"))
    rig.let_pend("wipe", deadline_s=30.0)
    rig.pass_s(31.0)

    rig.stopped("wipe", outcome=NotDone("not there"))

    assert rig.state("wipe") is ERROR


def test_a_destructive_cluster_role_is_confirmed_node_by_node(make_rig: MakeRig) -> None:
    """Each by name; the barrier itself destroys nothing."""
    flags = frozenset({Flag.DESTRUCTIVE})
    rig = make_rig(make_role("wipe", scope=Scope.CLUSTER, lane=Lane.BMC, flags=flags), nodes=2)

    plan = rig.bind("wipe", nodes=(0, 1))

    assert [str(it.place) for it in plan.destructive] == ["node-0/wipe", "node-1/wipe"]
    rig.work("wipe", node=0)
    rig.work("wipe", node=1)
    assert rig.state("wipe", None) is ACTIVE


def test_confirming_and_editing_in_one_plan_binds_the_new_input(make_rig: MakeRig) -> None:
    """A confirmation is for what it would do now: with the plan's own edits."""
    rig = make_rig(destructive("wipe", wants=WANTS_A))
    _done(rig)

    rig.commit([Confirm(rig.the("wipe").id), rig.setting("set/a", 1)])

    ticket = rig.message("wipe").ticket
    assert ticket is not None
    assert ticket.input == {"a": 1}


def test_confirm_waits_out_an_unreachable_bmc(make_rig: MakeRig) -> None:
    """Spent at PNR: an unreachable BMC before it costs no confirmation."""
    rig = make_rig(destructive("wipe"))
    _done(rig)
    rig.confirm("wipe")
    rig.let_fail("wipe", Unreachable)
    rig.pass_s(11.0)

    rig.work("wipe")

    assert rig.the("wipe").is_settled


def test_recalling_takes_the_confirmation_back(make_rig: MakeRig) -> None:
    """Committing a plan confirms what is new in it: a recalled step is committed anew, by a plan
    that names it."""
    rig = make_rig(destructive("wipe"))
    rig.bind("wipe")
    rig.commit([Recall(rig.the("wipe").id)])
    assert not rig.is_given("wipe")

    plan = rig.recommit("wipe")

    assert [str(it.place) for it in plan.destructive] == ["node-0/wipe"]
    assert rig.is_given("wipe")


def test_a_person_confirms_in_the_interventions_and_it_says_who(make_rig: MakeRig) -> None:
    """Every destructive step is confirmed by somebody."""
    rig = make_rig(destructive("wipe"))
    _done(rig)

    rig.confirm("wipe")

    given = rig.the("wipe").confirmation
    assert given is not None
    assert given.by == "tester"


def test_an_attribute_of_one_node_drifts_that_node_alone(make_rig: MakeRig) -> None:
    """One edited boot URL never un-readies a fleet; drift is derived for whom it concerns."""
    rig = make_rig(destructive("wipe", wants=WANTS_A), nodes=2)
    rig.bind("wipe", nodes=(0, 1))
    rig.work("wipe", node=0)
    rig.work("wipe", node=1)

    plan = rig.commit([rig.setting("set/a", 1, node=1)])

    assert [str(it) for it in plan.drifted] == ["node-1/wipe"]
