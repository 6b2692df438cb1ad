"""One event loop in a thread, with a small boot API and simulated machines in it."""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.hardware import Drive, Hardware, Nic
from readystate.lab.machines.boot_network import BootNetwork
from readystate.lab.machines.machine import BootDevice
from readystate.lab.machines.simulated import MachineState, SimulatedMachine

T = TypeVar("T")
WAIT_S = 20.0

# One process of a parallel test run keeps to its own part of 127.0.0.0/8.
_numbers = itertools.count(1)
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) + 1


def hardware(number: int = 1) -> Hardware:
    return Hardware(
        personality="dell",
        manufacturer="Dell Inc.",
        model="PowerEdge R740",
        serial=f"SIM{number:04d}",
        uuid=f"4c4c4544-0000-1000-8000-{number:012x}",
        bios_version="2.19.1",
        bmc_version="6.10.30",
        cpu_model="Intel Xeon Gold 6130",
        cpu_sockets=2,
        cpu_cores=16,
        memory_bytes=192 * 2**30,
        nics=(
            Nic("eno1", f"52:54:00:00:{number // 256:02x}:{number % 256:02x}", 10_000,
                "0000:19:00.0"),
        ),
        drives=(
            Drive("Disk.Bay.0", 480 * 10**9, "SSD-480", f"DISK{number:04d}A"),
            Drive("Disk.Bay.1", 480 * 10**9, "SSD-480", f"DISK{number:04d}B"),
        ),
    )  # fmt: skip


@dataclass
class BootApi:
    """Plays readystate's boot API for one node, and writes down what it is told."""

    mode: str = "discovery"  #: discovery | install | local | "" (unknown machine)
    token: str = "token-1"
    plan: dict[str, Any] = field(default_factory=dict)
    ssh_key: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)  #: callback name -> HTTP status
    scripts: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/boot/ipxe", self._ipxe)
        app.router.add_get("/boot/ssh-key", self._key)
        app.router.add_get("/boot/plan", self._plan)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_post("/boot/callback/{name}", self._callback)
        return app

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def told(self, name: str) -> list[dict[str, Any]]:
        return [body for call, body in self.calls if call == name]

    async def _ipxe(self, request: web.Request) -> web.Response:
        self.calls.append(("ipxe", dict(request.query)))
        if self.mode == "":
            raise web.HTTPNotFound
        if self.mode == "local":
            return await _text("#!ipxe\nsanboot --no-describe --drive 0x80 || exit\n")
        arguments = (
            f"readystate.mode={self.mode} readystate.url={self.url} readystate.token={self.token}"
        )
        return await _text(
            f"#!ipxe\nkernel /files/vmlinuz {arguments}\ninitrd /files/initrd.img\nboot\n"
        )

    async def _key(self, _request: web.Request) -> web.Response:
        return await _text(self.ssh_key + "\n")

    async def _file(self, _request: web.Request) -> web.Response:
        return await _text("a kernel, as far as anyone looks")

    async def _plan(self, request: web.Request) -> web.Response:
        self._check_token(request)
        return web.json_response(self.plan)

    async def _callback(self, request: web.Request) -> web.Response:
        self._check_token(request)
        name = request.match_info["name"]
        if name in self.refuse:
            return web.Response(status=self.refuse[name])
        self.calls.append((name, json.loads(await request.read())))
        return web.Response(status=204)

    def _check_token(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized


async def _text(text: str) -> web.Response:
    return web.Response(text=text)


@dataclass
class SimulatedLab:
    """The machines, and how a test's own thread reaches into their loop."""

    api: BootApi
    network: BootNetwork
    loop: asyncio.AbstractEventLoop
    machines: list[SimulatedMachine] = field(default_factory=list)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)

    def add_machine(self) -> tuple[SimulatedMachine, VirtualBmc]:
        number = next(_numbers)
        address = f"127.9{_worker}.{number // 250}.{number % 250 + 1}"
        machine = SimulatedMachine(
            hardware(number), self.network, ssh_address=address, ssh_port=free_port(address)
        )
        bmc = VirtualBmc(address, machine, [BmcUser(2, "root", "calvin")])
        self.machines.append(machine)
        return machine, bmc

    def boot(self, bmc: VirtualBmc, device: BootDevice = BootDevice.PXE) -> None:
        """Set a one-shot boot device, then power on or cycle: what the boot role does."""

        async def work() -> None:
            bmc.set_boot_override(device, persistent=False, uefi=True)
            await bmc.power_cycle()

        self.do(work())

    def install(self, machine: SimulatedMachine, bmc: VirtualBmc) -> None:
        """Through the installer to the installed system's first boot."""
        self.api.mode = "install"
        self.boot(bmc)
        wait_for(lambda: machine.state is MachineState.RUNNING and self.api.told("first-boot"))


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(condition: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    ends_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_at, "did not happen in time"
        time.sleep(0.01)


def install_plan(machine: SimulatedMachine, key: str, **changes: Any) -> dict[str, Any]:
    plan = {
        "bootenv": "debian-12",
        "hostname": "node-7",
        "disk": {"serial": machine.hardware.drives[0].serial},
        "wipe": "blank",
        "admin": {"address": "192.0.2.17", "prefix_length": 24, "gateway": "192.0.2.1"},
        "authorized_keys": [key],
        "generation": 3,
    }
    return plan | changes


@contextlib.contextmanager
def simulated_lab(*, pace: float = 0.1) -> Iterator[SimulatedLab]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    api = BootApi()

    async def start() -> tuple[SimulatedLab, web.AppRunner]:
        runner = web.AppRunner(api.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        api.port = runner.addresses[0][1]
        http = aiohttp.ClientSession()
        return SimulatedLab(api, BootNetwork(http, api.url, pace), loop), runner

    lab, runner = asyncio.run_coroutine_threadsafe(start(), loop).result(WAIT_S)

    async def stop() -> None:
        for machine in lab.machines:
            await machine.close()
        await lab.network.http.close()
        await runner.cleanup()

    try:
        yield lab
    finally:
        lab.do(stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()
