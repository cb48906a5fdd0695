# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/posts: what people say."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import ColumnElement

from packages.api.database import DatabaseOf
from packages.api.routes.records import Kind, Limit, Offset, add_paths, page_of
from packages.api.schemas import Moment, Page, PostChange, PostIn, PostOut
from packages.harvester.models import SocialPost
from packages.harvester.models.enums import SentimentScore, SocialPlatform

KIND = Kind("post", SocialPost, PostOut, PostIn, PostChange)
router = APIRouter(prefix="/posts", tags=["posts"])


@router.get("", response_model=Page[PostOut])
async def list_posts(
    database: DatabaseOf,
    platform: SocialPlatform | None = None,
    sentiment: SentimentScore | None = None,
    since: Moment | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Any:
    """Posts by id, those alone that fit what is asked for."""
    conditions: list[ColumnElement[bool]] = []
    if platform is not None:
        conditions.append(SocialPost.platform == platform)
    if sentiment is not None:
        conditions.append(SocialPost.sentiment == sentiment)
    if since is not None:
        conditions.append(SocialPost.published_at >= since)
    return await page_of(database, KIND, conditions, limit, offset)


add_paths(router, KIND)
