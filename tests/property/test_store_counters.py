"""Whatever settles and un-settles, in whatever order and over whatever units: the counters that the
store keeps agree with its edges."""

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from readystate.domain.graph import Edge, EdgeKind, Graph
from readystate.domain.ids import NodeId, NodeRoleId, RoleName
from readystate.domain.node_role import LastError, NodeRole, NodeRoleState, Verb
from readystate.engine.propagation import Propagation
from readystate.ports.store import Transaction, Unit
from tests.protocol.stores import NOW, StoreRig, add_node, add_site, empty_sqlite, open_rig

HIGHEST = 9


@dataclass(frozen=True)
class Drawn:
    """A DAG: node-role `n` is on node `places[n]` (0: on none), edges go from low to high."""

    places: tuple[int, ...]
    edges: tuple[tuple[int, int, EdgeKind, bool], ...]


@st.composite
def dags(draw: st.DrawFn) -> Drawn:
    places = draw(st.lists(st.integers(0, 2), min_size=2, max_size=HIGHEST + 1))
    pairs = st.tuples(st.integers(0, len(places) - 1), st.integers(0, len(places) - 1))
    ends = draw(st.sets(pairs.filter(lambda pair: pair[0] < pair[1]), max_size=16))
    kinds = st.sampled_from([EdgeKind.HARD, EdgeKind.HARD, EdgeKind.HARD, EdgeKind.SOFT])
    edges = []
    for parent, child in sorted(ends):
        kind = draw(kinds)
        edges.append((parent, child, kind, kind is EdgeKind.HARD and draw(st.integers(0, 4)) == 0))
    return Drawn(tuple(places), tuple(edges))


def build(tx: Transaction, drawn: Drawn) -> list[NodeRoleId]:
    site = add_site(tx)
    nodes: list[NodeId | None] = [None, *(add_node(tx, site, f"n{item}").id for item in (1, 2))]
    counted = [
        child for _, child, kind, joins in drawn.edges if kind is EdgeKind.HARD and not joins
    ]
    added = tx.add_node_roles(
        [
            NodeRole(
                NodeRoleId(0),
                RoleName(f"work-{number}"),
                site.rack,
                nodes[place],
                NodeRoleState.BLOCKED,
                unmet=counted.count(number),
            )
            for number, place in enumerate(drawn.places)
        ]
    )
    ids = [item.id for item in added]
    tx.add_edges(
        [
            Edge(ids[parent], ids[child], kind, "requires", is_joining)
            for parent, child, kind, is_joining in drawn.edges
        ]
    )
    units = set(tx.units_of(ids).values())
    Propagation(tx, NOW).carry(units, lambda graph: tuple(graph.focus))
    return ids


def advance(graph: Graph, item: NodeRoleId) -> Iterable[NodeRoleId]:
    """What a worker or a person might do to it next."""
    current = graph.node_roles[item]
    match current.state:
        case NodeRoleState.TODO:
            done = current.after(Verb.START, NOW).after(Verb.SUCCEED, NOW, digest="v1.")
            graph.put(done)
            graph.touched.add(item)
        case NodeRoleState.ACTIVE:
            graph.put(current.after(Verb.RERUN, NOW, is_stale=False))
        case NodeRoleState.ERROR:
            graph.put(current.after(Verb.RETRY, NOW, error=None))
        case _:
            return ()
    return (item,)


def fail(graph: Graph, item: NodeRoleId) -> Iterable[NodeRoleId]:
    current = graph.node_roles[item]
    if current.state is not NodeRoleState.TODO:
        return ()
    error = LastError("failed", "no", NOW, NOW)
    failed = current.after(Verb.START, NOW).after(Verb.FAIL, NOW, error=error, digest="v1.")
    graph.put(failed)
    return (item,)


def stand_aside(graph: Graph, item: NodeRoleId) -> Iterable[NodeRoleId]:
    """Its node is set not available, or available again."""
    node_id = graph.node_roles[item].node_id
    if node_id is None:
        return ()
    node = graph.nodes[node_id]
    graph.put_node(replace(node, is_available=not node.is_available))
    return tuple(graph.on_node[node_id])


Act = Callable[[Graph, NodeRoleId], Iterable[NodeRoleId]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([advance, advance, advance, fail, stand_aside]), st.integers(0, HIGHEST)
    ),
    max_size=20,
)


def act(tx: Transaction, unit: Unit, what: Act, item: NodeRoleId) -> None:
    Propagation(tx, NOW).carry([unit], lambda graph: what(graph, item))


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="readystate-counters-"))


def new_rig() -> AbstractContextManager[StoreRig]:
    url = empty_sqlite(folder(), folder() / "template.db")
    for left in folder().glob("store.db-*"):
        left.unlink()
    return open_rig(url, folder())


@given(dags(), STEPS)
@settings(max_examples=60)
def test_counters_agree_with_edges_after_any_history(
    drawn: Drawn, steps: list[tuple[Act, int]]
) -> None:
    with new_rig() as rig:
        ids = rig.store.write(lambda tx: build(tx, drawn), kind="bind")
        units = rig.store.read(lambda reader: reader.units_of(ids))
        for what, number in steps:
            item = ids[number % len(ids)]
            rig.store.write(lambda tx: act(tx, units[item], what, item), kind="anneal")  # noqa: B023

            assert [] == rig.store.read(lambda reader: reader.compare_counters())
        states = rig.store.read(lambda reader: reader.node_roles())
        blocked_without_reason = [
            item.id for item in states if item.state is NodeRoleState.BLOCKED and item.unmet == 0
        ]
        assert [] == blocked_without_reason
