"""Carries out one Redfish request on one BMC: credentials, route, preconditions, query, answer.

Knows nothing of sockets. Whatever a handler refuses becomes the vendor's error body here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.personalities.personality import ROOT
from readystate.lab.bmc.redfish_accounts import create_session
from readystate.lab.bmc.redfish_etag import encode, etag_of, is_match, with_etag
from readystate.lab.bmc.redfish_messages import Body, Refusal, not_found
from readystate.lab.bmc.redfish_query import PAGE_SIZE, apply_query
from readystate.lab.bmc.redfish_root import find_task, metadata
from readystate.lab.bmc.redfish_service import Answer, Ask, RedfishService
from readystate.lab.bmc.redfish_sessions import Privilege, authorize
from readystate.lab.bmc.redfish_tree import Route, Tree, Write
from readystate.lab.bmc.virtual_bmc import BmcUser

RETRY_AFTER_S = 5
METADATA = metadata()


@dataclass(frozen=True)
class Request:
    method: str
    target: str  #: path and query, as on the wire
    headers: Mapping[str, str]  #: looked up without regard to case
    content: bytes = field(default=b"", repr=False)  #: may hold a password


@dataclass
class Response:
    status: int
    content: bytes
    headers: dict[str, str]
    answer: Answer | None = None  #: whose `afterwards` is due once this is on the wire


async def respond(service: RedfishService, tree: Tree, request: Request) -> Response:
    try:
        if service.bmc.faults.is_active(Fault.UNAVAILABLE):
            raise Refusal(
                503,
                "ServiceTemporarilyUnavailable",
                (str(RETRY_AFTER_S),),
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        return await _respond(service, tree, request)
    except Refusal as refusal:
        if refusal.key == "ResourceMissingAtURI":
            refusal.arguments = (request.target,)
        content = encode(service.personality.spelling.error(refusal))
        return Response(refusal.status, content, _headers(refusal.headers))


async def _respond(service: RedfishService, tree: Tree, request: Request) -> Response:
    path, _, query = request.target.partition("?")
    path = unquote(path) if "%" in path else path
    if request.headers.get("OData-Version", "4.0") != "4.0":
        raise Refusal(412, "PreconditionFailed")
    if path == f"{ROOT}/$metadata":
        return Response(200, METADATA, _headers({"Content-Type": "application/xml"}))
    found = tree.find(path)
    if found is None:
        _authenticate(service, request)
        raise not_found(path)
    route, ids = found
    if request.method in ("GET", "HEAD") and route.read is not None:
        if not route.is_public:
            authorize(_authenticate(service, request), Privilege.LOGIN)
        return _read(service, tree, found, query)
    if request.method == "POST" and route.is_login:
        return _spell(create_session(service, _parse(request)))
    user = _authenticate(service, request)
    handler = _writer(route, request.method)
    authorize(user, route.needs)
    ask = Ask(user, _parse(request))
    if request.method == "PATCH":
        _check_if_match(service, route, ids, request)
    return _spell(await handler(service, ask, *ids))


def _authenticate(service: RedfishService, request: Request) -> BmcUser:
    return service.sessions.authenticate(
        request.headers.get("X-Auth-Token"), request.headers.get("Authorization")
    )


def _writer(route: Route, method: str) -> Write:
    handlers = {"PATCH": route.patch, "POST": route.post, "DELETE": route.delete}
    handler = handlers.get(method)
    if handler is None:
        raise Refusal(405, "OperationNotAllowed", headers={"Allow": route.allow})
    return handler


def _read(
    service: RedfishService, tree: Tree, found: tuple[Route, tuple[str, ...]], query: str
) -> Response:
    route, ids = found
    body = read_route(service, route, ids)
    headers = _headers({"Allow": route.allow})
    if query or len(body.get("Members", ())) > PAGE_SIZE:
        body = apply_query(
            service,
            lambda path: _read_or_none(service, tree, path),
            body,
            dict(parse_qsl(query, keep_blank_values=True)),
        )
        return Response(200, encode(body), headers)
    encoded = encode(body)
    etag = etag_of(encoded)
    headers["ETag"] = etag
    is_waiting = route.is_monitor and not find_task(service, *ids).state.is_final
    return Response(202 if is_waiting else 200, with_etag(encoded, etag), headers)


def _read_or_none(service: RedfishService, tree: Tree, path: str) -> Body | None:
    """For `$expand`: the resource at a path, or None for what is no resource of its own."""
    found = tree.find(path)
    if found is None or found[0].read is None:
        return None
    return read_route(service, *found)


def read_route(service: RedfishService, route: Route, ids: tuple[str, ...]) -> Body:
    if route.read is None:
        raise not_found()
    return route.read(service, *ids)


def _check_if_match(
    service: RedfishService, route: Route, ids: tuple[str, ...], request: Request
) -> None:
    if_match = request.headers.get("If-Match")
    if if_match is None:
        if route.demands_if_match:
            raise Refusal(428, "PreconditionRequired")
        return
    if not is_match(if_match, etag_of(encode(read_route(service, route, ids)))):
        raise Refusal(412, "PreconditionFailed")


def _parse(request: Request) -> Body:
    """Parse the body of a write; an action without parameters may leave it out."""
    if not request.content:
        return {}
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "UnsupportedMediaType")
    try:
        body = json.loads(request.content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "MalformedJSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, "MalformedJSON")
    return body


def _spell(answer: Answer) -> Response:
    content = b"" if answer.body is None else encode(answer.body)
    headers = _headers(answer.headers) if content else {"OData-Version": "4.0", **answer.headers}
    return Response(answer.status, content, headers, answer)


def _headers(more: Mapping[str, str]) -> dict[str, str]:
    return {
        "Content-Type": "application/json; charset=utf-8",
        "OData-Version": "4.0",
        "Cache-Control": "no-cache",
        **more,
    }
