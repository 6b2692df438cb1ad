"""Reads of deployments, nodes and node-roles."""

from collections.abc import Collection
from typing import Any

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.graph_loader import (
    NODE_ROLE_COLUMNS,
    read_deployments,
    read_nodes,
)
from readystate.adapters.store.mapping import bmc_of, deployment_of, node_role_of
from readystate.adapters.store.snapshot import Snapshot
from readystate.domain.deployment import Deployment
from readystate.domain.errors import NotFound
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole

STALE = "stale"  #: asked for like a state; such a node-role counts as nothing else

_DEPLOYMENT = "SELECT id, name, parent_id, catalog_version FROM deployments WHERE"
_NODE_ROLE = f"SELECT {NODE_ROLE_COLUMNS} FROM node_roles WHERE"


class NounReads(Snapshot):
    # -- deployments -------------------------------------------------------------------------------

    def deployment(self, name_or_id: str | DeploymentId) -> Deployment:
        column = "name" if isinstance(name_or_id, str) else "id"
        rows = self._connection.fetch(f"{_DEPLOYMENT} {column} = ?", name_or_id)
        if not rows:
            raise NotFound(f"no deployment {name_or_id!r}")
        return deployment_of(rows[0])

    def deployments(self) -> list[Deployment]:
        return list(read_deployments(self._connection).values())

    # -- nodes -------------------------------------------------------------------------------------

    def node(self, name_or_id: str | NodeId) -> Node:
        if isinstance(name_or_id, str):
            found = self._node_where("name = ?", name_or_id)
        else:
            found = read_nodes(self._connection, [name_or_id]).get(name_or_id)
        if found is None:
            raise NotFound(f"no node {name_or_id!r}")
        return found

    def find_node_by_identity(
        self, *, uuid: str | None, serial: str | None, macs: Collection[str]
    ) -> Node | None:
        found = None
        if uuid is not None:
            found = self._node_where("uuid = ?", uuid)
        if found is None and serial is not None:
            found = self._node_where("serial = ?", serial)
        if found is None and macs:
            found = self._node_where(
                "id IN (SELECT node_id FROM node_macs WHERE mac IN ?words)",
                self._connection.words(macs),
            )
        return found

    def nodes_with_bmc(self, addresses: Collection[str]) -> dict[str, str]:
        wanted = set(addresses)
        rows = self._connection.fetch("SELECT name, bmc FROM nodes WHERE bmc <> '[]' ORDER BY id")
        return {
            access.address: name
            for name, text in rows
            for access in bmc_of(text)
            if access.address in wanted
        }

    def nodes(
        self, *, deployment: DeploymentId | None = None, after: int = 0, limit: int = 1000
    ) -> list[Node]:
        conditions, values = ["id > ?"], [after]
        if deployment is not None:
            conditions.append("deployment_id = ?")
            values.append(deployment)
        rows = self._connection.fetch(
            f"SELECT id FROM nodes WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?",
            *values,
            limit,
        )
        found = read_nodes(self._connection, [row[0] for row in rows])
        return [found[key] for key in sorted(found)]

    def _node_where(self, condition: str, value: str) -> Node | None:
        rows = self._connection.fetch(
            f"SELECT id FROM nodes WHERE {condition} ORDER BY id LIMIT 1", value
        )
        return read_nodes(self._connection, [rows[0][0]])[rows[0][0]] if rows else None

    # -- node-roles --------------------------------------------------------------------------------

    def node_role(self, node_role_id: NodeRoleId) -> NodeRole:
        rows = self._connection.fetch(f"{_NODE_ROLE} id = ?", node_role_id)
        if not rows:
            raise NotFound(f"no node-role {node_role_id}")
        return self._node_role_of(rows[0])

    def find_node_role(
        self, role: str, *, node_id: NodeId | None, deployment_id: DeploymentId
    ) -> NodeRole | None:
        if node_id is not None:
            rows = self._connection.fetch(f"{_NODE_ROLE} node_id = ? AND role = ?", node_id, role)
        else:
            rows = self._connection.fetch(
                f"{_NODE_ROLE} role = ? AND deployment_id = ? AND node_id IS NULL",
                role,
                deployment_id,
            )
        return self._node_role_of(rows[0]) if rows else None

    def node_roles(
        self,
        *,
        node_id: NodeId | None = None,
        deployment_id: DeploymentId | None = None,
        role: str | None = None,
        state: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[NodeRole]:
        conditions, values = ["id > ?"], list[Any]([after])
        wanted = {"node_id": node_id, "deployment_id": deployment_id, "role": role}
        for column, value in wanted.items():
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if state == STALE:
            conditions.append("is_stale")
        elif state is not None:
            conditions.append("state = ? AND NOT is_stale")
            values.append(state)
        rows = self._connection.fetch(
            f"{_NODE_ROLE} {' AND '.join(conditions)} ORDER BY id LIMIT ?", *values, limit
        )
        return [self._node_role_of(row) for row in rows]

    def state_counts(self, deployment_id: DeploymentId | None = None) -> dict[str, int]:
        select = "SELECT state, is_stale, count(*) FROM node_roles"
        group = "GROUP BY state, is_stale"
        if deployment_id is None:
            rows = self._connection.fetch(f"{select} {group}")
        else:
            rows = self._connection.fetch(
                f"{select} WHERE deployment_id = ? {group}", deployment_id
            )
        counts: dict[str, int] = {}
        for state, is_stale, count in rows:
            word = STALE if is_stale else state
            counts[word] = counts.get(word, 0) + count
        return counts

    def _node_role_of(self, row: Row) -> NodeRole:
        return node_role_of(row, self._connection.instant)
