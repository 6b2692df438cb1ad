"""Stores to test with: a small book of roles, and what makes nodes and graphs in few words."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from readystate.adapters.store.migrations import upgrade
from readystate.adapters.store.sql_store import SqlStore
from readystate.domain.errors import NotFound
from readystate.domain.graph import Edge, EdgeKind
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.role import Declared, Lane, Role, Scope, Want
from readystate.ports.store import Transaction

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Book:
    """Roles by name; any other name is a role that needs no work."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    attributes: Mapping[str, Declared] = field(default_factory=dict)
    outputs: Mapping[str, RoleName] = field(default_factory=dict)

    def role(self, name: RoleName) -> Role:
        return self.roles.get(name, Role(name, "", version="v1"))

    def output_source(self, attribute: str) -> RoleName | None:
        return self.outputs.get(attribute)


BOOK = Book(
    roles={
        role.name: role
        for role in (
            Role(RoleName("clustered"), "", scope=Scope.CLUSTER, version="v1"),
            Role(
                RoleName("reader"),
                "",
                wants=(Want("cluster/address", source=RoleName("clustered")),),
                version="v1",
            ),
            Role(RoleName("worker"), "", jig="call", lane=Lane.BMC, version="v1"),
        )
    },
    attributes={
        "ntp/servers": Declared("ntp/servers", default=["pool"], has_default=True),
        "root/password": Declared("root/password", secret=True),
    },
)


def book_for(version: str, files: Mapping[str, str]) -> Book:
    if "roles" not in files:
        raise NotFound(f"catalog {version} has no roles")
    return BOOK


@dataclass
class StoreRig:
    """A store, and ways to open its database again."""

    store: SqlStore
    url: str
    data_dir: Path
    commits: list[tuple[str, str, int]]
    refuse_commit: list[BaseException] = field(default_factory=list)

    def reopened(self) -> SqlStore:
        self.store.close()
        self.store = SqlStore(self.url, data_dir=self.data_dir, book_for=book_for)
        return self.store


@contextmanager
def open_rig(url: str, data_dir: Path) -> Iterator[StoreRig]:
    """A rig on a database that has the schema already."""
    commits: list[tuple[str, str, int]] = []
    refusals: list[BaseException] = []

    def on_commit(phase: str, kind: str, number: int) -> None:
        commits.append((phase, kind, number))
        if phase == "before" and refusals:
            raise refusals.pop()

    store = SqlStore(url, data_dir=data_dir, book_for=book_for, on_commit=on_commit)
    rig = StoreRig(store, url, data_dir, commits, refusals)
    try:
        yield rig
    finally:
        rig.store.close()


def empty_sqlite(folder: Path, template: Path) -> str:
    """URL of a new SQLite database with the schema, copied from a template that is made once."""
    if not template.exists():
        upgrade(f"sqlite:///{template}")
    shutil.copy(template, folder / "store.db")
    return f"sqlite:///{folder / 'store.db'}"


# -- what stands in it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """`system` and, inside it, `rack-a`, under one catalog."""

    system: DeploymentId
    rack: DeploymentId


def add_site(tx: Transaction) -> Site:
    tx.add_catalog("v1", {"roles": ""})
    system = tx.add_deployment("system", None, "v1")
    return Site(system.id, tx.add_deployment("rack-a", system.id, "v1").id)


def add_node(tx: Transaction, site: Site, name: str, **changes: Any) -> Node:
    return tx.add_node(replace(Node(NodeId(0), name, site.rack), **changes))


def add_chain(
    tx: Transaction, site: Site, node_id: NodeId | None, roles: Sequence[str]
) -> list[NodeRole]:
    """Blocked node-roles, each the hard parent of the next."""
    added = tx.add_node_roles(
        [
            NodeRole(
                NodeRoleId(0),
                RoleName(role),
                site.rack,
                node_id,
                NodeRoleState.BLOCKED,
                unmet=min(place, 1),
            )
            for place, role in enumerate(roles)
        ]
    )
    tx.add_edges(
        [hard(one.id, two.id) for one, two in pairwise(added)],
    )
    return added


def hard(parent: NodeRoleId, child: NodeRoleId, **changes: Any) -> Edge:
    return replace(Edge(parent, child, EdgeKind.HARD, "requires"), **changes)


Change = Callable[[Transaction], Any]
