"""Opening an RMCP+ session: Open Session and the RAKP handshake, sections 13.17 to 13.24.

Functions take the payload of a console's message and return the payload of the answer, or None
where the specification wants silence."""

import hmac
from enum import IntEnum

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.ipmi_message import NO_ACCESS_LIMIT, PRIVILEGE_OF_ROLE, Privilege
from readystate.lab.bmc.ipmi_session import SUITE_3, SUITES, Session, SessionTable
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc

OPEN_REQUEST_BYTES = 32
RAKP1_FIXED_BYTES = 28  #: before the user name
RAKP3_FIXED_BYTES = 8  #: before the key exchange code
LONGEST_NAME_BYTES = 16
LONGEST_PASSWORD_BYTES = 20  #: section 22.30


class RakpStatus(IntEnum):
    """Table 13-15."""

    OK = 0x00
    NO_RESOURCES = 0x01
    INVALID_SESSION = 0x02
    INVALID_AUTHENTICATION_ALGORITHM = 0x04
    INVALID_INTEGRITY_ALGORITHM = 0x05
    NO_MATCHING_AUTHENTICATION_PAYLOAD = 0x06
    NO_MATCHING_INTEGRITY_PAYLOAD = 0x07
    UNAUTHORIZED_ROLE = 0x0A
    INVALID_NAME_LENGTH = 0x0C
    UNAUTHORIZED_NAME = 0x0D
    INVALID_CHECK_VALUE = 0x0F
    INVALID_CONFIDENTIALITY_ALGORITHM = 0x10
    NO_SUITE_MATCH = 0x11
    ILLEGAL_PARAMETER = 0x12


def answer_open_session(bmc: VirtualBmc, table: SessionTable, payload: bytes) -> bytes | None:
    if len(payload) < OPEN_REQUEST_BYTES:
        return None
    tag, console_id = payload[:1], payload[4:8]
    limit = payload[1] & 0x0F or Privilege.ADMINISTRATOR  # 0 asks for the highest there is
    algorithms = [_read_algorithm(payload, kind) for kind in range(3)]
    if None in algorithms:
        return _refuse(tag, console_id, RakpStatus.ILLEGAL_PARAMETER)
    suite = SUITES.get(tuple(algorithms))  # type: ignore[arg-type]
    if suite is None:
        return _refuse(tag, console_id, _name_mismatch(algorithms))
    if limit > Privilege.ADMINISTRATOR:
        return _refuse(tag, console_id, RakpStatus.UNAUTHORIZED_ROLE)
    session = None
    if not bmc.faults.is_active(Fault.SESSION_EXHAUSTION):
        session = table.open(console_id, suite, limit=limit)
    if session is None:
        return _refuse(tag, console_id, RakpStatus.NO_RESOURCES)
    chosen = b"".join(
        b"%c\x00\x00\x08%c\x00\x00\x00" % (kind, number)
        for kind, number in enumerate(
            (suite.authentication, suite.integrity, suite.confidentiality)
        )
    )
    return tag + bytes((RakpStatus.OK, limit, 0)) + console_id + session.id + chosen


def _read_algorithm(payload: bytes, kind: int) -> int | None:
    """One of the three algorithm payloads of table 13-9; a length of 0 leaves the choice to us."""
    at = 8 + 8 * kind
    if payload[at] != kind:
        return None
    if payload[at + 3] == 0:
        return (SUITE_3.authentication, SUITE_3.integrity, SUITE_3.confidentiality)[kind]
    return payload[at + 4] & 0x3F


def _name_mismatch(algorithms: list[int | None]) -> RakpStatus:
    known = [{key[kind] for key in SUITES} for kind in range(3)]
    if algorithms[0] not in known[0]:
        return RakpStatus.INVALID_AUTHENTICATION_ALGORITHM
    if algorithms[1] not in known[1]:
        return RakpStatus.INVALID_INTEGRITY_ALGORITHM
    if algorithms[2] not in known[2]:
        return RakpStatus.INVALID_CONFIDENTIALITY_ALGORITHM
    return RakpStatus.NO_SUITE_MATCH


