"""When each unit must be looked at: one entry for a unit, taken by time or by gate."""

from collections.abc import Iterable
from datetime import datetime

from readystate.adapters.store.bulk import Row, delete, insert, upsert
from readystate.adapters.store.changing import Changing
from readystate.adapters.store.connection import Connection
from readystate.adapters.store.instants import instant_text
from readystate.adapters.store.tables import agenda
from readystate.ports.store import AgendaEntry, Unit, UnitKind

_KINDS = {kind.value: kind for kind in UnitKind}
_ENTRY = "SELECT unit_kind, unit_id, due_at, gate FROM agenda WHERE"

_SCHEDULE = upsert(agenda, key=("unit_kind", "unit_id"))
_DROP = delete(agenda, key=("unit_kind", "unit_id"))
_WAKE = insert(agenda).followed_by(
    " ON CONFLICT (unit_kind, unit_id) DO UPDATE SET gate = NULL, due_at ="
    " CASE WHEN agenda.gate IS NULL AND agenda.due_at < excluded.due_at"
    " THEN agenda.due_at ELSE excluded.due_at END"
)


class AgendaWrites(Changing):
    def due(self, now: datetime, limit: int) -> list[AgendaEntry]:
        return self._entries(
            "gate IS NULL AND due_at <= ? ORDER BY due_at, unit_kind, unit_id LIMIT ?",
            instant_text(now),
            limit,
        )

    def waiting_for_gate(self, gate: str, limit: int) -> list[AgendaEntry]:
        # The first condition is in the partial index's; PostgreSQL does not conclude it itself.
        return self._entries(
            "gate IS NOT NULL AND gate = ? ORDER BY due_at, unit_kind, unit_id LIMIT ?", gate, limit
        )

    def next_due(self) -> datetime | None:
        earliest = self._connection.fetch("SELECT min(due_at) FROM agenda WHERE gate IS NULL")[0][0]
        return None if earliest is None else self._connection.instant(earliest)

    def schedule(self, entries: Iterable[AgendaEntry]) -> None:
        latest = {entry.unit: entry for entry in entries}
        self._connection.bulk(
            _SCHEDULE,
            [
                (unit.kind.value, unit.id, instant_text(entry.due_at), entry.gate)
                for unit, entry in latest.items()
            ],
        )

    def wake_units(self, units: Iterable[Unit], at: datetime) -> None:
        due_at = instant_text(at)
        self._connection.bulk(
            _WAKE, [(unit.kind.value, unit.id, due_at, None) for unit in dict.fromkeys(units)]
        )

    def drop_from_agenda(self, units: Iterable[Unit]) -> None:
        rows: list[Row] = [(unit.kind.value, unit.id) for unit in dict.fromkeys(units)]
        self._connection.bulk(_DROP, rows)

    def working_runs(self) -> int:
        return count_working(self._connection)

    def _entries(self, condition: str, *values: object) -> list[AgendaEntry]:
        instant = self._connection.instant
        return [
            AgendaEntry(Unit(_KINDS[kind], unit_id), instant(due_at), gate)
            for kind, unit_id, due_at, gate in self._connection.fetch(
                f"{_ENTRY} {condition}", *values
            )
        ]


def count_working(connection: Connection) -> int:
    """Runs that have a worker now. One that is stopped in vain has none until the next try."""
    rows = connection.fetch(
        "SELECT count(*) FROM runs WHERE phase IN ('running', 'verifying', 'stopping')"
        " AND lease_until IS NOT NULL"
    )
    return int(rows[0][0])
