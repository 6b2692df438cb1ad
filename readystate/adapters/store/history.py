"""Reads of runs and events: what happened."""

import json
from collections.abc import Collection
from typing import Any

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.mapping import event_of, run_of
from readystate.adapters.store.snapshot import Snapshot
from readystate.adapters.store.tables import runs
from readystate.domain.errors import NotFound
from readystate.domain.events import Event
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.ports.store import RunRecord

_COLUMNS = ", ".join(f'r."{column.name}"' for column in runs.columns)
_RUN = (
    f"SELECT {_COLUMNS}, i.input FROM runs AS r LEFT JOIN run_inputs AS i ON i.run_id = r.id WHERE"
)
_EVENT = (
    "SELECT id, kind, at, node_id, node_role_id, run_id, deployment_id, actor, cause_id, data"
    " FROM events WHERE"
)


class HistoryReads(Snapshot):
    def run(self, run_id: RunId) -> RunRecord:
        rows = self._connection.fetch(f"{_RUN} r.id = ?", run_id)
        if not rows:
            raise NotFound(f"no run {run_id}")
        return self._record_of(rows[0])

    def runs(
        self,
        *,
        node_id: NodeId | None = None,
        node_role_id: NodeRoleId | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        conditions, values = ["1 = 1"], list[Any]()
        wanted = {"r.node_id = ?": node_id, "r.node_role_id = ?": node_role_id, "r.id < ?": before}
        for condition, value in wanted.items():
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if open_only:
            conditions.append("r.phase <> 'done'")
        rows = self._connection.fetch(
            f"{_RUN} {' AND '.join(conditions)} ORDER BY r.id DESC LIMIT ?", *values, limit
        )
        return [self._record_of(row) for row in rows]

    def _record_of(self, row: Row) -> RunRecord:
        instant = self._connection.instant
        role, node, outcome, error_family, error_message, finished_at, hammers, given = row[20:28]
        return RunRecord(
            run=run_of(row, instant),
            role=role,
            node=node,
            input={} if given is None else json.loads(given),
            outcome=outcome,
            error_family=error_family,
            error_message=error_message,
            finished_at=None if finished_at is None else instant(finished_at),
            hammers=tuple(json.loads(hammers)),
        )

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 1000,
        kinds: Collection[str] = (),
        node_id: NodeId | None = None,
    ) -> list[tuple[int, Event]]:
        conditions, values = ["id > ?"], list[Any]([after])
        if kinds:
            conditions.append("kind IN ?words")
            values.append(self._connection.words(kinds))
        if node_id is not None:
            conditions.append("node_id = ?")
            values.append(node_id)
        rows = self._connection.fetch(
            f"{_EVENT} {' AND '.join(conditions)} ORDER BY id LIMIT ?", *values, limit
        )
        return [(row[0], event_of(row, self._connection.instant)) for row in rows]

    def last_event_id(self) -> int:
        return int(self._connection.fetch("SELECT coalesce(max(id), 0) FROM events")[0][0])
