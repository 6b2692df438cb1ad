"""Why something does not move: the causal chain, its roots, and the smallest set of facts that
would free it (design.md section 4.4). Walks the same blockers that the scheduler obeys."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from readystate.domain.blockers import Blocker, BlockerKind, Owner, blockers
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeRoleId
from readystate.domain.node_role import NodeRole
from readystate.engine.fix_command import command_for
from readystate.engine.smallest_fix import Fix, smallest_fix
from readystate.ports.store import Reader, Unit

#: These only point at another vertex; that one's own blockers are the causes.
_POINTERS = frozenset({BlockerKind.PARENT, BlockerKind.ERROR_ANCESTOR, BlockerKind.ORDERED_AFTER})


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
    chain = tuple(_walk(graph, item, now))
    roots = tuple(
        _root(graph, link, blocker)
        for link in chain
        for blocker in link.blockers
        if blocker.kind not in _POINTERS
    )
    is_open = bool(chain[0].blockers)
    fix = smallest_fix(lambda: load_above(reader, item), item, now) if is_open else ()
    told = tuple(replace(it, command=command_for(reader, it)) for it in fix)
    return Why(chain, roots, told, is_runnable=not is_open)


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
