"""From sighting to ready with machines that cost nothing: hammers and ssh are in-process fakes, and
the callbacks are posted without a wire. What is left is the engine, the jigs and the store."""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

from bench.anneal import anneal
from bench.bound_store import open_bound
from bench.figure import Figure, at_most
from bench.own_process import measure
from readystate.adapters.boot.templates import BootTemplates
from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.dispatch.local import LocalDispatcher
from readystate.adapters.jigs.calls.registry import shipped_calls
from readystate.adapters.jigs.noop import NoopJig
from readystate.adapters.run_log import FileRunLog
from readystate.adapters.store.sql_store import SqlStore
from readystate.adapters.system_clock import SystemClock
from readystate.domain.ids import RoleName
from readystate.domain.outcome import CheckOutcome, Outcome, Succeeded
from readystate.domain.power import BootDevice
from readystate.domain.secret import Secret
from readystate.domain.sighting import BmcSighting
from readystate.engine.annealer import Annealer
from readystate.engine.boot_desk import BootDesk, CallbackKind
from readystate.engine.commit import write_proposal
from readystate.engine.executor import Executor
from readystate.engine.run_context import Surroundings
from readystate.engine.sightings import enroll_sightings, record_sighting
from readystate.lab.boot_placeholders import put_boot_placeholders
from readystate.ports.jig import RunContext, Ticket
from readystate.ports.store import CredentialSet, Transaction
from readystate.shipped import Shipped, shipped_path
from tests.fakes.hammers import FakeHammer, FakeHammerRegistry, make_inventory

FEW, MANY = 100, 1000
GOAL = RoleName("ready")
_TOKEN = "readystate.token="


def figures(few: int = FEW, many: int = MANY) -> Iterable[Figure]:
    small, large = (measure(bring_up, nodes=nodes).result for nodes in (few, many))
    yield Figure("faked-cpu", large["cpu_each_s"], "CPU-s/node", at_most(0.03))
    growth = large["cpu_each_s"] / small["cpu_each_s"]
    yield Figure("faked-growth", growth, "times", at_most(1.3))


def bring_up(nodes: int) -> Mapping[str, Any]:
    files = AnnotationFiles.read(shipped_path(Shipped.ANNOTATIONS))
    with open_bound(files) as bound, _machines(nodes) as machines:
        annealer = _wire(bound.store, bound.folder, machines)

        def enroll(tx: Transaction) -> None:
            tx.put_credentials(
                CredentialSet("fake", bound.deployment, "admin", Secret("fake"), position=0)
            )
            now = datetime.now(UTC)
            for address in machines.registry.machines:
                seen = BmcSighting(address, ("redfish",), None, "Fake Corp.", "F-1", now)
                record_sighting(tx, seen, {"redfish": None})
            names = dict.fromkeys(machines.registry.machines, "")
            catalog_of = bound.catalog_of
            enrolled = enroll_sightings(
                tx, names, bound.deployment, catalog_of, now, by="bench", goal=GOAL
            )
            assert enrolled.proposal is not None
            write_proposal(tx, enrolled.proposal, catalog_of, now, by="bench")

        began_s = process_time()
        bound.store.write(enroll, kind="commit")
        spent_s = anneal(annealer, bound.is_at_rest)
        return {"cpu_each_s": (process_time() - began_s) / nodes, "spent_s": spent_s}


