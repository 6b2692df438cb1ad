"""Adding and removing deployments, nodes, node-roles and edges."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from readystate.adapters.store.bulk import Row, delete, insert
from readystate.adapters.store.changing import Changing
from readystate.adapters.store.graph_writer import add_macs
from readystate.adapters.store.mapping import edge_row, json_text, node_role_row, node_row
from readystate.adapters.store.tables import edges, node_roles, nodes
from readystate.domain.deployment import Deployment
from readystate.domain.errors import Conflict, NotFound
from readystate.domain.graph import Edge
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole

_ADD_NODES = insert(nodes)
_ADD_NODE_ROLES = insert(node_roles)
_ADD_EDGES = insert(edges)
_REMOVE_EDGES = delete(edges, key=("child_id", "parent_id"))

#: So many new rows make the planner's statistics useless: without new ones, PostgreSQL was seen to
#: read a whole table for each lookup, six times slower.
_MANY = 2000


class NounWrites(Changing):
    def add_deployment(
        self, name: str, parent_id: DeploymentId | None, catalog_version: str
    ) -> Deployment:
        connection = self._connection
        if connection.fetch("SELECT 1 FROM deployments WHERE name = ?", name):
            raise Conflict(f"there is a deployment {name!r} already")
        if parent_id is not None and not self._has_deployment(parent_id):
            raise NotFound(f"no deployment {parent_id!r} to be the parent of {name!r}")
        self._require_catalog(catalog_version)
        added = DeploymentId(self._counters.take("deployments", 1))
        connection.execute(
            "INSERT INTO deployments (id, name, parent_id, catalog_version) VALUES (?, ?, ?, ?)",
            added,
            name,
            parent_id,
            catalog_version,
        )
        return Deployment(added, name, parent_id, catalog_version)

    def use_catalog(self, deployment_id: DeploymentId, version: str) -> None:
        self._require_catalog(version)
        changed = self._connection.execute(
            "UPDATE deployments SET catalog_version = ? WHERE id = ?", version, deployment_id
        )
        if not changed:
            raise NotFound(f"no deployment {deployment_id!r}")

    def add_catalog(self, version: str, files: Mapping[str, str]) -> None:
        self._connection.execute(
            "INSERT INTO catalogs (version, files) VALUES (?, ?) ON CONFLICT (version) DO NOTHING",
            version,
            json_text(dict(files)),
        )

    def _has_deployment(self, deployment_id: DeploymentId) -> bool:
        return bool(self._connection.fetch("SELECT 1 FROM deployments WHERE id = ?", deployment_id))

    def _require_catalog(self, version: str) -> None:
        if not self._connection.fetch("SELECT 1 FROM catalogs WHERE version = ?", version):
            raise NotFound(f"no catalog of version {version!r}", why="it was never added")

    # -- nodes -------------------------------------------------------------------------------------

    def add_node(self, node: Node) -> Node:
        self._refuse_same_identity(node)
        added = replace(node, id=NodeId(self._counters.take("nodes", 1)))
        self._connection.bulk(_ADD_NODES, [node_row(added, added.id)])
        add_macs(self._connection, added.macs, added.id)
        return added

    def _refuse_same_identity(self, node: Node) -> None:
        for column, value in (("name", node.name), ("uuid", node.uuid), ("serial", node.serial)):
            if value is not None and (
                rows := self._connection.fetch(f"SELECT name FROM nodes WHERE {column} = ?", value)
            ):
                raise Conflict(f"{column} {value!r} is taken", why=f"node {rows[0][0]} bears it")
        rows = self._connection.fetch(
            "SELECT m.mac, n.name FROM node_macs AS m JOIN nodes AS n ON n.id = m.node_id"
            " WHERE m.mac IN ?words",
            self._connection.words(node.macs),
        )
        if rows:
            raise Conflict(f"MAC address {rows[0][0]} is taken", why=f"node {rows[0][1]} bears it")

    # -- node-roles and edges ----------------------------------------------------------------------

    def add_node_roles(self, node_roles: Sequence[NodeRole]) -> list[NodeRole]:
        if not node_roles:
            return []
        first = self._counters.take("node_roles", len(node_roles))
        added = [
            item.changed(id=NodeRoleId(number)) for number, item in enumerate(node_roles, first)
        ]
        self._connection.bulk(_ADD_NODE_ROLES, [node_role_row(item, item.id) for item in added])
        if len(added) >= _MANY:
            self._connection.analyze("node_roles", "nodes")
        return added

    def add_edges(self, edges: Sequence[Edge]) -> None:
        if not edges:
            return
        ends = {edge.parent for edge in edges} | {edge.child for edge in edges}
        node_of: dict[int, int | None] = dict(
            self._connection.fetch(
                "SELECT id, node_id FROM node_roles WHERE id IN ?ids", self._connection.ids(ends)
            )
        )
        absent = ends - node_of.keys()
        if absent:
            raise NotFound(f"no node-role {min(absent)} for an edge to start or end at")
        rows: list[Row] = []
        for edge in edges:
            node = node_of[edge.parent]
            is_cross = node is None or node != node_of[edge.child]
            rows.append(edge_row(edge, is_cross=is_cross))
        self._connection.bulk(_ADD_EDGES, rows)
        if len(rows) >= _MANY:
            self._connection.analyze("edges")

    def remove_edges(self, edges: Sequence[Edge]) -> None:
        self._connection.bulk(_REMOVE_EDGES, [(edge.child, edge.parent) for edge in edges])

    def remove_node_roles(self, node_roles: Collection[NodeRoleId]) -> None:
        ids = self._connection.ids(node_roles)
        for statement in (
            "DELETE FROM edges WHERE child_id IN ?ids",
            "DELETE FROM edges WHERE parent_id IN ?ids",
            "DELETE FROM holds WHERE scope = 'node-role' AND subject_id IN ?ids",
            "DELETE FROM attributes WHERE scope = 'node-role' AND subject_id IN ?ids",
            "DELETE FROM agenda WHERE unit_kind = 'vertex' AND unit_id IN ?ids",
            "DELETE FROM node_roles WHERE id IN ?ids",
        ):
            self._connection.execute(statement, ids)
