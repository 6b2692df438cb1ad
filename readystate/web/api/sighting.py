"""/scans and /sightings: machines that were seen, and making nodes of them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from readystate.domain.ids import RoleName
from readystate.engine.enroll import Enrolled
from readystate.engine.naming import get_deployment_id
from readystate.engine.scans import Scan, ScanState
from readystate.engine.sightings import Sighting, enroll_sightings, sightings, waiting
from readystate.ports.store import Transaction
from readystate.web.api.node import EnrolledOut, enrolled_out
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Id, Page, Shape

router = APIRouter(tags=["sightings"])


class ScanIn(Shape):
    ranges: Annotated[
        list[str], Field(min_length=1, examples=[["10.0.0.0/24", "10.0.1.10-10.0.1.40"]])
    ]


class ScanOut(Shape):
    id: int
    ranges: list[str]
    state: ScanState
    done: int
    """Addresses tried."""
    total: int
    found: int
    """BMCs that answered."""
    started_at: datetime
    error: str

    @classmethod
    def of(cls, scan: Scan) -> "ScanOut":
        return cls(
            id=scan.id,
            ranges=list(scan.ranges),
            state=scan.state,
            done=scan.done,
            total=scan.total,
            found=scan.found,
            started_at=scan.started_at,
            error=scan.error,
        )


class SightingOut(Shape):
    address: str
    protocols: list[str]
    """The preferred one first."""
    vendor: str
    product: str
    redfish_uuid: str | None
    seen_at: datetime
    node: str
    """The node that it belongs to; empty: not enrolled."""

    @classmethod
    def of(cls, item: Sighting) -> "SightingOut":
        return cls(
            address=item.bmc.address,
            protocols=list(item.bmc.protocols),
            vendor=item.bmc.vendor,
            product=item.bmc.product,
            redfish_uuid=item.bmc.redfish_uuid,
            seen_at=item.bmc.seen_at,
            node=item.node,
        )


class EnrollIn(Shape):
    addresses: Annotated[tuple[str, ...], Field(examples=[["10.0.0.7"]])] = ()
    """Empty: all that belong to no node yet."""
    names: dict[str, str] = Field(default_factory=dict, examples=[{"10.0.0.7": "node-7"}])
    """Address to name; others are called node-1, node-2 ... as far as free."""
    deployment: str = "system"
    goal: Annotated[str, Field(examples=["ready"])] = ""
    """A role to bind to each of them, with all that it needs: proposed, for its plan to be read."""


@router.post("/scans", status_code=202, summary="Look for BMCs")
def start_scan(
    body: ScanIn, services: WithServices, caller: WithCaller, response: Response
) -> ScanOut:
    scan = services.scans.start(body.ranges, by=caller.name)
    response.headers["Location"] = f"/api/v1/scans/{scan.id}"
    return ScanOut.of(scan)


@router.get("/scans", summary="List scans since the start, newest first")
def list_scans(services: WithServices, _caller: WithCaller) -> Page[ScanOut]:
    return Page[ScanOut](items=[ScanOut.of(scan) for scan in services.scans.all()])


@router.get(
    "/scans/{scan_id}",
    summary="Progress of a scan",
    responses={404: {"description": "No such scan since the server started."}},
)
def show_scan(scan_id: Id, services: WithServices, _caller: WithCaller) -> ScanOut:
    return ScanOut.of(services.scans.get(scan_id))


@router.get("/sightings", summary="List what was seen")
def list_sightings(
    services: WithServices, _caller: WithCaller, waiting_only: bool = False
) -> Page[SightingOut]:
    found = services.read(sightings)
    shown = waiting(found) if waiting_only else found
    return Page[SightingOut](items=[SightingOut.of(item) for item in shown])


@router.post(
    "/sightings/enroll",
    status_code=201,
    summary="Make nodes of sightings",
    responses={
        404: {"description": "Nothing was seen at one of the addresses."},
        409: {"description": "A name or a BMC belongs to another node."},
    },
)
def enroll(body: EnrollIn, services: WithServices, caller: WithCaller) -> EnrolledOut:
    def change(tx: Transaction) -> Enrolled:
        addresses = [*body.addresses, *body.names] or [
            item.bmc.address for item in waiting(sightings(tx))
        ]
        return enroll_sightings(
            tx,
            {address: body.names.get(address, "") for address in addresses},
            get_deployment_id(tx, body.deployment),
            services.catalog_of,
            services.now(),
            by=caller.name,
            goal=RoleName(body.goal) if body.goal else None,
        )

    return enrolled_out(services, services.write(change, kind="enroll"))
