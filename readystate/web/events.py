"""The live stream: events as server-sent events (WHATWG HTML, section 9.2).

Each listener reads from the table at its own pace, so a slow one holds nothing in memory and loses
nothing. One task looks for news for all of them; a connection that is lost goes on from
`Last-Event-ID`."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from readystate.domain.events import Event
from readystate.domain.ids import NodeId
from readystate.ports.store import Store
from readystate.web.shape import concealed

LOOK_EVERY_S = 0.2
HEARTBEAT_S = 15.0  # proxies cut connections that are silent for 30 to 60 s
BATCH = 500


@dataclass(frozen=True)
class Wish:
    """What one listener wants to hear."""

    kinds: Collection[str] = ()
    node_id: NodeId | None = None


class EventFeed:
    """Tells listeners that there is something new; lives in the server's event loop."""

    def __init__(self, store: Store, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._store = store
        self._heartbeat_s = heartbeat_s
        self._last_id = -1
        self._listeners = 0
        self._changed = asyncio.Condition()
        self._closed = False

    async def look_forever(self) -> None:
        """Run as a task while the server lives. Asks nothing while nobody listens."""
        while not self._closed:
            if self._listeners:
                last_id = await run_in_threadpool(
                    self._store.read, lambda reader: reader.last_event_id()
                )
                if last_id != self._last_id:
                    self._last_id = last_id
                    await self._tell_all()
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """End all streams: the server stops."""
        self._closed = True
        await self._tell_all()

    async def _tell_all(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def last_id(self) -> int:
        return await run_in_threadpool(self._store.read, lambda reader: reader.last_event_id())

    async def stream(self, after: int, wish: Wish) -> AsyncIterator[str]:
        """Text of the stream; ends when the feed is closed."""
        self._listeners += 1
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                seen = self._last_id
                page = await run_in_threadpool(self._read, after, wish)
                for event_id, event in page:
                    yield render_event(event_id, event)
                    after = event_id
                if len(page) < BATCH and not await self._news_after(seen):
                    yield ": heartbeat\n\n"
        finally:
            self._listeners -= 1

    def _read(self, after: int, wish: Wish) -> list[tuple[int, Event]]:
        return self._store.read(
            lambda reader: reader.events(
                after=after, limit=BATCH, kinds=wish.kinds, node_id=wish.node_id
            )
        )

    async def _news_after(self, seen: int) -> bool:
        """Wait for news, at most until the next heartbeat is due."""
        async with self._changed:
            try:
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: self._closed or self._last_id != seen),
                    self._heartbeat_s,
                )
            except TimeoutError:
                return False
        return True


def event_document(event_id: int, event: Event) -> dict[str, object]:
    """An event as the API shows it."""
    return {
        "id": event_id,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "node_id": event.node_id,
        "node_role_id": event.node_role_id,
        "run_id": event.run_id,
        "deployment_id": event.deployment_id,
        "actor": event.actor,
        "cause_id": event.cause_id,
        "data": concealed(dict(event.data)),
    }


def render_event(event_id: int, event: Event) -> str:
    data = json.dumps(event_document(event_id, event), separators=(",", ":"))
    return f"id: {event_id}\nevent: {event.kind}\ndata: {data}\n\n"
