"""Who asks: a bearer token in the Authorization header (RFC 6750), never in a URL."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from readystate.domain.secret import Secret
from readystate.engine.access import Caller, Unauthenticated, authenticate
from readystate.web.deps import WithServices

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The API token that the server printed at its first start.",
)


def authenticated(
    services: WithServices,
    presented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Raises Unauthenticated."""
    if presented is None:
        raise Unauthenticated(
            "no token",
            why="the Authorization header is missing or no Bearer",
            hint="send `Authorization: Bearer TOKEN`; the server printed it at its first start",
        )
    secret = Secret(presented.credentials)
    return services.read(lambda reader: authenticate(reader, secret))


WithCaller = Annotated[Caller, Depends(authenticated)]
