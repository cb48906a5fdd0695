# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys as bytes: their order is the type's own, and nothing that differs is equal."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, Callable, List, Optional, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._keys import (
    OrderTerm,
    key_plan,
    normal_form,
    row_digest,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import TargetColumn
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type


def column(sql_type: str, not_null: bool = True, name: str = "k") -> TargetColumn:
    return TargetColumn(name, parse_type(sql_type, {"mood": ["SAD", "HAPPY"]}), not_null=not_null)


def encoded(sql_type: str, *literals: Optional[str], not_null: bool = True) -> List[bytes]:
    plan = key_plan([column(sql_type, not_null)])
    return [plan.bytes_of((literal,)) for literal in literals]


@pytest.mark.parametrize(
    "sql_type, rising",
    [
        ("integer", ["-2147483648", "-1", "0", "1", "2147483647"]),
        ("bigint", ["-9223372036854775808", "-1", "0", "9223372036854775807"]),
        ("boolean", ["f", "t"]),
        # C order is that of UTF-8: U+FFFF before U+10000, which UTF-16 has the other way round.
        ("text", ["", "\x01", "A", "B", "a", "a ", "aa", "b", "é", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]),
        ("character varying(9)", ["", "A", "a", "z", "ä"]),
        ("character(3)", ["", "a", "ab"]),
        ("mood", ["HAPPY", "SAD"]),
        ("uuid", ["00000000-0000-0000-0000-00000000000f", "0a000000-0000-0000-0000-000000000000"]),
        ("bytea", ["\\x", "\\x00", "\\x0000", "\\x0001", "\\x01", "\\xff", "\\xff00", "\\xffff"]),
        (
            "double precision",
            ["-Infinity", "-1e+300", "-1.5", "-5e-324", "0", "5e-324", "1.5", "1e+300", "Infinity", "NaN"],
        ),
        ("real", ["-3.4028235e+38", "-0.1", "0", "1e-45", "0.1", "3.4028235e+38"]),
        (
            "numeric",
            [
                "-Infinity",
                "-1000",
                "-999.5",
                "-12.3",
                "-12",
                "-0.001",
                "0",
                "0.001",
                "0.01",
                "9",
                "10",
                "10.5",
                "Infinity",
                "NaN",
            ],
        ),
        ("date", ["0001-01-01", "1999-12-31", "2000-01-01", "9999-12-31"]),
        (
            "timestamp",
            ["2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", "2024-01-01 00:00:00.5", "2024-01-01 00:00:01"],
        ),
        ("timestamptz", ["2024-01-01 00:00:00+00", "2024-01-01 00:00:00.5+00", "2024-01-01 00:00:01+00"]),
        ("time", ["00:00:00", "00:00:00.000001", "23:59:59"]),
    ],
)
def test_bytes_rise_with_the_values(sql_type: str, rising: Sequence[str]) -> None:
    found = encoded(sql_type, *rising)
    assert all(one < two for one, two in zip(found, found[1:], strict=False))
    assert key_plan([column(sql_type)]).order


@pytest.mark.parametrize(
    "sql_type, one, two",
    [
        ("numeric", "1.50", "1.5"),
        ("numeric", "100", "1e2"),
        ("double precision", "-0", "0"),
        ("double precision", "5.0", "5"),
        ("real", "0.10000000149011612", "0.1"),
        ("character(5)", "ab", "ab   "),
    ],
)
def test_spellings_of_one_key_are_equal(sql_type: str, one: str, two: str) -> None:
    first, second = encoded(sql_type, one, two)
    assert first == second


def _sign(one: Any, two: Any) -> int:
    return (one > two) - (one < two)


def _agrees(sql_type: str, spell: Callable[[Any], str], one: Any, two: Any) -> None:
    first, second = encoded(sql_type, spell(one), spell(two))
    assert _sign(first, second) == _sign(one, two)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_bigint(one: int, two: int) -> None:
    _agrees("bigint", str, one, two)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_double(one: float, two: float) -> None:
    _agrees("double precision", lambda number: repr(number).replace("inf", "Infinity"), one, two)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.decimals(allow_nan=False, allow_infinity=False))
