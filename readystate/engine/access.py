"""API tokens: made once, shown once, kept as a hash.

A token is `rds_<prefix>_<secret>`. The prefix finds the record; what proves it is the SHA-256 of
the whole, compared in constant time. No slow hash is needed: the secret has 256 random bits."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from readystate.domain.errors import ReadystateError
from readystate.domain.events import Event
from readystate.domain.secret import Secret
from readystate.ports.store import Reader, Transaction

_KIND = "api-token"
_TOKEN = re.compile(r"rds_(?P<prefix>[0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class Unauthenticated(ReadystateError):
    """Nobody that we know: no token, or one that opens nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `name` stands as actor in events."""

    name: str


def issue_token(tx: Transaction, name: str, now: datetime) -> Secret:
    """A new token for `name`. It cannot be read again later."""
    prefix = secrets.token_hex(4)
    token = Secret(f"rds_{prefix}_{secrets.token_urlsafe(32)}")
    record = {"name": name, "sha256": _hash(token), "created_at": now.isoformat()}
    tx.put_document(_KIND, prefix, record)
    tx.append(Event(kind="token.issued", at=now, data={"name": name, "prefix": prefix}))
    return token


def has_tokens(reader: Reader) -> bool:
    return bool(reader.documents(_KIND))


def authenticate(reader: Reader, presented: Secret) -> Caller:
    """Raises Unauthenticated. The answer does not tell an unknown token from a wrong one."""
    shape = _TOKEN.fullmatch(presented.reveal())
    record = reader.document(_KIND, shape["prefix"]) if shape else None
    expected = record["sha256"] if record else _hash(Secret("nobody's"))
    if hmac.compare_digest(expected, _hash(presented)) and record:
        return Caller(record["name"])
    raise Unauthenticated(
        "the token opens nothing here",
        why="it is unknown, or of another server",
        hint="use the token that this server printed at its first start",
    )


def _hash(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()
