"""Lanes, node actions, holds and gates, design.md sections 4.3 and 5."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.errors import Busy, NotFound, Refused, Stopped, Unreachable
from readystate.domain.graph import HoldScope
from readystate.domain.node_role import NodeRoleState
from readystate.domain.outcome import Errored, NotDone, Pending, Staged, Succeeded
from readystate.domain.power import PowerAction
from readystate.domain.role import Lane, Role
from readystate.domain.run import RunPhase
from readystate.engine import interventions
from readystate.engine.annealer import Answer
from readystate.ports.dispatch import WorkKind
from tests.property.scenario import (
    ACTIVE,
    TODO,
    TRANSITION,
    Rig,
    make_role,
    milestone,
    rebooting,
    shared_by_deployment,
    staging,
)

MakeRig = Callable[..., Rig]


def bmc(name: str, **said: object) -> Role:
    return make_role(name, **{"lane": Lane.BMC, **said})


def os(name: str, **said: object) -> Role:
    return make_role(name, **{"lane": Lane.OS, **said})


def both(name: str, **said: object) -> Role:
    return make_role(name, **{"lane": Lane.BOTH, **said})


# -- lanes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"), [(bmc, bmc), (os, os), (both, both), (both, bmc), (both, os)]
)
def test_one_lane_has_one_run(
    make_rig: MakeRig, left: Callable[[str], Role], right: Callable[[str], Role]
) -> None:
    """One row per occupied (node, lane), unique in the schema; `both` takes two."""
    rig = make_rig(left("a"), right("b"))
    rig.bind("a", "b")

    (first,) = rig.started("a", "b")
    second = "b" if first == "a" else "a"

    assert rig.kinds(second) == {BlockerKind.LANE}
    rig.work(first)
    assert rig.is_given(second)


def test_different_lanes_and_nodes_run_side_by_side(make_rig: MakeRig) -> None:
    """A lane is what a run occupies on *its node*."""
    rig = make_rig(bmc("a"), os("b"), make_role("c"), make_role("d"), nodes=2)
    rig.annealer.limits = type(rig.annealer.limits)(workers=50)
    rig.bind("a", "b", "c", "d", nodes=(0, 1))

    assert rig.started("a", "b", "c", "d", node=0) == {"a", "b", "c", "d"}
    assert rig.started("a", "b", "c", "d", node=1) == {"a", "b", "c", "d"}


def test_the_more_urgent_gets_the_lane(make_rig: MakeRig) -> None:
    """Priority, then the order of binding."""
    rig = make_rig(bmc("a"), bmc("b", priority=2), bmc("c"))
    rig.bind("a", "b", "c")

    order = []
    for _ in range(3):
        (name,) = rig.started("a", "b", "c")
        order.append(name)
        rig.work(name)

    assert order == ["b", "a", "c"]


@pytest.mark.parametrize("bound", ["before", "after"])
def test_work_in_both_lanes_is_not_starved_by_work_in_one(make_rig: MakeRig, bound: str) -> None:
    """`both` takes two, and reserves them when lanes are its only blocker: what it kept waiting for
    is then its own, whoever was bound first."""
    rig = make_rig(bmc("b0"), *(bmc(f"b{i}") for i in (1, 2)), os("files"), both("install"))
    rig.bind("b0")
    rig.message("b0")
    order = [["install"], ["b1", "b2", "files"]]
    rig.hold(HoldScope.NODE)
    for names in order if bound == "before" else reversed(order):
        rig.bind(*names)
    rig.resume(HoldScope.NODE)

    assert not rig.started("install", "b1", "b2", "files")
    assert rig.kinds("files") == {BlockerKind.LANE}
    rig.work("b0")
    assert rig.started("install", "b1", "b2", "files") == {"install"}


def test_only_what_is_more_urgent_goes_before_a_reservation(make_rig: MakeRig) -> None:
    """Higher priority starts first."""
    rig = make_rig(bmc("b0"), os("urgent", priority=1), os("files"), both("install"))
    rig.bind("b0")
    rig.message("b0")
    rig.bind("install")

    rig.bind("urgent", "files")

    assert rig.started("urgent", "files") == {"urgent"}
    rig.work("b0", "urgent")
    assert rig.started("install", "files") == {"install"}


def _hold(rig: Rig) -> None:
    rig.hold(HoldScope.NODE_ROLE, "install")


def _backoff(rig: Rig) -> None:
    rig.let_fail("install", Unreachable)


def _nothing(rig: Rig) -> None:
    del rig


@pytest.mark.parametrize(
    ("install", "blocked"),
    [
        (both("install"), _hold),
        (both("install"), _backoff),
        (both("install", after=["slow"]), _nothing),
        (both("install", needs=["slow"]), _nothing),
    ],
    ids=["held", "backoff", "ordered-after", "unsettled-parent"],
)
def test_work_in_both_lanes_that_waits_for_something_else_reserves_nothing(
    make_rig: MakeRig, install: Role, blocked: Callable[[Rig], None]
) -> None:
    """... reserves them when lanes are its *only* blocker."""
    rig = make_rig(make_role("slow"), install, bmc("b0"), os("files"))
    rig.bind("slow")
    rig.message("slow")
    rig.bind("install")
    blocked(rig)
    rig.bind("b0")
    assert rig.is_given("b0")

    rig.bind("files")

    assert rig.is_given("files")


def test_a_wait_keeps_its_lanes(make_rig: MakeRig) -> None:
    """**Pending** holds no worker ..., but keeps its lanes and attempt."""
    rig = make_rig(both("install"), os("files"), bmc("sensors"))
    rig.bind("install")
    rig.let_pend("install")
    rig.bind("files", "sensors")

    assert not rig.started("files", "sensors")
    rig.wake("install")
    rig.work("install")
    assert rig.started("files", "sensors") == {"files", "sensors"}


def test_a_lane_is_free_only_when_the_side_effect_has_stopped(make_rig: MakeRig) -> None:
    """A run lost with its worker is first stopped by the jig; a stop that fails is tried again."""
    rig = make_rig(bmc("a"), bmc("b"))
    rig.bind("a")
    rig.lose_worker("a")
    rig.bind("b")
    assert not rig.is_given("b")

    rig.stopped("a", outcome=Errored(Busy("still there")))
    assert not rig.is_given("b")
    assert not rig.is_given("a")
    assert rig.state("a") is TRANSITION
    rig.pass_s(16.0)
    assert rig.message("a").kind is WorkKind.STOP
    assert not rig.is_given("b")
    rig.stopped("a")

    assert rig.started("a", "b") == {"a"}
    rig.work("a")
    assert rig.is_given("b")


def test_a_deployment_role_has_no_node_and_no_lane(make_rig: MakeRig) -> None:
    """A deployment-scope role ... runs on the engine and has no node, lane or hammer."""
    rig = make_rig(shared_by_deployment("dns"), bmc("a", needs=["dns"]))
    rig.bind("a")

    message = rig.message("dns", None)

    assert message.ticket is not None
    assert message.ticket.node is None
    assert rig.run_of("dns", None).occupied == ()


# -- node actions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", list(PowerAction))
def test_power_by_a_person_waits_for_the_bmc_lane(make_rig: MakeRig, action: PowerAction) -> None:
    """Node actions are runs too: lanes ... Power has one writer: the `bmc` lane."""
    rig = make_rig(bmc("a"), bmc("b"))
    rig.bind("a")
    rig.message("a")

    rig.power(action)
    assert rig.power_message() is None
    rig.work("a")

    message = rig.power_message()
    assert message is not None
    assert message.action == action.value
    rig.bind("b")
    assert not rig.is_given("b")
    rig.carry_out(message)
    assert rig.is_given("b")


@pytest.mark.parametrize("action", [PowerAction.OFF, PowerAction.RESET, PowerAction.CYCLE])
def test_power_that_cuts_the_system_waits_for_work_in_it(
    make_rig: MakeRig, action: PowerAction
) -> None:
    """Node actions are runs too: lanes."""
    rig = make_rig(os("files"))
    rig.bind("files")
    rig.message("files")

    rig.power(action)

    assert rig.power_message() is None
    rig.work("files")
    assert rig.power_message() is not None


@pytest.mark.parametrize("scope", [HoldScope.NODE, HoldScope.DEPLOYMENT, HoldScope.EVERYTHING])
def test_a_hold_stops_power_by_a_person_too(make_rig: MakeRig, scope: HoldScope) -> None:
    """Node actions ... are runs too: lanes, holds, fencing."""
    rig = make_rig(bmc("a"))
    rig.hold(scope)

    rig.power(PowerAction.RESET)

    assert rig.power_message() is None
    rig.resume(scope)
    assert rig.power_message() is not None


def test_a_late_answer_about_power_is_refused(make_rig: MakeRig) -> None:
    """Node actions are runs too: ... fencing."""
    rig = make_rig(bmc("a"))
    run_id = rig.power(PowerAction.RESET)
    message = rig.power_message()
    assert message is not None
    rig.lose(message, after_acting=False)
    rig.clock.pass_s(61.0)
    rig.settle_turns()

    rig.answer(message, rig.good_answer(message))
    rig.settle_turns()

    run = rig.read(lambda reader: reader.run(run_id)).run
    assert run.phase is RunPhase.STOPPING
    assert not rig.begin_effect(message), "a zombie may not touch the power"


@pytest.mark.parametrize("said", [Pending("callback", 30.0), Staged(), Succeeded(), NotDone("no")])
def test_what_the_work_says_of_itself_does_not_free_the_lane_of_a_cancelled_run(
    make_rig: MakeRig, said: Any
) -> None:
    """A lane is freed only when the side effect has stopped: the stop's worker says so."""
    rig = make_rig(staging("a"), bmc("b"))
    rig.bind("a")
    message = rig.message("a")
    rig.bind("b")
    rig.cancel("a")

    rig.answer(message, said)
    rig.settle_turns()

    assert rig.run_of("a").phase is RunPhase.STOPPING
    assert not rig.is_given("b")
    rig.stopped("a")
    assert rig.is_given("b")


