"""Blockers and `why`, design.md section 4.4, case by case; `test_why.py` has the laws."""

from collections.abc import Callable

import pytest

from readystate.domain.blockers import BlockerKind, Owner
from readystate.domain.errors import Failed, NotFound, Refused, Unreachable
from readystate.domain.graph import HoldScope
from readystate.domain.ids import NodeRoleId
from readystate.domain.role import Epoch, Lane, Want
from readystate.engine.explain import Why, explain
from tests.property.scenario import (
    GATED,
    Rig,
    by_cluster,
    destructive,
    make_role,
    milestone,
    puts_out,
    rebooting,
    wants_output,
)

MakeRig = Callable[..., Rig]


def _fix(why: Why) -> list[tuple[str, str]]:
    return [(fix.verb.value, fix.subject) for fix in why.fix]


def test_what_can_run_has_neither_blocker_nor_fix(make_rig: MakeRig) -> None:
    """Runnable means empty."""
    rig = make_rig(make_role("first"))
    rig.bind("first")

    why = rig.why("first")

    assert (why.is_runnable, why.roots, why.fix) == (True, (), ())


def test_what_only_needs_time_has_a_root_and_no_fix(make_rig: MakeRig) -> None:
    """A recovering fault shows too, while it lasts: family, owner, since and until when."""
    rig = make_rig(make_role("first", lane=Lane.BMC), make_role("second", needs=["first"]))
    rig.bind("second")
    began = rig.clock.now()
    rig.let_fail("first", Unreachable)
    rig.pass_s(11.0)
    rig.let_fail("first", Unreachable)

    why = rig.why("second")

    (root,) = why.roots
    assert [link.role for link in why.chain] == ["second", "first"]
    assert (root.role, root.node, root.bmc) == ("first", "node-0", "127.0.9.0")
    assert root.blocker.kind is BlockerKind.BACKOFF
    assert (root.blocker.family, root.blocker.owner) == ("unreachable", Owner.BMC)
    assert (root.blocker.since, root.blocker.until) == (began, rig.the("first").not_before)
    assert why.fix == ()


def test_a_retry_under_way_still_shows_the_fault(make_rig: MakeRig) -> None:
    """A recovering fault shows too, while it lasts."""
    rig = make_rig(make_role("first", lane=Lane.BMC))
    rig.bind("first")
    rig.let_fail("first", Unreachable)
    rig.pass_s(11.0)
    rig.message("first")

    (root,) = rig.why("first").roots

    assert (root.blocker.kind, root.blocker.family) == (BlockerKind.WAITING, "unreachable")


def test_the_chain_leads_to_the_error_and_the_fix_is_to_retry_it(make_rig: MakeRig) -> None:
    """`why` walks them to the root causes and returns the chain."""
    rig = make_rig(
        make_role("bad"), make_role("second", needs=["bad"]), milestone("third", needs=["second"])
    )
    rig.bind("third")
    rig.let_fail("bad", Refused)

    why = rig.why("third")

    assert [link.role for link in why.chain] == ["third", "second", "bad"]
    assert [(root.role, root.blocker.kind) for root in why.roots] == [("bad", BlockerKind.ERROR)]
    assert why.roots[0].blocker.owner is Owner.OPERATOR
    assert _fix(why) == [("retry", "node-0/bad")]
    assert why.fix[0].command == "readystate retry node-0/bad"


@pytest.mark.parametrize("scope", list(HoldScope))
def test_a_hold_of_any_level_is_lifted_at_its_level(make_rig: MakeRig, scope: HoldScope) -> None:
    """Blockers: held (by whom)."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.hold(scope, "first")

    why = rig.why("first")

    assert [(it.blocker.kind, it.blocker.by) for it in why.roots] == [(BlockerKind.HELD, "tester")]
    (fix,) = why.fix
    assert fix.hold is not None
    assert (fix.verb.value, fix.hold.scope) == ("resume", scope)


def test_two_holds_over_one_node_role_are_two_facts(make_rig: MakeRig) -> None:
    """The smallest set of facts that would unblock: each is needed."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.hold(HoldScope.NODE)
    rig.hold(HoldScope.EVERYTHING)

    assert sorted(_fix(rig.why("first"))) == [("resume", "everything"), ("resume", "node 1")]


