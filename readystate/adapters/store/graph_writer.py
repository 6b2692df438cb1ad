"""Writes back what the rules changed in a working set, and nothing else."""

from collections.abc import Sequence

from readystate.adapters.store.bulk import Row, delete, insert, update, upsert
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.counters import Counters
from readystate.adapters.store.instants import instant_text
from readystate.adapters.store.mapping import (
    NODE_ROLE_CHANGES,
    RUN_HISTORY,
    event_row,
    hold_row,
    json_text,
    node_role_changes,
    node_row,
    run_row,
)
from readystate.adapters.store.tables import (
    edges,
    events,
    holds,
    node_macs,
    node_roles,
    nodes,
    run_lanes,
    runs,
    wakes,
)
from readystate.domain.events import Event
from readystate.domain.graph import GIVEN, Graph
from readystate.domain.node import Node
from readystate.domain.run import Run

_UPDATE_NODE_ROLES = update(node_roles, key=("id",), columns=NODE_ROLE_CHANGES)
_UPDATE_NODES = update(
    nodes,
    key=("id",),
    columns=[column.name for column in nodes.columns if column.name != "id"],
)
_UPSERT_RUNS = upsert(runs, key=("id",), keep=RUN_HISTORY)
_ADD_LANES = insert(run_lanes)
_FREE_LANES = delete(run_lanes, key=("node_id", "lane"))
_UPDATE_EDGES = update(edges, key=("child_id", "parent_id"), columns=("is_joining",))
_UPSERT_HOLDS = upsert(holds, key=("scope", "subject_id"))
_PUT_WAKES = upsert(wakes, key=("run_id", "name"))
_DELETE_WAKES = delete(wakes, key=("run_id", "name"))
_ADD_EVENTS = insert(events)
_ADD_MACS = insert(node_macs)


def save_graph(connection: Connection, counters: Counters, graph: Graph) -> None:
    """See `ports.store.Transaction.save`."""
    _save_node_roles(connection, graph)
    if graph.changed_nodes:
        save_nodes(connection, [graph.nodes[item] for item in sorted(graph.changed_nodes)])
    if graph.changed_runs:
        _save_runs(connection, graph)
    if graph.joined:
        rows: list[Row] = [(edge.is_joining, edge.child, edge.parent) for edge in graph.joined]
        connection.bulk(_UPDATE_EDGES, rows)
    if graph.new_holds:
        connection.bulk(_UPSERT_HOLDS, [hold_row(hold) for hold in graph.new_holds])
    if graph.consumed_wakes:
        connection.bulk(_DELETE_WAKES, list(graph.consumed_wakes))
    if graph.newly_given:
        given: list[Row] = [
            (run_id, GIVEN, json_text(graph.given_wakes[run_id]), instant_text(at))
            for run_id, at in graph.newly_given
        ]
        connection.bulk(_PUT_WAKES, given)
    if graph.events:
        append_events(connection, counters, graph.events)


def _save_node_roles(connection: Connection, graph: Graph) -> None:
    now = graph.node_roles
    rows = [
        node_role_changes(item)
        for key, before in graph.original.items()
        if (item := now[key]) is not before and item != before
    ]
    if rows:
        connection.bulk(_UPDATE_NODE_ROLES, rows)


def save_nodes(connection: Connection, changed: Sequence[Node]) -> None:
    """Write nodes that exist, with their MACs."""
    connection.bulk(_UPDATE_NODES, [(*node_row(node, node.id)[1:], node.id) for node in changed])
    ids = connection.ids(node.id for node in changed)
    stored: dict[int, list[str]] = {}
    for node_id, mac in connection.fetch(
        "SELECT node_id, mac FROM node_macs WHERE node_id IN ?ids ORDER BY node_id, position", ids
    ):
        stored.setdefault(node_id, []).append(mac)
    for node in changed:
        if tuple(stored.get(node.id, ())) != node.macs:
            connection.execute("DELETE FROM node_macs WHERE node_id = ?", node.id)
            add_macs(connection, node.macs, node.id)


def add_macs(connection: Connection, macs: Sequence[str], node_id: int) -> None:
    connection.bulk(_ADD_MACS, [(mac, node_id, place) for place, mac in enumerate(macs)])


def _save_runs(connection: Connection, graph: Graph) -> None:
    changed = [graph.runs[item] for item in sorted(graph.changed_runs)]
    stored = _stored_lanes(connection, changed)
    freed = [lane for run in changed for lane in stored[run.id] - _occupied(run)]
    taken = [(*lane, run.id) for run in changed for lane in _occupied(run) - stored[run.id]]
    if freed:
        connection.bulk(_FREE_LANES, freed)
    connection.bulk(_UPSERT_RUNS, [_run_row(graph, run) for run in changed])
    if taken:
        connection.bulk(_ADD_LANES, taken)


def _run_row(graph: Graph, run: Run) -> Row:
    role = "" if run.node_role_id is None else graph.node_roles[run.node_role_id].role
    node = "" if run.node_id is None else graph.nodes[run.node_id].name
    return run_row(run, role, node)


def _occupied(run: Run) -> set[tuple[int, str]]:
    if run.node_id is None:
        return set()
    return {(run.node_id, lane.value) for lane in run.occupied}


def _stored_lanes(connection: Connection, changed: Sequence[Run]) -> dict[int, set[Row]]:
    stored: dict[int, set[Row]] = {run.id: set() for run in changed}
    for run_id, node_id, lane in connection.fetch(
        "SELECT run_id, node_id, lane FROM run_lanes WHERE run_id IN ?ids", connection.ids(stored)
    ):
        stored[run_id].add((node_id, lane))
    return stored


def append_events(connection: Connection, counters: Counters, added: Sequence[Event]) -> int:
    """Returns the id of the first; the others follow in order."""
    first = counters.take("events", len(added))
    connection.bulk(
        _ADD_EVENTS, [event_row(event, number) for number, event in enumerate(added, start=first)]
    )
    return first
