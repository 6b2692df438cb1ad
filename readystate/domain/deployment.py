"""Deployments, and what people want changed in them: collected in proposals, planned, committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName


@dataclass(frozen=True, slots=True)
class Deployment:
    """A named scope of nodes, roles and settings. `system` is the root of the tree."""

    id: DeploymentId
    name: str
    parent_id: DeploymentId | None
    catalog_version: str  #: which annotations are in force here


class AttributeScope(StrEnum):
    """Where a value may be set; weakest first."""

    PROFILE = "profile"
    DEPLOYMENT = "deployment"
    NODE = "node"
    NODE_ROLE = "node-role"


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind `role` (and all that it needs) to `node_id`; to the deployment when it is None."""

    role: RoleName
    node_id: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Unbind:
    node_role_id: NodeRoleId


@dataclass(frozen=True, slots=True)
class Recall:
    node_role_id: NodeRoleId


@dataclass(frozen=True, slots=True)
class Recommit:
    """Commit a recalled node-role again."""

    node_role_id: NodeRoleId


@dataclass(frozen=True, slots=True)
class SetAttribute:
    scope: AttributeScope
    subject_id: int  #: of the deployment, node or node-role; 0 for a profile
    name: str
    value: Any
    profile: str = ""  #: for scope profile


@dataclass(frozen=True, slots=True)
class ClearAttribute:
    scope: AttributeScope
    subject_id: int
    name: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class AttachProfiles:
    """The ordered profiles of a deployment or node, weakest first; replaces the list."""

    scope: AttributeScope
    subject_id: int
    profiles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """Do a destructive node-role again, even though nothing changed."""

    node_role_id: NodeRoleId


@dataclass(frozen=True, slots=True)
class UseCatalog:
    """Put other annotations in force in the proposal's deployment."""

    version: str


Change = (
    Bind
    | Unbind
    | Recall
    | Recommit
    | SetAttribute
    | ClearAttribute
    | AttachProfiles
    | Confirm
    | UseCatalog
)


class ProposalState(StrEnum):
    OPEN = "open"
    COMMITTED = "committed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Proposal:
    id: int
    deployment_id: DeploymentId
    title: str
    changes: tuple[Change, ...]
    state: ProposalState
    by: str
    created_at: datetime
    committed_at: datetime | None = None
    wipe_any: bool = (
        False  #: a destructive step may write a disk that was not seen and is not blank
    )
    plan: Mapping[str, Any] = field(default_factory=dict)  #: what was shown when it was committed
