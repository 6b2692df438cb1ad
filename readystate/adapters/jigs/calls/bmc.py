"""bmc-managed: reach the node's BMC, prove which credentials it takes, and learn who it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readystate.domain.errors import Refused
from readystate.domain.outcome import CheckOutcome, Outcome, Succeeded
from readystate.ports.hammer import BmcEndpoint, BmcIdentity, Identify
from readystate.ports.jig import NodeView, RunContext, Ticket

#: Tries the endpoints of one BMC and returns those that let us in, best first. Raises Refused,
#: Busy (the next trial has to wait) or Unreachable.
Prove = Callable[[Sequence[BmcEndpoint]], Sequence[BmcEndpoint]]


@dataclass(frozen=True)
class BmcManaged:
    prove: Prove

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        return self._manage(ticket, context)

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        """Logs in again: what was proven once may have been changed since."""
        return self._manage(ticket, context)

    def _manage(self, ticket: Ticket, context: RunContext) -> Succeeded:
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
        context.remember(_new_facts(identity, ticket.node))
        return Succeeded({"protocols": [item.protocol for item in proven]})


def _new_facts(identity: BmcIdentity, node: NodeView | None) -> dict[str, str]:
    """What the BMC says of the machine. Its uuid and serial only if none are known: the machine
    itself may tell others, and then it is the one to be believed (`inventory`)."""
    facts = {"vendor": identity.vendor, "model": identity.model}
    if node is None or node.uuid is None:
        facts["uuid"] = identity.uuid
    if node is None or node.serial is None:
        facts["serial"] = identity.serial
    return {name: value for name, value in facts.items() if value}


def _access(endpoint: BmcEndpoint) -> dict[str, str | int | None]:
    return {
        "protocol": endpoint.protocol,
        "address": endpoint.address,
        "port": endpoint.port,
        "credential": endpoint.credential,
    }
