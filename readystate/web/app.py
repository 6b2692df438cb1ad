"""The web face put together: routes, refusals, documentation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from readystate.web.api import (
    anneal,
    boot,
    catalog,
    credential,
    deployment,
    event,
    explain,
    graph,
    health,
    hold,
    node,
    node_role,
    proposal,
    run,
    sighting,
    why,
)
from readystate.web.body_limit import BodyLimit
from readystate.web.deps import Services
from readystate.web.errors import add_problem_handlers
from readystate.web.events import HEARTBEAT_S, EventFeed
from readystate.web.openapi import build_openapi
from readystate.web.reference import render_reference

WebApp = FastAPI  #: FastAPI's name stays inside the web

API_PREFIX = "/api/v1"
OPENAPI_PATH = f"{API_PREFIX}/openapi.json"

#: In the order in which a newcomer meets them.
_NOUNS = (
    sighting,
    credential,
    node,
    node_role,
    explain,
    why,
    deployment,
    proposal,
    anneal,
    run,
    event,
    hold,
    graph,
    catalog,
)
_TAGS = {
    "sightings": "Find BMCs by scanning, and make nodes of what was seen.",
    "credentials": "With which users BMCs are tried.",
    "nodes": "The machines, from a BMC address to the ready state.",
    "node-roles": "A role bound to a node: what moves.",
    "explain": "What a rule would decide.",
    "why": "Why something does not move, and the smallest fix.",
    "deployments": "Named scopes of nodes, roles and settings.",
    "proposals": "Collect changes, see what they would do, commit.",
    "anneal": "Is everything done?",
    "runs": "One attempt each: input, outcome, log.",
    "events": "What happened, and what happens.",
    "holds": "What a person keeps from starting.",
    "graph": "Pictures for Graphviz.",
    "catalog": "The roles in force, and checking annotation files.",
    "boot": "Where machines ask what to boot.",
    "health": "For whoever watches the process.",
}
_DESCRIPTION = """\
Every path under `/api/v1` wants `Authorization: Bearer TOKEN`; the server prints a token at its
first start. Refusals are `application/problem+json` (RFC 9457) with `what`, `why` and `hint`. Lists
come in pages: give `next` back as `after`.
"""


def create_app(services: Services, *, version: str, heartbeat_s: float = HEARTBEAT_S) -> FastAPI:
    app = FastAPI(
        title="readystate",
        version=version,
        summary="Takes racked machines to the ready state.",
        description=_DESCRIPTION,
        openapi_tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        openapi_url=None,  # ours below
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    app.state.feed = EventFeed(services.store, heartbeat_s=heartbeat_s)
    add_problem_handlers(app)
    app.add_middleware(BodyLimit)
    api = APIRouter(prefix=API_PREFIX)
    for noun in _NOUNS:
        api.include_router(noun.router)
    app.include_router(api)
    app.include_router(boot.router)
    app.include_router(health.router)
    _add_documentation(app)
    app.openapi = lambda: build_openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    looking = asyncio.create_task(app.state.feed.look_forever())
    try:
        yield
    finally:
        await app.state.feed.close()
        await looking


def _add_documentation(app: FastAPI) -> None:
    @app.get(OPENAPI_PATH, include_in_schema=False)
    def openapi_document() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        return HTMLResponse(render_reference(app.openapi(), OPENAPI_PATH), headers=_SAFE)

    @app.get("/", include_in_schema=False)
    def entrance() -> RedirectResponse:
        return RedirectResponse("/docs")


#: The page is ours alone: nothing is loaded from anywhere.
_SAFE: dict[str, Any] = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
