"""Refusals as RFC 9457 problems: one table from class to status. No other module of the web names
a status of failure."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from readystate.domain.errors import (
    AnnotationsInvalid,
    AttributeMissing,
    BadRequest,
    Busy,
    Conflict,
    Failed,
    Invalid,
    InvalidTransition,
    NotFound,
    ReadystateError,
    Refused,
    Stopped,
    Unreachable,
    Unsupported,
)
from readystate.engine.access import Unauthenticated
from readystate.web.shape import Shape

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:readystate:problem:"

#: The nearest class up the inheritance counts. Who acts: 4xx the caller, 5xx we or the site.
STATUSES: Mapping[type[ReadystateError], int] = {
    Unauthenticated: 401,
    BadRequest: 400,
    NotFound: 404,
    Conflict: 409,
    InvalidTransition: 409,
    AttributeMissing: 409,
    Stopped: 409,
    AnnotationsInvalid: 422,
    # What a node, its BMC or its boot token answered:
    Refused: 403,
    Invalid: 422,
    Unsupported: 422,
    Failed: 502,
    Busy: 503,
    Unreachable: 504,
    # Ours, or the database's:
    ReadystateError: 500,
}


class FieldProblem(Shape):
    where: str
    """Path of the value: `body.username`, `query.limit`; or `file:line`."""
    what: str


class Problem(Shape):
    """Why a request was refused (RFC 9457), in the house's three parts: what, why, hint."""

    type: str
    """Stable name of the kind of refusal."""
    title: str
    status: int
    what: str
    """What failed, with the names of things."""
    why: str = ""
    hint: str = ""
    """What to do about it."""
    instance: str = ""
    """The path that was asked."""
    errors: tuple[FieldProblem, ...] = ()
    """Every wrong value, where the request itself does not fit."""


def status_of(error: ReadystateError) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def add_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ReadystateError, _refused)
    app.add_exception_handler(RequestValidationError, _unfitting)
    app.add_exception_handler(HTTPException, _by_framework)
    app.add_exception_handler(Exception, _defect)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ReadystateError)  # noqa: S101 - as it was registered
    status = status_of(error)
    if status >= 500:
        log.warning("request failed", extra={"path": request.url.path, "error": str(error)})
    kind = _kind_of(error)
    found = error.problems if isinstance(error, AnnotationsInvalid) else ()
    problem = Problem(
        type=TYPE_PREFIX + kind,
        title=kind.replace("-", " ").capitalize(),
        status=status,
        what=error.what,
        why=error.why,
        hint=error.hint,
        instance=request.url.path,
        errors=tuple(FieldProblem(where=f"{it.file}:{it.line}", what=str(it)) for it in found),
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return _answer(problem, headers)


def _kind_of(error: ReadystateError) -> str:
    """The class of the table, spelt for URLs: `invalid-transition`."""
    kind = next(kind for kind in type(error).__mro__ if kind in STATUSES)
    if kind is ReadystateError:
        return "internal"
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in kind.__name__)[1:]


def _unfitting(request: Request, error: Exception) -> JSONResponse:
    """The value itself is not repeated: it may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
    found = tuple(
        FieldProblem(where=".".join(map(str, item["loc"])), what=str(item["msg"]))
        for item in error.errors()
    )
    problem = Problem(
        type=TYPE_PREFIX + "request-invalid",
        title="Request invalid",
        status=422,
        what=f"{request.method} {request.url.path}: the request does not fit",
        why="; ".join(f"{item.where}: {item.what}" for item in found),
        hint="see /docs for what is expected",
        instance=request.url.path,
        errors=found,
    )
    return _answer(problem)


def _by_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    if error.status_code == 400:
        return _unreadable(request)
    unknown = error.status_code == 404
    detail = str(error.detail)
    problem = Problem(
        type=TYPE_PREFIX + detail.lower().replace(" ", "-"),
        title=detail,
        status=error.status_code,
        what=f"{request.method} {request.url.path}: {detail.lower()}",
        why="no such path" if unknown else "",
        hint="see /docs for all paths and methods",
        instance=request.url.path,
    )
    return _answer(problem, error.headers)


def _unreadable(request: Request) -> JSONResponse:
    problem = Problem(
        type=TYPE_PREFIX + "request-invalid",
        title="Request invalid",
        status=400,
        what=f"{request.method} {request.url.path}: the body cannot be read",
        why="it is no text in UTF-8",
        hint="send JSON (RFC 8259)",
        instance=request.url.path,
    )
    return _answer(problem)


def too_large(path: str, most_bytes: int) -> JSONResponse:
    problem = Problem(
        type=TYPE_PREFIX + "too-large",
        title="Too large",
        status=413,
        what=f"{path}: the body is too large",
        why=f"at most {most_bytes} bytes are read",
        hint="send it in parts",
        instance=path,
    )
    return _answer(problem)


def _defect(request: Request, error: Exception) -> JSONResponse:
    log.error("internal error", extra={"path": request.url.path}, exc_info=error)
    problem = Problem(
        type=TYPE_PREFIX + "internal",
        title="Internal error",
        status=500,
        what=f"{request.method} {request.url.path}: internal error",
        why="a defect in readystate; the log has the details",
        hint="report it with the log's lines",
        instance=request.url.path,
    )
    return _answer(problem)


def _answer(problem: Problem, headers: Mapping[str, Any] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(exclude_defaults=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers) if headers else None,
    )
