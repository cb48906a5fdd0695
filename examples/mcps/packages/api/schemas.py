# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes in and comes out, as documents."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from packages.harvester.models.enums import ContentCategory, HostType, RiskLevel, SentimentScore, SocialPlatform

Item = TypeVar("Item")


def _naive(moment: datetime) -> datetime:
    """In UTC without a time zone, as every datetime column holds it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    return text


Moment = Annotated[datetime, AfterValidator(_naive)]
Text = Annotated[str, AfterValidator(_without_nul)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Page(BaseModel, Generic[Item]):
    """A part of a list. I(total) counts all of it."""

    items: list[Item]
    total: int
    limit: int
    offset: int


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ServerIn(BaseModel):
    """A server as a client writes it."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    primary_url: Annotated[Text, Field(min_length=1, max_length=2000)]
    host_type: HostType
    description: Text | None = None
    author_name: Text | None = None
    license: Text | None = None
    keywords: list[Text] = []
    categories: list[Text] = []
    topics: list[Text] | None = None
    stars: Count = 0
    verified_source: bool = False
    health_score: Count = 0
    risk_level: RiskLevel | None = None


class ServerChange(BaseModel):
    """What is to be different. Fields that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    description: Text | None = None
    author_name: Text | None = None
    license: Text | None = None
    keywords: list[Text] | None = None
    categories: list[Text] | None = None
    topics: list[Text] | None = None
    stars: Count | None = None
    verified_source: bool | None = None
    health_score: Count | None = None
    risk_level: RiskLevel | None = None


class ServerOut(_Out):
    """A server as it is read."""

    id: int
    uuid: uuid.UUID
    name: str
    primary_url: str
    host_type: HostType
    description: str | None
    author_name: str | None
    license: str | None
    keywords: Any
    categories: Any
    topics: list[str | None] | None
    stars: int
    verified_source: bool
    health_score: int
    risk_level: RiskLevel | None
    created_at: datetime
    updated_at: datetime


class ToolIn(BaseModel):
    """A tool as a client writes it."""

    server_id: int
    name: Annotated[Text, Field(min_length=1, max_length=200)]
    description: Text | None = None
    input_schema: dict[str, Any] = {}
    is_read_only: bool = False
    is_destructive: bool = False


class ToolChange(BaseModel):
    """What is to be different. Fields that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    description: Text | None = None
    input_schema: dict[str, Any] | None = None
    is_read_only: bool | None = None
    is_destructive: bool | None = None


class ToolOut(_Out):
    """A tool as it is read."""

    id: int
    server_id: int
    name: str
    description: str | None
    input_schema: Any
    call_count: int
    is_read_only: bool
    is_destructive: bool


class SimilarTool(BaseModel):
    """A tool, and how far its vector is (cosine distance, 0 to 2)."""

    tool: ToolOut
    distance: float


class PostIn(BaseModel):
    """A post as a client writes it."""

    platform: SocialPlatform
    post_id: Annotated[Text, Field(min_length=1, max_length=200)]
    title: Text | None = None
    content: Text
    author: Text | None = None
    url: Annotated[Text, Field(min_length=1, max_length=2000)]
    category: ContentCategory | None = None
    sentiment: SentimentScore | None = None
    hashtags: list[Text] | None = None
    mentions: list[Text] = []
    engagement: dict[str, Any] = {}
    score: Count = 0
    published_at: Moment


class PostChange(BaseModel):
    """What is to be different. Fields that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    title: Text | None = None
    content: Text | None = None
    category: ContentCategory | None = None
    sentiment: SentimentScore | None = None
    hashtags: list[Text] | None = None
    score: Count | None = None


class PostOut(_Out):
    """A post as it is read."""

    id: int
    uuid: uuid.UUID
    platform: SocialPlatform
    post_id: str
    title: str | None
    content: str
    author: str | None
    url: str
    category: ContentCategory | None
    sentiment: SentimentScore | None
    hashtags: list[str | None] | None
    score: int
    published_at: datetime
