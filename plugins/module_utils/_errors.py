# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that every layer raises; only C(_module) turns them into a failed task."""

from __future__ import annotations

from typing import Any, Dict, Optional


class MigrationError(Exception):
    """A stop that the operator can act on.

    The text names the action, the object and the cause; I(advice) says what to do next. I(details)
    are JSON-ready facts (table, key, column, value, reason ...) which end up as fields of the task's result.
    """

    def __init__(self, message: str, *, advice: str = "", details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.details: Dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class SourceError(MigrationError):
    """The SQLite side is missing, is not a database, is damaged, or cannot be read."""


class TargetError(MigrationError):
    """The PostgreSQL side cannot be reached, lacks a privilege, or refused a statement."""


class MappingError(MigrationError):
    """Tables or columns of the two sides do not fit together; details['problems'] lists all of them."""


class InvalidRowError(MigrationError):
    """Rows do not fit the target and may not be left out; details['rows'] holds the first of them."""


class ApplicationError(MigrationError):
    """The application's own Alembic, interpreter or service failed."""


class LockedError(MigrationError):
    """Another run holds the migration; details say who, where and since when."""


class JournalError(MigrationError):
    """The journal contradicts what is there, so that going on would be a guess."""
