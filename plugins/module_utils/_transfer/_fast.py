# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that SQLite itself writes as COPY text, and what has to be true of them before they may go that way.

A codec's C(fast) gives the SQL that yields its literal beside C(encode), which is the definition. What its guard does
not vouch for is converted by C(encode), so that every misfit, rule and reason has one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

#: Between fields, between rows, and for NULL: text seldom holds them, so that a whole chunk is escaped at once.
FIELD, ROW, NULL = "\x02", "\x03", "\x04"
_FIELD, _ROW, _NULL = FIELD.encode(), ROW.encode(), NULL.encode()

#: Rows and bytes of a chunk; larger ones were measured to cost memory and gain nothing.
CHUNK_ROWS = 500
CHUNK_BYTES = 1 << 18

#: Rules that do nothing to a value that a guard lets through and that holds no NUL and is UTF-8.
INERT_RULES = frozenset({"strip_nul", "replace_invalid_utf8", "latin1"})


@dataclass(frozen=True)
class FastForm:
    """SQL of SQLite over a column: I(expression) is what C(encode) returns wherever I(guard) is true.

    The guard is only asked where the column is not NULL. It may take for granted that the value, if it is TEXT, is
    UTF-8 without NUL: the chunk is tested for that. I(check), where there is one, has the last word over the literal.
    """

    expression: str
    guard: str
    check: Optional[Callable[[str], bool]] = None


@dataclass(frozen=True)
class FastColumn:
    """A mapped column: I(form) makes its FastForm from the column's SQL; without one, I(encode) makes the literal.

    I(encode) returns None for NULL and raises Misfit.
    """

    name: str
    not_null: bool
    form: Optional[Callable[[str], Optional[FastForm]]]
    encode: Callable[[Any], Optional[str]]


class Packed(NamedTuple):
    """Rows that need nothing but escaping: UTF-8 without NUL, in which the separators are separators only."""

    rows: int
    text: bytes


#: A row of C(RowSource.packed): what names it, then a cell per run of columns.
PackedRow = Tuple[Any, ...]


def runs(columns: Sequence[FastColumn]) -> List[Union[List[FastColumn], FastColumn]]:
    """I(columns) in order, neighbours with a form together in a list: each entry is one cell of a PackedRow."""
    found: List[Union[List[FastColumn], FastColumn]] = []
    for column in columns:
        if column.form is None:
            found.append(column)
        elif found and isinstance(found[-1], list):
            found[-1].append(column)
        else:
            found.append([column])
    return found


class Packer:
    """Gathers the rows of C(RowSource.packed) into chunks, and picks out those that have to be converted singly."""

    def __init__(self, columns: Sequence[FastColumn], misfit: type) -> None:
        """I(misfit) is what a column's C(encode) raises."""
        self._width = len(columns)
        self._misfit = misfit
        self._cells = [None if isinstance(run, list) else run.encode for run in runs(columns)]
        self._plain = self._cells == [None]
        self._checks: Dict[int, Callable[[str], bool]] = {}
        for place, column in enumerate(columns):
            form = column.form("NULL") if column.form is not None else None
            if form is not None and form.check is not None:
                self._checks[place] = form.check

    def pack(self, rows: Iterator[PackedRow]) -> Iterator[Union[Packed, PackedRow]]:
        """All of I(rows) in their order: chunks, and between them the single ones as they came."""
        batch: List[bytes] = []
        pending: List[PackedRow] = []
        size = 0
        for row in rows:
            data = row[1] if self._plain else self._joined(row)
            if data is None:
                if batch:
                    yield from self._chunk(batch, pending)
                    batch, pending, size = [], [], 0
                yield row
                continue
            batch.append(data)
            pending.append(row)
            size += len(data)
            if size >= CHUNK_BYTES or len(batch) >= CHUNK_ROWS:
                yield from self._chunk(batch, pending)
                batch, pending, size = [], [], 0
        if batch:
            yield from self._chunk(batch, pending)

    def _joined(self, row: PackedRow) -> Optional[bytes]:
        """The row's cells as one, None where it cannot go this way."""
        parts = []
        for value, encode in zip(row[1:], self._cells):
            if encode is None:
                if value is None:
                    return None
                parts.append(value)
                continue
            try:
                literal = encode(value)
            except self._misfit:
                return None
            if literal == NULL:
                return None
            parts.append(_NULL if literal is None else literal.encode())
        return _FIELD.join(parts)

    def _chunk(self, batch: List[bytes], pending: List[PackedRow]) -> Iterator[Union[Packed, PackedRow]]:
        if self._sound(batch):
            yield Packed(len(batch), _ROW.join(batch))
        elif len(batch) == 1:
            yield pending[0]
        else:
            middle = len(batch) // 2
            yield from self._chunk(batch[:middle], pending[:middle])
            yield from self._chunk(batch[middle:], pending[middle:])

    def _sound(self, batch: List[bytes]) -> bool:
        """Whether the rows are text that PostgreSQL takes, with the separators where they belong and nowhere else."""
        text = _ROW.join(batch)
        if (
            b"\x00" in text
            or text.count(_FIELD) != len(batch) * (self._width - 1)
            or text.count(_ROW) != len(batch) - 1
            or not _is_utf8(text)
        ):
            return False
        return not self._checks or all(map(self._checked, batch))

    def _checked(self, row: bytes) -> bool:
        fields = row.split(_FIELD)
        if len(fields) != self._width:
            return False
        return all(fields[place] == _NULL or check(fields[place].decode()) for place, check in self._checks.items())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
