# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only PostgreSQL has: made by Alembic, hidden from autogenerate, unknown to the ORM."""

#: Generated columns, as (table, column).
GENERATED_COLUMNS = frozenset(
    {
        ("server", "search_vector"),
        ("social_posts", "search_vector"),
        ("articles", "search_vector"),
        ("toolembedding", "embedding_vector"),
    }
)

#: How the name of every index begins that only PostgreSQL has.
INDEX_PREFIX = "pgx_"
