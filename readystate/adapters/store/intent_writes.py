"""Writing what people want: holds, values, proposals, credentials; and what adapters keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from readystate.adapters.store.bulk import upsert
from readystate.adapters.store.changing import Changing
from readystate.adapters.store.instants import instant_text, optional_instant_text
from readystate.adapters.store.mapping import hold_row, json_text
from readystate.adapters.store.proposed_changes import change_value
from readystate.adapters.store.tables import (
    attributes,
    credentials,
    documents,
    holds,
    profile_attachments,
    proposals,
)
from readystate.domain.deployment import AttributeScope, Proposal
from readystate.domain.errors import Conflict, NotFound
from readystate.domain.graph import Hold, HoldScope
from readystate.domain.ids import NodeId
from readystate.ports.store import CredentialSet

_PUT_HOLD = upsert(holds, key=("scope", "subject_id"))
_PUT_ATTRIBUTE = upsert(attributes, key=("scope", "subject_id", "profile", "name"))
_PUT_ATTACHMENT = upsert(profile_attachments, key=("scope", "subject_id", "position"))
_PUT_PROPOSAL = upsert(proposals, key=("id",))
_PUT_CREDENTIALS = upsert(credentials, key=("deployment_id", "name"))
_PUT_DOCUMENT = upsert(documents, key=("kind", "key"))


class IntentWrites(Changing):
    def add_hold(self, hold: Hold) -> None:
        self._connection.bulk(_PUT_HOLD, [hold_row(hold)])

    def remove_hold(self, scope: HoldScope, subject_id: int) -> None:
        self._connection.execute(
            "DELETE FROM holds WHERE scope = ? AND subject_id = ?", scope.value, subject_id
        )

    def set_attribute(
        self, scope: AttributeScope, subject_id: int, name: str, value: Any, *, profile: str = ""
    ) -> None:
        text = self._seal.text_of(value)
        self._connection.bulk(_PUT_ATTRIBUTE, [(scope.value, subject_id, profile, name, text)])

    def clear_attribute(
        self, scope: AttributeScope, subject_id: int, name: str, *, profile: str = ""
    ) -> None:
        self._connection.execute(
            "DELETE FROM attributes"
            " WHERE scope = ? AND subject_id = ? AND profile = ? AND name = ?",
            scope.value,
            subject_id,
            profile,
            name,
        )

    def attach_profiles(
        self, scope: AttributeScope, subject_id: int, profiles: Sequence[str]
    ) -> None:
        self._connection.execute(
            "DELETE FROM profile_attachments WHERE scope = ? AND subject_id = ?",
            scope.value,
            subject_id,
        )
        self._connection.bulk(
            _PUT_ATTACHMENT,
            [(scope.value, subject_id, place, profile) for place, profile in enumerate(profiles)],
        )

    def add_proposal(self, proposal: Proposal) -> Proposal:
        added = replace(proposal, id=self._counters.take("proposals", 1))
        self._put_proposal(added)
        return added

    def save_proposal(self, proposal: Proposal) -> None:
        if not self._connection.fetch("SELECT 1 FROM proposals WHERE id = ?", proposal.id):
            raise NotFound(f"no proposal {proposal.id}")
        self._put_proposal(proposal)

    def _put_proposal(self, proposal: Proposal) -> None:
        row = (
            proposal.id,
            proposal.deployment_id,
            proposal.title,
            self._seal.text_of([change_value(item) for item in proposal.changes]),
            proposal.state.value,
            proposal.by,
            instant_text(proposal.created_at),
            optional_instant_text(proposal.committed_at),
            proposal.wipe_any,
            json_text(dict(proposal.plan)),
        )
        self._connection.bulk(_PUT_PROPOSAL, [row])

    def put_credentials(self, credentials: CredentialSet) -> None:
        row = (
            credentials.deployment_id,
            credentials.name,
            credentials.username,
            self._seal.conceal(credentials.password),
            credentials.position,
        )
        self._connection.bulk(_PUT_CREDENTIALS, [row])

    def put_document(self, kind: str, key: str, value: Mapping[str, Any]) -> None:
        self._connection.bulk(_PUT_DOCUMENT, [(kind, key, self._seal.text_of(dict(value)))])

    def remove_document(self, kind: str, key: str) -> None:
        self._connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", kind, key)

    def claim_address(self, network: str, node_id: NodeId, candidates: Iterable[str]) -> str:
        connection = self._connection
        rows = connection.fetch(
            "SELECT address FROM addresses WHERE network = ? AND node_id = ?", network, node_id
        )
        if rows:
            return str(rows[0][0])
        taken = {
            row[0]
            for row in connection.fetch("SELECT address FROM addresses WHERE network = ?", network)
        }
        free = next((item for item in candidates if item not in taken), None)
        if free is None:
            raise Conflict(
                f"no free address on network {network} for node {node_id}",
                why=f"every candidate is among the {len(taken)} that are taken",
                hint="widen the network's range",
            )
        connection.execute(
            "INSERT INTO addresses (network, address, node_id) VALUES (?, ?, ?)",
            network,
            free,
            node_id,
        )
        return free
