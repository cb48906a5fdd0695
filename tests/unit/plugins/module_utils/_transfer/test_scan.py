# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scan finds, held against plain computations over the same rows."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._spool import DiskSpool
from ansible_collections.mcps.postgres.plugins.module_utils._transfer import _scan
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._audit import Findings
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._declared import tables_from_model
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import FastColumn, Reader
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    MappingOptions,
    RuleSpec,
    SourceTable,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._ports import Silent
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._scan import IndexProbe, Scan
from support.conversions import ENUMS, PLAIN, like_values_of

TYPES = [
    *("boolean", "smallint", "integer", "bigint", "numeric", "numeric(12,3)", "double precision", "real", "text"),
    *("character varying(5)", "character(5)", "citext", "bytea", "uuid", "mood", "json", "jsonb", "interval", "date"),
    *("timestamp without time zone", "timestamp(3) without time zone", "timestamp with time zone"),
    *("time without time zone", "text[]", "integer[]", "vector", "halfvec"),
]
#: What looks like a value, and is none: nothing but the conversion itself may say so.
ALMOST = [
    *("2024-02-30", "2024-13-01", "0000-01-01", "2024-02-30 00:00:00", "2024-01-01 25:00:00", "2024-01-01 00:61:00"),
    *("2024-01-01 00:00:61", "2024-01-01T00:00:99.5", "25:00", "00:60", "23:59:60", "2024-01-01 24:00:00", "24:00:00"),
    *("2024-01-01 00:00:00+00", "9999-12-31 23:59:59-00:01", "[1,", "{", "nul", "1,2", "[1],[2]", '{"a": 1, "a": 2}'),
    *("NaN", "[NaN]", "[Infinity]", "[1e999]", "[]", "[[1]]", '["a"', "1e400", "1" * 5000, '"\\u0000"', '"\\ud800"'),
    *("a\x00b", "\x02", "\x03", "\x04", "1e5", "1E300", "x" * 3000, "\x03x", '["\x03"]', "0x10"),
    *(b"x", b"\xff\xff\x7f\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\x00" * 16, b"abcd"),
]

Found = dict[tuple[str, str, str], list[str]]


def declared(
    types: dict[str, str],
    *,
    key: Sequence[str] = ("id",),
    foreign: Sequence[tuple[Sequence[str], str, Sequence[str]]] = (),
    **more: Any,
) -> dict[str, Any]:
    return {
        "columns": {name: {"type": kind, "nullable": name not in key} for name, kind in types.items()},
        "primary_key": list(key),
        "foreign_keys": [
            {"columns": ours, "parent": parent, "parent_columns": theirs} for ours, parent, theirs in foreign
        ],
        **more,
    }


def scanned(
    path: Path,
    script: str,
    model: dict[str, Any],
    rows: dict[str, list[tuple[Any, ...]]],
    *,
    rules: Sequence[RuleSpec] = (),
    probe: IndexProbe | None = None,
) -> tuple[Scan, Findings]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
        for table, values in rows.items():
            for row in values:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    with SqliteSource.open(str(path)) as source:
        mapping = plan_mapping(source.tables(), tables_from_model(model, "public"), MappingOptions(rules=tuple(rules)))
        assert mapping.problems == ()
        findings = Findings(1000)
        scan = Scan(source, mapping, findings, DiskSpool, Silent(), probe)
        scan.run()
    return scan, findings


def found(findings: Findings) -> Found:
    return {(one["table"], one["column"], one["kind"]): one["keys"] for one in findings.as_list()}


