"""Virtual BMCs on both protocols, and our hammers bound to them, for the tests beside this file."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from readystate.adapters.declared.quirks import load_quirks
from readystate.adapters.hammers.ipmi import IpmiHammer
from readystate.adapters.hammers.redfish import RedfishHammer
from readystate.adapters.hammers.redfish.client import bmc_tls_context
from readystate.domain.quirk import Machine, Quirks
from readystate.domain.secret import Secret
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.redfish import RedfishServer
from readystate.lab.bmc.redfish_sessions import Sessions
from readystate.lab.bmc.rmcp import RmcpServer
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.ports.hammer import BmcEndpoint
from tests.contracts.hammer_contract import HammerRig
from tests.protocol.redfish_rack import CERTIFICATE, PASSWORD, SWITCHES, USER, make_bmc

ROOT = Path(__file__).resolve().parents[2]
QUIRKS = load_quirks(ROOT / "annotations" / "quirks")
TLS = bmc_tls_context(verify_certificates=False)
RMCP_PORT, HTTPS_PORT = 16232, 16443
ALL = ("dell", "hpe", "supermicro", "generic-ipmi")
WITH_REDFISH = ALL[:3]
#: Local answers come within a millisecond; silence is not worth seven seconds here.
QUICK_WAITS_S = (0.2, 0.3)


def network() -> str:
    """`127.x` that no other worker of this test run uses."""
    return f"127.{56 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]) % 8}"


def make_rack(personalities: Sequence[str]) -> list[VirtualBmc]:
    return [
        make_bmc(personality, f"{network()}.0.{number}", number)
        for number, personality in enumerate(personalities, 1)
    ]


@dataclass
class Rack:
    bmcs: list[VirtualBmc]
    loop: asyncio.AbstractEventLoop
    redfish: RedfishServer

    def sessions_of(self, bmc: VirtualBmc) -> Sessions:
        faces = self.redfish._faces
        return next(face.service.sessions for face in faces if face.service.bmc is bmc)

    def call(self, act: object) -> None:
        """Run a callable where the servers run."""

        async def run() -> None:
            result = act()  # type: ignore[operator]
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@contextmanager
def serve(bmcs: list[VirtualBmc]) -> Iterator[Rack]:
    """Both protocols from a thread; fails if anything went unhandled in its loop."""
    loop = asyncio.new_event_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    rmcp = RmcpServer(bmcs, port=RMCP_PORT)
    redfish = RedfishServer(bmcs, port=HTTPS_PORT, certificate=CERTIFICATE)
    rack = Rack(bmcs, loop, redfish)
    try:
        rack.call(rmcp.start)
        rack.call(redfish.start)
        yield rack
        rack.call(redfish.stop)
        rack.call(rmcp.stop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert [] == failures


def endpoint_of(bmc: VirtualBmc, protocol: str, *, cipher_suite: int = 17) -> BmcEndpoint:
    port = RMCP_PORT if protocol == "ipmi" else HTTPS_PORT
    return BmcEndpoint(
        bmc.address, protocol, USER, Secret(PASSWORD), port=port, cipher_suite=cipher_suite
    )


def quick_quirks(machine: Machine) -> Quirks:
    """The shipped quirks, with the patience of a test."""
    quirks = QUIRKS.resolve(machine).quirks if machine.vendor else Quirks()
    return replace(quirks, power_settle_s=0.3, soft_off_settle_s=0.3, boot_settle_s=0.3)


def redfish_hammer(endpoint: BmcEndpoint) -> RedfishHammer:
    return RedfishHammer(
        endpoint, tls=TLS, quirks=quick_quirks, normalise_vendor=QUIRKS.normalise_vendor
    )


def ipmi_hammer(endpoint: BmcEndpoint) -> IpmiHammer:
    return IpmiHammer(
        endpoint,
        quirks=quick_quirks,
        normalise_vendor=QUIRKS.normalise_vendor,
        waits_s=QUICK_WAITS_S,
    )


def rig_for(bmc: VirtualBmc, hammer: object) -> HammerRig:
    hardware = bmc.machine.hardware
    name, _, other = SWITCHES.get(hardware.personality, ("", "", ""))
    return HammerRig(
        hammer=hammer,
        is_on=lambda: bmc.machine.is_on,
        boots=lambda: bmc.ledger.boots,
        make_lie_about_power=lambda: bmc.faults.plant(Fault.POWER_LIES),
        make_forget_overrides=lambda: bmc.faults.plant(Fault.DROPS_BOOT_OVERRIDE),
        change_password=lambda: bmc.faults.plant(Fault.WRONG_PASSWORD),
        make_unreachable=lambda: bmc.faults.plant(Fault.UNREACHABLE),
        serial=hardware.serial,
        uuid=hardware.uuid,
        bios_writes=lambda: bmc.ledger.bios_writes,
        bios_change={name: other},
    )
