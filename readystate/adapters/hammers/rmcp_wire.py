"""RMCP+ sessions without I/O: packets in, packets out.

One `RmcpSession` is the client side of one IPMI 2.0 session with cipher suite 3 or 17. It opens no
socket and knows no clock, so the blocking session of the IPMI hammer and the asyncio sweep of a
thousand BMCs run the same code. Source of all layouts: IPMI 2.0 specification, sections 13.6
(packet format), 13.17-13.24 (session establishment) and 13.28-13.32 (integrity, keys, AES)."""

import hmac
import os
import struct
from dataclasses import dataclass
from enum import Enum, IntEnum

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from readystate.domain.errors import Busy, Invalid, Refused, WorkError

RMCP_HEADER = b"\x06\x00\xff\x07"  # version 1.0, no RMCP ack, class IPMI (13.1.3)
_AUTH_RMCP_PLUS = 0x06
_BMC_ADDRESS, _CONSOLE_ADDRESS = 0x20, 0x81
_PAYLOAD_IPMI, _OPEN_REQUEST, _OPEN_RESPONSE = 0x00, 0x10, 0x11
_RAKP1, _RAKP2, _RAKP3, _RAKP4 = 0x12, 0x13, 0x14, 0x15
_NAME_ONLY_LOOKUP = 0x10  # the user is found by name alone, whatever its privilege (13.20)
_AUTHENTICATED, _ENCRYPTED = 0x40, 0x80


class Privilege(IntEnum):
    USER = 2
    OPERATOR = 3
    ADMINISTRATOR = 4


@dataclass(frozen=True)
class CipherSuite:
    """Both suites use AES-CBC-128; they differ in the keyed hash (table 22-19)."""

    number: int
    digest: str
    authentication: int
    integrity: int
    code_bytes: int  #: length of the trailer's integrity code


SUITES = {
    3: CipherSuite(3, "sha1", authentication=1, integrity=1, code_bytes=12),
    17: CipherSuite(17, "sha256", authentication=3, integrity=4, code_bytes=16),
}


@dataclass(frozen=True)
class Response:
    netfn: int
    command: int
    code: int
    data: bytes


class Progress(Enum):
    IGNORED = "ignored"  #: not for this session, damaged, or a late duplicate
    SEND = "send"  #: `packet` is the next one to send
    ESTABLISHED = "established"


#: Completion codes that mean "not now" whatever was asked (table 5-2).
BUSY_CODES = frozenset((0xC0, 0xC3, 0xCE, 0xD2))

#: RMCP+ status codes (table 13-15) that mean "this session, not now" or "not you".
_STATUS_TEXT = {
    0x01: "the BMC has no free session",
    0x02: "the BMC forgot the session",
    0x04: "authentication algorithm not offered",
    0x05: "integrity algorithm not offered",
    0x08: "the session is inactive",
    0x09: "invalid role",
    0x0A: "the user may not have that privilege",
    0x0B: "the BMC has no free session at that privilege",
    0x0D: "unknown user name",
    0x0F: "wrong password",
    0x10: "confidentiality algorithm not offered",
    0x11: "no matching cipher suite",
}
_STATUS_BUSY = {0x01, 0x0B}
_STATUS_LOST = {0x02, 0x08}
_STATUS_NO_SUITE = {0x04, 0x05, 0x10, 0x11}
_STATUS_PRIVILEGE = {0x09, 0x0A}


class NoSuchSuite(Exception):
    """The BMC does not offer the proposed cipher suite; another may be tried."""


class HandshakeLost(Exception):
    """The BMC has lost its half of the handshake: begin again, once. Some BMCs do so when a message
    of it comes twice."""


class TooMuchPrivilege(Exception):
    """The user exists but not at the requested privilege; a lower one may be tried."""


def check_lengths(address: str, username: bytes, password: bytes) -> None:
    """Raises Invalid: a longer name or password cannot be spoken over RMCP+ (13.20, 22.30)."""
    if len(username) > 16:
        raise Invalid(f"{address}: the BMC user name is too long for IPMI", why="16 bytes at most")
    if len(password) > 20:
        raise Invalid(
            f"{address}: the BMC password is too long for IPMI",
            why="20 bytes at most",
            hint="use a shorter password, or Redfish only",
        )


def status_error(address: str, status: int) -> WorkError:
    """The work error of a non-zero RMCP+ status code."""
    why = _STATUS_TEXT.get(status, f"RMCP+ status 0x{status:02x}")
    if status in _STATUS_BUSY:
        return Busy(f"{address}: the BMC opens no session now", why=why)
    return Refused(
        f"{address}: the BMC refused the session", why=why, hint="check the BMC credentials"
    )


