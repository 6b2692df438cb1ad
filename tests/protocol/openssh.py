"""A private OpenSSH sshd for the tests beside this file: a peer that nobody here wrote."""

import contextlib
import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.protocol.simulated_lab import free_port

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class OpenSsh:
    port: int
    host_key: str
    authorized_keys: Path


def find_sshd() -> str:
    """sshd insists on being started by its full path, and Debian keeps it out of a user's PATH."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert found is not None, "these tests need an OpenSSH server: apt-get install openssh-server"
    return found


@contextlib.contextmanager
def openssh_server(folder: Path, authorized_key: str) -> Iterator[OpenSsh]:
    """As the current user, on a high port, with keys and configuration of its own."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd shuts in its unprivileged half
    host_key = folder / "host_key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)]
    subprocess.run(make, check=True)
    authorized_keys = folder / "authorized_keys"
    authorized_keys.write_text(authorized_key + "\n")
    authorized_keys.chmod(0o600)
    port = free_port(ADDRESS)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {ADDRESS}\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {authorized_keys}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        f"AllowUsers {getpass.getuser()}\n"
    )
    with subprocess.Popen(
        [find_sshd(), "-D", "-e", "-f", str(config)], stderr=(folder / "sshd.log").open("w")
    ) as process:
        try:
            _wait_until_it_listens(process, folder / "sshd.log")
            line = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
            yield OpenSsh(port, line, authorized_keys)
        finally:
            process.terminate()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends_at = time.monotonic() + 10
    while "Server listening" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends_at, log.read_text()
        time.sleep(0.02)