def answer_rakp1(bmc: VirtualBmc, table: SessionTable, guid: bytes, payload: bytes) -> bytes | None:
    if len(payload) < RAKP1_FIXED_BYTES:
        return None
    tag, session = payload[:1], table.find(payload[4:8])
    if session is None or session.is_active or session.rakp1 not in (b"", payload[1:]):
        return _refuse(tag, bytes(4), RakpStatus.INVALID_SESSION)
    name_bytes = payload[27]
    if name_bytes > LONGEST_NAME_BYTES or len(payload) < RAKP1_FIXED_BYTES + name_bytes:
        return _give_up(table, session, tag, RakpStatus.INVALID_NAME_LENGTH)
    name = payload[RAKP1_FIXED_BYTES : RAKP1_FIXED_BYTES + name_bytes]
    user = bmc.find_user(name.decode("utf-8", "replace"))
    if user is None:
        bmc.ledger.refused_logins += 1
        return _give_up(table, session, tag, RakpStatus.UNAUTHORIZED_NAME)
    limit = PRIVILEGE_OF_ROLE.get(user.role, NO_ACCESS_LIMIT)
    wanted = payload[24] & 0x0F
    if limit == NO_ACCESS_LIMIT or wanted > limit:
        bmc.ledger.refused_logins += 1
        return _give_up(table, session, tag, RakpStatus.UNAUTHORIZED_ROLE)
    bmc.ledger.rakp_begun += not session.rakp1
    session.rakp1 = payload[1:]
    session.user, session.role = user, payload[24]
    session.console_random = payload[8:24]
    session.limit = min(session.limit, wanted or limit)
    signed = b"%b%b%b%b%b%c%c%b" % (
        session.console_id,
        session.id,
        session.console_random,
        session.bmc_random,
        guid,
        session.role,
        name_bytes,
        name,
    )
    code = hmac.digest(_user_key(bmc, user), signed, session.suite.digest)
    return b"%b\x00\x00\x00%b%b%b%b" % (tag, session.console_id, session.bmc_random, guid, code)


def answer_rakp3(bmc: VirtualBmc, table: SessionTable, guid: bytes, payload: bytes) -> bytes | None:
    """A refused check value ends the attempt; a repeat of an accepted one gets the same answer."""
    if len(payload) < RAKP3_FIXED_BYTES:
        return None
    tag, session = payload[:1], table.find(payload[4:8])
    if session is None or session.user is None:
        return _refuse(tag, bytes(4), RakpStatus.INVALID_SESSION)
    if payload[1] != RakpStatus.OK:
        # The console did not like our RAKP 2: to it, the password is wrong. Section 13.23 wants
        # the half-open session gone and no answer.
        if not session.is_active:
            table.close(session.id)
        return None
    name = session.user.name.encode()
    key, digest = _user_key(bmc, session.user), session.suite.digest
    signed = b"%b%b%c%c%b" % (
        session.bmc_random,
        session.console_id,
        session.role,
        len(name),
        name,
    )
    if not hmac.compare_digest(hmac.digest(key, signed, digest), payload[RAKP3_FIXED_BYTES:]):
        if session.is_active:
            return None  # a forged packet must not end somebody's session
        bmc.ledger.refused_logins += 1
        bmc.ledger.rakp_ended += 1
        return _give_up(table, session, tag, RakpStatus.INVALID_CHECK_VALUE)
    if not session.is_active:
        bmc.ledger.rakp_ended += 1
        _activate(session, guid, key, name)
    return tag + session.rakp4


def _activate(session: Session, guid: bytes, key: bytes, name: bytes) -> None:
    """Derive the session's keys; no BMC key is set, so the user's key stands in (13.31)."""
    digest = session.suite.digest
    signed = b"%b%b%c%c%b" % (
        session.console_random,
        session.bmc_random,
        session.role,
        len(name),
        name,
    )
    session_key = hmac.digest(key, signed, digest)
    check = hmac.digest(session_key, session.console_random + session.id + guid, digest)
    session.rakp4 = b"\x00\x00\x00" + session.console_id + check[: session.suite.code_bytes]
    session.activate(session_key)


def _user_key(bmc: VirtualBmc, user: BmcUser) -> bytes:
    return bmc.effective_password(user).encode()[:LONGEST_PASSWORD_BYTES]


def _refuse(tag: bytes, console_id: bytes, status: RakpStatus) -> bytes:
    return b"%b%c\x00\x00%b" % (tag, status, console_id)


def _give_up(table: SessionTable, session: Session, tag: bytes, status: RakpStatus) -> bytes:
    table.close(session.id)
    return _refuse(tag, session.console_id, status)
