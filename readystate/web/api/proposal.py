"""/proposals: what is to change, what it would do, and doing it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from readystate.domain.deployment import AttributeScope, Proposal, ProposalState
from readystate.engine.commit import commit_proposal, plan_document, plan_proposal
from readystate.engine.intent import NamedChange, discard, named, propose
from readystate.engine.naming import get_deployment_id
from readystate.ports.store import Reader, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Id, Page, Shape, Truth, concealed

router = APIRouter(prefix="/proposals", tags=["proposals"])

_ABSENT: dict[int | str, dict[str, Any]] = {404: {"description": "No such proposal."}}
_MOVED: dict[int | str, dict[str, Any]] = {
    **_ABSENT,
    409: {"description": "It is not open, or what its plan rests on has moved."},
}


class BindIn(Shape):
    """Bind a role, and all that it needs."""

    change: Literal["bind"]
    role: Annotated[str, Field(examples=["ready"])]
    node: str = ""
    """Empty: one vertex for the proposal's deployment."""


class AboutOneIn(Shape):
    """Take away, put back, or do again."""

    change: Literal["unbind", "recall", "recommit", "confirm"]
    node_role: Annotated[str, Field(examples=["node-7/raid-configured"])]


class SetAttributeIn(Shape):
    change: Literal["set-attribute"]
    scope: AttributeScope = AttributeScope.DEPLOYMENT
    subject: str = ""
    """Name at that scope; empty: the proposal's deployment."""
    name: Annotated[str, Field(examples=["services/ntp/servers"])]
    value: JsonValue
    """Of a secret attribute: kept encrypted and never shown again."""


class ClearAttributeIn(Shape):
    change: Literal["clear-attribute"]
    scope: AttributeScope = AttributeScope.DEPLOYMENT
    subject: str = ""
    name: str


class AttachProfilesIn(Shape):
    """The whole list, weakest first."""

    change: Literal["attach-profiles"]
    scope: Literal[AttributeScope.DEPLOYMENT, AttributeScope.NODE]
    subject: str = ""
    profiles: tuple[str, ...]


class UseCatalogIn(Shape):
    """Put other annotations in force in the proposal's deployment."""

    change: Literal["use-catalog"]
    version: str


ChangeIn = Annotated[
    BindIn | AboutOneIn | SetAttributeIn | ClearAttributeIn | AttachProfilesIn | UseCatalogIn,
    Field(discriminator="change"),
]


class ProposalIn(Shape):
    deployment: str = "system"
    title: Annotated[str, Field(max_length=200, examples=["node-7 becomes ready"])] = ""
    changes: Annotated[list[ChangeIn], Field(min_length=1, max_length=10_000)]
    wipe_any: Truth = False
    """A destructive step may also write a disk that was not seen and is not blank."""


class ProposalOut(Shape):
    id: int
    deployment: str
    title: str
    state: ProposalState
    by: str
    created_at: datetime
    committed_at: datetime | None
    wipe_any: bool
    changes: list[dict[str, Any]]
    """As they were proposed; secrets as `***`."""
    plan: dict[str, Any]
    """What was shown when it was committed."""


class CommitIn(Shape):
    digest: Annotated[str, Field(min_length=1)]
    """Of the plan that was looked at."""


class PlaceOut(Shape):
    role: str
    node: str
    deployment: str


class PlannedRunOut(Shape):
    place: PlaceOut
    certainty: str
    """certain, or possible: it rests on an output that is not known yet."""
    is_new: bool
    count: int
    """How often it runs until the graph is quiet, at most."""


class DestructiveOut(Shape):
    place: PlaceOut
    is_confirmed: bool
    """Committing the plan confirms it; else it is only listed."""
    disks: list[str]
    """Serials seen so far; none: not seen yet, so only a blank one may be written."""
    wipe_any: bool
    why: str


class PlanOut(Shape):
    """Everything that the commit would do. It touches nothing."""

    digest: str
    """Commit with it: refused when what the plan rests on has moved."""
    added: list[PlaceOut]
    removed: list[PlaceOut]
    recalled: list[PlaceOut]
    runs: list[PlannedRunOut]
    destructive: list[DestructiveOut]
    drifted: list[PlaceOut]
    """Done with other wants than now; stays as it is."""
    waits_for_person: list[PlaceOut]
    reboots: dict[str, tuple[int, int]]
    """By node: at least, at most."""
    is_exact: bool
    """Nothing rests on an output that is not known yet: what is told is what happens."""


