"""The schema, for both databases; `alembic/versions` makes the same step by step.

States are words with a CHECK written by hand (Alembic does not see a changed enum). JSON is kept
as text: jsonb would re-order keys, rewrite numbers and refuse the zero characters that hardware
reports, and input digests rest on the very values. Instants are timestamptz on PostgreSQL and
fixed-width ISO text in UTC on SQLite, so that they sort. Ids come from `counters` under the writer
lock: they only ever grow and are never given twice."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

from readystate.domain.deployment import AttributeScope, ProposalState
from readystate.domain.graph import EdgeKind, HoldScope
from readystate.domain.node_role import NodeRoleState
from readystate.domain.role import Lane
from readystate.domain.run import RunKind, RunPhase, StopReason
from readystate.ports.store import UnitKind

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = BigInteger().with_variant(Integer(), "sqlite")
INSTANT = DateTime(timezone=True).with_variant(String(32), "sqlite")


def _id(name: str = "id", **options: Any) -> Column[Any]:
    return Column(name, ID, primary_key=True, autoincrement=False, **options)


def _number(name: str) -> Column[Any]:
    return Column(name, ID, nullable=False)


def _optional(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _words(name: str = "", *, key: bool = False) -> Column[Any]:
    return Column(name, Text(), nullable=False, primary_key=key)


def _fact(name: str) -> Column[Any]:
    return Column(name, Boolean(), nullable=False)


def _instant(name: str) -> Column[Any]:
    return Column(name, INSTANT, nullable=False)


def _one_of(name: str, members: Iterable[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{name} IN ({words})", name=name)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


catalogs = Table(
    "catalogs",
    metadata,
    _words("version", key=True),
    _words("files"),  # JSON: file name -> text
)

deployments = Table(
    "deployments",
    metadata,
    _id(),
    _words("name"),
    Column("parent_id", ID, ForeignKey("deployments.id")),
    Column("catalog_version", Text(), ForeignKey("catalogs.version"), nullable=False),
    UniqueConstraint("name"),
)

nodes = Table(
    "nodes",
    metadata,
    _id(),
    _words("name"),
    Column("deployment_id", ID, ForeignKey("deployments.id"), nullable=False),
    _number("reboot_epoch"),
    _number("reinstall_epoch"),
    _number("hardware_change_epoch"),
    _fact("is_available"),
    _optional("uuid", Text()),
    _optional("serial", Text()),
    _words("vendor"),
    _words("model"),
    _words("bmc"),  # JSON: list of BmcAccess
    _optional("admin_address", Text()),
    _number("ssh_port"),
    _optional("ssh_host_key", Text()),
    _optional("boot_id", Text()),
    _optional("breaker_until", INSTANT),
    _words("labels"),  # JSON
    UniqueConstraint("name"),
    UniqueConstraint("uuid"),
    UniqueConstraint("serial"),
    Index(None, "deployment_id"),
)

node_macs = Table(
    "node_macs",
    metadata,
    _words("mac", key=True),
    Column("node_id", ID, ForeignKey("nodes.id"), nullable=False),
    _number("position"),
    Index(None, "node_id"),
)

node_roles = Table(
    "node_roles",
    metadata,
    _id(),
    _words("role"),
    Column("deployment_id", ID, ForeignKey("deployments.id"), nullable=False),
    Column("node_id", ID, ForeignKey("nodes.id")),
    Column("state", String(16), nullable=False),
    _fact("is_stale"),
    _fact("is_stuck"),
    _number("unmet"),
    _number("stuck_parents"),
    _optional("digest", Text()),
    _words("outputs"),  # JSON
    _number("attempts"),
    _number("deferrals"),
    _optional("first_started_at", INSTANT),
    _optional("not_before", INSTANT),
    _number("fence"),
    _optional("confirmation", Text()),  # JSON
    _optional("error", Text()),  # JSON
    _optional("since", INSTANT),
    _optional("run_id", ID),
    _one_of("state", NodeRoleState),
    CheckConstraint("unmet >= 0", name="unmet"),
    CheckConstraint("stuck_parents >= 0", name="stuck_parents"),
    _partial(
        "uq_node_roles_node_id_role", "node_id", "role", where="node_id IS NOT NULL", unique=True
    ),
    _partial(
        "uq_node_roles_role_deployment_id",
        "role",
        "deployment_id",
        where="node_id IS NULL",
        unique=True,
    ),
    # No index names the state: on PostgreSQL every settling would then write to all indexes
    # instead of making a heap-only tuple, for which the fill factor leaves room.
    Index("ix_node_roles_deployment_id", "deployment_id"),
    postgresql_with={"fillfactor": 70},
)

edges = Table(
    "edges",
    metadata,
    Column("child_id", ID, ForeignKey("node_roles.id"), primary_key=True, autoincrement=False),
    Column("parent_id", ID, ForeignKey("node_roles.id"), primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    _words("reason"),
    _fact("is_joining"),
    _fact("is_cross"),  # the child is in another unit
    _one_of("kind", EdgeKind),
    Index(None, "parent_id"),
    _partial("ix_edges_cross", "parent_id", where="is_cross"),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    _id(),
    Column("kind", String(8), nullable=False),
    # No foreign keys: the history of runs outlives what it was about.
    _optional("node_id", ID),
    _optional("node_role_id", ID),
    Column("phase", String(16), nullable=False),
    Column("lane", String(8), nullable=False),
    _number("fence"),
    _number("dispatch"),
    _words("digest"),
    _optional("lease_until", INSTANT),
    _optional("owner", Text()),
    _optional("started_at", INSTANT),
    _fact("effect_recorded"),
    _optional("wake", Text()),
    _optional("wake_deadline", INSTANT),
    _optional("stop_reason", String(16)),
    _optional("not_before", INSTANT),
    _words("action"),
    _words("by"),
    _words("progress"),
    _words("role"),  # names as they were, for the history
    _words("node"),
    _words("outcome"),
    _words("error_family"),
    _words("error_message"),
    _optional("finished_at", INSTANT),
    _words("hammers"),  # JSON
    _one_of("kind", RunKind),
    _one_of("phase", RunPhase),
    _one_of("lane", Lane),
    _one_of("stop_reason", StopReason),
    Index(None, "node_id"),
    Index(None, "node_role_id"),
    _partial("ix_runs_open_node_id", "node_id", where="phase <> 'done'"),
    _partial("ix_runs_open_node_role_id", "node_role_id", where="phase <> 'done'"),
    _partial("ix_runs_working", "id", where="phase IN ('running', 'verifying', 'stopping')"),
)

run_inputs = Table("run_inputs", metadata, _id("run_id"), _words("input"))  # JSON

#: A lane that is occupied is a row: two runs in one lane are impossible.
run_lanes = Table(
    "run_lanes",
    metadata,
    Column("node_id", ID, ForeignKey("nodes.id"), nullable=False),
    Column("lane", String(8), nullable=False),
    Column("run_id", ID, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("node_id", "lane"),
    _one_of("lane", (Lane.BMC, Lane.OS)),
    Index(None, "run_id"),
)

wakes = Table(
    "wakes",
    metadata,
    _id("run_id"),
    _words("name", key=True),
    _words("payload"),  # JSON
    _instant("at"),
)

holds = Table(
    "holds",
    metadata,
    Column("scope", String(16), primary_key=True),
    _id("subject_id"),
    _words("by"),
    _instant("at"),
    _words("reason"),
    _one_of("scope", HoldScope),
)

attributes = Table(
    "attributes",
    metadata,
    Column("scope", String(16), primary_key=True),
    _id("subject_id"),
    _words("profile", key=True),
    _words("name", key=True),
    _words("value"),  # JSON; secrets in it are sealed
    _one_of("scope", AttributeScope),
)

profile_attachments = Table(
    "profile_attachments",
    metadata,
    Column("scope", String(16), primary_key=True),
    _id("subject_id"),
    _id("position"),
    _words("profile"),
    _one_of("scope", (AttributeScope.DEPLOYMENT, AttributeScope.NODE)),
)

events = Table(
    "events",
    metadata,
    _id(),
    _words("kind"),
    _instant("at"),
    _optional("node_id", ID),
    _optional("node_role_id", ID),
    _optional("run_id", ID),
    _optional("deployment_id", ID),
    _words("actor"),
    _optional("cause_id", ID),
    _words("data"),  # JSON
    _partial("ix_events_node_id", "node_id", "id", where="node_id IS NOT NULL"),
)

agenda = Table(
    "agenda",
    metadata,
    Column("unit_kind", String(8), primary_key=True),
    _id("unit_id"),
    _instant("due_at"),
    _optional("gate", Text()),
    _one_of("unit_kind", UnitKind),
    _partial("ix_agenda_due_at", "due_at", where="gate IS NULL"),
    _partial("ix_agenda_gate", "gate", "due_at", where="gate IS NOT NULL"),
)

proposals = Table(
    "proposals",
    metadata,
    _id(),
    Column("deployment_id", ID, ForeignKey("deployments.id"), nullable=False),
    _words("title"),
    _words("changes"),  # JSON; secrets in it are sealed
    Column("state", String(16), nullable=False),
    _words("by"),
    _instant("created_at"),
    _optional("committed_at", INSTANT),
    _fact("wipe_any"),
    _words("plan"),  # JSON
    _one_of("state", ProposalState),
    Index(None, "deployment_id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("deployment_id", ID, ForeignKey("deployments.id"), primary_key=True),
    _words("name", key=True),
    _words("username"),
    _words("password"),  # sealed
    _number("position"),
)

documents = Table(
    "documents",
    metadata,
    _words("kind", key=True),
    _words("key", key=True),
    _words("value"),  # JSON; secrets in it are sealed
)

addresses = Table(
    "addresses",
    metadata,
    _words("network"),
    _words("address"),
    Column("node_id", ID, ForeignKey("nodes.id"), nullable=False),
    UniqueConstraint("network", "address"),
    UniqueConstraint("network", "node_id"),
    Index(None, "node_id"),
)

counters = Table("counters", metadata, _words("name", key=True), _number("last"))
