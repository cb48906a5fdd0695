# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fence around a SQLite database: triggers that refuse every write to its tables, with a message of ours.

The fence is a part of the file, so that it holds against every program that opens it, and reading goes on as before.
Triggers go onto ordinary tables only. SQLite refuses them on virtual tables, and on the shadow tables behind those it
takes them but then fails badly: a DELETE from an FTS5 table with a trigger on its storage ends the writing process
with a segmentation fault (SQLite 3.40.1).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from .._errors import SourceError
from .._transfer._model import SourceTable
from .._transfer._ports import Progress, Silent
from ._content import TableChange, compare_content
from ._file import BUSY_TIMEOUT, RawFile, connect, explained, locked
from ._names import Sql, compose, literal
from ._source import SqliteSource

PREFIX = "mcps_fence_"
OPERATIONS = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class FencePlan:
    """Triggers to be dropped and to be created, by name. I(tables) are fenced afterwards, I(unfenceable) cannot be."""

    state: str
    drop: Tuple[str, ...]
    create: Tuple[Tuple[str, Sql], ...]
    tables_before: Tuple[str, ...]
    tables: Tuple[str, ...]
    unfenceable: Tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.drop or self.create)


@dataclass(frozen=True)
class FenceReport:
    """The plan that was, or would be, carried out, and what changed since the snapshot (None: not compared)."""

    plan: FencePlan
    changes: Optional[List[TableChange]]


def set_fence(
    path: str,
    state: str,
    message: str,
    *,
    dry_run: bool = False,
    compare_with: str = "",
    busy_timeout: float = BUSY_TIMEOUT,
    progress: Optional[Progress] = None,
) -> FenceReport:
    """Put the fence up (I(state) V(present)) or take it down (V(absent)), in one transaction.

    With I(compare_with) the content is compared with that snapshot inside the same transaction, so that nobody can
    write in between. I(dry_run) reads the same things in a read transaction and changes nothing. I(busy_timeout), in
    seconds, is how long to wait for a writer to finish. Raises SourceError.
    """
    if "\x00" in message or not message.strip():
        raise SourceError("The message of the fence is empty or holds a NUL character.", advice="Give it another one.")
    if dry_run:
        with SqliteSource.open(path, busy_timeout) as source:
            plan = _plan(source, state, message)
            return FenceReport(plan, _compare(compare_with, source, progress))
    with RawFile(path) as file:
        file.header()
        try:
            connection = connect(path, "rw", busy_timeout=busy_timeout)
            try:
                # Foreign keys and cascades are no business of a change of triggers.
                locked(connection, "BEGIN IMMEDIATE", busy_timeout)
                return _apply(file, connection, state, message, compare_with, progress)
            finally:
                # Closing rolls back whatever was not committed.
                connection.close()
        except sqlite3.Error as error:
            raise _failed(path, state, error) from error


def _apply(
    file: RawFile,
    connection: sqlite3.Connection,
    state: str,
    message: str,
    compare_with: str,
    progress: Optional[Progress],
) -> FenceReport:
    """The change, in the transaction that has begun."""
    source = SqliteSource(file, connection)
    plan = _plan(source, state, message)
    for name in plan.drop:
        connection.execute(compose("DROP TRIGGER main.{name}", name=name))
    for _, statement in plan.create:
        connection.execute(statement)
    # Before the comparison, which may take a while: the commit must not fail for a reason that could be known now.
    changes = _compare(compare_with, source, progress)
    connection.execute("COMMIT" if plan.changed else "ROLLBACK")
    return FenceReport(plan, changes)


def _plan(source: SqliteSource, state: str, message: str) -> FencePlan:
    found: Dict[str, Tuple[str, str]] = {
        str(name): (str(table), str(sql))
        for name, table, sql in source.query(
            "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, ?) = ?",
            (len(PREFIX), PREFIX),
        )
    }
    tables = source.tables()
    wanted: Dict[str, Sql] = {}
    if state == "present":
        for table in tables:
            if table.kind == "table":
                wanted.update(_triggers(table, message))
    kept = {name for name, (_, sql) in found.items() if wanted.get(name) == sql}
    return FencePlan(
        state=state,
        drop=tuple(sorted(set(found) - kept)),
        create=tuple((name, sql) for name, sql in wanted.items() if name not in kept),
        tables_before=tuple(sorted({table for table, _ in found.values()})),
        tables=tuple(table.name for table in tables if table.kind == "table") if state == "present" else (),
        unfenceable=tuple(table.name for table in tables if table.kind == "virtual"),
    )


def _triggers(table: SourceTable, message: str) -> Dict[str, Sql]:
    """Statements by trigger name, spelled as SQLite stores them."""
    triggers: Dict[str, Sql] = {}
    for operation in OPERATIONS:
        name = f"{PREFIX}{operation.lower()}_{table.name}"
        triggers[name] = compose(
            "CREATE TRIGGER {name} BEFORE {operation} ON {table} BEGIN SELECT RAISE(ABORT, {message}); END",
            name=name,
            operation=Sql(operation),
            table=table.name,
            message=literal(message),
        )
    return triggers


def _compare(snapshot: str, source: SqliteSource, progress: Optional[Progress]) -> Optional[List[TableChange]]:
    if not snapshot:
        return None
    with SqliteSource.open(snapshot) as old:
        return compare_content(old, source, progress or Silent())


def _failed(path: str, state: str, error: sqlite3.Error) -> SourceError:
    doing = "Fencing" if state == "present" else "Taking the fence away"
    text = str(error).lower()
    if "readonly" in text:
        return SourceError(
            f"{doing} of the SQLite file {path} failed: {error}.",
            advice="Let this user write the file and its directory, or run the task as its owner (become).",
        )
    return explained(path, doing, error)
