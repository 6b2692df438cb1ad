"""bmc-managed: reach the node's BMC, prove which credentials it takes, and learn who it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readystate.domain.errors import Refused
from readystate.domain.outcome import CheckOutcome, NotDone, Outcome, Succeeded
from readystate.ports.hammer import BmcEndpoint, Identify
from readystate.ports.jig import RunContext, Ticket

#: Tries the endpoints of one BMC and returns those that let us in, best first. Raises Refused,
#: Busy (the next trial has to wait) or Unreachable.
Prove = Callable[[Sequence[BmcEndpoint]], Sequence[BmcEndpoint]]


@dataclass(frozen=True)
class BmcManaged:
    prove: Prove

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        del ticket
        context.progress("proves BMC credentials")
        endpoints = context.endpoints()
        if not endpoints:
            raise Refused(
                "no credentials are known for this BMC",
                hint="store a set: readystate credentials set",
            )
        proven = self.prove(endpoints)
        for endpoint in proven:
            context.log(f"{endpoint.protocol}@{endpoint.address} takes {endpoint.credential!r}")
        context.remember({"bmc": [_access(item) for item in proven]})
        identity = context.hammers().pick(Identify).read_identity()
        context.log(f"{identity.vendor} {identity.model}, serial {identity.serial}")
        facts = {
            "uuid": identity.uuid,
            "serial": identity.serial,
            "vendor": identity.vendor,
            "model": identity.model,
        }
        context.remember({name: value for name, value in facts.items() if value})
        return Succeeded({"protocols": [item.protocol for item in proven]})

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        del ticket
        proven = [item for item in context.endpoints() if item.credential]
        if not proven:
            return NotDone("no credentials are proven")
        context.hammers().pick(Identify).read_identity()
        return Succeeded({"protocols": list(dict.fromkeys(item.protocol for item in proven))})


def _access(endpoint: BmcEndpoint) -> dict[str, str | int | None]:
    return {
        "protocol": endpoint.protocol,
        "address": endpoint.address,
        "port": endpoint.port,
        "credential": endpoint.credential,
    }
