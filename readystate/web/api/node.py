"""/nodes: the machines."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from readystate.domain.graph import HoldScope
from readystate.domain.ids import RoleName, parse_mac
from readystate.domain.node import BmcAccess
from readystate.domain.node_role import NodeRoleState
from readystate.domain.power import PowerAction
from readystate.engine.bmc_access import add_bmc
from readystate.engine.enroll import Enrolled, NewNode, enroll_nodes
from readystate.engine.interventions import hold, request_power, resume, set_available
from readystate.engine.naming import get_deployment_id, get_node
from readystate.engine.queries import (
    Doing,
    NodeCondition,
    NodeDetail,
    NodeSummary,
    node_detail,
    node_summaries,
    own_blockers,
)
from readystate.ports.store import Reader, Transaction
from readystate.web.api.node_role import BlockerOut, NodeRoleOut
from readystate.web.auth import WithCaller
from readystate.web.deps import After, Limit, WithServices
from readystate.web.shape import Page, Shape, Truth, concealed

router = APIRouter(prefix="/nodes", tags=["nodes"])


class BmcOut(Shape):
    protocol: str
    address: str
    port: int | None
    """null: the protocol's own."""
    credential: str | None
    """The proven credential set; null: not proven yet."""


class DoingOut(Shape):
    run: int
    role: str
    phase: str
    progress: str
    started_at: datetime | None

    @classmethod
    def of(cls, item: Doing) -> "DoingOut":
        return cls(
            run=item.run_id,
            role=item.role,
            phase=item.phase,
            progress=item.progress,
            started_at=item.started_at,
        )


class NodeOut(Shape):
    """A node at a glance."""

    id: int
    name: Annotated[str, Field(examples=["node-7"])]
    deployment: str
    condition: NodeCondition
    milestone: str
    """The furthest milestone that is settled; empty: none yet."""
    counts: dict[str, int]
    """Node-roles by state; stale ones apart."""
    doing: list[DoingOut]
    available: bool
    held_by: str
    uuid: str | None
    serial: str | None
    vendor: str
    model: str
    macs: list[str]
    bmc: list[BmcOut]
    admin_address: str | None

    @classmethod
    def of(cls, item: NodeSummary) -> "NodeOut":
        return cls(**_summary_fields(item))


class Epochs(Shape):
    reboot: int
    reinstall: int
    hardware_change: int


class NodeDetailOut(NodeOut):
    """A node with all its node-roles and what was found in it."""

    ssh_port: int
    epochs: Epochs
    """How often it was rebooted, reinstalled, and had its hardware changed."""
    labels: dict[str, Any]
    hardware: dict[str, Any]
    """Discovered facts, by name."""
    blockers: list[BlockerOut]
    """What stands in the way now, without what merely waits for something named here."""
    node_roles: list[NodeRoleOut]

    @classmethod
    def of_detail(cls, detail: NodeDetail) -> "NodeDetailOut":
        node = detail.summary.node
        return cls(
            **_summary_fields(detail.summary),
            ssh_port=node.ssh_port,
            epochs=Epochs(
                reboot=node.epochs.reboot,
                reinstall=node.epochs.reinstall,
                hardware_change=node.epochs.hardware_change,
            ),
            labels=dict(node.labels),
            hardware=concealed(dict(detail.hardware)),
            blockers=[
                BlockerOut.of(blocker, node_role=f"{node.name}/{view.node_role.role}")
                for view in detail.node_roles
                for blocker in own_blockers(view.blockers)
            ],
            node_roles=[NodeRoleOut.of(view) for view in detail.node_roles],
        )


def _summary_fields(item: NodeSummary) -> dict[str, Any]:
    node = item.node
    return {
        "id": node.id,
        "name": node.name,
        "deployment": item.deployment,
        "condition": item.condition,
        "milestone": item.milestone,
        "counts": _in_order(item.counts),
        "doing": [DoingOut.of(it) for it in item.doing],
        "available": node.is_available,
        "held_by": item.held_by,
        "uuid": node.uuid,
        "serial": node.serial,
        "vendor": node.vendor,
        "model": node.model,
        "macs": list(node.macs),
        "bmc": [_bmc(it) for it in node.bmc],
        "admin_address": node.admin_address,
    }


