"""A lab as a process: in the foreground of its own, or started and awaited by somebody else.

The started one runs `python -m readystate.lab`, which brings up nothing else of readystate: a lab
is small, and ready in a moment. Its state folder holds the control socket, the BMC password, and
the log of a lab that was started."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from readystate.domain.errors import Failed
from readystate.domain.secret import Secret
from readystate.lab.control import ControlApi
from readystate.lab.control_client import LabClient, NoLab
from readystate.lab.lab_ports import claim_network, find_ports
from readystate.lab.rack import Rack
from readystate.lab.rack_plan import MIXED, BmcLogin, LabPorts, RackPlan, plan_rack

USERNAME = "admin"
PASSWORD_FILE = "bmc-password"
LOG_FILE = "lab.log"
ENDS_WITH_STDIN = "ends-with-stdin"
#: IPMI 2.0 takes 20 bytes at most (section 22.30); most BMCs take only letters and digits well.
_PASSWORD_BYTES = 9
_START_TIMEOUT_S = 60.0
_POLL_S = 0.02


@dataclass(frozen=True)
class LabWish:
    """What a person may say about a lab."""

    state_dir: Path
    boot_url: str = "http://127.0.0.1:8000"
    nodes: int = 12
    network: str | None = None  #: None: the first free one
    personalities: tuple[str, ...] = MIXED
    pace: float = 1.0
    seed: int = 0
    ipmi_port: int | None = None  #: None: the well-known one where that may be bound
    redfish_port: int | None = None
    ssh_port: int | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"state_dir": str(self.state_dir)})

    @classmethod
    def from_json(cls, text: str) -> "LabWish":
        values = json.loads(text)
        return cls(**values | {
            "state_dir": Path(values["state_dir"]),
            "personalities": tuple(values["personalities"]),
        })  # fmt: skip


def run_lab(
    wish: LabWish, *, on_ready: Callable[[RackPlan], None], ends_with_stdin: bool = False
) -> None:
    """Serve until SIGINT, SIGTERM or a word over the control socket; with `ends_with_stdin` also
    when the other end of standard input is closed, so that a lab never outlives who started it.

    Raises Conflict and BadRequest when it cannot be started."""
    claim = claim_network(wish.network)
    try:
        plan = _plan(replace(wish, network=claim.network))
        asyncio.run(_serve(wish, plan, on_ready, ends_with_stdin=ends_with_stdin))
    finally:
        claim.release()


def _plan(wish: LabWish) -> RackPlan:
    network = wish.network or ""
    found = find_ports(network)
    ports = LabPorts(
        ipmi=wish.ipmi_port or found.ipmi,
        redfish=wish.redfish_port or found.redfish,
        ssh=wish.ssh_port or found.ssh,
    )
    login = BmcLogin(USERNAME, Secret(secrets.token_hex(_PASSWORD_BYTES)))
    return plan_rack(
        wish.nodes,
        network=network,
        ports=ports,
        login=login,
        personalities=wish.personalities,
        pace=wish.pace,
        seed=wish.seed,
    )


async def _serve(
    wish: LabWish, plan: RackPlan, on_ready: Callable[[RackPlan], None], *, ends_with_stdin: bool
) -> None:
    wish.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    rack = Rack(plan, wish.boot_url)
    control = ControlApi(rack, wish.state_dir)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, control.stopped.set)
    await rack.start()
    try:
        await control.start()
        try:
            write_private(wish.state_dir / PASSWORD_FILE, plan.login.password.reveal())
            if ends_with_stdin:
                loop.add_reader(sys.stdin.fileno(), control.stopped.set)
            on_ready(plan)
            await control.stopped.wait()
        finally:
            await control.stop()
    finally:
        await rack.stop()


def write_private(path: Path, text: str) -> None:
    """A file that only its owner may read, from the first moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def read_login(state_dir: Path) -> BmcLogin:
    """What the BMCs of a running lab take."""
    return BmcLogin(USERNAME, Secret((state_dir / PASSWORD_FILE).read_text()))


@dataclass
class LabProcess:
    """A lab that was started by this process."""

    process: "subprocess.Popen[bytes]"
    client: LabClient

    def stop(self) -> None:
        """End it and wait; idempotent."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            self.process.terminate()
        self.process.wait(_START_TIMEOUT_S)


def spawn_lab(wish: LabWish, *, is_detached: bool = False) -> LabProcess:
    """Start a lab in its own process and wait until it answers. It ends with this process unless
    it is detached. Raises Failed with the lab's last words."""
    wish.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = wish.state_dir / LOG_FILE
    arguments = [sys.executable, "-m", "readystate.lab", wish.to_json()]
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 -- ourselves
            arguments if is_detached else [*arguments, ENDS_WITH_STDIN],
            stdin=subprocess.DEVNULL if is_detached else subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for who started us
        )
    client = LabClient(wish.state_dir)
    ends_at = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            raise Failed("the lab did not start", why=_last_words(log_path))
        try:
            if client.status()["pid"] == process.pid:
                return LabProcess(process, client)
        except NoLab:
            pass  # not yet
        time.sleep(_POLL_S)
    process.kill()
    process.wait()
    raise Failed("the lab did not start", why=f"it is silent for {_START_TIMEOUT_S:g} s")


def _last_words(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").strip().splitlines()
    return " ".join(lines[-6:]) or f"see {log_path}"
