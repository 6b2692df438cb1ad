"""How many node-roles a second the store can settle: load, rules, save, one event each, commit.

N nodes of 30 roles that need no work, in a chain with some longer edges; a turn takes a batch of
nodes that are due, as the annealer does. `--steps` settles one node-role of each node in a turn
instead, which is what a node's real work looks like to the store: the neighbourhood is loaded for
each. Runs on SQLite in a temporary folder and on a private PostgreSQL (without fsync)."""

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from readystate.adapters.store.migrations import upgrade
from readystate.adapters.store.sql_store import SqlStore
from readystate.domain.events import Event
from readystate.domain.graph import Edge, EdgeKind, Graph
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole, NodeRoleState, Verb
from readystate.domain.role import Declared, Role
from readystate.domain.settling import Settling
from readystate.ports.store import Transaction, Unit, UnitKind
from tests.postgres import start_server, stop_server

ROLES = 30
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Book:
    """One role, whatever its name; `jig` decides whether it needs work."""

    def __init__(self, jig: str) -> None:
        self.attributes: dict[str, Declared] = {}
        self._role = Role(RoleName("step"), "", jig=jig, version="v1")

    def role(self, name: RoleName) -> Role:  # noqa: ARG002 -- all roles are alike here
        return self._role

    def output_source(self, attribute: str) -> RoleName | None:  # noqa: ARG002 -- none has any
        return None


@dataclass
class Clock:
    """Seconds spent in each part of the turns."""

    load_s: float = 0.0
    rules_s: float = 0.0
    save_s: float = 0.0
    settled: int = 0


def fill(tx: Transaction, nodes: int) -> None:
    tx.add_catalog("v1", {})
    deployment = tx.add_deployment("system", None, "v1").id
    members = [
        tx.add_node(Node(NodeId(0), f"node-{number}", deployment)).id for number in range(nodes)
    ]
    bound = tx.add_node_roles([item for node in members for item in _node_roles(node, deployment)])
    edges = []
    for start in range(0, len(bound), ROLES):
        chain = [item.id for item in bound[start : start + ROLES]]
        edges += [_edge(one, two) for one, two in pairwise(chain)]
        edges += [_edge(one, two) for one, two in zip(chain[::5], chain[4::5], strict=False)]
    tx.add_edges(edges)
    tx.wake_units((Unit(UnitKind.NODE, node) for node in members), NOW)


def _node_roles(node: NodeId, deployment: DeploymentId) -> Iterable[NodeRole]:
    for number in range(ROLES):
        unmet = (number > 0) + (number % 5 == 4)
        yield NodeRole(
            NodeRoleId(0),
            RoleName(f"step-{number}"),
            deployment,
            node,
            NodeRoleState.BLOCKED,
            unmet=unmet,
        )


def _edge(parent: NodeRoleId, child: NodeRoleId) -> Edge:
    return Edge(parent, child, EdgeKind.HARD, "requires")


def turn(tx: Transaction, batch: int, clock: Clock) -> int:
    entries = tx.due(NOW, batch)
    if not entries:
        return 0
    units = [entry.unit for entry in entries]
    before_s = time.perf_counter()
    graph = tx.load(units)
    loaded_s = time.perf_counter()
    _settle(graph)
    done = [item for item in graph.original if graph.node_roles[item].is_settled]
    graph.events += [_event(graph.node_roles[item]) for item in done]
    ruled_s = time.perf_counter()
    tx.save(graph)
    finished = {
        graph.node_roles[members[-1]].is_settled and node
        for node, members in graph.on_node.items()
        if members
    }
    tx.drop_from_agenda(unit for unit in units if unit.id in finished)
    clock.load_s += loaded_s - before_s
    clock.rules_s += ruled_s - loaded_s
    clock.save_s += time.perf_counter() - ruled_s
    clock.settled += len(done)
    return len(units)


def _settle(graph: Graph) -> None:
    settling = Settling(graph, NOW, inline=True)
    for members in graph.on_node.values():
        for item in members:
            current = graph.node_roles[item]
            if not current.is_settled:
                if current.state is NodeRoleState.TODO:  # real work: a worker's answer has come
                    _succeed(graph, current)
                settling.enqueue(item)
                break
    for item in tuple(graph.touched):
        settling.enqueue(item)
    settling.run(())


def _succeed(graph: Graph, current: NodeRole) -> None:
    started = current.after(Verb.START, NOW)
    done = started.after(Verb.SUCCEED, NOW, digest="v1.", outputs='{"step/done": true}')
    graph.put(replace(done, fence=current.fence + 1))
    graph.touched.add(current.id)


def _event(item: NodeRole) -> Event:
    return Event(
        "node-role.active",
        NOW,
        node_id=item.node_id,
        node_role_id=item.id,
        deployment_id=item.deployment_id,
        data={"role": item.role, "from": "blocked"},
    )


def measure(url: str, folder: Path, arguments: argparse.Namespace) -> None:
    upgrade(url)
    book = Book("call" if arguments.steps else "noop")
    store = SqlStore(url, data_dir=folder, book_for=lambda _version, _files: book)
    began_s = time.perf_counter()
    store.write(lambda tx: fill(tx, arguments.nodes), kind="fill")
    filled_s = time.perf_counter() - began_s
    clock = Clock()
    profile = cProfile.Profile()

    def one(tx: Transaction) -> int:
        if not arguments.profile:
            return turn(tx, arguments.batch, clock)
        return profile.runcall(turn, tx, arguments.batch, clock)

    began_s = time.perf_counter()
    while store.write(one, kind="anneal"):
        if time.perf_counter() - began_s > arguments.seconds:
            break
    spent_s = time.perf_counter() - began_s
    store.close()
    count = clock.settled
    commit_s = spent_s - clock.load_s - clock.rules_s - clock.save_s
    micro = [1e6 * part / count for part in (clock.load_s, clock.rules_s, clock.save_s, commit_s)]
    print(
        f"{url.partition(':')[0]:20} filled {arguments.nodes * ROLES} in {filled_s:5.1f} s;"
        f" settled {count} in {spent_s:5.1f} s = {count / spent_s:6.0f}/s;"
        f" us each: load {micro[0]:4.1f} rules {micro[1]:4.1f} save {micro[2]:4.1f}"
        f" due+commit {micro[3]:4.1f}",
        flush=True,
    )
    if arguments.profile:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(22)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0, help="stop each run after so many")
    parser.add_argument("--steps", action="store_true", help="one node-role of a node in a turn")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.only != "postgresql":
            measure(f"sqlite:///{folder / 'store.db'}", folder, arguments)
        if arguments.only != "sqlite":
            server, process = start_server()
            try:
                measure(server.create_database(), folder, arguments)
            finally:
                stop_server(server, process)


if __name__ == "__main__":
    main()
