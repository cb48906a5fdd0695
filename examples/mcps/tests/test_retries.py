# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried again, how often, and after how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from tenacity import RetryCallState

from packages.harvester.retries import attempts, sqlstate, transient

#: SQLSTATE -> whether the same again may go well.
CODES = {
    "08000": True,  # the connection
    "08006": True,
    "57P01": True,  # the server stops
    "57P03": True,  # it starts
    "53300": True,  # too many connections
    "40001": True,  # another writer
    "40P01": True,
    "57014": False,  # cancelled, for a reason
    "55000": False,  # of a statement; of a database that is closed below
    "53100": False,  # the disk is full
    "25006": False,  # it takes no writes
    "23505": False,
    "22003": False,
    "42P01": False,
}


def raising(code: str) -> Any:
    """A statement at which the server says I(code)."""
    return text(f"DO $$ BEGIN RAISE EXCEPTION 'for once' USING ERRCODE = '{code}'; END $$")


def by_psycopg2(url: URL, statement: Any) -> BaseException:
    engine = create_engine(url)
    try:
        with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
            connection.execute(statement)
    finally:
        engine.dispose()
    return caught.value


def by_asyncpg(url: URL, statement: Any) -> BaseException:
    async def run() -> None:
        engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
        try:
            async with engine.connect() as connection:
                await connection.execute(statement)
        finally:
            await engine.dispose()

    with pytest.raises(Exception) as caught:  # asyncpg's own while it connects, in some versions of SQLAlchemy
        asyncio.run(run())
    return caught.value


@pytest.mark.parametrize("driver", [by_psycopg2, by_asyncpg])
@pytest.mark.parametrize(("code", "again"), CODES.items())
def test_what_the_server_says(driver: Callable[[URL, Any], BaseException], code: str, again: bool, server: URL) -> None:
    error = driver(server, raising(code))
    assert (sqlstate(error), transient(error)) == (code, again)


def test_a_database_that_lets_nobody_in(postgres: str, run_sql: Callable[..., None]) -> None:
    url = make_url(postgres)
    run_sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
    error = by_asyncpg(url, text("SELECT 1"))
    assert (sqlstate(error), transient(error)) == ("55000", True)


SEVERAL = (
    "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 111] Connect call failed ('a', 1)"
)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionRefusedError(111, "refused"), True),
        (ConnectionResetError(104, "reset"), True),
        (OSError(SEVERAL), True),
        # Has been waited for long enough.
        (TimeoutError(), False),
        (PermissionError(13, "the socket's folder"), False),
        (ValueError("a value"), False),
        (KeyError("08006"), False),
    ],
)
def test_what_is_no_answer_of_a_server(error: BaseException, again: bool) -> None:
    assert transient(error) is again


@pytest.mark.parametrize("lost", [None, 1])
def test_as_often_as_it_is_told_and_after_growing_pauses(lost: int | None) -> None:
    """Where I(lost) attempts fail, the next one counts; the pauses are those that were made."""
    calls, pauses = [], []

    def noticed(state: RetryCallState) -> None:
        assert state.next_action is not None
        pauses.append(state.next_action.sleep)

    async def work() -> str:
        calls.append(asyncio.get_running_loop().time())
        if lost is None or len(calls) <= lost:
            raise ConnectionResetError(f"number {len(calls)}")
        return "done"

    async def run() -> str:
        async for attempt in attempts(4, noticed):
            with attempt:
                return await work()
        raise AssertionError

    if lost is None:
        # The last one, as it is.
        with pytest.raises(ConnectionResetError, match="number 4"):
            asyncio.run(run())
    else:
        assert asyncio.run(run()) == "done"
    assert len(calls) == (4 if lost is None else lost + 1)
    least = [0.1, 0.2, 0.4][: len(calls) - 1]
    assert len(pauses) == len(least)
    assert all(low <= pause <= low + 0.2 for low, pause in zip(least, pauses, strict=True))
    made = [after - before for before, after in zip(calls, calls[1:], strict=False)]
    assert all(pause - 0.01 <= waited for pause, waited in zip(pauses, made, strict=True))


def test_what_will_not_do_is_tried_once() -> None:
    calls = []

    async def run() -> None:
        async for attempt in attempts(4):
            with attempt:
                calls.append(1)
                raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        asyncio.run(run())
    assert calls == [1]


def test_pauses_differ_and_end_at_five_seconds() -> None:
    """So that clients that were lost together do not come back together."""
    retrying = attempts(100)

    def pause(number: int) -> float:
        state = RetryCallState(retrying, None, (), {})
        state.attempt_number = number
        return float(retrying.wait(state))

    first = [pause(1) for _ in range(200)]
    assert max(first) - min(first) > 0.1 and min(first) >= 0.1 and max(first) <= 0.3
    assert [pause(number) for number in (7, 20, 90)] == [5.0, 5.0, 5.0]
