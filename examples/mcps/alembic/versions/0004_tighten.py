# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release has a version and is a prerelease or not; a tool has one embedding.

SQLite cannot alter a table so: Alembic copies it. The tables are spelled out, so that C(--sql) needs no database.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: Indexes of toolembedding, dropped and made again: Alembic's copy would make them in an order that changes by chance.
EMBEDDING_INDEXES = ("dimensions", "model_name")


def release(version: str, prerelease_nullable: bool) -> sa.Table:
    """The table release, whose version is in the column I(version)."""
    return sa.Table(
        "release",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column(version, sa.String(), nullable=False),
        sa.Column("changelog", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.Column("is_prerelease", sa.Boolean(), nullable=prerelease_nullable),
        sa.Column("download_count", sa.Integer(), nullable=False),
        sa.Column("assets", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_release_server_id_server"),
        sa.Index("ix_release_published_at", "published_at"),
    )


def toolembedding(unique: bool) -> sa.Table:
    """The table toolembedding without its indexes, with one row per tool or not."""
    table = sa.Table(
        "toolembedding",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tool_id", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.JSON(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_toolembedding"),
        sa.ForeignKeyConstraint(["tool_id"], ["tool.id"], name="fk_toolembedding_tool_id_tool"),
    )
    if unique:
        table.append_constraint(sa.UniqueConstraint("tool_id", name="uq_toolembedding_tool_id"))
    return table


def upgrade() -> None:
    """Rename release.tag, forbid an unknown is_prerelease, make tool_id unique."""
    op.execute("UPDATE release SET is_prerelease = false WHERE is_prerelease IS NULL")
    op.drop_index("ix_release_tag", table_name="release")
    with op.batch_alter_table("release", copy_from=release("tag", True)) as batch:
        batch.alter_column("tag", new_column_name="version", existing_type=sa.String(), existing_nullable=False)
        batch.alter_column("is_prerelease", existing_type=sa.Boolean(), nullable=False)
    op.create_index("ix_release_version", "release", ["version"])
    drop_embedding_indexes()
    with op.batch_alter_table("toolembedding", copy_from=toolembedding(False)) as batch:
        batch.create_unique_constraint("uq_toolembedding_tool_id", ["tool_id"])
    create_embedding_indexes()


def downgrade() -> None:
    """The other way round."""
    drop_embedding_indexes()
    with op.batch_alter_table("toolembedding", copy_from=toolembedding(True)) as batch:
        batch.drop_constraint("uq_toolembedding_tool_id", type_="unique")
    create_embedding_indexes()
    op.drop_index("ix_release_version", table_name="release")
    with op.batch_alter_table("release", copy_from=release("version", False)) as batch:
        batch.alter_column("is_prerelease", existing_type=sa.Boolean(), nullable=True)
        batch.alter_column("version", new_column_name="tag", existing_type=sa.String(), existing_nullable=False)
    op.create_index("ix_release_tag", "release", ["tag"])


def drop_embedding_indexes() -> None:
    """Drop the indexes of toolembedding."""
    for column in EMBEDDING_INDEXES:
        op.drop_index(f"ix_toolembedding_{column}", table_name="toolembedding")


def create_embedding_indexes() -> None:
    """Create the indexes of toolembedding."""
    for column in EMBEDDING_INDEXES:
        op.create_index(f"ix_toolembedding_{column}", "toolembedding", [column])
