"""What happened: one append-only history, written in the transaction that changes state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    kind: str  #: `node-role.active`, `run.started`, `node.enrolled` ...: noun.what-became-true
    at: datetime
    node_id: int | None = None
    node_role_id: int | None = None
    run_id: int | None = None
    deployment_id: int | None = None
    actor: str = "engine"  #: engine, or the person or token that asked
    cause_id: int | None = None  #: the event that led to this one
    data: Mapping[str, Any] = field(default_factory=dict)
