"""Logs as events with keys, one a line: JSON for machines, columns for people.

Only `bootstrap` calls `set_up_logging`. Code anywhere logs with the standard library, the event
first and names as keys (`log.info("run started", extra={"node": ..., "role": ..., "run": ...})`),
or binds those keys once around a piece of work with `structlog.contextvars.bound_contextvars`.
Nothing about state is only in a log line: state is in the events table. Secrets are concealed here
as the last resort; the first is that they are of type `Secret` and never handed to a logger."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any, TextIO

import structlog

from readystate.domain.secret import Secret

CONCEALED = "***"
#: In the order in which a person looks for them; other keys follow.
LEADING_KEYS = ("at", "level", "event", "node", "role", "run")

_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|credential|authori[sz]ation|cookie|private_?key"
    r"|(^|[_-])(token|psk|pwd|api_?key)$",
    re.IGNORECASE,
)
#: What stands before a secret in text is kept, the secret is not.
_SECRET_TEXT = tuple(
    re.compile(f"(?P<before>{before}){secret}", re.IGNORECASE)
    for before, secret in (
        (r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:", r"[^\s/@]+(?=@)"),
        (r"\bauthorization['\"]?\s*[:=]\s*['\"]?\w+\s+", r"[^\s'\",]+"),
        (r"\bbearer\s+", r"[a-z0-9+/=._~-]{6,}"),
        # base64 has capitals, digits or padding; "Basic settings" has not
        (r"\bbasic\s+", r"(?-i:(?=\S*[A-Z0-9=])[A-Za-z0-9+/=]{6,})"),
        (r"\bx-auth-token['\"]?\s*[:=]\s*['\"]?", r"[^\s'\",]+"),
        (r"\b(?:password|passwd|secret)['\"]?\s*[:=]\s*['\"]?", r"[^\s'\",}]+"),
    )
)

EventDict = MutableMapping[str, Any]


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


def conceal(value: Any) -> Any:
    """`value` with everything secret replaced by `***`: `Secret`s, values under a telling key, and
    passwords inside text (URLs, HTTP authorisation, `password=`)."""
    if isinstance(value, Secret):
        return CONCEALED
    if isinstance(value, str):
        for pattern in _SECRET_TEXT:
            value = pattern.sub(rf"\g<before>{CONCEALED}", value)
        return value
    if isinstance(value, Mapping):
        return {
            key: CONCEALED if _is_secret_key(key) and item is not None else conceal(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [conceal(item) for item in value]
    return value


def _is_secret_key(key: object) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def _conceal_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    concealed: EventDict = conceal(event)
    return concealed


def set_up_logging(
    log_format: LogFormat, *, level: str = "info", stream: TextIO | None = None
) -> None:
    """Route every logger of the process to `stream` (default: standard error, so that output for
    pipes stays clean). May be called again; the last call counts."""
    stamped: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stamped,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,  # before concealing: a traceback may quote
            _conceal_event,
            *_renderers(log_format),
        ],
    )
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("asyncssh", "aiohttp.access", "alembic", "pyghmi"):
        # They tell at `info` what our own events already say, once for each of a thousand nodes.
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def _renderers(log_format: LogFormat) -> list[structlog.typing.Processor]:
    if log_format is LogFormat.JSON:
        return [_lead_with_known_keys, structlog.processors.JSONRenderer(default=str)]
    return [
        structlog.dev.ConsoleRenderer(
            timestamp_key="at", sort_keys=False, colors=False, pad_event_to=32
        )
    ]


def _lead_with_known_keys(_logger: object, _method: str, event: EventDict) -> EventDict:
    known = {key: event[key] for key in LEADING_KEYS if key in event}
    return known | {key: value for key, value in event.items() if key not in known}
