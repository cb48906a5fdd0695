# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparison by hashes against comparison value by value: real SQLite files, a real server, any values."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import TargetError
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._reader import SchemaReader
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._spool import DiskSpool
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._compare import compare_table
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import FIRST_ROWID, LAST_ROWID, Span
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    MappingOptions,
    TableMap,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._ranges import RangeComparison, ranged
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import Misfit
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._verdict import TableVerdict
from support.conversions import AWKWARD, ENUMS, MANY, PLAIN, PLAIN_BLOBS, like_values_of

#: Types whose values no hash can stand for; their tables are compared row by row as a whole.
NOT_HASHED = {"interval", "integer[]", "halfvec"}
TYPES = [*(name for name in PLAIN if name not in NOT_HASHED), "smallint", "character(5)", "citext"]


@dataclass
class Pair:
    """A table with a key and a column of one type on both sides."""

    session: Session
    path: Path
    sql_type: str
    exact: list[Span] = field(default_factory=list)

    def source(self, values: Sequence[Any]) -> None:
        self.path.unlink(missing_ok=True)
        writer = sqlite3.connect(self.path)
        writer.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v)")
        writer.executemany("INSERT INTO t (v) VALUES (?)", [(value,) for value in values])
        writer.commit()
        writer.close()

    def target(self, literals: Sequence[str | None]) -> None:
        """To be called in a transaction, which is rolled back."""
        self.session.execute("SET LOCAL search_path TO public")
        self.session.execute(f"CREATE TABLE public.t (k bigint PRIMARY KEY, v {self.sql_type})")
        for key, literal in enumerate(literals, 1):
            self.session.execute("INSERT INTO t VALUES (%s, %s)", (key, literal))
        self.session.pin_path()

    def table(self, source: SqliteSource) -> TableMap:
        columns = (
            TargetColumn("k", parse_type("bigint"), not_null=True),
            TargetColumn("v", parse_type(self.sql_type, ENUMS)),
        )
        target = TargetTable("public", "t", columns, primary_key=("k",), unique=(("k",),), indexed=(("k",),))
        return plan_mapping(source.tables(), [target], MappingOptions()).tables[0]

    def verdicts(self, values: Sequence[Any], literals: Sequence[str | None]) -> tuple[TableVerdict, TableVerdict]:
        """By ranges, and row by row; I(exact) are the spans for which the former asked the latter."""
        self.source(values)
        self.exact = []
        with SqliteSource.open(str(self.path)) as source:
            table = self.table(source)
            how = ranged(table)
            assert how is not None
            with self.session.transaction():
                self.target(literals)
                reader = SchemaReader(self.session, "public")

                def exactly(span: Span | None) -> TableVerdict:
                    if span is not None:
                        self.exact.append(span)
                    return compare_table(table, source, reader, DiskSpool, span=span)

                verdict = TableVerdict("t", "t", 20)
                RangeComparison(how, source, reader, verdict, exactly, lambda _rows, _size: None).run(
                    Span(FIRST_ROWID, LAST_ROWID)
                )
                slow = exactly(None)
                self.session.execute("DROP TABLE public.t")
        return verdict, slow


def require_same(pair: Pair, values: Sequence[Any], literals: Sequence[str | None]) -> TableVerdict:
    fast, slow = pair.verdicts(values, literals)
    for name in ("source_rows", "target_rows", "values", "missing", "extra", "different", "differences"):
        assert getattr(fast, name) == getattr(slow, name), name
    return fast


def encoded(sql_type: str, value: Any) -> str | None:
    codec = codec_for(parse_type(sql_type, ENUMS))
    assert codec is not None
    return None if value is None else codec.encode(value)


