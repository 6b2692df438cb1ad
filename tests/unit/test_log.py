"""Log lines: keys that can be searched, and nothing secret in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from readystate.domain.secret import Secret
from readystate.log import LogFormat, conceal, set_up_logging

log = logging.getLogger("readystate.engine.executor")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    set_up_logging(LogFormat.JSON, stream=stream)
    return stream


def read(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_extra_keys_of_the_standard_library_become_keys(lines: io.StringIO) -> None:
    log.info("run started", extra={"node": "n1", "role": "bios-configured", "run": 7})

    (line,) = read(lines)
    assert ["at", "level", "event", "node", "role", "run"] == list(line)[:6]
    assert ("run started", "n1", "bios-configured", 7) == (
        *(line["event"], line["node"], line["role"], line["run"]),
    )


def test_bound_keys_reach_every_line_of_the_work_and_no_other(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(node="n1", run=7):
        log.info("within")
    log.info("after")

    within, after = read(lines)
    assert ("n1", 7) == (within["node"], within["run"])
    assert "node" not in after


def test_both_kinds_of_logger_write_the_same_shape(lines: io.StringIO) -> None:
    log.info("said", extra={"node": "n1"})
    structlog.get_logger("readystate.engine.executor").info("said", node="n1")

    standard, structured = read(lines)
    assert standard.keys() == structured.keys()
    assert "readystate.engine.executor" == standard["logger"] == structured["logger"]


def test_traceback_is_one_line_and_conceals_what_it_quotes(lines: io.StringIO) -> None:
    try:
        raise ValueError("login failed: password='canary'")
    except ValueError:
        log.exception("bmc session refused")

    (line,) = read(lines)
    assert "ValueError: login failed" in str(line["exception"])
    assert "canary" not in lines.getvalue()


def test_level_below_the_chosen_one_is_not_written() -> None:
    stream = io.StringIO()
    set_up_logging(LogFormat.JSON, level="warning", stream=stream)

    log.info("quiet")
    log.warning("loud")

    assert ["loud"] == [line["event"] for line in read(stream)]


def test_console_shows_event_and_keys_and_conceals_too() -> None:
    stream = io.StringIO()
    set_up_logging(LogFormat.CONSOLE, stream=stream)

    log.info("power on", extra={"node": "n1", "password": "canary"})

    assert "power on" in stream.getvalue()
    assert "node=n1" in stream.getvalue()
    assert "canary" not in stream.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        Secret("canary"),
        {"password": "canary"},
        {"bmc": {"Password": "canary"}},
        {"api_token": "canary"},
        {"X-Auth-Token": "canary"},
        {"private_key": "canary"},
        [{"credentials": ["canary"]}, Secret("canary")],
        "postgresql://rs:canary@db/readystate",
        "Authorization: Basic canary-canary",
        "authorization header was Bearer canary.canary",
        "X-Auth-Token: canary",
        '{"Password": "canary", "UserName": "root"}',
        "ipmi login with password=canary failed",
    ],
)
def test_secret_is_concealed_wherever_it_hides(secret: object) -> None:
    concealed = conceal({"what": secret})

    assert "canary" not in repr(concealed)
    assert "***" in repr(concealed)


@pytest.mark.parametrize(
    "harmless",
    [
        "http://127.0.0.1:8000/boot/52:54:00:12:34:56",
        "the BMC refused the password",
        {"token_count": 3, "node": "n1", "password": None},
        "bios: Basic settings applied",
    ],
)
def test_what_is_not_secret_is_left_alone(harmless: object) -> None:
    assert harmless == conceal(harmless)
