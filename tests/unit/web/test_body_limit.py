"""Bodies are bounded, announced or not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI

from readystate.web.body_limit import BodyLimit
from readystate.web.errors import add_problem_handlers

MOST = 100


async def in_parts(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 40):
        yield data[start : start + 40]


def post(data: bytes, *, announced: bool) -> httpx.Response:
    app = FastAPI()
    add_problem_handlers(app)
    app.add_middleware(BodyLimit, most_bytes=MOST)

    @app.post("/thing")
    def thing(body: Annotated[Any, Body()]) -> int:
        return len(body)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            content = data if announced else in_parts(data)
            headers = {"Content-Type": "application/json"}
            return await client.post("/thing", content=content, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(("announced", "status"), [(True, 413), (False, 400)])
def test_body_that_is_too_large_is_refused(announced: bool, status: int) -> None:
    answer = post(b'"' + b"x" * MOST + b'"', announced=announced)

    assert status == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


@pytest.mark.parametrize("announced", [True, False])
def test_body_of_the_largest_size_is_read(announced: bool) -> None:
    answer = post(b'"' + b"x" * (MOST - 2) + b'"', announced=announced)

    assert MOST - 2 == answer.json()
