# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the rows of large tables are parted by rowid, so that several workers load them and a killed run goes on inside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Iterable, List, Mapping, Tuple

from ._fast import Span
from ._model import TableMap
from ._ports import RowSource
from ._values import InvalidText, LongText, ReadValue

#: Bytes of a part. Each is a transaction of its own, with a line in the journal.
PART_BYTES = 4 << 20
MAX_PARTS = 256
#: Rows that are looked at to estimate how long a table's rows are.
SAMPLE_ROWS = 50
#: What a row is taken for where no sample tells: enough to see whether a table is worth another worker.
ROUGH_ROW_BYTES = 100


@dataclass(frozen=True)
class Part:
    """Rows of one table that one transaction put into the target. I(rules) are as in C(TableResult)."""

    first: int
    last: int
    rows: int
    bytes: int
    quarantined: int = 0
    rules: Tuple[Tuple[str, str, int], ...] = ()

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Part:
        """What dataclasses.asdict() and JSON made of a Part."""
        values = dict(document)
        values["rules"] = tuple((column, rule, count) for column, rule, count in values["rules"])
        return cls(**values)


def estimate(source: RowSource, table: TableMap, rows: int) -> int:
    """About how many bytes of COPY text I(rows) rows of a table are, going by its first; 0 for one without rowid."""
    if table.source.kind != "table" or table.source.rowid is None:
        return 0
    columns = [column.source for column in table.columns]
    sample = list(islice(source.long_rows(table.source, columns), SAMPLE_ROWS))
    if not sample:
        return 0
    return sum(_length(value) + 1 for row in sample for value in row) * rows // len(sample)


def _length(value: ReadValue) -> int:
    if isinstance(value, (str, bytes, LongText)):
        return len(value)
    return len(value.raw) if isinstance(value, InvalidText) else len(str(value))


def spans(first: int, last: int, size: int, done: Iterable[Part] = ()) -> List[Span]:
    """What is left of the rowids between I(first) and I(last), in parts for I(size) bytes, without those I(done).

    Rows outside of I(first) and I(last) do not exist; parts that are done may reach beyond them.
    """
    count = max(1, min(size // PART_BYTES, MAX_PARTS, last - first + 1))
    edges = [first + (last - first + 1) * number // count for number in range(count)] + [last + 1]
    left: List[Span] = []
    for low, high in zip(edges, edges[1:]):
        left += _without(Span(low, high - 1), done)
    return left


def _without(span: Span, done: Iterable[Part]) -> List[Span]:
    left = [span]
    for part in done:
        left = [
            rest
            for piece in left
            for rest in (
                Span(piece.first, min(piece.last, part.first - 1)),
                Span(max(piece.first, part.last + 1), piece.last),
            )
            if rest.first <= rest.last
        ]
    return left
