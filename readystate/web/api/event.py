"""/events: what happened, as pages and as a live stream."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from readystate.domain.errors import BadRequest
from readystate.domain.ids import NodeId
from readystate.engine.naming import get_node
from readystate.ports.store import Reader
from readystate.web.auth import WithCaller
from readystate.web.deps import After, Limit, Services, WithServices
from readystate.web.events import EventFeed, Wish, event_document
from readystate.web.shape import LARGEST_ID, Page, Shape

router = APIRouter(prefix="/events", tags=["events"])

Kinds = Annotated[list[str] | None, Query(description="Only of these kinds; may be repeated.")]
OfNode = Annotated[str, Query(description="Only those of this node.")]


class EventOut(Shape):
    id: int
    at: datetime
    kind: str
    node_id: int | None
    node_role_id: int | None
    run_id: int | None
    deployment_id: int | None
    actor: str
    cause_id: int | None
    """The event that led to this one."""
    data: dict[str, Any]


@router.get("", summary="List events, oldest first")
def list_events(
    services: WithServices,
    _caller: WithCaller,
    kind: Kinds = None,
    node: OfNode = "",
    after: After = 0,
    limit: Limit = 100,
) -> Page[EventOut]:
    def query(reader: Reader) -> list[EventOut]:
        found = reader.events(
            after=after, limit=limit, kinds=kind or (), node_id=_node_id(reader, node)
        )
        return [EventOut.model_validate(event_document(*item)) for item in found]

    items = services.read(query)
    return Page[EventOut](items=items, next=items[-1].id if len(items) == limit else None)


@router.get(
    "/stream",
    summary="Events as they happen (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Goes on until one side ends it. Starts after `Last-Event-ID`, else "
            "after `after`, else now. A comment comes every 15 s when nothing happens.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'id: 7\nevent: node.enrolled\ndata: {"id":7}\n\n',
                }
            },
        }
    },
)
async def stream_events(
    request: Request,
    services: WithServices,
    _caller: WithCaller,
    kind: Kinds = None,
    node: OfNode = "",
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID, description="An event's id.")] = None,
    last_event_id: Annotated[str | None, Header(description="Set by who reconnects.")] = None,
) -> StreamingResponse:
    feed: EventFeed = request.app.state.feed
    start = _parse_last_id(last_event_id) if last_event_id else after
    if start is None:
        start = await feed.last_id()
    wish = Wish(kinds=kind or (), node_id=await run_in_threadpool(_find_node, services, node))
    return StreamingResponse(
        feed.stream(start, wish),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _parse_last_id(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_ID:
        raise BadRequest("Last-Event-ID is no number", hint="give back the id of an event")
    return int(text)


def _find_node(services: Services, node: str) -> NodeId | None:
    return services.read(lambda reader: _node_id(reader, node))


def _node_id(reader: Reader, node: str) -> NodeId | None:
    return get_node(reader, node).id if node else None
