# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What orchestrators and operators ask: is it alive, is it ready, how is its database."""

from __future__ import annotations

import time
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from packages.api.database import Database, DatabaseOf
from packages.harvester.retries import reason

#: Milliseconds from which an answer of the database's counts as slow, and the service as degraded.
SLOW = 1000.0

router = APIRouter(tags=["health"])
log = structlog.get_logger("packages.api.health")


@router.get("/liveness")
async def liveness() -> dict[str, str]:
    """The process answers. Nothing else is looked at, so that a database that is away restarts nobody."""
    return {"status": "alive"}


@router.get("/readiness")
async def readiness(request: Request, database: DatabaseOf, response: Response) -> dict[str, Any]:
    """Whether to send requests here: 503 while the database does not answer.

    Also 503 from the signal to stop until the port is closed, a moment later.
    """
    if request.app.state.stopping:
        response.status_code = 503
        return {"status": "stopping"}
    found = await look(database)
    response.status_code = 200 if found["healthy"] else 503
    return {"status": "ready" if found["healthy"] else "not ready", "database": found["healthy"]}


@router.get("/health/db")
async def health_of_database(database: DatabaseOf, response: Response) -> dict[str, Any]:
    """The database: which, how fast, and its pool."""
    found = await look(database)
    response.status_code = 200 if found["healthy"] else 503
    return {"database": found}


@router.get("/health")
async def health(request: Request, database: DatabaseOf) -> dict[str, Any]:
    """C(healthy), C(degraded) or C(unhealthy). The HTTP status is 200 all the same: read the body."""
    found = await look(database)
    degraded = found["latency_ms"] is not None and found["latency_ms"] > SLOW
    status = "unhealthy" if not found["healthy"] else "degraded" if degraded else "healthy"
    return {"status": status, "version": request.app.version, "database": found}


async def look(database: Database) -> dict[str, Any]:
    """One round trip, without a second try."""
    begun = time.perf_counter()
    found: dict[str, Any] = {"database_type": database.kind, "healthy": False, "latency_ms": None}
    try:
        async with AsyncSession(database.engine) as session:
            await session.execute(text("SELECT 1"))
        found.update(healthy=True, latency_ms=round((time.perf_counter() - begun) * 1000, 3))
    except Exception as error:  # whatever it is, it is what was asked for
        log.warning("the database does not answer", error=reason(error))
        found["error"] = type(error).__name__
    return {**found, "pool": database.pool()}
