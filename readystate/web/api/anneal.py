"""/anneal: is everything done? 200 finished, 202 working, 409 failed."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from readystate.engine.naming import get_deployment_id
from readystate.engine.queries import (
    AnnealState,
    AnnealStatus,
    NodeRoleView,
    anneal_status,
    node_role_views,
)
from readystate.ports.store import Reader
from readystate.web.api.node_role import NodeRoleOut
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Shape

router = APIRouter(prefix="/anneal", tags=["anneal"])

_STATUS = {AnnealState.FINISHED: 200, AnnealState.WORKING: 202, AnnealState.FAILED: 409}


class AnnealOut(Shape):
    state: AnnealState
    counts: dict[str, int]
    """Node-roles by state; stale ones apart."""
    failing: list[NodeRoleOut]
    """Those that need a person themselves; at most a hundred."""


@router.get(
    "",
    summary="Anneal status",
    responses={
        202: {"model": AnnealOut, "description": "Something moves, or will by itself."},
        409: {"model": AnnealOut, "description": "Nothing moves any more before a person acts."},
    },
)
def show_anneal_status(
    services: WithServices,
    _caller: WithCaller,
    response: Response,
    deployment: Annotated[str, Query(description="Of this one with all inside it.")] = "",
) -> AnnealOut:
    def query(reader: Reader) -> tuple[AnnealStatus, list[NodeRoleView]]:
        place = get_deployment_id(reader, deployment) if deployment else None
        status = anneal_status(reader, place)
        return status, node_role_views(reader, status.failing, services.progress, services.now())

    status, failing = services.read(query)
    response.status_code = _STATUS[status.state]
    return AnnealOut(
        state=status.state,
        counts=dict(status.counts),
        failing=[NodeRoleOut.of(item) for item in failing],
    )
