"""The power state of a thousand BMCs, beside FreeIPMI's ipmipower in the same minute. The BMCs are
virtual ones in a process of their own; cipher suite 3 and 17 as configured, here 17 for both."""

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.figure import Figure, Peer, at_most
from readystate.adapters.hammers.rmcp_reader import PowerSweep
from readystate.domain.power import PowerState
from readystate.lab.process import LabWish, read_login, spawn_lab
from readystate.lab.rack_plan import BmcLogin
from readystate.ports.hammer import BmcEndpoint

BMCS = 1000
_PERSONALITY = "generic-ipmi"
_SUITE = 17
_ROUNDS = 5  #: of each, in turns; the medians count


def figures(bmcs: int = BMCS) -> Iterable[Figure]:
    with tempfile.TemporaryDirectory(prefix="readystate-bench-") as name:
        folder = Path(name)
        lab = spawn_lab(LabWish(folder / "lab", nodes=bmcs, personalities=(_PERSONALITY,)))
        try:
            status = lab.client.status()
            addresses = [machine["bmc_address"] for machine in status["machines"]]
            login = read_login(folder / "lab")
            port = status["ports"]["ipmi"]
            peer = _Ipmipower(folder / "freeipmi.conf", login, addresses, port)
            cold_s, kept_s, peer_s = asyncio.run(_rounds(_endpoints(addresses, port, login), peer))
        finally:
            lab.stop()
    beside = Peer("ipmipower", peer_s)
    yield Figure("sweep-cold", cold_s, "s", at_most(4 * peer_s), beside)
    yield Figure("sweep-kept", kept_s, "s", at_most(peer_s), beside)


async def _rounds(
    endpoints: Sequence[BmcEndpoint], peer: "_Ipmipower"
) -> tuple[float, float, float]:
    cold, kept, beside = [], [], []
    for _ in range(_ROUNDS):
        beside.append(peer.sweep())
        sweep = PowerSweep()
        cold.append(await _read_all(sweep, endpoints))
        kept.append(await _read_all(sweep, endpoints))
        await sweep.close()
    return statistics.median(cold), statistics.median(kept), statistics.median(beside)


async def _read_all(sweep: PowerSweep, endpoints: Sequence[BmcEndpoint]) -> float:
    began_s = time.perf_counter()
    states = await sweep.read(endpoints)
    spent_s = time.perf_counter() - began_s
    wrong = {str(state) for state in states.values() if not isinstance(state, PowerState)}
    if wrong or len(states) != len(endpoints):
        raise RuntimeError(f"{len(states)} of {len(endpoints)} read; {sorted(wrong)[:3]}")
    return spent_s


def _endpoints(addresses: Sequence[str], port: int, login: BmcLogin) -> list[BmcEndpoint]:
    return [
        BmcEndpoint(
            address=address,
            protocol="ipmi",
            username=login.username,
            password=login.password,
            port=port,
            cipher_suite=_SUITE,
        )
        for address in addresses
    ]


class _Ipmipower:
    def __init__(self, config: Path, login: BmcLogin, addresses: Sequence[str], port: int) -> None:
        config.touch(mode=0o600)
        config.write_text(
            f"driver-type LAN_2_0\nusername {login.username}\n"
            f"password {login.password.reveal()}\ncipher-suite-id {_SUITE}\n"
        )
        hosts = ",".join(item if port == 623 else f"{item}:{port}" for item in addresses)
        self._command = ["ipmipower", "--config-file", str(config), "-h", hosts, "--stat"]
        self._count = len(addresses)

    def sweep(self) -> float:
        began_s = time.perf_counter()
        done = subprocess.run(self._command, capture_output=True, text=True, check=True)
        spent_s = time.perf_counter() - began_s
        told = [line.rpartition(": ")[2] for line in done.stdout.splitlines()]
        if len(told) != self._count or not set(told) <= {"on", "off"}:
            raise RuntimeError(f"ipmipower told {len(told)} states: {sorted(set(told))[:3]}")
        return spent_s
