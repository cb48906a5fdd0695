# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare every value of every row of two tables by meaning, in constant memory.

Both sides are read in one order of keys and walked side by side (a merge join). Whether a side really comes in that
order is checked row by row, never assumed. Where it does not, the comparison of this table starts again and sorts:

======== ======================================== ==============================================================
order    how                                      when
======== ======================================== ==============================================================
streamed both sides as their databases order them the usual case: integers, text, plain uuids, moments ...
source   source sorted on disk, target streamed   SQLite orders the stored spelling otherwise (upper-case uuids,
                                                  mapped keys, integers that become text)
both     both sorted on disk                      no order in common (interval, arrays), or the target's own differs
content  both sorted on disk by their content     no key on both sides, or a key that occurs twice: rows are compared
                                                  as a multiset
======== ======================================== ==============================================================
"""

from __future__ import annotations

import marshal
import time
from contextlib import ExitStack
from typing import (
    AbstractSet,
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)

from ._fast import Span
from ._keys import KeyPlan, OrderTerm, key_plan, normal_form, row_digest
from ._model import ColumnMap, TableMap, TargetTable
from ._ports import Progress, RowSource, Silent, SourceRow
from ._probes import Probe
from ._rows import RowConverter, RowMisfit
from ._values import InvalidText, Misfit, SqliteValue, sample
from ._verdict import TableVerdict, name_row, show_row, show_values

TargetRow = Tuple[Optional[str], ...]
#: What a source value converts to: a literal, NULL, or the reason why it does not.
Converted = Union[None, str, Misfit]

#: Rows of the source, and bytes of the target, between two messages to whoever waits.
CHUNK = 1000
CHUNK_BYTES = 1 << 18

#: The orders of the module's text, each with the one to go on with where it turns out not to hold.
STREAMED, SOURCE, BOTH, CONTENT = "streamed", "source", "both", "content"

#: The system column that names a row without a key.
LOCATION = "ctid"


class KeyRange(NamedTuple):
    """Rows of the target whose whole number I(column), a key, is between I(first) and I(last)."""

    column: str
    first: int
    last: int


class Digests(NamedTuple):
    """What the target has in a range: rows, and for each column how many are not NULL, and the SHA-256 (hex) of all."""

    rows: int
    present: Tuple[int, ...]
    hashes: Tuple[str, ...]


class RowTarget(Protocol):
    """A PostgreSQL schema, read in one transaction: everything that is read belongs to one moment."""

    def rows(
        self,
        table: TargetTable,
        columns: Sequence[str],
        order_by: Sequence[OrderTerm],
        between: Optional[KeyRange] = None,
    ) -> Iterator[TargetRow]:
        """Rows with just I(columns) as PostgreSQL prints them, in that order, streamed in constant memory."""

    def digests(self, table: TargetTable, probes: Sequence[Tuple[str, Probe]], between: KeyRange) -> Digests:
        """What the columns of these names hold in that range, rows in the key's order, each as its probe says."""

    def same_documents(
        self, table: TargetTable, names: Sequence[str], between: KeyRange, texts: Sequence[bytes]
    ) -> bool:
        """Whether the columns I(names) of jsonb hold, row by row, what I(texts) mean (see C(Chunk))."""


class Spool(Protocol):
    """Rows put on disk and given back in order, in constant memory."""

    def fill(self, items: Iterable[Tuple[bytes, bytes]]) -> None:
        """Take all I(items), each a key and what belongs to it."""

    def sorted(self) -> Iterator[Tuple[bytes, bytes]]:
        """All items in the order of their keys' bytes."""

    def close(self) -> None:
        """Forget everything and free the disk."""


class Disorder(Exception):
    """Rows of a side did not come in strictly rising order; I(twice) where a key came twice."""

    def __init__(self, side: str, twice: bool) -> None:
        super().__init__(side, twice)
        self.side = side
        self.twice = twice


class _SourceItem(NamedTuple):
    key: bytes
    row: SourceRow
    literals: Sequence[Converted]


class _TargetItem(NamedTuple):
    key: bytes
    row: TargetRow


def compare_table(
    table: TableMap,
    source: RowSource,
    target: RowTarget,
    make_spool: Callable[[], Spool],
    *,
    limit: int = 20,
    watch: Optional[Mapping[str, bool]] = None,
    quarantined: AbstractSet[Tuple[SqliteValue, ...]] = frozenset(),
    progress: Optional[Progress] = None,
    span: Optional[Span] = None,
) -> TableVerdict:
    """Compare one mapped table, or the rows of I(span), which only a table of C(_ranges) has.

    I(limit) bounds the differences that are described, never those that are counted. I(watch) names target columns of
    whole numbers whose outermost value is wanted: true for the smallest, false for the largest. I(quarantined) holds the
    keys (source values of C(SourceTable.key), in that order) of rows that must not be in the target.
    """
    comparison = _Comparison(
        table, source, target, make_spool, limit, watch or {}, quarantined, progress or Silent(), span
    )
    started = time.monotonic()
    order = comparison.first_order
    while True:
        try:
            verdict = comparison.run(order)
        except Disorder as disorder:
            comparison.take_back()
            order = _after(order, disorder)
            continue
        verdict.seconds = time.monotonic() - started
        return verdict


