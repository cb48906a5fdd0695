# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare tables by ranges of their whole-number key: hashes of each column first, rows only where hashes differ.

Equal hashes are equal values (see C(_probes)). A range whose hashes differ is parted until few rows are left, and those
are compared one by one, by meaning: so a difference is found without reading the table again, and a range that only
looks different costs no more than its rows.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ._compare import KeyRange, RowTarget
from ._fast import FIRST_ROWS, MAX_PATIENCE, NULL, PIECES, ROW, Chunk, FastColumn, Reader, Span
from ._model import TableMap
from ._ports import RowSource
from ._probes import Probe, probe_for
from ._rows import RowConverter
from ._verdict import TableVerdict

_ROW, _NULL = ROW.encode(), NULL.encode()

#: The order of C(TableVerdict) for such a table.
RANGES = "ranges"

#: Rows and bytes of the source in one comparison of hashes, and rows that are compared one by one at once.
CHUNK_ROWS = 2000
CHUNK_BYTES = 1 << 19
FEW_ROWS = 32

WHOLE_NUMBERS = frozenset({"smallint", "integer", "bigint"})


@dataclass(frozen=True)
class Ranged:
    """A table that can be compared this way: its key, and for each column how either side writes it."""

    table: TableMap
    key: str
    columns: Tuple[FastColumn, ...]
    probes: Tuple[Tuple[str, Probe], ...]


def ranged(table: TableMap, watched: Sequence[str] = ()) -> Optional[Ranged]:
    """None for a table without such a key on both sides, with rules that change values which fit, or types without a probe.

    Columns I(watched) for their sequences have to be whole numbers.
    """
    keys = table.key_columns
    if keys is None or len(keys) != 1 or keys[0].source != table.source.rowid:
        return None
    converter = RowConverter(table)
    columns = converter.fast_columns()
    if columns is None or keys[0].target.type.name not in WHOLE_NUMBERS:
        return None
    if any(c.target.name in watched and c.target.type.name not in WHOLE_NUMBERS for c in table.columns):
        return None
    probes: List[Tuple[str, Probe]] = []
    for one in converter.converters:
        probe = probe_for(one.column.target.type, one.codec)
        if probe is None:
            return None
        probes.append((one.column.target.name, probe))
    return Ranged(table, keys[0].target.name, tuple(columns), tuple(probes))


class Hashed(NamedTuple):
    """A chunk as the target is asked about it: for each hashed column how many values there are, and their hash.

    I(documents) are the texts of the columns I(names), which only the target can compare.
    """

    present: Tuple[int, ...]
    hashes: Tuple[str, ...]
    names: Tuple[str, ...]
    documents: Tuple[bytes, ...]


_Read = Tuple[Optional[Chunk], Optional[Hashed]]


