"""A machine that boots like a real one, without hardware: firmware, network boot, live image,
installer, installed system with ssh. A thousand of them fit in one process.

The engine never meets anything in here: it sees a BMC, HTTP requests and an ssh server."""

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from readystate.lab.hardware import Hardware
from readystate.lab.machines import live_image
from readystate.lab.machines.boot_network import ApiRefused, ApiSilent, BootNetwork
from readystate.lab.machines.boot_wire import (
    FIRST_BOOT_FILE,
    SSH_KEY_PATH,
    Callback,
    KernelArgument,
    Mode,
    parse_kernel_arguments,
)
from readystate.lab.machines.disks import Contents, DiskShelf, OsDisk, Volume, os_disks
from readystate.lab.machines.firmware import netboot
from readystate.lab.machines.ipxe import BootKernel, BootLocalDisk, ExitToFirmware, FetchFailed
from readystate.lab.machines.ledger import MachineLedger
from readystate.lab.machines.machine import BootChoice, BootDevice, Firmware
from readystate.lab.machines.os_tree import live_tree
from readystate.lab.machines.running_system import RunningSystem, SystemKind
from readystate.lab.machines.ssh_server import SshServer
from readystate.lab.machines.virtual_fs import File, VirtualFs

POST_S, KERNEL_S, SYSTEM_START_S, SHUT_DOWN_S = 0.15, 0.1, 0.15, 0.05
LEAST_SHUT_DOWN_S = 0.02  #: at any pace: for what is still on its way over the wire
NEXT_ROUND_S = 5.0  #: nothing booted: how long until the firmware goes through its devices again
CONSOLE_LINES = 100

log = logging.getLogger(__name__)


class MachineState(StrEnum):
    OFF = "off"
    POST = "post"
    NETBOOT = "netboot"
    SETUP = "setup"  #: the firmware's setup screen, until someone resets
    LIVE_IMAGE = "live-image"
    INSTALLING = "installing"
    RUNNING = "running"  #: the installed system
    NOTHING_BOOTED = "nothing-booted"


@runtime_checkable
class Chassis(Protocol):
    """What a machine sees of its BMC from the inside."""

    address: str
    volumes: Sequence[Volume]


