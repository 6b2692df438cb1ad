"""Redfish sessions of one BMC: tokens, their limit and their time-out; and who may do what.

Sessions live in the BMC's memory: a restart of the BMC ends them all."""

import base64
import binascii
import itertools
import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.redfish_messages import Refusal
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc


class Privilege(StrEnum):
    """What a request needs. Source: DSP0266, predefined roles and privileges."""

    NONE = "none"  #: not even an account
    LOGIN = "Login"
    COMPONENTS = "ConfigureComponents"
    MANAGER = "ConfigureManager"  #: users and the BMC itself


ROLES: dict[str, frozenset[Privilege]] = {
    "Administrator": frozenset({Privilege.LOGIN, Privilege.COMPONENTS, Privilege.MANAGER}),
    "Operator": frozenset({Privilege.LOGIN, Privilege.COMPONENTS}),
    "ReadOnly": frozenset({Privilege.LOGIN}),
}


@dataclass
class Session:
    id: str
    user_name: str
    token: str = field(repr=False)
    used_at: float  #: `time.monotonic()`


class Sessions:
    def __init__(self, bmc: VirtualBmc, personality: Personality) -> None:
        self._bmc = bmc
        self._personality = personality
        self._by_token: dict[str, Session] = {}
        self._ids = itertools.count(1)

    def list(self) -> list[Session]:
        """The sessions in force; those not used for too long are dropped here."""
        oldest = time.monotonic() - self._personality.session_timeout_s
        for session in [item for item in self._by_token.values() if item.used_at < oldest]:
            del self._by_token[session.token]
        return list(self._by_token.values())

    def find(self, session_id: str) -> Session | None:
        return next((item for item in self.list() if item.id == session_id), None)

    def create(self, name: str, password: str) -> Session:
        """Log in; raises a Refusal for bad credentials or when no session is left."""
        if not self._bmc.accepts(name, password):
            raise self._unauthorized()
        if len(self.list()) >= self._personality.session_limit or self._is_exhausted():
            raise self._exhausted()
        token = secrets.token_hex(16)
        session = Session(str(next(self._ids)), name, token, time.monotonic())
        self._by_token[token] = session
        return session

    def delete(self, session: Session) -> None:
        self._by_token.pop(session.token, None)

    def clear(self) -> None:
        self._by_token.clear()

    def authenticate(self, token: str | None, authorization: str | None) -> BmcUser:
        """Return the account behind a request, by token or by basic authentication."""
        if token is not None:
            session = self._by_token.get(token)
            user = None if session is None else self._bmc.find_user(session.user_name)
            if session is None or user is None:
                raise self._unauthorized()
            if time.monotonic() - session.used_at > self._personality.session_timeout_s:
                self.delete(session)
                raise self._unauthorized()
            session.used_at = time.monotonic()
            return user
        name, password = self._parse_basic(authorization)
        if not self._bmc.accepts(name, password):
            raise self._unauthorized()
        if self._is_exhausted():  # real BMCs open a short session for each basic login
            raise self._exhausted()
        user = self._bmc.find_user(name)
        if user is None:
            raise self._unauthorized()
        return user

    def _parse_basic(self, authorization: str | None) -> tuple[str, str]:
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            raise self._unauthorized()
        try:
            name, colon, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise self._unauthorized() from error
        if not colon:
            raise self._unauthorized()
        return name, password

    def _is_exhausted(self) -> bool:
        return self._bmc.faults.is_active(Fault.SESSION_EXHAUSTION)

    def _unauthorized(self) -> Refusal:
        headers = {}
        if self._personality.advertises_basic_auth:
            headers["WWW-Authenticate"] = 'Basic realm="RedfishService"'
        return Refusal(401, "NoValidSession", headers=headers)

    def _exhausted(self) -> Refusal:
        return Refusal(self._personality.exhausted_status, "SessionLimitExceeded")


def authorize(user: BmcUser, privilege: Privilege) -> None:
    """Raise a Refusal unless the account's role grants the privilege."""
    if privilege is not Privilege.NONE and privilege not in ROLES.get(user.role, frozenset()):
        raise Refusal(403, "InsufficientPrivilege")
