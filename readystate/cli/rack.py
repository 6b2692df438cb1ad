"""`readystate rack`: a virtual rack from BMC scan to ready, through the same API as anyone's.

The lab runs in a process of its own. This process serves the API in its main thread, which signals
need, and tours it as a client in another one."""

import logging
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from readystate.cli.client import Api
from readystate.cli.errors import FAILED
from readystate.cli.rack_tour import PlanDigest, RackTour, Summary
from readystate.cli.running_rack import forget_rack, remember_rack
from readystate.cli.target import SERVER_TOKEN_FILE, Target, read_token
from readystate.domain.errors import BadRequest, Conflict, ReadystateError, Unreachable

if TYPE_CHECKING:
    from readystate.cli.rack_view import LineView, Node, TableView
    from readystate.lab.process import LabProcess
    from readystate.settings import Settings

DEFAULT_PORT = 8000
MARK = "rack.mark"  #: a folder that bears it was made by us and may be emptied by us
LAB_DIR = "lab"
LOG_FILE = "readystate.log"
_POLL_S = 0.25
#: A node that takes longer is planned for without its disks having been seen.
_DISCOVERY_S = 15.0
#: What an idle node waits for is asked again after this.
_BLOCKER_AGE_S = 1.0
_SLOWEST_SHOWN = 5
INTERRUPTED = 130  #: as shells say it for SIGINT


@dataclass(frozen=True)
class RackWish:
    state_dir: Path
    nodes: int = 12
    once: bool = False
    port: int = DEFAULT_PORT
    network: str | None = None
    pace: float = 1.0
    seed: int = 0


def rack(
    nodes: Annotated[int, typer.Option(min=1, help="How many machines.")] = 12,
    once: Annotated[
        bool, typer.Option("--once", help="Stop by itself: exit 0 when all are ready, else 1.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where it keeps its state; emptied at each start.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the API.")] = DEFAULT_PORT,
    network: Annotated[
        str | None, typer.Option(help="Loopback network of the machines, as 127.32.")
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0, help="Multiplies every delay of the machines.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Another number gives other machines.")] = 0,
) -> None:
    """Bring a virtual rack from BMC scan to ready, and leave its API running."""
    from readystate.settings import load_settings

    folder = state_dir or load_settings().data_dir.with_name("readystate-rack")
    wish = RackWish(folder.absolute(), nodes, once, port, network, pace, seed)
    raise typer.Exit(run_rack(wish))


def run_rack(wish: RackWish) -> int:
    """Returns the exit code. Raises our refusals when it cannot even begin."""
    from readystate.lab.process import LabWish, spawn_lab

    empty_state_dir(wish.state_dir)
    lab = spawn_lab(
        LabWish(
            state_dir=wish.state_dir / LAB_DIR,
            boot_url=f"http://127.0.0.1:{wish.port}",
            nodes=wish.nodes,
            network=wish.network,
            pace=wish.pace,
            seed=wish.seed,
        )
    )
    try:
        return _serve(wish, lab)
    finally:
        forget_rack()
        lab.stop()


def empty_state_dir(folder: Path) -> None:
    """A fresh folder for our state. Raises BadRequest for one that is not ours to empty, Conflict
    while another rack lives in it."""
    from readystate.lab.control import SOCKET_NAME, is_served

    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise BadRequest(
                f"{folder} holds something else than a rack",
                why="a rack empties its folder at each start",
                hint="name an empty or a new folder with --state-dir",
            )
        if is_served(folder / LAB_DIR / SOCKET_NAME):
            raise Conflict(
                f"a rack is running in {folder}", hint="end it, or choose another --state-dir"
            )
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch()


def _serve(wish: RackWish, lab: "LabProcess") -> int:
    from readystate import bootstrap
    from readystate.lab.boot_placeholders import put_boot_placeholders
    from readystate.settings import load_settings

    status = lab.client.status()
    settings = load_settings(
        data_dir=wish.state_dir,
        database_url=f"sqlite:///{wish.state_dir / 'readystate.db'}",
        api_host="127.0.0.1",
        api_port=wish.port,
        api_url=f"http://127.0.0.1:{wish.port}",
        ipmi_port=status["ports"]["ipmi"],
        redfish_port=status["ports"]["redfish"],
    )
    put_boot_placeholders(settings.data_dir / bootstrap.BOOT_FILES)
    guide = _Guide(wish, settings, lab)
    # The tour ends the server by SIGTERM; when Ctrl-C was faster, that one must hurt nobody.
    signal.signal(signal.SIGTERM, guide.take_signal)
    with (wish.state_dir / LOG_FILE).open("w") as log:
        bootstrap.serve(settings, say=lambda _line: None, started=guide.start, log_stream=log)
    return guide.end()


