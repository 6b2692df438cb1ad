"""A rack from sighting to ready over the real wires: what it costs this side of them. The lab is a
process of its own, and so is who drives the API; only the serving process is measured."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure, at_most
from readystate.cli.rack_tour import DEPLOYMENT, GOAL, RackTour
from readystate.lab.process import read_login
from tests.e2e.racks import Rack, lab_and_server

FEW, MANY = 100, 1000
_MIB = 2**20
_KIB = 1024
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
#: Asking costs the measured process something too, so it is asked seldom.
_POLL_S = 2.0
_DEADLINE_S = 1800.0


@dataclass(frozen=True)
class Cost:
    nodes: int
    cpu_s: float  #: of the serving process, from the scan on
    peak_bytes: int
    took_s: float

    @property
    def cpu_each_s(self) -> float:
        return self.cpu_s / self.nodes


def figures(few: int = FEW, many: int = MANY) -> Iterable[Figure]:
    small, large = bring_up(few), bring_up(many)
    yield Figure("rack-cpu", large.cpu_each_s, "CPU-s/node", at_most(0.33))
    yield Figure("rack-memory", large.peak_bytes / _MIB, "MiB", at_most(400))
    yield Figure("rack-growth", large.cpu_each_s / small.cpu_each_s, "times", at_most(1.3))


def bring_up(nodes: int) -> Cost:
    """Raises AssertionError when not all of them become ready."""
    with lab_and_server(nodes, log_level="warning") as rack, rack.api() as api:
        pid = rack.pids[0]
        tour = RackTour(api)
        login = read_login(rack.lab.state_dir)
        tour.add_deployment(login.username, login.password)
        began_at, spent_s = time.monotonic(), cpu_seconds(pid)
        for _ in tour.scan(rack.lab.status()["bmc_range"]):
            pass
        enrolled = tour.enroll()
        assert nodes == len(enrolled), f"{len(enrolled)} of {nodes} BMCs were seen"
        _wait_until_settled(tour, rack)  # discovered: a plan would move under who commits it
        tour.commit(tour.propose(enrolled))
        _wait_until_settled(tour, rack)
        ready = sum(it["settled"] for it in api.all("/node-roles", role=GOAL))
        cost = Cost(
            nodes=nodes,
            cpu_s=cpu_seconds(pid) - spent_s,
            peak_bytes=peak_bytes(pid),
            took_s=time.monotonic() - began_at,
        )
        assert nodes == ready, f"{ready} of {nodes} nodes are ready"
        return cost


def _wait_until_settled(tour: RackTour, rack: Rack) -> None:
    """Until all node-roles that there are have been settled."""
    ends_at = time.monotonic() + _DEADLINE_S
    while True:
        counts = tour.api.get(f"/deployments/{DEPLOYMENT}")["counts"]
        if not set(counts) - {"active", "skipped"}:
            return
        assert time.monotonic() < ends_at, f"{counts}; {rack.output.read_text()[-2000:]}"
        time.sleep(_POLL_S)


def cpu_seconds(pid: int) -> float:
    """User and system, of all its threads: proc(5), fields 14 and 15 of `stat`."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_A_SECOND


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * _KIB