def test_a_chain_that_runs_backwards_through_two_tables(tmp_path: Path) -> None:
    """Rows hang on rows that come later, in tables that point at each other."""
    model = {
        "a": declared({"id": "INTEGER", "b_id": "INTEGER", "v": "INTEGER"}, foreign=[(["b_id"], "b", ["id"])]),
        "b": declared({"id": "INTEGER", "a_id": "INTEGER", "v": "INTEGER"}, foreign=[(["a_id"], "a", ["id"])]),
    }
    rows = {
        "a": [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, None, "bad"), (5, 99, 0), (6, 4, 0), (7, None, 0)],
        "b": [(1, 2, 0), (2, 3, 0), (3, 4, 0), (4, 7, 0), (5, 5, 0)],
    }
    scan, findings = scanned(
        tmp_path / "x",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id, v); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id, v)",
        model,
        rows,
    )
    assert found(findings) == {
        ("a", "v", "storage_class"): ["id=4"],
        ("a", "b_id", "orphan"): ["id=5"],
        ("a", "b_id", "parent_quarantined"): ["id=3", "id=2", "id=1"],
        ("b", "a_id", "parent_quarantined"): ["id=3", "id=5", "id=2", "id=1"],
    }
    assert scan.complete
    assert findings.errors == 2


def test_a_chain_longer_than_the_rounds_says_so(tmp_path: Path) -> None:
    model = {"t": declared({"id": "INTEGER", "up": "INTEGER"}, foreign=[(["up"], "t", ["id"])])}
    length = _scan.MOST_ROUNDS + 5
    rows = {"t": [(number, number + 1) for number in range(1, length)]}
    scan, findings = scanned(tmp_path / "x", "CREATE TABLE t (id INTEGER PRIMARY KEY, up)", model, rows)
    keys = found(findings)
    assert keys["t", "up", "orphan"] == [f"id={length - 1}"]
    assert len(keys["t", "up", "parent_quarantined"]) == _scan.MOST_ROUNDS
    assert not scan.complete


def test_too_many_to_remember_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scan, "MOST_MARKED", 3)
    model = {"t": declared({"id": "INTEGER", "v": "BOOLEAN"})}
    scan, findings = scanned(
        tmp_path / "x", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", model, {"t": [(n, 7) for n in range(5)]}
    )
    assert findings.errors == 5
    assert not scan.complete


SMALL = st.one_of(st.none(), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(
    parents=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5),
    children=st.lists(st.tuples(SMALL, SMALL), max_size=8),
    ruled=st.booleans(),
)
def test_orphans_of_a_key_of_two_columns(
    tmp_path_factory: pytest.TempPathFactory,
    parents: set[tuple[int, int]],
    children: list[tuple[int | None, int | None]],
    ruled: bool,
) -> None:
    """With a rule on the column SQLite's own comparison does not count, the converted values do."""
    model = {
        "p": declared({"x": "INTEGER", "y": "INTEGER"}, key=("x", "y")),
        "c": declared({"id": "INTEGER", "x": "INTEGER", "y": "INTEGER"}, foreign=[(["x", "y"], "p", ["x", "y"])]),
    }
    rules = [RuleSpec("c", "x", "map", (("values", {"3": 0}),))] if ruled else []
    rows = {"p": sorted(parents), "c": [(number, *child) for number, child in enumerate(children)]}
    script = "CREATE TABLE p (x INT, y INT, PRIMARY KEY (x, y)); CREATE TABLE c (id INTEGER PRIMARY KEY, x INT, y INT)"
    _, findings = scanned(tmp_path_factory.mktemp("scan") / "x", script, model, rows, rules=rules)
    moved = [(0 if ruled and x == 3 else x, y) for x, y in children]
    expected = [f"id={number}" for number, child in enumerate(moved) if None not in child and child not in parents]
    assert sorted(found(findings).get(("c", "x, y", "orphan"), [])) == sorted(expected)
    assert findings.errors == len(expected)


TEXTS = st.one_of(st.none(), st.sampled_from(["1", "1.0", "01", "2", "-1", "0.50", "0.5"]))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(TEXTS, max_size=8), kind=st.sampled_from(["NUMERIC", "VARCHAR"]), guaranteed=st.booleans())
def test_duplicates_are_those_of_the_converted_values(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | None], kind: str, guaranteed: bool
) -> None:
    if guaranteed:
        values = list(dict.fromkeys(values))
    model = {"t": declared({"id": "INTEGER", "v": kind}, unique=[["v"]])}
    script = f"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT {'UNIQUE' if guaranteed else ''})"
    rows = {"t": list(enumerate(values))}
    _, findings = scanned(tmp_path_factory.mktemp("scan") / "x", script, model, rows)
    same = Counter(float(value) if kind == "NUMERIC" else value for value in values if value is not None)
    assert findings.errors == sum(count - 1 for count in same.values())


