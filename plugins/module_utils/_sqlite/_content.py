# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two SQLite databases hold exactly the same rows: values and storage classes, in constant memory."""

from __future__ import annotations

import marshal
import struct
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .._transfer._model import SourceTable
from .._transfer._ports import Progress, SourceRow
from .._transfer._values import InvalidText, SqliteValue
from .._transfer._verdict import name_row
from ._source import SqliteSource

#: Rows that are compared at a time.
CHUNK_ROWS = 500
#: Keys of differing rows that are named for each table.
FIRST_KEYS = 10

#: How SQLite orders storage classes (sqlite.org/datatype3.html, 4.1), and the value within its class.
SortKey = Tuple[Tuple[Any, ...], ...]


@dataclass
class TableChange:
    """What differs in one table. I(reason) says so where the tables themselves are not the same."""

    table: str
    rows_missing: int = 0
    rows_extra: int = 0
    rows_changed: int = 0
    first_keys: List[str] = field(default_factory=list)
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows_missing or self.rows_extra or self.rows_changed or self.reason)

    def note(self, key: str) -> None:
        if len(self.first_keys) < FIRST_KEYS:
            self.first_keys.append(key)

    def as_dict(self) -> Dict[str, Any]:
        return dict(vars(self))


def compare_content(old: SqliteSource, new: SqliteSource, progress: Progress) -> List[TableChange]:
    """What changed in ordinary tables between I(old) and I(new): rows of I(old) that are missing, extra, changed."""
    before = {table.name: table for table in old.tables() if table.kind == "table"}
    after = {table.name: table for table in new.tables() if table.kind == "table"}
    changes = [_gone(old, table) for name, table in before.items() if name not in after]
    for name, table in after.items():
        progress.begin(name, new.count(table))
        changes.append(_compare_table(old, new, before.get(name), table, progress))
        progress.end()
    return [change for change in changes if change]


def _gone(old: SqliteSource, table: SourceTable) -> TableChange:
    return TableChange(table.name, rows_missing=old.count(table), reason="the table is not there any more")


def _compare_table(
    old: SqliteSource, new: SqliteSource, before: Optional[SourceTable], table: SourceTable, progress: Progress
) -> TableChange:
    if before is None:
        return TableChange(table.name, rows_extra=new.count(table), reason="the table is new")
    columns = _stored(table)
    if columns != _stored(before):
        reason = f"its columns were {', '.join(_stored(before))}, now they are {', '.join(columns)}"
        return TableChange(table.name, rows_changed=new.count(table), reason=reason)
    # A rowid that is no declared key changes with VACUUM; such rows are told apart by all that they hold.
    key = list(table.primary_key) or columns
    change = TableChange(table.name)
    order = key + [name for name in columns if name not in key]
    unique = bool(table.primary_key)
    # Only the key has to be sorted by where no two rows share one, which NULL would allow.
    order_by = key if _never_null(table) else order
    places = [order.index(name) for name in key]
    rows = _behind_what_is_equal(old.rows(before, order, order_by), new.rows(table, order, order_by), progress)
    missing, present = _Side(rows[0], places, unique), _Side(rows[1], places, unique, progress)
    while missing.row is not None or present.row is not None:
        if present.row is None or (missing.row is not None and missing.key < present.key):
            change.rows_missing += 1
            change.note(_name(table, key, missing))
            missing.step()
        elif missing.row is None or present.key < missing.key:
            change.rows_extra += 1
            change.note(_name(table, key, present))
            present.step()
        else:
            if not _identical(missing.row, present.row):
                change.rows_changed += 1
                change.note(_name(table, key, present))
            missing.step()
            present.step()
    return change


def _behind_what_is_equal(
    left: Iterator[SourceRow], right: Iterator[SourceRow], progress: Progress
) -> Tuple[Iterator[SourceRow], Iterator[SourceRow]]:
    """Both sides from the first chunk on that is not the same: nearly always there is none, and writers are waiting."""
    while True:
        one, other = list(islice(left, CHUNK_ROWS)), list(islice(right, CHUNK_ROWS))
        if not (one or other) or not _same_bytes(one, other):
            return chain(one, left), chain(other, right)
        progress.advance(len(other))


def _same_bytes(one: List[SourceRow], other: List[SourceRow]) -> bool:
    """Whether two chunks are the same in every type and bit; False too where that cannot be told so quickly."""
    try:
        # Format 2 knows no references, so that equal values always make equal bytes.
        return marshal.dumps(one, 2) == marshal.dumps(other, 2)
    except ValueError:
        return False


def _stored(table: SourceTable) -> List[str]:
    return [column.name for column in table.columns if not column.generated]


def _never_null(table: SourceTable) -> bool:
    """Whether SQLite itself keeps NULL out of the key: an INTEGER PRIMARY KEY, WITHOUT ROWID, or NOT NULL."""
    if not table.primary_key:
        return False
    if table.rowid is None or table.rowid in table.primary_key:
        return True
    return all(column.not_null for column in table.columns if column.name in table.primary_key)


class _Side:
    """One side of the merge: the current row and its place in the order."""

    def __init__(
        self, rows: Iterator[SourceRow], places: List[int], unique: bool, progress: Optional[Progress] = None
    ) -> None:
        self._rows = rows
        self._places = places
        self._unique = unique
        self._progress = progress
        self._seen = 0
        self.row: Optional[SourceRow] = None
        self.key: SortKey = ()
        self.step()

    def step(self) -> None:
        self.row = next(self._rows, None)
        if self.row is None:
            self._tell(self._seen % CHUNK_ROWS)
            return
        self._seen += 1
        if self._seen % CHUNK_ROWS == 0:
            self._tell(CHUNK_ROWS)
        row = self.row
        key = [row[place] for place in self._places]
        # NULL does not make a key unique, and without a key the whole row is what it is known by.
        if not self._unique or None in key:
            key = list(row)
        self.key = tuple(_sort_key(value) for value in key)

    def _tell(self, rows: int) -> None:
        if self._progress is not None:
            self._progress.advance(rows)


def _sort_key(value: SqliteValue) -> Tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, (int, float)):
        return (1, value)
    if isinstance(value, str):
        return (2, value.encode("utf-8"))
    if isinstance(value, InvalidText):
        return (2, value.raw)
    return (3, value)


def _identical(left: SourceRow, right: SourceRow) -> bool:
    """Whether all values are the same in storage class and in every bit (1 is not 1.0, 0.0 is not -0.0)."""
    if left != right:
        return False
    for one, other in zip(left, right):
        if type(one) is not type(other):
            return False
        if isinstance(one, float) and one == 0 and struct.pack("<d", one) != struct.pack("<d", other):
            return False
    return True


def _name(table: SourceTable, key: List[str], side: _Side) -> str:
    row = side.row or ()
    if table.primary_key:
        return name_row(key, row)
    return name_row(key[:4], row)
