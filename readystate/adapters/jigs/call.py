"""The jig that carries out a node-role by a Python function of ours.

Which functions there are is decided where everything is wired; this jig only finds them by the
name that the annotation gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from readystate.domain.errors import Invalid, Unsupported, WorkError
from readystate.domain.outcome import CheckOutcome, Errored, Outcome
from readystate.ports.jig import RunContext, Ticket

CallFunction = Callable[[Ticket, RunContext], Outcome]
CallCheck = Callable[[Ticket, RunContext], CheckOutcome]
CallStop = Callable[[Ticket, RunContext], None]


@dataclass(frozen=True)
class CallJig:
    """Errors of the families that a function raises become its outcome; Stopped passes through."""

    functions: Mapping[str, CallFunction]
    checks: Mapping[str, CallCheck] = field(default_factory=dict)
    stops: Mapping[str, CallStop] = field(default_factory=dict)  #: only for what outlives a worker

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        function = self.functions.get(ticket.argument)
        if function is None:
            return Errored(
                Invalid(
                    f"{ticket.role}: no function is called {ticket.argument!r}",
                    why=f"known: {', '.join(sorted(self.functions)) or 'none'}",
                    hint="correct `call:` in the role's annotation",
                )
            )
        try:
            return function(ticket, context)
        except WorkError as error:
            return Errored(error)

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        check = self.checks.get(ticket.argument)
        if check is None:
            return Errored(Unsupported(f"{ticket.role}: {ticket.argument} has no check"))
        try:
            return check(ticket, context)
        except WorkError as error:
            return Errored(error)

    def stop(self, ticket: Ticket, context: RunContext) -> None:
        """A function runs in its worker's thread and ended with it, unless it says otherwise."""
        stop = self.stops.get(ticket.argument)
        if stop is not None:
            stop(ticket, context)
