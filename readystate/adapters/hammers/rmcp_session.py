"""A kept, blocking RMCP+ session with one BMC: one UDP socket, one lock, no thread.

pyghmi's own sessions share sockets, queues and a thread over all BMCs of the process, and any
waiting thread may work on another one's packets; many worker threads upset that. So pyghmi decodes
(SDR, SEL, FRU) and this module talks. A session that fell asleep is opened anew: a BMC drops
sessions after 60 s of silence (IPMI 2.0 section 6.12.15) and forgets all of them when it resets."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from readystate.adapters.hammers.rmcp_wire import (
    BUSY_CODES,
    SUITES,
    HandshakeLost,
    NoSuchSuite,
    Privilege,
    Progress,
    Response,
    RmcpSession,
    TooMuchPrivilege,
)
from readystate.domain.errors import Busy, Failed, Refused, Unreachable
from readystate.ports.hammer import BmcEndpoint

RMCP_PORT = 623
_SET_PRIVILEGE = (0x06, 0x3B)
_PRIVILEGE_CODES = (0x80, 0x81, 0xD4)  # not offered; above the user's or channel's limit (22.18)

#: How long to wait for an answer before each repetition. The sum (7 s) outlasts a BMC that is busy
#: with its host's power-on; most answer within 20 ms.
ANSWER_WAITS_S = (0.5, 1.0, 2.0, 3.5)
#: On a kept session silence more likely means that the BMC has forgotten it than that it is slow.
KEPT_SESSION_WAITS_S = (0.5, 1.0)
#: Below the 57 s after which a BMC may have dropped an idle session.
SESSION_IDLE_S = 50.0


class BmcSession:
    """Safe to share between threads; commands wait for one another."""

    def __init__(
        self,
        endpoint: BmcEndpoint,
        *,
        waits_s: tuple[float, ...] = ANSWER_WAITS_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = endpoint.address
        self._port = endpoint.port or RMCP_PORT
        self._username = endpoint.username.encode()
        self._password = endpoint.password
        self._suites = (3,) if endpoint.cipher_suite == 3 else (endpoint.cipher_suite, 3)
        self._privilege = Privilege.ADMINISTRATOR
        self._waits_s = waits_s
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._session: RmcpSession | None = None
        self._last_used = 0.0
        self._is_slow = False  # the last answer took more than one sending

    def command(self, netfn: int, command: int, data: bytes = b"", lun: int = 0) -> Response:
        """One request and its response, whatever its completion code.

        Raises Unreachable, Busy or Refused when there is no session to be had."""
        with self._lock:
            if self._session and self._monotonic() - self._last_used > SESSION_IDLE_S:
                self._forget()
            kept = self._session
            session = kept or self._open()
            waits = KEPT_SESSION_WAITS_S if kept and not self._is_slow else self._waits_s
            response = self._ask(session, netfn, command, data, lun, waits)
            if response is None and kept:
                self.close()  # if it is alive after all, it shall not keep a slot at the BMC
                response = self._ask(self._open(), netfn, command, data, lun, self._waits_s)
            if response is None:
                self._forget()
                raise Unreachable(f"{self.address}: the BMC does not answer over IPMI")
            self._last_used = self._monotonic()
            return response

    def close(self) -> None:
        """Give the session back to the BMC, which has few; never raises."""
        with self._lock:
            if self._session and self._socket:
                with contextlib.suppress(OSError):
                    self._socket.send(self._session.close_request())
            self._forget()

    def _forget(self) -> None:
        self._session = None
        if self._socket:
            self._socket.close()
            self._socket = None

    # -- opening -------------------------------------------------------------------------------

    def _open(self) -> RmcpSession:
        last = len(self._suites) - 1
        for position, number in enumerate(self._suites):
            try:
                session = self._open_with(number)
            except NoSuchSuite as error:
                if position == last:
                    raise Refused(
                        f"{self.address}: no cipher suite in common with the BMC",
                        why=f"{error}; tried {', '.join(map(str, self._suites))}",
                        hint="enable cipher suite 17 or 3 on the BMC",
                    ) from error
                continue
            self._suites = (number,)
            return session
        raise AssertionError("unreachable: the last suite returns or raises")

    def _open_with(self, suite: int) -> RmcpSession:
        while True:
            try:
                self._session = self._shake_hands(suite)
                self._raise_privilege(self._session)
            except (Busy, Failed):
                self.close()  # the session that just opened would stay until it times out
                raise
            except TooMuchPrivilege as error:
                self.close()
                if self._privilege is Privilege.OPERATOR:
                    raise Refused(
                        f"{self.address}: the BMC user may not act",
                        why=str(error),
                        hint="give the user the operator or administrator privilege over LAN",
                    ) from error
                self._privilege = Privilege.OPERATOR
                continue
            return self._session

    def _shake_hands(self, suite: int) -> RmcpSession:
        try:
            return self._shake_hands_once(suite)
        except HandshakeLost:
            pass
        try:
            return self._shake_hands_once(suite)
        except HandshakeLost as error:
            self._forget()
            raise Unreachable(
                f"{self.address}: the BMC opens no session", why=str(error)
            ) from error

    def _shake_hands_once(self, suite: int) -> RmcpSession:
        self._connect()
        session = RmcpSession(
            self.address,
            self._username,
            self._password.reveal().encode(),
            suite=SUITES[suite],
            privilege=self._privilege,
        )
        session.open()
        try:
            while True:
                progress = self._exchange(session)
                if progress is Progress.ESTABLISHED:
                    return session
        except Refused:
            # The goodbye frees the half-open session; nothing is lost when it gets lost.
            with contextlib.suppress(OSError):
                self._sending().send(session.packet)
            raise

    def _connect(self) -> None:
        self._forget()
        try:
            info = socket.getaddrinfo(self.address, self._port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = info[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)
        except OSError as error:
            self._forget()
            raise Unreachable(f"{self.address}: no way to the BMC", why=str(error)) from error

    def _exchange(self, session: RmcpSession) -> Progress:
        """Send the session's packet until something moves it on."""
        for wait_s in self._waits_s:
            for packet in self._send_and_hear(session.packet, wait_s):
                progress = session.receive(packet)
                if progress is not Progress.IGNORED:
                    return progress
        if session.has_begun:
            raise HandshakeLost("it fell silent in the middle")
        raise Unreachable(f"{self.address}: the BMC does not answer over IPMI")

    def _raise_privilege(self, session: RmcpSession) -> None:
        # A session starts at "user", whatever was asked for (IPMI 2.0, table 22-23).
        response = self._ask(session, *_SET_PRIVILEGE, bytes((self._privilege,)), 0, self._waits_s)
        if response is None:
            raise Unreachable(f"{self.address}: the BMC does not answer over IPMI")
        why = f"completion code 0x{response.code:02x}"
        if response.code in BUSY_CODES:
            raise Busy(f"{self.address}: the BMC opens no session now", why=why)
        if response.code in _PRIVILEGE_CODES:
            raise TooMuchPrivilege(why)
        if response.code:
            raise Failed(f"{self.address}: the BMC does not raise our privilege", why=why)

    # -- talking -------------------------------------------------------------------------------

    def _ask(
        self,
        session: RmcpSession,
        netfn: int,
        command: int,
        data: bytes,
        lun: int,
        waits_s: tuple[float, ...],
    ) -> Response | None:
        packet = session.request(netfn, command, data, lun)
        for attempt, wait_s in enumerate(waits_s):
            for heard in self._send_and_hear(packet, wait_s):
                response = session.parse_response(heard)
                if response is not None:
                    self._is_slow = attempt > 0
                    return response
            packet = session.resend()
        return None

    def _sending(self) -> socket.socket:
        if self._socket is None:
            raise Unreachable(f"{self.address}: the session was closed")
        return self._socket

    def _send_and_hear(self, packet: bytes, wait_s: float) -> Iterator[bytes]:
        """Everything that arrives within `wait_s` after sending."""
        link = self._sending()
        deadline = self._monotonic() + wait_s
        try:
            link.send(packet)
            while (left_s := deadline - self._monotonic()) > 0:
                link.settimeout(left_s)
                yield link.recv(2048)
        except TimeoutError:
            return
        except ConnectionRefusedError as error:
            # ICMP port unreachable: nobody listens there, so there is nothing to wait for.
            self._forget()
            raise Unreachable(f"{self.address}: no IPMI there", why=str(error)) from error
        except OSError as error:
            self._forget()
            raise Unreachable(f"{self.address}: no way to the BMC", why=str(error)) from error
