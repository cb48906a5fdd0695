# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared value rules: what each changes, what it leaves for the codec to refuse, and how it is counted."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codec import Codec
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import FIELD, ROW
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    ColumnMap,
    RuleUse,
    SourceColumn,
    SourceTable,
    TableMap,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rows import RowConverter, RowMisfit
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rules import RULES
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import InvalidText, Misfit, SqliteValue
from support.conversions import ENCODED, ENUMS

TS, TZ = "timestamp without time zone", "timestamp with time zone"

CHANGES: list[tuple[str, str, dict[str, Any], SqliteValue, SqliteValue]] = [
    ("map", "boolean", {"values": {"yes": True, "no": False}}, "yes", 1),
    ("map", "boolean", {"values": {"2": True}}, 2, 1),
    ("map", "boolean", {"values": {"yes": True}}, "maybe", "maybe"),
    ("map", "boolean", {"values": {"": None}}, "", None),
    ("default", "text", {"value": "?"}, None, "?"),
    ("default", "text", {"value": "?"}, "", ""),
    ("empty_to_null", "integer", {}, " ", None),
    ("strip_nul", "text", {}, "a\x00b\x00", "ab"),
    ("replace_invalid_utf8", "text", {}, InvalidText(b"a\xff"), "a\ufffd"),
    ("latin1", "text", {}, InvalidText(b"caf\xe9"), "café"),
    ("decode_utf8", "text", {}, "é".encode(), "é"),
    ("decode_utf8", "text", {}, b"\xff", b"\xff"),
    ("encode_utf8", "bytea", {}, "é", "é".encode()),
    ("to_text", "text", {}, 7, "7"),
    ("to_text", "text", {}, 0.1, "0.1"),
    ("to_integer", "integer", {}, 3.0, 3),
    ("to_integer", "integer", {}, " -42 ", -42),
    ("to_integer", "integer", {}, "4x", "4x"),
    ("to_integer", "integer", {}, "+-4", "+-4"),
    ("to_integer", "integer", {}, "4_0", "4_0"),
    ("to_integer", "integer", {}, "9" * 5000, "9" * 5000),
    ("to_number", "double precision", {}, "1.5", 1.5),
    ("to_number", "double precision", {}, "NaN", "NaN"),
    ("to_number", "double precision", {}, "1_000", "1_000"),
    ("to_number", "double precision", {}, "infinity", "infinity"),
    ("truncate", "character varying(2)", {}, "abc", "ab"),
    ("round", "integer", {}, 2.5, 2),
    ("round", "numeric(6,2)", {}, 1.005, "1.00"),
    ("round", "numeric(6,2)", {}, 1.25, 1.25),
    ("round", "numeric(6,2)", {}, 1e300, 1e300),
    ("round", "numeric", {}, 0.1, 0.1),
    ("round", "real", {}, 0.1, 0.10000000149011612),
    ("round", TS, {}, "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00.123457"),
    ("round", "timestamp(0) without time zone", {}, "2024-12-31 23:59:59.6", "2025-01-01 00:00:00"),
    ("epoch_seconds", TS, {}, 1700000000, "2023-11-14 22:13:20"),
    ("epoch_seconds", TS, {}, 1.5, "1970-01-01 00:00:01.500000"),
    ("epoch_seconds", TZ, {}, 0, "1970-01-01 00:00:00+00:00"),
    ("epoch_seconds", "date", {}, 86400, "1970-01-02"),
    ("epoch_seconds", "date", {}, 86401, 86401),
    ("epoch_seconds", TS, {}, 10**18, 10**18),
    ("epoch_milliseconds", TS, {}, 1700000000123, "2023-11-14 22:13:20.123000"),
    ("julian_day", TS, {}, 2440587.5, "1970-01-01 00:00:00"),
    ("julian_day", TS, {}, 2460310.75, "2024-01-01 06:00:00"),
    ("offset_to_utc", TS, {}, "2024-01-01 00:30:00.5+01:00", "2023-12-31 23:30:00.5"),
    ("offset_to_utc", TS, {}, "2024-01-01 00:30:00", "2024-01-01 00:30:00"),
    ("assume_utc", TZ, {}, "2024-01-01 00:30:00", "2024-01-01 00:30:00+00:00"),
    ("assume_utc", TZ, {}, "2024-01-01 00:30:00-05", "2024-01-01 00:30:00-05"),
    ("seconds", "interval", {}, -1.5, "PT-1.500000S"),
    ("json_null_to_null", "text[]", {}, "null", None),
    ("json_strip_nul", "jsonb", {}, '{"a\\u0000": "\\u0000b", "n": 1.10}', '{"a": "b", "n": 1.10}'),
    ("json_strip_nul", "jsonb", {}, '"\\\\u0000"', '"\\\\u0000"'),
    ("json_nan_to_null", "jsonb", {}, "[NaN, 1.10, -Infinity]", "[null, 1.10, null]"),
    ("json_nan_to_null", "jsonb", {}, '["NaN  spaced"]', '["NaN  spaced"]'),
    ("json_nan_to_null", "jsonb", {}, '["NaN",1]', '["NaN",1]'),
    ("json_last_key", "jsonb", {}, '{"a": 1, "a": 2.0}', '{"a": 2.0}'),
    ("json_last_key", "jsonb", {}, '{"a":1}', '{"a":1}'),
]


