"""What a machine boots next, and what it tells us back (design.md section 7).

Each boot gets a fresh token when its script is fetched, bound to node, run and generation; each
kind of callback spends it once. It ends with the next boot, with another plan, with its run (but
for the boot id of a machine that boots again what its plan still wants) and after a day. Only the
token's hash is stored."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from readystate.domain.answers import record_effect
from readystate.domain.errors import BadRequest, Conflict, NotFound, Refused
from readystate.domain.events import Event
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.node import Node
from readystate.domain.outcome import Json
from readystate.domain.run import Run, RunPhase
from readystate.engine.interventions import raise_wake
from readystate.engine.propagation import Propagation
from readystate.engine.run_context import extent_of_facts, remember_facts
from readystate.ports.boot_services import BootKind, BootRenderer, BootWish
from readystate.ports.clock import Clock
from readystate.ports.store import Extent, Reader, Store, Transaction, Unit, UnitKind

PLANS = "boot-plan"  #: documents by node id
TOKENS = "boot-token"  #: documents by the token's SHA-256

#: No boot takes longer; a token found in an old log or kernel command line opens nothing.
TOKEN_LIFE = timedelta(hours=24)


class CallbackKind(StrEnum):
    INVENTORY = "inventory"
    INSTALL_STARTED = "install-started"  #: the installer is about to write: point of no return
    INSTALLED = "installed"
    INSTALL_FAILED = "install-failed"
    FIRST_BOOT = "first-boot"


#: Callbacks that end what a run waits for; the others only move it on.
_WAKING = frozenset({CallbackKind.INVENTORY, CallbackKind.INSTALL_FAILED, CallbackKind.FIRST_BOOT})
#: Of a run that an installer may still write for: not of one that is being stopped or checked.
_GOING_ON = frozenset({RunPhase.RUNNING, RunPhase.PENDING})


@dataclass(frozen=True)
class BootDesk:
    store: Store
    clock: Clock
    renderer: BootRenderer
    url: str  #: of this API, as nodes reach it
    wake: Callable[[], None]  #: signals the annealer

    # -- asked by jigs -----------------------------------------------------------------------------

    def services_for(self, node_id: NodeId, run_id: RunId) -> "NodeBootServices":
        return NodeBootServices(self, node_id, run_id)

    # -- asked by machines -------------------------------------------------------------------------

    def script_for(self, *, mac: str, uuid: str, serial: str, arch: str) -> str:
        """The iPXE script of this boot. A machine that is not known, or has no plan, boots its
        disk: nothing is ever written to a machine because it asked."""
        now = self.clock.now()
        token = secrets.token_urlsafe(32)

        def issue(tx: Transaction) -> tuple[Node, BootWish] | None:
            node = tx.find_node_by_identity(
                uuid=uuid or None, serial=serial or None, macs=[mac] if mac else []
            )
            plan = tx.document(PLANS, str(node.id)) if node is not None else None
            if node is None or plan is None or plan["kind"] == BootKind.LOCAL:
                _note_boot(tx, node, mac, uuid, serial, arch, now)
                return None
            _issue_token(tx, node, plan, token, now)
            _note_boot(tx, node, mac, uuid, serial, arch, now, kind=plan["kind"])
            return node, _wish_of(plan)

        found = self.store.write(issue, kind="boot-token")
        if found is None:
            return self.renderer.local_script()
        node, wish = found
        values = {"url": self.url, "token": token, "hostname": node.name}
        return self.renderer.script(wish, values)

    def plan_for(self, token: str) -> Mapping[str, Json]:
        """The install plan of the boot that the token belongs to. Raises Refused."""
        now = self.clock.now()

        def read(reader: Reader) -> Mapping[str, Json]:
            known = _known_token(reader, token, now)
            plan = reader.document(PLANS, str(known["node_id"]))
            if plan is None or plan["wanted"] != known["generation"]:
                raise Refused("the boot plan has changed", why="this boot is not wanted any more")
            if plan["plan"] is None:
                raise NotFound("this boot has no install plan")
            return {**plan["plan"], "generation": plan["wanted"]}

        return self.store.read(read)

    def callback(self, kind: CallbackKind, token: str, payload: Mapping[str, Json]) -> None:
        """What a machine tells about the boot that the token belongs to. Raises Refused for a token
        that is unknown or outdated; Conflict when nobody waits any more and
        the machine must not go on."""
        now = self.clock.now()

        def take(tx: Transaction) -> None:
            known = _known_token(tx, token, now)
            run = tx.run(RunId(known["run_id"])).run
            if kind is CallbackKind.INSTALL_STARTED:
                _check_may_write(tx, known, run)  # a repeated one too: its answer lets it write
            if kind.value in known["spent"]:
                return  # our answer was lost on the way: saying it again changes nothing
            _check_is_heard(tx, kind, known, run)
            _put_token(tx, token, {**known, "spent": [*known["spent"], kind.value]})
            self._take(tx, kind, known, payload, now)

        self.store.write(take, kind="callback")
        self.wake()

    def _take(
        self,
        tx: Transaction,
        kind: CallbackKind,
        known: Mapping[str, Json],
        payload: Mapping[str, Json],
        now: datetime,
    ) -> None:
        node_id, run_id = NodeId(known["node_id"]), RunId(known["run_id"])
        run = tx.run(run_id).run

        def note(graph: Graph) -> Iterable[NodeRoleId]:
            yield from remember_facts(graph, node_id, _facts(payload), now)
            if kind is CallbackKind.INSTALL_STARTED:
                yield from record_effect(graph, graph.runs[run_id], now)

        extent = extent_of_facts(tx.node(node_id), _facts(payload))
        if kind is CallbackKind.INSTALL_STARTED:
            extent = Extent.WHOLE  # it moves an epoch
        # Those that end a wait make the node due themselves.
        Propagation(tx, now, actor="node", is_quiet=True).carry(
            [Unit(UnitKind.NODE, node_id)], note, extent
        )
        if kind is CallbackKind.INSTALLED:
            self.put_plan(tx, node_id, run_id, BootWish(BootKind.LOCAL))
        if kind in _WAKING and run.is_open:
            name = known["wake"]
            raise_wake(tx, run_id, name, {**payload, "callback": kind.value}, now)
        tx.append(
            Event(
                kind=f"boot.{kind}",
                at=now,
                node_id=node_id,
                run_id=run_id,
                actor="node",
                data={"generation": known["generation"]},
            )
        )

    def put_plan(self, tx: Transaction, node_id: NodeId, run_id: RunId, wish: BootWish) -> int:
        """Wanted and rendered move together: a wish that cannot be rendered raises Invalid. The
        token of the boot before is void, unless the run that it was issued for only turns the node
        to its own disk: the system that it has installed calls back with that token."""
        self.renderer.check(wish)
        earlier = tx.document(PLANS, str(node_id)) or {}
        generation = _wanted(tx, node_id) + 1
        kept = earlier.get("token")
        goes_on = wish.kind is BootKind.LOCAL and earlier.get("run_id") == run_id
        if kept is not None and not goes_on:
            tx.remove_document(TOKENS, kept)
            kept = None
        tx.put_document(
            PLANS,
            str(node_id),
            {
                "wanted": generation,
                "rendered": generation,
                "kind": wish.kind.value,
                "bootenv": wish.bootenv,
                "plan": dict(wish.plan) if wish.plan is not None else None,
                "wake": wish.wake,
                "run_id": run_id,
                "token": kept,
            },
        )
        return generation


@dataclass(frozen=True)
class NodeBootServices:
    """`BootServices` of one node and run."""

    desk: BootDesk
    node_id: NodeId
    run_id: RunId

    def want(self, wish: BootWish) -> int:
        def put(tx: Transaction) -> int:
            return self.desk.put_plan(tx, self.node_id, self.run_id, wish)

        return self.desk.store.write(put, kind="boot-plan")

    def is_rendered(self, generation: int) -> bool:
        plan = self.desk.store.read(lambda reader: reader.document(PLANS, str(self.node_id)))
        return plan is not None and plan["rendered"] == generation == plan["wanted"]


def _wanted(reader: Reader, node_id: NodeId) -> int:
    plan = reader.document(PLANS, str(node_id))
    return int(plan["wanted"]) if plan is not None else 0


def _wish_of(plan: Mapping[str, Json]) -> BootWish:
    return BootWish(
        kind=BootKind(plan["kind"]),
        bootenv=plan["bootenv"],
        plan=plan["plan"],
        wake=plan["wake"],
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _put_token(tx: Transaction, token: str, document: Mapping[str, Json]) -> None:
    tx.put_document(TOKENS, _hash(token), document)


def _issue_token(
    tx: Transaction, node: Node, plan: Mapping[str, Json], token: str, now: datetime
) -> None:
    """A new boot voids the token of the one before."""
    earlier = plan.get("token")
    if earlier is not None:
        tx.remove_document(TOKENS, earlier)
    tx.put_document(PLANS, str(node.id), {**plan, "token": _hash(token)})
    _put_token(
        tx,
        token,
        {
            "node_id": node.id,
            "run_id": plan["run_id"],
            "generation": plan["wanted"],
            "wake": plan["wake"],
            "spent": [],
            "issued_at": now.isoformat(),
        },
    )


def _known_token(reader: Reader, token: str, now: datetime) -> dict[str, Json]:
    known = reader.document(TOKENS, _hash(token)) if token else None
    if known is None or now >= datetime.fromisoformat(known["issued_at"]) + TOKEN_LIFE:
        raise Refused(
            "the callback token is not valid",
            why="it is unknown or too old, or another boot of the node was planned or began since",
        )
    return known


def _check_may_write(reader: Reader, known: Mapping[str, Json], run: Run) -> None:
    """Raises Conflict unless the very boot is still wanted, by a run that goes on."""
    refused = "this installation is not wanted any more"
    if run.phase not in _GOING_ON:
        raise Conflict(refused, why=f"its run is {run.phase}")
    if known["generation"] != _wanted(reader, NodeId(known["node_id"])):
        raise Conflict(refused, why="another boot is planned")


def _check_is_heard(
    reader: Reader, kind: CallbackKind, known: Mapping[str, Json], run: Run
) -> None:
    """Raises Refused when the run is over, unless a machine that boots again what its plan still
    wants only tells of itself: a boot id that nobody has seen is a reboot that nobody recorded."""
    is_current = known["generation"] == _wanted(reader, NodeId(known["node_id"]))
    if not run.is_open and not (kind is CallbackKind.INVENTORY and is_current):
        raise Refused("nobody listens to this boot any more", why=f"run {run.id} is over")


def _facts(payload: Mapping[str, Json]) -> dict[str, Json]:
    """What any callback may tell about the machine itself."""
    facts: dict[str, Json] = {}
    if isinstance(payload.get("boot_id"), str):
        facts["boot_id"] = payload["boot_id"]
    ssh = payload.get("ssh")
    if isinstance(ssh, Mapping):
        try:
            facts["admin_address"] = str(ssh["address"])
            facts["ssh_port"] = int(ssh.get("port", 22))
            facts["ssh_host_key"] = str(ssh["host_key"])
        except (KeyError, ValueError, TypeError) as error:
            raise BadRequest("the callback's ssh part is not usable", why=repr(error)) from error
    return facts


def _note_boot(
    tx: Transaction,
    node: Node | None,
    mac: str,
    uuid: str,
    serial: str,
    arch: str,
    now: datetime,
    *,
    kind: str = BootKind.LOCAL.value,
) -> None:
    tx.append(
        Event(
            kind="boot.asked",
            at=now,
            node_id=node.id if node is not None else None,
            actor="node",
            data={"mac": mac, "uuid": uuid, "serial": serial, "arch": arch, "boots": kind},
        )
    )
