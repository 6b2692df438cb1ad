"""A real `readystate serve` in a process of its own, on a free port, with a small catalog."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_DEADLINE_S = 60.0  # two seconds on an idle machine
STOP_DEADLINE_S = 20.0

ANNOTATIONS = {
    "start": "role: start\nsummary: Begins.\njig: noop\nflags: [discovery]\n",
    "settle": (
        "role: settle\nsummary: Ends.\njig: noop\nflags: [milestone]\nrequires: [start]\n"
        "after: [broken]\n"
    ),
    "broken": (
        "role: broken\nsummary: Cannot run.\ncall: no_such_function\nlane: bmc\nrequires: [start]\n"
    ),
    "needy": (
        "role: needy\nsummary: Wants what nobody set.\njig: noop\n"
        "wants: [{attribute: site/name}]\nattributes: {site/name: {schema: {type: string}}}\n"
    ),
    "private": (
        "role: private\nsummary: Knows a secret.\njig: noop\nwants: [{attribute: site/password}]\n"
        "attributes: {site/password: {schema: {type: string, minLength: 3}, secret: true}}\n"
    ),
    "wiped": (
        "role: wiped\nsummary: Destroys.\ncall: no_such_function\nlane: both\n"
        "flags: [destructive]\nrequires: [start]\n"
    ),
    "names": "role: names\nsummary: Of the site.\njig: noop\nscope: deployment\n",
}


@dataclass(frozen=True)
class Served:
    url: str
    data_dir: Path
    token: str
    pid: int

    def client(self, token: str | None = None) -> httpx.Client:
        """With the token at hand; another one, or none for the empty text."""
        shown = self.token if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return httpx.Client(
            base_url=f"{self.url}/api/v1", headers=headers, trust_env=False, timeout=30
        )

    def environment(self) -> dict[str, str]:
        """For a CLI on the same machine."""
        return {
            **{key: it for key, it in os.environ.items() if not key.startswith("READYSTATE_")},
            "READYSTATE_DATA_DIR": str(self.data_dir),
            "READYSTATE_API_URL": self.url,
            "HOME": str(self.data_dir),
        }


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    annotations = folder / "annotations"
    annotations.mkdir()
    for name, text in ANNOTATIONS.items():
        (annotations / f"{name}.yml").write_text(text)
    with _process(folder, annotations) as (process, url, data_dir):
        _wait_until_ready(process, url, folder / "log")
        token = (data_dir / "api-token").read_text().strip()
        yield Served(url, data_dir, token, process.pid)


@contextmanager
def _process(
    folder: Path, annotations: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    port = free_port()
    data_dir = folder / "data"
    environment = {
        **{key: it for key, it in os.environ.items() if not key.startswith("READYSTATE_")},
        "READYSTATE_ANNOTATIONS_DIR": str(annotations),
        "READYSTATE_LOG_FORMAT": "json",
        "READYSTATE_LOG_LEVEL": "debug",
    }
    command = [sys.executable, "-m", "readystate", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", data_dir], env=environment, stdout=log, stderr=log
        )
    try:
        yield process, f"http://127.0.0.1:{port}", data_dir
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_DEADLINE_S)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def anneal(api: httpx.Client, *, deadline_s: float = 20.0) -> Any:
    """The answer's body once nothing moves any more."""
    deadline = time.monotonic() + deadline_s
    while (answer := api.get("/anneal")).status_code == 202:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.json()


def curl() -> str:
    found = shutil.which("curl")
    assert found is not None, "curl is not installed: make setup-test"
    return found
