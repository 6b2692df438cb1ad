"""/node-roles: the vertices of the graph, and what a person may do to one."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from readystate.domain.blockers import Blocker
from readystate.domain.errors import Conflict
from readystate.domain.graph import HoldScope
from readystate.domain.ids import NodeRoleId
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.engine.interventions import accept, cancel, confirm, hold, resume, retry
from readystate.engine.naming import get_deployment_id, get_node, get_node_role
from readystate.engine.queries import NodeRoleView, node_role_views
from readystate.ports.store import Reader, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import After, Limit, Services, WithServices
from readystate.web.shape import Page, Shape, Truth, concealed

#: A path may hold a slash: `node-7/ntp-client`, `system/dns-service`, or a number.
router = APIRouter(prefix="/node-roles", tags=["node-roles"])

_ABSENT: dict[int | str, dict[str, Any]] = {404: {"description": "No such node-role."}}
_MOVED: dict[int | str, dict[str, Any]] = {
    **_ABSENT,
    409: {"description": "Its state does not allow it; the hint says what it allows."},
}


class BlockerOut(Shape):
    """One reason why a node-role does not move."""

    kind: str
    owner: str
    """Who can take it away: operator, bmc, timer, run, or node-role."""
    detail: str
    node_role: str
    """Whose way it stands in."""
    since: datetime | None
    until: datetime | None
    parent: int | None
    """The node-role that it waits for."""
    run: int | None
    family: str
    """The error family behind it."""
    by: str

    @classmethod
    def of(cls, blocker: Blocker, *, node_role: str) -> "BlockerOut":
        return cls(
            kind=blocker.kind.value,
            owner=blocker.owner.value,
            detail=blocker.detail,
            node_role=node_role,
            since=blocker.since,
            until=blocker.until,
            parent=blocker.node_role_id,
            run=blocker.run_id,
            family=blocker.family,
            by=blocker.by,
        )


class ErrorOut(Shape):
    family: str
    """It decides what happens next: unreachable, busy, refused, unsupported, invalid, failed."""
    message: str
    at: datetime


class NodeRoleOut(Shape):
    id: int
    path: Annotated[str, Field(examples=["node-7/ntp-client"])]
    role: str
    node: str
    """Empty for a vertex of its deployment."""
    deployment: str
    summary: str
    flags: list[str]
    state: NodeRoleState
    stale: bool
    """Done, but its inputs may have moved."""
    drifted: bool
    """Destructive work that is done with other wants than now; it stays as it is."""
    settled: bool
    since: datetime | None
    attempts: int
    confirmed: bool
    disks: list[str]
    """Of destructive work: serials of the disks that a yes given now would be for."""
    error: ErrorOut | None
    blockers: list[BlockerOut]
    outputs: dict[str, Any]
    run: int | None
    """The open run."""
    progress: str
    """What that run is doing."""

    @classmethod
    def of(cls, view: NodeRoleView) -> "NodeRoleOut":
        item = view.node_role
        path = f"{view.node or view.deployment}/{item.role}"
        return cls(
            id=item.id,
            path=path,
            role=item.role,
            node=view.node,
            deployment=view.deployment,
            summary=view.summary,
            flags=list(view.flags),
            state=item.state,
            stale=item.is_stale,
            drifted=view.is_drifted,
            settled=item.is_settled,
            since=item.since,
            attempts=item.attempts,
            confirmed=item.confirmation is not None,
            disks=list(view.disks),
            error=_error(item),
            blockers=[BlockerOut.of(it, node_role=path) for it in view.blockers],
            outputs=concealed(dict(view.outputs)),
            run=view.run.run_id if view.run else None,
            progress=view.run.progress if view.run else "",
        )


def _error(item: NodeRole) -> ErrorOut | None:
    if item.error is None:
        return None
    return ErrorOut(family=item.error.family, message=item.error.message, at=item.error.at)


class ConfirmIn(Shape):
    wipe_any: Truth = False
    """Also a disk that was not seen and is not blank may be written."""


class ReasonIn(Shape):
    reason: str = ""


@router.get("", summary="List node-roles")
def list_node_roles(
    services: WithServices,
    _caller: WithCaller,
    node: Annotated[str, Query(description="Only those on this node.")] = "",
    deployment: Annotated[str, Query(description="Only those of this deployment.")] = "",
    role: Annotated[str, Query(description="Only of this role.")] = "",
    state: Annotated[
        NodeRoleState | Literal["stale"] | None, Query(description="Only in this state.")
    ] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[NodeRoleOut]:
    def query(reader: Reader) -> list[NodeRoleView]:
        found = reader.node_roles(
            node_id=get_node(reader, node).id if node else None,
            deployment_id=get_deployment_id(reader, deployment) if deployment else None,
            role=role or None,
            state=state,
            after=after,
            limit=limit,
        )
        return node_role_views(reader, found, services.progress, services.now())

    views = services.read(query)
    last = views[-1].node_role.id if len(views) == limit else None
    return Page[NodeRoleOut](items=[NodeRoleOut.of(view) for view in views], next=last)


@router.post("/{path:path}/retry", summary="Try again what stopped with an error", responses=_MOVED)
def retry_node_role(path: str, services: WithServices, caller: WithCaller) -> NodeRoleOut:
    return _changed(
        services, path, lambda tx, item: retry(tx, item, services.now(), by=caller.name)
    )


@router.post("/{path:path}/confirm", summary="Say yes to one destructive act", responses=_MOVED)
def confirm_node_role(
    path: str, body: ConfirmIn, services: WithServices, caller: WithCaller
) -> NodeRoleOut:
    return _changed(
        services,
        path,
        lambda tx, item: confirm(tx, item, services.now(), by=caller.name, wipe_any=body.wipe_any),
    )


@router.post("/{path:path}/accept", summary="Take done work as it is", responses=_MOVED)
def accept_node_role(path: str, services: WithServices, caller: WithCaller) -> NodeRoleOut:
    return _changed(
        services, path, lambda tx, item: accept(tx, item, services.now(), by=caller.name)
    )


@router.post("/{path:path}/cancel", summary="Stop its run; it is held afterwards", responses=_MOVED)
def cancel_node_role(path: str, services: WithServices, caller: WithCaller) -> NodeRoleOut:
    def change(tx: Transaction, item: NodeRoleId) -> None:
        run_id = tx.node_role(item).run_id
        if run_id is None:
            raise Conflict(f"{path} has no run to cancel", hint="hold it to keep it from starting")
        cancel(tx, run_id, services.now(), by=caller.name)

    return _changed(services, path, change)


@router.post("/{path:path}/hold", summary="Keep it from starting", responses=_ABSENT)
def hold_node_role(
    path: str, body: ReasonIn, services: WithServices, caller: WithCaller
) -> NodeRoleOut:
    def change(tx: Transaction, item: NodeRoleId) -> None:
        now = services.now()
        hold(tx, HoldScope.NODE_ROLE, item, now, by=caller.name, reason=body.reason)

    return _changed(services, path, change)


@router.post("/{path:path}/resume", summary="Lift its hold", responses=_ABSENT)
def resume_node_role(path: str, services: WithServices, caller: WithCaller) -> NodeRoleOut:
    return _changed(
        services,
        path,
        lambda tx, item: resume(tx, HoldScope.NODE_ROLE, item, services.now(), by=caller.name),
    )


@router.get("/{path:path}", summary="Show a node-role", responses=_ABSENT)
def show_node_role(path: str, services: WithServices, _caller: WithCaller) -> NodeRoleOut:
    return services.read(lambda reader: _shown(services, reader, get_node_role(reader, path)))


def _changed(
    services: Services, path: str, change: Callable[[Transaction, NodeRoleId], None]
) -> NodeRoleOut:
    def both(tx: Transaction) -> NodeRoleOut:
        item = get_node_role(tx, path).id
        change(tx, item)
        return _shown(services, tx, tx.node_role(item))

    return services.write(both, kind="intervention")


def _shown(services: Services, reader: Reader, item: NodeRole) -> NodeRoleOut:
    return NodeRoleOut.of(node_role_views(reader, [item], services.progress, services.now())[0])
