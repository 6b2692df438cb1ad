"""What an HTTP status, a Redfish message or a broken connection means: the one table.

Sources: DSP0266 section 8.6 (status codes), Base message registry (`@Message.ExtendedInfo`)."""

import re
import ssl
from collections.abc import Mapping
from typing import Any

from readystate.domain.errors import (
    Busy,
    Failed,
    Invalid,
    Refused,
    Unreachable,
    Unsupported,
    WorkError,
)

_STATUS: dict[int, type[WorkError]] = {
    400: Invalid,
    401: Refused,
    403: Refused,
    404: Unsupported,
    405: Unsupported,
    409: Busy,  # another job holds the resource
    410: Unsupported,
    412: Busy,  # somebody else keeps changing it
    428: Invalid,
    429: Busy,
    500: Failed,
    501: Unsupported,
    502: Unreachable,
    503: Busy,
    504: Busy,
}
#: Base registry messages that say more than the status beside them.
_MESSAGES: tuple[tuple[re.Pattern[str], type[WorkError]], ...] = (
    (re.compile(r"SessionLimitExceeded|ServiceTemporarilyUnavailable|ResourceInUse"), Busy),
    (re.compile(r"ServiceInUnknownState|ServiceShuttingDown"), Busy),
    (re.compile(r"InsufficientPrivilege|NoValidSession|AccessDenied"), Refused),
    (re.compile(r"ActionNotSupported|QueryNotSupported"), Unsupported),
)
_HINTS: dict[type[WorkError], str] = {Refused: "check the BMC credentials and the role of the user"}


def http_error(
    address: str,
    method: str,
    path: str,
    status: int,
    body: Mapping[str, Any],
    busy_messages: tuple[str, ...] = (),
) -> WorkError:
    """`busy_messages` are patterns of message ids, from quirks, that mean "not now"."""
    ids, texts = extended_info(body)
    family = _STATUS.get(status, Failed)
    for pattern, meaning in _MESSAGES:
        if any(pattern.search(message_id) for message_id in ids):
            family = meaning
            break
    if any(re.search(pattern, message_id) for pattern in busy_messages for message_id in ids):
        family = Busy
    why = "; ".join([f"HTTP {status}", *texts])
    return family(f"{address}: {method} {path}", why=why, hint=_HINTS.get(family, ""))


def extended_info(body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Message ids and texts of an error body, or of a success body with notes."""
    error = body.get("error")
    holder = error if isinstance(error, Mapping) else body
    messages = holder.get("@Message.ExtendedInfo") or []
    if isinstance(messages, Mapping):
        messages = [messages]
    known = [item for item in messages if isinstance(item, Mapping)]
    ids = [str(item.get("MessageId", "")) for item in known]
    texts = [str(item["Message"]) for item in known if item.get("Message")]
    if not texts and isinstance(error, Mapping) and error.get("message"):
        texts = [str(error["message"])]
    return ids, texts


def transport_error(address: str, error: Exception) -> WorkError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(
            f"{address}: the BMC's certificate is not trusted",
            why=error.verify_message,
            hint="install a trusted certificate, or accept self-signed ones",
        )
    why = str(error) or type(error).__name__
    return Unreachable(f"{address}: no answer over Redfish", why=why)
