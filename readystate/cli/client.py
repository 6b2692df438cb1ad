"""The CLI's way to the API: requests and pages, with refusals as our own errors."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from readystate.cli.errors import ServerFailed, error_of_problem
from readystate.cli.target import Target, find_target
from readystate.domain.errors import ReadystateError, Unreachable

API = "/api/v1"
TIMEOUT_S = 60.0  # a plan over a whole deployment of thousands takes its time
STREAM_SILENCE_S = 60.0  # the server sends a heartbeat every 15 s


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event of a stream."""

    id: str
    data: dict[str, Any]


class Api:
    """Opened with `connect`. Raises our errors only."""

    def __init__(self, target: Target, http: httpx.Client) -> None:
        self._target = target
        self._http = http

    def get(self, path: str, **params: Any) -> Any:
        return self._asked("GET", path, params=_given(params))

    def get_with_status(self, path: str, *, usual: tuple[int, ...], **params: Any) -> Any:
        """The body also of these statuses, which are answers and no refusals."""
        return self._asked("GET", path, params=_given(params), usual=usual)

    def post(self, path: str, body: Any = None) -> Any:
        return self._asked("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._asked("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._asked("DELETE", path)

    def all(self, path: str, *, after: int | None = None, **params: Any) -> list[Any]:
        """The items of all pages, from the one behind `after`."""
        items: list[Any] = []
        while True:
            page = self.get(path, **params, after=after, limit=1000)
            items += page["items"]
            after = page["next"]
            if after is None:
                return items

    def items(self, path: str, **params: Any) -> list[Any]:
        """Of a list that comes in one piece."""
        found: list[Any] = self.get(path, **params)["items"]
        return found

    def text(self, path: str, **params: Any) -> tuple[str, httpx.Headers]:
        answer = self._answer("GET", path, params=_given(params))
        return answer.text, answer.headers

    def events(self, path: str, *, last_id: str = "", **params: Any) -> Iterator[SentEvent]:
        """Until the server ends the stream or the connection breaks (raises Unreachable)."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        timeout = httpx.Timeout(TIMEOUT_S, read=STREAM_SILENCE_S)
        with (
            self._translated(),
            self._http.stream(
                "GET", API + path, params=_given(params), headers=headers, timeout=timeout
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise _refusal(answer)
            yield from _parse_stream(answer.iter_lines())

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        answer = self._answer(method, path, **options)
        return answer.json() if answer.content else None

    def _answer(
        self, method: str, path: str, *, usual: tuple[int, ...] = (), **options: Any
    ) -> httpx.Response:
        with self._translated():
            answer = self._http.request(method, API + path, **options)
        if answer.is_success or answer.status_code in usual:
            return answer
        raise _refusal(answer)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(
                f"no answer from {self._target.url}",
                why=str(error) or type(error).__name__,
                hint="is it running? `readystate serve` starts it; --url names another one",
            ) from error


@contextmanager
def connect() -> Iterator[Api]:
    target = find_target()
    headers = {"Authorization": f"Bearer {target.token.reveal()}"}
    # trust_env: no proxy of the environment may see the token.
    with httpx.Client(
        base_url=target.url, headers=headers, timeout=TIMEOUT_S, trust_env=False
    ) as http:
        yield Api(target, http)


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if value not in (None, "", [])}


def _refusal(answer: httpx.Response) -> ReadystateError:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and "type" in problem:
        return error_of_problem(problem)
    return ServerFailed(
        f"{answer.request.url}: HTTP {answer.status_code}", why="not an answer of readystate"
    )


def _parse_stream(lines: Iterator[str]) -> Iterator[SentEvent]:
    event_id, data = "", ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name == "data":
            data += value
        elif not line and data:
            yield SentEvent(event_id, json.loads(data))
            data = ""
