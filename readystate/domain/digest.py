"""The input digest: what a node-role's result rests on (design.md section 4.3).

Text of two parts, `wants.epochs`: the first covers the annotation version, the resolved wants and
the verdict of `when`; the second the counters that can undo the work. A destructive role treats
them apart: changed wants are drift, a moved epoch un-settles."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readystate.domain.graph import MISSING, UNKNOWN, EdgeKind, Graph
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.role import Epoch, Role, Scope, Take, Want
from readystate.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class Input:
    """What a node-role would run with now. Only meaningful when every hard parent is settled."""

    digest: str
    verdict: bool | None  #: of `when`; None: rests on an output not known yet (planning only)
    missing: tuple[str, ...]  #: wanted attributes without a value
    values: Mapping[str, Any]  #: wants by attribute name
    is_known: bool = True  #: False: rests on an output not known yet (planning only)

    @property
    def epochs(self) -> str:
        return epochs_part(self.digest)


def epochs_part(digest: str | None) -> str:
    return (digest or "").partition(".")[2]


def read_input(graph: Graph, node_role: NodeRole) -> Input:
    role = graph.role_of(node_role)
    epochs = _epochs(graph, node_role, role)
    if graph.is_barrier(node_role):
        return Input(f"{role.version}.{epochs}", True, (), {})
    if not role.wants and not role.when:
        return Input(f"{role.version}.{epochs}", True, (), {})
    values = {want.attribute: want_value(graph, node_role, want) for want in role.wants}
    missing = tuple(sorted(name for name, value in values.items() if value is MISSING))
    verdict = when_verdict(graph, node_role, role)
    is_known = verdict is not None and not any(value is UNKNOWN for value in values.values())
    canonical = _encode(
        [role.version, verdict, {name: _canonical(value) for name, value in values.items()}]
    )
    wants = hashlib.sha256(canonical.encode()).hexdigest()[:24]
    return Input(f"{wants}.{epochs}", verdict, missing, values, is_known)


def known_part(graph: Graph, node_role: NodeRole) -> str:
    """What is known already of an input that may not be complete: layered attributes, and what
    settled work has put out. For a plan's digest; never compared with an input digest."""
    role = graph.role_of(node_role)
    book = graph.books[node_role.deployment_id]
    wants = [*role.wants, *(Want(name, source=book.output_source(name)) for name, _ in role.when)]
    known = [
        [want.attribute, _canonical(want_value(graph, node_role, want))]
        for want in wants
        if want.source is None or all(item.is_settled for item in sources(graph, node_role, want))
    ]
    return hashlib.sha256(_encode([role.version, known]).encode()).hexdigest()[:24]


def _mark_of(value: object) -> dict[str, str]:
    """A secret may stand anywhere inside a value. Never the secret itself: digests are shown."""
    if isinstance(value, Secret) and value.mark:
        return {"$secret": value.mark}
    raise TypeError(f"{type(value).__name__} cannot be digested: no value of a store")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_mark_of).encode


def _canonical(value: Any) -> Any:
    if value is MISSING:
        return {"$missing": True}
    if value is UNKNOWN:
        return {"$unknown": True}
    return value


def _epochs(graph: Graph, node_role: NodeRole, role: Role) -> str:
    if node_role.node_id is not None:
        counters = graph.nodes[node_role.node_id].epochs
        return ":".join(f"{item[0:3]}{counters.of(item)}" for item in sorted(role.invalidated_by))
    # A vertex without a node rests on everybody above it: who they are (membership) and how often
    # their disks were written anew. Vertices without a node above it carry that in their digest.
    parts = []
    for parent in graph.hard_parents(node_role.id):
        if parent.node_id is None:
            parts.append(f"v{parent.id}={parent.digest}")
        else:
            reinstalls = graph.nodes[parent.node_id].epochs.of(Epoch.REINSTALL)
            parts.append(f"n{parent.node_id}={reinstalls}")
    if not parts:
        return ""
    return hashlib.sha256(";".join(sorted(parts)).encode()).hexdigest()[:16]


def when_verdict(graph: Graph, node_role: NodeRole, role: Role) -> bool | None:
    """Whether there is anything to do. A condition on a missing value is not met."""
    verdict: bool | None = True
    for name, required in role.when:
        value = named_value(graph, node_role, name)
        if value is UNKNOWN:
            verdict = None
        elif value is MISSING or value != required:
            return False
    return verdict


def layered_verdict(graph: Graph, node_role: NodeRole) -> bool:
    """False when attributes alone already say that the role will be skipped."""
    role = graph.role_of(node_role)
    for name, required in role.when:
        if graph.books[node_role.deployment_id].output_source(name) is None:
            value = graph.values.value(node_role, name)
            if value is MISSING or value != required:
                return False
    return True


def named_value(graph: Graph, node_role: NodeRole, name: str) -> Any:
    """The value of an output or a layered attribute, as a `when` condition names it."""
    source = graph.books[node_role.deployment_id].output_source(name)
    if source is None:
        return graph.values.value(node_role, name)
    return want_value(graph, node_role, Want(name, source=source))


def want_value(graph: Graph, node_role: NodeRole, want: Want) -> Any:
    """The value, or MISSING; UNKNOWN only while planning."""
    if want.source is None:
        value = graph.values.value(node_role, want.attribute)
        return want.default if value is MISSING and want.has_default else value
    found = [
        item
        for parent in sources(graph, node_role, want)
        if (item := _output(graph, parent, want.attribute)) is not MISSING
    ]
    if want.take in (Take.ALL, Take.COUNT):
        if any(item is UNKNOWN for item in found):
            return UNKNOWN
        return found if want.take is Take.ALL else len(found)
    if found:
        return found[0]
    return want.default if want.has_default else MISSING


def _output(graph: Graph, parent: NodeRole, attribute: str) -> Any:
    if parent.state is NodeRoleState.SKIPPED:
        return MISSING
    return graph.read_outputs(parent).get(attribute, MISSING)


def sources(graph: Graph, node_role: NodeRole, want: Want) -> list[NodeRole]:
    """The vertices that put the wanted output out, by node id. Behind a barrier: all its peers
    that count, unless only `one` is wanted and this node has its own."""
    found: dict[int, NodeRole] = {}
    for edge in graph.parents[node_role.id]:
        if edge.kind is not EdgeKind.HARD:
            continue
        parent = graph.node_roles[edge.parent]
        role = graph.role_of(parent)
        if role.name != want.source and want.source not in role.provides:
            continue
        if role.scope is Scope.CLUSTER and parent.node_id is None:
            for peer in graph.hard_parents(parent.id):
                found[peer.id] = peer
        elif not edge.is_joining:
            found[parent.id] = parent
    peers = sorted(found.values(), key=lambda item: (item.node_id or 0, item.id))
    if want.take is Take.ONE and node_role.node_id is not None:
        own = [item for item in peers if item.node_id == node_role.node_id]
        return own or peers
    return peers
