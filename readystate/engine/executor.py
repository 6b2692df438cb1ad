"""The worker's side: carry out one message, translate what happens into an answer, report it.

A bare `except Exception` is right here: a defect in a jig becomes a recorded failure of its run,
never a dead worker."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from readystate.domain.errors import Busy, Failed, Invalid, Stopped, Unsupported, WorkError
from readystate.domain.ids import RunId
from readystate.domain.outcome import (
    Errored,
    NotDone,
    Outcome,
    Staged,
    Succeeded,
)
from readystate.domain.power import PowerAction
from readystate.domain.role_data import declared_outputs
from readystate.engine.annealer import Answer
from readystate.engine.run_context import EngineRunContext, Surroundings
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.hammer import PowerControl
from readystate.ports.jig import Jig, Ticket

log = logging.getLogger(__name__)


NO_OUTPUTS = "{}"
#: How many stops are remembered, lest a message that was overtaken by one starts after it.
STOPS_REMEMBERED = 4096


@dataclass
class Executor:
    jigs: Mapping[str, Jig]
    surroundings: Surroundings
    report: Callable[[Answer], None]
    stop_wait_s: float = 30.0  #: how long a stop waits for the workers that it stops
    _live: dict[RunId, list[EngineRunContext]] = field(default_factory=dict)
    _stops: dict[RunId, int] = field(default_factory=dict)  #: the newest stop of each, by dispatch
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, message: Message) -> None:
        """Run in a worker thread; always reports exactly one answer."""
        context = EngineRunContext(self.surroundings, message)
        died = Errored(Failed(f"the worker of {context.role} died"))
        answer = Answer(message.run_id, message.dispatch, message.unit, died)
        self._enter(message, context)
        try:
            outcome, outputs = self._outcome(message, context)
            answer = replace(answer, outcome=outcome, outputs=outputs)
            answer = replace(
                answer, hammers=context.hammers_used(), breaker_until=context.breaker_until()
            )
        finally:
            self._leave(message, context)
            self.report(answer)

    def cancel(self, run_id: RunId) -> None:
        """Make the run's contexts refuse to go on; harmless if they have ended."""
        with self._lock:
            live = tuple(self._live.get(run_id, ()))
        for context in live:
            context.stop()

    # -- one worker at a time ----------------------------------------------------------------------

    def _enter(self, message: Message, context: EngineRunContext) -> None:
        run_id = message.run_id
        with self._lock:
            self._live.setdefault(run_id, []).append(context)
            if message.kind is WorkKind.STOP:
                newest = max(message.dispatch, self._stops.pop(run_id, 0))
                self._stops[run_id] = newest
                if len(self._stops) > STOPS_REMEMBERED:
                    del self._stops[next(iter(self._stops))]

    def _leave(self, message: Message, context: EngineRunContext) -> None:
        context.ended.set()
        with self._lock:
            live = self._live[message.run_id]
            live.remove(context)
            if not live:
                del self._live[message.run_id]

    def _take_over(self, message: Message, context: EngineRunContext) -> None:
        """Nobody else is in the run's jig when this returns. Raises Stopped when the run has been
        given to somebody else since, Busy when somebody does not come out in time."""
        with self._lock:
            others = [item for item in self._live[message.run_id] if item is not context]
            newest = max((item.dispatch for item in others), default=0)
            newest = max(newest, self._stops.get(message.run_id, 0))
        if newest > message.dispatch:
            raise Stopped(f"run {message.run_id} has been given to somebody else")
        for item in others:
            item.stop()
        deadline = time.monotonic() + self.stop_wait_s
        for item in others:
            if not item.ended.wait(max(0.0, deadline - time.monotonic())):
                raise Busy(f"{context.role} has not stopped yet")

    # -- the work ----------------------------------------------------------------------------------

    def _outcome(
        self, message: Message, context: EngineRunContext
    ) -> tuple[Outcome | NotDone, str]:
        """With the JSON text of its outputs."""
        extra = {"run": message.run_id, "node": context.node_name, "role": context.role}
        try:
            self._take_over(message, context)
            outcome = _declared(message, self._work(message, context))
            outputs = _outputs_text(outcome)
        except WorkError as error:
            return Errored(error), NO_OUTPUTS
        except Stopped as stopped:
            return Errored(Failed("the run was stopped", why=stopped.what)), NO_OUTPUTS
        except Exception as error:  # a defect in a jig fails its run, not the worker
            log.exception("a jig failed unexpectedly", extra=extra)
            failed = Failed(f"internal error in {context.role}", why=repr(error))
            return Errored(failed), NO_OUTPUTS
        log.info("work done", extra={**extra, "outcome": type(outcome).__name__})
        return outcome, outputs

    def _work(self, message: Message, context: EngineRunContext) -> Outcome | NotDone:
        if message.kind is WorkKind.POWER:
            return _act_on_power(message, context)
        ticket = message.ticket
        if ticket is None:  # an action on a node whose worker was lost: nothing goes on by itself
            return NotDone("the power action was cut")
        jig = self._jig(ticket)
        match message.kind:
            case WorkKind.RUN:
                return jig.run(ticket, context)
            case WorkKind.CHECK:
                return jig.check(ticket, context)
            case _:
                return _stop(jig, ticket, context)

    def _jig(self, ticket: Ticket) -> Jig:
        jig = self.jigs.get(ticket.jig)
        if jig is None:
            known = ", ".join(sorted(self.jigs))
            raise Unsupported(f"no jig named {ticket.jig!r}", hint=f"known jigs: {known}")
        return jig


def _declared(message: Message, outcome: Outcome | NotDone) -> Outcome | NotDone:
    """Outputs under the names that the annotation declares; raises Invalid for any other."""
    if message.role is None or not isinstance(outcome, Succeeded | Staged):
        return outcome
    return replace(outcome, outputs=declared_outputs(message.role, outcome.outputs))


def _outputs_text(outcome: Outcome | NotDone) -> str:
    """Raises Invalid for outputs that JSON cannot say."""
    if not isinstance(outcome, Succeeded) or not outcome.outputs:
        return NO_OUTPUTS
    try:
        return json.dumps(outcome.outputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid("the outputs are not JSON", why=str(error)) from error


def _stop(jig: Jig, ticket: Ticket, context: EngineRunContext) -> Outcome | NotDone:
    """End what may still go on. If the act had begun, ask `check` whether it was finished."""
    jig.stop(ticket, context)
    if not context.effect_was_recorded:
        return NotDone("stopped before its act began")
    try:
        answer = jig.check(ticket, context)
    except WorkError as error:
        return NotDone(f"its check cannot tell: {error}")
    if isinstance(answer, Errored):
        return NotDone(f"its check cannot tell: {answer.error}")
    return answer


def _act_on_power(message: Message, context: EngineRunContext) -> Outcome | NotDone:
    power = context.hammers().pick(PowerControl)
    action = PowerAction(message.action or PowerAction.CYCLE)
    if action is not PowerAction.ON:
        context.record_effect()
    match action:
        case PowerAction.ON:
            power.power_on()
        case PowerAction.OFF:
            power.power_off()
        case PowerAction.SHUTDOWN:
            power.power_off(graceful=True)
        case PowerAction.RESET:
            power.reset()
        case PowerAction.CYCLE:
            power.power_cycle()
    return Succeeded()