@pytest.mark.parametrize("said", [Pending("callback", 30.0), Staged()])
def test_a_stop_that_says_something_else_is_asked_again(make_rig: MakeRig, said: Any) -> None:
    """A lane is freed only when the side effect has stopped."""
    rig = make_rig(staging("a"), bmc("b"))
    rig.bind("a")
    rig.message("a")
    rig.bind("b")
    rig.cancel("a")

    rig.stopped("a", outcome=said)

    assert rig.run_of("a").phase is RunPhase.STOPPING
    assert not rig.is_given("b")
    rig.pass_s(16.0)
    rig.stopped("a")
    assert rig.is_given("b")


def test_a_stop_in_vain_is_over_when_it_is_told_twice(make_rig: MakeRig) -> None:
    """A doubled message is harmless: who asks again is answered by the next one only."""
    rig = make_rig(bmc("a"))
    rig.bind("a")
    rig.message("a")
    rig.cancel("a")
    stop = rig.message("a", kind=WorkKind.STOP)
    rig.stopped("a", outcome=Errored(Busy("not yet")))

    rig.answer(stop, NotDone("stopped"))
    rig.settle_turns()

    assert rig.run_of("a").phase is RunPhase.STOPPING


def test_power_does_not_go_on_when_it_is_cancelled(make_rig: MakeRig) -> None:
    """Node actions are runs too: ... fencing."""
    rig = make_rig(bmc("a"))
    run_id = rig.power(PowerAction.RESET)
    message = rig.power_message()
    assert message is not None
    rig.person(interventions.cancel, run_id)
    before = rig.counted_reboots()

    with pytest.raises(Stopped):
        rig.context(message).record_effect()

    assert rig.counted_reboots() == before


