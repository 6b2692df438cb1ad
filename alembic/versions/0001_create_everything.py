"""Create everything."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


def upgrade() -> None:
    op.create_table(
        "agenda",
        sa.Column("unit_kind", sa.String(length=8), nullable=False),
        sa.Column("unit_id", ID, autoincrement=False, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("gate", sa.Text(), nullable=True),
        sa.CheckConstraint("unit_kind IN ('node', 'vertex')", name=op.f("ck_agenda_unit_kind")),
        sa.PrimaryKeyConstraint("unit_kind", "unit_id", name=op.f("pk_agenda")),
    )
    op.create_index(
        "ix_agenda_due_at",
        "agenda",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("gate IS NULL"),
        postgresql_where=sa.text("gate IS NULL"),
    )
    op.create_index(
        "ix_agenda_gate",
        "agenda",
        ["gate", "due_at"],
        unique=False,
        sqlite_where=sa.text("gate IS NOT NULL"),
        postgresql_where=sa.text("gate IS NOT NULL"),
    )

    op.create_table(
        "attributes",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject_id", ID, autoincrement=False, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "scope IN ('profile', 'deployment', 'node', 'node-role')",
            name=op.f("ck_attributes_scope"),
        ),
        sa.PrimaryKeyConstraint(
            "scope", "subject_id", "profile", "name", name=op.f("pk_attributes")
        ),
    )
    op.create_table(
        "catalogs",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_catalogs")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last", ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "documents",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_documents")),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("node_id", ID, nullable=True),
        sa.Column("node_role_id", ID, nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("deployment_id", ID, nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("cause_id", ID, nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(
        "ix_events_node_id",
        "events",
        ["node_id", "id"],
        unique=False,
        sqlite_where=sa.text("node_id IS NOT NULL"),
        postgresql_where=sa.text("node_id IS NOT NULL"),
    )

    op.create_table(
        "holds",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject_id", ID, autoincrement=False, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "scope IN ('everything', 'deployment', 'node', 'node-role')",
            name=op.f("ck_holds_scope"),
        ),
        sa.PrimaryKeyConstraint("scope", "subject_id", name=op.f("pk_holds")),
    )
    op.create_table(
        "profile_attachments",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", ID, autoincrement=False, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "scope IN ('deployment', 'node')", name=op.f("ck_profile_attachments_scope")
        ),
        sa.PrimaryKeyConstraint(
            "scope", "subject_id", "position", name=op.f("pk_profile_attachments")
        ),
    )
    op.create_table(
        "run_inputs",
        sa.Column("run_id", ID, autoincrement=False, nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_inputs")),
    )
    op.create_table(
        "runs",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("node_id", ID, nullable=True),
        sa.Column("node_role_id", ID, nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=8), nullable=False),
        sa.Column("fence", ID, nullable=False),
        sa.Column("dispatch", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("effect_recorded", sa.Boolean(), nullable=False),
        sa.Column("wake", sa.Text(), nullable=True),
        sa.Column("wake_deadline", INSTANT, nullable=True),
        sa.Column("stop_reason", sa.String(length=16), nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_family", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("hammers", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('role', 'power', 'cycle')", name=op.f("ck_runs_kind")),
        sa.CheckConstraint("lane IN ('bmc', 'os', 'both', 'none')", name=op.f("ck_runs_lane")),
        sa.CheckConstraint(
            "phase IN ('queued', 'running', 'pending', 'staged', 'verify', 'verifying',"
            " 'stopping', 'done')",
            name=op.f("ck_runs_phase"),
        ),
        sa.CheckConstraint(
            "stop_reason IN ('lost', 'cancelled', 'overdue')", name=op.f("ck_runs_stop_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_node_id"), "runs", ["node_id"], unique=False)
    op.create_index(op.f("ix_runs_node_role_id"), "runs", ["node_role_id"], unique=False)
    op.create_index(
        "ix_runs_open_node_id",
        "runs",
        ["node_id"],
        unique=False,
        sqlite_where=sa.text("phase <> 'done'"),
        postgresql_where=sa.text("phase <> 'done'"),
    )
    op.create_index(
        "ix_runs_open_node_role_id",
        "runs",
        ["node_role_id"],
        unique=False,
        sqlite_where=sa.text("phase <> 'done'"),
        postgresql_where=sa.text("phase <> 'done'"),
    )

    op.create_index(
        "ix_runs_working",
        "runs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("phase IN ('running', 'verifying', 'stopping')"),
        postgresql_where=sa.text("phase IN ('running', 'verifying', 'stopping')"),
    )

    op.create_table(
        "wakes",
        sa.Column("run_id", ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_wakes")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("catalog_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalog_version"],
            ["catalogs.version"],
            name=op.f("fk_deployments_catalog_version_catalogs"),
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["deployments.id"], name=op.f("fk_deployments_parent_id_deployments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("name", name=op.f("uq_deployments_name")),
    )
    op.create_table(
        "credentials",
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("position", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_credentials_deployment_id_deployments"),
        ),
        sa.PrimaryKeyConstraint("deployment_id", "name", name=op.f("pk_credentials")),
    )
    op.create_table(
        "nodes",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("reboot_epoch", ID, nullable=False),
        sa.Column("reinstall_epoch", ID, nullable=False),
        sa.Column("hardware_change_epoch", ID, nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("bmc", sa.Text(), nullable=False),
        sa.Column("admin_address", sa.Text(), nullable=True),
        sa.Column("ssh_port", ID, nullable=False),
        sa.Column("ssh_host_key", sa.Text(), nullable=True),
        sa.Column("boot_id", sa.Text(), nullable=True),
        sa.Column("breaker_until", INSTANT, nullable=True),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_nodes_deployment_id_deployments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("name", name=op.f("uq_nodes_name")),
        sa.UniqueConstraint("serial", name=op.f("uq_nodes_serial")),
        sa.UniqueConstraint("uuid", name=op.f("uq_nodes_uuid")),
    )
    op.create_index(op.f("ix_nodes_deployment_id"), "nodes", ["deployment_id"], unique=False)

    op.create_table(
        "proposals",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("committed_at", INSTANT, nullable=True),
        sa.Column("wipe_any", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'committed', 'discarded')", name=op.f("ck_proposals_state")
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_proposals_deployment_id_deployments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index(
        op.f("ix_proposals_deployment_id"), "proposals", ["deployment_id"], unique=False
    )

    op.create_table(
        "addresses",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_addresses_node_id_nodes")),
        sa.UniqueConstraint("network", "address", name=op.f("uq_addresses_network_address")),
        sa.UniqueConstraint("network", "node_id", name=op.f("uq_addresses_network_node_id")),
    )
    op.create_index(op.f("ix_addresses_node_id"), "addresses", ["node_id"], unique=False)

    op.create_table(
        "node_macs",
        sa.Column("mac", sa.Text(), nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("position", ID, nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_macs_node_id_nodes")),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_node_macs")),
    )
    op.create_index(op.f("ix_node_macs_node_id"), "node_macs", ["node_id"], unique=False)

    op.create_table(
        "node_roles",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("node_id", ID, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.Column("is_stuck", sa.Boolean(), nullable=False),
        sa.Column("unmet", ID, nullable=False),
        sa.Column("stuck_parents", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("attempts", ID, nullable=False),
        sa.Column("deferrals", ID, nullable=False),
        sa.Column("first_started_at", INSTANT, nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("fence", ID, nullable=False),
        sa.Column("confirmation", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("since", INSTANT, nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'blocked', 'todo', 'transition', 'active', 'error', 'skipped')",
            name=op.f("ck_node_roles_state"),
        ),
        sa.CheckConstraint("stuck_parents >= 0", name=op.f("ck_node_roles_stuck_parents")),
        sa.CheckConstraint("unmet >= 0", name=op.f("ck_node_roles_unmet")),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_node_roles_deployment_id_deployments"),
        ),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_node_roles_node_id_nodes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_roles")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_node_roles_deployment_id", "node_roles", ["deployment_id"], unique=False)
    op.create_index(
        "uq_node_roles_node_id_role",
        "node_roles",
        ["node_id", "role"],
        unique=True,
        sqlite_where=sa.text("node_id IS NOT NULL"),
        postgresql_where=sa.text("node_id IS NOT NULL"),
    )
    op.create_index(
        "uq_node_roles_role_deployment_id",
        "node_roles",
        ["role", "deployment_id"],
        unique=True,
        sqlite_where=sa.text("node_id IS NULL"),
        postgresql_where=sa.text("node_id IS NULL"),
    )

    op.create_table(
        "run_lanes",
        sa.Column("node_id", ID, nullable=False),
        sa.Column("lane", sa.String(length=8), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.CheckConstraint("lane IN ('bmc', 'os')", name=op.f("ck_run_lanes_lane")),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_run_lanes_node_id_nodes")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_lanes_run_id_runs")),
        sa.UniqueConstraint("node_id", "lane", name=op.f("uq_run_lanes_node_id_lane")),
    )
    op.create_index(op.f("ix_run_lanes_run_id"), "run_lanes", ["run_id"], unique=False)

    op.create_table(
        "edges",
        sa.Column("child_id", ID, autoincrement=False, nullable=False),
        sa.Column("parent_id", ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_joining", sa.Boolean(), nullable=False),
        sa.Column("is_cross", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('hard', 'soft')", name=op.f("ck_edges_kind")),
        sa.ForeignKeyConstraint(
            ["child_id"], ["node_roles.id"], name=op.f("fk_edges_child_id_node_roles")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["node_roles.id"], name=op.f("fk_edges_parent_id_node_roles")
        ),
        sa.PrimaryKeyConstraint("child_id", "parent_id", name=op.f("pk_edges")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_edges_cross",
        "edges",
        ["parent_id"],
        unique=False,
        sqlite_where=sa.text("is_cross"),
        postgresql_where=sa.text("is_cross"),
    )
    op.create_index(op.f("ix_edges_parent_id"), "edges", ["parent_id"], unique=False)


def downgrade() -> None:
    for table in (
        "edges",
        "run_lanes",
        "node_roles",
        "node_macs",
        "addresses",
        "proposals",
        "nodes",
        "credentials",
        "deployments",
        "wakes",
        "runs",
        "run_inputs",
        "profile_attachments",
        "holds",
        "events",
        "documents",
        "counters",
        "catalogs",
        "attributes",
        "agenda",
    ):
        op.drop_table(table)
