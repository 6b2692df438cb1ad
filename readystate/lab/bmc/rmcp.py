"""The RMCP+ front end of virtual BMCs: thousands of UDP sockets, one process, one event loop.

Each BMC has a socket on its own loopback address and nothing listens elsewhere. A socket is read
straight from the loop: measured with 2,000 addresses, that costs 3.9 us a packet and 0.8 kB an
address; asyncio's datagram transports cost 18 us and 2.3 kB; one wildcard socket with IP_PKTINFO
saves a tenth of the time, listens on every interface and lets a busy BMC fill the others' buffer.
What may not be answered is dropped without a word, as section 13 wants."""

import asyncio
import resource
import socket
from collections.abc import Coroutine, Iterable
from typing import Any, TypeAlias

from readystate.lab.bmc.ipmi_commands import execute
from readystate.lab.bmc.ipmi_device import IpmiDevice
from readystate.lab.bmc.ipmi_message import is_request, render_response
from readystate.lab.bmc.ipmi_rakp import answer_open_session, answer_rakp1, answer_rakp3
from readystate.lab.bmc.ipmi_session import (
    OUTSIDER,
    RMCP_HEADER,
    SESSION_HEADER_BYTES,
    Session,
    SessionTable,
)
from readystate.lab.bmc.virtual_bmc import VirtualBmc

LARGEST_PACKET_BYTES = 1024
SPARE_FILES = 256  #: descriptors left for everything that is not a BMC's socket

CLASS_ASF, CLASS_IPMI = 0x06, 0x07  #: table 13-1
ASF_PING = b"\x00\x00\x11\xbe\x80"  #: the ASF's own IANA number, message type presence ping
#: section 13.2.4: entities 0x81 are "speaks IPMI" and "ASF 1.0"
ASF_PONG = (
    b"\x06\x00\xff\x06\x00\x00\x11\xbe\x40%c\x00\x10\x00\x00\x11\xbe\0\0\0\0\x81\0\0\0\0\0\0\0"
)

HEADER_V15_BYTES = 14  #: RMCP, then a header without authentication code
FORMAT_V15, FORMAT_RMCPP = 0x00, 0x06  #: authentication type of a packet, table 13-8
NO_SESSION = bytes(8)  #: session and sequence numbers outside of any session
PAYLOAD_IPMI, OPEN_SESSION, RAKP1, RAKP3 = 0x00, 0x10, 0x12, 0x14  #: table 13-16; answers are +1

Console: TypeAlias = tuple[str, int]  #: where a packet came from


