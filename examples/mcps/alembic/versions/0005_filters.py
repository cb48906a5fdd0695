# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes for every foreign key and for the filters that the application uses most."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    (
        "server",
        (
            "host_type",
            "stars",
        ),
    ),
    (
        "server",
        (
            "verified_source",
            "health_score",
        ),
    ),
    ("tool", ("server_id",)),
    (
        "tool",
        (
            "server_id",
            "name",
        ),
    ),
    ("prompt", ("server_id",)),
    ("resourcetemplate", ("server_id",)),
    (
        "dependency",
        (
            "ecosystem",
            "library_name",
        ),
    ),
    ("dependency", ("server_id",)),
    ("release", ("server_id",)),
    (
        "release",
        (
            "server_id",
            "published_at",
        ),
    ),
    ("contributor", ("server_id",)),
    (
        "processinglog",
        (
            "status",
            "started_at",
        ),
    ),
    (
        "social_posts",
        (
            "platform",
            "post_id",
        ),
    ),
    (
        "social_posts",
        (
            "platform",
            "published_at",
        ),
    ),
    (
        "videos",
        (
            "platform",
            "published_at",
        ),
    ),
    (
        "articles",
        (
            "platform",
            "published_at",
        ),
    ),
)


def upgrade() -> None:
    """Create the indexes."""
    for table, columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def downgrade() -> None:
    """Drop the indexes."""
    for table, columns in INDEXES:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table_name=table)
