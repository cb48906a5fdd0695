# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading for the load: the rows of a table as they are sent, and those that do not fit."""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple, Union
from typing import Mapping as MappingType

from ._fast import FIRST_ROWID, LAST_ROWID, Packed, Packer, Span
from ._model import TableMap
from ._ports import RowSource, SourceRow
from ._rejects import SHOWN, Fault, Reject, kept, reject, shown
from ._rows import RowConverter, RowMisfit, Sent
from ._values import ReadValue, plain, sample, to_json


class TooMany(Exception):
    """More rows do not fit than may stay behind; I(complete) if the whole table was read."""

    def __init__(self, rejects: List[Reject], complete: bool) -> None:
        super().__init__()
        self.rejects = rejects
        self.complete = complete


def read_columns(table: TableMap) -> List[str]:
    """What is read of a source table: the mapped columns first, then what names a row or belongs to it."""
    mapped = [column.source for column in table.columns]
    stored = [column.name for column in table.source.columns if not column.generated]
    return mapped + [name for name in dict.fromkeys([*table.source.key, *stored]) if name not in mapped]


class LoadScan:
    """One pass over a source table, or over I(span) of it, in its natural order, which is the same in every pass of one transaction.

    I(refused) are rows (counted from 0) that the server refused in an earlier pass. More than I(allowed) rows that do
    not fit raise TooMany: at the table's end, or once there are enough to show, or behind row I(until).
    """

    def __init__(
        self,
        source: RowSource,
        table: TableMap,
        refused: MappingType[int, Fault],
        allowed: int,
        until: Optional[int] = None,
        span: Optional[Span] = None,
    ) -> None:
        self.converter = RowConverter(table)
        self.rejects: List[Reject] = []
        self._source = source
        self._table = table
        self._refused = refused
        self._allowed = allowed
        self._until = until
        self._span = span
        self._skipped: List[int] = []
        #: Whether M(packed) gives rows in binary format.
        self.binary = False

    def rows(self) -> Iterator[List[Sent]]:
        """Every row that fits, converted here."""
        names = read_columns(self._table)
        for ordinal, row in enumerate(self._source.long_rows(self._table.source, names, self._span)):
            literals = self._take(ordinal, names, row)
            if literals is not None and self._sending:
                yield literals
        self._end()

    def packed(self) -> Optional[Iterator[Union[List[Sent], Packed]]]:
        """As M(rows), but whole chunks come packed where they can; None if none can."""
        columns = None if self._refused else self.converter.fast_columns()
        if columns is None:
            return None
        span = self._span or Span(FIRST_ROWID, LAST_ROWID)
        vectors = [column.source for column in self._table.columns if column.target.type.name == "vector"]
        wired = bool(vectors) and all(column.wire is not None for column in columns)
        read = self._source.reader(self._table.source, columns)
        if read is None:
            return None
        # Only a binary COPY takes vectors in BLOBs as fast as they are.
        if wired and any(self._source.first_kind(self._table.source, name, span) == "blob" for name in vectors):
            columns = [column.of_blobs() for column in columns]
            read = self._source.reader(self._table.source, columns)
            if read is None:
                return None
            self.binary = True
        return self._packed(Packer(columns, read, self.binary).pack(*span))

    def _packed(self, items: Iterator[Union[Packed, Span]]) -> Iterator[Union[List[Sent], Packed]]:
        names = read_columns(self._table)
        ordinal = 0
        for item in items:
            if isinstance(item, Packed):
                ordinal += item.rows
                if self._sending:
                    yield item
                continue
            for row in self._source.long_rows(self._table.source, names, item):
                literals = self._take(ordinal, names, row)
                ordinal += 1
                if literals is not None and self._sending:
                    yield Packed(1, self.converter.wired(literals), True) if self.binary else literals
        self._end()

    @property
    def _sending(self) -> bool:
        """Whether what is read is still wanted, or only the rows that do not fit."""
        return len(self.rejects) <= self._allowed

    def _take(self, ordinal: int, names: Sequence[str], row: Tuple[ReadValue, ...]) -> Optional[List[Sent]]:
        """The row's literals, or None: it does not fit, and is among the rejects now."""
        try:
            literals = self.converter.sent(row)
            if not self._refused or ordinal not in self._refused:
                return literals
            faults = [_with_values(self._refused[ordinal], names, plain(row))]
        except RowMisfit as misfit:
            faults = [
                Fault(p.column, to_json(p.value), p.misfit.kind, p.misfit.reason, p.misfit.advice, sample(p.value))
                for p in misfit.problems
            ]
        self._skipped.append(ordinal)
        self.rejects.append(reject(self._table, names, plain(row), faults))
        if len(self.rejects) > self._allowed + SHOWN or (self._until is not None and ordinal >= self._until):
            raise TooMany(self.rejects, complete=False)
        return None

    def _end(self) -> None:
        if not self._sending:
            raise TooMany(self.rejects, complete=True)

    def ordinal(self, line: int) -> int:
        """Which row of the source was the I(line)th that was sent."""
        place = line - 1
        for skipped in self._skipped:
            if skipped <= place:
                place += 1
        return place


def _with_values(fault: Fault, names: Sequence[str], row: SourceRow) -> Fault:
    """I(fault) with what the row holds in its columns."""
    own = dict(zip(names, row))
    held = [own.get(name) for name in fault.column.split(", ")] if fault.column else []
    if not held:
        return fault
    return Fault(fault.column, kept(held), fault.kind, fault.reason, fault.advice, shown(held))


def counted(scan: LoadScan) -> Tuple[Tuple[str, str, int], ...]:
    """What the rules changed in I(scan)'s rows, as (column, rule, number of values)."""
    return tuple((column, rule, count) for (column, rule), count in sorted(scan.converter.changes.items()) if count)