class RmcpSession:
    """One session. `open()` gives the first packet; feed every received packet to `receive` until
    it says ESTABLISHED; then `request` and `parse_response`."""

    def __init__(
        self,
        address: str,
        username: bytes,
        password: bytes,
        *,
        suite: CipherSuite,
        privilege: Privilege,
    ) -> None:
        check_lengths(address, username, password)
        self.address = address
        self.suite = suite
        self.packet = b""  #: the packet to send, and to send again while nothing comes
        self.is_established = False
        self._username = username
        self._password = password
        self._role = bytes((_NAME_ONLY_LOOKUP | privilege, len(username)))
        self._console_id = struct.unpack("<I", os.urandom(4))[0] | 1  # 0 means "no session"
        self._bmc_id = 0
        self._tag = os.urandom(1)[0]
        self._expected = _OPEN_RESPONSE
        self._console_random = os.urandom(16)
        self._sequence = 0
        self._request_number = 0
        self._awaited: tuple[int, int, int] | None = None
        self._sik = self._k1 = self._aes_key = b""
        self._bmc_random = self._bmc_guid = b""

    @property
    def has_begun(self) -> bool:
        """Whether the BMC has answered at all: then silence is a lost handshake."""
        return self._expected != _OPEN_RESPONSE

    # -- opening -------------------------------------------------------------------------------

    def open(self) -> bytes:
        def proposal(kind: int, algorithm: int) -> bytes:
            return struct.pack("<BHBBHB", kind, 0, 8, algorithm, 0, 0)

        body = (
            struct.pack("<BBHI", self._tag, 0, 0, self._console_id)
            + proposal(0, self.suite.authentication)
            + proposal(1, self.suite.integrity)
            + proposal(2, 1)
        )
        return self._say(_OPEN_REQUEST, body)

    def receive(self, packet: bytes) -> Progress:
        """Raises a work error when the BMC says no, NoSuchSuite, TooMuchPrivilege or HandshakeLost
        when another try makes sense."""
        if len(packet) < 18 or packet[4] != _AUTH_RMCP_PLUS or packet[5] & 0x3F != self._expected:
            return Progress.IGNORED
        (size,) = struct.unpack_from("<H", packet, 14)
        body = packet[16 : 16 + size]
        if len(body) < 2 or body[0] != self._tag:
            return Progress.IGNORED
        if body[1]:  # a refusal may stop right here: OpenIPMI's simulator sends these two bytes
            self._refuse(body[1])
        if len(body) < 8 or struct.unpack_from("<I", body, 4)[0] != self._console_id:
            return Progress.IGNORED
        if self._expected == _OPEN_RESPONSE:
            return self._on_open_response(body)
        return self._on_rakp2(body) if self._expected == _RAKP2 else self._on_rakp4(body)

    def _refuse(self, status: int) -> None:
        if status in _STATUS_NO_SUITE:
            raise NoSuchSuite(_STATUS_TEXT[status])
        if status in _STATUS_PRIVILEGE:
            raise TooMuchPrivilege(_STATUS_TEXT[status])
        if status in _STATUS_LOST:
            raise HandshakeLost(_STATUS_TEXT[status])
        raise status_error(self.address, status)

    def _on_open_response(self, body: bytes) -> Progress:
        if len(body) < 12:
            return Progress.IGNORED
        (self._bmc_id,) = struct.unpack_from("<I", body, 8)
        self._say_next(
            _RAKP1,
            _RAKP2,
            struct.pack("<I", self._bmc_id)
            + self._console_random
            + bytes((self._role[0], 0, 0, self._role[1]))
            + self._username,
        )
        return Progress.SEND

    def _on_rakp2(self, body: bytes) -> Progress:
        if len(body) < 40:
            return Progress.IGNORED
        self._bmc_random, self._bmc_guid = body[8:24], body[24:40]
        ids = struct.pack("<II", self._console_id, self._bmc_id)
        role = self._role + self._username
        proof = self._hash(
            self._password,
            ids + self._console_random + self._bmc_random + self._bmc_guid + role,
        )
        if not hmac.compare_digest(proof, body[40 : 40 + len(proof)]):
            # Tell the BMC, so that it frees the half-open session at once (13.22, status 0x0F).
            goodbye = struct.pack("<BBHI", self._tag, 0x0F, 0, self._bmc_id)
            self.packet = self._frame(_RAKP3, goodbye)
            raise status_error(self.address, 0x0F)
        self._derive_keys(role)
        answer = self._hash(
            self._password, self._bmc_random + struct.pack("<I", self._console_id) + role
        )
        self._say_next(_RAKP3, _RAKP4, struct.pack("<I", self._bmc_id) + answer)
        return Progress.SEND

    def _derive_keys(self, role: bytes) -> None:
        # Without a BMC key K_G the user's password takes its place (13.31).
        self._sik = self._hash(self._password, self._console_random + self._bmc_random + role)
        self._k1 = self._hash(self._sik, b"\x01" * 20)
        self._aes_key = self._hash(self._sik, b"\x02" * 20)[:16]

    def _on_rakp4(self, body: bytes) -> Progress:
        proof = self._hash(
            self._sik, self._console_random + struct.pack("<I", self._bmc_id) + self._bmc_guid
        )[: self.suite.code_bytes]
        if not hmac.compare_digest(proof, body[8 : 8 + len(proof)]):
            raise status_error(self.address, 0x0F)
        self.is_established = True
        return Progress.ESTABLISHED

    # -- commands ------------------------------------------------------------------------------

    def request(self, netfn: int, command: int, data: bytes = b"", lun: int = 0) -> bytes:
        """A new request. Sending `resend()` repeats it under the same request number, by which the
        BMC knows a duplicate."""
        self._request_number = (self._request_number + 1) & 0x3F
        self._awaited = (netfn | 1, command, self._request_number)
        head = bytes((_BMC_ADDRESS, netfn << 2 | lun))
        tail = bytes((_CONSOLE_ADDRESS, self._request_number << 2, command)) + data
        self._message = head + _checksum(head) + tail + _checksum(tail)
        return self.resend()

    def resend(self) -> bytes:
        self.packet = self._seal(self._message)
        return self.packet

    def parse_response(self, packet: bytes) -> Response | None:
        """The response to the awaited request; None for anything else or damaged."""
        message = self._unseal(packet)
        if message is None or len(message) < 8 or self._awaited is None:
            return None
        netfn, number, command = message[1] >> 2, message[4] >> 2, message[5]
        if (netfn, command, number) != self._awaited:
            return None
        self._awaited = None
        return Response(netfn, command, message[6], bytes(message[7:-1]))

    def close_request(self) -> bytes:
        return self.request(0x06, 0x3C, struct.pack("<I", self._bmc_id))

    # -- framing -------------------------------------------------------------------------------

    def _hash(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self.suite.digest)

    def _say_next(self, kind: int, expected: int, body: bytes) -> None:
        self._tag = (self._tag + 1) & 0xFF
        self._expected = expected
        self._say(kind, struct.pack("<BBH", self._tag, 0, 0) + body)

    def _say(self, kind: int, body: bytes) -> bytes:
        self.packet = self._frame(kind, body)
        return self.packet

    @staticmethod
    def _frame(kind: int, body: bytes) -> bytes:
        return RMCP_HEADER + struct.pack("<BBIIH", _AUTH_RMCP_PLUS, kind, 0, 0, len(body)) + body

    def _seal(self, message: bytes) -> bytes:
        iv = os.urandom(16)
        pad = -(len(message) + 1) % 16
        padded = message + bytes(range(1, pad + 1)) + bytes((pad,))
        encryptor = Cipher(AES(self._aes_key), CBC(iv)).encryptor()
        body = iv + encryptor.update(padded) + encryptor.finalize()
        self._sequence = self._sequence % 0xFFFFFFFF + 1  # 0 is reserved (13.28.2)
        kind = _PAYLOAD_IPMI | _AUTHENTICATED | _ENCRYPTED
        covered = struct.pack(
            "<BBIIH", _AUTH_RMCP_PLUS, kind, self._bmc_id, self._sequence, len(body)
        )
        covered += body
        fill = -(len(covered) + 2) % 4
        covered += b"\xff" * fill + bytes((fill, 0x07))
        return RMCP_HEADER + covered + self._hash(self._k1, covered)[: self.suite.code_bytes]

    def _unseal(self, packet: bytes) -> bytes | None:
        end = -self.suite.code_bytes
        if len(packet) < 48 or packet[4] != _AUTH_RMCP_PLUS or packet[5] != 0xC0:
            return None  # RMCP+ takes only what is authenticated, encrypted and IPMI
        if struct.unpack_from("<I", packet, 6)[0] != self._console_id:
            return None
        proof = self._hash(self._k1, packet[4:end])[: self.suite.code_bytes]
        if not hmac.compare_digest(proof, packet[end:]):
            return None
        (size,) = struct.unpack_from("<H", packet, 14)
        body = packet[16 : 16 + size]
        if len(body) < 32 or len(body) % 16:
            return None
        decryptor = Cipher(AES(self._aes_key), CBC(body[:16])).decryptor()
        plain = decryptor.update(body[16:]) + decryptor.finalize()
        return plain[: -(plain[-1] + 1)]


def _checksum(data: bytes) -> bytes:
    return bytes((-sum(data) & 0xFF,))
