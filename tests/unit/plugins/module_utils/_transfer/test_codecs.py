# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every conversion by table: what a value becomes, what is refused and why, and what is equal."""

from __future__ import annotations

import json
import math
import struct
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codec import Codec
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs_lists import parse_array
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import (
    InvalidText,
    Misfit,
    SqliteValue,
    from_json,
    sample,
    to_json,
)
from support.conversions import ENCODED, ENUMS, JSON


def codec(text: str) -> Codec:
    found = codec_for(parse_type(text, ENUMS))
    assert found is not None, text
    return found


@pytest.mark.parametrize(("sql_type", "value", "literal"), ENCODED)
def test_a_value_that_fits(sql_type: str, value: SqliteValue, literal: str) -> None:
    assert codec(sql_type).encode(value) == literal


REFUSED: list[tuple[str, SqliteValue, str]] = [
    ("boolean", 2, "not_boolean"),
    ("boolean", "yes", "not_boolean"),
    ("boolean", 1.0, "not_boolean"),
    ("smallint", 32768, "out_of_range"),
    ("integer", -(2**31) - 1, "out_of_range"),
    ("integer", 3.0, "storage_class"),
    ("integer", 3.5, "not_integral"),
    ("integer", "3", "storage_class"),
    ("integer", "", "storage_class"),
    ("bigint", b"1", "storage_class"),
    ("numeric(4,2)", 123, "out_of_range"),
    ("numeric(4,2)", 1.234, "precision_lost"),
    ("numeric(4,2)", float("inf"), "out_of_range"),
    ("numeric", "abc", "not_numeric"),
    ("numeric", "NaN", "not_numeric"),
    ("double precision", 2**53 + 1, "precision_lost"),
    ("double precision", "1.5", "not_numeric"),
    ("real", 0.1, "precision_lost"),
    ("real", 1e300, "out_of_range"),
    ("text", 5, "storage_class"),
    ("text", b"bytes", "storage_class"),
    ("text", "a\x00b", "nul_character"),
    ("text", InvalidText(b"\xff"), "invalid_utf8"),
    ("character varying(3)", "abcd", "too_long"),
    ("character varying(3)", "abc ", "too_long"),
    ("bytea", "text", "storage_class"),
    ("uuid", "0123", "not_uuid"),
    ("uuid", "{01234567-89ab-cdef-0123-456789abcdef}", "not_uuid"),
    ("uuid", b"123", "storage_class"),
    ("mood", "happy", "not_in_enum"),
    ("mood", 1, "storage_class"),
    ("json", "{", "invalid_json"),
    ("json", "", "invalid_json"),
    ("json", "[NaN]", "json_nan"),
    ("json", b"{}", "storage_class"),
    ("jsonb", '{"a": 1, "a": 2}', "json_duplicate_key"),
    ("jsonb", '["\\u0000"]', "json_nul"),
    ("jsonb", '{"\\u0000": 1}', "json_nul"),
    ("jsonb", '"\\ud800"', "json_surrogate"),
    ("jsonb", "1e200000", "out_of_range"),
    ("jsonb", float("inf"), "json_nan"),
    ("jsonb", "[" * 100000 + "]" * 100000, "json_too_deep"),
    ("timestamp without time zone", "2024-02-30 00:00:00", "not_a_date"),
    ("timestamp without time zone", "2024-01-01 24:00:00", "not_a_date"),
    ("timestamp without time zone", "yesterday", "not_a_date"),
    ("timestamp without time zone", "now", "not_a_date"),
    ("timestamp without time zone", "infinity", "not_a_date"),
    ("timestamp without time zone", 1700000000, "not_a_date"),
    ("timestamp without time zone", "2024-01-01 00:00:00+02:00", "offset_dropped"),
    ("timestamp without time zone", "2024-01-01T00:00:00Z", "offset_dropped"),
    ("timestamp without time zone", "2024-01-01 00:00:00.1234567", "precision_lost"),
    ("timestamp(3) without time zone", "2024-01-01 00:00:00.1234", "precision_lost"),
    ("timestamp with time zone", "2024-01-01 00:00:00", "no_offset"),
    ("timestamp with time zone", "0001-01-01 00:00:00+01", "not_a_date"),
    ("timestamp with time zone", "2024-01-01 00:00:00+99", "not_a_date"),
    ("date", "2024-01-01 00:00:00", "not_a_date"),
    ("date", "2023-02-29", "not_a_date"),
    ("time without time zone", "25:00", "not_a_date"),
    ("time without time zone", "10:00+02", "offset_dropped"),
    ("interval", "PT", "not_an_interval"),
    ("interval", 5, "not_an_interval"),
    ("interval", "PT0.0000001S", "precision_lost"),
    ("text[]", '"a"', "not_an_array"),
    ("text[]", "null", "json_null"),
    ("text[]", '[["a"], ["b", "c"]]', "not_an_array"),
    ("text[]", '["a", ["b"]]', "not_an_array"),
    ("text[]", '[{"a": 1}]', "not_an_array"),
    ("text[]", "[1]", "storage_class"),
    ("text[]", '["a\\u0000"]', "nul_character"),
    ("integer[]", "[true]", "not_an_array"),
    ("integer[]", "[3000000000]", "out_of_range"),
    ("double precision[]", "[1e999]", "out_of_range"),
    ("integer[]", "[[[[[[[1]]]]]]]", "not_an_array"),
    ("vector(3)", "[1, 2]", "not_a_vector"),
    ("vector(2)", "[1, true]", "not_a_vector"),
    ("vector(2)", "[1, NaN]", "json_nan"),
    ("vector(2)", "[1, 1e39]", "out_of_range"),
    ("vector(2)", "[]", "not_a_vector"),
    ("vector(1)", b"\x00\x00\xc0\x7f", "not_a_vector"),
    ("vector(2)", b"12345", "not_a_vector"),
    ("halfvec(1)", "[70000]", "out_of_range"),
]


