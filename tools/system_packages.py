"""See to the system programs that tests need and pip cannot give: independent peers and
PostgreSQL. Installs what is missing with apt-get when it may, else prints the command to type.
`make rack` needs none of them."""

import os
import shutil
import subprocess
import sys
from glob import glob

#: program -> Debian package that brings it
NEEDED = {
    "ipmitool": "ipmitool",
    "ipmipower": "freeipmi-tools",
    "ipmi_sim": "openipmi",
    "postgres": "postgresql",
    "curl": "curl",
    "dot": "graphviz",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
}


def is_present(program: str) -> bool:
    """Debian keeps PostgreSQL's server programs and some of FreeIPMI out of a user's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return bool(shutil.which(program, path=path) or glob(f"/usr/lib/postgresql/*/bin/{program}"))


def missing_packages() -> list[str]:
    return sorted({package for program, package in NEEDED.items() if not is_present(program)})


def privileged_prefix() -> list[str] | None:
    """How to run a command as root without being asked for a password; None if we cannot."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n"]
    return None


def install(packages: list[str], prefix: list[str]) -> bool:
    # PostgreSQL's package may start a server of its own; tests never use it, but private ones.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    return all(
        subprocess.run([*apt, *words]).returncode == 0
        for words in (["update"], ["install", "-y", "--no-install-recommends", *packages])
    )


def main() -> int:
    packages = missing_packages()
    if not packages:
        return 0
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    prefix = privileged_prefix() if shutil.which("apt-get") else None
    if prefix is not None:
        print(f"==> tests need system packages: {command}", flush=True)
        if install(packages, prefix) and not missing_packages():
            return 0
    print(
        f"tests need programs that are not here; type:\n    sudo {command}\n"
        "(on other systems: the packages that bring "
        f"{', '.join(program for program in NEEDED if not is_present(program))})",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