def test_one_hold_over_a_whole_chain_is_one_fact(make_rig: MakeRig) -> None:
    """The *smallest* set."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.hold(HoldScope.NODE)

    assert _fix(rig.why("second")) == [("resume", "node 1")]


def test_every_parent_that_is_stuck_is_part_of_the_fix(make_rig: MakeRig) -> None:
    """Runnable only if *every* hard parent is settled."""
    rig = make_rig(
        make_role("left"),
        make_role("right", wants=(Want("set/required"),)),
        make_role("below", needs=["left", "right"]),
    )
    rig.bind("below")
    rig.let_fail("left", Failed)
    rig.pass_s(11.0)
    rig.let_fail("left", Refused)

    why = rig.why("below")

    assert _fix(why) == [("set-attribute", "set/required"), ("retry", "node-0/left")]


def test_a_soft_parent_that_is_stuck_is_no_part_of_it(make_rig: MakeRig) -> None:
    """A soft parent that needs a person delays nobody."""
    rig = make_rig(
        make_role("beside"), make_role("bad"), make_role("below", needs=["bad"], after=["beside"])
    )
    rig.bind("below", "beside")
    rig.let_fail("beside", Refused)
    rig.let_fail("bad", Refused)

    assert _fix(rig.why("below")) == [("retry", "node-0/bad")]


def test_a_slow_soft_parent_is_in_the_chain(make_rig: MakeRig) -> None:
    """Blockers: ordered after."""
    rig = make_rig(make_role("slow"), make_role("later", after=["slow"]))
    rig.bind("slow", "later")
    rig.message("slow")

    why = rig.why("later")

    assert [link.role for link in why.chain] == ["later", "slow"]
    assert [root.role for root in why.roots] == ["slow"]
    assert why.fix == ()


def test_done_work_under_a_hold_needs_no_resume_when_it_will_settle_by_itself(
    make_rig: MakeRig,
) -> None:
    """Irreducible: stale work with the same digest settles without running, hold or no hold."""
    rig = make_rig(
        puts_out("first", wants=(Want("set/a"),)), make_role("second", wants=wants_output("first"))
    )
    rig.bind("second")
    rig.work("first", "second")
    rig.hold(HoldScope.NODE_ROLE, "second")
    rig.edit("set/a", 1)
    rig.let_fail("first", Refused)

    assert _fix(rig.why("second")) == [("retry", "node-0/first")]


def test_what_the_fix_itself_will_ask_for_is_part_of_it(make_rig: MakeRig) -> None:
    """The set that would unblock: a reboot that the retried work brings un-settles destructive work
    below it, which asks again."""
    by = frozenset({Epoch.REBOOT})
    rig = make_rig(
        rebooting("install", wants=(Want("set/a"),)),
        destructive("wipe", needs=["install"], lane=Lane.OS, invalidated_by=by),
        make_role("below", needs=["wipe"]),
    )
    rig.bind("below")
    rig.work("install", "wipe", "below")
    rig.edit("set/a", 1)
    rig.let_fail("install", Refused)

    assert _fix(rig.why("below")) == [("retry", "node-0/install"), ("confirm", "node-0/wipe")]
    rig.retry("install")
    rig.confirm("wipe")
    rig.drain()
    assert rig.the("below").is_settled


def test_unconfirmed_work_is_confirmed(make_rig: MakeRig) -> None:
    """Blockers: confirmation."""
    rig = make_rig(destructive("wipe", when=GATED), make_role("below", needs=["wipe"]))
    rig.edit("set/gate", False)
    rig.bind("below")
    rig.work("below")
    rig.edit("set/gate", True)

    why = rig.why("below")

    assert [root.blocker.kind for root in why.roots] == [BlockerKind.CONFIRMATION]
    assert _fix(why) == [("confirm", "node-0/wipe")]


def test_a_recalled_parent_is_committed(make_rig: MakeRig) -> None:
    """Blockers: not committed."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.recall("first", "second")
    rig.recommit("second")

    why = rig.why("second")

    assert [root.blocker.kind for root in why.roots] == [BlockerKind.NOT_COMMITTED]
    assert _fix(why) == [("commit", "node-0/first")]
    place = rig.read(lambda reader: reader.deployment(rig.deployments[-1]).name)
    assert why.fix[0].command == f"readystate plan --deployment {place} --recommit node-0/first"


