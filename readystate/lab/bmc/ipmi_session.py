"""RMCP+ sessions of one virtual BMC: who is in, and the wrapping of their packets (section 13).

Opening a session is `ipmi_rakp`'s work. Nothing here runs on a timer: idle sessions are found when
somebody needs their place, or when their owner comes back too late."""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from readystate.lab.bmc.ipmi_message import Privilege
from readystate.lab.bmc.virtual_bmc import BmcUser

RMCP_HEADER = b"\x06\x00\xff\x07"  #: version 1.0, no acknowledge, class IPMI; section 13.1.3
SESSION_HEADER_BYTES = 16  #: RMCP, authentication type, payload type, ids and length; table 13-8
PROTECTED_IPMI = 0xC0  #: payload type 0 (IPMI), encrypted and authenticated
NEXT_HEADER = 0x07  #: fixed value before the authentication code
AES_BLOCK = 16
AES_PADDING = tuple(bytes(range(1, n + 1)) + bytes((n,)) for n in range(AES_BLOCK))  # table 13-20
HANDSHAKE_S = 20.0  #: a session whose RAKP exchange stops half way is given up after this time
WINDOW = 16  #: sequence numbers that may be ahead or behind, section 6.12.13


@dataclass(frozen=True)
class CipherSuite:
    """Table 22-20; numbers of algorithms from tables 13-17 to 13-19."""

    id: int
    authentication: int
    integrity: int
    confidentiality: int
    digest: str  #: as OpenSSL names it
    code_bytes: int  #: of an integrity check value and of a packet's authentication code


SUITE_3 = CipherSuite(3, 1, 1, 1, "sha1", 12)
SUITE_17 = CipherSuite(17, 3, 4, 1, "sha256", 16)
SUITES = {
    (suite.authentication, suite.integrity, suite.confidentiality): suite
    for suite in (SUITE_3, SUITE_17)
}


