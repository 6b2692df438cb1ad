"""bios-configured: bring the BIOS to the settings that the node's profile rule names."""

from collections.abc import Mapping

from readystate.adapters.jigs.calls.hardware_rule import rule_for
from readystate.domain.errors import Busy
from readystate.domain.outcome import (
    CheckOutcome,
    Errored,
    Json,
    NotDone,
    Outcome,
    Staged,
    Succeeded,
)
from readystate.ports.hammer import BiosControl, BiosState
from readystate.ports.jig import RunContext, Ticket


def configure_bios(ticket: Ticket, context: RunContext) -> Outcome:
    wanted = wanted_settings(ticket)
    bios = context.hammers().pick(BiosControl)
    state = bios.read_bios()
    differing = differing_settings(wanted, state)
    if not differing:
        context.log("the BIOS is as wanted; nothing to stage")
        return Succeeded({"applied": wanted})
    for name, value in sorted(differing.items()):
        context.log(f"{name}: {state.current.get(name)!r} -> {value!r} at the next reset")
    context.progress(f"stages {len(differing)} BIOS settings")
    bios.stage_bios(differing)
    return Staged()


def check_bios(ticket: Ticket, context: RunContext) -> CheckOutcome:
    wanted = wanted_settings(ticket)
    state = context.hammers().pick(BiosControl).read_bios()
    differing = differing_settings(wanted, state)
    if not differing:
        return Succeeded({"applied": wanted})
    if any(name in state.pending for name in differing):
        return Errored(Busy("the BIOS has not applied its pending settings yet"))
    return NotDone(
        "; ".join(f"{name} is {state.current.get(name)!r}" for name in sorted(differing))
    )


def wanted_settings(ticket: Ticket) -> dict[str, Json]:
    """Of the one rule that matches this machine. Raises Invalid when none or several do."""
    return dict(rule_for(ticket, "hardware/bios/profile")["settings"])


def differing_settings(wanted: Mapping[str, Json], state: BiosState) -> dict[str, Json]:
    return {name: value for name, value in wanted.items() if state.current.get(name) != value}
