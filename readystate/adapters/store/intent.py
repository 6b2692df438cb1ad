"""Reads of what people want: holds, values, proposals, credentials, catalogs, documents."""

import json
from typing import Any

from readystate.adapters.store.bulk import Row
from readystate.adapters.store.graph_loader import ancestry_of, read_deployments, read_holds
from readystate.adapters.store.proposed_changes import change_of
from readystate.adapters.store.snapshot import Snapshot, read_catalog_files
from readystate.domain.deployment import AttributeScope, Proposal, ProposalState
from readystate.domain.errors import NotFound
from readystate.domain.graph import Hold
from readystate.domain.ids import DeploymentId
from readystate.ports.store import CredentialSet

_PROPOSAL = (
    'SELECT id, deployment_id, title, changes, state, "by", created_at, committed_at, wipe_any,'
    " plan FROM proposals WHERE"
)


class IntentReads(Snapshot):
    def holds(self) -> list[Hold]:
        return read_holds(self._connection)

    def attribute_layers(
        self, scope: AttributeScope, subject_id: int, *, profile: str = ""
    ) -> dict[str, Any]:
        rows = self._connection.fetch(
            "SELECT name, value FROM attributes"
            " WHERE scope = ? AND subject_id = ? AND profile = ? ORDER BY name",
            scope.value,
            subject_id,
            profile,
        )
        return {name: self._seal.value_of(text) for name, text in rows}

    def profiles_of(self, scope: AttributeScope, subject_id: int) -> tuple[str, ...]:
        rows = self._connection.fetch(
            "SELECT profile FROM profile_attachments WHERE scope = ? AND subject_id = ?"
            " ORDER BY position",
            scope.value,
            subject_id,
        )
        return tuple(row[0] for row in rows)

    def attached_to(self, profile: str) -> list[tuple[AttributeScope, int]]:
        rows = self._connection.fetch(
            "SELECT DISTINCT scope, subject_id FROM profile_attachments WHERE profile = ?"
            " ORDER BY scope, subject_id",
            profile,
        )
        return [(AttributeScope(scope), subject_id) for scope, subject_id in rows]

    def proposal(self, proposal_id: int) -> Proposal:
        rows = self._connection.fetch(f"{_PROPOSAL} id = ?", proposal_id)
        if not rows:
            raise NotFound(f"no proposal {proposal_id}")
        return self._proposal_of(rows[0])

    def proposals(self, *, deployment_id: DeploymentId | None = None) -> list[Proposal]:
        if deployment_id is None:
            rows = self._connection.fetch(f"{_PROPOSAL} 1 = 1 ORDER BY id")
        else:
            rows = self._connection.fetch(
                f"{_PROPOSAL} deployment_id = ? ORDER BY id", deployment_id
            )
        return [self._proposal_of(row) for row in rows]

    def _proposal_of(self, row: Row) -> Proposal:
        instant = self._connection.instant
        return Proposal(
            id=row[0],
            deployment_id=row[1],
            title=row[2],
            changes=tuple(change_of(item) for item in self._seal.value_of(row[3])),
            state=ProposalState(row[4]),
            by=row[5],
            created_at=instant(row[6]),
            committed_at=None if row[7] is None else instant(row[7]),
            wipe_any=bool(row[8]),
            plan=json.loads(row[9]),
        )

    def credentials(self, deployment_id: DeploymentId) -> list[CredentialSet]:
        outwards = ancestry_of(read_deployments(self._connection)).get(deployment_id)
        if outwards is None:
            raise NotFound(f"no deployment {deployment_id!r}")
        rows = self._connection.fetch(
            "SELECT name, deployment_id, username, password, position FROM credentials"
            " WHERE deployment_id IN ?ids",
            self._connection.ids(outwards),
        )
        found = [
            CredentialSet(row[0], row[1], row[2], self._seal.uncover(row[3]), row[4])
            for row in rows
        ]
        return sorted(
            found, key=lambda item: (outwards.index(item.deployment_id), item.position, item.name)
        )

    def catalog_files(self, version: str) -> dict[str, str]:
        return read_catalog_files(self._connection, version)

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        rows = self._connection.fetch(
            "SELECT value FROM documents WHERE kind = ? AND key = ?", kind, key
        )
        if not rows:
            return None
        value: dict[str, Any] = self._seal.value_of(rows[0][0])
        return value

    def documents(self, kind: str) -> dict[str, dict[str, Any]]:
        rows = self._connection.fetch(
            "SELECT key, value FROM documents WHERE kind = ? ORDER BY key", kind
        )
        return {key: self._seal.value_of(text) for key, text in rows}