def test_power_by_a_person_moves_the_reboot_epoch_once(make_rig: MakeRig) -> None:
    """An epoch moves once, when the side effect is recorded or observed."""
    rig = make_rig(bmc("a"))
    rig.power(PowerAction.RESET)
    message = rig.power_message()
    assert message is not None

    rig.carry_out(message)
    rig.settle_turns()

    assert rig.counted_reboots() == 1


# -- holds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", list(HoldScope))
def test_nothing_new_starts_under_a_hold_and_what_runs_may_finish(
    make_rig: MakeRig, scope: HoldScope
) -> None:
    """**Hold** on a node-role, node, deployment or everything: nothing new starts there, what runs
    may finish; a blocker like any other."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.message("first")

    rig.hold(scope, "second")
    rig.work("first")

    assert rig.states("first", "second") == [ACTIVE, TODO]
    assert not rig.is_given("second")
    (blocker,) = rig.blockers("second")
    assert (blocker.kind, blocker.by) == (BlockerKind.HELD, "tester")
    rig.resume(scope, "second")
    rig.work("second")
    assert rig.state("second") is ACTIVE


@pytest.mark.parametrize("scope", list(HoldScope))
def test_a_hold_stops_milestones_as_well(make_rig: MakeRig, scope: HoldScope) -> None:
    """Nothing new starts there: what needs no worker neither."""
    rig = make_rig(make_role("first"), milestone("there", needs=["first"]))
    rig.bind("there")
    rig.hold(scope, "there")
    if scope is not HoldScope.NODE_ROLE:
        rig.resume(scope, "there")
        rig.message("first")
        rig.hold(scope, "there")

    rig.work("first")

    assert rig.state("there") is TODO
    rig.resume(scope, "there")
    rig.settle_turns()
    assert rig.state("there") is ACTIVE


def test_a_hold_on_an_outer_deployment_holds_what_is_inside(make_rig: MakeRig) -> None:
    """Hold on a ... deployment: a named *tree* of scopes."""
    rig = make_rig(make_role("first"), deep=True)
    rig.bind("first")
    outer = int(rig.deployments[0])
    rig.person(interventions.hold, HoldScope.DEPLOYMENT, outer)

    assert not rig.is_given("first")
    rig.person(interventions.resume, HoldScope.DEPLOYMENT, outer)
    assert rig.is_given("first")


def test_two_holds_are_lifted_one_by_one(make_rig: MakeRig) -> None:
    """A blocker like any other: each stands on its own."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.hold(HoldScope.NODE)
    rig.hold(HoldScope.EVERYTHING)

    rig.resume(HoldScope.NODE)
    assert not rig.is_given("first")
    rig.resume(HoldScope.EVERYTHING)

    assert rig.is_given("first")


