"""/boot: where machines ask what to boot and tell how it went.

Firmware has no API token. What a machine may see or say is bound to the one-time token that its own
boot script carries; without one there is only a script."""

import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import JsonValue

from readystate.domain.errors import BadRequest
from readystate.domain.ids import parse_mac
from readystate.engine.access import Unauthenticated
from readystate.engine.boot_desk import CallbackKind
from readystate.web.deps import WithServices

router = APIRouter(prefix="/boot", tags=["boot"])

_LONGEST_IDENTITY = 128

_CLOSED: dict[int | str, dict[str, Any]] = {
    403: {"description": "The token opens nothing (any more)."},
    409: {"description": "This boot is not wanted any more; the machine must not go on."},
}
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="boot-token",
    description="The one-time token in the boot script of this very boot.",
)


def _presented(
    presented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    if presented is None:
        raise Unauthenticated(
            "no boot token",
            why="the Authorization header is missing or no Bearer",
            hint="send the token that the boot script carries",
        )
    return presented.credentials


BootToken = Annotated[str, Depends(_presented)]


def _check_identity(name: str, value: str) -> None:
    """Anybody may ask, and what was asked is kept in events. The value is not repeated."""
    if len(value) > _LONGEST_IDENTITY or not (value.isascii() and value.isprintable()):
        raise BadRequest(
            f"{name} does not identify a machine",
            why=f"more than {_LONGEST_IDENTITY} characters, or some that are not printable ASCII",
        )


@router.get(
    "/ipxe",
    summary="The iPXE script for whoever asks",
    response_class=PlainTextResponse,
    responses={400: {"description": "No firmware says such things of itself."}},
)
def ipxe_script(
    services: WithServices, mac: str = "", uuid: str = "", serial: str = "", arch: str = ""
) -> PlainTextResponse:
    for name, value in (("mac", mac), ("uuid", uuid), ("serial", serial), ("arch", arch)):
        _check_identity(name, value)
    script = services.boot_desk.script_for(
        mac=parse_mac(mac) if mac else "", uuid=uuid.lower(), serial=serial, arch=arch
    )
    return PlainTextResponse(script, headers={"Cache-Control": "no-store"})


@router.get(
    "/files/{path:path}",
    summary="A boot file",
    response_class=Response,
    responses={404: {"description": "No such file."}},
)
def boot_file(path: str, services: WithServices) -> Response:
    media_type, _ = mimetypes.guess_type(path)
    return Response(services.boot_file(path), media_type=media_type or "application/octet-stream")


@router.get("/plan", summary="The install plan of this boot", responses=_CLOSED)
def install_plan(services: WithServices, token: BootToken) -> dict[str, Any]:
    return dict(services.boot_desk.plan_for(token))


@router.get("/ssh-key", summary="Our public key", response_class=PlainTextResponse)
def ssh_key(services: WithServices) -> PlainTextResponse:
    return PlainTextResponse(services.ssh_key().rstrip("\n") + "\n")


@router.post("/callback/{kind}", status_code=204, summary="Tell how a boot goes", responses=_CLOSED)
def boot_callback(
    kind: CallbackKind,
    services: WithServices,
    token: BootToken,
    payload: Annotated[dict[str, JsonValue] | None, Body()] = None,
) -> None:
    services.boot_desk.callback(kind, token, payload or {})