@pytest.mark.parametrize(("rule", "sql_type", "options", "before", "after"), CHANGES)
def test_what_a_rule_does(
    rule: str, sql_type: str, options: dict[str, Any], before: SqliteValue, after: SqliteValue
) -> None:
    kind = parse_type(sql_type)
    assert RULES[rule].applies_to(kind)
    changed = RULES[rule].make(kind, options)(before)
    assert changed == after and type(changed) is type(after)


def test_every_rule_is_in_the_table() -> None:
    assert {entry[0] for entry in CHANGES} == set(RULES)


@pytest.mark.parametrize(("rule", "sql_type", "options", "before", "after"), CHANGES)
def test_a_rule_lets_null_pass_and_mends_for_good(
    rule: str, sql_type: str, options: dict[str, Any], before: SqliteValue, after: SqliteValue
) -> None:
    change = RULES[rule].make(parse_type(sql_type), options)
    if rule != "default":
        assert change(None) is None
    codec = codec_for(parse_type(sql_type))
    assert codec is not None
    if after is not None and before != after and rule not in ("map",):
        codec.encode(after)


def table(*columns: tuple[str, bool, tuple[RuleUse, ...]]) -> TableMap:
    source = SourceTable("t", tuple(SourceColumn(f"c{index}") for index in range(len(columns))))
    maps = tuple(
        ColumnMap(f"c{index}", TargetColumn(f"d{index}", parse_type(kind), not_null=not_null), rules)
        for index, (kind, not_null, rules) in enumerate(columns)
    )
    return TableMap(source, TargetTable("public", "t", tuple(item.target for item in maps)), maps)


def test_a_row_names_every_value_that_does_not_fit_and_counts_only_rows_that_pass() -> None:
    strip = (RuleUse("strip_nul"),)
    converter = RowConverter(table(("text", False, strip), ("integer", True, ()), ("boolean", False, ())))
    assert converter.convert(("a\x00", 1, None)) == ["a", "1", None]
    assert dict(converter.changes) == {("c0", "strip_nul"): 1}
    with pytest.raises(RowMisfit) as caught:
        converter.convert(("b\x00", None, 7))
    assert [(item.column, item.target_column, item.value, item.misfit.kind) for item in caught.value.problems] == [
        ("c1", "d1", None, "null_in_not_null"),
        ("c2", "d2", 7, "not_boolean"),
    ]
    assert +converter.changes == {("c0", "strip_nul"): 1}


def test_rules_apply_in_their_order() -> None:
    rules = (RuleUse("empty_to_null"), RuleUse("default", (("value", 5),)))
    converter = RowConverter(table(("integer", True, rules)))
    assert converter.convert(("",)) == ["5"]
    assert dict(converter.changes) == {("c0", "empty_to_null"): 1, ("c0", "default"): 1}


def test_a_misfit_without_a_known_kind_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        Misfit("no such kind", "reason")


#: Types with a length or digits of their own, beside each type as it is.
NARROW = ["character varying(3)", "character(5)", "numeric(4,2)", "timestamp(3) without time zone", "vector(3)"]
INERT = sorted((rule.name, name) for rule in RULES.values() for name in rule.inert if name != "enum")
INERT += sorted((rule.name, n) for rule in RULES.values() for n in NARROW if parse_type(n).name in rule.inert)
INERT += sorted((rule.name, "mood") for rule in RULES.values() if "enum" in rule.inert)
KNOWN = [value for entry in CHANGES for value in entry[3:]] + [value for _, value, _ in ENCODED]
VALUES = st.one_of(
    st.sampled_from(KNOWN),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=20),
    st.datetimes().map(lambda moment: moment.isoformat(sep=" ")),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
)


