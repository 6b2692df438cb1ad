"""/explain: what a rule would decide, place by place."""

from typing import Annotated

from fastapi import APIRouter, Query

from readystate.domain.binding import Candidate
from readystate.engine.intent import explain_bind
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Page, Shape

router = APIRouter(prefix="/explain", tags=["explain"])


class CandidateOut(Shape):
    """One place that was looked at for a required role."""

    role: str
    place: str
    taken: bool
    why: str

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateOut":
        return cls(
            role=candidate.role, place=candidate.place, taken=candidate.taken, why=candidate.why
        )


@router.get(
    "/bind/{role}",
    summary="Where binding a role would find what it needs. It binds nothing",
    responses={
        404: {"description": "No such role, node or deployment."},
        409: {"description": "It cannot be bound there."},
    },
)
def show_bind(
    role: str,
    services: WithServices,
    _caller: WithCaller,
    node: Annotated[str, Query(description="Empty for a role of the deployment.")] = "",
    deployment: Annotated[str, Query(description="Where there is no node.")] = "system",
) -> Page[CandidateOut]:
    found = services.read(
        lambda reader: explain_bind(
            reader, role, node, deployment, services.catalog_of, services.now()
        )
    )
    return Page[CandidateOut](items=[CandidateOut.of(item) for item in found])