@dataclass
class _Guide:
    """Tours the rack in a thread of its own."""

    wish: RackWish
    settings: "Settings"
    lab: "LabProcess"
    _exit_code: int = INTERRUPTED  #: until the tour has come to its end
    _error: BaseException | None = None
    _thread: threading.Thread | None = None
    _is_found: bool = False  #: the CLI of this installation finds us without being told
    _blockers: dict[str, tuple[float, str]] = field(default_factory=dict)

    def start(self) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # our own questions are no news
        self._thread = threading.Thread(target=self._run, name="rack-tour", daemon=True)
        self._thread.start()

    def take_signal(self, _number: int, _frame: FrameType | None) -> None:
        """While no server listens to signals."""
        if self._thread is None:
            raise KeyboardInterrupt

    def end(self) -> int:
        """Once the server has stopped: the exit code. Raises what stopped the tour."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._exit_code

    def _run(self) -> None:
        is_over = True
        try:
            self._exit_code = self._tour()
            is_over = self.wish.once
        except Unreachable:
            is_over = False  # the server was asked to stop before we had finished: Ctrl-C
        except ReadystateError as error:
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            if is_over:
                os.kill(os.getpid(), signal.SIGTERM)

    def _tour(self) -> int:
        from readystate.cli.rack_view import open_view

        token = read_token(self.settings.data_dir / SERVER_TOKEN_FILE)
        target = Target(self.settings.api_url, token)
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        with httpx.Client(
            base_url=target.url, headers=headers, timeout=60.0, trust_env=False
        ) as http:
            tour = RackTour(Api(target, http))
            with open_view() as view:
                scanned_at = self._prepare(tour, view)
                self._is_found = self.wish.port == DEFAULT_PORT and remember_rack(
                    self.settings.api_url, self.settings.data_dir
                )
                state = self._look_on(tour, view)
            # The table stays where it is now; what is said from here on stands below.
            return self._tell_end(tour, view.say, scanned_at, state)

    def _tell_end(
        self, tour: RackTour, say: Callable[[str], None], scanned_at: str, state: str
    ) -> int:
        nodes = tour.nodes()
        self._tell_summary(tour.summary(scanned_at), say)
        unready = [node["name"] for node in nodes if not _is_ready(node)]
        for name in unready:
            say(f"{name} is not ready ({state}):")
            for line in tour.roots(name):
                say(f"    {line}")
        if not self.wish.once:
            self._tell_where(say, nodes)
        return FAILED if unready or not nodes else 0

    def _prepare(self, tour: RackTour, view: "TableView | LineView") -> str:
        """To the commit; returns when the scan began."""
        from readystate.lab.process import read_login

        status = self.lab.client.status()
        view.say(f"{len(status['machines'])} machines at {status['bmc_range']}, powered off")
        login = read_login(self.lab.client.state_dir)
        tour.add_deployment(login.username, login.password)
        for scan in tour.scan(status["bmc_range"]):
            last = scan
        view.say(f"scan: {last['found']} BMCs on {last['total']} addresses")
        nodes = tour.enroll()
        view.say(f"enrolled {len(nodes)} nodes; their discovery begins")
        self._look_on(tour, view, until_s=_DISCOVERY_S)
        plan = tour.commit(tour.propose(nodes))
        view.say(f"planned and committed: {_planned(plan)}")
        return str(last["started_at"])

    def _look_on(
        self, tour: RackTour, view: "TableView | LineView", *, until_s: float = math.inf
    ) -> str:
        """Until nothing moves any more, or for so long; returns the state of the rack."""
        ends_at = time.monotonic() + until_s

        def blocker(name: str) -> str:
            asked_at, text = self._blockers.get(name, (0.0, ""))
            if time.monotonic() - asked_at > _BLOCKER_AGE_S:
                text = tour.blocker(name)
                self._blockers[name] = (time.monotonic(), text)
            return text

        while True:
            state = tour.status()
            view.show(tour.nodes(), blocker)
            if state != "working" or time.monotonic() > ends_at:
                return state
            time.sleep(_POLL_S)

    def _tell_summary(self, summary: Summary, say: Callable[[str], None]) -> None:
        times = sorted(summary.ready_s.values())
        say("")
        if times:
            say(
                f"time to ready: {times[0]:.1f} s first, {times[len(times) // 2]:.1f} s median, "
                f"{times[-1]:.1f} s last; {len(times)} nodes"
            )
        machines = self.lab.client.status()["machines"]
        boots = sorted(machine["ledger"]["boots"] for machine in machines)
        say(f"boots: {sum(boots)}, {boots[0]} to {boots[-1]} a machine; "
            f"runs tried again: {summary.retries}")  # fmt: skip
        say("slowest roles (median, longest):")
        for role, count, median, longest in summary.roles[:_SLOWEST_SHOWN]:
            say(f"    {role:<20} {median:6.2f} s {longest:6.2f} s   {count} runs")

    def _tell_where(self, say: Callable[[str], None], nodes: "Sequence[Node]") -> None:
        settings = self.settings
        first: Node = nodes[0] if nodes else {"name": "node-1", "bmc": []}
        say("")
        say(f"API:   {settings.api_url}/api/v1   docs: {settings.api_url}/docs")
        say(f"token: {settings.data_dir / SERVER_TOKEN_FILE}   "
            f"log: {settings.data_dir / LOG_FILE}")  # fmt: skip
        say("In a second shell:")
        say(f"    . {sys.prefix}/bin/activate")
        if not self._is_found or _finds_another_server():
            say(f"    export READYSTATE_DATA_DIR={settings.data_dir} "
                f"READYSTATE_API_URL={settings.api_url}")  # fmt: skip
        say("    readystate nodes list")
        say(f"    readystate why {first['name']}")
        if first["bmc"]:
            say(f"    readystate lab fault {first['bmc'][0]['address']} unreachable --for 30s")
        say("Ctrl-C ends it.")


def _planned(plan: PlanDigest) -> str:
    fewest, most = plan.fewest_reboots, plan.most_reboots
    reboots = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return (
        f"{plan.runs} runs on {plan.nodes} nodes, {reboots} reboots, "
        f"{plan.destructive} destructive steps on {plan.disks} disks"
    )


def _finds_another_server() -> bool:
    """The CLI, unless told otherwise, would take another server's token."""
    from readystate.cli.running_rack import find_rack
    from readystate.cli.target import find_target

    try:
        target = find_target()
    except ReadystateError:
        return True
    rack = find_rack()
    if rack is None:
        return True
    return target.token != read_token(Path(rack.data_dir) / SERVER_TOKEN_FILE)


def _is_ready(node: "Node") -> bool:
    from readystate.cli.rack_view import is_ready

    return is_ready(node)
