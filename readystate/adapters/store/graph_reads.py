"""Reads of the live graph."""

from collections.abc import Collection
from typing import Any

from readystate.adapters.store.agenda import count_working
from readystate.adapters.store.graph_loader import load_graph, read_edges
from readystate.adapters.store.mapping import unit_of
from readystate.adapters.store.reconciler import compare_counters
from readystate.adapters.store.snapshot import Snapshot
from readystate.adapters.store.values import Book
from readystate.domain.graph import Edge, Gate, Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId
from readystate.ports.store import Extent, Unit

# A newcomer's edges count here: once it settles, what is below it will rest on it.
_HARD_BELOW = """
WITH RECURSIVE below (id) AS (
  SELECT child_id FROM edges WHERE parent_id IN ?ids AND kind = 'hard'
  UNION
  SELECT e.child_id FROM below AS b JOIN edges AS e ON e.parent_id = b.id WHERE e.kind = 'hard'
) SELECT id FROM below
"""
_HARD_ABOVE = """
WITH RECURSIVE above (id) AS (
  SELECT parent_id FROM edges WHERE child_id IN ?ids AND kind = 'hard'
  UNION
  SELECT e.parent_id FROM above AS a JOIN edges AS e ON e.child_id = a.id WHERE e.kind = 'hard'
) SELECT id FROM above
"""


class GraphReads(Snapshot):
    def load(self, units: Collection[Unit], extent: Extent = Extent.WHOLE) -> Graph:
        def books(version: str) -> Book:
            return self._library.book(version, self._connection)

        return load_graph(self._connection, units, extent, books, self._seal)

    def cross_edges(self, parents: Collection[NodeRoleId]) -> list[Edge]:
        connection = self._connection
        if not parents:
            return []
        return read_edges(
            connection, "WHERE parent_id IN ?ids AND is_cross", connection.ids(parents)
        )

    def full_gates(self) -> dict[str, Gate]:
        rows = self._connection.fetch("SELECT DISTINCT gate FROM agenda WHERE gate IS NOT NULL")
        if not rows:
            return {}
        working = count_working(self._connection)
        return {name: Gate(name, limit=working, used=working) for (name,) in rows}

    def compare_counters(self) -> list[str]:
        return compare_counters(self._connection)

    def edges_among(self, node_roles: Collection[NodeRoleId]) -> list[Edge]:
        ids = self._connection.ids(node_roles)
        return read_edges(
            self._connection,
            "WHERE child_id IN ?ids AND parent_id IN ?ids ORDER BY child_id, parent_id",
            ids,
            ids,
        )

    def units_of(self, node_roles: Collection[NodeRoleId]) -> dict[NodeRoleId, Unit]:
        connection = self._connection
        rows = connection.fetch(
            "SELECT id, node_id FROM node_roles WHERE id IN ?ids", connection.ids(node_roles)
        )
        return {item: unit_of(node_id, item) for item, node_id in rows}

    def vertices(self, deployments: Collection[DeploymentId]) -> set[NodeRoleId]:
        return self._ids_where(
            "SELECT id FROM node_roles WHERE node_id IS NULL AND deployment_id IN ?ids", deployments
        )

    def node_roles_on(self, nodes: Collection[NodeId]) -> set[NodeRoleId]:
        return self._ids_where("SELECT id FROM node_roles WHERE node_id IN ?ids", nodes)

    def node_ids_in(self, deployments: Collection[DeploymentId]) -> set[NodeId]:
        return self._ids_where("SELECT id FROM nodes WHERE deployment_id IN ?ids", deployments)

    def deployments_of(self, nodes: Collection[NodeId]) -> set[DeploymentId]:
        return self._ids_where("SELECT DISTINCT deployment_id FROM nodes WHERE id IN ?ids", nodes)

    def hard_descendants(self, node_roles: Collection[NodeRoleId]) -> set[NodeRoleId]:
        return self._ids_where(_HARD_BELOW, node_roles)

    def hard_ancestors(self, node_roles: Collection[NodeRoleId]) -> set[NodeRoleId]:
        return self._ids_where(_HARD_ABOVE, node_roles)

    def _ids_where(self, statement: str, ids: Collection[int]) -> set[Any]:
        connection = self._connection
        return (
            {row[0] for row in connection.fetch(statement, connection.ids(ids))} if ids else set()
        )
