"""A rack of three whose readystate may die at any moment: the lab lives on, the next readystate
starts on the same state, and whoever drives it goes on from what it finds.

`drive` is written as an operator's script would be: each step looks at what is there before it does
something, because the answer to the step before may have been lost."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from readystate.cli.client import Api
from readystate.cli.rack_tour import DEPLOYMENT, RackTour
from readystate.cli.target import Target
from readystate.domain.errors import Conflict, Unreachable
from readystate.domain.secret import Secret
from readystate.lab.boot_placeholders import put_boot_placeholders
from readystate.lab.process import LabProcess, LabWish, read_login, spawn_lab
from tests.e2e.crash.victim import Point, run_victim
from tests.e2e.serving import free_port

NODES = 3
#: BIOS and RAID over Redfish of two vendors, and one that speaks IPMI alone.
PERSONALITIES = ("dell", "hpe", "generic-ipmi")
#: A machine asks a silent API thirty times, over two minutes at full pace: our restart is shorter.
PACE = 0.25
START_DEADLINE_S = 60.0
QUIET_DEADLINE_S = 90.0  # four seconds on an idle machine
STOP_DEADLINE_S = 30.0
_POLL_S = 0.05

#: Forks victims from a process that has imported everything: a second saved at each start.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.e2e.crash.victim", "uvicorn.protocols.http.h11_impl"])


@dataclass
class MortalRack:
    """One lab, and one readystate after the other."""

    folder: Path
    lab: LabProcess
    port: int
    database_url: str  #: empty: SQLite in the state folder
    deaths: int = 0
    retried: list[str] = field(default_factory=list)  #: node-roles that asked for a person
    _process: BaseProcess | None = None

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    # -- one life --------------------------------------------------------------------------------

    def start(self, point: Point | None) -> None:
        ports = self.lab.client.status()["ports"]
        wishes = {
            "data_dir": self.data_dir,
            "api_host": "127.0.0.1",
            "api_port": self.port,
            "ipmi_port": ports["ipmi"],
            "redfish_port": ports["redfish"],
            "log_level": "info",
        }
        if self.database_url:
            wishes["database_url"] = self.database_url
        self._process = _FORKS.Process(target=run_victim, args=(wishes, point, self.folder))
        self._process.start()

    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def bury(self) -> None:
        """Wait for the end of one that has died or is about to."""
        assert self._process is not None
        self._process.join(STOP_DEADLINE_S)
        assert not self._process.is_alive(), "it has not died"
        assert self._process.exitcode in (-9, 137), self.told()
        self.deaths += 1

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def told(self) -> str:
        return f"exit code {self._process and self._process.exitcode}\n" + "\n".join(
            (self.folder / "output").read_text(errors="replace").splitlines()[-40:]
        )

    @contextmanager
    def api(self) -> Iterator[Api]:
        """Once it answers. Raises Unreachable when it has died."""
        url = f"http://127.0.0.1:{self.port}"
        ends_at = time.monotonic() + START_DEADLINE_S
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            while True:
                if not self.is_alive():
                    raise Unreachable("readystate has died")
                try:
                    if http.get("/readyz").is_success:
                        break
                except httpx.TransportError:
                    pass
                assert time.monotonic() < ends_at, f"readystate does not start: {self.told()}"
                time.sleep(_POLL_S)
            token = Secret((self.data_dir / "api-token").read_text().strip())
            http.headers["Authorization"] = f"Bearer {token.reveal()}"
            yield Api(Target(url, token), http)

    # -- to the end ------------------------------------------------------------------------------

    def bring_to_quiet(self, *points: Point) -> None:
        """Live and die at each point in turn, or once come to quiet without having met one; then
        live on until nothing moves."""
        for point in (*points, None):
            self.start(point)
            try:
                with self.api() as api:
                    self._drive(api)
                return
            except Unreachable:
                assert point is not None, self.told()
                self.bury()

    def _drive(self, api: Api) -> None:
        tour = RackTour(api)
        addresses = {
            item["bmc_address"]: f"node-{item['number']}"
            for item in self.lab.client.status()["machines"]
        }
        self._ensure_deployment(api)
        if not tour.nodes():
            self._scan(api, tour, set(addresses))
            api.post("/sightings/enroll", {"deployment": DEPLOYMENT, "names": addresses})
        self._wait_for_quiet(tour)
        if not (mine := _our_proposals(api)):
            tour.propose(tour.nodes())
            mine = _our_proposals(api)
        if mine[0]["state"] == "open":
            tour.commit(mine[0]["id"])
        while self._wait_for_quiet(tour) == "failed":
            self._retry_unknown(api, tour)

    def _scan(self, api: Api, tour: RackTour, wanted: set[str]) -> None:
        seen: set[str] = set()
        while seen != wanted:
            for _ in tour.scan(self.lab.client.status()["bmc_range"]):
                pass
            seen = {it["address"] for it in api.items("/sightings")}

    def _ensure_deployment(self, api: Api) -> None:
        login = read_login(self.lab.client.state_dir)
        with suppress(Conflict):
            api.post("/deployments", {"name": DEPLOYMENT})
        api.put(
            f"/credentials/{DEPLOYMENT}",
            {
                "username": login.username,
                "password": login.password.reveal(),
                "deployment": DEPLOYMENT,
            },
        )

    def _wait_for_quiet(self, tour: RackTour) -> str:
        ends_at = time.monotonic() + QUIET_DEADLINE_S
        while (state := tour.status()) == "working":
            if time.monotonic() > ends_at:
                raise AssertionError(f"no quiet\n{describe(tour.api)}\n{self.told()}")
            time.sleep(_POLL_S)
        return state

    def _retry_unknown(self, api: Api, tour: RackTour) -> None:
        """Destructive work that was cut asks a person, once for each time that it was cut; nothing
        else does. Whatever does not move has its reason told."""
        for item in api.get_with_status("/anneal", usual=(202, 409))["failing"]:
            assert item["error"]["family"] == "outcome-unknown", describe(api)
            assert "destructive" in item["flags"], describe(api)
            assert tour.roots(item["node"]), f"nothing is known of why {item['path']} stands"
            self.retried.append(item["path"])
            assert self.retried.count(item["path"]) <= self.deaths, describe(api)
            api.post(f"/node-roles/{item['path']}/retry")


def _our_proposals(api: Api) -> list[dict[str, Any]]:
    return [it for it in api.items("/proposals") if it["title"] == "the rack becomes ready"]


def describe(api: Api) -> str:
    """For a failed test: what is not settled, why, and the runs that were not plain successes."""
    lines = []
    for item in api.all("/node-roles"):
        if not item["settled"]:
            blockers = [(it["kind"], it["detail"]) for it in item["blockers"]]
            lines.append(f"{item['path']} {item['state']} {item['error']} {blockers}")
    for run in reversed(api.all("/runs")):
        if run["outcome"] != "succeeded":
            lines.append(
                f"run {run['id']} {run['kind']} {run['role']} {run['node']} {run['phase']} "
                f"{run['outcome']} {run['error']} {run['progress']}"
            )
    return "\n".join(lines)


@contextmanager
def mortal_rack(database_url: str = "") -> Iterator[MortalRack]:
    with TemporaryDirectory(prefix="mortal-") as name:  # short: it holds a socket
        folder = Path(name)
        port = free_port()
        wish = LabWish(
            folder / "lab",
            f"http://127.0.0.1:{port}",
            nodes=NODES,
            pace=PACE,
            personalities=PERSONALITIES,
        )
        lab = spawn_lab(wish)
        rack = MortalRack(folder, lab, port, database_url)
        put_boot_placeholders(rack.data_dir / "boot")
        try:
            yield rack
        finally:
            rack.kill()
            lab.stop()
