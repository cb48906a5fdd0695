# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of the source held against the target, by the very conversion that the load uses.

Four questions, each over all tables: does every value convert; is what the target demands to be unique unique after
conversion; does every foreign key of the target find its parent; which rows hang on rows that cannot be moved.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol, Sequence, Set, Tuple

from ._audit import WARNING, Findings
from ._compare import Spool
from ._fast import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    FEW_ROWS,
    FIRST_ROWID,
    FIRST_ROWS,
    LAST_ROWID,
    MAX_PATIENCE,
    PIECES,
    Checker,
    Chunk,
    Reader,
    Span,
)
from ._keys import row_digest
from ._model import ColumnMap, ForeignKey, Mapping, SourceTable, TableMap, TargetTable
from ._ports import Progress, RowSource, SourceRow
from ._rows import ColumnConverter, RowConverter, RowMisfit
from ._values import Misfit, SqliteValue, sample
from ._verdict import name_row

#: Types whose equality is that of the stored values, so that SQLite can judge it. All others have several spellings.
PLAIN = frozenset(
    {"smallint", "integer", "bigint", "boolean", "text", "character varying", "enum", "bytea"}
)  # fmt: skip
#: Types whose values can be long enough to matter to an index.
WIDE = frozenset({"text", "character varying", "character", "citext", "bytea", "numeric", "jsonb", "array"})
#: Most bytes of a b-tree entry: BTMaxItemSize of PostgreSQL's access/nbtree.h, with 8 kB pages.
INDEX_BYTES = 2704
#: What an entry takes beside its values: header and null bitmap, and a length word and alignment for each value.
ENTRY_BYTES = 16
VALUE_BYTES = 8
#: Rows that cannot be moved are remembered up to this number, to name the rows that hang on them.
MOST_MARKED = 200_000
#: Rounds over tables that point at each other. Each round follows a chain as far as it goes forward.
MOST_ROUNDS = 20
#: Items that a spool takes at a time.
BATCH = 1000


class AuditSource(RowSource, Protocol):
    """A RowSource that can look for foreign keys without a parent."""

    def orphans(self, table: SourceTable, columns: Sequence[str], key: ForeignKey) -> Iterator[SourceRow]:
        """I(columns) of the rows whose foreign key I(key), in SQLite's own names, is not NULL and has no parent."""


class IndexProbe(Protocol):
    """A target that can be asked whether an index takes a value, because PostgreSQL compresses before it measures."""

    def refusal(self, table: TargetTable, columns: Sequence[str], literals: Sequence[Optional[str]]) -> str:
        """Why a b-tree index over I(columns) refuses these values; empty where it takes them."""


@dataclass
class _Link:
    """A foreign key between two tables of the source.

    I(required) where the target has it too. I(child) and I(parent) are the conversions of its columns. I(lost) are the
    normal forms of parents that cannot be moved, I(seen) how many of them the last look at the children knew.
    """

    table: SourceTable
    key: ForeignKey
    required: bool
    child: List[ColumnConverter]
    parent: List[ColumnConverter]
    lost: Set[Tuple[Optional[str], ...]]
    seen: int = 0

    @property
    def plain(self) -> bool:
        return all(is_plain(converter.column) for converter in self.child + self.parent)


def is_plain(column: ColumnMap) -> bool:
    """Whether two values of the column are equal in the target exactly if they are in SQLite."""
    return not column.rules and column.target.type.name in PLAIN


