# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions held against PostgreSQL itself: what a codec lets through, the server takes and keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import Misfit, SqliteValue
from support.conversions import ENCODED, ENUMS, MANY, values_of


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
