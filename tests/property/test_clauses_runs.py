"""Runs and their messages: waits, leases, zombies, design.md sections 4.3 and 5."""

from collections.abc import Callable

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.errors import Conflict, Failed
from readystate.domain.outcome import Errored, Succeeded
from readystate.domain.role import Lane, Retry
from readystate.domain.run import RunPhase
from readystate.engine import interventions
from readystate.ports.dispatch import WorkKind
from tests.property.scenario import (
    ACTIVE,
    ERROR,
    TODO,
    TRANSITION,
    Rig,
    make_role,
    puts_out,
    rebooting,
    shared_by_deployment,
    wants_output,
)

MakeRig = Callable[..., Rig]


# -- waiting ---------------------------------------------------------------------------------------


def test_a_wait_ends_with_its_wake_and_the_work_goes_on_with_what_it_brought(
    make_rig: MakeRig,
) -> None:
    """**Pending**(wake, deadline): `run` is called again with the wake."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    rig.let_pend("install", deadline_s=1000.0)
    assert not rig.is_given("install")
    assert rig.kinds("install") == {BlockerKind.WAITING}
    fence = rig.the("install").fence

    rig.wake("install")
    message = rig.message("install", kind=WorkKind.RUN)

    assert message.ticket is not None
    assert message.ticket.wake == {"from": "node"}
    assert message.ticket.fence == fence, "the same attempt"
    rig.work("install")
    assert rig.state("install") is ACTIVE


def test_a_wake_that_comes_early_counts(make_rig: MakeRig) -> None:
    """Wakes are stored rows, so one that comes early counts."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    rig.message("install")
    rig.wake("install")

    rig.let_pend("install")

    assert rig.message("install").kind is WorkKind.RUN


def test_a_wake_counts_once(make_rig: MakeRig) -> None:
    """Wakes are stored rows: consumed by the wait that they end."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    rig.let_pend("install")
    rig.wake("install")
    rig.let_pend("install")

    assert not rig.is_given("install")


def test_another_wake_does_not_end_the_wait(make_rig: MakeRig) -> None:
    """Pending waits for the *named* wake."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    rig.let_pend("install")

    rig.wake("install", name="another")

    assert not rig.is_given("install")


def test_a_wake_for_a_run_that_is_over_is_refused(make_rig: MakeRig) -> None:
    """A callback's wake is for one run."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    run_id = rig.message("install").run_id
    rig.work("install")
    now = rig.clock.now()

    with pytest.raises(Conflict, match="is over"):
        rig.write(lambda tx: interventions.raise_wake(tx, run_id, "callback", {}, now))


def test_a_wait_past_its_deadline_is_a_failed_attempt(make_rig: MakeRig) -> None:
    """fail: `Failed` (... or a Pending passed its deadline) when `attempts` are used up."""
    rig = make_rig(make_role("install", retry=Retry(attempts=2, backoff_s=(10.0,))))
    rig.bind("install")
    rig.let_pend("install", deadline_s=30.0)
    rig.pass_s(29.0)
    assert not rig.is_given("install")

    rig.pass_s(2.0)
    rig.stopped("install")

    assert (rig.state("install"), rig.the("install").attempts) == (TODO, 1)
    assert rig.kinds("install") == {BlockerKind.BACKOFF}
    rig.pass_s(11.0)
    rig.let_pend("install", deadline_s=30.0)
    rig.pass_s(31.0)
    rig.stopped("install")
    assert rig.state("install") is ERROR


def test_a_wait_holds_no_worker_and_no_lease_and_survives_a_restart(make_rig: MakeRig) -> None:
    """**Pending** holds no worker, thread, connection or lease, but keeps its lanes and attempt."""
    rig = make_rig(make_role("install", lane=Lane.BOTH))
    rig.bind("install")
    rig.let_pend("install", deadline_s=100_000.0)
    assert rig.run_of("install").lease_until is None
    assert rig.dispatcher.messages == []

    rig.annealer = rig.new_engine()
    rig.pass_s(1000.0)

    assert rig.run_of("install").phase is RunPhase.PENDING
    assert rig.run_of("install").occupied == (Lane.BMC, Lane.OS)
    rig.wake("install")
    rig.work("install")
    assert (rig.state("install"), rig.the("install").attempts) == (ACTIVE, 0)


def test_what_a_lost_worker_was_woken_with_is_still_known_to_its_check(make_rig: MakeRig) -> None:
    """A run lost with its worker is first stopped by the jig ... unless its jig can tell by a
    check: the callback that it waited for has come, and is not forgotten with the worker."""
    rig = make_rig(make_role("install", lane=Lane.BOTH))
    rig.bind("install")
    rig.let_pend("install")
    rig.wake("install")
    given = rig.message("install").ticket
    assert given is not None

    rig.lose_worker("install")

    stop = rig.message("install")
    assert stop.kind is WorkKind.STOP
    assert stop.ticket is not None
    assert (given.wake is not None, stop.ticket.wake) == (True, given.wake)
    rig.stopped("install")
    again = rig.message("install").ticket
    assert again is not None
    assert again.wake is None, "another attempt waits for a callback of its own"


def test_a_run_that_waits_again_forgets_what_it_was_woken_with(make_rig: MakeRig) -> None:
    """A wake is given once."""
    rig = make_rig(make_role("install"))
    rig.bind("install")
    rig.let_pend("install")
    rig.wake("install")
    rig.let_pend("install", deadline_s=30.0)
    rig.pass_s(31.0)

    stop = rig.message("install")

    assert stop.kind is WorkKind.STOP
    assert stop.ticket is not None
    assert stop.ticket.wake is None


def test_a_deployment_role_may_wait_too(make_rig: MakeRig) -> None:
    """A wait wakes the unit that it belongs to."""
    rig = make_rig(shared_by_deployment("dns"))
    rig.bind("dns")
    rig.let_pend("dns", None, deadline_s=30.0)

    rig.wake("dns", None)

    assert rig.message("dns", None).kind is WorkKind.RUN
    rig.let_pend("dns", None, deadline_s=30.0)
    rig.pass_s(31.0)
    assert rig.message("dns", None).kind is WorkKind.STOP


# -- lost, late and doubled ------------------------------------------------------------------------


def test_a_doubled_answer_is_refused(make_rig: MakeRig) -> None:
    """A lost, late or doubled message is harmless."""
    rig = make_rig(puts_out("first"), make_role("second", wants=wants_output("first")))
    rig.bind("second")
    message = rig.message("first")
    rig.dispatcher.messages.remove(message)
    rig.answer(message, Succeeded({"out/first": 1}))
    rig.answer(message, Succeeded({"out/first": 2}))
    rig.answer(message, Errored(Failed("no")))

    ticket = rig.message("second").ticket

    assert rig.state("first") is ACTIVE
    assert ticket is not None
    assert ticket.input == {"first": 1}


def test_an_answer_after_the_lease_is_lost_is_refused(make_rig: MakeRig) -> None:
    """... and a zombie's answer is refused."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    message = rig.message("first")
    rig.lose_worker("first")

    rig.answer(message, Succeeded())
    rig.settle_turns()

    assert rig.state("first") is TRANSITION
    assert rig.run_of("first").phase is RunPhase.STOPPING