class Scan:
    """One look at everything. Memory does not grow with the number of sound rows."""

    def __init__(
        self,
        source: AuditSource,
        mapping: Mapping,
        findings: Findings,
        spool: Callable[[], Spool],
        progress: Progress,
        probe: Optional[IndexProbe] = None,
    ) -> None:
        """Without I(probe), values that may be too long for an index are warnings only."""
        self.source = source
        self.mapping = mapping
        self.findings = findings
        self.spool = spool
        self.progress = progress
        self.probe = probe
        self.converters = {table.source.name: RowConverter(table) for table in mapping.tables}
        self.links = _links(source.tables(), mapping, self.converters)
        self.needed = {table.source.name: self._needed(table) for table in mapping.tables}
        #: Names of the rows that cannot be moved, by table.
        self.marked: Dict[str, Set[str]] = {table.source.name: set() for table in mapping.tables}
        #: Whether all rows that cannot be moved could be remembered.
        self.complete = True

    def run(self) -> None:
        for table in self.mapping.tables:
            self._scan_values(table)
        for link in self.links:
            self._find_orphans(link)
        self._follow()

    @property
    def rules(self) -> List[Dict[str, Any]]:
        """How many values each declared rule changes."""
        return [
            {"table": table, "column": column, "rule": rule, "values": values}
            for table, converter in self.converters.items()
            for (column, rule), values in sorted(converter.changes.items())
            if values
        ]

    def _needed(self, table: TableMap) -> List[str]:
        """Columns that tell which row it is, whose child it is, and how its children know it."""
        name = table.source.name
        names = list(table.source.key)
        for link in self.links:
            names += link.key.columns if link.table.name == name else ()
            names += link.key.parent_columns if link.key.parent == name else ()
        return list(dict.fromkeys(names))

    # Values

    def _scan_values(self, table: TableMap) -> None:
        look = _Look(table, self.converters[table.source.name], self.needed[table.source.name], self.spool)
        self.progress.begin(table.source.name, self.source.count(table.source))
        try:
            columns = look.converter.fast_columns()
            read = self.source.reader(table.source, columns) if columns is not None else None
            if read is None or columns is None:
                self._scan_rows(look, None)
            else:
                self._scan_chunks(look, read, Checker(columns))
            for unique in look.uniques:
                unique.report(self.findings)
        finally:
            for unique in look.uniques:
                unique.close()
        self.progress.end()

    def _scan_chunks(self, look: _Look, read: Reader, checker: Checker) -> None:
        """Chunks whose values all fit are done with; all others are looked at row by row."""
        first, rows, patience, singly = FIRST_ROWID, FIRST_ROWS, 0, 0
        while first <= LAST_ROWID:
            chunk = read(first, LAST_ROWID, rows)
            if chunk is None:
                return
            if singly:
                singly -= 1
                self._scan_rows(look, Span(chunk.first, chunk.last))
            else:
                sound = self._narrow(look, read, checker, chunk)
                patience = 0 if sound else min(2 * patience + 1, MAX_PATIENCE)
                singly = patience
            size = sum(map(len, chunk.columns))
            rows = max(1, min(CHUNK_ROWS, 2 * rows, chunk.rows * CHUNK_BYTES // max(size, 1)))
            first = chunk.last + 1

    def _narrow(self, look: _Look, read: Reader, checker: Checker, chunk: Chunk) -> int:
        """How many rows of I(chunk) need no closer look."""
        longest = checker.longest(chunk)
        if longest is not None and not any(_longer(index, longest) for index in look.indexes):
            self._take_unique(look, Span(chunk.first, chunk.last))
            self.progress.advance(chunk.rows)
            return chunk.rows
        if chunk.rows <= FEW_ROWS:
            self._scan_rows(look, Span(chunk.first, chunk.last))
            return 0
        sound, first = 0, chunk.first
        while first <= chunk.last:
            piece = read(first, chunk.last, chunk.rows // PIECES)
            if piece is None:
                break
            sound += self._narrow(look, read, checker, piece)
            first = piece.last + 1
        return sound

    def _take_unique(self, look: _Look, span: Span) -> None:
        """The values of sound rows that have to be unique."""
        table = look.table.source
        for unique in look.uniques:
            columns = unique.columns
            for row in self.source.rows(table, [*columns, *table.key], span=span):
                values, key = row[: len(columns)], row[len(columns) :]
                literals = [converter.convert(value) for converter, value in zip(unique.converters, values)]
                unique.take(literals, values, key)

    def _scan_rows(self, look: _Look, span: Optional[Span]) -> None:
        """Every value of every row of I(span), or of all."""
        table, columns, naming = look.table, look.columns, look.naming
        number = 0
        for number, row in enumerate(self.source.rows(table.source, columns, span=span), 1):
            try:
                literals = look.converter.convert(row)
            except RowMisfit as misfit:
                self._refused(table, columns, row, misfit)
            else:
                for unique in look.uniques:
                    key = [row[place] for place in naming]
                    unique.take([literals[p] for p in unique.places], [row[p] for p in unique.places], key)
                for index in look.indexes:
                    if _may_be_long(index, literals) and not self._fits(table, index, literals, row, naming):
                        self._mark(table, dict(zip(columns, row)))
            if number % BATCH == 0:
                self.progress.advance(BATCH)
        self.progress.advance(number % BATCH)

    def _refused(self, table: TableMap, columns: Sequence[str], row: SourceRow, refusal: RowMisfit) -> None:
        values = dict(zip(columns, row))
        name = _name(table.source, values)
        for problem in refusal.problems:
            misfit = problem.misfit
            shown = sample(problem.value)
            self.findings.add(table.source.name, problem.column, misfit.kind, name, shown, misfit.reason, misfit.advice)
        self._mark(table, values)

    def _fits(
        self,
        table: TableMap,
        index: Sequence[int],
        literals: Sequence[Optional[str]],
        row: SourceRow,
        naming: Sequence[int],
    ) -> bool:
        """Whether the index takes the values, or may take them for all that is known."""
        sizes = {place: _index_bytes(table, place, literals[place]) for place in index}
        needed = ENTRY_BYTES + sum(size + VALUE_BYTES for size in sizes.values())
        if needed <= INDEX_BYTES:
            return True
        widest = max(index, key=lambda place: sizes[place])
        column = table.columns[widest]
        names = [table.columns[place].target.name for place in index]
        what = f"the index over {', '.join(names)} has to hold {sum(sizes.values())} bytes, its limit is {INDEX_BYTES}"
        severity = WARNING
        if self.probe is None:
            what += "; whether the value can be compressed enough is not known without a target"
        else:
            refusal = self.probe.refusal(table.target, names, [literals[place] for place in index])
            if not refusal:
                return True
            what, severity = f"{what}: {refusal}", "error"
        key = name_row(table.source.key, [row[place] for place in naming])
        shown = sample(row[widest])
        self.findings.add(table.source.name, column.source, "too_long_for_index", key, shown, what, severity=severity)
        return severity == WARNING

    # Foreign keys

    def _find_orphans(self, link: _Link) -> None:
        name = link.table.name
        table = self.mapping.by_source(name)
        if table is None:
            return
        columns = list(dict.fromkeys([*self.needed[name], *link.key.columns]))
        reason = f"there is no {link.key.parent} with {', '.join(link.key.parent_columns)} like this"
        if not link.required:
            reason += "; it is a foreign key of SQLite only, the target does not have it"
        for row in self._without_parent(link, columns):
            values = dict(zip(columns, row))
            key = [values[column] for column in link.key.columns]
            # A value that does not convert has been found already, as what it is.
            if link.required and _normal(link.child, key) is None:
                continue
            self.findings.add(
                name,
                ", ".join(link.key.columns),
                "orphan",
                _name(link.table, values),
                ", ".join(sample(value) for value in key),
                reason,
                severity="error" if link.required else WARNING,
            )
            if link.required:
                self._mark(table, values)

    def _without_parent(self, link: _Link, columns: Sequence[str]) -> Iterator[SourceRow]:
        if not link.required or link.plain:
            yield from self.source.orphans(link.table, columns, link.key)
            return
        parents, children = self.spool(), self.spool()
        known: Iterator[Tuple[bytes, bytes]] = iter(())
        try:
            parent = next(table for table in self.source.tables() if table.name == link.key.parent)
            parents.fill(self._digests(parent, link.key.parent_columns, link.key.parent_columns, link.parent))
            children.fill(self._digests(link.table, columns, link.key.columns, link.child))
            known = parents.sorted()
            current = next(known, (None, b""))[0]
            for digest, payload in children.sorted():
                while current is not None and current < digest:
                    current = next(known, (None, b""))[0]
                if current != digest:
                    yield pickle.loads(payload)  # noqa: S301 - written a moment ago into a file without a name
        finally:
            # Not read to its end, as a rule: the generator has to go before what it reads from.
            getattr(known, "close", lambda: None)()
            parents.close()
            children.close()

    def _digests(
        self, table: SourceTable, columns: Sequence[str], key: Sequence[str], converters: Sequence[ColumnConverter]
    ) -> Iterator[Tuple[bytes, bytes]]:
        """Normal form of the key, as a digest, and the row. Keys with NULL or what does not convert are left out."""
        places = [columns.index(name) for name in key]
        for row in self.source.rows(table, columns):
            normal = _normal(converters, [row[place] for place in places])
            if normal is not None:
                yield row_digest(normal), pickle.dumps(row)

    # Rows that hang on others

    def _mark(self, table: TableMap, values: Dict[str, SqliteValue]) -> bool:
        """Remember a row that cannot be moved; whether it is a new one."""
        marked = self.marked[table.source.name]
        name = _name(table.source, values)
        if name in marked:
            return False
        if sum(len(names) for names in self.marked.values()) >= MOST_MARKED:
            self.complete = False
            return False
        marked.add(name)
        for link in self.links:
            if link.required and link.key.parent == table.source.name:
                normal = _normal(link.parent, [values[column] for column in link.key.parent_columns])
                if normal is not None:
                    link.lost.add(normal)
        return True

    def _follow(self) -> None:
        for _ in range(MOST_ROUNDS):
            grown = False
            for table in self.mapping.tables:
                links = [link for link in self.links if link.table.name == table.source.name and link.required]
                if any(len(link.lost) > link.seen for link in links):
                    grown = True
                    for link in links:
                        link.seen = len(link.lost)
                    self._follow_into(table, links)
            if not grown:
                return
        self.complete = False

    def _follow_into(self, table: TableMap, links: Sequence[_Link]) -> None:
        """Find the children of rows that cannot be moved in one table."""
        columns = self.needed[table.source.name]
        for row in self.source.rows(table.source, columns):
            values = dict(zip(columns, row))
            for link in links:
                key = [values[column] for column in link.key.columns]
                if _normal(link.child, key) in link.lost and self._mark(table, values):
                    self.findings.add(
                        table.source.name,
                        ", ".join(link.key.columns),
                        "parent_quarantined",
                        _name(table.source, values),
                        ", ".join(sample(value) for value in key),
                        f"its row of {link.key.parent} cannot be moved as it is",
                        severity=WARNING,
                    )


class _Look:
    """What is looked at in one table, and how. Rows come with I(columns), the loaded ones first."""

    def __init__(
        self, table: TableMap, converter: RowConverter, needed: Sequence[str], spool: Callable[[], Spool]
    ) -> None:
        self.table = table
        self.converter = converter
        self.columns = [*converter.columns, *(name for name in needed if name not in converter.columns)]
        self.naming = [self.columns.index(name) for name in table.source.key]
        self.uniques = [_Unique(table, converter, names, spool) for names in _unguaranteed(table)]
        self.indexes = _wide_indexes(table)


class _Unique:
    """A column set that the target demands to be unique and that the source does not guarantee."""

    def __init__(
        self, table: TableMap, converter: RowConverter, names: Sequence[str], spool: Callable[[], Spool]
    ) -> None:
        self.table = table
        self.places = [converter.target_columns.index(name) for name in names]
        self.converters = [converter.converters[place] for place in self.places]
        self.columns = [converter.columns[place] for place in self.places]
        self.column = ", ".join(self.columns)
        self.target = f"{table.target.name} ({', '.join(names)})"
        self._spool = spool()
        self._waiting: List[Tuple[bytes, bytes]] = []

    def take(
        self, literals: Sequence[Optional[str]], values: Sequence[SqliteValue], key: Sequence[SqliteValue]
    ) -> None:
        """One row's: what its values are converted to, the values themselves, and those of its key."""
        normal = []
        for literal, converter in zip(literals, self.converters):
            if literal is None:
                return
            text = converter.codec.canonical(literal)
            # PostgreSQL compares citext by its lower case.
            normal.append(text.lower() if converter.codec.type.name == "citext" else text)
        self._waiting.append((row_digest(normal), pickle.dumps((tuple(key), tuple(values)))))
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        self._spool.fill(self._waiting)
        self._waiting = []

    def report(self, findings: Findings) -> None:
        """Every row but the first of those that the target would take for the same."""
        self._flush()
        previous, first = b"", b""
        for digest, payload in self._spool.sorted():
            if digest == previous:
                # Only now somebody wants to read what the rows are.
                name, shown = self._shown(payload)
                reason = f"{self.target} has to be unique, and {self._shown(first)[0]} has the same"
                findings.add(self.table.source.name, self.column, "duplicate", name, shown, reason)
            else:
                previous, first = digest, payload

    def _shown(self, payload: bytes) -> Tuple[str, str]:
        """A row's name and its values."""
        key, values = pickle.loads(payload)  # noqa: S301 - written a moment ago into a file without a name
        return name_row(self.table.source.key, key), ", ".join(map(sample, values))

    def close(self) -> None:
        self._spool.close()


def _unguaranteed(table: TableMap) -> List[Tuple[str, ...]]:
    """Column sets, in the target's names, that have to be unique there without SQLite seeing to it."""
    promised = [set(names) for names in (table.source.primary_key, *table.source.unique) if names]
    wanted: List[Tuple[str, ...]] = []
    for names in dict.fromkeys((table.target.primary_key, *table.target.unique)):
        columns = [column for column in table.columns if column.target.name in names]
        if not names or len(columns) != len(names):
            continue
        plain = {column.source for column in columns if is_plain(column)}
        if not any(promise <= plain for promise in promised):
            wanted.append(names)
    return wanted


def _wide_indexes(table: TableMap) -> List[Tuple[int, ...]]:
    """Places of the loaded columns of each b-tree index whose entries can be long at all."""
    places = {column.target.name: place for place, column in enumerate(table.columns)}
    found: Dict[Tuple[int, ...], None] = {}
    for names in (*table.target.indexed, *table.target.unique, table.target.primary_key):
        index = tuple(places[name] for name in names if name in places)
        if any(table.columns[place].target.type.name in WIDE for place in index):
            found[index] = None
    return list(found)


def _may_be_long(index: Sequence[int], literals: Sequence[Optional[str]]) -> bool:
    """A cheap look: no character takes more than four bytes."""
    length = 0
    for place in index:
        length += len(literals[place] or "") + VALUE_BYTES
    return 4 * length + ENTRY_BYTES > INDEX_BYTES


def _longer(index: Sequence[int], longest: Sequence[int]) -> bool:
    """Whether an entry could be too long if the longest values of all columns stood in one row."""
    return sum(longest[place] + VALUE_BYTES for place in index) + ENTRY_BYTES > INDEX_BYTES


def _index_bytes(table: TableMap, place: int, literal: Optional[str]) -> int:
    if literal is None:
        return 0
    if table.columns[place].target.type.name == "bytea":
        return len(literal) // 2 - 1
    return len(literal.encode("utf-8"))


def _name(table: SourceTable, values: Dict[str, SqliteValue]) -> str:
    return name_row(table.key, [values[column] for column in table.key])


def _normal(converters: Sequence[ColumnConverter], values: Sequence[SqliteValue]) -> Optional[Tuple[str, ...]]:
    """Normal form of a key after conversion; None where a part is NULL or does not convert."""
    normal: List[str] = []
    for converter, value in zip(converters, values):
        try:
            literal = converter.convert(value)
        except Misfit:
            return None
        if literal is None:
            return None
        normal.append(converter.codec.canonical(literal))
    return tuple(normal)


def _links(tables: Sequence[SourceTable], mapping: Mapping, converters: Dict[str, RowConverter]) -> List[_Link]:
    """The target's foreign keys in the source's names, and those that only the source has."""
    there = {table.name: table for table in tables}
    found: Dict[Tuple[str, str, Tuple[Tuple[str, str], ...]], _Link] = {}
    for table in mapping.tables:
        for key in table.target.foreign_keys:
            parent = mapping.by_target(key.parent)
            columns = [table.source_of(name) for name in key.columns]
            parent_columns = [parent.source_of(name) for name in key.parent_columns] if parent else [None]
            if parent is None or None in columns or None in parent_columns:
                continue
            named = ForeignKey(
                tuple(name for name in columns if name is not None),
                parent.source.name,
                tuple(name for name in parent_columns if name is not None),
                key.name,
            )
            link = _Link(
                table.source,
                named,
                True,
                _of_columns(converters[table.source.name], named.columns),
                _of_columns(converters[parent.source.name], named.parent_columns),
                set(),
            )
            found.setdefault(_identity(table.source.name, named), link)
    for table in mapping.tables:
        for key in table.source.foreign_keys:
            origin = there.get(key.parent)
            if origin is None or any(origin.column(name) is None for name in key.parent_columns):
                continue
            found.setdefault(_identity(table.source.name, key), _Link(table.source, key, False, [], [], set()))
    return list(found.values())


def _identity(table: str, key: ForeignKey) -> Tuple[str, str, Tuple[Tuple[str, str], ...]]:
    return table, key.parent, tuple(sorted(zip(key.columns, key.parent_columns)))


def _of_columns(converter: RowConverter, columns: Sequence[str]) -> List[ColumnConverter]:
    # Converters of their own: what they count is not what the load will count.
    own = RowConverter(converter.table)
    return [own.converters[converter.columns.index(name)] for name in columns]