def test_other_nodes_go_on_beside_a_held_one(make_rig: MakeRig) -> None:
    """Nothing new starts *there*."""
    rig = make_rig(make_role("first"), nodes=2)
    rig.hold(HoldScope.NODE, node=0)
    rig.bind("first", nodes=(0, 1))

    assert not rig.is_given("first", 0)
    assert rig.is_given("first", 1)


@pytest.mark.parametrize("scope", list(HoldScope))
def test_what_is_not_held_cannot_be_resumed(make_rig: MakeRig, scope: HoldScope) -> None:
    """Refusals raise."""
    rig = make_rig(make_role("first"))
    rig.bind("first")

    with pytest.raises(NotFound, match="is not held"):
        rig.resume(scope, "first")


# -- availability, hammers, gates ------------------------------------------------------------------


def test_nothing_starts_on_a_node_that_is_not_available(make_rig: MakeRig) -> None:
    """Blockers: node not available."""
    rig = make_rig(make_role("first"))
    rig.bind("first")

    rig.set_available(False)

    assert not rig.is_given("first")
    assert rig.kinds("first") == {BlockerKind.NODE_UNAVAILABLE}
    rig.set_available(True)
    assert rig.is_given("first")


def _without_bmc(make_rig: MakeRig, *roles: Role) -> Rig:
    rig = make_rig(*roles)
    rig.observe(rig.nodes[0], {"bmc": []})
    return rig


