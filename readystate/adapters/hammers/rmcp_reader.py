"""Power states of a thousand BMCs at once: a sweep over RMCP+ with kept sessions.

All BMCs share one UDP socket and one timer; a BMC is a small state machine that packets push
forward, so a sweep costs no task and no thread a BMC. Only for reading: whatever changes a machine
goes through its hammer. Measured beside FreeIPMI's `ipmipower` in `make bench`."""

import asyncio
import contextlib
import ipaddress
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from readystate.adapters.hammers.rmcp_wire import (
    BUSY_CODES,
    SUITES,
    HandshakeLost,
    NoSuchSuite,
    Privilege,
    Progress,
    RmcpSession,
    TooMuchPrivilege,
    check_lengths,
)
from readystate.domain.errors import Busy, Failed, Refused, Unreachable, WorkError
from readystate.domain.power import PowerState
from readystate.ports.hammer import BmcEndpoint

RMCP_PORT = 623
_CHASSIS_STATUS = (0x00, 0x01)

#: Waits before each repetition of a packet; one lost packet costs half a second.
WAITS_S = (0.5, 1.0, 2.0)
#: A kept session that stays silent this long was forgotten by its BMC (it restarted).
KEPT_WAITS_S = (0.5, 0.5)
#: Sessions idle for longer are opened anew: BMCs drop them after 60 s (section 6.12.15).
SESSION_IDLE_S = 50.0
#: BMCs talked to at once: bounds the burst that the socket buffers must hold.
IN_FLIGHT = 256
_TICK_S = 0.05
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024

Peer = tuple[str, int]
Key = tuple[str, int, str]


@dataclass
class _Bmc:
    """One BMC in the sweep; its session outlives the sweep."""

    endpoint: BmcEndpoint
    peer: Peer
    suites: tuple[int, ...]
    privilege: Privilege = Privilege.USER
    session: RmcpSession | None = None
    last_used_at: float = 0.0
    is_kept: bool = False  #: the session comes from an earlier sweep
    is_slow: bool = False  #: its last answer took more than one sending
    has_begun_again: bool = False  #: after a lost handshake, in this sweep
    waits: tuple[float, ...] = WAITS_S
    sent: int = 0  #: how often the present packet was sent
    due_at: float = 0.0
    result: PowerState | WorkError | None = None


@dataclass
class _Sweep:
    done: asyncio.Future[None]
    waiting: deque[_Bmc]
    active: dict[Peer, _Bmc] = field(default_factory=dict)


