"""The reads and writes of the port, put together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from readystate.adapters.store.agenda import AgendaWrites
from readystate.adapters.store.bulk import upsert
from readystate.adapters.store.graph_reads import GraphReads
from readystate.adapters.store.graph_writer import append_events, save_graph
from readystate.adapters.store.history import HistoryReads
from readystate.adapters.store.instants import instant_text
from readystate.adapters.store.intent import IntentReads
from readystate.adapters.store.intent_writes import IntentWrites
from readystate.adapters.store.mapping import json_text, storable_text, unit_of
from readystate.adapters.store.noun_writes import NounWrites
from readystate.adapters.store.nouns import NounReads
from readystate.adapters.store.tables import run_inputs, wakes
from readystate.domain.errors import NotFound
from readystate.domain.events import Event
from readystate.domain.graph import Graph
from readystate.domain.ids import NodeRoleId, RunId

_PUT_INPUT = upsert(run_inputs, key=("run_id",))
_PUT_WAKE = upsert(wakes, key=("run_id", "name"))

_MOVE_COUNTERS = """
UPDATE node_roles SET unmet = unmet + ?, stuck_parents = stuck_parents + ?
 WHERE id IN ?ids AND state = 'blocked' AND unmet + ? > 0
   AND (is_stuck OR stuck_parents > 0) = (is_stuck OR stuck_parents + ? > 0)
RETURNING id
"""


class SqlReader(GraphReads, NounReads, HistoryReads, IntentReads):
    """Implements `ports.store.Reader`."""


class SqlTransaction(SqlReader, AgendaWrites, NounWrites, IntentWrites):
    """Implements `ports.store.Transaction`."""

    def save(self, graph: Graph) -> None:
        save_graph(self._connection, self._counters, graph)

    def move_counters(
        self, children: Collection[NodeRoleId], *, unmet: int, stuck: int
    ) -> set[NodeRoleId]:
        ids = self._connection.ids(children)
        rows = self._connection.fetch(_MOVE_COUNTERS, unmet, stuck, ids, unmet, stuck)
        return {NodeRoleId(row[0]) for row in rows}

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def append(self, event: Event) -> int:
        return append_events(self._connection, self._counters, [event])

    # -- runs --------------------------------------------------------------------------------------

    def give_back_numbers(self) -> None:
        """Before the commit: run ids that were reserved and not used."""
        self._counters.give_back()

    def new_run_id(self) -> RunId:
        return RunId(self._counters.next("runs"))

    def record_input(self, run_id: RunId, values: Mapping[str, Any]) -> None:
        self._connection.bulk(_PUT_INPUT, [(run_id, json_text(dict(values)))])

    def record_outcome(
        self,
        run_id: RunId,
        *,
        outcome: str,
        error_family: str,
        error_message: str,
        hammers: Sequence[str],
        at: datetime,
    ) -> None:
        changed = self._connection.execute(
            "UPDATE runs SET outcome = ?, error_family = ?, error_message = ?, hammers = ?,"
            " finished_at = ? WHERE id = ?",
            outcome,
            error_family,
            storable_text(error_message),
            json_text(list(hammers)),
            instant_text(at),
            run_id,
        )
        if not changed:
            raise NotFound(f"no run {run_id}", why="an outcome is recorded of a saved run")

    def renew_leases(self, owner: str, run_ids: Collection[RunId], until: datetime) -> None:
        connection = self._connection
        connection.execute(
            "UPDATE runs SET lease_until = ? WHERE id IN ?ids AND owner = ?"
            " AND lease_until IS NOT NULL AND phase <> 'done'",
            instant_text(until),
            connection.ids(run_ids),
            owner,
        )

    def void_leases(self, owner: str, now: datetime) -> None:
        rows = self._connection.fetch(
            "UPDATE runs SET lease_until = ? WHERE phase <> 'done' AND lease_until IS NOT NULL"
            " AND (owner IS NULL OR owner <> ?) RETURNING node_id, node_role_id",
            instant_text(now),
            owner,
        )
        self.wake_units((unit_of(node_id, node_role_id) for node_id, node_role_id in rows), now)

    def add_wake(self, run_id: RunId, name: str, payload: Mapping[str, Any], at: datetime) -> None:
        self._connection.bulk(
            _PUT_WAKE, [(run_id, name, json_text(dict(payload)), instant_text(at))]
        )
