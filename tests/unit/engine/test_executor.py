"""Carrying out messages: one answer each, and never two workers in the jig of one run."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from readystate.domain.errors import Busy, Failed, Invalid
from readystate.domain.ids import NodeRoleId, RunId
from readystate.domain.outcome import CheckOutcome, Errored, NotDone, Outcome, Pending, Succeeded
from readystate.engine.annealer import Answer
from readystate.engine.executor import Executor
from readystate.engine.run_context import Surroundings
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.jig import RunContext, Ticket
from readystate.ports.store import Unit, UnitKind

#: Only a test that fails waits that long.
WAIT_S = 10.0
RUN = RunId(7)
TICKET = Ticket(NodeRoleId(3), 1, "role", "held", "work", None, {}, {}, 60.0)


def message(dispatch: int = 1, kind: WorkKind = WorkKind.RUN) -> Message:
    return Message(kind, RUN, dispatch, Unit(UnitKind.VERTEX, 3), TICKET)


@dataclass
class HeldJig:
    """Its work goes on until it is let go, whoever stops it."""

    works: Callable[[], Outcome] = Succeeded
    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    context: RunContext | None = None
    runs: int = 0
    stops: int = 0
    was_inside_at_stop: bool = False
    _is_inside: bool = False

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        del ticket
        self.runs += 1
        self.context, self._is_inside = context, True
        self.entered.set()
        self.let_go.wait(WAIT_S)
        self._is_inside = False
        return self.works()

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        del ticket, context
        return Succeeded()

    def stop(self, ticket: Ticket, context: RunContext) -> None:
        del ticket, context
        self.stops += 1
        self.was_inside_at_stop |= self._is_inside


class Bench:
    def __init__(self, jig: HeldJig, *, stop_wait_s: float) -> None:
        self.jig = jig
        self.answers: list[Answer] = []
        nothing = cast(Any, None)
        around = Surroundings(nothing, nothing, nothing, nothing, nothing, nothing, nothing)
        self.executor = Executor({"held": jig}, around, self.answers.append, stop_wait_s)
        self._threads: list[threading.Thread] = []

    def begin(self, given: Message) -> None:
        thread = threading.Thread(target=self.executor.carry_out, args=(given,))
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        self.jig.let_go.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def outcomes(self) -> Mapping[int, Outcome | NotDone]:
        assert len(self.answers) == len({it.dispatch for it in self.answers}), "answered twice"
        return {it.dispatch: it.outcome for it in self.answers}


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    made: list[Bench] = []

    def make(works: Callable[[], Outcome] = Succeeded, *, stop_wait_s: float = WAIT_S) -> Bench:
        made.append(Bench(HeldJig(works), stop_wait_s=stop_wait_s))
        return made[-1]

    yield make
    for bench in made:
        bench.finish()


# -- one answer ------------------------------------------------------------------------------------


def answer_of(bench: Bench) -> Answer:
    bench.jig.let_go.set()
    bench.executor.carry_out(message())
    (answer,) = bench.answers
    return answer


def test_outputs_are_told_as_json(make_bench: MakeBench) -> None:
    answer = answer_of(make_bench(lambda: Succeeded({"b": 1, "a": [2]})))

    assert '{"a":[2],"b":1}' == answer.outputs
    assert (RUN, 1, message().unit) == (answer.run_id, answer.dispatch, answer.unit)


@pytest.mark.parametrize(
    "output",
    [object(), {1, 2}, float("nan"), b"bytes"],
    ids=["object", "set", "nan", "bytes"],
)
def test_outputs_that_are_no_json_fail_the_run(make_bench: MakeBench, output: Any) -> None:
    answer = answer_of(make_bench(lambda: Succeeded({"a": output})))

    assert isinstance(answer.outcome, Errored)
    assert isinstance(answer.outcome.error, Invalid)
    assert "{}" == answer.outputs


def raises(error: BaseException) -> Callable[[], Outcome]:
    def works() -> Outcome:
        raise error

    return works


def test_defect_in_a_jig_fails_its_run(make_bench: MakeBench) -> None:
    answer = answer_of(make_bench(raises(ZeroDivisionError("oops"))))

    assert isinstance(answer.outcome, Errored)
    assert isinstance(answer.outcome.error, Failed)
    assert "oops" in str(answer.outcome.error)


def test_worker_that_dies_in_its_jig_answers_all_the_same(make_bench: MakeBench) -> None:
    bench = make_bench(raises(SystemExit()))

    with pytest.raises(SystemExit):
        answer_of(bench)

    assert isinstance(bench.outcomes()[1], Errored)


# -- stops -----------------------------------------------------------------------------------------


def test_stop_waits_until_the_worker_is_out_of_its_jig(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.begin(message(1))
    assert bench.jig.entered.wait(WAIT_S)
    bench.begin(message(2, WorkKind.STOP))

    bench.finish()

    assert (1, False) == (bench.jig.stops, bench.jig.was_inside_at_stop)
    assert isinstance(bench.outcomes()[2], NotDone)


def test_stop_in_vain_is_told_however_often_it_is_tried(make_bench: MakeBench) -> None:
    """The lanes are free when it answers otherwise, and the first worker is still inside."""
    bench = make_bench(stop_wait_s=0.01)
    bench.begin(message(1))
    assert bench.jig.entered.wait(WAIT_S)

    for dispatch in (2, 3):
        bench.executor.carry_out(message(dispatch, WorkKind.STOP))

    for dispatch in (2, 3):
        said = bench.outcomes()[dispatch]
        assert isinstance(said, Errored)
        assert isinstance(said.error, Busy)
    assert 0 == bench.jig.stops
    bench.finish()
    bench.executor.carry_out(message(4, WorkKind.STOP))
    assert isinstance(bench.outcomes()[4], NotDone)


def test_message_that_its_stop_has_overtaken_is_not_carried_out(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.executor.carry_out(message(2, WorkKind.STOP))

    bench.executor.carry_out(message(1))

    assert 0 == bench.jig.runs
    assert isinstance(bench.outcomes()[1], Errored)


def test_work_that_goes_on_after_a_wait_is_no_stop(make_bench: MakeBench) -> None:
    bench = make_bench(lambda: Pending("wake", 1.0))
    bench.jig.let_go.set()

    for dispatch in (1, 2):
        bench.executor.carry_out(message(dispatch))

    assert [Pending("wake", 1.0)] * 2 == list(bench.outcomes().values())


def test_cancel_reaches_the_worker_through_its_context(make_bench: MakeBench) -> None:
    bench: Bench = make_bench(lambda: cast(Outcome, context_of(bench).check_stopped()))
    bench.begin(message())
    assert bench.jig.entered.wait(WAIT_S)

    bench.executor.cancel(RUN)

    bench.finish()
    said = bench.outcomes()[1]
    assert isinstance(said, Errored)
    assert "stopped" in str(said.error)


def context_of(bench: Bench) -> RunContext:
    assert bench.jig.context is not None
    return bench.jig.context
