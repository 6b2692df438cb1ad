"""firmware-baseline: compare versions with the lowest ones allowed; changes nothing."""

import re

from readystate.domain.errors import Invalid
from readystate.domain.outcome import CheckOutcome, NotDone, Succeeded
from readystate.ports.jig import RunContext, Ticket


def check_baseline(ticket: Ticket, context: RunContext) -> Succeeded:
    """Invalid, because trying again will not raise a version: a person brings the firmware up."""
    found = {"bios": ticket.input["bios_version"], "bmc": ticket.input["bmc_version"]}
    old = [
        f"{part} {found[part] or 'of unknown version'} is below {lowest}"
        for part, lowest in sorted(ticket.input["minimum"].items())
        if version_key(found[part]) < version_key(lowest)
    ]
    for part, version in found.items():
        context.log(f"{part} {version}")
    if old:
        raise Invalid(
            "firmware is below the baseline",
            why="; ".join(old),
            hint="update it, or lower hardware/firmware/minimum for this node",
        )
    return Succeeded({"versions": found})


def recheck_baseline(ticket: Ticket, context: RunContext) -> CheckOutcome:
    try:
        return check_baseline(ticket, context)
    except Invalid as error:
        return NotDone(str(error))


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Orders vendors' version texts as people read them: numbers by value, words by letters, and
    nothing below anything (`U32 v2.68` > `U32 v2.9`, `5.10.30.00` < `6.0`)."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((1, int(it), "") if it.isdigit() else (0, 0, it.lower()) for it in parts)
