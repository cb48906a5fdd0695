# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the statements of a script one by one, with the search path that the application has."""

from __future__ import annotations

from contextlib import suppress
from typing import Callable, List, Optional, Sequence

from .._errors import TargetError
from ._session import Session

#: What to run in place of a statement that was refused: another text, nothing (leave it out), or None (give up on it).
Instead = Callable[[int, str, TargetError], Optional[str]]

#: How often a statement is mended before it is given up.
ATTEMPTS = 4


def run_script(session: Session, schema: str, statements: Sequence[str]) -> None:
    """Run I(statements), which begin and commit their transactions themselves, up to the first that is refused.

    The open transaction is rolled back then. Raises TargetError, whose details say with V(number) which one it was.
    """
    _application_path(session, schema)
    for number, text in enumerate(statements):
        try:
            session.execute(text)
        except TargetError as error:
            _end(session)
            error.details["number"] = number
            raise


def try_script(session: Session, schema: str, statements: Sequence[str], instead: Instead) -> List[int]:
    """Run I(statements) to their end, whatever is refused; returns the numbers of those that were given up.

    I(instead) is told of every refusal, and what it returns is tried in the same place.
    """
    _application_path(session, schema)
    given_up: List[int] = []
    open_ = False
    for number, text in enumerate(statements):
        word = text.rstrip("; \n").upper()
        if word in ("BEGIN", "COMMIT"):
            session.execute(text)
            open_ = word == "BEGIN"
        elif not _try(session, number, text, instead, open_):
            given_up.append(number)
    if open_:
        session.execute("COMMIT")
    return given_up


def _try(session: Session, number: int, text: str, instead: Instead, open_: bool) -> bool:
    attempt: Optional[str] = text
    for _ in range(ATTEMPTS):
        if attempt is None:
            return False
        if not attempt.strip("; \n"):
            return True
        try:
            if open_:
                with session.savepoint():
                    session.execute(attempt)
            else:
                session.execute(attempt)
            return True
        except TargetError as error:
            if not session.alive:
                raise
            attempt = instead(number, attempt, error)
    return False


def _application_path(session: Session, schema: str) -> None:
    session.execute("SET search_path TO DEFAULT")
    session.execute(
        "SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), false)", (schema,)
    )


def _end(session: Session) -> None:
    if session.alive:
        with suppress(TargetError):
            session.execute("ROLLBACK")
