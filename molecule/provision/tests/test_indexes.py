# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches that an application does use their indexes, by the planner's own choice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2.extensions
import pytest

from support.machines import Machine

ROWS = 20_000
DIMENSIONS = 32
# The same rows each time: everything follows from the number of the row.
FILL = f"""
CREATE TABLE searched AS
SELECT n AS id,
       md5(n::text) || ' ' || md5((n * 7)::text) AS title,
       'word' || n % 5000 || ' word' || (n * 13) % 4999 || ' common' AS body,
       (SELECT array_agg(('x' || left(md5(n || ' ' || d), 6))::bit(24)::int / 16777216.0)::vector({DIMENSIONS})
        FROM generate_series(1, {DIMENSIONS}) AS d) AS embedding
FROM generate_series(1, {ROWS}) AS n;
CREATE INDEX searched_embedding ON searched USING hnsw (embedding vector_cosine_ops);
CREATE INDEX searched_title ON searched USING gin (title gin_trgm_ops);
CREATE INDEX searched_body ON searched USING gin (to_tsvector('english', body));
ANALYZE searched
"""
VECTOR = "[" + ",".join(str(round(0.1 * number, 1)) for number in range(DIMENSIONS)) + "]"


@pytest.fixture(scope="module")
def owners() -> Iterator[dict[str, psycopg2.extensions.connection]]:
    """Machine's name -> its owner's connection, where the table has been made; it is dropped in the end."""
    filled: dict[str, psycopg2.extensions.connection] = {}
    yield filled
    for owner in filled.values():
        with owner.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS searched")
        owner.close()


@pytest.fixture
def filled(machine: Machine, owners: dict[str, psycopg2.extensions.connection]) -> None:
    """A table with an index of each kind."""
    if machine.name not in owners:
        owners[machine.name] = machine.connect("mcps_owner")
        with owners[machine.name].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS searched")
            cursor.execute(FILL)


def nodes(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and index of every node of a plan."""
    yield plan["Node Type"], plan.get("Index Name", "")
    for below in plan.get("Plans", []):
        yield from nodes(below)


def ask(connection: psycopg2.extensions.connection, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("query", "index", "rows"),
    [
        (f"SELECT id FROM searched ORDER BY embedding <=> '{VECTOR}' LIMIT 10", "searched_embedding", 10),
        ("SELECT id FROM searched WHERE title ILIKE '%c4ca4238a0%'", "searched_title", 1),
        (
            "SELECT id FROM searched WHERE to_tsvector('english', body) @@ websearch_to_tsquery('english', 'word4711')",
            "searched_body",
            8,
        ),
    ],
    ids=["vector", "trigram", "full-text"],
)
@pytest.mark.parametrize("role", ["mcps_app", "mcps_analytics"])
def test_a_search_uses_its_index(
    filled: None, connect: Callable[..., Any], role: str, query: str, index: str, rows: int
) -> None:
    connection = connect(role)
    ((plan,),) = ask(connection, f"EXPLAIN (FORMAT JSON) {query}")
    used = dict(nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
    assert index in used.values(), used
    assert "Seq Scan" not in used
    assert len(ask(connection, query)) == rows


def test_the_vector_index_finds_the_nearest(filled: None, connect: Callable[..., Any]) -> None:
    connection = connect("mcps_app")
    nearest = "SELECT id FROM searched ORDER BY embedding <=> (SELECT embedding FROM searched WHERE id = 4711) LIMIT 5"
    assert (4711,) in ask(connection, nearest)
