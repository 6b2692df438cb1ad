"""Racks of inert machines behind RMCP+ for the tests beside this file, served from a thread so
that blocking peers can talk to them."""

import asyncio
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readystate.lab.bmc.rmcp import RmcpServer
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.hardware import Drive, Hardware, Nic
from readystate.lab.machines.inert import InertMachine

USER, PASSWORD = "admin", "rack-12-secret"
HIGH_PORT = 16230
PERSONALITIES = {
    "dell": "Dell Inc.",
    "hpe": "HPE",
    "supermicro": "Supermicro",
    "generic-ipmi": "Acme Servers",
}


def rack_port() -> int:
    """623 where this user may bind it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # another worker may be asking the same at this moment
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.77.0.1", 623))
        except PermissionError:
            return HIGH_PORT
    return 623


PORT = rack_port()


def rack_network(block: int) -> str:
    """`127.x` that no other worker of this test run uses."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"127.{block + worker % 8}"


def make_hardware(number: int, personality: str = "dell") -> Hardware:
    return Hardware(
        personality=personality,
        manufacturer=PERSONALITIES[personality],
        model="R-640",
        serial=f"SN{number:05d}",
        uuid=f"4c4c4544-0035-5910-8043-{number:012x}",
        bios_version="2.19.1",
        bmc_version="6.10.30.00",
        cpu_model="Xeon Gold 6230",
        cpu_sockets=2,
        cpu_cores=20,
        memory_bytes=192 * 2**30,
        nics=(
            Nic("eno1", f"0c:c4:7a:00:{number >> 8:02x}:{number & 255:02x}", 10000, "0000:19:00.0"),
        ),
        drives=(Drive("Disk.Bay.0", 480 * 10**9, "S4510", f"D{number:05d}"),),
        asset_tag=f"asset-{number}",
    )


def make_bmc(address: str, number: int = 1, personality: str = "dell") -> VirtualBmc:
    user = BmcUser(2, USER, PASSWORD)
    return VirtualBmc(address, InertMachine(make_hardware(number, personality)), [user])


@dataclass
class ServedRack:
    bmcs: list[VirtualBmc]
    loop: asyncio.AbstractEventLoop
    failures: list[dict[str, Any]]  #: what the loop reported as unhandled

    def run(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(act(), self.loop).result(10)


@contextmanager
def serve(bmcs: list[VirtualBmc], **limits: Any) -> Iterator[ServedRack]:
    """Serve in a thread of its own; fails if anything went unhandled in its loop."""
    loop = asyncio.new_event_loop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = RmcpServer(bmcs, port=PORT, **limits)
    rack = ServedRack(bmcs, loop, failures)
    try:
        rack.run(server.start)
        yield rack
        rack.run(server.stop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert failures == []


@dataclass(frozen=True)
class Ipmitool:
    """ipmitool over lanplus against one BMC. The password goes by environment, never in argv."""

    bmc: VirtualBmc
    suite: int = 3
    user: str = USER
    password: str = PASSWORD
    level: str = "ADMINISTRATOR"
    wait: tuple[str, ...] = ("-N", "1", "-R", "3")

    def try_(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *("ipmitool", "-I", "lanplus", "-H", self.bmc.address, "-p", str(PORT)),
                *("-C", str(self.suite), "-U", self.user, "-L", self.level, "-E", *self.wait),
                *command,
            ],
            env={**os.environ, "IPMI_PASSWORD": self.password},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *command: str) -> str:
        done = self.try_(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def write_freeipmi_config(folder: Path) -> Path:
    """Credentials for FreeIPMI's tools in a file that only we can read."""
    path = folder / "freeipmi.conf"
    path.touch(mode=0o600)
    path.write_text(f"username {USER}\npassword {PASSWORD}\ndriver-type LAN_2_0\n")
    return path


class Relay:
    """Stands between a console and a BMC as a bad network does: passes each of the console's
    packets through `change`, which may repeat, alter or withhold it, and keeps all it heard."""

    def __init__(
        self,
        address: str,
        bmc: VirtualBmc,
        change: Callable[[bytes], list[bytes]] = lambda packet: [packet],
    ) -> None:
        self.address = address
        self.heard: list[bytes] = []
        self._change = change
        self._bmc = (bmc.address, PORT)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((address, PORT))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._is_open = True
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._thread.join(5)
        self._front.close()
        self._back.close()

    def _pass_on(self) -> None:
        console = None
        while self._is_open:
            for ready in select.select([self._front, self._back], [], [], 0.05)[0]:
                packet, sender = ready.recvfrom(2048)
                if ready is self._back:
                    self._front.sendto(packet, console or sender)
                    continue
                console = sender
                self.heard.append(packet)
                for changed in self._change(packet):
                    self._back.sendto(changed, self._bmc)


def ask(bmc: VirtualBmc, packet: bytes, *, wait_s: float = 0.3) -> bytes | None:
    """Send one packet; the answer, or None for silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as console:
        console.settimeout(wait_s)
        console.sendto(packet, (bmc.address, PORT))
        try:
            return console.recv(2048)
        except TimeoutError:
            return None


PING = bytes.fromhex("0600ff06 000011be 80 2a 00 00")


def open_session_request(console_id: int, suite: tuple[int, int, int] = (1, 1, 1)) -> bytes:
    """RMCP+ Open Session, section 13.17, with these algorithms."""
    payload = bytes((7, 0, 0, 0)) + console_id.to_bytes(4, "little")
    for kind, algorithm in enumerate(suite):
        payload += bytes((kind, 0, 0, 8, algorithm, 0, 0, 0))
    return bytes.fromhex("0600ff07 06 10 00000000 00000000 2000") + payload
