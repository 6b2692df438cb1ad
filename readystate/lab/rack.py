"""A virtual rack that runs: BMCs on the wire, and behind each a simulated machine.

Thousands fit in one process. Nothing in here knows readystate's graph; the machines know only the
URL that firmware would get from DHCP."""

import resource
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from readystate.domain.errors import Conflict, NotFound
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.redfish import RedfishServer
from readystate.lab.bmc.rmcp import RmcpServer
from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.machines.boot_network import BootNetwork
from readystate.lab.machines.live_image import collect_inventory
from readystate.lab.machines.simulated import SimulatedMachine
from readystate.lab.rack_plan import PlannedMachine, RackPlan

#: Requests of all machines to the API at once; more would only wait there.
HTTP_AT_ONCE = 200
#: Open files of one machine at most: two BMC listeners, sessions, ssh and what runs over it.
FILES_PER_MACHINE = 8
SPARE_FILES = 512
_FIRST_IPMI_USER = 2  #: user 1 is the nameless one, IPMI 2.0 section 22.28


@dataclass(frozen=True)
class RackMachine:
    """One machine with its BMC."""

    planned: PlannedMachine
    machine: SimulatedMachine
    bmc: VirtualBmc

    def status(self) -> dict[str, Any]:
        """What it is and does now, as JSON."""
        hardware = self.machine.hardware
        system = self.machine.system
        return {
            "number": self.planned.number,
            "personality": hardware.personality,
            "manufacturer": hardware.manufacturer,
            "model": hardware.model,
            "serial": hardware.serial,
            "bmc_address": self.planned.bmc_address,
            "ssh_address": self.planned.ssh_address,
            "is_on": self.machine.is_on,
            "state": self.machine.state.value,
            "hostname": system.hostname if system is not None else "",
            "faults": [fault.value for fault in Fault if self.bmc.faults.is_active(fault)],
            "ledger": self.ledger(),
        }

    def truth(self) -> dict[str, Any]:
        """What an inventory ought to find, and the last lines of the console."""
        return {
            **self.status(),
            "inventory": collect_inventory(self.machine),
            "bios": dict(self.bmc.bios),
            "volumes": [
                {"name": item.name, "level": item.raid_type, "drives": list(item.drives)}
                for item in self.bmc.volumes
            ],
            "console": list(self.machine.console_lines),
        }

    def ledger(self) -> dict[str, Any]:
        """What was really done, by the BMC and by the machine."""
        of_bmc, of_machine = self.bmc.ledger, self.machine.ledger
        return {
            **asdict(of_bmc),
            "reboots": of_machine.reboots,
            "crashes": of_machine.crashes,
            "power_cuts": of_machine.power_cuts,
            "wipes": len(of_machine.wipes),
            "installs": len(of_machine.installs),
            "boots_by_device": {str(device): n for device, n in of_machine.boots.items()},
            "scripts": {f"{name} {action}": n for (name, action), n in of_machine.scripts.items()},
        }


class Rack:
    """All machines of one plan."""

    def __init__(self, plan: RackPlan, boot_url: str) -> None:
        self.plan = plan
        self.boot_url = boot_url.rstrip("/")
        self.machines: tuple[RackMachine, ...] = ()

    async def start(self) -> None:
        """Put everything on the wire, powered off. Raises Conflict when an address is taken."""
        _allow_open_files(len(self.plan.machines) * FILES_PER_MACHINE + SPARE_FILES)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=HTTP_AT_ONCE), trust_env=False
        )
        network = BootNetwork(self._http, self.boot_url, self.plan.pace)
        self.machines = tuple(self._build(item, network) for item in self.plan.machines)
        self._by_key = dict(_keys(self.machines))
        bmcs = [item.bmc for item in self.machines]
        self._rmcp = RmcpServer(bmcs, port=self.plan.ports.ipmi)
        self._redfish = RedfishServer(bmcs, port=self.plan.ports.redfish)
        try:
            await self._rmcp.start()
            try:
                await self._redfish.start()
            except OSError:
                await self._rmcp.stop()
                raise
        except OSError as error:
            await self._http.close()
            raise Conflict(
                "a BMC of the lab cannot listen",
                why=f"{error.strerror or error}, in network {self.plan.network}",
                hint="choose another network with --network",
            ) from error

    async def stop(self) -> None:
        """Cut the power and close every socket."""
        for item in self.machines:
            await item.machine.close()
        await self._redfish.stop()
        await self._rmcp.stop()
        await self._http.close()

    def find(self, key: str) -> RackMachine:
        """By BMC address, ssh address, serial or number. Raises NotFound."""
        found = self._by_key.get(key)
        if found is None:
            raise NotFound(
                f"no machine of the lab is known as {key!r}",
                hint="name it by BMC address or serial: readystate lab status",
            )
        return found

    def status(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "boot_url": self.boot_url,
            "network": plan.network,
            "bmc_range": plan.bmc_range,
            "ports": asdict(plan.ports),
            "pace": plan.pace,
            "machines": [item.status() for item in self.machines],
        }

    def _build(self, planned: PlannedMachine, network: BootNetwork) -> RackMachine:
        machine = SimulatedMachine(
            planned.hardware,
            network,
            ssh_address=planned.ssh_address,
            ssh_port=self.plan.ports.ssh,
        )
        login = self.plan.login
        users = [BmcUser(_FIRST_IPMI_USER, login.username, login.password.reveal())]
        bmc = VirtualBmc(planned.bmc_address, machine, users, asset_tag=planned.hardware.asset_tag)
        return RackMachine(planned, machine, bmc)


def _keys(machines: tuple[RackMachine, ...]) -> Iterator[tuple[str, RackMachine]]:
    for item in machines:
        planned = item.planned
        for key in (planned.bmc_address, planned.ssh_address, planned.hardware.serial):
            yield key, item
        yield str(planned.number), item


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit of descriptors as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        new_soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (new_soft, hard))
