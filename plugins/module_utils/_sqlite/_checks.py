# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite itself can tell of a database's soundness."""

from __future__ import annotations

from typing import List

from .._errors import SourceError
from ._source import SqliteSource

#: Complaints of the integrity check that are read; SQLite's own default.
MOST_COMPLAINTS = 100


def integrity(source: SqliteSource) -> List[str]:
    """What SQLite's integrity check complains of; empty for a sound database.

    A page that is too damaged to be checked is a complaint too, not an error.
    """
    try:
        lines = [str(row[0]) for row in source.query(f"PRAGMA integrity_check({MOST_COMPLAINTS})")]
    except SourceError as error:
        return [error.message]
    return [] if lines == ["ok"] else lines


def damaged(path: str, complaints: List[str]) -> SourceError:
    """The error for a database in which SQLite's integrity check found I(complaints)."""
    return SourceError(
        f"The SQLite file {path} is damaged: {'; '.join(complaints[:5])}.",
        advice="Restore a backup, or rebuild it by the .recover command of the sqlite3 program (REINDEX mends indexes).",
        details={"path": path, "integrity": complaints},
    )