@pytest.mark.parametrize("role", [bmc("first"), both("first")])
def test_work_on_the_bmc_of_a_node_that_has_none_is_blocked(make_rig: MakeRig, role: Role) -> None:
    """Blockers: no hammer with that capability."""
    rig = _without_bmc(make_rig, role)
    rig.bind("first")

    assert not rig.is_given("first")
    assert rig.kinds("first") == {BlockerKind.NO_HAMMER}


def test_a_bmc_that_is_added_frees_the_work(make_rig: MakeRig) -> None:
    """no hammer: a fact that a person has to change."""
    rig = _without_bmc(make_rig, bmc("first"))
    rig.bind("first")
    rig.settle_turns()

    rig.observe(rig.nodes[0], {"bmc": [{"protocol": "ipmi", "address": "127.0.9.9"}]})

    assert rig.is_given("first")


@pytest.mark.parametrize("role", [os("first"), make_role("first")])
def test_other_work_needs_no_bmc(make_rig: MakeRig, role: Role) -> None:
    """no hammer *with that capability*."""
    rig = _without_bmc(make_rig, role)
    rig.bind("first")

    assert rig.is_given("first")


def test_no_more_runs_than_the_gate_lets_through(make_rig: MakeRig) -> None:
    """Admission gates bound what is started; blockers: admission."""
    rig = make_rig(make_role("first"), nodes=6)
    rig.bind("first", nodes=range(6))
    rig.settle_turns()

    given = [node for node in range(6) if rig.is_given("first", node)]
    waiting = [node for node in range(6) if node not in given]

    assert len(given) == rig.annealer.limits.workers == 4
    rig.work("first", node=given[0])
    assert sum(rig.is_given("first", node) for node in waiting) == 1


def test_waiting_costs_no_place_in_the_gate(make_rig: MakeRig) -> None:
    """**Pending** holds no worker: ten thousand nodes may be waiting for an installer at once."""
    rig = make_rig(make_role("first"), nodes=9)
    rig.bind("first", nodes=range(9))
    for _ in range(3):
        rig.settle_turns()
        for message in list(rig.dispatcher.messages):
            rig.wait_for(message, deadline_s=100.0)
        rig.settle_turns()

    phases = [rig.run_of("first", node).phase for node in range(9)]

    assert phases == [RunPhase.PENDING] * 9


def test_what_stands_behind_a_full_gate_says_so(make_rig: MakeRig) -> None:
    """Blockers: admission (which gate, which position)."""
    rig = make_rig(make_role("first"), make_role("second"), nodes=3)
    rig.bind("first", "second", nodes=range(3))
    rig.settle_turns()

    behind = [it for it in rig.node_roles() if it.state is NodeRoleState.TODO]

    assert behind
    why = [rig.why(it.role, rig.nodes.index(it.node_id)) for it in behind if it.node_id]
    assert all(not it.is_runnable for it in why)
    assert {root.blocker.kind for it in why for root in it.roots} == {BlockerKind.ADMISSION}


def test_an_open_circuit_breaker_is_a_blocker_until_it_closes(make_rig: MakeRig) -> None:
    """A BMC that fails repeatedly opens a circuit breaker, visible as a blocker."""
    rig = make_rig(bmc("first"), bmc("second"), os("files"))
    rig.bind("first", "files")
    message = rig.message("first")
    rig.dispatcher.messages.remove(message)
    until = rig.clock.now() + timedelta(seconds=300)
    no = Errored(Refused("no"))
    rig.annealer.take(
        Answer(message.run_id, message.dispatch, message.unit, no, breaker_until=until)
    )
    rig.settle_turns()

    rig.bind("second")

    assert not rig.is_given("second")
    (blocker,) = rig.blockers("second")
    assert (blocker.kind, blocker.until) == (BlockerKind.WAITING, until)
    assert rig.is_given("files")
    rig.pass_s(301.0)
    assert rig.is_given("second")


def test_work_that_reboots_alone_needs_both_lanes(make_rig: MakeRig) -> None:
    """`alone` reboots within its own run, in `both`."""
    rig = make_rig(rebooting("install"), os("files"))
    rig.bind("files")
    rig.message("files")

    rig.bind("install")

    assert not rig.is_given("install")