def _after(order: str, disorder: Disorder) -> str:
    """The order to go on with once I(order) has turned out not to hold."""
    if disorder.twice:
        return CONTENT
    return SOURCE if order == STREAMED and disorder.side == "source" else BOTH


class _Comparison:
    """One table's comparison; M(run) may be called again with another order."""

    def __init__(
        self,
        table: TableMap,
        source: RowSource,
        target: RowTarget,
        make_spool: Callable[[], Spool],
        limit: int,
        watch: Mapping[str, bool],
        quarantined: AbstractSet[Tuple[SqliteValue, ...]],
        progress: Progress,
        span: Optional[Span],
    ) -> None:
        self.span = span
        self.table = table
        self.source = source
        self.target = target
        self.make_spool = make_spool
        self.limit = limit
        self.quarantined = quarantined
        self.progress = progress
        self.converter = RowConverter(table)
        self.codecs = [converter.codec for converter in self.converter.converters]
        self.width = len(table.columns)
        names = list(self.converter.columns)
        self.wanted = names + [name for name in table.source.key if name not in names]
        self.naming = [self.wanted.index(name) for name in table.source.key]
        self.keys: Optional[Tuple[ColumnMap, ...]] = table.key_columns
        self.key_places = [names.index(column.source) for column in self.keys or ()]
        self.plan: Optional[KeyPlan] = key_plan([column.target for column in self.keys]) if self.keys else None
        targets = self.converter.target_columns
        self.watched = [
            (targets.index(name), name, min if smallest else max) for name, smallest in watch.items() if name in targets
        ]
        self.verdict = self._new_verdict("")
        self._told = self._told_bytes = 0

    @property
    def first_order(self) -> str:
        if self.plan is None:
            return CONTENT
        return STREAMED if self.plan.order else BOTH

    def _new_verdict(self, order: str) -> TableVerdict:
        return TableVerdict(self.table.source.name, self.table.target.name, self.limit, order=order)

    def run(self, order: str) -> TableVerdict:
        """Compare with both sides in I(order). Raises Disorder where a side does not keep it."""
        self.verdict = self._new_verdict(order)
        self._told = self._told_bytes = 0
        bytes_of = self._bytes_of(order)
        if self.span is None:
            self.progress.begin(self.table.source.name, self.source.count(self.table.source))
        with ExitStack() as stack:
            sources: Iterator[_SourceItem] = self._source_items(stack, order, bytes_of)
            if order != STREAMED:
                sources = self._sorted(stack, map(self._pack, sources), self._unpack)
            targets: Iterator[_TargetItem] = self._target_items(stack, order, bytes_of)
            if order in (BOTH, CONTENT):
                targets = self._sorted(stack, ((item.key, marshal.dumps(item.row)) for item in targets), _unpack_target)
            if order == CONTENT:
                self._merge(sources, targets)
            else:
                self._merge(_rising(sources, "source"), _rising(targets, "target"))
        if self.span is None:
            self.progress.end(self.table.source.name)
        return self.verdict

    def take_back(self) -> None:
        """The rows of a run that did not count are not done."""
        self.progress.advance(-self._told, -self._told_bytes, self.table.source.name)

    def _tell(self, rows: int, size: int = 0) -> None:
        self._told += rows
        self._told_bytes += size
        self.progress.advance(rows, size, self.table.source.name)

    def _bytes_of(self, order: str) -> Callable[[Sequence[Optional[str]]], bytes]:
        """The function from a row's literals to the bytes by which both sides are ordered and matched."""
        places = self.key_places
        if self.plan is not None and order != CONTENT:
            key_bytes = self.plan.bytes_of
            if len(places) == 1:
                place = places[0]
                return lambda literals: key_bytes((literals[place],))
            return lambda literals: key_bytes([literals[place] for place in places])
        codecs = self.codecs

        def content(literals: Sequence[Optional[str]]) -> bytes:
            forms = [
                None if literal is None else normal_form(codec, literal) for codec, literal in zip(codecs, literals)
            ]
            # By key first, so that differences of one row stand together.
            lead = self.plan.bytes_of([literals[place] for place in places]) if self.plan is not None else b""
            return lead + row_digest(forms)

        return content

    # The two sides

    def _source_items(
        self, stack: ExitStack, order: str, bytes_of: Callable[[Sequence[Optional[str]]], bytes]
    ) -> Iterator[_SourceItem]:
        order_by = [column.source for column in self.keys or ()] if order == STREAMED else []
        rows = self.source.rows(self.table.source, self.wanted, order_by, span=self.span)
        _close_with(stack, rows)
        verdict = self.verdict
        convert = self.converter.convert
        waiting = 0
        for row in rows:
            verdict.source_rows += 1
            waiting += 1
            if waiting == CHUNK:
                self._tell(waiting)
                waiting = 0
            if self.quarantined and tuple([row[place] for place in self.naming]) in self.quarantined:
                verdict.quarantined += 1
                self._watch_absent(row)
                continue
            try:
                literals = convert(row)
            except RowMisfit:
                converted = self._convert_each(row)
                self._watch_absent(row)
                if self._unplaced(order, converted):
                    self._lack(row, converted)
                    continue
                yield _SourceItem(bytes_of(converted), row, converted)  # type: ignore[arg-type]
                continue
            for place, name, outer in self.watched:
                literal = literals[place]
                if literal is not None:
                    number = _whole(literal)
                    known = verdict.source_extremes
                    known[name] = outer(known[name], number) if name in known else number
            yield _SourceItem(bytes_of(literals), row, literals)
        self._tell(waiting)

    def _target_items(
        self, stack: ExitStack, order: str, bytes_of: Callable[[Sequence[Optional[str]]], bytes]
    ) -> Iterator[_TargetItem]:
        columns = list(self.converter.target_columns)
        if self.plan is None:
            columns.append(LOCATION)
        order_by = self.plan.order if self.plan is not None and order in (STREAMED, SOURCE) else ()
        between = None if self.span is None else KeyRange((self.keys or ())[0].target.name, *self.span)
        rows = self.target.rows(self.table.target, columns, order_by, between)
        _close_with(stack, rows)
        known = self.verdict.target_extremes
        # Where a side is sorted, the two are not read in step: the server's is the one that others use too.
        size = 0
        for row in rows:
            self.verdict.target_rows += 1
            size += sum(map(len, filter(None, row)))
            if size >= CHUNK_BYTES:
                self._tell(0, size)
                size = 0
            for place, name, outer in self.watched:
                literal = row[place]
                if literal is not None:
                    number = _whole(literal)
                    known[name] = outer(known[name], number) if name in known else number
            yield _TargetItem(bytes_of(row), row)
        self._tell(0, size)

    def _convert_each(self, row: SourceRow) -> List[Converted]:
        """A row that does not fit as a whole, value by value."""
        converted: List[Converted] = []
        for converter, value in zip(self.converter.converters, row):
            try:
                converted.append(converter.convert(value))
            except Misfit as misfit:
                converted.append(misfit)
        return converted

    def _unplaced(self, order: str, converted: Sequence[Converted]) -> bool:
        """Whether a row that does not fit has no place in this order, so that it can only be missing."""
        places = range(self.width) if order == CONTENT else self.key_places
        return any(isinstance(converted[place], Misfit) for place in places)

    def _watch_absent(self, row: SourceRow) -> None:
        """A row that is not in the target may come back later: its key counts for the sequences, if the type holds it."""
        known = self.verdict.source_extremes
        for place, name, outer in self.watched:
            try:
                literal = self.converter.converters[place].convert(row[place])
            except Misfit:
                continue
            if literal is not None:
                number = _whole(literal)
                known[name] = outer(known[name], number) if name in known else number

    # Sorting on disk

    def _sorted(
        self, stack: ExitStack, items: Iterable[Tuple[bytes, bytes]], unpack: Callable[[bytes, bytes], Any]
    ) -> Any:
        spool = self.make_spool()
        stack.callback(spool.close)
        spool.fill(items)
        return (unpack(key, payload) for key, payload in spool.sorted())

    @staticmethod
    def _pack(item: _SourceItem) -> Tuple[bytes, bytes]:
        row = tuple([(value.raw,) if isinstance(value, InvalidText) else value for value in item.row])
        literals = None if any(isinstance(literal, Misfit) for literal in item.literals) else tuple(item.literals)
        payload: Any = (row, literals)
        return item.key, marshal.dumps(payload)

    def _unpack(self, key: bytes, payload: bytes) -> _SourceItem:
        row, literals = marshal.loads(payload)
        row = tuple([InvalidText(value[0]) if isinstance(value, tuple) else value for value in row])
        return _SourceItem(key, row, self._convert_each(row) if literals is None else literals)

    # Side by side

    def _merge(self, sources: Iterator[_SourceItem], targets: Iterator[_TargetItem]) -> None:
        """The merge join. Equal bytes meet in pairs, so that a multiset is compared by its counts."""
        left = next(sources, None)
        right = next(targets, None)
        while left is not None and right is not None:
            if left.key == right.key:
                self._pair(left, right)
                left = next(sources, None)
                right = next(targets, None)
            elif left.key < right.key:
                self._lack(left.row, left.literals)
                left = next(sources, None)
            else:
                self._extra(right.row)
                right = next(targets, None)
        while left is not None:
            self._lack(left.row, left.literals)
            left = next(sources, None)
        while right is not None:
            self._extra(right.row)
            right = next(targets, None)

    def _pair(self, left: _SourceItem, right: _TargetItem) -> None:
        self.verdict.values += self.width
        literals = left.literals
        others = right.row
        if tuple(literals) == others:
            return
        if self.verdict.order == CONTENT:
            return
        for place in range(self.width):
            literal = literals[place]
            other = others[place]
            # Equal texts are equal values, because the normal form is a function of the text.
            if literal != other and not self._means_the_same(place, literal, other):
                self._differ(place, left, right)

    def _means_the_same(self, place: int, literal: Converted, other: Optional[str]) -> bool:
        if literal is None or other is None or isinstance(literal, Misfit):
            return False
        codec = self.codecs[place]
        return normal_form(codec, literal) == normal_form(codec, other)

    # Saying it

    def _differ(self, place: int, left: _SourceItem, right: _TargetItem) -> None:
        if self.verdict.full:
            self.verdict.different += 1
            return
        literal = left.literals[place]
        other = right.row[place]
        value = left.row[place]
        name = self._name(left.row, left.literals)
        if isinstance(literal, Misfit):
            shown = f"{sample(value)} ({literal.reason})", sample(other)
        else:
            shown = show_values(value, literal, other)
        self.verdict.differs(name, self.converter.columns[place], *shown)

    def _lack(self, row: SourceRow, literals: Sequence[Converted]) -> None:
        if self.verdict.full:
            self.verdict.missing += 1
            return
        name = self._name(row, literals)
        for place, literal in enumerate(literals):
            if isinstance(literal, Misfit):
                self.verdict.lacks(name, sample(row[place]), self.converter.columns[place], literal.reason)
                return
        self.verdict.lacks(name, show_row(self.converter.columns, row[: self.width]))

    def _extra(self, row: TargetRow) -> None:
        if self.verdict.full:
            self.verdict.extra += 1
            return
        if self.keys:
            name = self._key_name([row[place] for place in self.key_places])
        else:
            name = f"{LOCATION}={row[self.width]}"
        self.verdict.has_extra(name, show_row(self.converter.columns, row[: self.width]))

    def _name(self, row: SourceRow, literals: Sequence[Converted]) -> str:
        key = [literals[place] for place in self.key_places]
        if key and not any(isinstance(literal, Misfit) for literal in key):
            return self._key_name(key)  # type: ignore[arg-type]
        return name_row(self.table.source.key, [row[place] for place in self.naming])

    def _key_name(self, key: Sequence[Optional[str]]) -> str:
        """The same name for the same key, whichever side it was read from."""
        columns = self.keys or ()
        values: List[SqliteValue] = []
        for column, literal in zip(columns, key):
            values.append(None if literal is None else _READ.get(column.target.type.name, str)(literal))
        return name_row([column.source for column in columns], values)


def _whole(literal: str) -> int:
    """The number that a sequence has to be compared with; a numeric column may print decimal places."""
    return int(literal) if "." not in literal else int(literal.partition(".")[0])


def _bytes(literal: str) -> bytes:
    return bytes.fromhex(literal[2:])


#: Types whose literals are not shown as text in the name of a row.
_READ: Dict[str, Callable[[str], SqliteValue]] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "double precision": float,
    "real": float,
    "bytea": _bytes,
}


def _unpack_target(key: bytes, payload: bytes) -> _TargetItem:
    return _TargetItem(key, marshal.loads(payload))


def _rising(items: Iterator[Any], side: str) -> Iterator[Any]:
    """I(items) as they come; raises Disorder at the first whose key is not above the one before."""
    previous: Optional[bytes] = None
    for item in items:
        if previous is not None and item.key <= previous:
            raise Disorder(side, twice=item.key == previous)
        previous = item.key
        yield item


def _close_with(stack: ExitStack, rows: Iterator[Any]) -> None:
    close = getattr(rows, "close", None)
    if close is not None:
        stack.callback(close)
