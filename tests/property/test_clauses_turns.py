"""Turns of the annealer that fail, that stop somebody, and the last one, design.md section 5."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from readystate.domain.graph import Graph
from readystate.domain.role import Lane
from readystate.engine import annealer as annealer_module
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.store import StoreError, Transaction, Unit, UnitKind
from tests.property.scenario import ACTIVE, TODO, TRANSITION, Rig, make_role

MakeRig = Callable[..., Rig]


class FailingStore:
    """The real store, until it is told to fail right before its next commit."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.fails = False

    def write(self, change: Callable[[Transaction], Any], *, kind: str) -> Any:
        def change_in_vain(tx: Transaction) -> None:
            change(tx)
            raise StoreError("the database went away")

        return self._store.write(change_in_vain if self.fails else change, kind=kind)


def test_leases_are_renewed_again_when_their_renewal_was_not_committed(make_rig: MakeRig) -> None:
    """Workers of this process live as long as it does."""
    rig = make_rig(make_role("slow"))
    rig.bind("slow")
    rig.message("slow")
    store = FailingStore(rig.store)
    rig.annealer.store = store
    rig.clock.pass_s(40.0)
    store.fails = True
    with pytest.raises(StoreError):
        rig.turn()
    store.fails = False

    rig.turn()

    assert rig.run_of("slow").lease_until == rig.clock.now() + timedelta(seconds=60)


def test_answers_are_kept_while_the_database_is_away(make_rig: MakeRig) -> None:
    """A worker's answer counts once, and once it counts."""
    rig = make_rig(make_role("first"))
    rig.bind("first")
    rig.carry_out(rig.message("first"))
    store = FailingStore(rig.store)
    rig.annealer.store = store
    store.fails = True
    with pytest.raises(StoreError):
        rig.turn()
    store.fails = False

    rig.settle_turns()

    assert rig.state("first") is ACTIVE


# -- stops -----------------------------------------------------------------------------------------


def test_a_cancel_reaches_the_worker(make_rig: MakeRig) -> None:
    """`Dispatcher` is a port: submit, `cancel`."""
    rig = make_rig(make_role("slow"))
    rig.bind("slow")
    run_id = rig.message("slow").run_id
    assert rig.dispatcher.cancelled == []

    rig.cancel("slow")
    rig.settle_turns()

    assert rig.dispatcher.cancelled == [run_id]
    assert rig.message("slow").kind is WorkKind.STOP


def test_nobody_is_cancelled_by_a_turn_that_is_not_committed(make_rig: MakeRig) -> None:
    """Given to workers if, and only if, the transaction commits."""
    rig = make_rig(make_role("slow"))
    rig.bind("slow")
    rig.message("slow")
    rig.cancel("slow")
    store = FailingStore(rig.store)
    rig.annealer.store, store.fails = store, True

    with pytest.raises(StoreError):
        rig.turn()

    assert rig.dispatcher.cancelled == []


# -- the last turn ---------------------------------------------------------------------------------


def test_what_workers_say_at_the_end_counts_and_nothing_is_started(make_rig: MakeRig) -> None:
    """The restart is the same code path: the next engine goes on from there."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.bind("first")
    rig.carry_out(rig.message("first"))
    rig.annealer.stop()

    rig.annealer.take_last_answers()

    assert rig.states("first", "second") == [ACTIVE, TODO]
    assert rig.dispatcher.messages == []
    rig.annealer = rig.new_engine()
    assert rig.is_given("second")


def test_a_wake_that_comes_at_the_end_is_kept_for_the_next_engine(make_rig: MakeRig) -> None:
    """Wakes are stored rows: one that nobody could take is not lost."""
    rig = make_rig(make_role("install", lane=Lane.BMC))
    rig.bind("install")
    message = rig.message("install")
    rig.wake("install")
    rig.wait_for(message, deadline_s=100.0)
    rig.annealer.stop()

    rig.annealer.take_last_answers()

    assert rig.dispatcher.messages == []
    rig.annealer = rig.new_engine()
    assert rig.message("install").kind is WorkKind.RUN


# -- a defect --------------------------------------------------------------------------------------


@pytest.fixture
def break_rules(monkeypatch: pytest.MonkeyPatch) -> Callable[[Unit | None], None]:
    """Makes the rules fail whenever they start something in that unit; None mends them."""
    broken: set[Unit] = set()
    sound = annealer_module.next_look

    def next_look(graph: Graph, unit: Unit, *others: Any) -> Any:
        if unit in broken:
            raise ZeroDivisionError("a planted defect")
        return sound(graph, unit, *others)

    monkeypatch.setattr(annealer_module, "next_look", next_look)

    def set_broken(unit: Unit | None) -> None:
        broken.clear()
        if unit is not None:
            broken.add(unit)

    return set_broken


def test_a_unit_that_the_rules_fail_on_does_not_hold_up_the_others(
    make_rig: MakeRig, break_rules: Callable[[Unit | None], None]
) -> None:
    """Each node goes on as it can: what is wrong with one is told, and is looked at again."""
    rig = make_rig(make_role("a"), nodes=2)
    bad = Unit(UnitKind.NODE, int(rig.nodes[0]))
    break_rules(bad)
    rig.bind("a", nodes=(0, 1))

    rig.work("a", node=1)

    assert [rig.state("a", 0), rig.state("a", 1)] == [TODO, ACTIVE]
    (event,) = rig.events_of("annealer.unit-set-aside")
    assert (event.node_id, "a planted defect" in event.data["error"]) == (bad.id, True)
    break_rules(None)
    rig.pass_s(59.0)
    assert not rig.is_given("a", 0)
    rig.pass_s(2.0)
    rig.work("a", node=0)
    assert rig.state("a", 0) is ACTIVE


def test_what_a_worker_said_of_a_unit_that_is_set_aside_counts_later(
    make_rig: MakeRig, break_rules: Callable[[Unit | None], None]
) -> None:
    """A worker's answer counts once, and once it counts."""
    rig = make_rig(make_role("a"), nodes=2)
    rig.bind("a", nodes=(0, 1))
    messages: list[Message] = [rig.message("a", 0), rig.message("a", 1)]
    break_rules(Unit(UnitKind.NODE, int(rig.nodes[0])))
    for message in messages:
        rig.carry_out(message)

    rig.settle_turns()

    assert [rig.state("a", 0), rig.state("a", 1)] == [TRANSITION, ACTIVE]
    break_rules(None)
    rig.pass_s(61.0)
    assert rig.state("a", 0) is ACTIVE
    assert rig.runs("a", 0) == 1


def test_a_turn_that_fails_with_no_unit_to_blame_is_not_hidden(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches the process hears of it."""
    rig = make_rig(make_role("a"))
    rig.settle_turns()
    monkeypatch.setattr(rig.dispatcher, "in_flight", lambda: 1 / 0)
    rig.clock.pass_s(60.0)

    with pytest.raises(ZeroDivisionError):
        rig.turn()
