# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/search: words in servers and posts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from packages.api import search
from packages.api.database import Database, DatabaseOf
from packages.api.routes.records import Limit, Offset
from packages.api.schemas import Page, PostOut, ServerOut, Text
from packages.harvester.models import Server, SocialPost

router = APIRouter(prefix="/search", tags=["search"])
Words = Annotated[Text, Query(min_length=1, max_length=200)]


@router.get("/servers", response_model=Page[ServerOut])
async def search_servers(database: DatabaseOf, q: Words, limit: Limit = 20, offset: Offset = 0) -> Any:
    """Servers that hold the words."""
    return await _found(database, Server, ServerOut, q, limit, offset)


@router.get("/posts", response_model=Page[PostOut])
async def search_posts(database: DatabaseOf, q: Words, limit: Limit = 20, offset: Offset = 0) -> Any:
    """Posts that hold the words."""
    return await _found(database, SocialPost, PostOut, q, limit, offset)


async def _found(
    database: Database, model: type[Any], out: type[BaseModel], words: str, limit: int, offset: int
) -> dict[str, Any]:
    async def work(session: AsyncSession) -> dict[str, Any]:
        items, total = await search.by_words(session, model, words, limit, offset)
        found = [out.model_validate(item) for item in items]
        return {"items": found, "total": total, "limit": limit, "offset": offset}

    return await database.run(work)