class PowerSweep:
    """One sweep at a time; sessions stay open between sweeps until `close`."""

    def __init__(self, *, in_flight: int = IN_FLIGHT) -> None:
        self._in_flight = in_flight
        self._bmcs: dict[Key, _Bmc] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._sweep: _Sweep | None = None

    async def read(self, endpoints: Iterable[BmcEndpoint]) -> Mapping[str, PowerState | WorkError]:
        """Each address's power state, or why it could not be read: Unreachable, Busy, Refused,
        Invalid or Failed. Raises nothing of a single BMC's."""
        async with self._lock:
            self._loop = asyncio.get_running_loop()
            results: dict[str, PowerState | WorkError] = {}
            members: list[_Bmc] = []
            for endpoint in endpoints:
                try:
                    members.append(await self._bmc(endpoint))
                except WorkError as error:
                    results[endpoint.address] = error
            if members:
                await self._run(members)
            for bmc in members:
                results[bmc.endpoint.address] = bmc.result or Unreachable(
                    f"{bmc.endpoint.address}: the BMC does not answer over IPMI"
                )
            return results

    async def close(self) -> None:
        """Give all sessions back to their BMCs; answers are not waited for."""
        async with self._lock:
            for bmc in self._bmcs.values():
                if bmc.session is not None and bmc.session.is_established:
                    self._send(bmc, bmc.session.close_request())
            self._bmcs.clear()
            for link in self._sockets.values():
                if self._loop is not None:
                    self._loop.remove_reader(link)
                link.close()
            self._sockets.clear()

    # -- one sweep -------------------------------------------------------------------------------

    async def _run(self, members: list[_Bmc]) -> None:
        loop = asyncio.get_running_loop()
        sweep = self._sweep = _Sweep(loop.create_future(), deque(members))
        try:
            self._fill()
            while not sweep.done.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(sweep.done), _TICK_S)
                self._repeat_overdue(loop.time())
        finally:
            self._sweep = None

    def _fill(self) -> None:
        """Begin with more BMCs while there is room; end the sweep when none is left."""
        sweep = self._sweep
        if sweep is None:
            return
        while sweep.waiting and len(sweep.active) < self._in_flight:
            bmc = sweep.waiting.popleft()
            if bmc.peer in sweep.active:  # two sets of credentials for one BMC: one by one
                sweep.waiting.append(bmc)
                if all(other.peer in sweep.active for other in sweep.waiting):
                    return
                continue
            sweep.active[bmc.peer] = bmc
            self._begin(bmc)
        if not sweep.active and not sweep.waiting and not sweep.done.done():
            sweep.done.set_result(None)

    def _begin(self, bmc: _Bmc) -> None:
        bmc.result = None
        bmc.has_begun_again = False
        idle_s = self._time() - bmc.last_used_at
        if bmc.session is not None and bmc.session.is_established and idle_s < SESSION_IDLE_S:
            bmc.is_kept = True
            self._ask(bmc, bmc.session, WAITS_S if bmc.is_slow else KEPT_WAITS_S)
        else:
            self._open(bmc)

    def _open(self, bmc: _Bmc) -> None:
        bmc.is_kept = False
        endpoint = bmc.endpoint
        bmc.session = RmcpSession(
            endpoint.address,
            endpoint.username.encode(),
            endpoint.password.reveal().encode(),
            suite=SUITES[bmc.suites[0]],
            privilege=bmc.privilege,
        )
        self._say(bmc, bmc.session.open(), WAITS_S)

    def _ask(self, bmc: _Bmc, session: RmcpSession, waits: tuple[float, ...]) -> None:
        self._say(bmc, session.request(*_CHASSIS_STATUS), waits)

    def _finish(self, bmc: _Bmc, result: PowerState | WorkError) -> None:
        bmc.result = result
        bmc.last_used_at = self._time()
        if isinstance(result, WorkError) and not isinstance(result, Busy | Failed):
            bmc.session = None
        if self._sweep is not None:
            self._sweep.active.pop(bmc.peer, None)
            self._fill()

    # -- packets ---------------------------------------------------------------------------------

    def _on_readable(self, link: socket.socket) -> None:
        while True:
            try:
                packet, source = link.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of some BMC; its timer tells
            sweep = self._sweep
            bmc = None if sweep is None else sweep.active.get((source[0], source[1]))
            if bmc is not None and bmc.session is not None:
                self._on_packet(bmc, bmc.session, packet)

    def _on_packet(self, bmc: _Bmc, session: RmcpSession, packet: bytes) -> None:
        if session.is_established:
            response = session.parse_response(packet)
            if response is not None:
                bmc.is_slow = bmc.sent > 1
                self._finish(bmc, _power_of(bmc.endpoint.address, response.code, response.data))
            return
        try:
            progress = session.receive(packet)
        except NoSuchSuite as error:
            self._next_suite(bmc, str(error))
        except TooMuchPrivilege as error:
            self._next_privilege(bmc, str(error))
        except HandshakeLost:
            self._give_up(bmc)
        except WorkError as error:
            if isinstance(error, Refused):
                self._send(bmc, session.packet)  # the goodbye that frees the half-open session
            self._finish(bmc, error)
        else:
            if progress is Progress.SEND:
                self._say(bmc, session.packet, WAITS_S)
            elif progress is Progress.ESTABLISHED:
                self._ask(bmc, session, WAITS_S)

    def _next_suite(self, bmc: _Bmc, why: str) -> None:
        bmc.suites = bmc.suites[1:]
        if bmc.suites:
            self._open(bmc)
            return
        bmc.suites = _suites(bmc.endpoint)
        address = bmc.endpoint.address
        self._finish(bmc, Refused(f"{address}: no cipher suite in common with the BMC", why=why))

    def _next_privilege(self, bmc: _Bmc, why: str) -> None:
        """Some BMCs refuse the low privilege that reading needs to users who have a higher one."""
        if bmc.privilege is Privilege.ADMINISTRATOR:
            bmc.privilege = Privilege.USER
            address = bmc.endpoint.address
            self._finish(bmc, Refused(f"{address}: the BMC user may not read the power", why=why))
            return
        bmc.privilege = Privilege(bmc.privilege + 1)
        self._open(bmc)

    def _repeat_overdue(self, now: float) -> None:
        sweep = self._sweep
        if sweep is None:
            return
        for bmc in [bmc for bmc in sweep.active.values() if bmc.due_at <= now]:
            session = bmc.session
            if session is None or bmc.sent >= len(bmc.waits):
                self._give_up(bmc)
                continue
            packet = session.resend() if session.is_established else session.packet
            self._transmit(bmc, packet)

    def _give_up(self, bmc: _Bmc) -> None:
        is_lost = bmc.session is not None and bmc.session.has_begun
        if bmc.session is not None and bmc.session.is_established:
            # If it is alive after all, it shall not keep a slot at the BMC.
            self._send(bmc, bmc.session.close_request())
        if bmc.is_kept or (is_lost and not bmc.has_begun_again):
            bmc.has_begun_again = not bmc.is_kept
            self._open(bmc)
            return
        address = bmc.endpoint.address
        self._finish(bmc, Unreachable(f"{address}: the BMC does not answer over IPMI"))

    def _say(self, bmc: _Bmc, packet: bytes, waits: tuple[float, ...]) -> None:
        bmc.sent, bmc.waits = 0, waits
        self._transmit(bmc, packet)

    def _transmit(self, bmc: _Bmc, packet: bytes) -> None:
        bmc.due_at = self._time() + bmc.waits[bmc.sent]
        bmc.sent += 1
        self._send(bmc, packet)

    def _send(self, bmc: _Bmc, packet: bytes) -> None:
        # What the kernel cannot take now is lost like any datagram; the timer repeats it.
        with contextlib.suppress(OSError):
            self._socket_for(bmc.peer).sendto(packet, bmc.peer)

    # -- setting up ------------------------------------------------------------------------------

    async def _bmc(self, endpoint: BmcEndpoint) -> _Bmc:
        port = endpoint.port or RMCP_PORT
        key = (endpoint.address, port, endpoint.username)
        bmc = self._bmcs.get(key)
        if bmc is None or bmc.endpoint != endpoint:
            username, password = endpoint.username.encode(), endpoint.password.reveal().encode()
            check_lengths(endpoint.address, username, password)
            peer = await self._peer(endpoint.address, port)
            bmc = self._bmcs[key] = _Bmc(endpoint, peer, _suites(endpoint))
        return bmc

    async def _peer(self, address: str, port: int) -> Peer:
        try:
            return str(ipaddress.ip_address(address)), port
        except ValueError:
            pass  # a name
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                address, port, type=socket.SOCK_DGRAM
            )
        except OSError as error:
            raise Unreachable(f"{address}: no such BMC address", why=str(error)) from error
        return str(found[0][4][0]), port

    def _socket_for(self, peer: Peer) -> socket.socket:
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        link = self._sockets.get(family)
        if link is None:
            link = self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            asyncio.get_running_loop().add_reader(link, self._on_readable, link)
        return link

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _suites(endpoint: BmcEndpoint) -> tuple[int, ...]:
    return (3,) if endpoint.cipher_suite == 3 else (endpoint.cipher_suite, 3)


def _power_of(address: str, code: int, data: bytes) -> PowerState | WorkError:
    if code in BUSY_CODES:
        return Busy(f"{address}: the BMC is busy", why=f"IPMI code 0x{code:02x}")
    if code or not data:
        return Failed(f"{address}: the BMC gives no power state", why=f"IPMI code 0x{code:02x}")
    return PowerState.ON if data[0] & 1 else PowerState.OFF