class RmcpEndpoint:
    """One BMC at its address."""

    __slots__ = ("_loop", "_socket", "_tasks", "device")

    def __init__(
        self, device: IpmiDevice, bound: socket.socket, tasks: set[asyncio.Task[None]]
    ) -> None:
        self.device = device
        self._socket = bound
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._loop.add_reader(self._socket, self._read_packet)
        self.device.bmc.on_bmc_reset.append(self.device.table.drop_all)

    def stop(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self.device.bmc.on_bmc_reset.remove(self.device.table.drop_all)
        self.device.table.drop_all()

    def _read_packet(self) -> None:
        """Take one packet; the loop calls again while there are more."""
        try:
            packet, console = self._socket.recvfrom(LARGEST_PACKET_BYTES)
        except BlockingIOError:
            return
        if self.device.bmc.is_silent:
            return
        answer = self._answer(packet, console)
        if answer is not None:
            self._send(answer, console)

    def _send(self, packet: bytes, console: Console) -> None:
        delay_s = self.device.bmc.faults.delay_s()
        if delay_s:
            self._loop.call_later(delay_s, self._send_now, packet, console)
        else:
            self._send_now(packet, console)

    def _send_now(self, packet: bytes, console: Console) -> None:
        # A packet that finds the send buffer full is lost, as on any network; a socket that was
        # closed meanwhile belonged to a BMC that has gone.
        if self._socket.fileno() >= 0:
            try:
                self._socket.sendto(packet, console)
            except BlockingIOError:
                return

    def _answer(self, packet: bytes, console: Console) -> bytes | None:
        """The packet that answers this one at once; None if there is none, or not yet."""
        if len(packet) < 12 or packet[0] != RMCP_HEADER[0]:
            return None
        if packet[3] == CLASS_ASF and packet[4:9] == ASF_PING:
            return ASF_PONG % packet[9]
        if packet[3] != CLASS_IPMI or len(packet) < HEADER_V15_BYTES:
            return None
        if packet[4] == FORMAT_V15:
            return self._answer_v15(packet)
        if packet[4] != FORMAT_RMCPP or len(packet) < SESSION_HEADER_BYTES:
            return None
        if packet[6:10] == NO_SESSION[:4]:
            return self._answer_outside(packet)
        return self._answer_session(packet, console)

    def _answer_v15(self, packet: bytes) -> bytes | None:
        """Requests outside of any session in the framing of IPMI 1.5, table 13-8."""
        message = packet[HEADER_V15_BYTES:]
        if packet[5:13] != NO_SESSION or packet[13] != len(message):
            return None
        body = self._execute_outside(message)
        if body is None:
            return None
        return b"%b\x00%b%c%b" % (RMCP_HEADER, NO_SESSION, len(body), body)

    def _answer_outside(self, packet: bytes) -> bytes | None:
        """RMCP+ packets outside of a session: the handshake, and what may be asked before it."""
        payload_bytes = int.from_bytes(packet[14:16], "little")
        payload = packet[SESSION_HEADER_BYTES : SESSION_HEADER_BYTES + payload_bytes]
        kind, device = packet[5], self.device
        body: bytes | None = None
        if len(payload) < payload_bytes:
            return None
        if kind == OPEN_SESSION:
            body = answer_open_session(device.bmc, device.table, payload)
        elif kind == RAKP1:
            body = answer_rakp1(device.bmc, device.table, device.guid, payload)
        elif kind == RAKP3:
            body = answer_rakp3(device.bmc, device.table, device.guid, payload)
        elif kind == PAYLOAD_IPMI:
            body = self._execute_outside(payload)
        if body is None:
            return None
        reply = kind if kind == PAYLOAD_IPMI else kind + 1
        length = len(body).to_bytes(2, "little")
        return b"%b\x06%c%b%b%b" % (RMCP_HEADER, reply, NO_SESSION, length, body)

    def _execute_outside(self, message: bytes) -> bytes | None:
        if not is_request(message):
            return None
        body = execute(self.device, OUTSIDER, message)
        return render_response(message, body) if isinstance(body, bytes) else None

    def _answer_session(self, packet: bytes, console: Console) -> bytes | None:
        session = self.device.table.find(packet[6:10])
        if session is None:
            return None
        message = session.unwrap(packet)
        if message is None or not is_request(message):
            return None
        body = execute(self.device, session, message)
        if isinstance(body, bytes):
            return session.wrap(render_response(message, body))
        request = session.id + message
        if request in self.device.in_flight:
            body.close()  # a console's retry must not switch the power twice
            return None
        self.device.in_flight.add(request)
        task = self._loop.create_task(self._finish_power(body, session, message, console))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    async def _finish_power(
        self,
        command: Coroutine[Any, Any, bytes],
        session: Session,
        message: bytes,
        console: Console,
    ) -> None:
        try:
            body = await command
        finally:
            self.device.in_flight.discard(session.id + message)
        self._send(session.wrap(render_response(message, body)), console)
        if body[0] == 0:
            self.device.bmc.end_power_command()


class RmcpServer:
    """Serves BMCs over RMCP+ in the running event loop, each on its own address."""

    def __init__(
        self,
        bmcs: Iterable[VirtualBmc],
        *,
        port: int = 623,
        sessions_per_bmc: int = 16,
        session_idle_s: float = 60.0,  # section 6.12.15
    ) -> None:
        self._bmcs = tuple(bmcs)
        self._port = port
        self._sessions_per_bmc = sessions_per_bmc
        self._session_idle_s = session_idle_s
        self._endpoints: list[RmcpEndpoint] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind every address, or none: raises OSError if one is taken or not allowed."""
        _allow_open_files(len(self._bmcs) + SPARE_FILES)
        try:
            for bmc in self._bmcs:
                self._endpoints.append(self._bind(bmc))
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every socket and forget every session; power commands under way are finished."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        for endpoint in self._endpoints:
            endpoint.stop()
        self._endpoints.clear()

    def _bind(self, bmc: VirtualBmc) -> RmcpEndpoint:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            bound.bind((bmc.address, self._port))
        except OSError:
            bound.close()
            raise
        table = SessionTable(capacity=self._sessions_per_bmc, idle_s=self._session_idle_s)
        endpoint = RmcpEndpoint(IpmiDevice(bmc, table, port=self._port), bound, self._tasks)
        endpoint.start()
        return endpoint


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit of descriptors as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        new_soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (new_soft, hard))