class RangeComparison:
    """One member's comparison of parts of one table; what it finds goes into I(verdict).

    I(advance) hears of the source's rows that are done, and of their bytes. I(exactly) compares the rows of a span one by
    one, and tells of them itself.
    """

    def __init__(
        self,
        how: Ranged,
        source: RowSource,
        target: RowTarget,
        verdict: TableVerdict,
        exactly: Callable[[Span], TableVerdict],
        advance: Callable[[int, int], None],
    ) -> None:
        self._how = how
        self._target = target
        self._verdict = verdict
        self._exactly = exactly
        self._advance = advance
        reader = source.reader(how.table.source, how.columns)
        self._reader: Optional[Reader] = reader
        self._hashed = [(name, probe) for name, probe in how.probes if not probe.documents]
        self._patience = self._singly = 0

    def run(self, span: Span) -> None:
        """Compare the rows of I(span), in which either side may hold rows that the other lacks.

        While the target hashes its side of a chunk, the next one is read and hashed here.
        """
        if self._reader is None:
            self._one_by_one(span)
            return
        with ThreadPoolExecutor(1) as ahead:
            reading: Optional[Future[_Read]] = ahead.submit(self._read, span, FIRST_ROWS, True)
            rows, first = FIRST_ROWS, span.first
            while reading is not None:
                chunk, hashed = reading.result()
                if chunk is None:
                    self._nothing_in(Span(first, span.last))
                    return
                size = sum(map(len, chunk.columns))
                rows = max(1, min(CHUNK_ROWS, 2 * rows, chunk.rows * CHUNK_BYTES // max(size, 1)))
                first = chunk.last + 1
                left = Span(first, span.last)
                reading = ahead.submit(self._read, left, rows, self._singly < 2) if first <= span.last else None
                if self._singly or not self._matches(chunk, hashed):
                    # What follows reads the source too, and its connection is for one at a time.
                    wait([reading] if reading is not None else [])
                    self._closely(chunk)

    def _read(self, span: Span, rows: int, hashing: bool) -> _Read:
        """The next chunk and its hashes, if I(hashing) and if there can be some."""
        assert self._reader is not None
        chunk = self._reader(span.first, span.last, rows)
        return chunk, self._hashed_form(chunk) if chunk is not None and hashing else None

    def _closely(self, chunk: Chunk) -> None:
        """Look for what differs in a chunk."""
        if self._singly:
            # Where everything looks different, looking for what does not is a waste.
            self._singly -= 1
            self._one_by_one(Span(chunk.first, chunk.last))
            return
        equal = self._parted(chunk)
        self._patience = 0 if equal else min(2 * self._patience + 1, MAX_PATIENCE)
        self._singly = self._patience

    def _matches(self, chunk: Chunk, hashed: Optional[Hashed]) -> bool:
        """Whether the hashes are equal; then the chunk is done."""
        if hashed is None or not self._same(chunk, hashed):
            return False
        self._patience = 0
        self._verdict.source_rows += chunk.rows
        self._verdict.target_rows += chunk.rows
        self._verdict.values += chunk.rows * len(self._how.columns)
        self._advance(chunk.rows, sum(map(len, chunk.columns)))
        return True

    def _parted(self, chunk: Chunk) -> int:
        """How many rows of a chunk that does not match have equal hashes; the others are compared one by one."""
        assert self._reader is not None
        if chunk.rows <= FEW_ROWS:
            self._one_by_one(Span(chunk.first, chunk.last))
            return 0
        equal, first = 0, chunk.first
        while first <= chunk.last:
            piece = self._reader(first, chunk.last, max(chunk.rows // PIECES, FEW_ROWS))
            if piece is None:
                break
            equal += piece.rows if self._matches(piece, self._hashed_form(piece)) else self._parted(piece)
            first = piece.last + 1
        return equal

    def _nothing_in(self, span: Span) -> None:
        if self._target.digests(self._how.table.target, (), KeyRange(self._how.key, *span)).rows:
            self._one_by_one(span)

    def _one_by_one(self, span: Span) -> None:
        self._verdict.absorb(self._exactly(span))

    def _hashed_form(self, chunk: Chunk) -> Optional[Hashed]:
        """None where a value is not spelled as the probes know it."""
        present, hashes, names, documents = [], [], [], []
        for (name, probe), cell in zip(self._how.probes, chunk.columns):
            fields = cell.split(_ROW)
            form = probe.form(cell, fields) if len(fields) == chunk.rows else None
            if form is None:
                return None
            if probe.documents:
                names.append(name)
                documents.append(form)
            else:
                present.append(chunk.rows - fields.count(_NULL))
                hashes.append(sha256(form).hexdigest())
        return Hashed(tuple(present), tuple(hashes), tuple(names), tuple(documents))

    def _same(self, chunk: Chunk, hashed: Hashed) -> bool:
        """Whether the target's rows between the chunk's ends are these."""
        between = KeyRange(self._how.key, chunk.first, chunk.last)
        found = self._target.digests(self._how.table.target, self._hashed, between)
        if found != (chunk.rows, hashed.present, hashed.hashes):
            return False
        names, documents = list(hashed.names), list(hashed.documents)
        return not names or self._target.same_documents(self._how.table.target, names, between, documents)