@given(st.lists(VALUES, max_size=40))
def test_an_inert_rule_changes_nothing_that_fits(values: list[SqliteValue]) -> None:
    for rule, name in INERT:
        kind = parse_type(name, ENUMS)
        codec, change = codec_for(kind), RULES[rule].make(kind, {})
        assert codec is not None and (rule == "empty_to_null" or RULES[rule].applies_to(kind))
        for value in [*KNOWN, *values]:
            try:
                codec.encode(value)
            except Misfit:
                continue
            changed = change(value)
            assert changed == value and type(changed) is type(value), (rule, name, value)


def let_through(codec: Codec, value: SqliteValue) -> bool:
    """Whether the text goes over in a chunk, as far as SQLite and the short cut say."""
    form = codec.fast("v")
    if not isinstance(value, str) or "text" not in form.classes:
        return False
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        statement = f"SELECT CAST({form.classes['text']} AS BLOB) FROM (SELECT ? AS v)"
        (text,) = connection.execute(statement, (value,)).fetchone()
    if text != value.encode() or b"\x00" in text or any(separator.encode() in text for separator in (ROW, FIELD)):
        return False
    return (form.sound is not None and form.sound(text)) or form.take(text, [text]) is not None


@pytest.mark.parametrize(("rule", "name"), INERT)
def test_no_chunk_holds_what_an_inert_rule_would_change(rule: str, name: str) -> None:
    """PostgreSQL would refuse all of it, and the table would have to be read again, row by row."""
    kind = parse_type(name, ENUMS)
    codec, change = codec_for(kind), RULES[rule].make(kind, {})
    assert codec is not None
    for value in [*KNOWN, " ", "  ", "\t", "[NaN]", '{"a": NaN}', "0000-00-00", "2024-13-01 00:00:00"]:
        assert change(value) == value or not let_through(codec, value), value


@pytest.mark.parametrize(
    ("kind", "not_null", "rule", "options", "inert"),
    [
        ("boolean", False, "map", {"values": {"yes": True, "no": False}}, True),
        ("boolean", False, "map", {"values": {"1": False}}, False),
        ("text", False, "map", {"values": {"a": "b"}}, False),
        ("date", False, "map", {"values": {"never": None}}, True),
        # The form of a date: what is none is left to PostgreSQL.
        ("date", False, "map", {"values": {"0000-00-00": None}}, False),
        ("double precision", False, "map", {"values": {"1" + "0" * 400: 1, "nan": 1}}, True),
        ("integer", False, "map", {"values": {"-1": None}}, False),
        ("double precision", False, "map", {"values": {"0.5": 1}}, False),
        ("double precision", False, "map", {"values": {"n/a": None}}, True),
        ("double precision", False, "map", {"values": {"-inf": None}}, False),
        ("double precision", False, "map", {"values": {"1e+30": None}}, False),
        ("text", True, "default", {"value": "?"}, True),
        ("text", False, "default", {"value": "?"}, False),
        ("text", False, "empty_to_null", {}, False),
        ("integer", False, "empty_to_null", {}, True),
        ("text[]", False, "empty_to_null", {}, False),
        ("jsonb", False, "json_null_to_null", {}, False),
        ("jsonb", False, "json_nan_to_null", {}, False),
        ("jsonb", False, "empty_to_null", {}, False),
        ("jsonb", False, "json_last_key", {}, True),
        ("json", False, "json_last_key", {}, False),
        ("real", False, "round", {}, False),
    ],
)
def test_tables_go_in_chunks_where_rules_only_mend(
    kind: str, not_null: bool, rule: str, options: dict[str, Any], inert: bool
) -> None:
    use = RuleUse(rule, tuple(options.items()))
    converter = RowConverter(table((kind, not_null, (use,)), ("text", False, ())))
    assert (converter.fast_columns() is not None) is inert
    also = RowConverter(table((kind, not_null, (use, RuleUse("json_null_to_null"))), ("text", False, ())))
    assert also.fast_columns() is None


@pytest.mark.parametrize("rule", ["json_strip_nul", "json_nan_to_null", "json_last_key"])
@pytest.mark.parametrize("inner", ['"\\u0000"', "NaN", '{"k": 1, "k": 2}'])
def test_documents_nested_deeper_than_can_be_mended_stay(rule: str, inner: str) -> None:
    change = RULES[rule].make(parse_type("jsonb"), {})
    depths = [*range(300, 1000, 50), 100_000]
    changed = [depth for depth in depths for text in ["[" * depth + inner + "]" * depth] if change(text) != text]
    # Python's own limit is somewhere on the way.
    assert changed == depths[: len(changed)] and len(changed) < len(depths)
