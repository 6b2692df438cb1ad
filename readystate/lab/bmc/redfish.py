"""Redfish front ends of many virtual BMCs in one process: an HTTPS listener for each address.

A BMC that must be silent (unreachable, or restarting) closes what it accepts before a byte is
sent, and cuts the connections that it had."""

import asyncio
import logging
import socket
import ssl
import struct
from asyncio import sslproto
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from readystate.lab.bmc.personalities.dell import DELL
from readystate.lab.bmc.personalities.hpe import HPE
from readystate.lab.bmc.personalities.personality import Personality
from readystate.lab.bmc.personalities.supermicro import SUPERMICRO
from readystate.lab.bmc.redfish_bios import attributes
from readystate.lab.bmc.redfish_requests import Request, respond
from readystate.lab.bmc.redfish_service import RedfishService
from readystate.lab.bmc.redfish_tree import Tree, tree_of
from readystate.lab.bmc.tls import Certificate, make_certificate, server_context
from readystate.lab.bmc.virtual_bmc import VirtualBmc

log = logging.getLogger(__name__)

#: By `Hardware.personality`; one that is not here speaks no Redfish at all.
PERSONALITIES: dict[str, Personality] = {"dell": DELL, "hpe": HPE, "supermicro": SUPERMICRO}

BACKLOG = 64
KEEP_ALIVE_S = 300.0  #: pollers come back to a kept connection, and a BMC must not tire of them
HANDSHAKE_TIMEOUT_S = 20.0
SHUTDOWN_S = 1.0
#: asyncio holds a buffer of 256 KiB for each TLS connection, kept or not: a quarter of a gigabyte
#: for a thousand BMCs. Two records of TLS fit into this one.
TLS_BUFFER_BYTES = 32 * 1024
#: close() sends a reset instead of a polite end: on for 0 seconds
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Face:
    """One BMC's listener, its open connections, and what answers on them."""

    service: RedfishService
    tree: Tree
    http: web.Server = field(init=False)
    listener: socket.socket = field(init=False)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        bmc = self.service.bmc
        if delay_s := bmc.faults.delay_s():
            await asyncio.sleep(delay_s)
        if bmc.is_silent:
            return _hang_up(request)
        content = await request.read() if request.body_exists else b""
        asked = Request(request.method, request.raw_path, request.headers, content)
        response = await respond(self.service, self.tree, asked)
        reply = web.Response(
            status=response.status, body=response.content, headers=response.headers
        )
        reply.headers["Server"] = self.service.personality.vendor
        if response.answer is not None and response.answer.afterwards is not None:
            await reply.prepare(request)
            await reply.write_eof()
            response.answer.afterwards()
        return reply

    def cut(self) -> None:
        """Drop every connection at once, as a BMC does that restarts."""
        for connection in self.http.connections:
            if connection.transport is not None:
                connection.transport.abort()


def _hang_up(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere: the connection is gone


class RedfishServer:
    """Serves Redfish for every BMC whose personality has it; the others are passed over.

    `start` raises OSError when an address cannot be bound: ports below 1024 need permission."""

    def __init__(
        self,
        bmcs: Iterable[VirtualBmc],
        *,
        port: int = 443,
        certificate: Certificate | None = None,
    ) -> None:
        self.certificate = certificate or make_certificate()
        self._port = port
        self._tls = server_context(self.certificate)
        self._faces: list[_Face] = []
        self._open: list[_Face] = []  #: those that listen
        self._handshakes: set[asyncio.Task[None]] = set()
        for bmc in bmcs:
            personality = PERSONALITIES.get(bmc.machine.hardware.personality)
            if personality is not None:
                service = RedfishService(bmc, personality)
                attributes(service)  # the first boot must know the vendor's defaults already
                face = _Face(service, tree_of(personality))
                bmc.on_bmc_reset.append(partial(self._cut, face))
                self._faces.append(face)

    async def start(self) -> None:
        """Listen on every address; either all of them or none."""
        loop = asyncio.get_running_loop()
        sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
        try:
            for face in self._faces:
                face.http = web.Server(face.handle, access_log=None, keepalive_timeout=KEEP_ALIVE_S)
                face.listener = _listen(face.service.bmc.address, self._port)
                self._open.append(face)
        except OSError:
            await self.stop()
            raise
        for face in self._open:
            loop.add_reader(face.listener.fileno(), self._accept, face)

    async def stop(self) -> None:
        """Close every listener and cut every connection; harmless when nothing was started."""
        loop = asyncio.get_running_loop()
        closing, self._open = self._open, []
        for face in closing:
            loop.remove_reader(face.listener.fileno())
            face.listener.close()
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for face in closing:
            face.cut()  # else each kept connection would be waited for
        await asyncio.gather(*(face.http.shutdown(SHUTDOWN_S) for face in closing))

    def _accept(self, face: _Face) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _peer = face.listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            if face.service.bmc.is_silent:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                connection.close()
                continue
            connection.setblocking(False)
            handshake = asyncio.get_running_loop().create_task(self._greet(face, connection))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _greet(self, face: _Face, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                face.http,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            )
        except (ssl.SSLError, OSError) as error:  # a port scan, or a client that gave up
            log.debug("no handshake with %s: %s", face.service.bmc.address, error)
            connection.close()

    def _cut(self, face: _Face) -> None:
        if face in self._open:
            face.cut()


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