def test_an_output_that_is_missing_is_brought_by_the_gate_of_its_work(make_rig: MakeRig) -> None:
    """Blockers: missing attribute. Nobody may set an output; what skipped its work may be set."""
    rig = make_rig(puts_out("first", when=GATED), make_role("second", wants=wants_output("first")))
    rig.edit("set/gate", False)
    rig.bind("second")

    (fix,) = rig.why("second").fix

    assert (fix.verb.value, fix.subject, fix.value) == ("set-attribute", "set/gate", True)
    assert fix.command.endswith(" --set set/gate=true --at node:node-0")


def test_to_retry_destructive_work_is_said_to_destroy(make_rig: MakeRig) -> None:
    """`why` must not name a harmless word for what says yes to a wipe."""
    rig = make_rig(destructive("wipe"), make_role("plain"))
    rig.bind("wipe", "plain")
    rig.confirm("wipe")
    rig.let_fail("wipe", Refused)
    rig.let_fail("plain", Refused)

    (wipe,), (plain,) = rig.why("wipe").fix, rig.why("plain").fix

    assert (wipe.verb.value, wipe.command) == ("retry", "readystate retry node-0/wipe")
    assert (True, False) == (wipe.destroys, plain.destroys)


def test_a_node_and_its_bmc_are_named(make_rig: MakeRig) -> None:
    """Blockers: node not available, no hammer with that capability."""
    rig = make_rig(make_role("first", lane=Lane.BMC))
    rig.bind("first")
    rig.set_available(False)
    rig.observe(rig.nodes[0], {"bmc": []})

    assert _fix(rig.why("first")) == [("add-bmc", "node-0"), ("set-available", "node-0")]


def test_another_node_behind_a_barrier_is_the_root(make_rig: MakeRig) -> None:
    """... who owns each (... another node)."""
    rig = make_rig(by_cluster("peers"), make_role("waits", needs=["peers"]), nodes=2)
    rig.bind("peers", nodes=(0, 1))
    rig.bind("waits", nodes=(0,))
    rig.work("peers", node=0)
    rig.let_fail("peers", Refused, 1)

    why = rig.why("waits")

    assert [(root.role, root.node) for root in why.roots] == [("peers", "node-1")]
    assert _fix(why) == [("retry", "node-1/peers")]


def test_a_busy_lane_names_the_run_and_needs_only_time(make_rig: MakeRig) -> None:
    """Blockers: lane busy (by which run)."""
    rig = make_rig(make_role("first", lane=Lane.OS), make_role("second", lane=Lane.OS))
    rig.bind("first", "second")
    rig.message("first")

    (root,) = rig.why("second").roots

    assert (root.blocker.kind, root.blocker.run_id) == (BlockerKind.LANE, rig.run_of("first").id)
    assert rig.why("second").fix == ()


def test_a_wait_says_for_what_and_until_when(make_rig: MakeRig) -> None:
    """Blockers: waiting (for what, since when, until when)."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    began = rig.clock.now()
    rig.let_pend("install", deadline_s=30.0)

    (root,) = rig.why("install").roots

    assert root.blocker.kind is BlockerKind.WAITING
    assert "callback" in root.blocker.detail
    assert root.blocker.since == began
    assert root.blocker.until == rig.run_of("install").wake_deadline


def test_what_does_not_exist_cannot_be_explained(make_rig: MakeRig) -> None:
    """Refusals raise."""
    rig = make_rig(make_role("first"))

    with pytest.raises(NotFound):
        rig.read(lambda reader: explain(reader, NodeRoleId(99), rig.clock.now()))
