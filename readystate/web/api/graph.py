"""/graph: pictures for Graphviz."""

from typing import Any

from fastapi import APIRouter, Response

from readystate.engine.drawing import draw_deployment, draw_node, draw_roles
from readystate.engine.naming import get_deployment_id, get_node
from readystate.ports.store import Reader
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices

router = APIRouter(prefix="/graph", tags=["graph"])

MEDIA_TYPE = "text/vnd.graphviz"
_DOT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Text for `dot`.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": "digraph {}"}},
    },
    404: {"description": "A name that nothing bears."},
}


class DotResponse(Response):
    media_type = MEDIA_TYPE


@router.get("/roles", summary="The roles in force", responses=_DOT, response_class=DotResponse)
def roles_graph(
    services: WithServices, _caller: WithCaller, deployment: str = "system"
) -> DotResponse:
    def query(reader: Reader) -> str:
        return reader.deployment(get_deployment_id(reader, deployment)).catalog_version

    return DotResponse(draw_roles(services.catalog_of(services.read(query))))


@router.get(
    "/nodes/{name}", summary="The graph of a node", responses=_DOT, response_class=DotResponse
)
def node_graph(name: str, services: WithServices, _caller: WithCaller) -> DotResponse:
    return DotResponse(services.read(lambda reader: draw_node(reader, get_node(reader, name))))


@router.get(
    "/deployments/{name}",
    summary="The graph of a deployment, by role",
    responses=_DOT,
    response_class=DotResponse,
)
def deployment_graph(name: str, services: WithServices, _caller: WithCaller) -> DotResponse:
    return DotResponse(
        services.read(lambda reader: draw_deployment(reader, get_deployment_id(reader, name)))
    )
