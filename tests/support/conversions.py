# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that fit, with their literals: the codecs are held against this table, and this table against a server."""

from __future__ import annotations

import json
import struct
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import SqliteValue

ENUMS = {"mood": ["HAPPY", "SAD"]}

ENCODED: list[tuple[str, SqliteValue, str]] = [
    ("boolean", 0, "f"),
    ("boolean", 1, "t"),
    ("smallint", -32768, "-32768"),
    ("integer", 2**31 - 1, "2147483647"),
    ("bigint", -(2**63), "-9223372036854775808"),
    ("numeric", 12, "12"),
    ("numeric", 0.1, "0.1"),
    ("numeric", 1e22, "10000000000000000000000"),
    ("numeric", "12.300", "12.3"),
    ("numeric", -0.0, "0"),
    ("numeric", float("inf"), "Infinity"),
    ("numeric(4,2)", 12.34, "12.34"),
    ("numeric(4,2)", 99, "99"),
    ("numeric(5)", 12345, "12345"),
    ("double precision", 0.1, "0.1"),
    ("double precision", -0.0, "-0.0"),
    ("double precision", float("-inf"), "-inf"),
    ("double precision", 5e-324, "5e-324"),
    ("double precision", 3, "3.0"),
    ("real", 0.5, "0.5"),
    ("text", "", ""),
    ("text", "tab\there\\ \n", "tab\there\\ \n"),
    ("character varying(3)", "äöü", "äöü"),
    ("character(5)", "ab", "ab"),
    ("citext", "Ab", "Ab"),
    ("bytea", b"\x00\xff", "\\x00ff"),
    ("uuid", "0123456789ABCDEF0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    ("uuid", bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ("mood", "SAD", "SAD"),
    ("json", '{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
    ("json", '"\\u0000"', '"\\u0000"'),
    ("jsonb", "null", "null"),
    ("jsonb", "[1, 2.50]", "[1, 2.50]"),
    ("jsonb", 3, "3"),
    ("jsonb", 1.5, "1.5"),
    ("jsonb", '"\\ud83d\\ude00 \\\\u0000"', '"\\ud83d\\ude00 \\\\u0000"'),
    ("timestamp without time zone", "2024-02-29 01:02:03.450000", "2024-02-29 01:02:03.45"),
    ("timestamp without time zone", "2024-02-29T01:02", "2024-02-29 01:02:00"),
    ("timestamp without time zone", "0001-01-01", "0001-01-01 00:00:00"),
    ("timestamp without time zone", "2024-01-01 00:00:00.123456000", "2024-01-01 00:00:00.123456"),
    ("timestamp(3) without time zone", "2024-01-01 00:00:00.120", "2024-01-01 00:00:00.12"),
    ("timestamp with time zone", "2024-01-01 00:30:00+01:00", "2023-12-31 23:30:00+00"),
    ("timestamp with time zone", "2024-01-01T00:00:00.5Z", "2024-01-01 00:00:00.5+00"),
    ("date", "2024-02-29", "2024-02-29"),
    ("time without time zone", "23:59", "23:59:00"),
    ("time without time zone", "23:59:59.100000", "23:59:59.1"),
    ("interval", "1970-01-03 12:00:00.000001", "P0M2DT43200.000001S"),
    ("interval", "1969-12-31 23:59:59.500000", "P0M-1DT86399.500000S"),
    ("interval", "P1Y2M3DT4H5M6.5S", "P14M3DT14706.500000S"),
    ("text[]", '["a", "b\\"c", null, "NULL", "{}\\\\"]', '{"a","b\\"c",NULL,"NULL","{}\\\\"}'),
    ("text[]", "[]", "{}"),
    ("integer[]", "[[1, 2], [3, 4]]", '{{"1","2"},{"3","4"}}'),
    ("boolean[]", "[true, false]", '{"t","f"}'),
    ("numeric[]", "[0.10000000000000000001]", '{"0.10000000000000000001"}'),
    ("jsonb[]", '[{"a": true}, 1]', '{"{\\"a\\": true}","1"}'),
    ("vector(3)", "[1, 0.5, -0.0]", "[1,0.5,-0]"),
    ("vector", struct.pack("<2f", 0.1, 2.0), "[0.100000001,2]"),
    ("halfvec(2)", "[1, 2.5]", "[1,2.5]"),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def values_of(sql_type: str) -> st.SearchStrategy[Any]:
    """Values that may mean I(sql_type), with those of every other storage class among them."""
    numbers = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5)
    own: dict[str, st.SearchStrategy[Any]] = {
        "double precision": st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1),
        "real": st.floats(width=32, allow_nan=False) | st.floats(allow_nan=False),
        "numeric": st.floats(allow_nan=False) | st.decimals(allow_nan=False, allow_infinity=False).map(str),
        "numeric(12,3)": st.floats(-1e10, 1e10) | st.decimals(-(10**10), 10**10, places=3).map(str),
        "jsonb": JSON.map(json.dumps) | TEXT,
        "json": JSON.map(lambda item: json.dumps(item, ensure_ascii=False)) | TEXT,
        "text": TEXT,
        "character varying(5)": TEXT,
        "character(5)": TEXT,
        "bytea": st.binary(),
        "timestamp without time zone": st.datetimes().map(str),
        "timestamp with time zone": st.datetimes(timezones=st.timezones()).map(str),
        "date": st.dates().map(str),
        "time without time zone": st.times().map(str),
        "interval": st.datetimes().map(str),
        "text[]": st.lists(st.none() | TEXT).map(json.dumps),
        "double precision[]": st.lists(st.none() | st.floats(allow_nan=False)).map(json.dumps),
        "integer[]": st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=2, max_size=2)).map(json.dumps),
        "jsonb[]": st.lists(JSON).map(json.dumps),
        "vector": numbers.map(json.dumps) | numbers.map(lambda items: struct.pack(f"<{len(items)}f", *items)),
        "vector(3)": st.lists(st.floats(width=32), min_size=2, max_size=4).map(
            lambda items: struct.pack(f"<{len(items)}f", *items)
        )
        | st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3).map(json.dumps),
        "halfvec": numbers.map(json.dumps),
    }
    return own[sql_type] | st.sampled_from([None, 0, 1, 0.5, "", "x", b""]).filter(lambda value: value is not None)


