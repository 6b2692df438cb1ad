"""The worker's side: carry out one message, translate what happens into an answer, report it.

The only place with a bare `except Exception`: a defect in a jig becomes a recorded failure of its
run, never a dead worker."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from readystate.domain.errors import Busy, Failed, Stopped, Unsupported, WorkError
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


@dataclass
class Executor:
    jigs: Mapping[str, Jig]
    surroundings: Surroundings
    report: Callable[[Answer], None]
    _contexts: dict[RunId, EngineRunContext] = field(default_factory=dict)
    stop_wait_s: float = 30.0  #: how long a stop waits for the worker that it stops
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, message: Message) -> None:
        """Run in a worker thread; always reports exactly one answer."""
        context = EngineRunContext(self.surroundings, message)
        with self._lock:
            earlier = self._contexts.get(message.run_id)
            self._contexts[message.run_id] = context
        try:
            if earlier is not None and not earlier.end(self.stop_wait_s):
                outcome: Outcome | NotDone = Errored(Busy(f"{context.role} has not stopped yet"))
            else:
                outcome = self._outcome(message, context)
        finally:
            context.ended.set()
            with self._lock:
                if self._contexts.get(message.run_id) is context:
                    del self._contexts[message.run_id]
        self.report(self._answer(message, context, outcome))

    def cancel(self, run_id: RunId) -> None:
        """Make the run's context refuse to go on; harmless if it has ended."""
        with self._lock:
            context = self._contexts.get(run_id)
        if context is not None:
            context.stop()

    def _outcome(self, message: Message, context: EngineRunContext) -> Outcome | NotDone:
        extra = {"run": message.run_id, "node": context.node_name, "role": context.role}
        try:
            outcome = _declared(message, self._work(message, context))
        except WorkError as error:
            return Errored(error)
        except Stopped as stopped:
            return Errored(Failed("the run was stopped", why=stopped.what))
        except Exception as error:  # a defect in a jig fails its run, not the worker
            log.exception("a jig failed unexpectedly", extra=extra)
            return Errored(Failed(f"internal error in {context.role}", why=repr(error)))
        log.info("work done", extra={**extra, "outcome": type(outcome).__name__})
        return outcome

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

    def _answer(
        self, message: Message, context: EngineRunContext, outcome: Outcome | NotDone
    ) -> Answer:
        outputs = "{}"
        if isinstance(outcome, Succeeded) and outcome.outputs:
            outputs = json.dumps(outcome.outputs, sort_keys=True, separators=(",", ":"))
        return Answer(
            run_id=message.run_id,
            dispatch=message.dispatch,
            unit=message.unit,
            outcome=outcome,
            outputs=outputs,
            hammers=context.hammers_used(),
            breaker_until=context.breaker_until(),
        )


def _declared(message: Message, outcome: Outcome | NotDone) -> Outcome | NotDone:
    """Outputs under the names that the annotation declares; raises Invalid for any other."""
    if message.role is None or not isinstance(outcome, Succeeded | Staged):
        return outcome
    return replace(outcome, outputs=declared_outputs(message.role, outcome.outputs))


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
