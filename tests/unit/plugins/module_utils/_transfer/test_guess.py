# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which type a column becomes, by what was declared and what is there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._guess import Refusal, affinity, candidates, guess

BIG = 2**63 - 1
UUID = "0123456789abcdef0123456789ABCDEF"

CASES: list[tuple[str, list[Any], str | None]] = [
    ("INTEGER", [1, -BIG], "bigint"),
    ("TINYINT", [300], "bigint"),
    ("INT", [1, 2.5], "double precision"),
    ("INT", [2**60 + 1, 2.5], "numeric"),
    ("INT", ["a", "1"], "text"),
    ("INT", [1, "a"], None),
    ("VARCHAR(3)", ["abc"], "character varying(3)"),
    ("VARCHAR(3)", ["abcd"], "text"),
    ("NVARCHAR(0)", ["a"], "text"),
    ("TEXT", [b"\x00"], "bytea"),
    ("TEXT", ["a", b"\x00"], None),
    ("CLOB", [], "text"),
    ("BLOB", [b"1", None], "bytea"),
    ("BLOB", ["text"], "text"),
    ("", [], "text"),
    ("", [None], "text"),
    ("", [1], "bigint"),
    ("", [1, 0.5], "double precision"),
    ("", ["a"], "text"),
    ("", [b"a"], "bytea"),
    ("BOOLEAN", [0, 1, None], "boolean"),
    ("BOOL", [0, 2], "bigint"),
    ("DATETIME", ["2024-01-02 03:04:05", "2024-01-02T03:04:05.5"], "timestamp without time zone"),
    ("DATETIME", ["2024-01-02 03:04:05+02:00"], "timestamp with time zone"),
    ("DATETIME", [1700000000], "bigint"),
    ("TIMESTAMP", [], "timestamp without time zone"),
    ("DATE", ["2024-01-02"], "date"),
    ("DATE", ["2024-01-02 03:04:05"], "timestamp without time zone"),
    ("DATE", ["soon"], "text"),
    ("TIME", ["03:04"], "time without time zone"),
    ("UUID", [UUID], "uuid"),
    ("GUID", ["none"], "text"),
    ("JSON", ['{"a": 1}'], "json"),
    ("JSON", ["{"], "text"),
    ("NUMERIC(10, 2)", [1, 2.25], "numeric(10,2)"),
    ("DECIMAL(4,2)", [123.5], "numeric"),
    ("NUMERIC(2,5)", [1], "numeric"),
    ("MONEY", [0.1], "numeric"),
    ("REAL", [1, 0.5], "double precision"),
    ("DOUBLE", [2**60 + 1], "numeric"),
    ("STRING", ["a"], "text"),
    ("STRING", [1], "bigint"),
]


@pytest.mark.parametrize(("declared", "values", "expected"), CASES)
def test_the_first_type_that_takes_every_value(declared: str, values: list[Any], expected: str | None) -> None:
    found = guess(declared, ["id"], lambda: iter([((row,), value) for row, value in enumerate(values)]))
    assert found.type == expected
    assert [refusal.type for refusal in found.refused] == candidates(declared)[: len(found.refused)]


def test_a_refusal_names_row_value_and_reason() -> None:
    found = guess("DATE", ["a", "b"], lambda: iter([((1, "x"), "2024-01-02"), ((2, "y"), "soon")]))
    assert found.refused[0] == Refusal("date", "a=2, b='y'", "'soon'", "'soon' is not a date (YYYY-MM-DD)")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("FLOATING POINT", "INTEGER"),  # sqlite.org/datatype3.html, 3.1.1: because of the INT in POINT
        ("CHARINT", "INTEGER"),
        ("VARCHAR(9)", "TEXT"),
        ("", "BLOB"),
        ("DOUBLE PRECISION", "REAL"),
        ("DECIMAL(10,5)", "NUMERIC"),
        ("STRING", "NUMERIC"),
    ],
)
def test_affinities_are_sqlites(declared: str, expected: str) -> None:
    assert affinity(declared) == expected
