"""What the live image does on a simulated machine: tell the inventory, or install.

It follows the words of `boot_wire` exactly as the real discovery image does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from readystate.lab.hardware import Hardware
from readystate.lab.machines.boot_network import BootNetwork
from readystate.lab.machines.boot_wire import (
    FIRST_BOOT_FILE,
    PLAN_PATH,
    Callback,
)
from readystate.lab.machines.disks import DiskShelf, OsDisk
from readystate.lab.machines.ledger import Install, MachineLedger
from readystate.lab.machines.os_tree import host_key_line, installed_tree
from readystate.lab.machines.virtual_fs import File

WIPE_S, COPY_S = 0.02, 0.2


class InstallRefused(Exception):
    """The plan cannot be carried out on this machine; nothing was touched."""


class LiveMachine(Protocol):
    """What the live image sees of the machine it runs on."""

    @property
    def hardware(self) -> Hardware: ...
    @property
    def ledger(self) -> MachineLedger: ...
    @property
    def shelf(self) -> DiskShelf: ...
    @property
    def bmc_address(self) -> str | None: ...
    def disks(self) -> Sequence[OsDisk]: ...
    def console(self, line: str) -> None: ...


@dataclass(frozen=True)
class Instructions:
    """From the kernel command line."""

    url: str
    token: str


def collect_inventory(machine: LiveMachine) -> dict[str, Any]:
    """The facts of `readystate.domain.inventory.Inventory`, by the same names."""
    hardware = machine.hardware
    return {
        "uuid": hardware.uuid,
        "serial": hardware.serial,
        "manufacturer": hardware.manufacturer,
        "model": hardware.model,
        "cpu_model": hardware.cpu_model,
        "cpu_sockets": hardware.cpu_sockets,
        "cpu_cores": hardware.cpu_sockets * hardware.cpu_cores,
        "memory_bytes": hardware.memory_bytes,
        "bios_version": hardware.bios_version,
        "bmc_version": hardware.bmc_version,
        "bmc_address": machine.bmc_address,
        "nics": [
            {"name": nic.name, "mac": nic.mac, "speed_mbps": nic.speed_mbps, "pci": nic.pci,
             "link": True}
            for nic in hardware.nics
        ],
        "disks": [_disk_facts(disk, machine.shelf) for disk in machine.disks()],
    }  # fmt: skip


def _disk_facts(disk: OsDisk, shelf: DiskShelf) -> dict[str, Any]:
    return {
        "name": disk.name,
        "size_bytes": disk.size_bytes,
        "serial": disk.serial,
        "model": disk.model,
        "rotational": disk.rotational,
        "wwn": disk.wwn,
        "by_path": disk.by_path,
        "blank": shelf.is_blank(disk),
    }


async def discover(
    machine: LiveMachine,
    network: BootNetwork,
    instructions: Instructions,
    *,
    boot_id: str,
    ssh: Mapping[str, Any],
) -> None:
    """Post the inventory. Raises ApiRefused, ApiSilent."""
    body = {"inventory": collect_inventory(machine), "boot_id": boot_id, "ssh": ssh}
    await network.call("POST", instructions.url + Callback.INVENTORY, instructions.token, body)


async def install(
    machine: LiveMachine,
    network: BootNetwork,
    instructions: Instructions,
    *,
    boot_id: str,
    ssh: Mapping[str, Any],
) -> None:
    """Carry out the node's install plan. `ssh` is where this machine answers; what it tells at
    the end has the new system's host key, so that it is known before its first boot.

    Raises InstallRefused when nothing was touched, ApiRefused and ApiSilent."""
    url, token = instructions.url, instructions.token
    plan = await network.call("GET", url + PLAN_PATH, token)
    try:
        disk = _choose_disk(machine, plan)
    except InstallRefused as refusal:
        await network.call("POST", url + Callback.INSTALL_FAILED, token, {"reason": str(refusal)})
        raise
    # No answer, no wipe: the API commits the point of no return before it says yes.
    await network.call("POST", url + Callback.INSTALL_STARTED, token, {"boot_id": boot_id})
    machine.console(f"installer: wiping {disk.name} ({disk.serial})")
    machine.shelf.wipe(disk)
    machine.ledger.wipes.append(disk.serial)
    await network.pause(WIPE_S)
    contents = machine.shelf.begin(disk)
    await network.pause(COPY_S)
    contents.entries = installed_tree(plan, machine.hardware.nics[0].name)
    contents.entries[FIRST_BOOT_FILE] = _first_boot_note(instructions)
    contents.is_bootable = True
    record = Install(disk.serial, plan["bootenv"], plan["hostname"], plan.get("generation"))
    machine.ledger.installs.append(record)
    body = {"boot_id": boot_id, "ssh": {**ssh, "host_key": host_key_line(contents.entries)}}
    await network.call("POST", url + Callback.INSTALLED, token, body)


def _choose_disk(machine: LiveMachine, plan: Any) -> OsDisk:
    """The plan's disk. Raises InstallRefused when it is absent or may not be written."""
    try:
        serial, _ = plan["disk"]["serial"], (plan["bootenv"], plan["hostname"])
    except (KeyError, TypeError) as error:
        raise InstallRefused(f"the install plan is not complete: {error}") from error
    disk = next((disk for disk in machine.disks() if disk.serial == serial), None)
    if disk is None:
        present = ", ".join(disk.serial for disk in machine.disks()) or "none"
        raise InstallRefused(f"no disk with serial {serial} here; present: {present}")
    if plan.get("wipe", "blank") != "any" and not machine.shelf.is_blank(disk):
        raise InstallRefused(f"disk {serial} is not blank and the plan does not say wipe: any")
    return disk


def _first_boot_note(instructions: Instructions) -> File:
    note = {"url": instructions.url, "token": instructions.token}
    return File(json.dumps(note).encode(), 0o600)
