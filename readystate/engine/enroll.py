"""From a sighting to a node: accept a report of a machine, and bind what discovers it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from readystate.domain.deployment import Bind, Proposal, ProposalState
from readystate.domain.errors import Conflict
from readystate.domain.events import Event
from readystate.domain.ids import DeploymentId, NodeId, RoleName, parse_node_name
from readystate.domain.node import BmcAccess, Node
from readystate.engine.commit import CatalogOf, write_proposal
from readystate.engine.intent import NamedChange, propose
from readystate.ports.store import Transaction


@dataclass(frozen=True)
class NewNode:
    """What is known of a machine when it becomes a node: at least where its BMC is."""

    name: str
    bmc: tuple[BmcAccess, ...] = ()
    macs: tuple[str, ...] = ()
    uuid: str | None = None
    serial: str | None = None


@dataclass(frozen=True)
class Enrolled:
    nodes: tuple[Node, ...]
    proposal: Proposal | None  #: open: binds the goal on them


def enroll_nodes(
    tx: Transaction,
    news: Sequence[NewNode],
    deployment_id: DeploymentId,
    catalog_of: CatalogOf,
    now: datetime,
    *,
    by: str,
    goal: RoleName | None = None,
) -> Enrolled:
    """Add the nodes and bind the roles flagged `discovery`; all or nothing. A `goal` is proposed
    only: what it destroys on the way is shown by its plan, and confirmed by committing that.
    Raises Conflict for a name or BMC that is taken."""
    deployment = tx.deployment(deployment_id)
    catalog = catalog_of(deployment.catalog_version)
    _refuse_known_bmcs(tx, news)
    nodes = [tx.add_node(_node_of(item, deployment_id)) for item in news]
    bindings = tuple(Bind(role, node.id) for node in nodes for role in catalog.discovery())
    write_proposal(tx, discovery_proposal(deployment_id, bindings, now, by), catalog_of, now, by=by)
    for node in nodes:
        tx.append(
            Event(
                kind="node.enrolled",
                at=now,
                node_id=node.id,
                deployment_id=deployment_id,
                actor=by,
                data={"name": node.name, "bmc": [access.address for access in node.bmc]},
            )
        )
    if goal is None:
        return Enrolled(tuple(nodes), None)
    binds = [NamedChange("bind", role=goal, node=node.name) for node in nodes]
    proposal = propose(tx, deployment_id, f"bring to {goal}", binds, catalog_of, now, by=by)
    return Enrolled(tuple(nodes), proposal)


def discovery_proposal(
    deployment_id: DeploymentId, bindings: Iterable[Bind], now: datetime, by: str
) -> Proposal:
    """Enrolling is itself the intent: this proposal is written without being shown first. Discovery
    destroys nothing (`readystate check`)."""
    return Proposal(
        id=0,
        deployment_id=deployment_id,
        title="enroll",
        changes=tuple(bindings),
        state=ProposalState.OPEN,
        by=by,
        created_at=now,
    )


def _node_of(news: NewNode, deployment_id: DeploymentId) -> Node:
    return Node(
        id=NodeId(0),
        name=parse_node_name(news.name),
        deployment_id=deployment_id,
        uuid=news.uuid,
        serial=news.serial,
        macs=news.macs,
        bmc=news.bmc,
    )


def _refuse_known_bmcs(tx: Transaction, news: Sequence[NewNode]) -> None:
    """Two nodes behind one BMC would fight over one machine's power."""
    wanted = [access.address for item in news for access in item.bmc]
    for item in news:
        addresses = {access.address for access in item.bmc}
        if any(wanted.count(address) > len(item.bmc) for address in addresses):
            raise Conflict(f"BMC {sorted(addresses)[0]} is named for two nodes")
    taken = tx.nodes_with_bmc(set(wanted))
    if taken:
        address, name = sorted(taken.items())[0]
        raise Conflict(
            f"the BMC at {address} belongs to {name} already",
            hint=f"see `readystate nodes show {name}`",
        )
