"""Speaks to a running lab from outside: what `readystate lab` and tests use."""

import http.client
import json
import socket
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from readystate.domain.errors import BadRequest, Conflict, NotFound, ReadystateError
from readystate.lab.control import SOCKET_NAME

_TIMEOUT_S = 30.0
_REFUSALS: dict[int, type[ReadystateError]] = {
    HTTPStatus.BAD_REQUEST: BadRequest,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


class NoLab(NotFound):
    """No lab runs with this state folder."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("lab", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class LabClient:
    """Every method raises NoLab when nothing answers, and the lab's own refusals."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._path = state_dir / SOCKET_NAME

    def status(self) -> dict[str, Any]:
        return self._ask("GET", "/status")

    def truth(self, machine: str) -> dict[str, Any]:
        """What this machine really is: status, `inventory`, `bios`, `volumes`, `console`."""
        return self._ask("GET", f"/machines/{quote(machine)}")

    def files(self, machine: str) -> dict[str, str]:
        """What is on the disk that this machine would boot, by path; empty if there is nothing."""
        return self._ask("GET", f"/machines/{quote(machine)}/files")

    def plant(
        self,
        machine: str,
        fault: str,
        *,
        for_s: float | None = None,
        delay_s: float | None = None,
    ) -> dict[str, Any]:
        asked = {"fault": fault, "for_s": for_s, "delay_s": delay_s}
        return self._ask("POST", f"/machines/{quote(machine)}/faults", asked)

    def clear(self, machine: str, fault: str = "") -> dict[str, Any]:
        """Take away one fault, or all."""
        query = urlencode({"fault": fault}) if fault else ""
        return self._ask("DELETE", f"/machines/{quote(machine)}/faults?{query}")

    def crash(self, machine: str) -> dict[str, Any]:
        return self._ask("POST", f"/machines/{quote(machine)}/crash")

    def stop(self) -> None:
        self._ask("POST", "/stop")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = _UnixConnection(self._path)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoLab(
                "no lab is running",
                why=f"nothing answers at {self._path}",
                hint="start one: readystate lab up",
            ) from error
        finally:
            connection.close()
        if answer.status == HTTPStatus.OK:
            return told
        refusal = _REFUSALS.get(answer.status, ReadystateError)
        raise refusal(told["what"], why=told["why"], hint=told["hint"])
