"""Racks for end-to-end tests: `readystate rack` as a person types it, or a lab and a server that a
test drives itself, with the API client of the CLI."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from readystate.cli.client import Api
from readystate.cli.target import Target
from readystate.domain.secret import Secret
from readystate.lab.boot_placeholders import put_boot_placeholders
from readystate.lab.control_client import LabClient
from readystate.lab.process import LabProcess, LabWish, spawn_lab
from tests.e2e.serving import free_port

RACK_DEADLINE_S = 120.0  # ten seconds on an idle machine
STOP_DEADLINE_S = 30.0


def environment(data_dir: Path, url: str) -> dict[str, str]:
    """Of a second shell, with nothing of this one's settings."""
    return {
        **{key: it for key, it in os.environ.items() if not key.startswith("READYSTATE_")},
        "READYSTATE_DATA_DIR": str(data_dir),
        "READYSTATE_API_URL": url,
        "HOME": str(data_dir),
    }


@dataclass(frozen=True)
class Rack:
    """A lab, and a readystate that serves."""

    url: str
    data_dir: Path
    lab: LabClient
    output: Path  #: what the serving process printed
    pids: tuple[int, ...]  #: of both

    @property
    def token(self) -> str:
        return (self.data_dir / "api-token").read_text().strip()

    @contextmanager
    def api(self) -> Iterator[Api]:
        token = Secret(self.token)
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        with httpx.Client(
            base_url=self.url, headers=headers, timeout=60, trust_env=False
        ) as client:
            yield Api(Target(self.url, token), client)

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "readystate", *words],
            env=environment(self.data_dir, self.url),
            capture_output=True,
            text=True,
            timeout=60,
        )


@contextmanager
def rack_command(*words: str) -> Iterator[tuple["subprocess.Popen[str]", Path, str]]:
    """`readystate rack WORDS` under way, with its state folder and the URL of its API."""
    with TemporaryDirectory(prefix="rack-") as folder:  # short: it holds a socket
        port = free_port()
        state_dir = Path(folder) / "state"
        command = [sys.executable, "-m", "readystate", "rack", "--port", str(port)]
        with (Path(folder) / "output").open("w") as output:
            process = subprocess.Popen(
                [*command, "--state-dir", str(state_dir), *words],
                env=environment(Path(folder), "http://127.0.0.1:1"),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process, state_dir, f"http://127.0.0.1:{port}"
        finally:
            end(process)


@contextmanager
def lab_and_server(nodes: int, *, pace: float = 1.0, log_level: str = "debug") -> Iterator[Rack]:
    """A lab with its machines off and nothing enrolled, and `readystate serve` beside it."""
    with TemporaryDirectory(prefix="rack-") as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        data_dir, output = Path(folder) / "data", Path(folder) / "output"
        lab = spawn_lab(LabWish(Path(folder) / "lab", url, nodes=nodes, pace=pace))
        try:
            put_boot_placeholders(data_dir / "boot")
            with _server(lab, port, data_dir, output, log_level) as pid:
                yield Rack(url, data_dir, lab.client, output, (pid, lab.process.pid))
        finally:
            lab.stop()


@contextmanager
def _server(
    lab: LabProcess, port: int, data_dir: Path, output: Path, log_level: str
) -> Iterator[int]:
    ports = lab.client.status()["ports"]
    settings = environment(data_dir, f"http://127.0.0.1:{port}") | {
        "READYSTATE_IPMI_PORT": str(ports["ipmi"]),
        "READYSTATE_REDFISH_PORT": str(ports["redfish"]),
        "READYSTATE_LOG_FORMAT": "json",
        "READYSTATE_LOG_LEVEL": log_level,
    }
    with output.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "readystate", "serve", "--port", str(port)],
            env=settings,
            stdout=said,
            stderr=said,
            text=True,
        )
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), "the server")
        yield process.pid
    finally:
        end(process)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def end(process: "subprocess.Popen[str]") -> None:
    """As Ctrl-C does, and by force if that is not enough."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_DEADLINE_S)
    finally:
        process.kill()
        process.wait()


def wait_for(
    condition: Callable[[], Any], what: str, *, deadline_s: float = RACK_DEADLINE_S
) -> Any:
    """What the condition returned once it was true."""
    ends_at = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < ends_at, f"{what}: not within {deadline_s:g} s"
        time.sleep(0.1)
    return found
