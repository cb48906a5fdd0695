# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions held against PostgreSQL itself: what a codec lets through, the server takes and keeps."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session, connect
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import Misfit, SqliteValue
from support.conversions import ENCODED, ENUMS, JSON
from support.server import Server

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def session(postgres: Server) -> Iterator[Session]:
    database = postgres.create_database(extensions=("vector", "citext"))
    with connect(database.login) as opened:
        opened.execute("CREATE TYPE public.mood AS ENUM ('HAPPY', 'SAD')")
        yield opened
    postgres.drop(database)


def round_trip(session: Session, sql_type: str, value: SqliteValue) -> tuple[str, str] | None:
    """Normal forms of what was sent and of what the server then prints; None where the codec refuses the value."""
    kind = parse_type(sql_type, ENUMS)
    codec = codec_for(kind)
    assert codec is not None
    try:
        literal = codec.encode(value)
    except Misfit:
        return None
    with session.transaction():
        session.execute("SET LOCAL search_path TO public")
        session.execute(f"CREATE TEMP TABLE t (v {sql_type}) ON COMMIT DROP")
        session.execute("INSERT INTO t VALUES (%s)", (literal,))
        (printed,) = session.query("SELECT pg_catalog.format('%s', v) FROM t")[0]
    return codec.canonical(literal), codec.canonical(printed)


@pytest.mark.parametrize(("sql_type", "value", "literal"), ENCODED)
def test_the_server_keeps_what_fits(session: Session, sql_type: str, value: SqliteValue, literal: str) -> None:
    forms = round_trip(session, sql_type, value)
    assert forms is not None and forms[0] == forms[1]


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
        "halfvec": numbers.map(json.dumps),
    }
    return own[sql_type] | st.sampled_from([None, 0, 1, 0.5, "", "x", b""]).filter(lambda value: value is not None)


@pytest.mark.parametrize(
    "sql_type",
    [
        "double precision",
        "real",
        "numeric",
        "numeric(12,3)",
        "jsonb",
        "json",
        "text",
        "character varying(5)",
        "character(5)",
        "bytea",
        "timestamp without time zone",
        "timestamp with time zone",
        "date",
        "time without time zone",
        "interval",
        "text[]",
        "double precision[]",
        "integer[]",
        "jsonb[]",
        "vector",
        "halfvec",
    ],
)
@MANY
@given(data=st.data())
def test_the_server_takes_and_keeps_whatever_a_codec_lets_through(
    session: Session, sql_type: str, data: st.DataObject
) -> None:
    value = data.draw(values_of(sql_type))
    forms = round_trip(session, sql_type, value)
    assert forms is None or forms[0] == forms[1]