def like_values_of(sql_type: str) -> st.SearchStrategy[Any]:
    """Mostly values that mean I(sql_type), or almost; also of types that values_of() does not know."""
    similar = {
        "boolean": st.integers(-1, 2),
        "smallint": st.integers(-(2**15) - 1, 2**15),
        "integer": st.integers(-(2**31) - 1, 2**31),
        "bigint": st.integers(-(2**63), 2**63 - 1),
        "uuid": st.uuids().map(str) | st.uuids().map(lambda u: u.hex) | st.uuids().map(lambda u: u.bytes),
        "mood": st.sampled_from(["HAPPY", "SAD", "sad"]),
    }
    if sql_type in similar:
        return similar[sql_type]
    names = {"timestamp(3) without time zone": "timestamp without time zone", "citext": "text"}
    return values_of(names.get(sql_type, sql_type))


#: Values that go the short way of the load, by type.
PLAIN: dict[str, list[Any]] = {
    "boolean": [0, 1, None],
    "integer": [0, -5, 2**31 - 1, None],
    "bigint": [2**63 - 1, -(2**63)],
    "numeric": [1, 0.1, "12.300", None],
    "numeric(12,3)": [1, 0.125],
    "double precision": [0.0, 1.5, 1e-300, 7, None],
    "real": [0.5, 3],
    "text": ["", "x", "äöü\n\t\\", None],
    "character varying(5)": ["12345", "€€€€€"],
    "bytea": [b"", b"\x00\xff"],
    "uuid": ["0123456789ABCDEF0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef", bytes(16)],
    "mood": ["HAPPY", "SAD", None],
    "json": ['{"a": 1, "a": 2}', 5, 1.5, None],
    "jsonb": ['{"a": [1, {"b": "\\ud83d\\ude80"}]}', "[]", 5, 0.1, "null", None],
    "timestamp without time zone": ["2024-02-29 01:02:03.450000", "2024-02-29T01:02:03", "2024-02-29", None],
    "timestamp with time zone": ["2024-02-29 01:02:03.450000+02:00", "2024-02-29T01:02:03Z"],
    "date": ["2024-02-29", None],
    "time without time zone": ["01:02:03.000000", "01:02:03"],
    "interval": ["1970-01-02 00:00:01.500000", "P1D"],
    "text[]": ['["a", "b"]', "[]", '["[{,}]"]', '["q\\"", "b"]', None],
    "integer[]": ["[1, 2]", "[]"],
    "vector": ["[1, 2.5, -3e-05]", None],
    "halfvec": ["[1, 2.5]"],
}
#: The same for vectors in BLOBs, which go in binary format.
PLAIN_BLOBS: list[Any] = [struct.pack("<3f", 1.5, -0.0, 1e-40), None, struct.pack("<3f", 3e38, 2, 3)]

