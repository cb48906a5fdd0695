# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines and sessions for the database that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, QueuePool

from packages.harvester.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession


class DatabaseMissing(Exception):
    """The SQLite file that the settings name is not there."""


def sync_engine(settings: Settings, *, create: bool = False) -> Engine:
    """An engine through sqlite3 or psycopg2.

    A SQLite file that is missing is made only when I(create) is true (migrations do that), and put in WAL mode then;
    otherwise DatabaseMissing is raised.
    """
    url = settings.sync_url
    if url.get_backend_name() == "postgresql":
        return create_engine(url, poolclass=QueuePool, **_pool_options(settings))
    if create:
        path = settings.sqlite_path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    else:
        url = _existing(settings, url)
    engine = create_engine(url, poolclass=NullPool, echo=settings.db_echo)
    if create:
        event.listen(engine, "connect", _write_ahead)
    else:
        event.listen(engine, "connect", _enforce_foreign_keys)
    return engine


def async_engine(settings: Settings) -> AsyncEngine:
    """An engine through aiosqlite or asyncpg. Raises DatabaseMissing when the SQLite file is not there."""
    from sqlalchemy.ext.asyncio import create_async_engine

    url = settings.async_url
    if url.get_backend_name() == "postgresql":
        options = _pool_options(settings)
        if settings.db_pooler:
            options["connect_args"] = _through_pooler()
        return create_async_engine(url, poolclass=AsyncAdaptedQueuePool, **options)
    engine = create_async_engine(
        _existing(settings, url), poolclass=AsyncAdaptedQueuePool, pool_size=5, echo=settings.db_echo
    )
    event.listen(engine.sync_engine, "connect", _enforce_foreign_keys)
    return engine


@contextmanager
def session_scope(engine: Engine) -> Iterator[Session]:
    """A session that is committed at the end, or rolled back when the block raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@asynccontextmanager
async def async_session_scope(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """An asynchronous session that is committed at the end, or rolled back when the block raises."""
    from sqlalchemy.ext.asyncio import AsyncSession

    async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
        yield session


def _pool_options(settings: Settings) -> dict[str, Any]:
    return {
        "pool_size": settings.db_pool_size,
        "max_overflow": settings.db_max_overflow,
        "pool_timeout": settings.db_pool_timeout,
        "pool_pre_ping": settings.db_pool_pre_ping,
        "pool_recycle": settings.db_pool_recycle,
        "echo": settings.db_echo,
    }


def _through_pooler() -> dict[str, Any]:
    """For asyncpg behind a pooler that lends a server's connection for one transaction at a time.

    A statement that was prepared on one connection is not there on the next: none are kept, and none has a name, by
    which it would stay in the server. A pooler that follows prepared statements itself (PgBouncer 1.21,
    max_prepared_statements) does not need this.
    """
    return {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,
    }


def _existing(settings: Settings, url: URL) -> URL:
    """I(url) in SQLite's own URI form with mode=rw, in which SQLite never makes a file."""
    path = settings.sqlite_path
    if path is None:
        return url
    if not path.is_file():
        raise DatabaseMissing(f"there is no SQLite database at {path}")
    return url.set(
        database=f"file:{quote(str(path.absolute()))}",
        query={**url.query, "mode": "rw", "uri": "true"},
    )


def _enforce_foreign_keys(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
