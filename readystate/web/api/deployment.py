"""/deployments: the tree of scopes."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from readystate.domain.deployment import Deployment
from readystate.domain.events import Event
from readystate.domain.ids import parse_node_name
from readystate.engine.naming import get_deployment_id
from readystate.engine.queries import DeploymentView, deployment_view
from readystate.ports.store import Reader, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Page, Shape, concealed

router = APIRouter(prefix="/deployments", tags=["deployments"])


class DeploymentOut(Shape):
    id: int
    name: str
    parent: str
    """Empty for the root."""
    catalog: str
    """Version of the annotations in force here."""
    counts: dict[str, int]
    """Its node-roles by state; stale ones apart."""
    attributes: dict[str, Any]
    """Values set here; secrets as `***`. They are changed by a proposal."""
    profiles: list[str]
    """Attached here, weakest first."""
    held_by: str

    @classmethod
    def of(cls, view: DeploymentView) -> "DeploymentOut":
        return cls(
            id=view.deployment.id,
            name=view.deployment.name,
            parent=view.parent,
            catalog=view.deployment.catalog_version,
            counts=dict(view.counts),
            attributes=concealed(dict(view.attributes)),
            profiles=list(view.profiles),
            held_by=view.held_by,
        )


class DeploymentIn(Shape):
    name: Annotated[str, Field(examples=["rack-a"])]
    parent: str = "system"


@router.get("", summary="List deployments")
def list_deployments(services: WithServices, _caller: WithCaller) -> Page[DeploymentOut]:
    def query(reader: Reader) -> list[DeploymentOut]:
        return [DeploymentOut.of(deployment_view(reader, it)) for it in reader.deployments()]

    return Page[DeploymentOut](items=services.read(query))


@router.post(
    "",
    status_code=201,
    summary="Add a deployment",
    responses={409: {"description": "The name is taken."}},
)
def add_deployment(body: DeploymentIn, services: WithServices, caller: WithCaller) -> DeploymentOut:
    def change(tx: Transaction) -> DeploymentOut:
        parent = tx.deployment(get_deployment_id(tx, body.parent))
        name = parse_node_name(body.name)
        added: Deployment = tx.add_deployment(name, parent.id, parent.catalog_version)
        tx.append(
            Event(
                kind="deployment.added",
                at=services.now(),
                deployment_id=added.id,
                actor=caller.name,
                data={"name": name, "parent": parent.name},
            )
        )
        return DeploymentOut.of(deployment_view(tx, added))

    return services.write(change, kind="deployment")


@router.get(
    "/{name}",
    summary="Show a deployment",
    responses={404: {"description": "No such deployment."}},
)
def show_deployment(name: str, services: WithServices, _caller: WithCaller) -> DeploymentOut:
    def query(reader: Reader) -> DeploymentView:
        return deployment_view(reader, reader.deployment(get_deployment_id(reader, name)))

    return DeploymentOut.of(services.read(query))