@router.post(
    "",
    status_code=201,
    summary="Propose changes",
    responses={
        400: {"description": "A value that cannot be meant."},
        404: {"description": "A name that nothing bears."},
    },
)
def add_proposal(body: ProposalIn, services: WithServices, caller: WithCaller) -> ProposalOut:
    def change(tx: Transaction) -> ProposalOut:
        proposal = propose(
            tx,
            get_deployment_id(tx, body.deployment),
            body.title,
            [NamedChange(**item.model_dump()) for item in body.changes],
            services.catalog_of,
            services.now(),
            by=caller.name,
            wipe_any=body.wipe_any,
        )
        return _shown(tx, proposal)

    return services.write(change, kind="proposal")


@router.get("", summary="List proposals, oldest first")
def list_proposals(
    services: WithServices,
    _caller: WithCaller,
    deployment: Annotated[str, Query(description="Only those of this deployment.")] = "",
    state: Annotated[ProposalState | None, Query(description="Only in this state.")] = None,
) -> Page[ProposalOut]:
    def query(reader: Reader) -> list[ProposalOut]:
        place = get_deployment_id(reader, deployment) if deployment else None
        return [
            _shown(reader, item)
            for item in reader.proposals(deployment_id=place)
            if state in (None, item.state)
        ]

    return Page[ProposalOut](items=services.read(query))


@router.get("/{proposal_id}", summary="Show a proposal", responses=_ABSENT)
def show_proposal(proposal_id: Id, services: WithServices, _caller: WithCaller) -> ProposalOut:
    return services.read(lambda reader: _shown(reader, reader.proposal(proposal_id)))


@router.get("/{proposal_id}/plan", summary="Show what a commit would do", responses=_MOVED)
def plan(proposal_id: Id, services: WithServices, _caller: WithCaller) -> PlanOut:
    return PlanOut.model_validate(
        services.read(
            lambda reader: plan_document(
                plan_proposal(
                    reader, reader.proposal(proposal_id), services.catalog_of, services.now()
                )
            )
        )
    )


@router.post("/{proposal_id}/commit", summary="Commit a plan by its digest", responses=_MOVED)
def commit(proposal_id: Id, body: CommitIn, services: WithServices, caller: WithCaller) -> PlanOut:
    def change(tx: Transaction) -> Mapping[str, Any]:
        done = commit_proposal(
            tx,
            tx.proposal(proposal_id),
            services.catalog_of,
            services.now(),
            by=caller.name,
            digest=body.digest,
        )
        return plan_document(done)

    return PlanOut.model_validate(services.write(change, kind="commit"))


@router.delete("/{proposal_id}", summary="Discard an open proposal", responses=_MOVED)
def discard_proposal(proposal_id: Id, services: WithServices, caller: WithCaller) -> ProposalOut:
    def change(tx: Transaction) -> ProposalOut:
        return _shown(tx, discard(tx, proposal_id, services.now(), by=caller.name))

    return services.write(change, kind="proposal")


def _shown(reader: Reader, proposal: Proposal) -> ProposalOut:
    return ProposalOut(
        id=proposal.id,
        deployment=reader.deployment(proposal.deployment_id).name,
        title=proposal.title,
        state=proposal.state,
        by=proposal.by,
        created_at=proposal.created_at,
        committed_at=proposal.committed_at,
        wipe_any=proposal.wipe_any,
        changes=[_written(named(reader, item)) for item in proposal.changes],
        plan=dict(proposal.plan),
    )


#: Which fields of a change people see, beside its kind.
_FIELDS = {
    "bind": ("role", "node"),
    "set-attribute": ("scope", "subject", "name", "value"),
    "clear-attribute": ("scope", "subject", "name"),
    "attach-profiles": ("scope", "subject", "profiles"),
    "use-catalog": ("version",),
}


def _written(change: NamedChange) -> dict[str, Any]:
    fields = _FIELDS.get(change.change, ("node_role",))
    return {
        "change": change.change,
        **{name: concealed(getattr(change, name)) for name in fields},
    }
