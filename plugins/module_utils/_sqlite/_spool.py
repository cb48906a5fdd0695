# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows sorted on disk, in constant memory: a temporary SQLite database without a name.

SQLite removes the file's name as soon as it has opened it, so that nothing is left behind however the process ends.
It lies where SQLite puts temporary files: SQLITE_TMPDIR, else TMPDIR, else /var/tmp, else /tmp.
"""

from __future__ import annotations

import sqlite3
from typing import Iterable, Iterator, Tuple

from .._errors import SourceError

#: Memory for pages and for each run of the sort, in KiB.
CACHE_KIB = 8192


class DiskSpool:
    """Implements C(_transfer._compare.Spool)."""

    def __init__(self) -> None:
        # An empty name is a private database on disk (SQLite, sqlite3_open).
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "temp_store = FILE",
            f"cache_size = -{CACHE_KIB}",
        ):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("CREATE TABLE spool (key BLOB NOT NULL, payload BLOB NOT NULL)")

    def fill(self, items: Iterable[Tuple[bytes, bytes]]) -> None:
        """Take all I(items), each a key and what belongs to it. Errors that I(items) raise go through unchanged."""
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO spool VALUES (?, ?)", items)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def sorted(self) -> Iterator[Tuple[bytes, bytes]]:
        """All items in the order of their keys' bytes."""
        try:
            yield from self._connection.execute("SELECT key, payload FROM spool ORDER BY key")
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def close(self) -> None:
        """Forget everything and free the disk."""
        self._connection.close()


def _no_room(error: sqlite3.Error) -> SourceError:
    return SourceError(
        f"Cannot sort rows in a temporary file: {error}.",
        advice="Make room for temporary files, or point the environment variable TMPDIR at a folder that has it.",
    )
