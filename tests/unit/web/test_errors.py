"""The one table from refusal to status, and what a problem looks like."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from readystate.domain.errors import (
    AnnotationInvalid,
    AnnotationsInvalid,
    Conflict,
    NotFound,
    ReadystateError,
    WorkError,
)
from readystate.engine.access import Unauthenticated
from readystate.web.errors import STATUSES, add_problem_handlers, status_of


class Newcomer(NotFound):
    """A class that nobody put into the table."""


def answer_to(error: Exception, method: str = "GET", path: str = "/thing") -> httpx.Response:
    """What a route that raises `error` answers; other paths and methods are the framework's."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/thing")
    def thing() -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


def test_class_that_is_not_in_the_table_takes_its_parents_status() -> None:
    assert 404 == status_of(Newcomer("gone"))


def every_family() -> list[type[ReadystateError]]:
    found: list[type[ReadystateError]] = []
    queue: list[type[ReadystateError]] = [WorkError]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        found.append(kind)
    return [kind for kind in found if kind.__module__ == "readystate.domain.errors"]


@pytest.mark.parametrize("kind", every_family(), ids=lambda kind: kind.__name__)
def test_every_family_of_work_has_a_status_of_failure(kind: type[ReadystateError]) -> None:
    assert 400 <= status_of(kind("no")) < 600


def test_problem_has_what_why_and_hint() -> None:
    error = Conflict("node-7 is taken", why="by rack-a", hint="choose another name")
    answer = answer_to(error)

    assert 409 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert {
        "type": "urn:readystate:problem:conflict",
        "title": "Conflict",
        "status": 409,
        "what": "node-7 is taken",
        "why": "by rack-a",
        "hint": "choose another name",
        "instance": "/thing",
    } == answer.json()


def test_class_below_one_in_the_table_is_told_as_that_one() -> None:
    answer = answer_to(Newcomer("gone"))

    assert "urn:readystate:problem:not-found" == answer.json()["type"]


def test_every_annotation_problem_is_told() -> None:
    found = [AnnotationInvalid("bad", file="a.yml", line=line) for line in (3, 1)]
    body = answer_to(AnnotationsInvalid(found)).json()

    assert ["a.yml:1", "a.yml:3"] == [it["where"] for it in body["errors"]]


def test_missing_token_asks_for_one() -> None:
    answer = answer_to(Unauthenticated("no token"))

    assert "Bearer" == answer.headers["www-authenticate"]


def test_defect_is_a_problem_that_tells_no_secret() -> None:
    answer = answer_to(RuntimeError("password is hush"))

    assert 500 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert "hush" not in answer.text


def test_framework_refusals_are_problems_too() -> None:
    unknown = answer_to(NotFound("x"), path="/elsewhere").json()
    unfit = answer_to(NotFound("x"), "POST").json()

    assert "urn:readystate:problem:not-found" == unknown["type"]
    assert "urn:readystate:problem:method-not-allowed" == unfit["type"]


def test_no_class_of_the_table_is_shadowed() -> None:
    assert len(STATUSES) == len({kind.__name__ for kind in STATUSES})
