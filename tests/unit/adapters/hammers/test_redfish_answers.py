"""What statuses and messages mean, and that secrets stay out of them."""

import pytest

from readystate.adapters.hammers.redfish.answers import http_error
from readystate.adapters.hammers.redfish.readings import parse_instant
from readystate.domain.errors import (
    Busy,
    Failed,
    Invalid,
    Refused,
    Unreachable,
    Unsupported,
    WorkError,
)


def _body(message_id: str, message: str = "") -> dict[str, object]:
    return {"error": {"@Message.ExtendedInfo": [{"MessageId": message_id, "Message": message}]}}


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, Invalid),
        (401, Refused),
        (403, Refused),
        (404, Unsupported),
        (405, Unsupported),
        (409, Busy),
        (429, Busy),
        (500, Failed),
        (502, Unreachable),
        (503, Busy),
        (418, Failed),
    ],
)
def test_a_status_has_a_family(status: int, family: type[WorkError]) -> None:
    assert family is type(http_error("127.0.1.7", "GET", "/x", status, {}))


@pytest.mark.parametrize(
    ("message_id", "family"),
    [
        ("Base.1.8.SessionLimitExceeded", Busy),
        ("Base.1.2.ServiceTemporarilyUnavailable", Busy),
        ("Base.1.8.InsufficientPrivilege", Refused),
        ("Base.1.8.ActionNotSupported", Unsupported),
    ],
)
def test_a_message_says_more_than_its_status(message_id: str, family: type[WorkError]) -> None:
    assert family is type(http_error("127.0.1.7", "POST", "/x", 400, _body(message_id)))


def test_a_quirk_s_message_means_not_now() -> None:
    body = _body("IDRAC.1.6.SWC0700", "iDRAC is not ready.")

    assert Invalid is type(http_error("127.0.1.7", "GET", "/x", 400, body))
    error = http_error("127.0.1.7", "GET", "/x", 400, body, ("SWC0700",))
    assert Busy is type(error)
    assert "127.0.1.7: GET /x: HTTP 400; iDRAC is not ready." == str(error)


def test_an_instant_before_the_clock_was_set_is_none() -> None:
    assert parse_instant("0000-00-00T00:00:00Z") is None


def test_an_instant_of_another_zone_becomes_utc() -> None:
    instant = parse_instant("2024-06-11T00:14:47-05:00")

    assert instant is not None
    assert "2024-06-11T05:14:47+00:00" == instant.isoformat()
