"""The jigs that need no node: noop, call, and the registry of all."""

from pathlib import Path

import asyncssh
import pytest

from readystate.adapters.jigs.call import CallJig
from readystate.adapters.jigs.noop import NoopJig
from readystate.adapters.jigs.registry import make_jigs
from readystate.adapters.jigs.script import ScriptJig
from readystate.adapters.jigs.script.connections import NodeConnections
from readystate.adapters.jigs.script.wire import (
    Action,
    BadAnswer,
    parse_answer,
    run_command,
    run_marker,
)
from readystate.domain.errors import Invalid, Refused, Stopped, Unsupported
from readystate.domain.ids import NodeRoleId
from readystate.domain.outcome import CheckOutcome, Errored, NotDone, Outcome, Pending, Succeeded
from readystate.ports.jig import RunContext, Ticket
from tests.fakes.recording_context import RecordingContext


def ticket(argument: str) -> Ticket:
    return Ticket(NodeRoleId(1), 1, "a-role", "call", argument, None, {}, {}, 10.0)


def refuses(_ticket: Ticket, _context: RunContext) -> Outcome:
    raise Refused("no")


def stops(_ticket: Ticket, _context: RunContext) -> Outcome:
    raise Stopped("cancelled")


def looks(_ticket: Ticket, _context: RunContext) -> CheckOutcome:
    return NotDone("not yet")


JIG = CallJig(
    functions={"waits": lambda _t, _c: Pending("wake", 5.0), "refuses": refuses, "stops": stops},
    checks={"waits": looks},
)


def test_noop_is_done_at_once() -> None:
    jig, context = NoopJig(), RecordingContext()

    assert [Succeeded()] * 2 == [jig.run(ticket(""), context), jig.check(ticket(""), context)]


def test_call_returns_what_the_function_says() -> None:
    context = RecordingContext()

    assert Pending("wake", 5.0) == JIG.run(ticket("waits"), context)
    assert NotDone("not yet") == JIG.check(ticket("waits"), context)


def test_call_turns_errors_of_the_families_into_outcomes() -> None:
    outcome = JIG.run(ticket("refuses"), RecordingContext())

    assert isinstance(outcome, Errored)
    assert isinstance(outcome.error, Refused)


def test_call_lets_a_stop_through() -> None:
    with pytest.raises(Stopped):
        JIG.run(ticket("stops"), RecordingContext())


def test_unknown_function_is_invalid_and_names_the_known_ones() -> None:
    outcome = JIG.run(ticket("wait"), RecordingContext())

    assert isinstance(outcome, Errored)
    assert isinstance(outcome.error, Invalid)
    assert "refuses, stops, waits" in outcome.error.why


def test_function_without_a_check_is_unsupported() -> None:
    outcome = JIG.check(ticket("refuses"), RecordingContext())

    assert isinstance(outcome, Errored)
    assert isinstance(outcome.error, Unsupported)


def test_registry_has_every_jig_under_the_name_that_annotations_use() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    jigs = make_jigs(call=JIG, script=ScriptJig(NodeConnections(key), Path("scripts")))

    assert {"noop": NoopJig, "call": CallJig, "script": ScriptJig} == {
        name: type(jig) for name, jig in jigs.items()
    }


@pytest.mark.parametrize(
    ("stdout", "action"),
    [
        (b"", Action.RUN),
        (b"hello", Action.RUN),
        (b'{"outputs": {}} trailing', Action.RUN),
        (b"[]", Action.RUN),
        (b'{"outputs": []}', Action.RUN),
        (b"{}", Action.CHECK),
        (b'{"done": "yes"}', Action.CHECK),
    ],
)
def test_answer_that_is_not_one_is_refused(stdout: bytes, action: Action) -> None:
    with pytest.raises(BadAnswer):
        parse_answer(stdout, action)


def test_command_line_carries_nothing_but_the_runs_number() -> None:
    marker = run_marker("0123456789", NodeRoleId(3))

    assert run_command(marker, 8).endswith(" readystate-0123456789-3-8")
