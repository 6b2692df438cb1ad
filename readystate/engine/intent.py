"""What a person asks for, in names, made into the changes of a proposal; and back, for showing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from readystate.domain.attribute import check_settable, check_value
from readystate.domain.binding import Candidate
from readystate.domain.catalog import Catalog
from readystate.domain.declaration import did_you_mean
from readystate.domain.deployment import (
    AttachProfiles,
    AttributeScope,
    Bind,
    Change,
    ClearAttribute,
    Confirm,
    Deployment,
    Proposal,
    ProposalState,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
    UseCatalog,
)
from readystate.domain.errors import BadRequest, Conflict, NotFound
from readystate.domain.events import Event
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName
from readystate.domain.role import Flag
from readystate.domain.secret import Secret
from readystate.engine.commit import CatalogOf, draft_only
from readystate.engine.naming import (
    get_deployment_id,
    get_node,
    get_node_role,
    node_role_path,
)
from readystate.ports.store import Reader, Transaction

_ABOUT_ONE = {"unbind": Unbind, "recall": Recall, "recommit": Recommit, "confirm": Confirm}


@dataclass(frozen=True, slots=True)
class NamedChange:
    """One change as people write it. Which fields count depends on `change`."""

    change: str  #: bind | unbind | recall | recommit | confirm | set-attribute | ...
    role: str = ""
    node: str = ""
    node_role: str = ""
    scope: AttributeScope = AttributeScope.DEPLOYMENT
    subject: str = ""  #: name at that scope; "" = the proposal's deployment
    name: str = ""
    value: Any = None
    profiles: tuple[str, ...] = ()
    version: str = ""


def propose(
    tx: Transaction,
    deployment_id: DeploymentId,
    title: str,
    changes: Sequence[NamedChange],
    catalog_of: CatalogOf,
    now: datetime,
    *,
    by: str,
    wipe_any: bool = False,
) -> Proposal:
    """Collect changes; nothing moves before the commit. Raises NotFound and BadRequest for names
    and values that cannot be meant."""
    if not changes:
        raise BadRequest("a proposal without a change", hint="name what is to change")
    reading = _Reading(tx, tx.deployment(deployment_id), catalog_of)
    proposal = tx.add_proposal(
        Proposal(
            id=0,
            deployment_id=deployment_id,
            title=title,
            changes=tuple(reading.change(item) for item in changes),
            state=ProposalState.OPEN,
            by=by,
            created_at=now,
            wipe_any=wipe_any,
        )
    )
    tx.append(
        Event(
            kind="proposal.created",
            at=now,
            deployment_id=deployment_id,
            actor=by,
            data={"proposal": proposal.id, "title": title, "changes": len(changes)},
        )
    )
    return proposal


def explain_bind(
    reader: Reader, role: str, node: str, deployment: str, catalog_of: CatalogOf, now: datetime
) -> Sequence[Candidate]:
    """Each place that binding `role` would look at for what it needs, in order; changes nothing.
    `node` may be empty, for a role of the deployment. Raises what planning the binding would."""
    place = reader.deployment(get_deployment_id(reader, deployment))
    change = _Reading(reader, place, catalog_of).change(NamedChange("bind", role=role, node=node))
    asked = Proposal(0, place.id, "", (change,), ProposalState.OPEN, "", now)
    return draft_only(reader, asked, catalog_of, now).looked_at


def discard(tx: Transaction, proposal_id: int, now: datetime, *, by: str) -> Proposal:
    """Raises Conflict for one that is not open."""
    proposal = tx.proposal(proposal_id)
    if proposal.state is not ProposalState.OPEN:
        raise Conflict(f"proposal {proposal_id} is {proposal.state}", why="only an open one may go")
    discarded = replace(proposal, state=ProposalState.DISCARDED)
    tx.save_proposal(discarded)
    tx.append(
        Event(
            kind="proposal.discarded",
            at=now,
            deployment_id=proposal.deployment_id,
            actor=by,
            data={"proposal": proposal_id},
        )
    )
    return discarded


class _Reading:
    def __init__(self, reader: Reader, deployment: Deployment, catalog_of: CatalogOf) -> None:
        self.reader = reader
        self.deployment = deployment
        self.catalog_of = catalog_of

    def change(self, item: NamedChange) -> Change:
        if item.change in _ABOUT_ONE:
            kind: Any = _ABOUT_ONE[item.change]
            found: Change = kind(get_node_role(self.reader, item.node_role).id)
            return found
        match item.change:
            case "bind":
                return self._bind(item)
            case "set-attribute":
                return self._set(item)
            case "clear-attribute":
                return self._clear(item)
            case "attach-profiles":
                return AttachProfiles(item.scope, self._subject(item), item.profiles)
            case "use-catalog":
                self.catalog_of(item.version)
                return UseCatalog(item.version)
            case other:
                raise BadRequest(f"no change is called {other!r}")

    def _bind(self, item: NamedChange) -> Bind:
        node = get_node(self.reader, item.node) if item.node else None
        place = node.deployment_id if node is not None else self.deployment.id
        catalog = self._catalog_in(place)
        role = catalog.role(RoleName(item.role))
        if Flag.ABSTRACT in role.flags:
            known = ", ".join(it for it in catalog.providers(role.name) if it != role.name)
            raise BadRequest(
                f"{role.name} is abstract and cannot be bound", hint=f"bind one of: {known}"
            )
        return Bind(role.name, node.id if node is not None else None)

    def _set(self, item: NamedChange) -> SetAttribute:
        subject_id = self._subject(item)
        place = self._place(item)
        declared = check_settable(self._catalog_of(item, subject_id), item.name, place=place)
        value = Secret(str(item.value)) if declared.secret else item.value
        check_value(declared, value, place=place)
        return SetAttribute(item.scope, subject_id, item.name, value, self._profile(item))

    def _clear(self, item: NamedChange) -> ClearAttribute:
        subject_id = self._subject(item)
        profile = self._profile(item)
        known = self.reader.attribute_layers(item.scope, subject_id, profile=profile)
        if item.name not in known:
            raise NotFound(
                f"{item.name} is not set at {self._place(item)}",
                hint=did_you_mean(item.name, known),
            )
        return ClearAttribute(item.scope, subject_id, item.name, profile)

    def _subject(self, item: NamedChange) -> int:
        match item.scope:
            case AttributeScope.PROFILE:
                if not item.subject:
                    raise BadRequest("which profile?", hint="name it as `subject`")
                return 0
            case AttributeScope.DEPLOYMENT:
                if not item.subject:
                    return self.deployment.id
                return get_deployment_id(self.reader, item.subject)
            case AttributeScope.NODE:
                return get_node(self.reader, item.subject).id
            case AttributeScope.NODE_ROLE:
                return get_node_role(self.reader, item.subject).id

    def _profile(self, item: NamedChange) -> str:
        return item.subject if item.scope is AttributeScope.PROFILE else ""

    def _place(self, item: NamedChange) -> str:
        return f"{item.scope}:{item.subject or self.deployment.name}"

    def _catalog_of(self, item: NamedChange, subject_id: int) -> Catalog:
        match item.scope:
            case AttributeScope.PROFILE:
                return self._catalog_in(self.deployment.id)
            case AttributeScope.DEPLOYMENT:
                return self._catalog_in(DeploymentId(subject_id))
            case AttributeScope.NODE:
                return self._catalog_in(self.reader.node(NodeId(subject_id)).deployment_id)
            case AttributeScope.NODE_ROLE:
                node_role = self.reader.node_role(NodeRoleId(subject_id))
                return self._catalog_in(node_role.deployment_id)

    def _catalog_in(self, deployment_id: DeploymentId) -> Catalog:
        return self.catalog_of(self.reader.deployment(deployment_id).catalog_version)


def named(reader: Reader, change: Change) -> NamedChange:
    """For people. What is gone meanwhile is called by its number; a secret stays `Secret`."""
    match change:
        case Bind(role, node_id):
            node = _name(reader, AttributeScope.NODE, node_id) if node_id is not None else ""
            return NamedChange("bind", role=role, node=node)
        case SetAttribute(scope, subject_id, name, value, profile):
            subject = profile or _name(reader, scope, subject_id)
            return NamedChange(
                "set-attribute", scope=scope, subject=subject, name=name, value=value
            )
        case ClearAttribute(scope, subject_id, name, profile):
            subject = profile or _name(reader, scope, subject_id)
            return NamedChange("clear-attribute", scope=scope, subject=subject, name=name)
        case AttachProfiles(scope, subject_id, profiles):
            subject = _name(reader, scope, subject_id)
            return NamedChange("attach-profiles", scope=scope, subject=subject, profiles=profiles)
        case UseCatalog(version):
            return NamedChange("use-catalog", version=version)
        case Unbind(item) | Recall(item) | Recommit(item) | Confirm(item):
            word = next(word for word, kind in _ABOUT_ONE.items() if isinstance(change, kind))
            return NamedChange(word, node_role=_name(reader, AttributeScope.NODE_ROLE, item))


def _name(reader: Reader, scope: AttributeScope, subject_id: int) -> str:
    try:
        match scope:
            case AttributeScope.NODE:
                return reader.node(NodeId(subject_id)).name
            case AttributeScope.NODE_ROLE:
                return node_role_path(reader, reader.node_role(NodeRoleId(subject_id)))
            case AttributeScope.DEPLOYMENT:
                return reader.deployment(DeploymentId(subject_id)).name
            case AttributeScope.PROFILE:
                return ""
    except NotFound:
        return str(subject_id)
