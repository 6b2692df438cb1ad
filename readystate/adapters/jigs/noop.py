"""The jig of roles that are only a name for what others have done: milestones."""

from readystate.domain.outcome import CheckOutcome, Outcome, Succeeded
from readystate.ports.jig import RunContext, Ticket


class NoopJig:
    def run(self, _ticket: Ticket, _context: RunContext) -> Outcome:
        return Succeeded()

    def check(self, _ticket: Ticket, _context: RunContext) -> CheckOutcome:
        return Succeeded()

    def stop(self, _ticket: Ticket, _context: RunContext) -> None:
        """Nothing was ever begun."""
