"""Reports of machines that nobody has accepted yet, and accepting them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from readystate.domain.errors import BadRequest, NotFound
from readystate.domain.events import Event
from readystate.domain.ids import DeploymentId, RoleName
from readystate.domain.node import BmcAccess
from readystate.domain.sighting import BmcSighting
from readystate.engine.commit import CatalogOf
from readystate.engine.enroll import Enrolled, NewNode, enroll_nodes
from readystate.ports.store import Reader, Transaction

_KIND = "sighting"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A BMC that was seen, and whose it is."""

    bmc: BmcSighting
    ports: Mapping[str, int | None]  #: by protocol; None = its own
    node: str  #: "" = not enrolled


def record_sighting(tx: Transaction, seen: BmcSighting, ports: Mapping[str, int | None]) -> None:
    """The latest look counts. An event tells of an address that was never seen before."""
    known = tx.document(_KIND, seen.address)
    values: dict[str, Any] = {**asdict(seen), "ports": dict(ports)}
    tx.put_document(_KIND, seen.address, values | {"seen_at": seen.seen_at.isoformat()})
    if known is None:
        data = {"address": seen.address, "protocols": list(seen.protocols), "vendor": seen.vendor}
        tx.append(Event(kind="sighting.new", at=seen.seen_at, data=data))


def sightings(reader: Reader) -> list[Sighting]:
    """By address."""
    documents = reader.documents(_KIND)
    owners = reader.nodes_with_bmc(set(documents))
    found = [_sighting(item, owners) for item in documents.values()]
    return sorted(found, key=lambda item: ip_address(item.bmc.address).packed)


def enroll_sightings(
    tx: Transaction,
    names: Mapping[str, str],
    deployment_id: DeploymentId,
    catalog_of: CatalogOf,
    now: datetime,
    *,
    by: str,
    goal: RoleName | None = None,
) -> Enrolled:
    """Make nodes of the sightings at these addresses. `names` is address to name; an empty name
    stands for the next free `node-N`. Raises NotFound for an address that was not seen."""
    seen = {item.bmc.address: item for item in sightings(tx)}
    unknown = sorted(set(names) - set(seen))
    if unknown:
        raise NotFound(
            f"no BMC was seen at {', '.join(unknown[:5])}", hint="readystate scan ADDRESS first"
        )
    if not names:
        raise BadRequest("no sighting to enroll", hint="readystate scan RANGE finds some")
    free = _free_names(tx)
    order = sorted(names, key=lambda address: ip_address(address).packed)
    news = [_new_node(seen[item], names[item] or next(free)) for item in order]
    return enroll_nodes(tx, news, deployment_id, catalog_of, now, by=by, goal=goal)


def waiting(found: Sequence[Sighting]) -> list[Sighting]:
    return [item for item in found if not item.node]


def _new_node(sighting: Sighting, name: str) -> NewNode:
    seen = sighting.bmc
    bmc = tuple(
        BmcAccess(protocol, seen.address, sighting.ports.get(protocol))
        for protocol in seen.protocols
    )
    return NewNode(name, bmc)


def _sighting(values: Mapping[str, Any], owners: Mapping[str, str]) -> Sighting:
    seen = BmcSighting(
        address=values["address"],
        protocols=tuple(values["protocols"]),
        redfish_uuid=values["redfish_uuid"],
        vendor=values["vendor"],
        product=values["product"],
        seen_at=datetime.fromisoformat(values["seen_at"]),
    )
    return Sighting(seen, values["ports"], owners.get(seen.address, ""))


def _free_names(reader: Reader) -> Iterator[str]:
    """`node-1`, `node-2` ... as far as nobody bears them."""
    number = 0
    while True:
        number += 1
        name = f"node-{number}"
        try:
            reader.node(name)
        except NotFound:
            yield name
