"""Listening: uvicorn, told to let go of live streams when it is asked to stop."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from readystate.domain.errors import Conflict

#: For requests that are under way when the process is asked to stop.
GRACE_S = 5


class _Server(uvicorn.Server):
    """uvicorn ends connections before it tells the app; a stream would keep it waiting."""

    def __init__(
        self,
        app: FastAPI,
        config: uvicorn.Config,
        started: Callable[[], None],
        is_over: Callable[[], bool],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._started = started
        self._is_over = is_over

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._started()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        return await super().on_tick(counter) or self._is_over()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.feed.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # uvicorn would raise the signal again once it has stopped; we have more to close then.
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises Conflict when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise Conflict(
            f"cannot listen on {host} port {port}",
            why=error.strerror or str(error),
            hint="stop whoever listens there, or set READYSTATE_API_PORT",
        ) from error
    return listening


def serve(
    app: FastAPI,
    listening: socket.socket,
    *,
    started: Callable[[], None] = lambda: None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Answer until SIGINT or SIGTERM, or until `is_over`, which is asked all the time. Call in the
    main thread to have signals heeded."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    asyncio.run(_Server(app, config, started, is_over).serve(sockets=[listening]))