class Session:
    """One session, from Open Session on; `is_active` once RAKP message 3 was accepted."""

    __slots__ = (
        "_decryptor",
        "_encryptor",
        "_highest",
        "_seen",
        "_sent",
        "bmc_random",
        "console_id",
        "console_random",
        "id",
        "integrity_key",
        "is_active",
        "last_seen_at",
        "limit",
        "privilege",
        "rakp1",
        "rakp4",
        "role",
        "suite",
        "user",
    )

    _encryptor: CipherContext
    _decryptor: CipherContext

    def __init__(self, id: bytes, console_id: bytes, suite: CipherSuite, *, limit: int) -> None:
        self.id = id
        self.console_id = console_id
        self.suite = suite
        self.limit = limit  #: the highest privilege that this session may raise itself to
        self.privilege = int(Privilege.CALLBACK)
        self.user: BmcUser | None = None
        self.role = 0  #: the requested privilege as RAKP message 1 spelt it
        self.bmc_random = token_bytes(16)
        self.console_random = b""
        self.rakp1 = b""  #: the message that was accepted, so that only a repeat is answered
        self.rakp4 = b""
        self.is_active = False
        self.last_seen_at = 0.0
        self.integrity_key = b""
        self._highest = self._seen = self._sent = 0

    def activate(self, session_key: bytes) -> None:
        """Derive K1 and K2 from the session integrity key (section 13.32) and begin."""
        digest = self.suite.digest
        self.integrity_key = hmac.digest(session_key, b"\x01" * 20, digest)
        aes_key = hmac.digest(session_key, b"\x02" * 20, digest)[:AES_BLOCK]
        # One running CBC context a direction for the whole session. The block that goes in first
        # comes out unpredictable and serves as the initialisation vector of what follows it; on
        # the way in, the first block comes out as garbage and the rest is right. This costs a
        # tenth of a new context for each packet.
        cipher = Cipher(algorithms.AES(aes_key), modes.CBC(token_bytes(AES_BLOCK)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self.privilege = min(Privilege.USER, self.limit)  # section 22.18: begins as User
        self.is_active = True

    def wrap(self, message: bytes) -> bytes:
        """The packet that carries `message` to the console, encrypted and authenticated."""
        self._sent = (self._sent + 1) & 0xFFFFFFFF or 1  # 0 means "outside of a session"
        trailer = AES_PADDING[-(len(message) + 1) % AES_BLOCK]
        payload = self._encryptor.update(bytes(AES_BLOCK) + message + trailer)
        # The packet from the authentication type on is a multiple of four bytes (table 13-8):
        # payload and header are already, so the pad is always the same two bytes.
        signed = b"\x06\xc0%b%b%b%b\xff\xff\x02\x07" % (
            self.console_id,
            self._sent.to_bytes(4, "little"),
            len(payload).to_bytes(2, "little"),
            payload,
        )
        code = hmac.digest(self.integrity_key, signed, self.suite.digest)
        return RMCP_HEADER + signed + code[: self.suite.code_bytes]

    def unwrap(self, packet: bytes) -> bytes | None:
        """The message inside, or None for anything forged, replayed or malformed: no answer."""
        if not self.is_active or packet[5] != PROTECTED_IPMI:
            return None
        code_bytes = self.suite.code_bytes
        payload_end = SESSION_HEADER_BYTES + int.from_bytes(packet[14:16], "little")
        trailer = len(packet) - code_bytes - 2  # pad length and next header
        if payload_end > trailer or packet[trailer + 1] != NEXT_HEADER:
            return None
        if payload_end + packet[trailer] != trailer:
            return None
        code = hmac.digest(self.integrity_key, packet[4:-code_bytes], self.suite.digest)
        if not hmac.compare_digest(code[:code_bytes], packet[-code_bytes:]):
            return None
        if not self._is_fresh(int.from_bytes(packet[10:14], "little")):
            return None
        return self._decrypt(packet[SESSION_HEADER_BYTES:payload_end])

    def _decrypt(self, payload: bytes) -> bytes | None:
        if len(payload) < 2 * AES_BLOCK or len(payload) % AES_BLOCK:
            return None
        plain = self._decryptor.update(payload)
        pad_bytes = plain[-1]
        if pad_bytes >= AES_BLOCK:
            return None
        return plain[AES_BLOCK : len(plain) - 1 - pad_bytes]

    def _is_fresh(self, sequence: int) -> bool:
        """Note an authenticated sequence number; False for a replay or one outside the window.

        `_seen` has bit n set when the number n below the highest has been used."""
        if sequence == 0:
            return False
        ahead = (sequence - self._highest) & 0xFFFFFFFF
        if 0 < ahead <= WINDOW:
            self._highest = sequence
            self._seen = (self._seen << ahead | 1) & (1 << WINDOW + 1) - 1
            return True
        behind = -ahead & 0xFFFFFFFF
        if behind > WINDOW or behind >= self._highest or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True


def _make_outsider() -> Session:
    session = Session(bytes(4), bytes(4), SUITE_3, limit=Privilege.NONE)
    session.privilege = Privilege.NONE
    return session


OUTSIDER = _make_outsider()  #: stands for everybody who asks outside of a session


class SessionTable:
    """The places for sessions that one BMC has."""

    __slots__ = ("_clock", "_sessions", "capacity", "idle_s")

    def __init__(
        self, *, capacity: int, idle_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.capacity = capacity
        self.idle_s = idle_s
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def active_count(self) -> int:
        return sum(session.is_active for session in self._sessions.values())

    def find(self, session_id: bytes) -> Session | None:
        """The session, its idle time begun anew; None if there is none or it was idle too long."""
        session = self._sessions.get(session_id)
        if session is None:
            return None
        now = self._clock()
        if self._is_over(session, now):
            del self._sessions[session_id]
            return None
        session.last_seen_at = now
        return session

    def open(self, console_id: bytes, suite: CipherSuite, *, limit: int) -> Session | None:
        """A new session with an id of its own, or None when every place is taken."""
        now = self._clock()
        if len(self._sessions) >= self.capacity:
            for session in [s for s in self._sessions.values() if self._is_over(s, now)]:
                del self._sessions[session.id]
            if len(self._sessions) >= self.capacity:
                return None
        session_id = token_bytes(4)
        while session_id in self._sessions or session_id == bytes(4):
            session_id = token_bytes(4)
        session = Session(session_id, console_id, suite, limit=limit)
        session.last_seen_at = now
        self._sessions[session_id] = session
        return session

    def close(self, session_id: bytes) -> bool:
        return self._sessions.pop(session_id, None) is not None

    def drop_all(self) -> None:
        self._sessions.clear()

    def _is_over(self, session: Session, now: float) -> bool:
        idle_s = self.idle_s if session.is_active else min(HANDSHAKE_S, self.idle_s)
        return now - session.last_seen_at > idle_s