def test_numeric(one: Decimal, two: Decimal) -> None:
    _agrees("numeric", lambda number: format(number, "f"), one, two)


@given(st.text(), st.text())
def test_text(one: str, two: str) -> None:
    first, second = encoded("text", one.replace("\x00", ""), two.replace("\x00", ""))
    left, right = (
        one.replace("\x00", "").encode("utf-8", "surrogatepass"),
        two.replace("\x00", "").encode("utf-8", "surrogatepass"),
    )
    assert _sign(first, second) == _sign(left, right)


@given(st.binary(), st.binary())
def test_bytea(one: bytes, two: bytes) -> None:
    _agrees("bytea", lambda data: "\\x" + data.hex() if isinstance(data, bytes) else data, one, two)


@given(st.uuids(), st.uuids())
def test_uuid(one: uuid.UUID, two: uuid.UUID) -> None:
    first, second = encoded("uuid", str(one), str(two))
    assert _sign(first, second) == _sign(one.bytes, two.bytes)


@given(st.datetimes(), st.datetimes())
def test_timestamp(one: datetime, two: datetime) -> None:
    codec = codec_for(parse_type("timestamp"))
    assert codec is not None
    _agrees("timestamp", lambda moment: codec.encode(moment.isoformat(" ")), one, two)


@given(
    st.tuples(st.one_of(st.none(), st.text(alphabet="ab\x01é", max_size=3)), st.binary(max_size=3)),
    st.tuples(st.one_of(st.none(), st.text(alphabet="ab\x01é", max_size=3)), st.binary(max_size=3)),
)
def test_composite_with_nulls_first(one: Any, two: Any) -> None:
    plan = key_plan([column("text", not_null=False), column("bytea")])
    left, right = (plan.bytes_of((text, "\\x" + data.hex())) for text, data in (one, two))
    keys = [((text is not None, (text or "").encode()), data) for text, data in (one, two)]
    assert _sign(left, right) == _sign(*keys)


def test_what_the_target_is_asked_for() -> None:
    plan = key_plan(
        [column("integer", name="id"), column("text", not_null=False, name="name"), column("mood", name="m")]
    )
    assert plan.order == (OrderTerm("id"), OrderTerm("name", True, True), OrderTerm("m", True))


@pytest.mark.parametrize("sql_type", ["interval", "text[]", "jsonb", "vector(2)"])
def test_types_without_a_common_order_are_only_told_apart(sql_type: str) -> None:
    plan = key_plan([column("integer"), column(sql_type)])
    assert plan.order == ()


def test_equal_intervals_are_one_key() -> None:
    one, two, other = encoded("interval", "P0M1DT3600.0S", "P1DT1H", "P1DT2H")
    assert one == two != other


def test_a_literal_that_no_codec_reads_is_a_key_of_its_own() -> None:
    codec = codec_for(parse_type("interval"))
    assert codec is not None
    assert normal_form(codec, "infinity") == normal_form(codec, "infinity") != normal_form(codec, "-infinity")
    assert len(set(encoded("interval", "infinity", "-infinity", "P1D"))) == 3


@pytest.mark.parametrize(
    "one, two",
    [
        ([None], [""]),
        (["a", "b"], ["ab", ""]),
        (["a", None], [None, "a"]),
        ([None, None], [None]),
        (["null"], [None]),
        (["é"], ["e\u0301"]),
    ],
)
def test_digest_tells_rows_apart(one: List[Optional[str]], two: List[Optional[str]]) -> None:
    assert row_digest(one) != row_digest(two)


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=4),
    st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=4),
)
def test_digest_is_equal_for_equal_rows_alone(one: List[Optional[str]], two: List[Optional[str]]) -> None:
    assert (row_digest(one) == row_digest(two)) == (one == two)