class Probe:
    """Refuses what is on its list, and remembers what it was asked."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[tuple[str, ...], list[int]]] = []

    def refusal(self, table: TargetTable, columns: Sequence[str], literals: Sequence[str | None]) -> str:
        self.asked.append((tuple(columns), [len(literal or "") for literal in literals]))
        return "too long" if any(literal in self.refused for literal in literals) else ""


def test_only_what_may_be_too_long_is_tried(tmp_path: Path) -> None:
    model = {
        "t": declared(
            {"id": "INTEGER", "a": "VARCHAR", "b": "VARCHAR", "c": "TEXT", "n": "INTEGER"},
            indexed=[["a", "n"], ["b", "a"], ["n"]],
        )
    }
    long = "x" * 3000
    rows: dict[str, list[tuple[Any, ...]]] = {
        "t": [
            (1, "é" * 1335, None, long, 1),  # 2,670 bytes and the number: as much as fits in any case
            (2, "é" * 1400, None, None, 1),
            (3, "y" * 1400, "z" * 1400, None, 1),
            (4, long, None, None, None),
        ]
    }
    probe = Probe(long)
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, n)"
    _, findings = scanned(tmp_path / "probed", script, model, rows, probe=probe)
    assert probe.asked == [
        (("a", "n"), [1400, 1]),
        (("b", "a"), [0, 1400]),
        (("b", "a"), [1400, 1400]),
        (("a", "n"), [3000, 0]),
        (("b", "a"), [0, 3000]),
    ]
    assert found(findings) == {("t", "a", "too_long_for_index"): ["id=4", "id=4"]}
    assert findings.errors == 2
    _, findings = scanned(tmp_path / "unprobed", script, model, rows)
    assert findings.errors == 0
    assert {key for keys in found(findings).values() for key in keys} == {"id=2", "id=3", "id=4"}


class RowByRow(SqliteSource):
    """A source that gives no chunks, so that every value goes through the conversion itself."""

    def reader(self, table: SourceTable, columns: Sequence[FastColumn]) -> Reader | None:
        return None


def findings_of(source: SqliteSource, model: dict[str, Any]) -> tuple[list[dict[str, Any]], set[str]]:
    mapping = plan_mapping(source.tables(), tables_from_model(model, "public"), MappingOptions())
    assert mapping.problems == ()
    findings = Findings(10_000)
    scan = Scan(source, mapping, findings, DiskSpool, Silent(), None)
    scan.run()
    return findings.as_list(), scan.marked["t"]


@pytest.mark.parametrize("sql_type", TYPES)
@pytest.mark.parametrize("unique", [False, True])
def test_chunks_find_what_a_look_at_each_value_finds(tmp_path: Path, sql_type: str, unique: bool) -> None:
    model = {
        "t": declared(
            {"id": "BIGINT", "v": sql_type, "w": "TEXT"},
            enums=ENUMS,
            unique=[["v"]] if unique else [],
            indexed=[["v", "w"]],
        )
    }

    def compare(values: list[Any]) -> None:
        path = tmp_path / "t.db"
        path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)")
            connection.executemany("INSERT INTO t (v, w) VALUES (?, ?)", [(value, "w") for value in values])
        with SqliteSource.open(str(path)) as source:
            fast = findings_of(source, model)
        with RowByRow.open(str(path)) as source:
            assert fast == findings_of(source, model)

    @settings(max_examples=15, deadline=None)
    @given(st.lists(like_values_of(sql_type) | st.sampled_from([None, *ALMOST]), min_size=1, max_size=60))
    def any_values(values: list[Any]) -> None:
        compare(values)

    # One among many that fit, so that only a part of a chunk is looked at closely.
    compare([value for almost in ALMOST for value in [*PLAIN.get(sql_type, [None]) * 20, almost]])
    any_values()
