"""/holds: what a person keeps from starting."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from readystate.domain.graph import Hold, HoldScope
from readystate.engine.interventions import hold, resume
from readystate.engine.naming import get_hold_subject, hold_subject_name
from readystate.ports.store import Reader, Transaction
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Page, Shape

router = APIRouter(prefix="/holds", tags=["holds"])


class HoldOut(Shape):
    scope: HoldScope
    subject: str
    """By name; empty for everything."""
    by: str
    at: datetime
    reason: str

    @classmethod
    def of(cls, reader: Reader, item: Hold) -> "HoldOut":
        return cls(
            scope=item.scope,
            subject=hold_subject_name(reader, item.scope, item.subject_id),
            by=item.by,
            at=item.at,
            reason=item.reason,
        )


class SubjectIn(Shape):
    scope: HoldScope
    subject: Annotated[str, Field(examples=["node-7"])] = ""
    """A node, a node-role's path or a deployment; of a path also its node or deployment."""


class HoldIn(SubjectIn):
    reason: str = ""


@router.get("", summary="List holds")
def list_holds(services: WithServices, _caller: WithCaller) -> Page[HoldOut]:
    return Page[HoldOut](
        items=services.read(lambda reader: [HoldOut.of(reader, it) for it in reader.holds()])
    )


@router.post(
    "",
    status_code=201,
    summary="Start nothing new there; what runs may finish",
    responses={404: {"description": "A name that nothing bears."}},
)
def place_hold(body: HoldIn, services: WithServices, caller: WithCaller) -> HoldOut:
    def change(tx: Transaction) -> HoldOut:
        subject_id = get_hold_subject(tx, body.scope, body.subject)
        now = services.now()
        hold(tx, body.scope, subject_id, now, by=caller.name, reason=body.reason)
        return HoldOut.of(tx, Hold(body.scope, subject_id, caller.name, now, body.reason))

    return services.write(change, kind="hold")


@router.post(
    "/resume",
    status_code=204,
    summary="Lift a hold",
    responses={404: {"description": "A name that nothing bears, or it is not held."}},
)
def lift_hold(body: SubjectIn, services: WithServices, caller: WithCaller) -> None:
    def change(tx: Transaction) -> None:
        subject_id = get_hold_subject(tx, body.scope, body.subject)
        resume(tx, body.scope, subject_id, services.now(), by=caller.name)

    services.write(change, kind="hold")
