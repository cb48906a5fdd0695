# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which errors of a database pass by themselves, and how long to wait for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

#: Classes of SQLSTATE: connection lost; server starting or stopping.
CLASSES = ("08", "57")
#: Too many connections; serialization failure; deadlock.
CODES = ("53300", "40001", "40P01")
#: A statement that was cancelled is in class 57, and was cancelled for a reason.
CANCELLED = "57014"
#: Who connects is told by it that the database lets nobody in for now (ALLOW_CONNECTIONS); a statement, something else.
CLOSED = "55000"


def transient(error: BaseException) -> bool:
    """Whether I(error) is the connection's, or another writer's, and not the statement's."""
    if isinstance(error, ConnectionError) or _of_several_addresses(error):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    code = sqlstate(error)
    if code == CLOSED:
        return getattr(error, "statement", None) is None
    if code:
        return code != CANCELLED and (code[:2] in CLASSES or code in CODES)
    text = reason(error).lower()
    return isinstance(error, DBAPIError) and ("database is locked" in text or "connection is closed" in text)


def _of_several_addresses(error: BaseException) -> bool:
    """Where a name has several (localhost), asyncio tells of all that refused in one error that has no number."""
    return type(error) is OSError and error.errno is None


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code, or nothing."""
    for each in (getattr(error, "orig", None), error):
        code = getattr(each, "sqlstate", None) or getattr(each, "pgcode", None)
        if code:
            return str(code)
    return ""


def reason(error: BaseException) -> str:
    """What the driver said."""
    return str(getattr(error, "orig", None) or error)


def attempts(number: int, noticed: Callable[[RetryCallState], Any] | None = None) -> AsyncRetrying:
    """Up to I(number) attempts with growing pauses; the last error is raised. I(noticed) hears of each that failed."""
    return AsyncRetrying(
        retry=retry_if_exception(transient),
        stop=stop_after_attempt(number),
        wait=wait_exponential_jitter(initial=0.1, max=5.0, jitter=0.2),
        before_sleep=noticed,
        reraise=True,
    )
