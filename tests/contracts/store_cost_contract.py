"""What the annealer's statements cost: how many there are, and that each has its index. No test
asserts a time (`bench/store_settle.py` measures it)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from readystate.domain.events import Event
from readystate.domain.graph import Hold, HoldScope
from readystate.domain.ids import NodeId
from readystate.domain.role import Lane
from readystate.domain.run import Run, RunKind, RunPhase
from readystate.ports.store import AgendaEntry, Transaction, Unit, UnitKind
from tests.protocol.stores import NOW, StoreRig, add_chain, add_node, add_site, hard

#: Few rows by nature: read whole.
SMALL_TABLES = ("deployments", "holds", "attributes", "profile_attachments", "counters", "nodes")

#: Read in their order up to a limit, or small themselves.
FOLLOWED_INDEXES = ("ix_agenda_due_at", "ix_agenda_gate", "ix_runs_working")

#: What recursive queries have found so far.
FOUND_SO_FAR = ("below", "above", "a", "b")

Statement = tuple[str, tuple[Any, ...]]


def connection_of(tx: Transaction) -> Any:
    return tx._connection  # type: ignore[attr-defined]


def add_nodes(rig: StoreRig) -> list[NodeId]:
    """Ten nodes of a few roles each; `reader` reads through a cluster's barrier."""

    def setup(tx: Transaction) -> list[NodeId]:
        site = add_site(tx)
        (barrier,) = add_chain(tx, site, None, ["clustered"])
        ids = []
        for number in range(10):
            node = add_node(tx, site, f"n{number}", macs=(f"02:00:00:00:00:0{number}",))
            chain = add_chain(tx, site, node.id, ["clustered", "worker", "reader"])
            tx.add_edges([hard(chain[0].id, barrier.id), hard(barrier.id, chain[2].id)])
            ids.append(node.id)
        tx.add_hold(Hold(HoldScope.NODE, ids[0], "ada", NOW))
        return ids

    return rig.store.write(setup, kind="setup")


def units_of(nodes: list[NodeId]) -> list[Unit]:
    return [Unit(UnitKind.NODE, node) for node in nodes]


def a_turn(tx: Transaction, units: list[Unit]) -> None:
    """What the annealer asks of the store in one turn, with a run that starts on each node."""
    tx.schedule(AgendaEntry(unit, NOW) for unit in units)
    tx.due(NOW, len(units))
    tx.waiting_for_gate("workers", 5)
    tx.working_runs()
    graph = tx.load(units)
    for node_id, members in list(graph.on_node.items()):
        item = graph.node_roles[members[1]]
        run = Run(
            id=tx.new_run_id(),
            kind=RunKind.ROLE,
            node_id=node_id,
            node_role_id=item.id,
            phase=RunPhase.RUNNING,
            lane=Lane.BMC,
            fence=1,
            dispatch=1,
            owner="me",
            lease_until=NOW,
        )
        graph.put_run(run)
        graph.put(replace(item, run_id=run.id))
        graph.put_node(replace(graph.nodes[node_id], boot_id="b"))
        graph.events.append(Event("run.started", NOW, node_id=node_id))
    tx.save(graph)
    tx.cross_edges(graph.focus)
    tx.units_of(graph.focus)
    tx.hard_descendants(graph.focus)
    tx.hard_ancestors(graph.focus)
    tx.renew_leases("me", list(graph.runs), NOW)
    tx.wake_units(units, NOW)
    tx.drop_from_agenda(units)
    tx.next_due()


def statements_of(rig: StoreRig, change: Callable[[Transaction], None]) -> list[Statement]:
    """Every statement that the change makes; nothing of it stays."""
    made: list[Statement] = []

    def watch(tx: Transaction) -> None:
        connection = connection_of(tx)
        fetch, execute, bulk = connection.fetch, connection.execute, connection.bulk

        def record(call: Callable[..., Any]) -> Callable[..., Any]:
            def recorded(statement: str, *values: Any) -> Any:
                made.append((statement, values))
                return call(statement, *values)

            return recorded

        def record_bulk(statement: Any, rows: Any) -> None:
            made.append((statement.sqlite, tuple(rows[0]) if rows else ()))
            bulk(statement, rows)

        connection.fetch, connection.execute = record(fetch), record(execute)
        connection.bulk = record_bulk
        change(tx)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rig.store.write(watch, kind="watch")
    return made


class CostContract:
    def test_a_turn_makes_as_many_statements_for_nine_nodes_as_for_one(self, rig: StoreRig) -> None:
        nodes = add_nodes(rig)
        statements_of(rig, lambda tx: a_turn(tx, units_of(nodes[:1])))  # now the catalog is known
        one = statements_of(rig, lambda tx: a_turn(tx, units_of(nodes[:1])))
        nine = statements_of(rig, lambda tx: a_turn(tx, units_of(nodes[:9])))

        assert [text for text, _ in one] == [text for text, _ in nine]
        assert 12 < len(nine) < 40

    def test_every_statement_of_a_turn_has_its_index(self, rig: StoreRig) -> None:
        nodes = add_nodes(rig)
        made = statements_of(rig, lambda tx: a_turn(tx, units_of(nodes)))
        explain = "EXPLAIN QUERY PLAN " if rig.url.startswith("sqlite") else "EXPLAIN "

        def plans(tx: Transaction) -> list[str]:
            connection = connection_of(tx)
            if not rig.url.startswith("sqlite"):
                # Ten rows are read whole whatever indexes there are, unless that is forbidden.
                connection.execute("SET LOCAL enable_seqscan = off")
            lines = []
            for text, values in made:
                if not text.startswith("INSERT"):
                    for row in connection.fetch(explain + text, *values):
                        lines.append(f"{row[-1]} <- {text}")
            return lines

        scans = [line for line in rig.store.write(plans, kind="look") if reads_whole_table(line)]
        assert [] == scans

    def test_a_statement_without_index_is_found(self, rig: StoreRig) -> None:
        explain = "EXPLAIN QUERY PLAN " if rig.url.startswith("sqlite") else "EXPLAIN "
        statement = "SELECT id FROM node_roles WHERE digest = ?"
        rows = rig.store.read(
            lambda reader: reader._connection.fetch(explain + statement, "x")  # type: ignore[attr-defined]
        )
        assert any(reads_whole_table(str(row[-1])) for row in rows)


def reads_whole_table(line: str) -> bool:
    plan = line.partition(" <- ")[0].strip().removeprefix("->").strip()
    if not plan.startswith(("SCAN ", "Seq Scan on ")) or "json_each" in plan:
        return False
    if any(f"INDEX {name}" in plan for name in FOLLOWED_INDEXES):
        return False
    table = plan.removeprefix("SCAN ").removeprefix("Seq Scan on ").split()[0]
    return table not in (*SMALL_TABLES, *FOUND_SO_FAR) and "VIRTUAL" not in plan
