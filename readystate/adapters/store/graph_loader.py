"""Fills a working set: the neighbourhood of the units, in a bounded number of queries."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.mapping import (
    EDGE_COLUMNS,
    deployment_of,
    edge_of,
    hold_of,
    node_of,
    node_role_of,
    run_of,
)
from readystate.adapters.store.secrets import Seal
from readystate.adapters.store.tables import node_roles, nodes, runs
from readystate.adapters.store.values import Book, LayeredValues, Settings, load_settings
from readystate.domain.deployment import Deployment
from readystate.domain.graph import GIVEN, Edge, Graph, Hold, RoleBook
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName, RunId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole
from readystate.ports.store import Extent, Unit, UnitKind

NODE_ROLE_COLUMNS = ", ".join(column.name for column in node_roles.columns)
NODE_COLUMNS = ", ".join(column.name for column in nodes.columns)
RUN_COLUMNS = ", ".join(f'"{column.name}"' for column in list(runs.columns)[:20])

_ON_NODES = {
    Extent.WHOLE: f"SELECT {NODE_ROLE_COLUMNS} FROM node_roles WHERE node_id IN ?ids ORDER BY id",
    Extent.UNSETTLED: (
        f"SELECT {NODE_ROLE_COLUMNS} FROM node_roles WHERE node_id IN ?ids"
        " AND (is_stale OR state NOT IN ('active', 'skipped')) ORDER BY id"
    ),
}
_BY_ID = f"SELECT {NODE_ROLE_COLUMNS} FROM node_roles WHERE id IN ?ids"
_EDGES_TO = f"SELECT {EDGE_COLUMNS} FROM edges WHERE child_id IN ?ids"
_IN_ORDER = "ORDER BY child_id, parent_id"  # so that blockers read the same on both databases
_PARENTS = f"{_EDGES_TO} {_IN_ORDER}"
_HARD_PARENTS = f"{_EDGES_TO} AND kind = 'hard' {_IN_ORDER}"
_NODES = f"SELECT {NODE_COLUMNS} FROM nodes WHERE id IN ?ids"
_MACS = "SELECT node_id, mac FROM node_macs WHERE node_id IN ?ids ORDER BY node_id, position"
_RUNS_ON_NODES = (
    f"SELECT {RUN_COLUMNS} FROM runs WHERE node_id IN ?ids AND phase <> 'done' ORDER BY id"
)
_RUNS_OF_VERTICES = (
    f"SELECT {RUN_COLUMNS} FROM runs WHERE node_role_id IN ?ids AND node_id IS NULL"
    " AND phase <> 'done' ORDER BY id"
)
_WAKES = "SELECT run_id, name, payload FROM wakes WHERE run_id IN ?ids"
_HOLDS = 'SELECT scope, subject_id, "by", at, reason FROM holds'
_DEPLOYMENTS = "SELECT id, name, parent_id, catalog_version FROM deployments ORDER BY id"

#: Gives the roles in force under a catalog version.
Books = Callable[[str], Book]


def load_graph(
    connection: Connection, units: Collection[Unit], extent: Extent, books: Books, seal: Seal
) -> Graph:
    """See `ports.store.Reader.load`."""
    deployments = read_deployments(connection)
    filler = _Filler(connection, deployments, books, seal)
    filler.take_focus(units, extent)
    filler.take_edges()
    filler.take_peers()
    filler.take_nodes()
    filler.take_runs(units)
    graph = filler.graph
    graph.holds = {(hold.scope, hold.subject_id): hold for hold in read_holds(connection)}
    graph.values = LayeredValues(
        load_settings(connection, graph.nodes, graph.focus, seal),
        filler.books,
        graph.ancestry,
    )
    return graph


class _Filler:
    def __init__(
        self,
        connection: Connection,
        deployments: Mapping[DeploymentId, Deployment],
        books: Books,
        seal: Seal,
    ) -> None:
        self._connection = connection
        self._books = books
        self._deployments = deployments
        self._reads: dict[tuple[DeploymentId, RoleName], frozenset[RoleName]] = {}
        self.books: dict[DeploymentId, Book] = {}
        self.graph = Graph(
            books=cast(dict[DeploymentId, RoleBook], self.books),
            values=LayeredValues(Settings(seal), {}, {}),
            ancestry=ancestry_of(deployments),
        )
        self.graph.read_outputs = _read_outputs

    def take_focus(self, units: Collection[Unit], extent: Extent) -> None:
        connection = self._connection
        node_ids = [unit.id for unit in units if unit.kind is UnitKind.NODE]
        vertex_ids = [unit.id for unit in units if unit.kind is UnitKind.VERTEX]
        rows: list[Row] = []
        if node_ids and extent is not Extent.NONE:
            rows += connection.fetch(_ON_NODES[extent], connection.ids(node_ids))
        if vertex_ids:
            rows += connection.fetch(_BY_ID, connection.ids(vertex_ids))
        add, instant = self.graph.add, connection.instant
        for row in rows:
            add(node_role_of(row, instant), in_focus=True)
        self._open_books({row[2] for row in rows})

    def take_edges(self) -> None:
        graph, connection = self.graph, self._connection
        rows = connection.fetch(_PARENTS, connection.ids(graph.focus)) if graph.focus else []
        parents, children = graph.parents, graph.children
        for row in rows:
            edge = edge_of(row)
            parents[row[1]].append(edge)
            children[row[0]].append(edge)
        self._take_outside({row[0] for row in rows})

    def _take_outside(self, ids: Iterable[NodeRoleId]) -> None:
        graph, connection = self.graph, self._connection
        absent = set(ids) - graph.node_roles.keys()
        if not absent:
            return
        rows = connection.fetch(_BY_ID, connection.ids(absent))
        for row in rows:
            graph.add(node_role_of(row, connection.instant), in_focus=False)
        self._open_books({row[2] for row in rows})

    def take_peers(self) -> None:
        """The peers behind barriers outside, where something in focus reads through them. Their
        edges are no `children`: what becomes of a peer is carried to the barrier in its own unit,
        and counted there once."""
        graph, connection = self.graph, self._connection
        barriers = {barrier for item in graph.focus for barrier in self._read_through(item)}
        if not barriers:
            return
        edges = [edge_of(row) for row in connection.fetch(_HARD_PARENTS, connection.ids(barriers))]
        for edge in edges:
            graph.parents[edge.child].append(edge)
        self._take_outside(edge.parent for edge in edges)

    def _read_through(self, item: NodeRoleId) -> Iterable[NodeRoleId]:
        graph = self.graph
        wanted = self._sources_read(graph.node_roles[item])
        if not wanted:
            return
        for edge in graph.parents[item]:
            parent = graph.node_roles[edge.parent]
            if parent.node_id is None and parent.id not in graph.focus:
                role = graph.role_of(parent)
                if graph.is_barrier(parent) and (
                    role.name in wanted or not wanted.isdisjoint(role.provides)
                ):
                    yield parent.id

    def _sources_read(self, node_role: NodeRole) -> frozenset[RoleName]:
        """The roles whose outputs the role's wants and `when` read."""
        key = (node_role.deployment_id, node_role.role)
        known = self._reads.get(key)
        if known is None:
            book = self.books[node_role.deployment_id]
            role = book.role(node_role.role)
            conditions = (book.output_source(name) for name, _ in role.when)
            sources = (*(want.source for want in role.wants), *conditions)
            known = self._reads[key] = frozenset(name for name in sources if name is not None)
        return known

    def take_nodes(self) -> None:
        graph = self.graph
        ids = {item.node_id for item in graph.node_roles.values() if item.node_id is not None}
        graph.nodes.update(read_nodes(self._connection, ids))

    def take_runs(self, units: Collection[Unit]) -> None:
        graph, connection = self.graph, self._connection
        node_ids = [unit.id for unit in units if unit.kind is UnitKind.NODE]
        missing = [item for item in node_ids if item not in graph.nodes]
        if missing:  # nodes without node-roles have runs too: power actions
            graph.nodes.update(read_nodes(connection, map(NodeId, missing)))
        vertex_ids = [unit.id for unit in units if unit.kind is UnitKind.VERTEX]
        rows: list[Row] = []
        if node_ids:
            rows += connection.fetch(_RUNS_ON_NODES, connection.ids(node_ids))
        if vertex_ids:
            rows += connection.fetch(_RUNS_OF_VERTICES, connection.ids(vertex_ids))
        for row in rows:
            graph.add_run(run_of(row, connection.instant))
        if graph.runs:
            for run_id, name, payload in connection.fetch(_WAKES, connection.ids(graph.runs)):
                if name == GIVEN:
                    graph.given_wakes[RunId(run_id)] = json.loads(payload)
                else:
                    graph.wakes[RunId(run_id), name] = json.loads(payload)

    def _open_books(self, deployments: Iterable[DeploymentId]) -> None:
        for item in deployments:
            if item not in self.books:
                version = self._deployments[item].catalog_version
                self.books[item] = self._books(version)


