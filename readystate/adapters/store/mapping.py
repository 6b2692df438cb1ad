"""Rows to frozen domain objects and back, one pair of functions for each entity.

Rows are tuples in the order of the tables' columns; what goes out is plain (`bulk`). What runs for
each node-role, edge and event is the hot path: positional, no detours."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.instants import instant_text, optional_instant_text
from readystate.domain.deployment import Deployment
from readystate.domain.events import Event
from readystate.domain.graph import Edge, EdgeKind, Hold, HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName, RunId
from readystate.domain.node import BmcAccess, Epochs, Node
from readystate.domain.node_role import Confirmation, LastError, NodeRole, NodeRoleState
from readystate.domain.role import Lane
from readystate.domain.run import Run, RunKind, RunPhase, StopReason
from readystate.domain.secret import Secret
from readystate.ports.store import Unit, UnitKind

ReadInstant = Callable[[Any], datetime]

# A look into a dictionary costs a fifth of calling the enum.
_STATES = {state.value: state for state in NodeRoleState}
_EDGE_KINDS = {kind.value: kind for kind in EdgeKind}
_RUN_KINDS = {kind.value: kind for kind in RunKind}
_PHASES = {phase.value: phase for phase in RunPhase}
_LANES = {lane.value: lane for lane in Lane}
_STOP_REASONS: dict[str | None, StopReason | None] = {
    None: None,
    **{reason.value: reason for reason in StopReason},
}


def json_text(value: Any) -> str:
    """JSON for what people and logs read: a secret in it becomes `***`."""
    return _encode(value)


def storable_text(text: str) -> str:
    """What hardware and programs say may hold zero characters, which PostgreSQL refuses, and broken
    UTF-8, which both do: a strange answer must not stop the transaction that records it."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _concealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = json.JSONEncoder(separators=(",", ":"), default=_concealed).encode


# -- node-roles ------------------------------------------------------------------------------------


def node_role_of(row: Row, instant: ReadInstant) -> NodeRole:
    first_started_at, not_before, since = row[13], row[14], row[18]
    return NodeRole(
        row[0],
        row[1],
        row[2],
        row[3],
        _STATES[row[4]],
        bool(row[5]),
        bool(row[6]),
        row[7],
        row[8],
        row[9],
        row[10],
        row[11],
        row[12],
        None if first_started_at is None else instant(first_started_at),
        None if not_before is None else instant(not_before),
        row[15],
        None if row[16] is None else _confirmation_of(row[16]),
        None if row[17] is None else _last_error_of(row[17]),
        None if since is None else instant(since),
        row[19],
    )


#: What changes after a node-role was bound; `node_role_changes` gives it, then the id.
NODE_ROLE_CHANGES = (
    *("state", "is_stale", "is_stuck", "unmet", "stuck_parents", "digest", "outputs", "attempts"),
    *("deferrals", "first_started_at", "not_before", "fence", "confirmation", "error", "since"),
    "run_id",
)


def node_role_changes(item: NodeRole) -> Row:
    return (
        item.state.value,
        item.is_stale,
        item.is_stuck,
        item.unmet,
        item.stuck_parents,
        item.digest,
        item.outputs,
        item.attempts,
        item.deferrals,
        None if item.first_started_at is None else instant_text(item.first_started_at),
        None if item.not_before is None else instant_text(item.not_before),
        item.fence,
        None if item.confirmation is None else _confirmation_text(item.confirmation),
        None if item.error is None else _last_error_text(item.error),
        None if item.since is None else instant_text(item.since),
        item.run_id,
        item.id,
    )


def node_role_row(item: NodeRole, node_role_id: int) -> Row:
    return (
        node_role_id,
        item.role,
        item.deployment_id,
        item.node_id,
        *node_role_changes(item)[:-1],
    )


def _confirmation_of(text: str) -> Confirmation:
    value = json.loads(text)
    return Confirmation(
        by=value["by"],
        at=datetime.fromisoformat(value["at"]),
        key=value["key"],
        disks=tuple(value["disks"]),
        wipe_any=value["wipe_any"],
    )


def _confirmation_text(item: Confirmation) -> str:
    return json_text(
        {
            "by": item.by,
            "at": instant_text(item.at),
            "key": item.key,
            "disks": item.disks,
            "wipe_any": item.wipe_any,
        }
    )


def _last_error_of(text: str) -> LastError:
    value = json.loads(text)
    return LastError(
        value["family"],
        value["message"],
        datetime.fromisoformat(value["at"]),
        datetime.fromisoformat(value["since"]),
    )


def _last_error_text(item: LastError) -> str:
    return json_text(
        {
            "family": item.family,
            "message": item.message,
            "at": instant_text(item.at),
            "since": instant_text(item.since),
        }
    )


# -- edges, holds ----------------------------------------------------------------------------------

EDGE_COLUMNS = "parent_id, child_id, kind, reason, is_joining"


