# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and what belongs to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from packages.harvester.models.base import (
    Base,
    Created,
    Json,
    LongText,
    OptionalJson,
    PrimaryKey,
    PublicId,
    Stamped,
    Strings,
    utc_now,
)
from packages.harvester.models.enums import DependencyType, HostType, RiskLevel


class Server(Stamped, Base):
    """One MCP server that a harvester found."""

    __tablename__ = "server"
    __table_args__ = (
        Index(None, "host_type", "stars"),
        Index(None, "verified_source", "health_score"),
    )

    id: Mapped[PrimaryKey]
    uuid: Mapped[PublicId]
    name: Mapped[str] = mapped_column(index=True)
    primary_url: Mapped[str] = mapped_column(unique=True)
    host_type: Mapped[HostType] = mapped_column(index=True)
    description: Mapped[LongText | None]
    author_name: Mapped[str | None] = mapped_column(index=True)
    homepage: Mapped[str | None]
    license: Mapped[str | None] = mapped_column(index=True)
    readme_content: Mapped[LongText | None]
    keywords: Mapped[Json]
    categories: Mapped[Json]
    topics: Mapped[Strings | None]
    metrics: Mapped[OptionalJson]
    extra: Mapped[OptionalJson]
    stars: Mapped[int] = mapped_column(default=0, index=True)
    downloads: Mapped[int] = mapped_column(default=0, index=True)
    forks: Mapped[int] = mapped_column(default=0)
    open_issues: Mapped[int] = mapped_column(default=0)
    verified_source: Mapped[bool] = mapped_column(default=False)
    is_archived: Mapped[bool] = mapped_column(default=False, index=True)
    is_fork: Mapped[bool] = mapped_column(default=False)
    health_score: Mapped[int] = mapped_column(default=0, index=True)
    quality_score: Mapped[float | None] = mapped_column(index=True)
    last_pushed_at: Mapped[datetime | None]
    last_indexed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    risk_level: Mapped[RiskLevel | None] = mapped_column(index=True, sort_order=95)

    tools: Mapped[list[Tool]] = relationship(back_populates="server", cascade="all, delete-orphan")


class Tool(Stamped, Base):
    """One tool that a server offers."""

    __tablename__ = "tool"
    __table_args__ = (Index(None, "server_id", "name"),)

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    name: Mapped[str] = mapped_column(index=True)
    description: Mapped[LongText | None]
    input_schema: Mapped[Json]
    output_schema: Mapped[OptionalJson]
    annotations: Mapped[OptionalJson]
    call_count: Mapped[int] = mapped_column(default=0, index=True)
    is_read_only: Mapped[bool] = mapped_column(default=False)
    is_destructive: Mapped[bool] = mapped_column(default=False, index=True)

    server: Mapped[Server] = relationship(back_populates="tools")
    embedding: Mapped[ToolEmbedding | None] = relationship(back_populates="tool", cascade="all, delete-orphan")


class ToolEmbedding(Created, Base):
    """The vector of a tool's description, as a JSON array of numbers."""

    __tablename__ = "toolembedding"

    id: Mapped[PrimaryKey]
    tool_id: Mapped[int] = mapped_column(ForeignKey("tool.id"), unique=True)
    embedding: Mapped[Json]
    model_name: Mapped[str] = mapped_column(index=True)
    dimensions: Mapped[int] = mapped_column(index=True)

    tool: Mapped[Tool] = relationship(back_populates="embedding")


class Prompt(Stamped, Base):
    """One prompt that a server offers."""

    __tablename__ = "prompt"

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    name: Mapped[str] = mapped_column(index=True)
    description: Mapped[LongText | None]
    arguments: Mapped[Json]
    is_active: Mapped[bool] = mapped_column(default=True, index=True)


class ResourceTemplate(Stamped, Base):
    """One resource template that a server offers."""

    __tablename__ = "resourcetemplate"

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    uri_template: Mapped[str] = mapped_column(index=True)
    name: Mapped[str | None] = mapped_column(index=True)
    mime_type: Mapped[str | None] = mapped_column(index=True)
    description: Mapped[LongText | None]
    annotations: Mapped[OptionalJson]
    is_dynamic: Mapped[bool] = mapped_column(default=False)


class Dependency(Stamped, Base):
    """One library that a server needs."""

    __tablename__ = "dependency"
    __table_args__ = (Index(None, "ecosystem", "library_name"),)

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    library_name: Mapped[str] = mapped_column(index=True)
    version_constraint: Mapped[str | None]
    ecosystem: Mapped[str] = mapped_column(index=True)
    type: Mapped[DependencyType] = mapped_column(index=True)
    is_optional: Mapped[bool] = mapped_column(default=False)
    extras: Mapped[Json]


class Release(Stamped, Base):
    """One release of a server."""

    __tablename__ = "release"
    __table_args__ = (Index(None, "server_id", "published_at"),)

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    version: Mapped[str] = mapped_column(index=True)
    changelog: Mapped[LongText | None]
    published_at: Mapped[datetime] = mapped_column(index=True)
    is_prerelease: Mapped[bool] = mapped_column(default=False)
    download_count: Mapped[int] = mapped_column(default=0)
    assets: Mapped[OptionalJson]


class Contributor(Stamped, Base):
    """One person or bot that wrote a server."""

    __tablename__ = "contributor"

    id: Mapped[PrimaryKey]
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id"), index=True)
    username: Mapped[str] = mapped_column(index=True)
    platform: Mapped[str] = mapped_column(index=True)
    commits: Mapped[int] = mapped_column(default=0, index=True)
    share: Mapped[float | None]
    is_bot: Mapped[bool] = mapped_column(default=False)
    profile: Mapped[OptionalJson]


class ProcessingLog(Created, Base):
    """One run of a harvester over one address."""

    __tablename__ = "processinglog"
    __table_args__ = (Index(None, "status", "started_at"),)

    id: Mapped[PrimaryKey]
    url: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    duration_seconds: Mapped[float | None]
    error_message: Mapped[LongText | None]
    details: Mapped[Json]
    metrics: Mapped[OptionalJson]
    succeeded: Mapped[bool] = mapped_column(default=False, index=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