def _bmc(item: BmcAccess) -> BmcOut:
    return BmcOut(
        protocol=item.protocol, address=item.address, port=item.port, credential=item.credential
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    words = [*(state.value for state in NodeRoleState), "stale"]
    return {word: counts[word] for word in words if counts.get(word)}


class BmcIn(Shape):
    address: Annotated[str, Field(examples=["10.0.0.7"], min_length=1)]
    protocol: Annotated[str, Field(pattern="^(redfish|ipmi)$")] = "redfish"
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = None


class NodeIn(Shape):
    name: Annotated[str, Field(examples=["node-7"])]
    bmc: tuple[BmcIn, ...] = ()
    macs: tuple[str, ...] = ()
    uuid: str | None = None
    serial: str | None = None

    def new_node(self) -> NewNode:
        return NewNode(
            name=self.name,
            bmc=tuple(BmcAccess(it.protocol, it.address, it.port) for it in self.bmc),
            macs=tuple(parse_mac(it) for it in self.macs),
            uuid=self.uuid.lower() if self.uuid else None,
            serial=self.serial,
        )


class ImportIn(Shape):
    """Nodes that are known from elsewhere; what discovers them is bound at once."""

    nodes: Annotated[list[NodeIn], Field(min_length=1, max_length=10_000)]
    deployment: str = "system"
    goal: Annotated[str, Field(examples=["ready"])] = ""
    """A role to bind to each of them, with all that it needs: proposed, for its plan to be read."""


class EnrolledOut(Shape):
    nodes: list[NodeOut]
    proposal: int | None = None
    """Open: binds the goal on these nodes. Look at its plan, then commit it."""


class PowerIn(Shape):
    action: PowerAction


class PowerOut(Shape):
    run: int
    """The run that does it, as soon as the node's lanes are free."""


class HoldIn(Shape):
    reason: str = ""


class AvailableIn(Shape):
    available: Truth


@router.get("", summary="List nodes")
def list_nodes(
    services: WithServices,
    _caller: WithCaller,
    deployment: Annotated[str, Query(description="Only those of this deployment.")] = "",
    after: After = 0,
    limit: Limit = 100,
) -> Page[NodeOut]:
    def query(reader: Reader) -> list[NodeSummary]:
        place = get_deployment_id(reader, deployment) if deployment else None
        return node_summaries(reader, services.progress, deployment=place, after=after, limit=limit)

    found = services.read(query)
    last = found[-1].node.id if len(found) == limit else None
    return Page[NodeOut](items=[NodeOut.of(item) for item in found], next=last)


@router.post("", status_code=201, summary="Import nodes")
def import_nodes(body: ImportIn, services: WithServices, caller: WithCaller) -> EnrolledOut:
    def change(tx: Transaction) -> Enrolled:
        return enroll_nodes(
            tx,
            [item.new_node() for item in body.nodes],
            get_deployment_id(tx, body.deployment),
            services.catalog_of,
            services.now(),
            by=caller.name,
            goal=RoleName(body.goal) if body.goal else None,
        )

    return enrolled_out(services, services.write(change, kind="enroll"))


def enrolled_out(services: WithServices, enrolled: Enrolled) -> EnrolledOut:
    """Nodes that were just made, as they are listed, and what is proposed for them."""
    nodes = enrolled.nodes
    first = min(node.id for node in nodes) - 1
    found = services.read(
        lambda reader: node_summaries(reader, services.progress, after=first, limit=len(nodes))
    )
    wanted = {node.id for node in nodes}
    return EnrolledOut(
        nodes=[NodeOut.of(item) for item in found if item.node.id in wanted],
        proposal=enrolled.proposal.id if enrolled.proposal is not None else None,
    )


@router.get("/{name}", summary="Show a node", responses={404: {"description": "No such node."}})
def show_node(name: str, services: WithServices, _caller: WithCaller) -> NodeDetailOut:
    return NodeDetailOut.of_detail(
        services.read(
            lambda reader: node_detail(
                reader, get_node(reader, name), services.progress, services.now()
            )
        )
    )


@router.put(
    "/{name}/bmc",
    status_code=204,
    summary="Say where a node's BMC is",
    responses={
        404: {"description": "No such node."},
        409: {"description": "The address is another node's."},
    },
)
def set_bmc(name: str, body: BmcIn, services: WithServices, caller: WithCaller) -> None:
    def change(tx: Transaction) -> None:
        access = BmcAccess(body.protocol, body.address, body.port)
        add_bmc(tx, get_node(tx, name).id, access, services.now(), by=caller.name)

    services.write(change, kind="bmc")


@router.post(
    "/{name}/power",
    status_code=202,
    summary="Ask for a power action",
    responses={404: {"description": "No such node."}},
)
def power_node(name: str, body: PowerIn, services: WithServices, caller: WithCaller) -> PowerOut:
    def change(tx: Transaction) -> int:
        node = get_node(tx, name)
        return request_power(tx, node.id, body.action, services.now(), by=caller.name)

    return PowerOut(run=services.write(change, kind="power"))


@router.post(
    "/{name}/hold",
    status_code=204,
    summary="Start nothing new on a node",
    responses={404: {"description": "No such node."}},
)
def hold_node(name: str, body: HoldIn, services: WithServices, caller: WithCaller) -> None:
    def change(tx: Transaction) -> None:
        node = get_node(tx, name)
        hold(tx, HoldScope.NODE, node.id, services.now(), by=caller.name, reason=body.reason)

    services.write(change, kind="hold")


@router.post(
    "/{name}/resume",
    status_code=204,
    summary="Lift the hold on a node",
    responses={404: {"description": "No such node, or it is not held."}},
)
def resume_node(name: str, services: WithServices, caller: WithCaller) -> None:
    def change(tx: Transaction) -> None:
        resume(tx, HoldScope.NODE, get_node(tx, name).id, services.now(), by=caller.name)

    services.write(change, kind="hold")


@router.put(
    "/{name}/available",
    status_code=204,
    summary="Say whether we may work on a node",
    responses={404: {"description": "No such node."}},
)
def make_available(
    name: str, body: AvailableIn, services: WithServices, caller: WithCaller
) -> None:
    def change(tx: Transaction) -> None:
        node = get_node(tx, name)
        set_available(tx, node.id, services.now(), by=caller.name, to=body.available)

    services.write(change, kind="available")