@lru_cache(maxsize=2000)  # a node's inventory is read again at most of its runs
def _parsed(outputs: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(outputs)
    return MappingProxyType(found)


def _read_outputs(node_role: NodeRole) -> Mapping[str, Any]:
    return _parsed(node_role.outputs)


def read_deployments(connection: Connection) -> dict[DeploymentId, Deployment]:
    found = map(deployment_of, connection.fetch(_DEPLOYMENTS))
    return {item.id: item for item in found}


def ancestry_of(
    deployments: Mapping[DeploymentId, Deployment],
) -> dict[DeploymentId, tuple[DeploymentId, ...]]:
    """Each deployment with its ancestors, itself first."""
    ancestry = {}
    for item in deployments.values():
        chain = [item.id]
        while (parent := deployments[chain[-1]].parent_id) is not None:
            chain.append(parent)
        ancestry[item.id] = tuple(chain)
    return ancestry


def read_nodes(connection: Connection, ids: Iterable[NodeId]) -> dict[NodeId, Node]:
    wanted = connection.ids(ids)
    macs: dict[NodeId, list[str]] = {}
    for node_id, mac in connection.fetch(_MACS, wanted):
        macs.setdefault(node_id, []).append(mac)
    return {
        row[0]: node_of(row, macs.get(row[0], ()), connection.instant)
        for row in connection.fetch(_NODES, wanted)
    }


def read_edges(connection: Connection, condition: str, *values: Any) -> list[Edge]:
    return [
        edge_of(row)
        for row in connection.fetch(f"SELECT {EDGE_COLUMNS} FROM edges {condition}", *values)
    ]


def read_holds(connection: Connection) -> list[Hold]:
    return [hold_of(row, connection.instant) for row in connection.fetch(_HOLDS)]
