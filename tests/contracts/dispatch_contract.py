"""What every dispatcher must do (the port `readystate.ports.dispatch`): a test module derives from
the contract and gives the fixture `rig`. Workers here are held inside their work until a test lets
them go on, so that nothing depends on speed."""

import threading
from collections.abc import Callable
from typing import Any, cast

from readystate.domain.ids import RunId
from readystate.ports.dispatch import Dispatcher, Message, WorkKind
from readystate.ports.store import Transaction, Unit, UnitKind

#: Only a test that fails waits that long.
WAIT_S = 10.0


def message(number: int, kind: WorkKind = WorkKind.RUN) -> Message:
    return Message(kind, RunId(number), dispatch=1, unit=Unit(UnitKind.NODE, number))


class Commit:
    """As much of a transaction as a dispatcher may use."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def happen(self) -> None:
        for callback in self.callbacks:
            callback()


class Workers:
    """What messages are carried out by."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.inside: list[RunId] = []
        self.done: list[RunId] = []
        self.cancelled: list[RunId] = []
        self._let_go: set[RunId] = set()
        self._dying: set[RunId] = set()

    def carry_out(self, given: Message) -> None:
        with self._changed:
            self.inside.append(given.run_id)
            self._changed.notify_all()
            self._changed.wait_for(lambda: given.run_id in self._let_go, WAIT_S)
            self.inside.remove(given.run_id)
            self.done.append(given.run_id)
            self._changed.notify_all()
            if given.run_id in self._dying:
                raise SystemExit

    def cancel(self, run_id: RunId) -> None:
        self.cancelled.append(run_id)

    def let_go(self, *numbers: int) -> None:
        with self._changed:
            self._let_go.update(RunId(item) for item in numbers)
            self._changed.notify_all()

    def let_die(self, number: int) -> None:
        self._dying.add(RunId(number))
        self.let_go(number)

    def are_inside(self, *numbers: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: sorted(self.inside) == sorted(numbers), WAIT_S)

    def have_done(self, *numbers: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: set(numbers) <= set(self.done), WAIT_S)


class DispatchRig:
    """A dispatcher for at most two workers at once."""

    def __init__(self, workers: Workers, dispatcher: Dispatcher) -> None:
        self.workers = workers
        self.dispatcher = dispatcher

    def submit(self, *messages: Message) -> None:
        commit = Commit()
        self.dispatcher.submit(messages, cast(Transaction, cast(Any, commit)))
        commit.happen()


class DispatchContract:
    def test_nothing_is_carried_out_before_the_commit(self, rig: DispatchRig) -> None:
        rolled_back, commit = Commit(), Commit()
        rig.dispatcher.submit([message(1)], cast(Transaction, cast(Any, rolled_back)))
        rig.dispatcher.submit([message(2)], cast(Transaction, cast(Any, commit)))
        assert frozenset() == rig.dispatcher.in_flight()

        commit.happen()

        assert rig.workers.are_inside(2)
        assert {2} == rig.dispatcher.in_flight()

    def test_a_run_is_in_flight_while_it_is_queued_and_while_it_is_carried_out(
        self, rig: DispatchRig
    ) -> None:
        rig.submit(message(1), message(2), message(3))
        assert rig.workers.are_inside(1, 2)
        assert {1, 2, 3} == rig.dispatcher.in_flight()

        rig.workers.let_go(1)

        assert rig.workers.are_inside(2, 3)
        assert {2, 3} == rig.dispatcher.in_flight()

    def test_no_message_waits_while_there_is_room_for_a_worker(self, rig: DispatchRig) -> None:
        """Two batches of one commit find one idle worker."""
        rig.submit(message(1))
        rig.workers.let_go(1)
        assert rig.workers.have_done(1)
        commit = Commit()
        for number in (2, 3):
            rig.dispatcher.submit([message(number)], cast(Transaction, cast(Any, commit)))

        commit.happen()

        assert rig.workers.are_inside(2, 3)

    def test_a_stop_does_not_queue_behind_busy_workers(self, rig: DispatchRig) -> None:
        rig.submit(message(1), message(2))
        assert rig.workers.are_inside(1, 2)

        rig.submit(message(3), message(4, WorkKind.STOP))

        assert rig.workers.are_inside(1, 2, 4)

    def test_a_worker_is_asked_to_stop(self, rig: DispatchRig) -> None:
        rig.submit(message(1))
        assert rig.workers.are_inside(1)

        rig.dispatcher.cancel(RunId(1))

        assert [1] == rig.workers.cancelled

    def test_a_worker_that_dies_leaves_its_place_to_another(self, rig: DispatchRig) -> None:
        rig.submit(message(1), message(2), message(3), message(4))
        assert rig.workers.are_inside(1, 2)

        rig.workers.let_die(1)
        rig.workers.let_die(2)

        assert rig.workers.are_inside(3, 4)

    def test_what_is_queued_when_it_closes_is_dropped(self, rig: DispatchRig) -> None:
        rig.submit(message(1), message(2), message(3))
        assert rig.workers.are_inside(1, 2)

        rig.dispatcher.close(grace_s=0.0)
        rig.submit(message(4))
        assert {1, 2} == rig.dispatcher.in_flight()
        rig.workers.let_go(1, 2, 3, 4)
        rig.dispatcher.close(grace_s=WAIT_S)

        assert {1, 2} == set(rig.workers.done)

    def test_what_is_carried_out_when_it_closes_may_finish(self, rig: DispatchRig) -> None:
        rig.submit(message(1))
        assert rig.workers.are_inside(1)
        closing = threading.Thread(target=lambda: rig.dispatcher.close(grace_s=WAIT_S))
        closing.start()

        rig.workers.let_go(1)
        closing.join(WAIT_S)

        assert [1] == rig.workers.done
        assert frozenset() == rig.dispatcher.in_flight()
