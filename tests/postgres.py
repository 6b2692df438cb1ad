"""A PostgreSQL server for one test process: private, on a unix socket only, gone afterwards.

Nothing that runs on the machine is used or disturbed. PostgreSQL refuses root, so root lends the
server an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

START_DEADLINE_S = 60.0  # two seconds on an idle machine; both cores may be busy with tests
UNPRIVILEGED_USERS = ("postgres", "nobody")


class Durability(Enum):
    """What the server does for a commit to outlive a power cut."""

    FORGETFUL = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
    ON_DISK = ()  #: all that it does by itself


@dataclass(frozen=True)
class PostgresServer:
    """A running server; its superuser is `postgres` and needs no password."""

    folder: Path
    programs: Path

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def create_database(self) -> str:
        """The URL of a new empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        command = (self.programs / "createdb", "-h", self.folder, "-U", "postgres", name)
        subprocess.run(command, check=True, capture_output=True)
        return self.url(name)


def server_programs() -> Path:
    """The folder of initdb and postgres: Debian keeps it out of PATH, newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    candidates = [*reversed(versions)]
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve().parent)
    for folder in candidates:
        if (folder / "postgres").exists():
            return folder
    raise FileNotFoundError("PostgreSQL's server programs are not installed: make setup-test")


def start_server(
    durability: Durability = Durability.FORGETFUL,
) -> tuple[PostgresServer, subprocess.Popen[bytes]]:
    """Return a server that answers, and its process. The folder is made under the system's short
    temporary one, because a unix socket's path may have 107 bytes."""
    programs = server_programs()
    folder = Path(tempfile.mkdtemp(prefix="readystate-pg-", dir="/tmp"))
    as_user = _unprivileged(folder)
    data = folder / "data"
    log = folder / "server.log"
    try:
        subprocess.run(
            [
                *(*as_user, programs / "initdb", "-D", data, "-U", "postgres"),
                *("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        with log.open("wb") as log_file:
            process = subprocess.Popen(
                [
                    # Should this process be killed, the kernel stops the server at once.
                    *(*(as_user or ["setpriv"]), "--pdeathsig", "QUIT"),
                    *(programs / "postgres", "-D", data, "-k", folder),
                    *("-c", "listen_addresses=", "-c", "max_connections=200"),
                    *durability.value,
                ],
                stdout=log_file,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        server = PostgresServer(folder, programs)
        _wait_until_ready(server, process, log)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server, process


def stop_server(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    """Stop it whoever is still connected, and leave nothing behind."""
    process.send_signal(signal.SIGINT)  # setpriv has become the server: "fast shutdown"
    try:
        process.wait(timeout=10)
    finally:
        process.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


def _unprivileged(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in UNPRIVILEGED_USERS if name in known)
    shutil.chown(folder, user)
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    asks = (server.programs / "pg_isready", "-q", "-h", server.folder)
    while subprocess.run(asks).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)