@pytest.mark.parametrize("sql_type", TYPES)
def test_equal_values_have_equal_hashes(session: Session, tmp_path: Path, sql_type: str) -> None:
    values = PLAIN.get(sql_type, [1, 2, None] if sql_type == "smallint" else ["a", "ab", None])
    if sql_type == "timestamp without time zone":
        values = [value for value in values if value != "2024-02-29"]  # dates alone are compared row by row
    pair = Pair(session, tmp_path / "t.db", sql_type)
    verdict = require_same(pair, values, [encoded(sql_type, value) for value in values])
    assert verdict.equal and verdict.values == 2 * len(values)
    assert pair.exact == []


def test_vectors_in_blobs_have_equal_hashes(session: Session, tmp_path: Path) -> None:
    pair = Pair(session, tmp_path / "t.db", "vector")
    literals = [encoded("vector", value) for value in PLAIN_BLOBS]
    assert require_same(pair, PLAIN_BLOBS, literals).equal
    assert pair.exact == []
    literals[0] = "[1.5,0,1e-40]"
    assert require_same(pair, PLAIN_BLOBS, literals).different == 1


@pytest.mark.parametrize("sql_type", TYPES)
@settings(MANY, max_examples=25)
@given(data=st.data())
def test_hashes_find_whatever_a_comparison_of_values_finds(
    session: Session, tmp_path_factory: pytest.TempPathFactory, sql_type: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(like_values_of(sql_type) | st.sampled_from(AWKWARD) | st.none(), min_size=1, max_size=8))
    values, literals = [], []
    for value in drawn:
        if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
            continue
        try:
            literals.append(encoded(sql_type, value))
        except Misfit:
            literals.append(None)
        values.append(value)
    # Some rows of the target hold what another row should hold, or nothing.
    for place in data.draw(st.lists(st.integers(0, max(len(values) - 1, 0)), max_size=3)) if values else []:
        literals[place] = data.draw(st.sampled_from([*literals, None]))
    pair = Pair(session, tmp_path_factory.getbasetemp() / "hashes.db", sql_type)
    try:
        require_same(pair, values, literals)
    except TargetError as error:
        # What PostgreSQL refuses (an infinite timestamp's text, say) cannot be in the target.
        assert str(error.details.get("sqlstate", "")).startswith(("22", "54")), error


def test_a_difference_is_narrowed_down(session: Session, tmp_path: Path) -> None:
    values = [f"text {number}" for number in range(3000)]
    literals: list[str | None] = list(values)
    literals[1234] = "another"
    pair = Pair(session, tmp_path / "t.db", "text")
    verdict = require_same(pair, values, literals)
    assert (verdict.different, verdict.differences[0].key, verdict.differences[0].column) == (1, "k=1235", "v")
    assert sum(span.last - span.first + 1 for span in pair.exact) <= 64


@pytest.mark.parametrize("missing", [0, 1500, 2999])
def test_a_missing_row_is_found_wherever_it_is(session: Session, tmp_path: Path, missing: int) -> None:
    values = [f"text {number}" for number in range(3000)]
    pair = Pair(session, tmp_path / "t.db", "text")
    pair.source(values)
    verdict, slow = pair.verdicts(values, values)
    assert verdict.equal and slow.equal
    with SqliteSource.open(str(pair.path)) as source, session.transaction():
        pair.target(values)
        session.execute("DELETE FROM public.t WHERE k = %s", (missing + 1,))
        session.execute("INSERT INTO public.t VALUES (-5, 'extra'), (90000, 'extra')")
        reader = SchemaReader(session, "public")
        table = pair.table(source)
        how = ranged(table)
        assert how is not None
        found = TableVerdict("t", "t", 20)
        RangeComparison(
            how,
            source,
            reader,
            found,
            lambda span: compare_table(table, source, reader, DiskSpool, span=span),
            lambda _rows, _size: None,
        ).run(Span(FIRST_ROWID, LAST_ROWID))
        session.execute("DROP TABLE public.t")
    assert (found.missing, found.extra, found.different) == (1, 2, 0)
    assert (found.source_rows, found.target_rows) == (3000, 3001)
