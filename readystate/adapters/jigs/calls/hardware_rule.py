"""The one rule of a hardware profile that is meant for a machine: what BIOS and RAID share."""

from collections.abc import Mapping

from readystate.domain.errors import BadRequest, Invalid
from readystate.domain.outcome import Json
from readystate.domain.profile import choose_rule
from readystate.ports.jig import Ticket


def rule_for(ticket: Ticket, attribute: str) -> Mapping[str, Json]:
    """Of the ticket's `profile`, by the vendor and model of its node. Raises Invalid, naming
    `attribute`, when no rule matches or several do."""
    given = ticket.input
    try:
        return choose_rule(
            given["profile"], vendor=given["vendor"], model=given["model"], attribute=attribute
        )
    except BadRequest as error:
        raise Invalid(error.what, why=error.why, hint=error.hint) from error
