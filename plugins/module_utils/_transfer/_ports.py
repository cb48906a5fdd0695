# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the executors see the two databases and the person who waits: adapters fill these in."""

from __future__ import annotations

from typing import Iterator, List, Optional, Protocol, Sequence, Tuple

from ._fast import FastColumn, Reader, Span
from ._model import SourceTable
from ._values import ReadValue, SqliteValue

SourceRow = Tuple[SqliteValue, ...]


class RowSource(Protocol):
    """A SQLite database, read in one transaction: everything that is read belongs to one moment."""

    def tables(self) -> List[SourceTable]:
        """All tables but SQLite's own (sqlite_*), in name order."""

    def count(self, table: SourceTable) -> int:
        """Number of rows."""

    def rowids(self, table: SourceTable) -> Optional[Tuple[int, int]]:
        """The smallest and the largest rowid; None for a table without rows or rowid."""

    def rows(
        self,
        table: SourceTable,
        columns: Sequence[str],
        order_by: Sequence[str] = (),
        after: Optional[SourceRow] = None,
        span: Optional[Span] = None,
    ) -> Iterator[SourceRow]:
        """Rows with just I(columns) (rowid aliases allowed), streamed in constant memory.

        I(order_by) orders by those columns, text by its bytes; I(after) starts behind that key.
        I(span) are the rows of a table with rowid that are read, in its order.
        """

    def long_rows(
        self, table: SourceTable, columns: Sequence[str], span: Optional[Span] = None
    ) -> Iterator[Tuple[ReadValue, ...]]:
        """As M(rows), but long texts are not taken out of their bytes."""

    def first_kind(self, table: SourceTable, column: str, span: Span) -> Optional[str]:
        """SQLite's name (C(text), C(blob), ...) for what the first value of I(column) in I(span) is; None if all are NULL."""

    def reader(self, table: SourceTable, columns: Sequence[FastColumn]) -> Optional[Reader]:
        """What reads I(columns) in chunks; None for a table or a SQLite that cannot do that."""

    def fingerprint(self) -> str:
        """Text that differs once the content may have changed."""


class Progress(Protocol):
    """Somebody who wants to know how far a long step has got. Cheap to call once per chunk of rows."""

    def begin(self, table: str, total_rows: int) -> None:
        """A table begins, or begins anew; I(total_rows) is how many are expected."""

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        """I(rows) more rows (and I(size) bytes) of I(table), by default the last that began, are done."""

    def end(self, table: str = "") -> None:
        """I(table), by default the last that began, is done."""


class Silent:
    """A Progress that tells nobody."""

    def begin(self, table: str, total_rows: int) -> None:
        pass

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        pass

    def end(self, table: str = "") -> None:
        pass
