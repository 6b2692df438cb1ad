"""The live stream of events, as any client of server-sent events meets it."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.serving import Served, curl, serving
from tests.e2e.test_api import add_node, problem, settled


def read_events(answer: httpx.Response, count: int) -> list[Any]:
    """The next events of a stream."""
    found: list[Any] = []
    for line in answer.iter_lines():
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


def test_stream_starts_now_and_tells_what_happens(api: httpx.Client) -> None:
    add_node(api)
    with api.stream("GET", "/events/stream", params={"kind": "node.enrolled"}) as answer:
        name = add_node(api)
        (event,) = read_events(answer, 1)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert event["data"]["name"] == name
    assert event["actor"] == "admin"


def test_stream_goes_on_after_the_last_event_that_was_heard(api: httpx.Client) -> None:
    names = [add_node(api) for _ in range(3)]
    kinds = {"kind": "node.enrolled"}
    listed = api.get("/events", params={**kinds, "limit": 1000}).json()["items"]
    first = next(it for it in listed if it["data"]["name"] == names[0])
    header = {"Last-Event-ID": str(first["id"])}
    with api.stream("GET", "/events/stream", params=kinds, headers=header) as answer:
        heard = read_events(answer, 2)

    assert names[1:] == [it["data"]["name"] for it in heard]
    assert [it["id"] for it in listed if it["id"] > first["id"]] == [it["id"] for it in heard]


def test_stream_of_a_node_tells_of_no_other(api: httpx.Client) -> None:
    name, other = add_node(api, goal="settle"), add_node(api)
    settled(api, f"{name}/settle")
    node_id = api.get(f"/nodes/{name}").json()["id"]
    with api.stream("GET", "/events/stream", params={"node": name, "after": 0}) as answer:
        heard = read_events(answer, 3)

    assert other != name
    assert {node_id} == {it["node_id"] for it in heard}


def test_slow_listener_misses_nothing(api: httpx.Client) -> None:
    before = api.get("/events", params={"limit": 1000}).json()["items"]
    last = before[-1]["id"] if before else 0
    with api.stream("GET", "/events/stream", params={"after": last}) as answer:
        for _ in range(20):
            add_node(api)
        time.sleep(0.5)
        listed = api.get("/events", params={"after": last, "limit": 1000}).json()["items"]
        heard = read_events(answer, len(listed))

    assert [it["id"] for it in listed] == [it["id"] for it in heard]


def test_last_event_id_must_be_a_number(api: httpx.Client) -> None:
    answer = api.get("/events/stream", headers={"Last-Event-ID": "last"})

    problem(answer, 400, "bad-request")


def test_curl_follows_the_stream(served: Served, api: httpx.Client) -> None:
    command = [curl(), "-sN", "-H", f"Authorization: Bearer {served.token}"]
    process = subprocess.Popen(
        [*command, f"{served.url}/api/v1/events/stream?after=0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = list(_until_empty(process.stdout))
        lines += _until_empty(process.stdout)
    finally:
        process.kill()
        process.wait()

    assert lines[0] == "retry: 2000"
    assert [line.partition(":")[0] for line in lines[1:]] == ["id", "event", "data"]


def _until_empty(lines: Any) -> Iterator[str]:
    for line in lines:
        if line == "\n":
            return
        yield line.rstrip("\n")


def test_server_lets_go_of_streams_when_it_is_stopped(tmp_path: Path) -> None:
    ended = threading.Event()

    def listen() -> None:
        with served.client() as api, api.stream("GET", "/events/stream") as answer:
            started.set()
            list(answer.iter_lines())
        ended.set()

    started = threading.Event()
    with serving(tmp_path) as served:
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert started.wait(10)
        at = time.monotonic()
        os.kill(served.pid, signal.SIGTERM)
        assert ended.wait(10)

        assert time.monotonic() - at < 4.0