def _wire(store: SqlStore, folder: Path, machines: "_Machines") -> Annealer:
    """As `bootstrap` does, with fakes where it reaches for the network."""
    clock = SystemClock()
    call = shipped_calls(
        prove=lambda endpoints: [replace(item, credential="fake") for item in endpoints],
        claim=lambda network, node_id, candidates: store.write(
            lambda tx: tx.claim_address(network, node_id, candidates), kind="address"
        ),
        own_key="ssh-ed25519 AAAA bench",
    )
    put_boot_placeholders(folder / "boot")
    desk = BootDesk(
        store,
        clock,
        BootTemplates(shipped_path(Shipped.PXE), folder / "boot"),
        "http://127.0.0.1:8000",
        lambda: annealer.wake(),
    )
    machines.desk = desk
    around = Surroundings(
        store=store,
        clock=clock,
        run_log=FileRunLog(folder / "runs"),
        hammers=machines.registry,
        boot_services=desk.services_for,
        wake=lambda: annealer.wake(),
        show_progress=lambda _run, _text: None,
    )
    executor = Executor(
        {"noop": NoopJig(), "call": call, "script": _FakeScripts()},
        around,
        report=lambda answer: annealer.take(answer),
    )
    dispatcher = LocalDispatcher(executor.carry_out, cancel=executor.cancel)
    annealer = Annealer(store, dispatcher, clock, "bench")
    return annealer


class _FakeScripts:
    """Instead of ssh: every script did at once what it was for."""

    def run(self, _ticket: Ticket, _context: RunContext) -> Outcome:
        return Succeeded()

    def check(self, _ticket: Ticket, _context: RunContext) -> CheckOutcome:
        return Succeeded()

    def stop(self, _ticket: Ticket, _context: RunContext) -> None:
        """Nothing is left running."""


@dataclass
class _BootingHammer(FakeHammer):
    """A machine that netboots when its BMC was told so."""

    booted: "queue.SimpleQueue[_BootingHammer | None]" = field(default_factory=queue.SimpleQueue)

    def _boot(self) -> None:
        super()._boot()
        if self.boot_order[-1] is BootDevice.PXE:
            self.booted.put(self)


@dataclass
class _Machines:
    """What firmware, live image and installer would do, one machine after the other."""

    registry: FakeHammerRegistry
    booted: "queue.SimpleQueue[_BootingHammer | None]"
    desk: BootDesk | None = None

    def run(self) -> None:
        while (machine := self.booted.get()) is not None:
            self._netboot(machine)

    def _netboot(self, machine: _BootingHammer) -> None:
        desk, inventory = self.desk, machine.inventory
        assert desk is not None
        script = desk.script_for(
            mac=inventory.nics[0].mac, uuid=inventory.uuid, serial=inventory.serial, arch="x86_64"
        )
        if _TOKEN not in script:
            return
        token = script.partition(_TOKEN)[2].split()[0]
        said: dict[str, Any] = {"boot_id": f"{inventory.serial}-{machine.boots}"}
        if "readystate.mode=discovery" in script:
            said["inventory"] = asdict(inventory)
            desk.callback(CallbackKind.INVENTORY, token, said)
            return
        plan = desk.plan_for(token)
        desk.callback(CallbackKind.INSTALL_STARTED, token, said)
        desk.callback(CallbackKind.INSTALLED, token, said)
        booted = {
            "boot_id": f"{inventory.serial}-{machine.boots}-disk",
            "hostname": plan["hostname"],
            "ssh": {"address": "127.0.0.1", "port": 22, "host_key": "ssh-ed25519 AAAA"},
        }
        desk.callback(CallbackKind.FIRST_BOOT, token, booted)


@contextmanager
def _machines(count: int) -> Iterator[_Machines]:
    booted: queue.SimpleQueue[_BootingHammer | None] = queue.SimpleQueue()
    registry = FakeHammerRegistry()
    for number in range(1, count + 1):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        made = make_inventory(number)
        inventory = replace(
            made,
            nics=(replace(made.nics[0], mac=mac),),
            disks=(replace(made.disks[0], blank=True),),
        )
        address = f"127.1.{number >> 8}.{number & 255}"
        registry.machines[address] = _BootingHammer(inventory, booted=booted)
    machines = _Machines(registry, booted)
    thread = threading.Thread(target=machines.run, daemon=True)
    thread.start()
    try:
        yield machines
    finally:
        booted.put(None)
        thread.join()
