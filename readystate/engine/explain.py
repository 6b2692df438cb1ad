"""Why something does not move: the causal chain, its roots, and the smallest set of facts that
would free it (design.md section 4.4). Walks the same blockers that the scheduler obeys."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from readystate.domain.blockers import Blocker, BlockerKind, Owner, blockers
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeRoleId
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.run import RunPhase
from readystate.ports.store import Reader, Unit

#: These only point at another vertex; that one's own blockers are the causes.
_POINTERS = frozenset({BlockerKind.PARENT, BlockerKind.ERROR_ANCESTOR, BlockerKind.ORDERED_AFTER})


class FixVerb(StrEnum):
    RETRY = "retry"
    RESUME = "resume"
    COMMIT = "commit"
    CONFIRM = "confirm"
    SET_ATTRIBUTE = "set-attribute"
    SET_AVAILABLE = "set-available"
    ADD_BMC = "add-bmc"


@dataclass(frozen=True, slots=True)
class Fix:
    """One fact that a person has to change."""

    verb: FixVerb
    subject: str  #: what to change, by name: a node-role, a hold's scope, an attribute
    node_role_id: NodeRoleId
    command: str  #: what to type


@dataclass(frozen=True, slots=True)
class Link:
    """One vertex of the chain, with everything that stands in its way."""

    node_role_id: NodeRoleId
    role: str
    node: str
    state: str
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """A cause that is not the effect of another one."""

    node_role_id: NodeRoleId
    role: str
    node: str
    bmc: str  #: address, where a BMC is part of it
    blocker: Blocker


@dataclass(frozen=True, slots=True)
class Why:
    chain: tuple[Link, ...]  #: nearest first
    roots: tuple[Root, ...]
    fix: tuple[Fix, ...]  #: irreducible, assuming that other runs succeed; empty: only time
    is_runnable: bool


def explain(reader: Reader, item: NodeRoleId, now: datetime) -> Why:
    """Raises NotFound for an unknown node-role."""
    reader.node_role(item)
    graph = load_above(reader, item)
    return explain_in(graph, item, now)


def load_above(reader: Reader, item: NodeRoleId) -> Graph:
    """The vertex with all that stands hard-above it, and what these run softly after."""
    above = {item} | reader.hard_ancestors({item})
    units: set[Unit] = set(reader.units_of(above).values())
    return load_to_show(reader, units)


def load_to_show(reader: Reader, units: Collection[Unit]) -> Graph:
    """As the annealer saw it, with the gates that were full."""
    graph = reader.load(units)
    graph.gates = reader.full_gates()
    return graph


def explain_in(graph: Graph, item: NodeRoleId, now: datetime) -> Why:
    chain = tuple(_walk(graph, item, now))
    roots = tuple(
        _root(graph, link, blocker)
        for link in chain
        for blocker in link.blockers
        if blocker.kind not in _POINTERS
    )
    return Why(chain, roots, tuple(_fixes(graph, chain)), not chain[0].blockers)


def _walk(graph: Graph, start: NodeRoleId, now: datetime) -> Iterator[Link]:
    seen = {start}
    queue = deque([start])
    while queue:
        node_role = graph.node_roles[queue.popleft()]
        found = blockers(graph, node_role, now)
        yield Link(
            node_role.id,
            node_role.role,
            _node_name(graph, node_role),
            "stale" if node_role.is_stale else node_role.state.value,
            found,
        )
        parents = [it.id for it in graph.hard_parents(node_role.id) if not it.is_settled]
        parents += [it.id for it in graph.unsettled_soft_parents(node_role.id) if not it.holds_back]
        for parent in parents:
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)


def _node_name(graph: Graph, node_role: NodeRole) -> str:
    return graph.nodes[node_role.node_id].name if node_role.node_id is not None else ""


def _root(graph: Graph, link: Link, blocker: Blocker) -> Root:
    node_role = graph.node_roles[link.node_role_id]
    bmc = ""
    concerns_bmc = blocker.owner is Owner.BMC or blocker.kind in (
        BlockerKind.ERROR,
        BlockerKind.BACKOFF,
        BlockerKind.WAITING,
    )
    if node_role.node_id is not None and concerns_bmc:
        node = graph.nodes[node_role.node_id]
        bmc = node.bmc[0].address if node.bmc else ""
    return Root(link.node_role_id, link.role, link.node, bmc, blocker)


# -- the smallest fix ------------------------------------------------------------------------------


def _fixes(graph: Graph, chain: tuple[Link, ...]) -> Iterator[Fix]:
    """Every hard ancestor has to settle, so whatever only a person can change about one of them is
    needed, and nothing else is: soft parents that need a person delay nobody."""
    hard = _hard_part(graph, chain)
    told: set[tuple[FixVerb, str]] = set()
    for link in chain:
        if link.node_role_id not in hard:
            continue
        for fix in _fixes_of(graph, graph.node_roles[link.node_role_id], link):
            if (fix.verb, fix.subject) not in told:
                told.add((fix.verb, fix.subject))
                yield fix


def _hard_part(graph: Graph, chain: tuple[Link, ...]) -> set[NodeRoleId]:
    found = {chain[0].node_role_id}
    queue = [chain[0].node_role_id]
    while queue:
        for parent in graph.hard_parents(queue.pop()):
            if not parent.is_settled and parent.id not in found:
                found.add(parent.id)
                queue.append(parent.id)
    return found


def _fixes_of(graph: Graph, node_role: NodeRole, link: Link) -> Iterator[Fix]:
    if node_role.is_settled:
        return
    name = f"{link.node}/{link.role}" if link.node else link.role
    item = node_role.id
    staged = node_role.state is NodeRoleState.TRANSITION
    if node_role.state is NodeRoleState.ERROR:
        yield Fix(FixVerb.RETRY, name, item, f"readystate retry {name}")
    if node_role.state is NodeRoleState.PROPOSED:
        yield Fix(FixVerb.COMMIT, name, item, "readystate commit")
    if not staged:
        for hold in graph.all_holds_on(node_role):
            subject = f"{hold.scope} {hold.subject_id}" if hold.subject_id else hold.scope.value
            yield Fix(FixVerb.RESUME, subject, item, f"readystate resume --{hold.scope} {name}")
    elif _is_staged(graph, node_role):
        for hold in graph.all_holds_around(node_role):
            subject = f"{hold.scope} {hold.subject_id}" if hold.subject_id else hold.scope.value
            yield Fix(FixVerb.RESUME, subject, item, f"readystate resume --{hold.scope} {name}")
    for blocker in link.blockers:
        match blocker.kind:
            case BlockerKind.MISSING_ATTRIBUTE:
                attribute = blocker.detail.split(" ", 1)[0]
                command = f"readystate plan --set {attribute}=VALUE"
                yield Fix(FixVerb.SET_ATTRIBUTE, attribute, item, command)
            case BlockerKind.NODE_UNAVAILABLE:
                command = f"readystate nodes available {link.node}"
                yield Fix(FixVerb.SET_AVAILABLE, link.node, item, command)
            case BlockerKind.NO_HAMMER:
                command = f"readystate nodes bmc {link.node} ADDRESS"
                yield Fix(FixVerb.ADD_BMC, link.node, item, command)
            case BlockerKind.CONFIRMATION:
                yield Fix(FixVerb.CONFIRM, name, item, f"readystate confirm {name}")
            case _:
                continue


def _is_staged(graph: Graph, node_role: NodeRole) -> bool:
    run = graph.run_of(node_role)
    return run is not None and run.phase is RunPhase.STAGED