@pytest.mark.parametrize(("sql_type", "value", "kind"), REFUSED)
def test_a_value_that_does_not_fit(sql_type: str, value: SqliteValue, kind: str) -> None:
    with pytest.raises(Misfit) as caught:
        codec(sql_type).encode(value)
    assert caught.value.kind == kind
    assert caught.value.reason and caught.value.advice


SAME = [
    ("numeric(10,2)", "12.30", "12.3"),
    ("numeric", "0.00", "0"),
    ("double precision", "1e+22", "1e22"),
    ("double precision", "-0", "-0.0"),
    ("double precision", "Infinity", "inf"),
    ("real", "0.1", "0.10000000149011612"),
    ("character(4)", "ab  ", "ab"),
    ("jsonb", '{"b": 1.0, "a": [1e2]}', '{"a":[100],"b":1}'),
    ("jsonb", '"\\ue000"', '"\ue000"'),
    ("jsonb", "-0.0", "0"),
    ("interval", "P1DT1H", "P0M1DT3600.000000S"),
    ("text[]", "{a,NULL}", '{"a",NULL}'),
    ("double precision[]", "{1,2.5}", '{"1.0","2.5"}'),
    ("vector(2)", "[0.1,1]", "[0.100000001,1]"),
    ("halfvec(1)", "[0.1]", "[0.0999755859]"),
]


@pytest.mark.parametrize(("sql_type", "one", "other"), SAME)
def test_literals_that_mean_the_same(sql_type: str, one: str, other: str) -> None:
    assert codec(sql_type).canonical(one) == codec(sql_type).canonical(other)


DIFFERENT = [
    ("numeric", "0.1", "0.10000000000000000001"),
    ("double precision", "0.0", "-0.0"),
    ("double precision", "0.1", "0.10000000000000002"),
    ("text", "\u00e9", "e\u0301"),
    ("text", "a", "a "),
    ("jsonb", "true", "1"),
    ("jsonb", '"1"', "1"),
    ("jsonb", "null", '"null"'),
    ("jsonb", "[1,2]", "[2,1]"),
    ("jsonb", '["\ue0001"]', "[1]"),
    ("jsonb", '["a",[["v",1]]]', '["\ue0001"]'),
    ("json", '{"a":1}', '{"a": 1}'),
    ("timestamp without time zone", "2024-01-01 00:00:00", "2024-01-01 00:00:00.000001"),
    ("text[]", "{NULL}", '{"NULL"}'),
    ("text[]", "{a,b}", "{b,a}"),
    ("text[]", "[0:1]={a,b}", "{a,b}"),
    ("vector(1)", "[0]", "[-0]"),
    ("vector(1)", "[0.1]", "[0.10000001]"),
    ("interval", "P1D", "PT24H"),
]


@pytest.mark.parametrize(("sql_type", "one", "other"), DIFFERENT)
def test_literals_that_differ(sql_type: str, one: str, other: str) -> None:
    assert codec(sql_type).canonical(one) != codec(sql_type).canonical(other)


