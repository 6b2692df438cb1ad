"""The real engine on the real store, with workers that a test plays by hand, message by message."""

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from readystate.adapters.store.migrations import upgrade
from readystate.adapters.store.sql_store import SqlStore
from readystate.domain.answers import record_effect
from readystate.domain.blockers import blockers
from readystate.domain.deployment import Bind, Change, Proposal, ProposalState
from readystate.domain.errors import Busy, Failed, Invalid, Refused, Stopped, Unreachable
from readystate.domain.graph import Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RunId
from readystate.domain.node import BmcAccess, Node
from readystate.domain.node_role import NodeRole
from readystate.domain.outcome import Errored, NotDone, Pending, Staged, Succeeded
from readystate.domain.role import Epoch, Reboot, Role
from readystate.domain.run import Run
from readystate.engine.annealer import Annealer, Answer, Limits
from readystate.engine.commit import commit_proposal, plan_proposal
from readystate.engine.propagation import Propagation
from readystate.engine.run_context import EngineRunContext, Surroundings, remember_facts
from readystate.ports.dispatch import Message, WorkKind
from readystate.ports.store import Reader, Transaction, Unit, UnitKind
from tests.property.catalogs import RandomCatalog
from tests.property.physical import PhysicalNode

START = datetime(2030, 1, 1, tzinfo=UTC)
ERRORS = (Unreachable, Busy, Failed, Refused, Invalid)


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class HandDispatcher:
    """Holds messages until the test carries them out, loses or doubles them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.cancelled: list[RunId] = []
        self.started: list[Message] = []

    def submit(self, batch: Sequence[Message], transaction: Transaction) -> None:
        def deliver() -> None:
            self.messages.extend(batch)
            self.started.extend(batch)

        transaction.after_commit(deliver)

    def cancel(self, run_id: RunId) -> None:
        self.cancelled.append(run_id)

    def in_flight(self) -> frozenset[RunId]:
        return frozenset(message.run_id for message in self.messages)

    def close(self, *, grace_s: float) -> None:
        del grace_s


_TEMPLATE: list[Path] = []


def _fresh_database(folder: Path) -> str:
    if not _TEMPLATE:
        first = Path(tempfile.mkdtemp(prefix="readystate-template-")) / "template.db"
        upgrade(f"sqlite:///{first}")
        _TEMPLATE.append(first)
    shutil.copy(_TEMPLATE[0], folder / "readystate.db")
    return f"sqlite:///{folder / 'readystate.db'}"


@dataclass
class Tally:
    """What the oracle counts."""

    runs: Counter[NodeRoleId] = field(default_factory=Counter)
    reboots: Counter[NodeId] = field(default_factory=Counter)
    points_of_no_return: Counter[NodeRoleId] = field(default_factory=Counter)
    confirmations: Counter[NodeRoleId] = field(default_factory=Counter)


class World:
    """Two or three nodes, one or two deployments, a random catalog, and physical machines."""

    def __init__(self, random: RandomCatalog, *, nodes: int = 2, deep: bool = False) -> None:
        self.random = random
        self.catalog = random.catalog
        base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="readystate-world-", dir=base))
        self.clock = TestClock()
        self.dispatcher = HandDispatcher()
        self.store = SqlStore(
            _fresh_database(self.folder),
            data_dir=self.folder,
            book_for=lambda version, files: self.catalog,
        )
        self.tally = Tally()
        self.salt: Counter[tuple[str, str]] = Counter()
        self.physical: dict[NodeId, PhysicalNode] = {}
        self.deployment_effects: dict[NodeRoleId, str] = {}
        self.engines = 0
        self.annealer = self.new_engine()
        self.deployments: list[DeploymentId] = []
        self.nodes: list[NodeId] = []
        self.write(lambda tx: self._build(tx, nodes, deep=deep))

    def _build(self, tx: Transaction, count: int, *, deep: bool) -> None:
        tx.add_catalog("v1", {})
        root = tx.add_deployment("system", None, "v1")
        self.deployments.append(root.id)
        if deep:
            self.deployments.append(tx.add_deployment("rack", root.id, "v1").id)
        for i in range(count):
            node = tx.add_node(
                Node(
                    NodeId(0),
                    f"node-{i}",
                    self.deployments[-1],
                    uuid=f"uuid-{i}",
                    serial=f"serial-{i}",
                    boot_id="boot-0",
                    bmc=(BmcAccess("redfish", f"127.0.9.{i}", credential="x"),),
                )
            )
            self.nodes.append(node.id)
            self.physical[node.id] = PhysicalNode()

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- plumbing ----------------------------------------------------------------------------------

    def new_engine(self) -> Annealer:
        """As after a restart: a new owner, the same store."""
        self.engines += 1
        engine = Annealer(
            self.store,
            self.dispatcher,
            self.clock,
            owner=f"engine-{self.engines}",
            limits=Limits(workers=4, batch=8, lease=timedelta(seconds=60)),
        )
        engine.begin()
        return engine

    def write(self, change: Callable[[Transaction], Any]) -> Any:
        return self.store.write(change, kind="test")

    def read(self, query: Callable[[Reader], Any]) -> Any:
        return self.store.read(query)

    def node_roles(self) -> list[NodeRole]:
        return self.read(lambda reader: reader.node_roles(limit=10_000))

    def role_of(self, node_role: NodeRole) -> Role:
        return self.catalog.role(node_role.role)

    def is_barrier(self, node_role: NodeRole) -> bool:
        return node_role.node_id is None and self.role_of(node_role).scope.value == "cluster"

    def whole_graph(self) -> Graph:
        units = {Unit(UnitKind.NODE, item) for item in self.nodes}
        units |= {Unit(UnitKind.VERTEX, it.id) for it in self.node_roles() if it.node_id is None}
        return self.read(lambda reader: reader.load(units))

    # -- intent ------------------------------------------------------------------------------------

    def propose(self, changes: Sequence[Change]) -> Proposal:
        return Proposal(
            id=0,
            deployment_id=self.deployments[-1],
            title="test",
            changes=tuple(changes),
            state=ProposalState.OPEN,
            by="tester",
            created_at=self.clock.now(),
        )

    def plan(self, changes: Sequence[Change]) -> Any:
        proposal = self.propose(changes)
        return self.read(
            lambda reader: plan_proposal(
                reader, proposal, lambda version: self.catalog, self.clock.now()
            )
        )

    def commit(self, changes: Sequence[Change], *, digest: str | None = None) -> Any:
        before = {it.id: it.confirmation for it in self.node_roles()}

        def change(tx: Transaction) -> Any:
            proposal = tx.add_proposal(self.propose(changes))
            return commit_proposal(
                tx,
                proposal,
                lambda version: self.catalog,
                self.clock.now(),
                by="tester",
                digest=digest,
            )

        plan = self.write(change)
        for node_role in self.node_roles():
            given = node_role.confirmation
            if given is not None and given != before.get(node_role.id):
                self.tally.confirmations[node_role.id] += 1
        return plan

    def bind_all(self, roles: Sequence[str], nodes: Sequence[NodeId]) -> Any:
        changes: list[Change] = []
        for name in roles:
            role = self.catalog.role(name)
            if role.scope.value == "deployment":
                changes.append(Bind(role.name))
            else:
                changes += [Bind(role.name, item) for item in nodes]
        return self.commit(changes)

    # -- the annealer and its workers --------------------------------------------------------------

    def turn(self) -> float:
        return self.annealer.turn()

    def settle_turns(self) -> None:
        """Turn until nothing more can start without an answer or time."""
        for _ in range(200):
            before = len(self.dispatcher.started)
            wait_s = self.turn()
            if wait_s > 0 and len(self.dispatcher.started) == before:
                return
        raise AssertionError("the annealer does not come to rest")

    def outcome_value(self, message: Message) -> str:
        ticket = message.ticket
        return hashlib.sha256(
            json.dumps(dict(ticket.input), sort_keys=True, default=str).encode()
        ).hexdigest()[:8]

    def outputs(self, message: Message) -> dict[str, Any]:
        ticket = message.ticket
        role = self.catalog.role(ticket.role)
        node = ticket.node.name if ticket.node else "-"
        salt = self.salt[node, ticket.role]
        text = f"{node}/{ticket.role}/{salt}/{self.outcome_value(message)}"
        number = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 3
        return {item.name: number for item in role.outputs}

    def current_run(self, message: Message) -> Run | None:
        """The run, if this message is the one that counts."""
        run = self.read(lambda reader: reader.run(message.run_id)).run
        if run.dispatch != message.dispatch or not run.has_worker:
            return None
        return run

    def context(self, message: Message) -> EngineRunContext:
        """What the message's jig is given; reaches the store and nothing else."""
        nothing: Any = None
        around = Surroundings(
            self.store,
            self.clock,
            run_log=nothing,
            hammers=nothing,
            boot_services=nothing,
            wake=self.annealer.wake,
            show_progress=nothing,
        )
        return EngineRunContext(around, message)

    def begin_effect(self, message: Message) -> bool:
        """What a jig does right before its irreversible act; False: it may not go on."""

        def mark(graph: Graph) -> Any:
            run = graph.runs.get(message.run_id)
            if run is None or run.dispatch != message.dispatch or not run.has_worker:
                raise Stopped("outdated")
            return record_effect(graph, run, self.clock.now())

        was = self.read(lambda reader: reader.run(message.run_id)).run.effect_recorded
        try:
            self.write(lambda tx: Propagation(tx, self.clock.now()).carry([message.unit], mark))
        except Stopped:
            return False
        ticket = message.ticket
        if ticket is not None and not was and self.catalog.role(ticket.role).is_destructive:
            self.tally.points_of_no_return[ticket.node_role_id] += 1
        return True

    def act(self, message: Message) -> bool:
        """The physical side of a run. False when the jig found that it may not go on."""
        if message.kind is WorkKind.POWER:
            if not self.begin_effect(message):
                return False
            self.reboot(NodeId(message.unit.id))
            return True
        ticket = message.ticket
        if ticket is None or message.kind is not WorkKind.RUN:
            return True
        role = self.catalog.role(ticket.role)
        if (role.raises or role.is_destructive) and not self.begin_effect(message):
            return False
        if ticket.node is None:
            self.deployment_effects[ticket.node_role_id] = self.outcome_value(message)
            return True
        physical = self.physical[ticket.node.id]
        effect = (self.random.lives_in[role.name], self.outcome_value(message))
        if role.reboot is Reboot.SHARED:
            if not self.is_in_place(message):
                physical.staged[role.name] = effect
            return True
        if Epoch.REINSTALL in role.raises:
            physical.reinstall()
        if Epoch.REBOOT in role.raises:
            self.reboot(ticket.node.id)
        physical.effects[role.name] = effect
        return True

    def reboot(self, node_id: NodeId) -> None:
        physical = self.physical[node_id]
        physical.reboot()
        self.tally.reboots[node_id] += 1
        self.observe(node_id, {"boot_id": physical.boot_id})

    def observe(self, node_id: NodeId, facts: dict[str, Any]) -> None:
        self.write(
            lambda tx: Propagation(tx, self.clock.now()).carry(
                [Unit(UnitKind.NODE, node_id)],
                lambda graph: remember_facts(graph, node_id, facts, self.clock.now()),
            )
        )

    def crash(self, node_id: NodeId) -> None:
        """The machine reboots by itself; the next contact tells."""
        self.reboot(node_id)

    def check_answer(self, message: Message) -> Succeeded | NotDone:
        ticket = message.ticket
        role = self.catalog.role(ticket.role)
        if ticket.node is None:
            found = self.deployment_effects.get(ticket.node_role_id)
        else:
            effect = self.physical[ticket.node.id].effects.get(role.name)
            found = effect[1] if effect else None
        if found == self.outcome_value(message):
            return Succeeded(self.outputs(message))
        return NotDone("not in place")

    def is_in_place(self, message: Message) -> bool:
        """Whether the machine is set up as wanted already, so that there is nothing to stage."""
        effect = self.physical[message.ticket.node.id].effects.get(message.ticket.role)
        return effect is not None and effect[1] == self.outcome_value(message)

    def good_answer(self, message: Message) -> Any:
        if message.kind is WorkKind.POWER:
            return Succeeded()
        if message.kind is WorkKind.CHECK:
            return self.check_answer(message)
        if message.kind is WorkKind.STOP:
            if message.ticket is None or not message.effect_recorded:
                return NotDone("stopped")
            return self.check_answer(message)
        role = self.catalog.role(message.ticket.role)
        if role.reboot is Reboot.SHARED and not self.is_in_place(message):
            return Staged()
        return Succeeded(self.outputs(message))

    def answer(self, message: Message, outcome: Any) -> None:
        outputs = "{}"
        if isinstance(outcome, Succeeded) and outcome.outputs:
            outputs = json.dumps(dict(outcome.outputs), sort_keys=True)
        self.annealer.take(
            Answer(message.run_id, message.dispatch, message.unit, outcome, outputs=outputs)
        )

    def carry_out(self, message: Message) -> None:
        """A fault-free worker."""
        self.dispatcher.messages.remove(message)
        if message.kind is WorkKind.RUN and message.ticket is not None:
            self.tally.runs[message.ticket.node_role_id] += 1
        if not self.act(message):
            self.answer(message, Errored(Failed("stopped")))
            return
        self.answer(message, self.good_answer(message))

    def fail(self, message: Message, family: type, *, after_acting: bool) -> None:
        self.dispatcher.messages.remove(message)
        if after_acting and not self.act(message):
            self.answer(message, Errored(Failed("stopped")))
            return
        if message.kind is WorkKind.STOP and family not in (Unreachable, Busy):
            family = Busy
        self.answer(message, Errored(family("planted")))

    def wait_for(self, message: Message, *, deadline_s: float) -> None:
        self.dispatcher.messages.remove(message)
        self.answer(message, Pending("callback", deadline_s))

    def lose(self, message: Message, *, after_acting: bool) -> None:
        """The worker dies with it."""
        self.dispatcher.messages.remove(message)
        if after_acting:
            self.act(message)

    def drain(self, *, most: int = 400) -> None:
        """Fault-free until the graph is quiet: every message carried out, every timer passed."""
        for _ in range(most):
            self.settle_turns()
            if self.dispatcher.messages:
                self.carry_out(self.dispatcher.messages[0])
                continue
            if not self.let_time_pass():
                return
        raise AssertionError("livelock: the graph does not come to rest\n" + self.describe())

    def let_time_pass(self) -> bool:
        """On to the next thing that is due; False when nothing ever will be."""
        due_at = self.write(lambda tx: tx.next_due())
        if due_at is None:
            return False
        if due_at > self.clock.at:
            self.clock.at = due_at
        self.clock.pass_s(0.001)
        return True

    def describe(self) -> str:
        graph = self.whole_graph()
        lines = [repr(self.random)]
        for item in sorted(graph.focus):
            node_role = graph.node_roles[item]
            found = [it.detail for it in blockers(graph, node_role, self.clock.now())]
            lines.append(
                f"{item} n{node_role.node_id} {node_role.role}: {node_role.state}"
                f"{' stale' if node_role.is_stale else ''} unmet={node_role.unmet}"
                f" stuck={node_role.is_stuck}/{node_role.stuck_parents} {found}"
                f" {node_role.error.family if node_role.error else ''}"
            )
        return "\n".join(lines)
