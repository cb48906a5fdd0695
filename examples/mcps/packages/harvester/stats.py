# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database holds, in figures that are the same on SQLite and PostgreSQL for the same rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, String, cast, func, inspect, select, true, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from packages.harvester.models import Article, Base, Dependency, Discussion, Release, Server, SocialPost, Tool, Video

COUNTS = {
    "servers_by_host_type": Server.host_type,
    "servers_by_risk_level": Server.risk_level,
    "dependencies_by_type": Dependency.type,
    "posts_by_platform": SocialPost.platform,
    "posts_by_sentiment": SocialPost.sentiment,
    "articles_by_platform": Article.platform,
    "videos_by_platform": Video.platform,
}
SUMS = {
    "stars": Server.stars,
    "downloads": Server.downloads,
    "tool_calls": Tool.call_count,
    "release_downloads": Release.download_count,
    "video_views": Video.view_count,
}
FLAGS = {"verified_servers": Server.verified_source, "destructive_tools": Tool.is_destructive}
LATEST = {
    "server_indexed": Server.last_indexed_at,
    "release_published": Release.published_at,
    "post_published": SocialPost.published_at,
    "discussion_started": Discussion.started_at,
}
AVERAGES = {"server_quality": Server.quality_score, "post_relevance": SocialPost.relevance_score}


class SchemaMissing(Exception):
    """The database is there, but not the application's tables."""


def collect(engine: Engine) -> dict[str, dict[str, Any]]:
    """The figures, by section and name, read in one transaction so that they belong together.

    Averages are sums that are exact before they are rounded (math.fsum), so that the order of rows does not matter.
    Values that do not fit their column's type (SQLite takes them) do not make it fail. Raises SchemaMissing.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            connection.exec_driver_sql("BEGIN")
        missing = sorted(set(Base.metadata.tables) - set(inspect(connection).get_table_names()))
        if missing:
            raise SchemaMissing(f"the database has no table {', '.join(missing)}: run alembic upgrade head")
        rows = {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in sorted(Base.metadata.tables.items())
        }
        return {
            "rows": {**rows, "total": sum(count or 0 for count in rows.values())},
            **{name: _groups(connection, column) for name, column in COUNTS.items()},
            "sums": {name: _sum(connection, column) for name, column in SUMS.items()},
            "flags": {
                name: connection.scalar(select(func.count()).where(column == true())) for name, column in FLAGS.items()
            },
            "latest": {name: _latest(connection, column) for name, column in LATEST.items()},
            "averages": {name: _average(connection, column) for name, column in AVERAGES.items()},
        }


def as_text(figures: dict[str, dict[str, Any]]) -> str:
    """The figures as lines of text."""
    lines: list[str] = []
    for section, entries in figures.items():
        lines.append(section.replace("_", " "))
        lines += [f"  {name:<20} {'-' if value is None else value}" for name, value in entries.items()]
    return "\n".join(lines)


def _groups(connection: Connection, column: InstrumentedAttribute[Any]) -> dict[str, int]:
    label = cast(column, String)
    found = connection.execute(select(label, func.count()).group_by(label)).all()
    return dict(sorted((str(name) if name is not None else "(none)", count) for name, count in found))


def _sum(connection: Connection, column: InstrumentedAttribute[int]) -> int:
    """The sum of what fits four bytes: anything else is no value of the column, and could overflow the sum."""
    fitting = column.between(-(2**31), 2**31 - 1)
    return int(connection.scalar(select(func.sum(column).filter(fitting))) or 0)


def _latest(connection: Connection, column: InstrumentedAttribute[datetime]) -> str | None:
    raw: object
    if connection.dialect.name == "sqlite":
        raw = connection.scalar(select(type_coerce(func.max(column), String)))
        try:
            raw = datetime.fromisoformat(str(raw)) if raw is not None else None
        except ValueError:
            return str(raw)
    else:
        raw = connection.scalar(select(func.max(column)))
    return raw.isoformat(" ", "microseconds") if isinstance(raw, datetime) else None


def _average(connection: Connection, column: InstrumentedAttribute[float | None]) -> float | None:
    count = 0

    def values() -> Iterator[float]:
        nonlocal count
        found = connection.execution_options(yield_per=10_000).scalars(select(column).where(column.is_not(None)))
        for value in found:
            if isinstance(value, float):
                count += 1
                yield value

    total = math.fsum(values())
    return total / count if count else None
