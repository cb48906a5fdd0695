# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people say about servers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from packages.harvester.models.base import (
    Base,
    Json,
    LongText,
    OptionalJson,
    PrimaryKey,
    PublicId,
    Stamped,
    Strings,
)
from packages.harvester.models.enums import (
    ArticlePlatform,
    ContentCategory,
    SentimentScore,
    SocialPlatform,
    VideoPlatform,
)


class SocialPost(Stamped, Base):
    """One post on a social platform."""

    __tablename__ = "social_posts"
    __table_args__ = (
        Index(None, "platform", "post_id"),
        Index(None, "platform", "published_at"),
    )

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    platform: Mapped[SocialPlatform] = mapped_column(index=True)
    post_id: Mapped[str] = mapped_column(index=True)
    title: Mapped[str | None]
    content: Mapped[LongText]
    author: Mapped[str | None] = mapped_column(index=True)
    url: Mapped[str] = mapped_column(unique=True)
    category: Mapped[ContentCategory | None] = mapped_column(index=True)
    sentiment: Mapped[SentimentScore | None] = mapped_column(index=True)
    hashtags: Mapped[Strings | None]
    mentions: Mapped[Json]
    media_urls: Mapped[OptionalJson]
    engagement: Mapped[Json]
    like_count: Mapped[int] = mapped_column(default=0)
    comment_count: Mapped[int] = mapped_column(default=0)
    score: Mapped[int] = mapped_column(default=0, index=True)
    relevance_score: Mapped[float | None] = mapped_column(index=True)
    is_reply: Mapped[bool] = mapped_column(default=False)
    is_verified_author: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime] = mapped_column(index=True)


class Video(Stamped, Base):
    """One video."""

    __tablename__ = "videos"
    __table_args__ = (Index(None, "platform", "published_at"),)

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    platform: Mapped[VideoPlatform] = mapped_column(index=True)
    video_id: Mapped[str] = mapped_column(index=True)
    title: Mapped[str] = mapped_column(index=True)
    channel: Mapped[str | None] = mapped_column(index=True)
    description: Mapped[LongText | None]
    category: Mapped[ContentCategory | None] = mapped_column(index=True)
    tags: Mapped[Json]
    chapters: Mapped[OptionalJson]
    view_count: Mapped[int] = mapped_column(default=0, index=True)
    duration_seconds: Mapped[int | None]
    has_captions: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime] = mapped_column(index=True)


class Article(Stamped, Base):
    """One article."""

    __tablename__ = "articles"
    __table_args__ = (Index(None, "platform", "published_at"),)

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    platform: Mapped[ArticlePlatform] = mapped_column(index=True)
    title: Mapped[str] = mapped_column(index=True)
    author: Mapped[str | None] = mapped_column(index=True)
    url: Mapped[str] = mapped_column(unique=True)
    summary: Mapped[LongText | None]
    content: Mapped[LongText | None]
    category: Mapped[ContentCategory | None] = mapped_column(index=True)
    tags: Mapped[Json]
    links: Mapped[OptionalJson]
    reading_minutes: Mapped[int | None] = mapped_column(index=True)
    is_paywalled: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime] = mapped_column(index=True)


class Discussion(Stamped, Base):
    """One thread in a forum."""

    __tablename__ = "discussions"

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    platform: Mapped[SocialPlatform] = mapped_column(index=True)
    title: Mapped[str] = mapped_column(index=True)
    url: Mapped[str] = mapped_column(unique=True)
    body: Mapped[LongText | None]
    category: Mapped[ContentCategory | None] = mapped_column(index=True)
    tags: Mapped[Json]
    participants: Mapped[OptionalJson]
    reply_count: Mapped[int] = mapped_column(default=0, index=True)
    is_answered: Mapped[bool] = mapped_column(default=False, index=True)
    started_at: Mapped[datetime] = mapped_column(index=True)


class Event(Stamped, Base):
    """One meeting or conference."""

    __tablename__ = "events"

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    name: Mapped[str] = mapped_column(index=True)
    url: Mapped[str | None]
    location: Mapped[str | None] = mapped_column(index=True)
    description: Mapped[LongText | None]
    speakers: Mapped[Json]
    is_virtual: Mapped[bool] = mapped_column(default=False, index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None]


class Company(Stamped, Base):
    """One company that builds on MCP."""

    __tablename__ = "companies"

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    name: Mapped[str] = mapped_column(index=True)
    website: Mapped[str] = mapped_column(unique=True)
    description: Mapped[LongText | None]
    employee_count: Mapped[int | None] = mapped_column(index=True)
    products: Mapped[Json]