@pytest.mark.parametrize("sql_type", ["money", "inet", "tsvector", "int4range", "name", "time with time zone", "xml[]"])
def test_a_type_without_a_definition_has_no_codec(sql_type: str) -> None:
    assert codec_for(parse_type(sql_type)) is None


@given(st.floats(allow_nan=False))
def test_doubles_keep_every_bit(number: float) -> None:
    literal = codec("double precision").encode(number)
    assert struct.pack("<d", float(literal)) == struct.pack("<d", number)


@given(st.datetimes(min_value=datetime(1, 1, 1)))
def test_timestamps_keep_every_microsecond(moment: datetime) -> None:
    literal = codec("timestamp without time zone").encode(moment.isoformat(sep=" ", timespec="microseconds"))
    assert datetime.fromisoformat(literal.ljust(26, "0") if "." in literal else literal) == moment


@given(st.timedeltas(min_value=timedelta(days=-700000), max_value=timedelta(days=2900000)))
def test_intervals_as_sqlalchemy_writes_them(span: timedelta) -> None:
    text = (datetime(1970, 1, 1) + span).isoformat(sep=" ", timespec="microseconds")
    months, rest = codec("interval").encode(text)[1:].split("M", 1)
    days, seconds = rest.rstrip("S").split("DT")
    assert (months, timedelta(days=int(days)) + timedelta(microseconds=int(Decimal(seconds) * 1_000_000))) == (
        "0",
        span,
    )


def meaning(item: object) -> object:
    """A document as jsonb means it, written the slow and obvious way."""
    if isinstance(item, bool) or item is None or isinstance(item, str):
        return (type(item).__name__, item)
    if isinstance(item, (int, float)):
        return ("number", Decimal(repr(item)).normalize() if item else Decimal(0))
    if isinstance(item, list):
        return ("array", tuple(meaning(inner) for inner in item))
    assert isinstance(item, dict)
    return ("object", frozenset((key, meaning(value)) for key, value in item.items()))


def is_jsonb(text: str) -> bool:
    try:
        codec("jsonb").encode(text)
    except Misfit:
        return False
    return True


@given(JSON, JSON)
def test_jsonb_normal_forms_are_equal_exactly_where_the_meaning_is(one: object, other: object) -> None:
    first, second = json.dumps(one), json.dumps(other, ensure_ascii=False, indent=1)
    canonical = codec("jsonb").canonical
    assert (canonical(first) == canonical(second)) == (meaning(one) == meaning(other))
    if is_jsonb(first):
        respelled = json.dumps(json.loads(first), ensure_ascii=False, indent=2)
        assert canonical(first) == canonical(respelled)


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), max_size=6))
def test_text_arrays_come_back(items: list[str | None]) -> None:
    literal = codec("text[]").encode(json.dumps(items))
    assert parse_array(literal) == items


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_vectors_keep_every_bit_of_float32(numbers: list[float]) -> None:
    from_json_text = codec("vector").encode(json.dumps(numbers))
    from_blob = codec("vector").encode(struct.pack(f"<{len(numbers)}f", *numbers))
    canonical = codec("vector").canonical
    assert canonical(from_json_text) == canonical(from_blob) == struct.pack(f"<{len(numbers)}f", *numbers).hex()


@given(st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary())
def test_values_survive_a_quarantine_file(value: SqliteValue) -> None:
    back = from_json(json.loads(json.dumps(to_json(value))))
    assert type(back) is type(value) and (back == value)
    if isinstance(value, float):
        assert isinstance(back, float) and math.copysign(1, back) == math.copysign(1, value)


def test_samples_are_short_and_printable() -> None:
    assert sample("a\x00\n<b>") == "'a\\x00\\n<b>'"
    assert sample(b"\x00" * 500).endswith("(500 bytes)")
    assert sample(None) == "NULL" and sample("NULL") == "'NULL'"


@pytest.mark.parametrize("name", ["text[]", "numeric[]", "jsonb[]"])
def test_arrays_of_more_dimensions_than_postgresql_has_are_named(name: str) -> None:
    codec = codec_for(parse_type(name))
    assert codec is not None
    kinds = {7: "not_an_array", 600: "not_an_array", 100_000: "json_too_deep"}
    for depth, kind in kinds.items():
        with pytest.raises(Misfit) as caught:
            codec.encode("[" * depth + '"1"' + "]" * depth)
        assert caught.value.kind == kind, depth
