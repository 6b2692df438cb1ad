"""The feed itself: heartbeats, resuming, and ending, with a store that is a list."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from readystate.domain.events import Event
from readystate.domain.secret import Secret
from readystate.ports.store import Reader, Store
from readystate.web.events import EventFeed, Wish, render_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ListedEvents:
    """As much of a store as the feed asks for."""

    def __init__(self) -> None:
        self.found: list[tuple[int, Event]] = []

    def add(self, kind: str) -> None:
        self.found.append((len(self.found) + 1, Event(kind=kind, at=NOW)))

    def read(self, query: Callable[[Reader], Any]) -> Any:
        return query(cast(Reader, self))

    def last_event_id(self) -> int:
        return len(self.found)

    def events(self, *, after: int, limit: int, **_: Any) -> list[tuple[int, Event]]:
        return [item for item in self.found if item[0] > after][:limit]


def feed_of(events: ListedEvents, *, heartbeat_s: float = 5.0) -> EventFeed:
    return EventFeed(cast(Store, events), heartbeat_s=heartbeat_s)


def ids(parts: list[str]) -> list[str]:
    return [part.partition("\n")[0] for part in parts if part.startswith("id")]


async def take(feed: EventFeed, after: int, count: int) -> list[str]:
    stream = feed.stream(after, Wish())
    parts = []
    async for part in stream:
        parts.append(part)
        if len(parts) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return parts


def test_listener_gets_what_came_after_the_id_it_knows() -> None:
    events = ListedEvents()
    for kind in ("a", "b", "c"):
        events.add(kind)

    assert ["id: 2", "id: 3"] == ids(asyncio.run(take(feed_of(events), 1, 3)))


def test_more_than_one_batch_comes_without_a_pause() -> None:
    events = ListedEvents()
    for _ in range(1201):
        events.add("a")

    assert 1201 == len(ids(asyncio.run(take(feed_of(events), 0, 1202))))


def test_silence_is_broken_by_a_heartbeat() -> None:
    parts = asyncio.run(take(feed_of(ListedEvents(), heartbeat_s=0.01), 0, 3))

    assert [": heartbeat\n\n"] * 2 == parts[1:]


def test_news_reaches_a_listener_that_waits() -> None:
    events = ListedEvents()

    async def both() -> list[str]:
        feed = feed_of(events)
        looking = asyncio.create_task(feed.look_forever())
        taking = asyncio.create_task(take(feed, 0, 2))
        await asyncio.sleep(0)
        events.add("late")
        parts = await asyncio.wait_for(taking, 5)
        await feed.close()
        await looking
        return parts

    assert ["id: 1"] == ids(asyncio.run(both()))


def test_closing_ends_every_stream() -> None:
    async def listen() -> list[str]:
        feed = feed_of(ListedEvents())

        async def hear() -> list[str]:
            return [part async for part in feed.stream(0, Wish())]

        hearing = [asyncio.create_task(hear()) for _ in range(3)]
        await asyncio.sleep(0)
        await feed.close()
        return [part for parts in await asyncio.gather(*hearing) for part in parts]

    assert [] == ids(asyncio.run(asyncio.wait_for(listen(), 5)))


def test_event_is_one_block_and_conceals_secrets() -> None:
    event = Event(kind="a.b", at=NOW, data={"text": "two\nlines", "password": Secret("hush")})
    text = render_event(7, event)

    assert text.startswith("id: 7\nevent: a.b\ndata: {")
    assert text.endswith("}\n\n")
    assert 4 == text.count("\n")
    assert "hush" not in text
