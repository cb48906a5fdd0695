# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite itself can tell of a database: its soundness, its size, how it is kept."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, Dict, List, Tuple
from typing import Counter as CounterType

from .._errors import SourceError
from .._transfer._model import SourceTable
from ._file import WAL_FRAME_HEADER_BYTES, WAL_HEADER_BYTES, wal_bytes
from ._names import compose, folded, joined
from ._source import SqliteSource, column_of_t

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
        details={"source": path, "integrity": complaints},
    )


def foreign_key_violations(source: SqliteSource, tables: List[SourceTable]) -> List[Dict[str, Any]]:
    """SQLite's own foreign keys that are broken: table, parent, rows. A key that cannot be checked says so in error."""
    found: List[Dict[str, Any]] = []
    for table in tables:
        if not table.foreign_keys:
            continue
        counted: CounterType[str] = Counter()
        error = ""
        try:
            for row in source.query(compose("PRAGMA main.foreign_key_check({table})", table=table.name)):
                counted[str(row[2])] += 1
        except SourceError as failure:
            # "foreign key mismatch": the parent's columns are not unique, or are not there.
            error = failure.message
        found += [{"table": table.name, "parent": parent, "rows": rows} for parent, rows in sorted(counted.items())]
        if error:
            found.append({"table": table.name, "parent": "", "rows": 0, "error": error})
    return found


def wal_facts(source: SqliteSource) -> Dict[str, Any]:
    """Whether there is a write-ahead log, its size, and the frames (pages) that fit into it."""
    size = wal_bytes(source.path)
    frame = int(source.pragma("page_size")) + WAL_FRAME_HEADER_BYTES
    return {"present": size > 0, "bytes": size, "frames": max(0, size - WAL_HEADER_BYTES) // frame}


def sizes(source: SqliteSource, tables: List[SourceTable]) -> Tuple[Dict[str, int], Dict[str, int]]:
    """Bytes of each table, and of its indexes.

    Pages in use, where SQLite has its dbstat table; otherwise lengths of values, with every index counted by its share
    of the remaining pages.
    """
    try:
        pages = {str(name): int(size) for name, size in source.query("SELECT name, sum(pgsize) FROM dbstat GROUP BY 1")}
    except SourceError:
        return _estimated_sizes(source, tables)
    owner = {
        str(name): str(table)
        for name, table in source.query("SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'index'")
    }
    names = {folded(table.name): table.name for table in tables}
    own = {table.name: pages.get(table.name, 0) for table in tables}
    indexes = {table.name: 0 for table in tables}
    for index, table_name in owner.items():
        name = names.get(folded(table_name))
        if name is not None:
            indexes[name] += pages.get(index, 0)
    return own, indexes


def _estimated_sizes(source: SqliteSource, tables: List[SourceTable]) -> Tuple[Dict[str, int], Dict[str, int]]:
    own: Dict[str, int] = {}
    for table in tables:
        lengths = [
            compose("coalesce(length(CAST({column} AS BLOB)), 0) + 1", column=column_of_t(column.name))
            for column in table.columns
            if not column.generated
        ]
        statement = compose(
            "SELECT coalesce(sum({lengths}), 0) FROM main.{table} AS t",
            lengths=joined(" + ", lengths),
            table=table.name,
        )
        own[table.name] = int(next(source.query(statement, what=table.name))[0])
    used = int(source.pragma("page_count")) - int(source.pragma("freelist_count"))
    total = sum(own.values())
    rest = max(0, used * int(source.pragma("page_size")) - total)
    return own, {name: rest * size // total if total else 0 for name, size in own.items()}


def library_version() -> str:
    """Version of the SQLite library in use."""
    return sqlite3.sqlite_version
