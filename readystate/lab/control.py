"""The control API of a running lab: HTTP on a unix socket that only its owner may open.

Whoever holds it may break machines and read what they really are; readystate itself never does."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from readystate.domain.declaration import did_you_mean
from readystate.domain.errors import BadRequest, Conflict, NotFound, ReadystateError
from readystate.lab.bmc.faults import Fault
from readystate.lab.rack import Rack, RackMachine

SOCKET_NAME = "control.sock"
#: unix(7): sun_path holds 108 bytes with its final NUL.
LONGEST_SOCKET_PATH = 107
#: What `slow` delays an answer by when nobody says how much.
DEFAULT_DELAY_S = 2.0

_STATUS = {
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    BadRequest: HTTPStatus.BAD_REQUEST,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlApi:
    """Serves one rack; `stopped` is set when someone asks the lab to end."""

    def __init__(self, rack: Rack, state_dir: Path) -> None:
        self.stopped = asyncio.Event()
        self._rack = rack
        self._path = state_dir / SOCKET_NAME
        self._runner = web.AppRunner(self._app(), access_log=None)

    async def start(self) -> None:
        """Raises Conflict when a lab with this folder runs already, BadRequest for its path."""
        await self._runner.setup()
        await web.SockSite(self._runner, bind_socket(self._path)).start()

    async def stop(self) -> None:
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_answer_refusals])
        app.add_routes(
            [
                web.get("/status", self._status),
                web.get("/machines/{key}", self._truth),
                web.get("/machines/{key}/files", self._files),
                web.post("/machines/{key}/faults", self._plant),
                web.delete("/machines/{key}/faults", self._clear),
                web.post("/machines/{key}/crash", self._crash),
                web.post("/stop", self._stop),
            ]
        )
        return app

    def _machine(self, request: web.Request) -> RackMachine:
        return self._rack.find(request.match_info["key"])

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response({"pid": os.getpid(), **self._rack.status()})

    async def _truth(self, request: web.Request) -> web.Response:
        return web.json_response(self._machine(request).truth())

    async def _files(self, request: web.Request) -> web.Response:
        return web.json_response(self._machine(request).machine.installed_files())

    async def _plant(self, request: web.Request) -> web.Response:
        found = self._machine(request)
        asked = await request.json()
        fault = parse_fault(str(asked.get("fault", "")))
        delay_s = asked.get("delay_s")
        found.bmc.faults.plant(
            fault,
            for_s=_parse_seconds("for_s", asked.get("for_s")),
            delay_s=_parse_seconds("delay_s", delay_s) or DEFAULT_DELAY_S,
        )
        return web.json_response(found.status())

    async def _clear(self, request: web.Request) -> web.Response:
        found = self._machine(request)
        name = request.query.get("fault", "")
        if name:
            found.bmc.faults.remove(parse_fault(name))
        else:
            found.bmc.faults.clear()
        return web.json_response(found.status())

    async def _crash(self, request: web.Request) -> web.Response:
        found = self._machine(request)
        if not found.machine.is_on:
            raise Conflict(
                f"the machine behind {found.planned.bmc_address} is off", why="it cannot crash"
            )
        found.machine.crash()
        return web.json_response(found.status())

    async def _stop(self, _request: web.Request) -> web.Response:
        self.stopped.set()
        return web.json_response({})


def parse_fault(name: str) -> Fault:
    """Raises BadRequest."""
    try:
        return Fault(name)
    except ValueError as error:
        known = [fault.value for fault in Fault]
        raise BadRequest(
            f"no fault is called {name!r}",
            hint=did_you_mean(name, known, else_hint=f"there are: {', '.join(known)}"),
        ) from error


def _parse_seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise BadRequest(f"{name}: {value!r} is no number of seconds", hint="write 10, or 2.5")


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ReadystateError as error:
        body = {"what": error.what, "why": error.why, "hint": error.hint}
        status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        return web.json_response(body, status=status)
    except ValueError as error:
        body = {"what": "the request is not JSON", "why": str(error), "hint": ""}
        return web.json_response(body, status=HTTPStatus.BAD_REQUEST)


def bind_socket(path: Path) -> socket.socket:
    """A listening socket that only its owner may open; what a killed lab left there is replaced."""
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise BadRequest(
            f"{path} is too long a path for a socket",
            why=f"at most {LONGEST_SOCKET_PATH} bytes",
            hint="choose a shorter --state-dir",
        )
    if is_served(path):
        raise Conflict(
            "a lab is running already", why=f"it answers at {path}", hint="readystate lab down"
        )
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_umask = os.umask(0o177)  # there is no moment at which others could open it
    try:
        bound.bind(str(path))
    finally:
        os.umask(old_umask)
    bound.listen()
    return bound


def is_served(path: Path) -> bool:
    """True when somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
