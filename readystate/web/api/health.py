"""/healthz and /readyz: for whoever watches the process."""

from fastapi import APIRouter

from readystate.domain.errors import Busy
from readystate.web.deps import WithServices
from readystate.web.shape import Shape

router = APIRouter(tags=["health"])


class HealthOut(Shape):
    status: str = "ok"


@router.get("/healthz", summary="The process answers")
def is_healthy() -> HealthOut:
    return HealthOut()


@router.get(
    "/readyz",
    summary="The database answers and the annealer turns",
    responses={503: {"description": "Not yet, or not any more."}},
)
def is_ready(services: WithServices) -> HealthOut:
    services.read(lambda reader: reader.last_event_id())
    if not services.is_annealing():
        raise Busy("the annealer does not turn", why="it has not started, or has stopped")
    return HealthOut()
