# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that only mend what does not fit: all other rows go in chunks, and both are what the rules make of them."""

from __future__ import annotations

from typing import Any

import pytest

from support.imports import Case

ROWS = 3000
#: One row in so many holds a value that a rule has to mend.
RARE = 250

#: By column: its type, its rules, a value that fits, and for each value that does not what becomes of it.
COLUMNS: dict[str, tuple[str, list[Any], Any, dict[Any, str | None]]] = {
    "active": ("boolean", [("map", {"values": {"yes": True}})], 0, {"yes": "true"}),
    "at": (
        "timestamp",
        ["epoch_seconds", "offset_to_utc", "empty_to_null", "round"],
        "2024-01-02 03:04:05.600000",
        {
            1700000000: "2023-11-14 22:13:20",
            "2024-01-01T00:30:00+01:00": "2023-12-31 23:30:00",
            "": None,
            "2024-01-01 00:00:00.0000006": "2024-01-01 00:00:00.000001",
        },
    ),
    "seen": (
        "timestamptz",
        ["assume_utc"],
        "2024-01-02 03:04:05+02:00",
        {"2024-05-06 07:08:09": "2024-05-06 07:08:09+00"},
    ),
    "day": ("date", ["julian_day"], "2024-01-02", {2440588.5: "1970-01-02"}),
    "doc": (
        "jsonb",
        ["json_strip_nul", "json_last_key"],
        '{"a": "NaN", "b": [1.50]}',
        {'"a\\u0000b"': '"ab"', '{"k": 1, "k": 2}': '{"k": 2}'},
    ),
    "amount": ("numeric(6,2)", ["round"], 12.25, {1.005: "1.00", 0.333: "0.33"}),
    "size": ("integer", ["to_integer", "empty_to_null"], 7, {3.0: "3", " 42 ": "42", " ": None}),
    "weight": ("double precision", ["to_number"], 0.1, {"1.5": "1.5"}),
    "name": (
        "varchar(6)",
        ["decode_utf8", "latin1", "to_text", "strip_nul", "truncate"],
        "plain",
        {b"\xc3\xa9": "é", 77: "77", "a\x00b": "ab", "longer than that": "longer"},
    ),
    "raw": ("bytea", ["encode_utf8"], b"\x00\xff", {"é": "\\xc3a9"}),
    "took": ("interval", ["seconds"], "1970-01-01 00:00:01.000000", {-1.5: "-00:00:01.5"}),
    "note": ("text NOT NULL", [("default", {"value": "?"})], "here", {None: "?"}),
}


def rules() -> list[dict[str, Any]]:
    declared = []
    for column, (_, names, _, _) in COLUMNS.items():
        for name in names:
            rule, options = (name, {}) if isinstance(name, str) else name
            declared.append({"table": "t", "column": column, "rule": rule, "options": options})
    return declared


def mended() -> dict[tuple[int, str], tuple[Any, str | None]]:
    """What is put where, and what becomes of it, by key and column."""
    places = iter(range(RARE, ROWS, RARE // 3))
    return {
        (next(places), column): (value, literal)
        for column, (_, _, _, specials) in COLUMNS.items()
        for value, literal in specials.items()
    }


@pytest.fixture
def table(case: Case) -> Case:
    special = {key: {column: value} for (key, column), (value, _) in mended().items()}
    plain = {column: value for column, (_, _, value, _) in COLUMNS.items()}
    rows = [(key, *{**plain, **special.get(key, {})}.values()) for key in range(1, ROWS + 1)]
    case.sqlite(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(f'{name} BLOB' for name in COLUMNS)})", {"t": rows}
    )
    case.postgres(
        f"CREATE TABLE t (id integer PRIMARY KEY, {', '.join(f'{name} {kind[0]}' for name, kind in COLUMNS.items())})"
    )
    return case


def test_what_rules_mend_is_mended_and_the_rest_goes_in_chunks(table: Case) -> None:
    audited = table.run_module(
        "sqlite_audit_info", {**table.database.login, "source": str(table.source), "rules": rules()}
    )
    assert audited["sound"], audited["findings"]
    result = table.load(rules=rules())
    counted = {column: len(specials) for column, (_, _, _, specials) in COLUMNS.items()}
    for told in (audited["rules"], result["rules"]):
        by_column: dict[str, int] = {}
        for rule in told:
            by_column[rule["column"]] = by_column.get(rule["column"], 0) + rule["values"]
        assert by_column == counted
    for (key, column), (_, literal) in mended().items():
        assert table.query(f"SELECT {column}::text FROM t WHERE id = {key}") == [(literal,)], (key, column)
    for column in COLUMNS:
        others = [key for key, name in mended() if name == column]
        [(different,)] = table.query(f"SELECT count(DISTINCT {column}::text) FROM t WHERE id <> ALL (ARRAY{others})")
        assert different == 1, column


def test_the_verification_goes_by_ranges_and_finds_what_was_mended_otherwise(table: Case) -> None:
    # Intervals can be compared row by row only.
    options = {"exclude_columns": ["t.took"], "rules": [rule for rule in rules() if rule["column"] != "took"]}
    arguments = {**table.database.login, "source": str(table.source), **options}
    table.load(**options)
    verified = table.run_module("migration_verify_info", arguments)
    assert verified["equal"] and verified["tables"][0]["order"] == "ranges", verified["differences"]
    other = {"size": "-5", "at": "'2020-01-01'", "note": "''"}
    places = {(key, column) for key, column in mended() if column != "took"}
    for key, column in places:
        table.postgres(f"UPDATE t SET {column} = {other.get(column, 'NULL')} WHERE id = {key}")
    found = table.run_module("migration_verify_info", {**arguments, "max_differences": 100})
    assert {(d["key"], d["column"]) for d in found["differences"]} == {(f"id={key}", column) for key, column in places}
