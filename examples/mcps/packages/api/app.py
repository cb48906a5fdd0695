# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application: its paths, its life, and what happens around each request."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from asyncpg import PostgresError
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from packages.api.database import Database
from packages.api.metrics import Metrics
from packages.api.routes import health, posts, searching, servers, tools
from packages.harvester.retries import reason, sqlstate, transient
from packages.harvester.settings import Settings, load_settings

VERSION = "1.0.0"
#: SQLSTATE of a server that takes no writes (a standby, or fenced), and the class of values that do not fit.
READ_ONLY, DATA_EXCEPTION = "25006", "22"
log = structlog.get_logger("packages.api.requests")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application for I(settings), or for those of this process."""
    settings = settings or load_settings()
    database = Database(settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        log.info("started", database=database.kind, url=settings.url.render_as_string(hide_password=True))
        yield
        app.state.stopping = True
        # Uvicorn has cancelled requests that took too long, and ends the process without waiting for their answers.
        given_up = [task for task in asyncio.all_tasks() if task.cancelling()]
        if given_up:
            await asyncio.wait(given_up, timeout=1)
        await database.close()
        log.info("stopped")

    app = FastAPI(title="MCPS", version=VERSION, lifespan=life)
    app.state.database = database
    app.state.metrics = Metrics(database)
    app.state.stopping = False
    app.middleware("http")(_around)
    # While it connects, asyncpg's errors come as they are.
    for kind in (SQLAlchemyError, PostgresError, OSError):
        app.add_exception_handler(kind, _refused)
    for part in (servers, tools, posts, searching, health):
        app.include_router(part.router)
    app.add_api_route("/metrics", _metrics, methods=["GET"], include_in_schema=False)
    return app


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _around(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Log and count I(request). Its id comes from the proxy, if that gives one."""
    begun = time.perf_counter()
    identity = request.headers.get("x-request-id") or uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(request=identity)
    status = 500
    try:
        response = await call(request)
        status = response.status_code
        response.headers["x-request-id"] = identity
        return response
    finally:
        seconds = time.perf_counter() - begun
        pattern = getattr(request.scope.get("route"), "path", "unknown")
        request.app.state.metrics.answered(request.method, pattern, status, seconds)
        log.info("request", method=request.method, path=request.url.path, status=status, ms=round(seconds * 1000, 1))
        structlog.contextvars.unbind_contextvars("request")


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """What the database would not do, without its words, which may hold values."""
    code = sqlstate(error)
    if transient(error) or isinstance(error, (OSError, PoolTimeout)):
        log.error("the database is away", error=reason(error), sqlstate=code)
        return JSONResponse({"detail": "the database is away"}, 503, headers={"retry-after": "1"})
    log.error("the database refused", error=reason(error), sqlstate=code)
    if code == READ_ONLY:
        return JSONResponse({"detail": "the database takes no writes now"}, 503, headers={"retry-after": "5"})
    if code[:2] == DATA_EXCEPTION:
        return JSONResponse({"detail": "a value does not fit"}, 422)
    return JSONResponse({"detail": "the database refused"}, 500)
