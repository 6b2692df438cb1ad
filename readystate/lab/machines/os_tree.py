"""The files of a freshly installed system and of the live image, as far as roles look at them."""

import functools
import re
import uuid
from collections.abc import Mapping
from typing import Any

import asyncssh

from readystate.lab.machines.ssh_server import AUTHORIZED_KEYS, HOST_KEY
from readystate.lab.machines.virtual_fs import Entries, File, plain_tree

_RELEASE = re.compile(r"(?P<id>[a-z]+)[-_]?(?P<version>[0-9.]*)")


@functools.cache
def _shared_tree(bootenv: str) -> Entries:
    """What is the same on every machine with this boot environment; entries are frozen."""
    match = _RELEASE.match(bootenv)
    system, version = (match["id"], match["version"]) if match else ("linux", "")
    release = (
        f'PRETTY_NAME="{system.capitalize()} GNU/Linux {version}"\n'
        f'NAME="{system.capitalize()} GNU/Linux"\nVERSION_ID="{version}"\nID={system}\n'
    )
    programs = ("chronyc", "hostname", "python3", "systemctl", "timedatectl")
    return plain_tree(
        {
            "/etc/os-release": release,
            "/etc/environment": "",
            "/etc/chrony/chrony.conf": "sourcedir /etc/chrony/sources.d\n",
            "/etc/apt/sources.list": "",
            **{f"/usr/bin/{name}": "" for name in programs},
        },
        folders=(
            "/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/etc/chrony/sources.d",
            "/etc/network/interfaces.d", "/etc/profile.d", "/etc/ssh", "/root/.ssh",
            "/var/lib/readystate",
        ),
    )  # fmt: skip


def _ssh_files(authorized_keys: list[str]) -> Entries:
    """A new host key, and who may log in."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return {
        HOST_KEY: File(key.export_private_key("openssh"), 0o600),
        HOST_KEY + ".pub": File(key.export_public_key("openssh")),
        AUTHORIZED_KEYS: File("".join(f"{line}\n" for line in authorized_keys).encode(), 0o600),
    }


def host_key_line(entries: Entries) -> str:
    """The system's public host key as `ssh-ed25519 AAAA...`."""
    entry = entries[HOST_KEY + ".pub"]
    assert isinstance(entry, File)  # noqa: S101 written by _ssh_files
    return " ".join(entry.content.decode().split()[:2])


def live_tree(authorized_key: str) -> Entries:
    """The live image's files: in memory, new at every boot, host key included."""
    return (
        _shared_tree("readystate-live")
        | plain_tree({"/etc/hostname": "readystate-live\n", "/etc/hosts": "127.0.0.1 localhost\n"})
        | _ssh_files([authorized_key])
    )


def installed_tree(plan: Mapping[str, Any], nic: str) -> Entries:
    """What the installer writes for this install plan; `nic` is the one that it booted from."""
    hostname = str(plan["hostname"])
    admin: Mapping[str, Any] = plan.get("admin") or {}
    hosts = f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n"
    return (
        _shared_tree(str(plan["bootenv"]))
        | plain_tree(
            {
                "/etc/hostname": f"{hostname}\n",
                "/etc/hosts": hosts,
                "/etc/machine-id": f"{uuid.uuid4().hex}\n",
                "/etc/resolv.conf": "",
                "/etc/network/interfaces": _interfaces(admin, nic),
            }
        )
        | _ssh_files([str(key) for key in plan.get("authorized_keys", ())])
    )


def _interfaces(admin: Mapping[str, Any], nic: str) -> str:
    lines = ["source /etc/network/interfaces.d/*", "auto lo", "iface lo inet loopback"]
    if admin.get("address"):
        lines += [f"auto {nic}", f"iface {nic} inet static"]
        lines += [f"    address {admin['address']}/{admin.get('prefix_length', 24)}"]
        lines += [f"    gateway {admin['gateway']}"] if admin.get("gateway") else []
    return "\n".join(lines) + "\n"
