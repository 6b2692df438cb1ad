"""Our OpenAPI 3.1 document: FastAPI's, with refusals as what they are, problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from readystate.web.errors import MEDIA_TYPE, Problem

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
#: Every operation can refuse so, unless it says more about it.
_ANYWHERE = {
    "401": "No token, or one that opens nothing.",
    "422": "The request does not fit.",
    "4XX": "Refused for another reason, which the problem tells.",
    "5XX": "Ours to mend, or a device's; the problem tells.",
}
_EXAMPLE = {
    "type": "urn:readystate:problem:not-found",
    "title": "Not found",
    "status": 404,
    "what": "no node 'node-77'",
    "hint": 'did you mean "node-7"?',
    "instance": "/api/v1/nodes/node-77",
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Built once, then kept by the app."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _tell_problems(operation, is_open="security" not in operation)
                operation.setdefault("description", operation.get("summary", path))
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for left in ("HTTPValidationError", "ValidationError"):
            schemas.pop(left, None)
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem | {"examples": [_EXAMPLE]}
        app.openapi_schema = document
    return app.openapi_schema


def _tell_problems(operation: dict[str, Any], *, is_open: bool) -> None:
    responses = operation.setdefault("responses", {})
    for status, description in _ANYWHERE.items():
        if status == "401" and is_open:
            continue
        responses.setdefault(status, {"description": description})
    responses["422"]["description"] = _ANYWHERE["422"]
    for status, response in responses.items():
        if status[0] in "45" and not _is_own(response):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
    operation["responses"] = dict(sorted(responses.items()))


def _is_own(response: dict[str, Any]) -> bool:
    """An answer with a body of its own, as anneal's 409 has."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema) and "HTTPValidationError" not in str(schema)