#: Values of any storage class that some type takes for something, or almost.
AWKWARD: list[Any] = [
    *(
        None,
        "",
        " ",
        "\x02",
        "\x03",
        "\x04",
        "\x05",
        "a\x03b",
        "\x041",
        "\x051.5",
        "a\x00b",
        "\\N",
        "\\x41",
        "\\",
        "a\tb\nc\r",
    ),
    *(0, 1, 2, -1, 32767, 32768, 2**31, -(2**31), 2**53, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(0.0, -0.0, 0.1, 1e22, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), 1 / 3, 16777217.0, 0.5),
    *("1", "0x1A", "1_000", " 12", "1e3", "t", "true", "NaN", "inf", "r1.5", "i5"),
    *("HAPPY", "happy", "SAD ", "0123456789ABCDEF0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    *(
        "0123-4567-89ab-cdef-0123456789abcdef",
        "{0123456789ABCDEF0123456789abcdef}",
        b"\x00" * 16,
        b"",
        b"\x02\x03\x04\x00",
    ),
    *("2024-02-29", "2023-02-29", "2024-2-9", "20240229", "0000-01-01", "infinity", "now", "epoch"),
    *("2024-01-01 24:00:00", "2024-01-01 23:59:60", "2024-01-01T01:02:03.123456", "2024-01-01 01:02:03.1234567"),
    *("2024-01-01 00:00:00+02:00", "0001-01-01 00:00:00+05", "9999-12-31 23:00:00-05", "2024-01-01 10:00 BC"),
    *("24:00:00", "23:59:60", "12:34", "12:34:56.5", "12:34:56+02"),
    *(
        '{"a": 1, "a": 2}',
        '[{"a": 1}, {"a": 2}]',
        '"\\u0000"',
        '"\\ud83d"',
        '"\\ud83d\\ude80"',
        "[1e99999]",
        "1E-20000",
        "[NaN]",
    ),
    *(
        "null",
        "[]",
        "{}",
        '["a"]',
        '["a", "b"]',
        '["a","b"]',
        '["a",  "b"]',
        '[", "]',
        '["x", 5, ", "]',
        '["{a}", "b\\\\"]',
    ),
    *('["a", null]', "[1, 2]", "[[1], [2]]", "[1], [2]", "1,2", "[.5, +1, 01]", "[0x1p3]", "[1e39]", "[1e-60, -0.0]"),
    # Half way between two float32, and a hair above and below, which no double can tell.
    *(
        "[1.00000005960464477539]",
        "[1.000000059604644775390625]",
        "[1.000000059604644775390624]",
        "[1.0000000596046447754]",
    ),
    *(
        "[" * 150 + "]" * 150,
        "[" * 2000 + "]" * 2000,
        "x" * 5,
        "x" * 6,
        "ab   ",
        "abcdef ",
        "äöü€\U0001f680",
        "P1D",
        "1 day",
    ),
    struct.pack("<3f", 1.5, -2.25, 1e-40),
    struct.pack("<2f", float("nan"), 1.0),
]
