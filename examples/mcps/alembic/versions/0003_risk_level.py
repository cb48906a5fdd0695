# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The risk of a server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LABELS = ("SAFE", "MODERATE", "HIGH", "CRITICAL", "UNKNOWN")


def upgrade() -> None:
    """Add the column, its type and its index."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"CREATE TYPE risklevel AS ENUM ({', '.join(repr(label) for label in LABELS)})")
    kind = sa.Enum(*LABELS, name="risklevel").with_variant(
        postgresql.ENUM(*LABELS, name="risklevel", create_type=False), "postgresql"
    )
    op.add_column("server", sa.Column("risk_level", kind, nullable=True))
    op.create_index("ix_server_risk_level", "server", ["risk_level"])


def downgrade() -> None:
    """Drop them again."""
    op.drop_index("ix_server_risk_level", table_name="server")
    op.drop_column("server", "risk_level")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TYPE risklevel")
