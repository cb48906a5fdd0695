# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request has of the database: a session of its own, tried again where the connection was at fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, cast

import structlog
from fastapi import Depends, Request
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from tenacity import RetryCallState

from packages.api import vectors
from packages.harvester.database import async_engine, async_session_scope
from packages.harvester.retries import attempts, reason
from packages.harvester.settings import Settings

Result = TypeVar("Result")
Work = Callable[[AsyncSession], Awaitable[Result]]

log = structlog.get_logger("packages.api.database")


class Database:
    """The engine of one process, and how work is done with it."""

    def __init__(self, settings: Settings) -> None:
        """Make the engine. Nothing is connected yet."""
        self.settings = settings
        self.engine: AsyncEngine = async_engine(settings)
        self.retries = 0
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine.sync_engine, "connect", vectors.provide)

    @property
    def kind(self) -> str:
        """C(sqlite) or C(postgresql)."""
        return self.engine.dialect.name

    async def run(self, work: Work[Result]) -> Result:
        """Do I(work) in a transaction, which is committed at its end and rolled back when it raises.

        A lost connection, or a server that is starting, is tried again with growing pauses, in a new transaction. After
        DB_RETRIES of them, or at any other error, it is raised.
        """
        async for attempt in attempts(self.settings.db_retries + 1, self._noticed):
            with attempt:
                async with async_session_scope(self.engine) as session:
                    return await work(session)
        raise AssertionError("the last attempt returns or raises")

    def _noticed(self, state: RetryCallState) -> None:
        self.retries += 1
        error = state.outcome.exception() if state.outcome else None
        log.warning("trying again", attempt=state.attempt_number, error=reason(error) if error else "")

    def pool(self) -> dict[str, int]:
        """The pool's figures."""
        pool = cast(Any, self.engine.pool)
        return {
            "size": pool.size(),
            "checked_out": pool.checkedout(),
            "idle": pool.checkedin(),
            "overflow": max(0, pool.overflow()),
        }

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def database_of(request: Request) -> Database:
    """The application's own."""
    return cast(Database, request.app.state.database)


DatabaseOf = Annotated[Database, Depends(database_of)]
