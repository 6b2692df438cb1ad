"""What a running jig may reach: bound to one message, refuses when the message is outdated."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Protocol

from readystate.domain.answers import record_effect
from readystate.domain.errors import Refused, Stopped, Unsupported
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.inventory import same_uuid
from readystate.domain.node import BmcAccess, Node
from readystate.domain.outcome import Json
from readystate.domain.role import Epoch
from readystate.domain.run import Run, RunPhase
from readystate.domain.settling import move_epochs
from readystate.engine.propagation import Propagation
from readystate.ports.boot_services import BootServices
from readystate.ports.clock import Clock
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.hammer import BmcEndpoint, CapabilityT, HammerRegistry, Hammers
from readystate.ports.run_log import RunLog
from readystate.ports.store import CredentialSet, Extent, Reader, Store, Transaction, UnitKind


class BootServicesFor(Protocol):
    def __call__(self, node_id: NodeId, run_id: RunId) -> BootServices: ...


@dataclass(frozen=True)
class Surroundings:
    """What every run context needs of the process around it."""

    store: Store
    clock: Clock
    run_log: RunLog
    hammers: HammerRegistry
    boot_services: BootServicesFor
    wake: Callable[[], None]
    show_progress: Callable[[RunId, str], None]


class EngineRunContext:
    """The `RunContext` of the jig port."""

    def __init__(self, surroundings: Surroundings, message: Message) -> None:
        self._around = surroundings
        self._message = message
        self._stopped = threading.Event()
        self.ended = threading.Event()  #: its worker is out of the jig
        self._hammers: Hammers | None = None
        self._node: Node | None = None
        self.effect_was_recorded = message.effect_recorded

    @property
    def dispatch(self) -> int:
        return self._message.dispatch

    @property
    def role(self) -> str:
        return self._message.ticket.role if self._message.ticket else "power"

    @property
    def node_name(self) -> str:
        ticket = self._message.ticket
        return ticket.node.name if ticket and ticket.node else ""

    # -- the jig port ------------------------------------------------------------------------------

    def log(self, line: str) -> None:
        self._around.run_log.append(self._message.run_id, line)

    def progress(self, text: str) -> None:
        self._around.show_progress(self._message.run_id, text)

    def check_stopped(self) -> None:
        if self._stopped.is_set():
            raise Stopped("the run was cancelled, or its lease is lost")

    def record_effect(self) -> None:
        self.check_stopped()
        if self.effect_was_recorded:
            return
        now = self._around.clock.now()

        def mark(graph: Graph) -> Iterable[NodeRoleId]:
            return record_effect(graph, self._current_run(graph), now)

        self._change(mark, now, kind="effect")
        self.effect_was_recorded = True

    def remember(self, facts: Mapping[str, Json]) -> None:
        now = self._around.clock.now()
        node_id = self._node_id()

        def note(graph: Graph) -> Iterable[NodeRoleId]:
            self._current_run(graph)
            whole = with_unproven(graph.nodes[node_id], facts)
            return remember_facts(graph, node_id, whole, now)

        def extent(tx: Transaction) -> Extent:
            return extent_of_facts(tx.node(node_id), facts)

        self._change(note, now, kind="facts", extent=extent)
        self._node = None

    def endpoints(self) -> tuple[BmcEndpoint, ...]:
        """Every protocol of the BMC with its proven credential set; with all sets of the scope, in
        order, where none is proven yet."""

        def read(reader: Reader) -> tuple[Node, list[CredentialSet]]:
            node = reader.node(self._node_id())
            return node, reader.credentials(node.deployment_id)

        node, credentials = self._around.store.read(read)
        self._node = node
        return tuple(
            _endpoint(node, access, item)
            for access in node.bmc
            for item in credentials
            if access.credential in (None, item.name)
        )

    def hammers(self) -> Hammers:
        """Raises Refused while nothing is proven: one more login with a set that the BMC may refuse
        would be made without the pause that keeps accounts from being locked."""
        if self._hammers is None:
            endpoints = self.endpoints()
            accesses = self._node.bmc if self._node is not None else ()
            given = {(it.protocol, it.address, it.credential) for it in accesses}
            proven = [it for it in endpoints if (it.protocol, it.address, it.credential) in given]
            if not proven:
                raise Refused(
                    "no credentials of this BMC are proven yet",
                    why=f"{len(endpoints)} may be tried" if endpoints else "none are known for it",
                    hint="bind bmc-managed to the node: it tries them one a minute",
                )
            registry = self._around.hammers
            names = {it.credential for it in proven}
            known = [it for it in endpoints if it.credential in names]
            self._hammers = ProvenFirst(registry.hammers(proven), registry.hammers(known))
        return self._hammers

    def boot(self) -> BootServices:
        return self._around.boot_services(self._node_id(), self._message.run_id)

    # -- the executor ------------------------------------------------------------------------------

    def stop(self) -> None:
        self._stopped.set()

    def hammers_used(self) -> tuple[str, ...]:
        return tuple(self._hammers.used()) if self._hammers is not None else ()

    def breaker_until(self) -> datetime | None:
        if self._node is None:
            return None
        times = [self._around.hammers.breaker_open_until(item.address) for item in self._node.bmc]
        return max((time for time in times if time is not None), default=None)

    # -- inside ------------------------------------------------------------------------------------

    def _change(
        self,
        mutation: Callable[[Graph], Iterable[NodeRoleId]],
        now: datetime,
        *,
        kind: str,
        extent: Callable[[Transaction], Extent] = lambda _: Extent.WHOLE,
    ) -> None:
        unit = self._message.unit

        def change(tx: Transaction) -> None:
            # The run's own answer comes soon, and the node is looked at then.
            Propagation(tx, now, is_quiet=True).carry([unit], mutation, extent(tx))

        self._around.store.write(change, kind=kind)
        self._around.wake()

    def _current_run(self, graph: Graph) -> Run:
        run = graph.runs.get(self._message.run_id)
        if run is None or run.dispatch != self._message.dispatch or not run.has_worker:
            self._stopped.set()
            raise Stopped(f"run {self._message.run_id} has been given to somebody else")
        if run.phase is RunPhase.STOPPING and self._message.kind is not WorkKind.STOP:
            self._stopped.set()
            raise Stopped(f"run {self._message.run_id} is being stopped")
        return run

    def _node_id(self) -> NodeId:
        if self._message.unit.kind is not UnitKind.NODE:
            raise Stopped(f"{self.role} has no node")
        return NodeId(self._message.unit.id)


@dataclass(frozen=True)
class ProvenFirst:
    """The `Hammers` port. What the proven protocols cannot do is asked of the BMC's others, only
    with a set that it has taken already: a refusal brings it nearer to locking the account."""

    proven: Hammers
    every: Hammers

    def pick(self, capability: type[CapabilityT]) -> CapabilityT:
        try:
            return self.proven.pick(capability)
        except Unsupported:
            return self.every.pick(capability)

    def used(self) -> Sequence[str]:
        return tuple(dict.fromkeys((*self.proven.used(), *self.every.used())))


def _endpoint(node: Node, access: BmcAccess, credential: CredentialSet) -> BmcEndpoint:
    return BmcEndpoint(
        address=access.address,
        protocol=access.protocol,
        username=credential.username,
        password=credential.password,
        port=access.port,
        vendor=node.vendor,
        model=node.model,
        credential=credential.name,
    )


def with_unproven(node: Node, facts: Mapping[str, Json]) -> Mapping[str, Json]:
    """`facts` of a jig, whose `bmc` names what it has proven. A protocol that gave no answer this
    time is not lost by that: it is to be proven anew."""
    if "bmc" not in facts:
        return facts
    every = {(it.protocol, it.address): asdict(replace(it, credential=None)) for it in node.bmc}
    every |= {(it["protocol"], it["address"]): it for it in facts["bmc"]}
    return {**facts, "bmc": list(every.values())}


def remember_facts(
    graph: Graph, node_id: NodeId, facts: Mapping[str, Json], now: datetime
) -> list[NodeRoleId]:
    """Store what was learned about the machine itself, and move the epochs that it proves moved:
    another boot id than the last seen is a reboot that nobody recorded, another uuid or serial is
    other hardware."""
    node = graph.nodes[node_id]
    moved = _epochs_proven(node, facts)
    boot_id = facts.get("boot_id", node.boot_id)
    changes = {name: facts[name] for name in _PLAIN_FACTS if name in facts}
    if "macs" in facts:
        changes["macs"] = tuple(facts["macs"])
    if "bmc" in facts:
        changes["bmc"] = tuple(BmcAccess(**item) for item in facts["bmc"])
    if node.uuid is not None and same_uuid(node.uuid, changes.get("uuid", "")):
        changes["uuid"] = node.uuid  # confirmations are bound to this spelling
    if changes:
        node = replace(node, **changes)
        graph.put_node(node)
    looked_at = move_epochs(graph, node_id, moved, now)
    if boot_id != graph.nodes[node_id].boot_id:
        graph.put_node(replace(graph.nodes[node_id], boot_id=boot_id))
    return looked_at


def extent_of_facts(node: Node, facts: Mapping[str, Json]) -> Extent:
    """What must be loaded for `remember_facts`: only epochs reach the node-roles."""
    return Extent.WHOLE if _epochs_proven(node, facts) else Extent.NONE


def _epochs_proven(node: Node, facts: Mapping[str, Json]) -> frozenset[Epoch]:
    moved: set[Epoch] = set()
    if node.boot_id is not None and facts.get("boot_id", node.boot_id) != node.boot_id:
        moved.add(Epoch.REBOOT)
    for name in ("uuid", "serial"):
        known, seen = getattr(node, name), facts.get(name)
        if not known or not seen or seen == known:
            continue
        if name != "uuid" or not same_uuid(seen, known):
            moved.add(Epoch.HARDWARE_CHANGE)
    return frozenset(moved)


_PLAIN_FACTS = (
    "uuid",
    "serial",
    "vendor",
    "model",
    "admin_address",
    "ssh_port",
    "ssh_host_key",
)
