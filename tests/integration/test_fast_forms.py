# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short cut of the load against the slow, obvious conversion: real SQLite files, a real server, any values.

What the short cut lets through and the server takes has to be exactly what C(Codec.encode) would have put there.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import TargetError
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._copy import copy_in
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs_lists import VectorCodec
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    FIRST_ROWID,
    LAST_ROWID,
    LONGEST,
    FastColumn,
    Packed,
    Packer,
    Span,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import Misfit
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._wire import _WIRES, wire_for, wired_row
from support.conversions import AWKWARD, ENUMS, MANY, PLAIN, PLAIN_BLOBS, like_values_of

TYPES = [
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "numeric(12,3)",
    "double precision",
    "real",
    "text",
    "character varying(5)",
    "character(5)",
    "citext",
    "bytea",
    "uuid",
    "mood",
    "json",
    "jsonb",
    "timestamp without time zone",
    "timestamp(3) without time zone",
    "timestamp with time zone",
    "date",
    "time without time zone",
    "interval",
    "text[]",
    "integer[]",
    "vector",
    "vector(3)",
    "halfvec",
]


VECTOR = VectorCodec(parse_type("vector(3)"))


@dataclass
class Ways:
    """A key and columns of one type on both sides, all with the same values: the first as they are, the second in reverse.

    I(beside) them there is a vector in a BLOB, which takes all of them into binary format. I(never_null): the target's column
    is one without NULL (the server's, which must find out nothing, is not).
    """

    session: Session
    path: Path
    sql_type: str
    columns: int = 1
    beside: bool = False
    never_null: bool = False

    def __post_init__(self) -> None:
        codec = codec_for(parse_type(self.sql_type, ENUMS))
        assert codec is not None
        self.codec = codec
        self.blobs = codec.blobs if isinstance(codec, VectorCodec) and not codec.half else None
        self.names = ["v", "w"][: self.columns]

    def rows(self, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return list(zip(*[values, values[::-1]][: self.columns], strict=True))

    def slowly(self, row: Sequence[Any]) -> tuple[str | None, ...]:
        """The normal form of what belongs there; raises Misfit."""
        return tuple(None if value is None else self.codec.canonical(self.codec.encode(value)) for value in row)

    def fits(self, row: Sequence[Any]) -> bool:
        try:
            self.slowly(row)
        except Misfit:
            return False
        return True

    def wired(self, key: int, row: Sequence[Any]) -> bytes:
        """A row in binary format, of what C(Codec.encode) makes of each value."""
        wire = wire_for(parse_type(self.sql_type, ENUMS))
        assert wire is not None
        fields = [None if value is None else wire(str(self.codec.sent(value))) for value in row]
        return wired_row([struct.pack(">q", key), *fields, *([wire_for(VECTOR.type)("[0,0,0]")] * self.beside)])

    def taken_as_text(self, row: Sequence[Any]) -> bool:
        """Whether the server takes the literals."""
        try:
            with self.session.transaction():
                self.session.execute("SET LOCAL search_path TO public")
                for value in row:
                    literal = None if value is None else self.codec.encode(value)
                    self.session.query(f"SELECT CAST(%s AS {self.sql_type})", (literal,))
        except TargetError:
            return False
        return True

    def packed(self, values: Sequence[Any]) -> list[Packed | Span]:
        """What the short cut makes of I(values), stored as they are."""
        self.path.unlink(missing_ok=True)
        listed, places = ", ".join(self.names), ", ".join("?" * self.columns)
        writer = sqlite3.connect(self.path)
        writer.execute(f"CREATE TABLE t (k INTEGER PRIMARY KEY, {listed}, e DEFAULT (zeroblob(12)))")
        writer.executemany(f"INSERT INTO t ({listed}) VALUES ({places})", self.rows(values))
        writer.commit()
        writer.close()
        key, own = parse_type("bigint"), parse_type(self.sql_type, ENUMS)
        columns = [
            FastColumn("k", True, codec_for(key).fast, wire_for(key)),
            *(FastColumn(name, self.never_null, self.codec.fast, wire_for(own), self.blobs) for name in self.names),
        ]
        if self.beside:
            columns.append(FastColumn("e", False, VECTOR.fast, wire_for(VECTOR.type), VECTOR.blobs))
        blobs = self.beside or (self.blobs is not None and any(isinstance(value, bytes) for value in values))
        columns = [column.of_blobs() for column in columns] if blobs else columns
        with SqliteSource.open(str(self.path)) as source:
            read = source.reader(source.tables()[0], columns)
            assert read is not None
            return list(Packer(columns, read, binary=blobs).pack())

    def taken(self, items: Sequence[Packed]) -> list[tuple[int, tuple[str | None, ...]]]:
        """Keys and normal forms that the server holds after it was sent I(items); none if it refuses them."""
        columns = ", ".join([*(f"{name} {self.sql_type}" for name in self.names), "e vector(3)"])
        filled = ["k", *self.names, *(["e"] if self.beside else [])]
        printed = ", ".join(f"CASE WHEN {n} IS NOT NULL THEN pg_catalog.format('%s', {n}) END" for n in self.names)
        try:
            with self.session.transaction():
                self.session.execute("SET LOCAL search_path TO public")
                self.session.execute(f"CREATE TEMP TABLE t (k bigint, {columns}) ON COMMIT DROP")
                copy_in(self.session, "pg_temp", "t", filled, iter(items), binary=items[0].binary)
                found = self.session.query(f"SELECT k, {printed} FROM t ORDER BY k")
        except TargetError as error:
            assert str(error.details.get("sqlstate", "")).startswith(("22", "54")), error
            return []
        return [(key, tuple(None if t is None else self.codec.canonical(t) for t in texts)) for key, *texts in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast")


def require_same(ways: Ways, values: Sequence[Any]) -> int:
    """How many of I(values) went the short way, after they were compared."""
    items = ways.packed(values)
    packed = [item for item in items if isinstance(item, Packed)]
    singly = [
        k for k in range(1, len(values) + 1) for item in items if isinstance(item, Span) and item[0] <= k <= item[1]
    ]
    assert sum(item.rows for item in packed) + len(singly) == len(values)
    # One refused row hides the others of its chunk: those are sent singly then.
    found = ways.taken(packed) if packed else []
    if packed and not found and packed[0].binary:
        return sum(require_same(ways, [value]) for value in values) if len(values) > 1 else 0
    if packed and not found:
        lines = [line for item in packed for line in item.text.split(b"\x03")]
        found = [row for line in lines for row in ways.taken([Packed(1, line)])]
    rows = ways.rows(values)
    for key, forms in found:
        assert forms == ways.slowly(rows[key - 1]), rows[key - 1]
    return len(found)


def require_same_singly(ways: Ways, values: Sequence[Any]) -> int:
    """The same for rows that are converted one by one in a table that goes in binary format; all that text takes are taken."""
    rows = [row for row in ways.rows(values) if ways.fits(row)]
    found = ways.taken([Packed(1, ways.wired(key, row), True) for key, row in enumerate(rows, 1)]) if rows else []
    if not found and len(rows) > 1:
        return sum(require_same_singly(ways, [value]) for value in values)
    if not found and rows:
        assert not ways.taken_as_text(rows[0]), rows[0]
    assert [forms for _, forms in found] == [ways.slowly(row) for row in rows[: len(found)]]
    return len(found)


@pytest.mark.parametrize("sql_type", TYPES)
def test_nothing_awkward_goes_through_as_something_else(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "awkward.db", sql_type)
    for value in AWKWARD:
        require_same(ways, [value])
    for columns in (1, 2):
        require_same(Ways(session, folder / "awkward.db", sql_type, columns), AWKWARD)


def drawn(data: st.DataObject, sql_type: str) -> list[Any]:
    """Values for a column of I(sql_type), some of which it may not take; SQLite keeps no lone surrogates."""
    one = like_values_of(sql_type)
    values = data.draw(st.lists(one | st.none(), min_size=1, max_size=20) | st.lists(one | st.sampled_from(AWKWARD)))
    return [v for v in values if not (isinstance(v, str) and any(0xD800 <= ord(c) < 0xE000 for c in v))]


@pytest.mark.parametrize("sql_type", TYPES)
@settings(MANY, max_examples=60)
@given(data=st.data(), columns=st.sampled_from([1, 2]))
def test_what_goes_the_short_way_is_what_the_slow_one_makes(
    session: Session, folder: Path, sql_type: str, columns: int, data: st.DataObject
) -> None:
    values = drawn(data, sql_type)
    require_same(Ways(session, folder / f"{len(sql_type)}.db", sql_type, columns), values)


@pytest.mark.parametrize("sql_type", PLAIN)
def test_separators_inside_of_one_column_do_not_reach_another(session: Session, folder: Path, sql_type: str) -> None:
    """What one text has too much of, another one may lack."""
    ways = Ways(session, folder / "separators.db", sql_type, 2)
    plain = PLAIN[sql_type][0]
    signs = ["", "\x02", "\x03", "\x04", "a\x02b", "\x03\x04", "\x02\x03"]
    for one in signs:
        for other in signs:
            values = [plain, one, None, other, plain]
            packed = [item for item in ways.packed(values) if isinstance(item, Packed)]
            # Nothing that the server would take for more columns, or rows, than there are.
            assert not packed or ways.taken(packed)
            require_same(ways, values)


@pytest.mark.parametrize("sql_type", PLAIN)
def test_nulls_mark_is_no_null_where_none_can_be(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "mark.db", sql_type, never_null=True)
    plain = next(value for value in PLAIN[sql_type] if value is not None)
    for value in ("\x04", "a\x04b", "\x04\x03", ""):
        require_same(ways, [plain, value, plain])
    # SQLite may hold NULL all the same: it is left to the slow way, which refuses it.
    (left,) = ways.packed([None])
    assert isinstance(left, Span) and left.last == 1
    assert require_same(ways, [plain] * 20) == 20


@pytest.mark.parametrize("limited", [True, False])
def test_long_values_are_left_to_the_slow_way(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    """Where Python does not know SQLite's limit (before 3.11) as well."""
    if not limited:
        monkeypatch.delattr(sqlite3, "SQLITE_LIMIT_LENGTH")
    ways = Ways(session, folder / "long.db", "text", 2)
    values = ["x"] * 200
    values[70], values[71], values[150] = "y" * (LONGEST + 1), "z" * (LONGEST // 8), "\u00e4" * LONGEST
    items = ways.packed(values)
    singly = [k for item in items if isinstance(item, Span) for k in range(item.first, item.last + 1)]
    assert {71, 151, 200 - 70, 200 - 150} <= set(singly) and len(singly) < 100
    assert max(len(item.text) for item in items if isinstance(item, Packed)) <= 3 * LONGEST
    assert require_same(ways, values) == len(values) - len(singly)


@pytest.mark.parametrize("sql_type", PLAIN)
def test_plain_values_go_the_short_way(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "plain.db", sql_type)
    assert all(isinstance(item, Packed) for item in ways.packed(PLAIN[sql_type]))
    assert require_same(ways, PLAIN[sql_type]) == len(PLAIN[sql_type])


@pytest.mark.parametrize("sql_type", ["vector", "vector(3)"])
def test_vectors_in_blobs_go_the_short_way(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "plain.db", sql_type, 2)
    assert all(isinstance(item, Packed) and item.binary for item in ways.packed(PLAIN_BLOBS))
    assert require_same(ways, PLAIN_BLOBS) == len(PLAIN_BLOBS)


@pytest.mark.parametrize("sql_type", ["vector", "vector(3)"])
@given(blobs=st.lists(st.none() | st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=9))
@settings(MANY, max_examples=60)
def test_vectors_in_blobs_arrive_bit_for_bit(
    session: Session, folder: Path, sql_type: str, blobs: list[list[float] | None]
) -> None:
    ways = Ways(session, folder / "blobs.db", sql_type, 2)
    require_same(ways, [None if numbers is None else struct.pack("<3f", *numbers) for numbers in blobs])


#: What goes in binary format where a table has vectors in BLOBs.
WIRED = [sql_type for sql_type in TYPES if wire_for(parse_type(sql_type, ENUMS)) is not None]


def test_every_binary_format_is_tried() -> None:
    assert {parse_type(sql_type, ENUMS).name for sql_type in WIRED} == set(_WIRES)


@pytest.mark.parametrize("sql_type", WIRED)
def test_nothing_awkward_goes_through_in_binary_format(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "binary.db", sql_type, 2, beside=True)
    # What is refused is tried value by value.
    require_same(ways, AWKWARD)
    require_same_singly(ways, AWKWARD)


@pytest.mark.parametrize("sql_type", [name for name in WIRED if name in PLAIN])
def test_plain_values_go_in_binary_format(session: Session, folder: Path, sql_type: str) -> None:
    ways = Ways(session, folder / "binary.db", sql_type, 1, beside=True)
    assert all(isinstance(item, Packed) and item.binary for item in ways.packed(PLAIN[sql_type]))
    assert require_same(ways, PLAIN[sql_type]) == len(PLAIN[sql_type])
    assert require_same_singly(ways, PLAIN[sql_type]) == len(PLAIN[sql_type])


@pytest.mark.parametrize("sql_type", WIRED)
@settings(MANY, max_examples=30)
@given(data=st.data(), columns=st.sampled_from([1, 2]))
def test_what_goes_in_binary_format_is_what_the_slow_way_makes(
    session: Session, folder: Path, sql_type: str, columns: int, data: st.DataObject
) -> None:
    values = drawn(data, sql_type)
    ways = Ways(session, folder / "wired.db", sql_type, columns, beside=True)
    require_same(ways, values)
    require_same_singly(ways, values)


def test_a_row_that_does_not_qualify_takes_few_others_with_it(session: Session, folder: Path) -> None:
    ways = Ways(session, folder / "few.db", "integer")
    values: list[Any] = list(range(2000))
    values[777] = "777x"
    items = ways.packed(values)
    singly = [item for item in items if isinstance(item, Span)]
    assert [span.first <= 778 <= span.last for span in singly] == [True]
    assert singly[0].last - singly[0].first < 10
    assert require_same(ways, values) >= 1990


def test_chunks_are_bounded_by_rows_and_bytes(session: Session, folder: Path) -> None:
    ways = Ways(session, folder / "bounds.db", "text")
    small = [item for item in ways.packed(["x"] * 3000) if isinstance(item, Packed)]
    assert max(item.rows for item in small) == CHUNK_ROWS
    # Chunks of longer rows get shorter, and of shorter ones longer again.
    mixed = ways.packed(["x"] * 1000 + ["y" * 10_000] * 1000 + ["x"] * 1000)
    sizes = [len(item.text) for item in mixed if isinstance(item, Packed)]
    assert sum(size > 2 * CHUNK_BYTES for size in sizes) == 1
    assert len(mixed) < 1000 * 10_000 / CHUNK_BYTES + 30


def test_a_part_of_a_table_by_its_rowids(session: Session, folder: Path) -> None:
    ways = Ways(session, folder / "part.db", "integer")
    ways.packed(list(range(100)))
    columns = [FastColumn("v", False, ways.codec.fast)]
    with SqliteSource.open(str(ways.path)) as source:
        read = source.reader(source.tables()[0], columns)
        assert read is not None
        parts = [
            json.loads(b"[" + item.text.replace(b"\x03", b",") + b"]")
            for first, last in ((FIRST_ROWID, 40), (41, 41), (42, LAST_ROWID), (500, 600))
            for item in Packer(columns, read).pack(first, last)
            if isinstance(item, Packed)
        ]
    assert [row for part in parts for row in part] == list(range(100))
