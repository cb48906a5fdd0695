# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL can do and SQLite cannot. On SQLite this revision does nothing.

json becomes jsonb, the two lists of strings become text[], generated columns serve full-text and vector search, and
GIN, trigram, HNSW and BRIN indexes serve the queries. The application writes as before: generated columns are not in
its models.

The extensions vector and pg_trgm are created when they are missing. Creating vector takes a superuser; when the role
that migrates is none, a superuser runs C(CREATE EXTENSION vector) in this database first, which is all it takes: an
extension that is there already needs no privilege. The downgrade leaves both extensions where they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

EXTENSIONS = ("vector", "pg_trgm")

#: Every JSON column, by table.
DOCUMENTS = {
    "server": ("keywords", "categories", "metrics", "extra"),
    "tool": ("input_schema", "output_schema", "annotations"),
    "toolembedding": ("embedding",),
    "prompt": ("arguments",),
    "resourcetemplate": ("annotations",),
    "dependency": ("extras",),
    "release": ("assets",),
    "contributor": ("profile",),
    "processinglog": ("details", "metrics"),
    "social_posts": ("mentions", "media_urls", "engagement"),
    "videos": ("tags", "chapters"),
    "articles": ("tags", "links"),
    "discussions": ("tags", "participants"),
    "events": ("speakers",),
    "companies": ("products",),
}

#: JSON columns that hold a list of strings, by table.
LISTS = {"server": ("topics",), "social_posts": ("hashtags",)}

#: Weighted sources of the generated column search_vector, by table.
SEARCH = {
    "server": {"name": "A", "description": "B", "readme_content": "C"},
    "social_posts": {"title": "A", "content": "B"},
    "articles": {"title": "A", "summary": "B", "content": "C"},
}

#: Length of the vectors that are searched; an embedding of another length has no vector.
DIMENSIONS = 384

#: The embedding as a vector, or NULL where it is not DIMENSIONS numbers that fit float4. The cases are nested, since
#: SQL may evaluate the operands of AND in any order.
VECTOR = f"""
CASE WHEN jsonb_typeof(embedding) = 'array' THEN
  CASE WHEN jsonb_array_length(embedding) = {DIMENSIONS} THEN
    CASE WHEN NOT jsonb_path_exists(embedding, 'strict $[*] ? (@.type() != "number" || @.abs() > 3.4e38)')
    THEN embedding::text::vector({DIMENSIONS}) END
  END
END
"""

#: Indexes that only PostgreSQL has: name, table, method and columns.
INDEXES = (
    ("pgx_server_keywords", "server", "gin (keywords jsonb_path_ops)"),
    ("pgx_server_categories", "server", "gin (categories jsonb_path_ops)"),
    ("pgx_server_topics", "server", "gin (topics)"),
    ("pgx_server_search_vector", "server", "gin (search_vector)"),
    ("pgx_server_name_trgm", "server", "gin (name gin_trgm_ops)"),
    ("pgx_tool_input_schema", "tool", "gin (input_schema jsonb_path_ops)"),
    ("pgx_toolembedding_embedding_vector", "toolembedding", "hnsw (embedding_vector vector_cosine_ops)"),
    ("pgx_processinglog_created_at", "processinglog", "brin (created_at)"),
    ("pgx_social_posts_hashtags", "social_posts", "gin (hashtags)"),
    ("pgx_social_posts_search_vector", "social_posts", "gin (search_vector)"),
    ("pgx_videos_tags", "videos", "gin (tags jsonb_path_ops)"),
    ("pgx_articles_tags", "articles", "gin (tags jsonb_path_ops)"),
    ("pgx_articles_search_vector", "articles", "gin (search_vector)"),
    ("pgx_discussions_tags", "discussions", "gin (tags jsonb_path_ops)"),
)


def upgrade() -> None:
    """Turn the columns, add the generated ones and the indexes."""
    if op.get_context().dialect.name != "postgresql":
        return
    for extension in EXTENSIONS:
        ensure_extension(extension)
    # A subquery may not stand in USING, a function that holds one may.
    op.execute(
        "CREATE FUNCTION mcps_json_texts(document json) RETURNS text[] LANGUAGE sql IMMUTABLE AS "
        "$$ SELECT CASE WHEN json_typeof(document) <> 'null' THEN "
        "ARRAY(SELECT item FROM json_array_elements_text(document) WITH ORDINALITY AS items (item, place) "
        "ORDER BY place) END $$"
    )
    for table, columns in DOCUMENTS.items():
        changes = [f"ALTER COLUMN {name} TYPE jsonb USING {name}::jsonb" for name in columns]
        changes += [f"ALTER COLUMN {name} TYPE text[] USING mcps_json_texts({name})" for name in LISTS.get(table, ())]
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
    op.execute("DROP FUNCTION mcps_json_texts(json)")
    for table, sources in SEARCH.items():
        document = " || ".join(
            f"setweight(to_tsvector('english', coalesce({name}, '')), '{weight}')" for name, weight in sources.items()
        )
        op.execute(f"ALTER TABLE {table} ADD COLUMN search_vector tsvector GENERATED ALWAYS AS ({document}) STORED")
    op.execute(
        f"ALTER TABLE toolembedding ADD COLUMN embedding_vector vector({DIMENSIONS}) "
        f"GENERATED ALWAYS AS ({VECTOR}) STORED"
    )
    for name, table, definition in INDEXES:
        op.execute(f"CREATE INDEX {name} ON {table} USING {definition}")


def downgrade() -> None:
    """Drop what was added and turn the columns back. The extensions stay."""
    if op.get_context().dialect.name != "postgresql":
        return
    for name, _table, _definition in INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE toolembedding DROP COLUMN embedding_vector")
    for table in SEARCH:
        op.execute(f"ALTER TABLE {table} DROP COLUMN search_vector")
    for table, columns in DOCUMENTS.items():
        changes = [f"ALTER COLUMN {name} TYPE json USING {name}::json" for name in columns]
        changes += [f"ALTER COLUMN {name} TYPE json USING array_to_json({name})" for name in LISTS.get(table, ())]
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")


def ensure_extension(name: str) -> None:
    """Create the extension I(name) unless it is there. Raises RuntimeError, which says what to do, when that fails."""
    statement = f"CREATE EXTENSION IF NOT EXISTS {name}"
    if context.is_offline_mode():
        op.execute(statement)
        return
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT true FROM pg_extension WHERE extname = :name"), {"name": name}):
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        role, database = connection.execute(sa.text("SELECT current_user, current_database()")).one()
        raise RuntimeError(
            f'the extension "{name}" is not in the database "{database}" and the role "{role}" could not create it '
            f"({str(error.orig).splitlines()[0]}). Have its package installed on the server if it is not, let a "
            f'superuser run CREATE EXTENSION {name} in "{database}", then run the migration again.'
        ) from error
