"""/runs: attempts, with what went in, what came of them, and their logs."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from readystate.domain.ids import RunId
from readystate.engine.interventions import cancel
from readystate.engine.naming import get_node, get_node_role
from readystate.engine.queries import Progress
from readystate.ports.store import Reader, RunRecord, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import Limit, WithServices
from readystate.web.shape import LARGEST_ID, Id, Page, Shape, concealed

router = APIRouter(prefix="/runs", tags=["runs"])

NEXT_OFFSET = "X-Next-Offset"
RUN_OPEN = "X-Run-Open"
_ABSENT: dict[int | str, dict[str, Any]] = {404: {"description": "No such run."}}


class RunOut(Shape):
    id: int
    kind: str
    """role, or an action on the node: power, cycle."""
    role: str
    node: str
    """Empty for a vertex of its deployment."""
    node_role: int | None
    phase: str
    open: bool
    lane: str
    attempt: int
    """The fencing number: how often the node-role was started so far."""
    started_at: datetime | None
    finished_at: datetime | None
    outcome: str
    """Empty while open: succeeded, staged, failed, deferred, cancelled, lost, overdue."""
    error_family: str
    error: str
    progress: str
    hammers: list[str]
    """Which were used, as `redfish@10.0.0.7`."""
    past_point_of_no_return: bool
    action: str
    by: str
    input: dict[str, Any]
    """Frozen at the start; without secrets."""

    @classmethod
    def of(cls, record: RunRecord, progress: Progress) -> "RunOut":
        run = record.run
        return cls(
            id=run.id,
            kind=run.kind.value,
            role=record.role,
            node=record.node,
            node_role=run.node_role_id,
            phase=run.phase.value,
            open=run.is_open,
            lane=run.lane.value,
            attempt=run.fence,
            started_at=run.started_at,
            finished_at=record.finished_at,
            outcome=record.outcome,
            error_family=record.error_family,
            error=record.error_message,
            progress=progress.of(run) if run.is_open else "",
            hammers=list(record.hammers),
            past_point_of_no_return=run.effect_recorded,
            action=run.action,
            by=run.by,
            input=concealed(dict(record.input)),
        )


@router.get("", summary="List runs, newest first")
def list_runs(
    services: WithServices,
    _caller: WithCaller,
    node: Annotated[str, Query(description="Only those on this node.")] = "",
    node_role: Annotated[str, Query(description="Only those of this node-role.")] = "",
    open_only: Annotated[bool, Query(description="Only those that are not over.")] = False,
    after: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="The `next` of the page before.")
    ] = None,
    limit: Limit = 100,
) -> Page[RunOut]:
    def query(reader: Reader) -> list[RunRecord]:
        return reader.runs(
            node_id=get_node(reader, node).id if node else None,
            node_role_id=get_node_role(reader, node_role).id if node_role else None,
            open_only=open_only,
            before=after,
            limit=limit,
        )

    found = services.read(query)
    last = found[-1].run.id if len(found) == limit else None
    return Page[RunOut](items=[RunOut.of(it, services.progress) for it in found], next=last)


@router.get("/{run_id}", summary="Show a run", responses=_ABSENT)
def show_run(run_id: Id, services: WithServices, _caller: WithCaller) -> RunOut:
    record = services.read(lambda reader: reader.run(RunId(run_id)))
    return RunOut.of(record, services.progress)


@router.get(
    "/{run_id}/log",
    summary="Text of a run's log from an offset",
    response_class=PlainTextResponse,
    responses={
        **_ABSENT,
        200: {
            "description": "The text as far as there is any.",
            "content": {"text/plain": {"example": "reading the inventory\n"}},
            "headers": {
                NEXT_OFFSET: {
                    "description": "Byte offset to go on from.",
                    "schema": {"type": "integer"},
                },
                RUN_OPEN: {
                    "description": "Whether more may come.",
                    "schema": {"type": "boolean"},
                },
            },
        },
    },
)
def show_log(
    run_id: Id,
    services: WithServices,
    _caller: WithCaller,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID, description="In bytes.")] = 0,
) -> Response:
    # The run is read before its log: whoever is told that it is over has all of it.
    run = services.read(lambda reader: reader.run(RunId(run_id))).run
    text, next_offset = services.run_log.read(run.id, offset=offset)
    headers = {NEXT_OFFSET: str(next_offset), RUN_OPEN: str(run.is_open).lower()}
    return PlainTextResponse(text, headers=headers)


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    summary="Stop a run; its node-role is held afterwards",
    responses={**_ABSENT, 409: {"description": "It is over."}},
)
def cancel_run(run_id: Id, services: WithServices, caller: WithCaller) -> RunOut:
    def change(tx: Transaction) -> RunRecord:
        cancel(tx, RunId(run_id), services.now(), by=caller.name)
        return tx.run(RunId(run_id))

    return RunOut.of(services.write(change, kind="cancel"), services.progress)
