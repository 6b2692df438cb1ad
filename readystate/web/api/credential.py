"""/credentials: with which users BMCs are tried. Passwords go in and never come out."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, SecretStr

from readystate.domain.events import Event
from readystate.domain.secret import Secret
from readystate.engine.naming import get_deployment_id
from readystate.engine.queries import deployment_names
from readystate.ports.store import CredentialSet, Reader, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Page, Shape

router = APIRouter(prefix="/credentials", tags=["credentials"])


class CredentialIn(Shape):
    username: Annotated[str, Field(min_length=1, examples=["admin"])]
    password: SecretStr
    """Stored encrypted; no answer, log or event shows it."""
    deployment: str = "system"
    position: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    """Sets are tried in this order; the nearer deployment's first."""


class CredentialOut(Shape):
    name: str
    deployment: str
    username: str
    position: int


@router.get("", summary="List credential sets in force somewhere")
def list_credentials(
    services: WithServices,
    _caller: WithCaller,
    deployment: Annotated[str, Query(description="In force in this deployment.")] = "system",
) -> Page[CredentialOut]:
    def query(reader: Reader) -> list[CredentialOut]:
        names = deployment_names(reader)
        return [
            CredentialOut(
                name=item.name,
                deployment=names[item.deployment_id],
                username=item.username,
                position=item.position,
            )
            for item in reader.credentials(get_deployment_id(reader, deployment))
        ]

    return Page[CredentialOut](items=services.read(query))


@router.put("/{name}", status_code=204, summary="Set a credential set")
def put_credentials(
    name: Annotated[str, Path(min_length=1, max_length=100)],
    body: CredentialIn,
    services: WithServices,
    caller: WithCaller,
) -> None:
    def change(tx: Transaction) -> None:
        deployment_id = get_deployment_id(tx, body.deployment)
        secret = Secret(body.password.get_secret_value())
        tx.put_credentials(CredentialSet(name, deployment_id, body.username, secret, body.position))
        tx.append(
            Event(
                kind="credentials.set",
                at=services.now(),
                deployment_id=deployment_id,
                actor=caller.name,
                data={"name": name, "username": body.username},
            )
        )

    services.write(change, kind="credentials")
