# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Search by words and by vectors, as either database does it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from packages.harvester.models import Server, SocialPost, Tool

#: The columns that are searched for words, by model.
WORDS: dict[type[Any], tuple[Any, ...]] = {
    Server: (Server.name, Server.description, Server.readme_content),
    SocialPost: (SocialPost.title, SocialPost.content),
}


async def by_words(
    session: AsyncSession, model: type[Any], words: str, limit: int, offset: int
) -> tuple[list[Any], int]:
    """Records that hold all of I(words), and how many there are: the best first on PostgreSQL, by id on SQLite.

    PostgreSQL looks for words in any of their forms (its configuration C(english)), SQLite for the letters anywhere.
    """
    if session.get_bind().dialect.name == "postgresql":
        query = func.websearch_to_tsquery("english", words)
        # A generated column of PostgreSQL's, which the models do not have.
        vector: ColumnElement[Any] = literal_column(f"{model.__tablename__}.search_vector")
        condition: ColumnElement[bool] = vector.op("@@")(query)
        order: list[Any] = [func.ts_rank(vector, query).desc(), model.id]
    else:
        condition = and_(*(_somewhere(model, word) for word in words.split()))
        order = [model.id]
    total = await session.scalar(select(func.count()).select_from(model).where(condition))
    statement = select(model).where(condition).order_by(*order).limit(limit).offset(offset)
    return list((await session.scalars(statement)).all()), total or 0


def _somewhere(model: type[Any], word: str) -> ColumnElement[bool]:
    return or_(*(column.icontains(word, autoescape=True) for column in WORDS[model]))


async def similar(session: AsyncSession, tool: int, limit: int) -> list[tuple[Tool, float]]:
    """Tools and their cosine distance to I(tool), which is not among them. Empty where it has no vector."""
    statement = _NEAREST[session.get_bind().dialect.name]
    rows = (await session.execute(text(statement), {"tool": tool, "limit": limit})).all()
    tools = {
        each.id: each
        for each in (await session.scalars(select(Tool).where(Tool.id.in_([row[0] for row in rows])))).all()
    }
    return [(tools[key], float(distance)) for key, distance in rows if key in tools]


_NEAREST = {
    # In this order of words the HNSW index serves the query.
    "postgresql": """
        SELECT other.tool_id, other.embedding_vector <=> own.embedding_vector AS distance
          FROM toolembedding AS other,
               (SELECT embedding_vector FROM toolembedding
                 WHERE tool_id = :tool AND embedding_vector IS NOT NULL) AS own
         WHERE other.tool_id <> :tool AND other.embedding_vector IS NOT NULL
         ORDER BY other.embedding_vector <=> own.embedding_vector
         LIMIT :limit
    """,
    "sqlite": """
        SELECT other.tool_id, vec_distance_cosine(vec_f32(other.embedding), vec_f32(own.embedding)) AS distance
          FROM toolembedding AS own
          JOIN toolembedding AS other ON other.tool_id <> own.tool_id AND other.dimensions = own.dimensions
         WHERE own.tool_id = :tool
         ORDER BY distance, other.tool_id
         LIMIT :limit
    """,
}