def test_an_answer_of_an_earlier_attempt_is_refused(make_rig: MakeRig) -> None:
    """Attempt numbers (fencing tokens): a zombie's answer is refused."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    zombie = rig.message("first")
    rig.lose_worker("first")
    rig.stopped("first")
    again = rig.message("first")
    assert zombie.ticket is not None
    assert again.ticket is not None
    assert again.ticket.fence > zombie.ticket.fence

    rig.answer(zombie, Errored(Failed("late")))
    rig.settle_turns()

    assert rig.state("first") is TRANSITION
    rig.work("first")
    assert rig.state("first") is ACTIVE


def test_a_zombie_may_not_begin_its_act(make_rig: MakeRig) -> None:
    """PNR: recorded by its jig before the first irreversible act; refused to an outdated one."""
    rig = make_rig(rebooting("install"))
    rig.bind("install")
    zombie = rig.message("install")
    rig.lose_worker("install")
    assert not rig.begin_effect(zombie)
    rig.stopped("install")
    rig.message("install")

    assert not rig.begin_effect(zombie)

    assert rig.counted_reboots() == 0


def test_a_killed_engine_starts_again_what_its_workers_had(make_rig: MakeRig) -> None:
    """The first run, the retry and the restart are one code path; leases of earlier engines are
    void."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    zombie = rig.message("first")
    rig.dispatcher.messages.clear()

    rig.annealer = rig.new_engine()
    rig.settle_turns()
    rig.answer(zombie, Succeeded())
    rig.settle_turns()

    assert rig.state("first") is TRANSITION
    rig.stopped("first")
    rig.work("first")
    assert rig.state("first") is ACTIVE


def test_a_living_worker_keeps_its_lease(make_rig: MakeRig) -> None:
    """Leases of workers that live are renewed in time."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    message = rig.message("first")
    for _ in range(10):
        rig.pass_s(25.0)

    assert rig.current_run(message) is not None
    rig.work("first")
    assert rig.the("first").attempts == 0


def test_a_lost_worker_is_found_without_anybody_asking(make_rig: MakeRig) -> None:
    """A lease that expires makes an ordinary role todo again: its time is on the agenda."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.lose(rig.message("first"), after_acting=False)

    assert rig.let_time_pass()
    rig.settle_turns()

    assert rig.message("first").kind is WorkKind.STOP
