"""BMCs of inert machines behind Redfish for the tests beside this file, served from a thread so
that blocking peers can talk to them."""

import asyncio
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from readystate.lab.bmc.redfish import RedfishServer
from readystate.lab.bmc.tls import Certificate, make_certificate
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.hardware import Drive, Hardware, Nic
from readystate.lab.machines.inert import InertMachine

USER, PASSWORD = "admin", "rack-12-secret"
VENDORS = {"dell": "Dell Inc.", "hpe": "HPE", "supermicro": "Supermicro"}
HIGH_PORT = 8443
CERTIFICATE: Certificate = make_certificate()

#: What differs between the vendors and every test has to know.
SYSTEMS = {
    "dell": "/redfish/v1/Systems/System.Embedded.1",
    "hpe": "/redfish/v1/Systems/1",
    "supermicro": "/redfish/v1/Systems/1",
}
MANAGERS = {
    "dell": "/redfish/v1/Managers/iDRAC.Embedded.1",
    "hpe": "/redfish/v1/Managers/1",
    "supermicro": "/redfish/v1/Managers/1",
}
SETTINGS = {
    "dell": "/redfish/v1/Systems/System.Embedded.1/Bios/Settings",
    "hpe": "/redfish/v1/systems/1/bios/settings",
    "supermicro": "/redfish/v1/Systems/1/Bios/SD",
}
#: An enumeration of each BIOS: its name, its default, another value.
SWITCHES = {
    "dell": ("ProcVirtualization", "Enabled", "Disabled"),
    "hpe": ("ProcVirtualization", "Enabled", "Disabled"),
    "supermicro": ("HyperThreading", "Enabled", "Disabled"),
}


def rack_port() -> int:
    """443 where this user may bind it."""
    with socket.socket() as probe:
        # another worker may be asking the same at this moment
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.88.0.1", 443))
        except PermissionError:
            return HIGH_PORT
    return 443


PORT = rack_port()


def rack_network() -> str:
    """`127.x` that no other worker of this test run uses."""
    return f"127.{88 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]) % 8}"


def make_hardware(personality: str, number: int = 1) -> Hardware:
    def drive(bay: int, size_bytes: int, controller: str) -> Drive:
        serial = f"D{number:04d}{bay:02d}"
        return Drive(f"Disk.Bay.{bay}", size_bytes, "S4510", serial, controller=controller)

    return Hardware(
        personality=personality,
        manufacturer=VENDORS.get(personality, "Acme"),
        model="R-640",
        serial=f"SN{number:05d}",
        uuid=f"4c4c4544-0035-5910-8043-{number:012x}",
        bios_version="2.19.1",
        bmc_version="6.10.30.00",
        cpu_model="Xeon Gold 6230",
        cpu_sockets=2,
        cpu_cores=20,
        memory_bytes=80 * 2**30,
        nics=tuple(
            Nic(
                f"eno{port}",
                f"0c:c4:7a:{port:02x}:{number >> 8:02x}:{number & 255:02x}",
                10000,
                f"0000:19:00.{port}",
            )
            for port in (1, 2)
        ),
        drives=(
            *(drive(bay, 480 * 10**9, "RAID.1") for bay in range(4)),
            *(drive(bay, 960 * 10**9, "RAID.2") for bay in (4, 5)),
        ),
        bios_defaults={"LabNote": "rack 12"},
        asset_tag=f"asset-{number}",
    )


def make_bmc(personality: str, address: str, number: int = 1) -> VirtualBmc:
    users = [
        BmcUser(2, USER, PASSWORD),
        BmcUser(3, "watcher", "only-reads-12", role="ReadOnly"),
        BmcUser(4, "operator", "operates-12", role="Operator"),
    ]
    return VirtualBmc(address, InertMachine(make_hardware(personality, number)), users)


@dataclass
class Served:
    """A BMC that answers while a test runs."""

    bmc: VirtualBmc
    personality: str
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"https://{self.bmc.address}:{PORT}"

    @property
    def system(self) -> str:
        return SYSTEMS[self.personality]

    @property
    def manager(self) -> str:
        return MANAGERS[self.personality]

    @property
    def settings(self) -> str:
        return SETTINGS[self.personality]

    def on_loop(self, act: Callable[[], Any]) -> Any:
        """Call a function where the server runs; awaits what it returns if need be."""

        async def call() -> Any:
            result = act()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def power_on(self) -> None:
        self.on_loop(self.bmc.power_on)

    def reset(self) -> None:
        self.on_loop(self.bmc.reset)


@contextmanager
def serve(bmcs: list[VirtualBmc]) -> Iterator[list[Served]]:
    """Serve in a thread of its own; fails if anything went unhandled in its loop.

    Meanwhile no bundle of authorities from the environment overrules what a client was told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        patch.delenv("CURL_CA_BUNDLE", raising=False)
        yield from _serve(bmcs)


def _serve(bmcs: list[VirtualBmc]) -> Iterator[list[Served]]:
    loop = asyncio.new_event_loop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        server = RedfishServer(bmcs, port=PORT, certificate=CERTIFICATE)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield [Served(bmc, bmc.machine.hardware.personality, loop) for bmc in bmcs]
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert [] == failures


@contextmanager
def stranger() -> Iterator[requests.Session]:
    """A client without credentials that does not verify."""
    with requests.Session() as session:
        session.verify = False
        yield session


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]  #: names in lower case
    body: Any

    @property
    def message_id(self) -> str:
        return str(self.body["error"]["@Message.ExtendedInfo"][0]["MessageId"])


@dataclass
class Curl:
    """curl, unmodified. Credentials go in by its configuration on stdin, never in argv."""

    served: Served
    user: str | None = USER
    password: str = PASSWORD
    token: str | None = None
    exit_code: int = field(default=0, init=False)

    def __call__(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Reply:
        reply = self.try_(path, method, body, **headers)
        assert reply is not None, f"curl gave up with {self.exit_code}"
        return reply

    def try_(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> Reply | None:
        """Return the reply, or None when there was none; then `exit_code` says why."""
        config = [f'request = "{method}"', f'url = "{self.served.url}{path}"']
        if self.token is not None:
            config.append(f'header = "X-Auth-Token: {self.token}"')
        elif self.user is not None:
            config.append(f'user = "{self.user}:{self.password}"')
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            config.append(f"data = {json.dumps(text)}")
            headers.setdefault("Content_Type", "application/json")
        for name, value in headers.items():
            config.append(f"header = {json.dumps(name.replace('_', '-') + ': ' + value)}")
        ran = subprocess.run(
            ["curl", "-k", "-s", "-i", "-g", "--http1.1", "--max-time", "8", "--config", "-"],
            input="\n".join(config),
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
        self.exit_code = ran.returncode
        return _parse(ran.stdout) if ran.returncode == 0 else None


def _parse(text: str) -> Reply:
    head, _, content = text.replace("\r\n", "\n").partition("\n\n")
    status_line, *lines = head.split("\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    is_json = "json" in headers.get("content-type", "") and content
    body = json.loads(content) if is_json else content
    return Reply(int(status_line.split()[1]), headers, body)


def drive_links(curl: Curl, controller: int = 0) -> tuple[str, list[dict[str, str]]]:
    """The path of a controller and the references to its drives."""
    storages = curl(curl("" + curl.served.system).body["Storage"]["@odata.id"]).body["Members"]
    path = storages[controller]["@odata.id"]
    return path, curl(path).body["Drives"]
