"""/catalog: the roles in force, and checking annotation files."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Role
from readystate.engine.naming import get_deployment_id
from readystate.ports.store import Reader
from readystate.web.auth import WithCaller
from readystate.web.deps import Services, WithServices
from readystate.web.shape import Page, Shape

router = APIRouter(prefix="/catalog", tags=["catalog"])


class AttributeOut(Shape):
    name: str
    json_schema: dict[str, Any]
    default: Any
    has_default: bool
    secret: bool

    @classmethod
    def of(cls, item: Declared) -> "AttributeOut":
        return cls(
            name=item.name,
            json_schema=dict(item.schema),
            default=item.default,
            has_default=item.has_default,
            secret=item.secret,
        )


class WantOut(Shape):
    attribute: str
    source: str | None
    """The role that puts it out; null: a layered attribute."""
    take: str


class RoleOut(Shape):
    name: str
    summary: str
    jig: str
    argument: str
    lane: str
    scope: str
    flags: list[str]
    when: dict[str, Any]
    requires: list[str]
    after: list[str]
    provides: list[str]
    conflicts: list[str]
    wants: list[WantOut]
    attributes: list[AttributeOut]
    outputs: list[AttributeOut]
    reboot: str
    raises: list[str]
    invalidated_by: list[str]
    deadline_s: float
    attempts: int
    version: str

    @classmethod
    def of(cls, role: Role) -> "RoleOut":
        return cls(
            name=role.name,
            summary=role.summary,
            jig=role.jig,
            argument=role.argument,
            lane=role.lane.value,
            scope=role.scope.value,
            flags=sorted(role.flags),
            when=dict(role.when),
            requires=list(role.requires),
            after=list(role.after),
            provides=list(role.provides),
            conflicts=list(role.conflicts),
            wants=[
                WantOut(attribute=it.attribute, source=it.source, take=it.take.value)
                for it in role.wants
            ],
            attributes=[AttributeOut.of(it) for it in role.attributes],
            outputs=[AttributeOut.of(it) for it in role.outputs],
            reboot=role.reboot.value,
            raises=sorted(role.raises),
            invalidated_by=sorted(role.invalidated_by),
            deadline_s=role.deadline_s,
            attempts=role.retry.attempts,
            version=role.version,
        )


class CheckIn(Shape):
    files: Annotated[dict[str, str], Field(min_length=1, max_length=2000)]
    """Text by path below the folder of annotations: `ntp-client.yml`, `scripts/ntp-client.py`."""


class CheckedProblem(Shape):
    file: str
    line: int
    what: str
    why: str
    hint: str


class CheckOut(Shape):
    problems: list[CheckedProblem]
    """All of them, by file and line; none: the files are sound."""


@router.get("/roles", summary="List the roles in force, parents first")
def list_roles(
    services: WithServices, _caller: WithCaller, deployment: str = "system"
) -> Page[RoleOut]:
    catalog = services.catalog_of(_version(services, deployment))
    return Page[RoleOut](items=[RoleOut.of(role) for role in catalog.roles.values()])


@router.get(
    "/roles/{name}", summary="Show a role", responses={404: {"description": "No such role."}}
)
def show_role(
    name: str, services: WithServices, _caller: WithCaller, deployment: str = "system"
) -> RoleOut:
    catalog = services.catalog_of(_version(services, deployment))
    return RoleOut.of(catalog.role(RoleName(name)))


@router.post("/check", summary="Check annotation files; nothing is kept")
def check(body: CheckIn, services: WithServices, _caller: WithCaller) -> CheckOut:
    return CheckOut(
        problems=[
            CheckedProblem(file=it.file, line=it.line, what=it.what, why=it.why, hint=it.hint)
            for it in services.check_files(body.files)
        ]
    )


def _version(services: Services, deployment: str) -> str:
    def query(reader: Reader) -> str:
        return reader.deployment(get_deployment_id(reader, deployment)).catalog_version

    return services.read(query)