@lru_cache(maxsize=50_000)  # a node's edges are read at each of its runs, and hardly ever change
def edge_of(row: Row) -> Edge:
    return Edge(row[0], row[1], _EDGE_KINDS[row[2]], row[3], bool(row[4]))


def edge_row(edge: Edge, *, is_cross: bool) -> Row:
    return (edge.child, edge.parent, edge.kind.value, edge.reason, edge.is_joining, is_cross)


def hold_of(row: Row, instant: ReadInstant) -> Hold:
    return Hold(HoldScope(row[0]), row[1], row[2], instant(row[3]), row[4])


def hold_row(hold: Hold) -> Row:
    return (
        hold.scope.value,
        hold.subject_id,
        hold.by,
        instant_text(hold.at),
        storable_text(hold.reason),
    )


def unit_of(node_id: int | None, node_role_id: int) -> Unit:
    if node_id is None:
        return Unit(UnitKind.VERTEX, node_role_id)
    return Unit(UnitKind.NODE, node_id)


# -- deployments, nodes ----------------------------------------------------------------------------


def deployment_of(row: Row) -> Deployment:
    parent_id = None if row[2] is None else DeploymentId(row[2])
    return Deployment(DeploymentId(row[0]), row[1], parent_id, row[3])


def node_of(row: Row, macs: Sequence[str], instant: ReadInstant) -> Node:
    return Node(
        id=NodeId(row[0]),
        name=row[1],
        deployment_id=DeploymentId(row[2]),
        epochs=Epochs(row[3], row[4], row[5]),
        is_available=bool(row[6]),
        uuid=row[7],
        serial=row[8],
        vendor=row[9],
        model=row[10],
        macs=tuple(macs),
        bmc=bmc_of(row[11]),
        admin_address=row[12],
        ssh_port=row[13],
        ssh_host_key=row[14],
        boot_id=row[15],
        breaker_until=None if row[16] is None else instant(row[16]),
        labels={} if row[17] == "{}" else json.loads(row[17]),
    )


def node_row(node: Node, node_id: int) -> Row:
    return (
        node_id,
        node.name,
        node.deployment_id,
        node.epochs.reboot,
        node.epochs.reinstall,
        node.epochs.hardware_change,
        node.is_available,
        node.uuid,
        node.serial,
        storable_text(node.vendor),
        storable_text(node.model),
        json_text([[item.protocol, item.address, item.port, item.credential] for item in node.bmc]),
        node.admin_address,
        node.ssh_port,
        node.ssh_host_key,
        node.boot_id,
        optional_instant_text(node.breaker_until),
        json_text(dict(node.labels)),
    )


def bmc_of(text: str) -> tuple[BmcAccess, ...]:
    return () if text == "[]" else tuple(BmcAccess(*item) for item in json.loads(text))


# -- runs ------------------------------------------------------------------------------------------


def run_of(row: Row, instant: ReadInstant) -> Run:
    return Run(
        RunId(row[0]),
        _RUN_KINDS[row[1]],
        None if row[2] is None else NodeId(row[2]),
        None if row[3] is None else NodeRoleId(row[3]),
        _PHASES[row[4]],
        _LANES[row[5]],
        row[6],
        row[7],
        row[8],
        None if row[9] is None else instant(row[9]),
        row[10],
        None if row[11] is None else instant(row[11]),
        bool(row[12]),
        row[13],
        None if row[14] is None else instant(row[14]),
        _STOP_REASONS[row[15]],
        None if row[16] is None else instant(row[16]),
        row[17],
        row[18],
        row[19],
    )


def run_row(run: Run, role: RoleName | str, node: str) -> Row:
    return (
        run.id,
        run.kind.value,
        run.node_id,
        run.node_role_id,
        run.phase.value,
        run.lane.value,
        run.fence,
        run.dispatch,
        run.digest,
        optional_instant_text(run.lease_until),
        run.owner,
        optional_instant_text(run.started_at),
        run.effect_recorded,
        run.wake,
        optional_instant_text(run.wake_deadline),
        None if run.stop_reason is None else run.stop_reason.value,
        optional_instant_text(run.not_before),
        run.action,
        run.by,
        storable_text(run.progress),
        role,
        node,
        "",
        "",
        "",
        None,
        "[]",
    )


#: Written by `record_outcome` and when the run begins, not by every save.
RUN_HISTORY = (
    *("role", "node", "outcome", "error_family", "error_message", "finished_at", "hammers"),
)


# -- events ----------------------------------------------------------------------------------------


def event_of(row: Row, instant: ReadInstant) -> Event:
    return Event(
        kind=row[1],
        at=instant(row[2]),
        node_id=row[3],
        node_role_id=row[4],
        run_id=row[5],
        deployment_id=row[6],
        actor=row[7],
        cause_id=row[8],
        data=json.loads(row[9]),
    )


def event_row(event: Event, event_id: int) -> Row:
    return (
        event_id,
        event.kind,
        instant_text(event.at),
        event.node_id,
        event.node_role_id,
        event.run_id,
        event.deployment_id,
        event.actor,
        event.cause_id,
        json_text(event.data) if event.data else "{}",
    )