class SimulatedMachine:
    """One machine. `ssh_address` is a loopback address of its own, whatever its admin address."""

    def __init__(
        self,
        hardware: Hardware,
        network: BootNetwork,
        *,
        ssh_address: str,
        ssh_port: int = 22,
    ) -> None:
        self._hardware = hardware
        self._network = network
        self.ssh_address = ssh_address
        self.ssh_port = ssh_port
        self.state = MachineState.OFF
        self.ledger = MachineLedger()
        self.shelf = DiskShelf()
        self.console_lines: deque[str] = deque(maxlen=CONSOLE_LINES)
        self.system: RunningSystem | None = None
        self._firmware: Firmware | None = None
        self._ssh: SshServer | None = None
        self._life: asyncio.Task[None] | None = None

    # -- the Machine protocol --------------------------------------------------------------------

    @property
    def hardware(self) -> Hardware:
        return self._hardware

    @property
    def is_on(self) -> bool:
        return self.state is not MachineState.OFF

    def attach(self, firmware: Firmware) -> None:
        self._firmware = firmware

    async def power_on(self) -> None:
        if not self.is_on:
            self._begin_boot()

    async def power_off(self) -> None:
        if self.is_on:
            self.ledger.power_cuts += self.system is not None
            self._go_dark()

    async def shut_down(self) -> None:
        """The button: heard by a system, not by firmware."""
        if self.system is not None:
            await self._network.pause(SHUT_DOWN_S)
            self._go_dark()

    async def reset(self) -> None:
        if not self.is_on:
            raise ValueError(f"{self.hardware.serial} is off and cannot be reset")
        self._restart()

    def sensors(self) -> Mapping[str, float]:
        spread = int(self.hardware.uuid[:2], 16) % 8  # so that no two machines are quite alike
        busy = self.state in (MachineState.LIVE_IMAGE, MachineState.INSTALLING)
        return {
            "Inlet Temp": 21.0 + spread / 4,
            "CPU1 Temp": (52.0 if busy else 41.0) + spread if self.is_on else 23.0,
            "Fan1": (7200.0 if busy else 4800.0) + 60 * spread if self.is_on else 0.0,
            "PSU1 Power": (290.0 if busy else 165.0) + 5 * spread if self.is_on else 12.0,
        }

    # -- for the lab -----------------------------------------------------------------------------

    def crash(self) -> None:
        """A fault: the machine restarts by itself, with nothing said to anyone."""
        if self.is_on:
            self.ledger.crashes += 1
            self._restart()

    @property
    def bmc_address(self) -> str | None:
        return self._firmware.address if isinstance(self._firmware, Chassis) else None

    def disks(self) -> tuple[OsDisk, ...]:
        """As an operating system sees them now, in the firmware's order."""
        volumes = self._firmware.volumes if isinstance(self._firmware, Chassis) else ()
        return os_disks(self.hardware, volumes)

    def find_installed_file(self, path: str) -> str | None:
        """The text of a file of the installed system, whether it runs or not; None if there is no
        such file, or no system. For tests that ask the machine and not readystate."""
        contents = self.shelf.find_bootable(self.disks())
        files = VirtualFs(contents.entries) if contents is not None else None
        return files.read_text(path) if files is not None and files.exists(path) else None

    def installed_files(self) -> dict[str, str]:
        """Every file of the installed system, by path; for tests likewise."""
        contents = self.shelf.find_bootable(self.disks())
        entries = contents.entries if contents is not None else {}
        return {
            path: entry.content.decode("utf-8", "replace")
            for path, entry in sorted(entries.items())
            if isinstance(entry, File)
        }

    def console(self, line: str) -> None:
        self.console_lines.append(line)

    async def close(self) -> None:
        """End of the lab: power off, and wait until nothing of this machine runs."""
        life = self._life
        self._go_dark()
        if life is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await life

    # -- power and restarts ----------------------------------------------------------------------

    def _begin_boot(self) -> None:
        if self._firmware is None:
            raise ValueError(f"{self.hardware.serial} has no BMC attached")
        self.state = MachineState.POST
        choice = self._firmware.begin_boot()
        self.shelf.forget_lost_media(self.disks())
        self._life = asyncio.get_running_loop().create_task(self._live(choice))

    def _go_dark(self) -> None:
        self.state = MachineState.OFF
        if self._ssh is not None:
            self._ssh.close_now()
            self._ssh = None
        if self.system is not None:
            self.system.stop()
            self.system = None
        if self._life is not None:
            self._life.cancel()
            self._life = None

    def _restart(self) -> None:
        self.ledger.reboots += 1
        self._go_dark()
        self._begin_boot()

    def _shut_down_then(self, action: Callable[[], None], system: RunningSystem) -> None:
        """What `reboot` and `poweroff` ask for; nothing, once that system is gone.

        A program may ask from a thread of its own, and its answer must get out before."""
        loop = self._loop

        def act() -> None:
            if self.system is system:
                action()

        delay_s = max(LEAST_SHUT_DOWN_S, SHUT_DOWN_S * self._network.pace)
        loop.call_soon_threadsafe(loop.call_later, delay_s, act)

    async def _live(self, choice: BootChoice) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            while not await self._boot(choice):
                self.state = MachineState.NOTHING_BOOTED
                await self._network.pause(NEXT_ROUND_S)
        except (ApiRefused, ApiSilent, live_image.InstallRefused) as error:
            self.console(f"stopped: {error}")
        except OSError as error:
            # The loopback address or port is taken: the machine runs, but nobody can log in.
            log.error("lab machine %s cannot listen: %s", self.hardware.serial, error)
            self.console(f"sshd: {error}")

    async def _boot(self, choice: BootChoice) -> bool:
        """Go through the devices once; True when one of them took the machine."""
        self.state = MachineState.POST
        await self._network.pause(POST_S)
        for device in choice.order:
            match device:
                case BootDevice.PXE:
                    if await self._boot_from_network(choice):
                        return True
                case BootDevice.DISK:
                    if await self._boot_from_disk():
                        return True
                case BootDevice.BIOS_SETUP:
                    self.state = MachineState.SETUP
                    return True
                case BootDevice.CDROM | BootDevice.NONE:
                    self.console(f"{device}: nothing to boot")
        return False

    async def _boot_from_network(self, choice: BootChoice) -> bool:
        self.state = MachineState.NETBOOT
        result = await netboot(
            self.hardware,
            self._network,
            uefi=choice.uefi,
            disk_is_bootable=lambda: self.shelf.find_bootable(self.disks()) is not None,
            console=self.console,
        )
        match result:
            case BootKernel(command_line=command_line):
                self.ledger.boots[BootDevice.PXE] += 1
                await self._run_live_image(command_line)
                return True
            case BootLocalDisk():
                return await self._boot_from_disk()
            case ExitToFirmware() | None:
                return False

    # -- systems ---------------------------------------------------------------------------------

    async def _run_live_image(self, command_line: str) -> None:
        arguments = parse_kernel_arguments(command_line)
        mode = arguments.get(KernelArgument.MODE, "")
        if mode not in list(Mode):
            self.console(f"kernel: no {KernelArgument.MODE} that this image knows ({mode!r})")
            return
        url = arguments.get(KernelArgument.URL, "").rstrip("/")
        instructions = live_image.Instructions(url, arguments.get(KernelArgument.TOKEN, ""))
        self.state = MachineState.INSTALLING if mode == Mode.INSTALL else MachineState.LIVE_IMAGE
        await self._network.pause(KERNEL_S)
        ssh = await self._start_live_system(command_line, url)
        assert self.system is not None  # noqa: S101 just started
        work = live_image.install if mode == Mode.INSTALL else live_image.discover
        await work(self, self._network, instructions, boot_id=self.system.boot_id, ssh=ssh)
        if mode == Mode.INSTALL:
            self._shut_down_then(self._restart, self.system)

    async def _start_live_system(self, command_line: str, url: str) -> dict[str, Any]:
        try:
            key = (await self._network.fetch(url + SSH_KEY_PATH)).decode().strip()
        except FetchFailed as error:
            self.console(f"ssh: nobody may log in: {error}")
            key = ""
        return await self._start_system(SystemKind.LIVE, VirtualFs(live_tree(key)), command_line)

    async def _boot_from_disk(self) -> bool:
        contents = self.shelf.find_bootable(self.disks())
        if contents is None:
            self.console("disk: nothing to boot")
            return False
        self.ledger.boots[BootDevice.DISK] += 1
        await self._network.pause(KERNEL_S + SYSTEM_START_S)
        ssh = await self._start_system(SystemKind.INSTALLED, VirtualFs(contents.entries), "")
        self.state = MachineState.RUNNING
        await self._call_home_once(contents, ssh)
        return True

    async def _call_home_once(self, contents: Contents, ssh: dict[str, Any]) -> None:
        """The installed system's first boot; tried again at the next boot if it was cut short."""
        note = contents.entries.get(FIRST_BOOT_FILE)
        if note is None or self.system is None:
            return
        told = json.loads(self.system.fs.read(FIRST_BOOT_FILE))
        body = {"boot_id": self.system.boot_id, "ssh": ssh, "hostname": self.system.hostname}
        await self._network.call("POST", told["url"] + Callback.FIRST_BOOT, told["token"], body)
        contents.entries.pop(FIRST_BOOT_FILE, None)

    async def _start_system(
        self, kind: SystemKind, files: VirtualFs, command_line: str
    ) -> dict[str, Any]:
        """Bring up a system and its ssh server; returns where and as whom ssh answers."""
        files.on_write = lambda path: self.ledger.file_writes.update((path,))
        system = RunningSystem(
            kind=kind,
            fs=files,
            ledger=self.ledger,
            on_reboot=lambda: self._shut_down_then(self._restart, system),
            on_power_off=lambda: self._shut_down_then(self._go_dark, system),
        )
        system.boot(command_line, self.hardware.nics)
        self.system = system
        server = SshServer(system, self.ssh_address, self.ssh_port)
        self._ssh = server
        await server.start()
        return {
            "address": self.ssh_address,
            "port": self.ssh_port,
            "host_key": server.host_key_line,
        }
