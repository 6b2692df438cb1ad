"""Finds BMCs in address ranges: RMCP presence ping and the Redfish service root, both without a
login. Sends two small packets and opens one connection to an address; nothing is changed.

Sources: IPMI 2.0 sections 13.2.3-13.2.4 (presence ping and pong), DSP0266 section 6.4 (service
root, readable by anyone)."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from netaddr import AddrFormatError, IPAddress, IPNetwork, IPRange

from readystate.domain.errors import BadRequest
from readystate.domain.sighting import BmcSighting
from readystate.ports.clock import Clock

LARGEST_SCAN = 65536
_PRESENCE_PING = b"\x06\x00\xff\x06\x00\x00\x11\xbe\x80\x01\x00\x00"
#: Get Channel Authentication Capabilities outside of a session, which every BMC answers; some
#: never learnt the ping. Sent from the second try on.
_ASK_CAPABILITIES = (
    b"\x06\x00\xff\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x20\x18\xc8\x81\x00\x38\x8e\x04\xb5"
)
_PONG_CLASS_ASF, _PONG_CLASS_IPMI, _PONG, _SPEAKS_IPMI = 0x06, 0x07, 0x40, 0x80
_PING_WAITS_S = (0.4, 0.8, 1.2)
_LARGEST_ANSWER_BYTES = 2048
_CONNECT_TIMEOUT_S = 4.0
_HTTPS_TIMEOUT_S = 20.0
#: Handshakes cost both sides far more than anything else here: hundreds at once, on a busy machine,
#: would let all of them, and the pings beside them, come too late.
_HANDSHAKES_AT_ONCE = 24
_ROOT_LIMIT_BYTES = 256 * 1024


@dataclass(frozen=True)
class ScanProgress:
    done: int
    total: int
    found: int


@dataclass(frozen=True)
class _ServiceRoot:
    uuid: str | None
    vendor: str
    product: str


def parse_ranges(texts: Sequence[str]) -> list[str]:
    """Addresses of `first-last`, CIDR or single addresses, in order, each once.

    A network's own and its broadcast address are left out. Raises BadRequest for what is no range
    and for more than 65,536 addresses in all."""
    addresses: dict[str, None] = {}
    size = 0
    for text in texts:
        first, count = _parse_range(text.strip())
        size += count
        if size > LARGEST_SCAN:
            raise BadRequest(
                f"{text.strip()}: too large to scan",
                why=f"{size:,} addresses; at most {LARGEST_SCAN:,} at once",
                hint="scan the BMC networks only, range by range",
            )
        addresses.update(dict.fromkeys(map(str, first)))
    return list(addresses)


def _parse_range(text: str) -> tuple[Iterator[IPAddress], int]:
    try:
        if "-" in text:
            first, last = (part.strip() for part in text.split("-", 1))
            span = IPRange(first, last)
            return iter(span), span.size
        if "/" in text:
            network = IPNetwork(text)
            return network.iter_hosts(), network.size
        return iter((IPAddress(text),)), 1
    except (AddrFormatError, ValueError, TypeError) as error:
        raise BadRequest(
            f"{text!r} is not an address range",
            why=str(error),
            hint="write 10.0.0.10-10.0.0.40, 10.0.0.0/24 or one address",
        ) from error


class BmcScan:
    """One scan. `sightings()` yields each BMC once, as soon as both protocols have been tried."""

    def __init__(
        self,
        ranges: Sequence[str],
        *,
        clock: Clock,
        rmcp_port: int = 623,
        https_port: int = 443,
        at_once: int = 256,
        packets_per_s: int = 2000,
        on_progress: Callable[[ScanProgress], None] | None = None,
    ) -> None:
        self._addresses = parse_ranges(ranges)
        self._clock = clock
        self._rmcp_port = rmcp_port
        self._https_port = https_port
        self._at_once = at_once
        self._packets_per_s = packets_per_s
        self._on_progress = on_progress
        self._handshakes = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)

    async def sightings(self) -> AsyncIterator[BmcSighting]:
        results: asyncio.Queue[BmcSighting | None] = asyncio.Queue()
        todo = iter(self._addresses)
        async with _Pinger(self._rmcp_port, self._packets_per_s) as pinger, _https() as client:

            async def work() -> None:
                for address in todo:  # shared: each worker takes the next one
                    await results.put(await self._look(address, pinger, client))

            workers = [
                asyncio.create_task(work()) for _ in range(min(self._at_once, len(self._addresses)))
            ]
            try:
                found = 0
                for done in range(1, len(self._addresses) + 1):
                    sighting = await self._next(results, workers)
                    found += sighting is not None
                    if self._on_progress:
                        self._on_progress(ScanProgress(done, len(self._addresses), found))
                    if sighting is not None:
                        yield sighting
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    @staticmethod
    async def _next(
        results: "asyncio.Queue[BmcSighting | None]", workers: list["asyncio.Task[None]"]
    ) -> BmcSighting | None:
        """The next result; a worker that broke ends the scan instead of leaving it waiting."""
        getter = asyncio.ensure_future(results.get())
        pending = {task for task in workers if not task.done()}
        while not getter.done():
            await asyncio.wait({getter, *pending}, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in pending if task.done()]:
                pending.discard(task)
                task.result()
        return getter.result()

    async def _look(
        self, address: str, pinger: "_Pinger", client: aiohttp.ClientSession
    ) -> BmcSighting | None:
        has_ipmi, root = await asyncio.gather(
            pinger.ping(address), self._find_root(client, address)
        )
        if not has_ipmi and root is None:
            return None
        return BmcSighting(
            address=address,
            protocols=(*(("redfish",) if root else ()), *(("ipmi",) if has_ipmi else ())),
            redfish_uuid=root.uuid if root else None,
            vendor=root.vendor if root else "",
            product=root.product if root else "",
            seen_at=self._clock.now(),
        )

    async def _find_root(self, client: aiohttp.ClientSession, address: str) -> _ServiceRoot | None:
        """An address where nothing listens costs a connection attempt, and no turn of others."""
        if not await _listens(address, self._https_port):
            return None
        async with self._handshakes:
            return await _read_root(client, address, self._https_port)


def scan_bmcs(
    ranges: Sequence[str], *, on_sighting: Callable[[BmcSighting], None], **options: Any
) -> int:
    """Run a whole scan in this thread; options as for `BmcScan`. Returns how many were found."""

    async def run() -> int:
        found = 0
        async for sighting in BmcScan(ranges, **options).sightings():
            found += 1
            on_sighting(sighting)
        return found

    return asyncio.run(run())


class _Pinger:
    """All pings through one socket, not faster than the network likes.

    Read straight from the loop, all that is there each time: asyncio's datagram transport takes
    one packet in each turn, and beside a few handshakes a thousand pongs overflow the socket."""

    def __init__(self, port: int, packets_per_s: int) -> None:
        self._port = port
        self._gap_s = 1 / packets_per_s
        self._next_at = 0.0
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._sockets: dict[int, socket.socket] = {}

    async def __aenter__(self) -> "_Pinger":
        return self

    async def __aexit__(self, *_reason: object) -> None:
        for bound in self._sockets.values():
            asyncio.get_running_loop().remove_reader(bound)
            bound.close()

    async def ping(self, address: str) -> bool:
        loop = asyncio.get_running_loop()
        answered = self._awaited[address] = loop.create_future()
        try:
            for attempt, wait_s in enumerate(_PING_WAITS_S):
                await self._send(address, _PRESENCE_PING)
                if attempt:
                    await self._send(address, _ASK_CAPABILITIES)
                if await _is_done_within(answered, wait_s):
                    return True
            return False
        finally:
            del self._awaited[address]

    async def _send(self, address: str, packet: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._next_at = max(self._next_at + self._gap_s, loop.time())
        delay_s = self._next_at - loop.time()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        bound = self._sockets.get(family) or self._bind(family)
        with suppress(OSError):  # full, or no way to there: as good as lost, and tried again
            bound.sendto(packet, (address, self._port))

    def _bind(self, family: int) -> socket.socket:
        bound = self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
        bound.setblocking(False)
        bound.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 - a client
        asyncio.get_running_loop().add_reader(bound, self._read_all, bound)
        return bound

    def _read_all(self, bound: socket.socket) -> None:
        while True:
            try:
                packet, sender = bound.recvfrom(_LARGEST_ANSWER_BYTES)
            except OSError:
                return  # nothing more now, or an error that the network told of an earlier packet
            answered = self._awaited.get(str(sender[0]))
            if answered is not None and not answered.done() and _is_bmc_answer(packet):
                answered.set_result(None)


def _is_bmc_answer(packet: bytes) -> bool:
    if len(packet) < 14 or packet[0] != _PRESENCE_PING[0]:
        return False
    if packet[3] == _PONG_CLASS_IPMI:
        return True
    return (
        packet[3] == _PONG_CLASS_ASF
        and packet[8] == _PONG
        and len(packet) > 20
        and bool(packet[20] & _SPEAKS_IPMI)
    )


async def _is_done_within(future: "asyncio.Future[None]", wait_s: float) -> bool:
    done, _ = await asyncio.wait({future}, timeout=wait_s)
    return bool(done)


def _https() -> aiohttp.ClientSession:
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE  # a scan trusts nothing that it reads, and sends no secret
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=_HTTPS_TIMEOUT_S),
        headers={"Accept": "application/json"},
    )


async def _listens(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address, port)
    except (TimeoutError, OSError):
        return False
    writer.transport.abort()
    return True


async def _read_root(client: aiohttp.ClientSession, address: str, port: int) -> _ServiceRoot | None:
    """None for whatever is no Redfish service: closed, silent, another web server."""
    host = f"[{address}]" if ":" in address else address
    try:
        async with client.get(f"https://{host}:{port}/redfish/v1/") as response:
            if response.status != 200:
                return None
            body = json.loads(await response.content.read(_ROOT_LIMIT_BYTES))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    is_root = isinstance(body, dict) and "ServiceRoot" in str(body.get("@odata.type", ""))
    return _parse_root(body) if is_root else None


def _parse_root(body: dict[str, Any]) -> _ServiceRoot:
    oem = body.get("Oem")
    vendor = body.get("Vendor") or next(iter(oem if isinstance(oem, dict) else ()), "")
    uuid = body.get("UUID")
    return _ServiceRoot(
        uuid=str(uuid).lower() if uuid else None,
        vendor=str(vendor),
        product=str(body.get("Product") or ""),
    )
