"""A database with so many nodes bound to the ready state, made through the engine's own commit."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.shipped_graph import GOAL, SITE
from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.stored_catalogs import StoredCatalogs
from readystate.adapters.store.migrations import upgrade
from readystate.adapters.store.sql_store import SqlStore
from readystate.domain.catalog import Catalog
from readystate.domain.deployment import AttributeScope, Bind, Proposal, ProposalState
from readystate.domain.ids import DeploymentId, NodeId, RoleName
from readystate.domain.node import BmcAccess, Node
from readystate.engine.commit import write_proposal
from readystate.ports.store import Transaction

CHUNK = 500  #: nodes in one transaction


@dataclass
class BoundStore:
    folder: Path
    store: SqlStore
    catalogs: StoredCatalogs
    deployment: DeploymentId
    nodes: int = 0
    bound_s: float = 0.0  #: spent on binding

    def bind(self, count: int) -> None:
        """Add nodes and bind all of their roles, chunk by chunk."""
        began_s = time.perf_counter()
        first = self.nodes
        self.nodes += count
        for start in range(first, self.nodes, CHUNK):
            numbers = range(start, min(start + CHUNK, self.nodes))
            self.store.write(lambda tx, numbers=numbers: self._bind(tx, numbers), kind="commit")
        self.bound_s += time.perf_counter() - began_s

    def _bind(self, tx: Transaction, numbers: range) -> None:
        nodes = [tx.add_node(_node(number, self.deployment)) for number in numbers]
        now = datetime.now(UTC)
        proposal = Proposal(
            id=0,
            deployment_id=self.deployment,
            title="bench",
            changes=tuple(Bind(RoleName(GOAL), node.id) for node in nodes),
            state=ProposalState.OPEN,
            by="bench",
            created_at=now,
        )

        write_proposal(tx, proposal, self.catalog_of, now, by="bench")

    def catalog_of(self, version: str) -> Catalog:
        return self.catalogs.of(self.store, version)

    def settled(self) -> int:
        counts = self.store.read(lambda reader: reader.state_counts())
        return counts.get("active", 0) + counts.get("skipped", 0)

    def is_at_rest(self) -> bool:
        return self.settled() == self.count()

    def count(self) -> int:
        return sum(self.store.read(lambda reader: reader.state_counts()).values())


def _node(number: int, deployment: DeploymentId) -> Node:
    address = f"127.{64 + number // 65536}.{number // 256 % 256}.{number % 256}"
    bmc = (BmcAccess("ipmi", address, 623, None),)
    return Node(NodeId(0), f"node-{number}", deployment, bmc=bmc)


@contextmanager
def open_bound(files: AnnotationFiles, url: str | None = None) -> Iterator[BoundStore]:
    """On disk: SQLite in a temporary folder unless `url` names another database."""
    with tempfile.TemporaryDirectory(prefix="readystate-bench-") as name:
        folder = Path(name)
        url = url or f"sqlite:///{folder / 'readystate.db'}"
        upgrade(url)
        catalogs = StoredCatalogs()
        store = SqlStore(url, data_dir=folder, book_for=catalogs.book_for)

        def prepare(tx: Transaction) -> DeploymentId:
            tx.add_catalog(files.version, files.texts())
            system = tx.add_deployment("system", None, files.version)
            rack = tx.add_deployment("rack", system.id, files.version)
            for attribute, value in SITE.items():
                tx.set_attribute(AttributeScope.DEPLOYMENT, rack.id, attribute, value)
            return rack.id

        deployment = store.write(prepare, kind="prepare")
        catalogs.load_all(store)
        try:
            yield BoundStore(folder, store, catalogs, deployment)
        finally:
            store.close()
