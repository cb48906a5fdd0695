# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Harvests what people say: many workers at once, page by page, from where the last run ended.

A page of a feed is C({"items": [...], "next": "cursor" or null}), read from C(FEED_URL/platform?after=cursor). Its
posts and the note that it was read are written in one transaction, so that a run that is killed anywhere is gone on
with by the next one, and nothing is there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import Insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from packages.harvester.database import async_session_scope
from packages.harvester.models import Article, ProcessingLog, SocialPost
from packages.harvester.models.base import utc_now
from packages.harvester.models.enums import ArticlePlatform, SocialPlatform
from packages.harvester.retries import attempts

#: Every feed by its name, with the model that its items become and the platform that they bear.
FEEDS: dict[str, tuple[type[SocialPost] | type[Article], Any]] = {
    **{platform.value: (SocialPost, platform) for platform in SocialPlatform},
    **{platform.value: (Article, platform) for platform in ArticlePlatform},
}
STATUS = "harvested"
ATTEMPTS = 6


class FeedError(Exception):
    """A feed cannot be read, or is not what a feed should be."""


@dataclass
class Harvest:
    """What one run brought: items by feed, and pages."""

    items: dict[str, int] = field(default_factory=dict)
    pages: int = 0

    @property
    def total(self) -> int:
        """All items."""
        return sum(self.items.values())


async def harvest(
    engine: AsyncEngine,
    client: httpx.AsyncClient,
    names: Sequence[str],
    *,
    workers: int,
    limit: int,
    stopped: asyncio.Event | None = None,
) -> Harvest:
    """Read the feeds I(names) to their ends with I(workers) at a time; I(limit) items a page.

    Each worker takes a feed and writes page after page. When I(stopped) is set, each ends with the page that it is at.
    Raises FeedError for the first feed that fails, after the others
    have ended.
    """
    result = Harvest()
    waiting: asyncio.Queue[str] = asyncio.Queue()
    for name in names:
        waiting.put_nowait(name)

    async def work() -> None:
        while not waiting.empty():
            name = waiting.get_nowait()
            result.items.setdefault(name, 0)
            async for number in _read(engine, client, name, limit):
                result.items[name] += number
                result.pages += 1
                if stopped is not None and stopped.is_set():
                    return

    done = await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return result


async def _read(engine: AsyncEngine, client: httpx.AsyncClient, name: str, limit: int) -> AsyncIterator[int]:
    """The pages of one feed after the last that was read: how many items each had."""
    after = await position(engine, name)
    while True:
        begun = utc_now()
        page = await _page(client, name, after, limit)
        following = page["next"]
        if not page["items"] and following is None:
            return
        await _keep(engine, name, page, after, begun)
        yield len(page["items"])
        if following is None:
            return
        after = following


async def position(engine: AsyncEngine, name: str) -> str:
    """Where the last run ended; empty for the beginning."""

    async def work(session: AsyncSession) -> str:
        statement = (
            select(ProcessingLog.details)
            .where(ProcessingLog.url == _place(name), ProcessingLog.status == STATUS)
            .order_by(ProcessingLog.id.desc())
            .limit(1)
        )
        details = await session.scalar(statement)
        return str(details["next"] or details["last"]) if details else ""

    return str(await _transaction(engine, work))


async def _page(client: httpx.AsyncClient, name: str, after: str, limit: int) -> Mapping[str, Any]:
    try:
        answer = await client.get(f"/{name}", params={"after": after, "limit": limit})
        answer.raise_for_status()
        page: Mapping[str, Any] = answer.json()
        return {"items": list(page["items"]), "next": page["next"]}
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise FeedError(f"feed {name} after {after!r}: {type(error).__name__} {error}") from error


async def _keep(engine: AsyncEngine, name: str, page: Mapping[str, Any], after: str, begun: datetime) -> None:
    model, platform = FEEDS[name]
    last = str(page["items"][-1]["id"]) if page["items"] else after
    rows = [_row(model, platform, item) for item in page["items"]]

    async def work(session: AsyncSession) -> None:
        if rows:
            await session.execute(_upsert(session, model, rows))
        session.add(
            ProcessingLog(
                url=_place(name),
                status=STATUS,
                attempts=1,
                details={"after": after, "last": last, "next": page["next"], "items": len(rows)},
                succeeded=True,
                started_at=begun,
                finished_at=utc_now(),
                duration_seconds=(utc_now() - begun).total_seconds(),
            )
        )

    await _transaction(engine, work)


def _row(model: type[SocialPost] | type[Article], platform: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(str(item["published_at"]))
    published = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    common = {
        "platform": platform,
        "title": item.get("title"),
        "content": str(item["content"]).replace("\0", ""),
        "author": item.get("author"),
        "url": str(item["url"]),
        "published_at": published,
    }
    if model is Article:
        return {**common, "title": item.get("title") or "", "tags": list(item.get("hashtags") or [])}
    return {
        **common,
        "post_id": str(item["id"]),
        "hashtags": list(item.get("hashtags") or []),
        "mentions": list(item.get("mentions") or []),
        "engagement": dict(item.get("engagement") or {}),
        "score": int(item.get("score") or 0),
    }


def _upsert(
    session: AsyncSession, model: type[SocialPost] | type[Article], rows: Sequence[Mapping[str, Any]]
) -> Insert:
    """Insert I(rows), or bring those up to date whose url is there."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement: Any = dialect.insert(model).values([*rows])
    changing = [name for name in rows[0] if name not in ("url", "platform", "post_id")]
    found: Insert = statement.on_conflict_do_update(
        index_elements=["url"],
        set_={**{name: statement.excluded[name] for name in changing}, "updated_at": utc_now()},
    )
    return found


def _place(name: str) -> str:
    return f"feed:{name}"


async def _transaction(engine: AsyncEngine, work: Any) -> Any:
    """I(work) in a transaction; again where another writer, or the connection, was in the way."""
    async for attempt in attempts(ATTEMPTS):
        with attempt:
            async with async_session_scope(engine) as session:
                return await work(session)
    raise AssertionError("the last attempt returns or raises")
