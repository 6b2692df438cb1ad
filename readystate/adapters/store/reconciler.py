"""The slow reconciler: compares the counters of node-roles with their edges, by a whole read.

A difference is a bug in the rules or in the store, never something to be put right in silence."""

from collections.abc import Iterable

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.connection import Connection

#: What `NodeRole.is_settled` and `NodeRole.holds_back` say, for the database.
_IS_SETTLED = "(p.state IN ('active', 'skipped') AND NOT p.is_stale)"
_HOLDS_BACK = f"(NOT {_IS_SETTLED} AND (p.is_stuck OR p.stuck_parents > 0))"

_DIFFERENCES = f"""
SELECT c.id, c.role, c.node_id, c.unmet, coalesce(t.unmet, 0), c.stuck_parents, coalesce(t.stuck, 0)
FROM node_roles AS c LEFT JOIN (
  SELECT e.child_id AS child_id,
         sum(CASE WHEN {_IS_SETTLED} THEN 0 ELSE 1 END) AS unmet,
         sum(CASE WHEN {_HOLDS_BACK} THEN 1 ELSE 0 END) AS stuck
  FROM edges AS e JOIN node_roles AS p ON p.id = e.parent_id
  WHERE e.kind = 'hard' AND NOT e.is_joining
  GROUP BY e.child_id
) AS t ON t.child_id = c.id
WHERE c.unmet <> coalesce(t.unmet, 0) OR c.stuck_parents <> coalesce(t.stuck, 0)
ORDER BY c.id
"""


def compare_counters(connection: Connection) -> list[str]:
    """One sentence for each node-role whose counters do not agree with its parents."""
    return list(_sentences(connection.fetch(_DIFFERENCES)))


def _sentences(rows: Iterable[Row]) -> Iterable[str]:
    for item, role, node_id, unmet, true_unmet, stuck, true_stuck in rows:
        place = "no node" if node_id is None else f"node {node_id}"
        if unmet != true_unmet:
            yield (
                f"node-role {item} ({role}, {place}): {unmet} unmet parents counted,"
                f" {true_unmet} by its edges"
            )
        if stuck != true_stuck:
            yield (
                f"node-role {item} ({role}, {place}): {stuck} stuck parents counted,"
                f" {true_stuck} by its edges"
            )
