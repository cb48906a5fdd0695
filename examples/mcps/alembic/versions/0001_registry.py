# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and what belongs to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENUMS = {
    "hosttype": (
        "GITHUB",
        "GITLAB",
        "NPM",
        "PYPI",
        "DOCKER",
        "HTTP",
    ),
    "dependencytype": (
        "RUNTIME",
        "DEV",
        "PEER",
    ),
}

#: Indexes of one column each, named ix_TABLE_COLUMN.
INDEXES = (
    ("server", "author_name"),
    ("server", "downloads"),
    ("server", "health_score"),
    ("server", "host_type"),
    ("server", "is_archived"),
    ("server", "last_indexed_at"),
    ("server", "license"),
    ("server", "name"),
    ("server", "quality_score"),
    ("server", "stars"),
    ("tool", "call_count"),
    ("tool", "is_destructive"),
    ("tool", "name"),
    ("toolembedding", "dimensions"),
    ("toolembedding", "model_name"),
    ("prompt", "is_active"),
    ("prompt", "name"),
    ("resourcetemplate", "mime_type"),
    ("resourcetemplate", "name"),
    ("resourcetemplate", "uri_template"),
    ("dependency", "ecosystem"),
    ("dependency", "library_name"),
    ("dependency", "type"),
    ("release", "published_at"),
    ("release", "tag"),
    ("contributor", "commits"),
    ("contributor", "platform"),
    ("contributor", "username"),
    ("processinglog", "started_at"),
    ("processinglog", "status"),
    ("processinglog", "succeeded"),
    ("processinglog", "url"),
)

#: In the order in which foreign keys let them be created.
TABLES = (
    "server",
    "tool",
    "toolembedding",
    "prompt",
    "resourcetemplate",
    "dependency",
    "release",
    "contributor",
    "processinglog",
)


def enum(name: str) -> sa.types.TypeEngine[str]:
    """The enum I(name): VARCHAR on SQLite, a type of its own on PostgreSQL, created beforehand."""
    labels = ENUMS[name]
    return sa.Enum(*labels, name=name).with_variant(
        postgresql.ENUM(*labels, name=name, create_type=False), "postgresql"
    )


def upgrade() -> None:
    """Create the enum types, the tables and their indexes."""
    if op.get_context().dialect.name == "postgresql":
        for name, labels in ENUMS.items():
            op.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(repr(label) for label in labels)})")
    op.create_table(
        "server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("primary_url", sa.String(), nullable=False),
        sa.Column("host_type", enum("hosttype"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("author_name", sa.String(), nullable=True),
        sa.Column("homepage", sa.String(), nullable=True),
        sa.Column("license", sa.String(), nullable=True),
        sa.Column("readme_content", sa.Text(), nullable=True),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("forks", sa.Integer(), nullable=False),
        sa.Column("open_issues", sa.Integer(), nullable=False),
        sa.Column("verified_source", sa.Boolean(), nullable=False),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("is_fork", sa.Boolean(), nullable=False),
        sa.Column("health_score", sa.Integer(), nullable=False),
        sa.Column("quality_score", sa.Float(), nullable=True),
        sa.Column("last_pushed_at", sa.DateTime(), nullable=True),
        sa.Column("last_indexed_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_server"),
        sa.UniqueConstraint("primary_url", name="uq_server_primary_url"),
        sa.UniqueConstraint("uuid", name="uq_server_uuid"),
    )
    op.create_table(
        "tool",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("input_schema", sa.JSON(), nullable=False),
        sa.Column("output_schema", sa.JSON(), nullable=True),
        sa.Column("annotations", sa.JSON(), nullable=True),
        sa.Column("call_count", sa.Integer(), nullable=False),
        sa.Column("is_read_only", sa.Boolean(), nullable=False),
        sa.Column("is_destructive", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tool"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_tool_server_id_server"),
    )
    op.create_table(
        "toolembedding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tool_id", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.JSON(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_toolembedding"),
        sa.ForeignKeyConstraint(["tool_id"], ["tool.id"], name="fk_toolembedding_tool_id_tool"),
    )
    op.create_table(
        "prompt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompt"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_prompt_server_id_server"),
    )
    op.create_table(
        "resourcetemplate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("uri_template", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("mime_type", sa.String(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("annotations", sa.JSON(), nullable=True),
        sa.Column("is_dynamic", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_resourcetemplate"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_resourcetemplate_server_id_server"),
    )
    op.create_table(
        "dependency",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("library_name", sa.String(), nullable=False),
        sa.Column("version_constraint", sa.String(), nullable=True),
        sa.Column("ecosystem", sa.String(), nullable=False),
        sa.Column("type", enum("dependencytype"), nullable=False),
        sa.Column("is_optional", sa.Boolean(), nullable=False),
        sa.Column("extras", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dependency"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_dependency_server_id_server"),
    )
    op.create_table(
        "release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("changelog", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.Column("is_prerelease", sa.Boolean(), nullable=True),
        sa.Column("download_count", sa.Integer(), nullable=False),
        sa.Column("assets", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_release_server_id_server"),
    )
    op.create_table(
        "contributor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("commits", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=True),
        sa.Column("is_bot", sa.Boolean(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_contributor"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_contributor_server_id_server"),
    )
    op.create_table(
        "processinglog",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processinglog"),
    )
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables, children first, and the enum types."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        for name in ENUMS:
            op.execute(f"DROP TYPE {name}")
