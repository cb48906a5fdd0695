# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run is found from the schemas of both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    ColumnMap,
    ForeignKey,
    SourceColumn,
    SourceTable,
    TableMap,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._workload._model import Index, Pair, TableFacts
from ansible_collections.mcps.postgres.plugins.module_utils._workload._plan import plan_work


@dataclass
class Values:
    """A Sampler over values that the test gives, by column: SQLite's and PostgreSQL's."""

    of: Mapping[str, list[tuple[Any, str | None]]] = field(default_factory=dict)
    words: list[tuple[str, float]] = field(default_factory=list)

    def pairs(self, table: TableFacts, columns: Sequence[str], targets: Sequence[str] = ()) -> list[Pair]:
        known = [self.of.get(column, [(n, str(n)) for n in range(10)]) for column in columns]
        rows = list(zip(*known, strict=False)) if known else []
        return [(tuple(one for one, _ in row), tuple(other for _, other in row)) for row in rows]

    def lexemes(self, table: TableFacts, vector: str) -> list[tuple[str, float]]:
        return self.words


def facts(
    name: str,
    columns: dict[str, str],
    indexes: Sequence[Index] = (),
    *,
    source_indexes: Sequence[tuple[str, ...]] = (),
    unique: Sequence[tuple[str, ...]] = (),
    rows: int = 1000,
    foreign_keys: Sequence[ForeignKey] = (),
    generated: Mapping[str, tuple[str, ...]] | None = None,
) -> TableFacts:
    """A table whose first column is its key, with the same names on both sides (but Target's begin with t_)."""
    key = next(iter(columns))
    made = [name for name in columns if name not in (generated or {})]
    source = SourceTable(
        name,
        tuple(SourceColumn(column, "TEXT") for column in made),
        (key,),
        tuple(foreign_keys),
        rowid=key if columns[key] == "integer" else "rowid",
    )
    targets = {column: TargetColumn(f"t_{column}", parse_type(kind)) for column, kind in columns.items()}
    target = TargetTable("app", f"t_{name}", tuple(targets.values()), (f"t_{key}",))
    return TableFacts(
        map=TableMap(source, target, tuple(ColumnMap(column, targets[column]) for column in made)),
        rows=rows,
        types={f"t_{column}": kind for column, kind in columns.items()},
        indexes=(Index("pk", "btree", (f"t_{key}",), unique=True), *indexes),
        generated={
            f"t_{column}": tuple(f"t_{one}" for one in sources) for column, sources in (generated or {}).items()
        },
        source_indexes=(*source_indexes, *unique),
        source_unique=tuple(unique),
    )


def btree(*columns: str, **others: Any) -> Index:
    return Index("i", "btree", tuple(f"t_{column}" for column in columns), **others)


def of(table: TableFacts, sampler: Values, promise: str) -> list[str]:
    return [query.name for query in plan_work([table], sampler).queries[promise]]


POST = {"id": "integer", "platform": "text", "published": "timestamp without time zone", "title": "text"}


def test_lookups_and_pages_come_from_indexes_that_both_sides_have() -> None:
    table = facts(
        "post", POST, [btree("platform", "published"), btree("title")], source_indexes=[("platform", "published")]
    )
    platforms = Values({"platform": [("a", "a"), ("b", "b"), ("a", "a"), (None, None)]})
    plan = plan_work([table], platforms)
    by_key, page = plan.queries["reads"]
    assert by_key.postgres.spelled("psycopg2") == (
        'SELECT "t_id", "t_platform", "t_published", "t_title" FROM "app"."t_post" WHERE "t_id" = %s::integer'
    )
    assert page.sqlite.spelled("sqlite") == (
        'SELECT "id", "platform", "published", "title" FROM "post" WHERE "platform" = ? AND "published" IS NOT NULL'
        ' ORDER BY "published" DESC LIMIT 20'
    )
    assert page.parameters == ((("a",), ("a",)), (("b",), ("b",)))
    one_sided = facts("post", POST, [btree("title")], source_indexes=[("platform", "published")])
    assert of(one_sided, platforms, "reads") == ["post by its key"]
    partial = facts(
        "post", POST, [btree("platform", "published", partial=True)], source_indexes=[("platform", "published")]
    )
    assert of(partial, platforms, "reads") == ["post by its key"]


def test_children_are_counted_by_what_their_parents_are_like() -> None:
    parent = facts(
        "server", {"id": "integer", "kind": "app.kind"}, [btree("kind")], source_indexes=[("kind",)], rows=60
    )
    child = facts(
        "tool", {"id": "integer", "server_id": "integer"}, foreign_keys=[ForeignKey(("server_id",), "server", ("id",))]
    )
    plan = plan_work([parent, child], Values())
    (joined,) = [query for query in plan.queries["latency"] if query.facts["kind"] == "joined"]
    assert joined.postgres.spelled("psycopg2") == (
        'SELECT p."t_kind", count(*) FROM "app"."t_tool" AS c JOIN "app"."t_server" AS p ON p."t_id" = c."t_server_id"'
        ' GROUP BY p."t_kind" ORDER BY 2 DESC LIMIT 20'
    )


SEARCHED = {"id": "integer", "a": "text", "b": "text", "n": "integer", "v": "tsvector"}
WORDS = [
    ("rare", 0.001),
    ("common", 0.31),
    ("usual", 0.11),
    ("scarce", 0.012),
    ("x1", 0.001),
    ("\u00e9t\u00e9s", 0.001),
]
VECTORS = [
    (Index("g", "gin", ("t_v",)), {"v": ("b",)}, '"b" LIKE ?', '"t_v" @@'),
    (Index("g", "gin", ("t_v",)), {"v": ("a", "b")}, '"a" LIKE ? OR "b" LIKE ?', '"t_v" @@'),
    (
        Index("g", "gin", ("",), ("t_a",), expression="to_tsvector('english'::regconfig, t_a)"),
        {"v": ()},
        '"a" LIKE ?',
        "to_tsvector('english'::regconfig, t_a) @@",
    ),
]


@pytest.mark.parametrize(("index", "generated", "like", "match"), VECTORS, ids=["one column", "two", "expression"])
def test_searches_come_from_full_text_indexes_and_what_they_are_made_of(
    index: Index, generated: dict[str, tuple[str, ...]], like: str, match: str
) -> None:
    table = facts("post", SEARCHED, [index], generated=generated)
    queries = plan_work([table], Values(words=WORDS)).queries["search"]
    assert [query.facts["term"] for query in queries[::2]] == ["rare", "scarce", "usual", "common"]
    assert queries[0].sqlite.spelled("sqlite") == f'SELECT count(*) FROM "post" WHERE ({like})'
    assert match in queries[0].postgres.spelled("psycopg2")
    ((sqlite, postgres),) = queries[0].parameters
    assert set(sqlite) == {"%rare%"} and len(sqlite) == like.count("?") and postgres == ("rare",)


def test_two_words_are_searched_for_where_all_are_common() -> None:
    table = facts("post", SEARCHED, [Index("g", "gin", ("t_v",))], generated={"v": ("a", "b")})
    common = [("some", 0.04), ("many", 0.05), ("most", 0.3)]
    queries = plan_work([table], Values(words=common)).queries["search"][::2]
    assert [(query.facts["term"], query.facts["share"]) for query in queries] == [
        ("some many", 0.002),
        ("some most", 0.012),
        ("many", 0.05),
        ("most", 0.3),
    ]
    (first, *_) = queries
    assert first.sqlite.spelled("sqlite").endswith('WHERE ("a" LIKE ? OR "b" LIKE ?) AND ("a" LIKE ? OR "b" LIKE ?)')
    assert first.parameters == ((("%some%", "%some%", "%many%", "%many%"), ("some many",)),)


CONTAINED: list[tuple[str, list[Any], tuple[Any, ...], tuple[str | None, ...]]] = [
    ("jsonb", ['["a", "b"]', '["a"]', "null", "no JSON", None], ("b",), ('["b"]',)),
    ("jsonb", ['{"k": "v", "n": 5}', '{"k": "w", "n": 5}'], ('$."k"', "v"), ('{"k": "v"}',)),
    ("text[]", ['["a", "O\'Brien"]', '["a"]'], ("O'Brien",), ('{"O\'Brien"}',)),
]


@pytest.mark.parametrize(("kind", "stored", "sqlite", "postgres"), CONTAINED, ids=["list", "object", "array"])
def test_filters_ask_for_what_few_rows_hold(
    kind: str, stored: list[Any], sqlite: tuple[Any, ...], postgres: tuple[str | None, ...]
) -> None:
    table = facts("post", {"id": "integer", "d": kind}, [Index("g", "gin", ("t_d",))])
    values = Values({"d": [(value, value) for value in stored]})
    plan = plan_work([table], values)
    (query,) = plan.queries["json" if kind == "jsonb" else "arrays"]
    assert query.parameters[0] == (sqlite, postgres)
    assert f"@> %s::{kind}" in query.postgres.spelled("psycopg2")
    assert {one["promise"] for one in plan.left_out} >= {"vectors", "arrays" if kind == "jsonb" else "json"}


def test_the_nearest_vectors_are_asked_for_in_the_words_of_their_index() -> None:
    columns = {"id": "integer", "e": "jsonb", "v": "ext.vector(3)"}
    index = Index("h", "hnsw", ("t_v",), classes=("vector_cosine_ops",))
    table = facts("post", columns, [index], generated={"v": ("e",)})
    (query,) = plan_work([table], Values({"e": [("[1, 2, 3]", "[1,2,3]")]})).queries["vectors"]
    assert "mcps_distance('cosine', \"e\", ?)" in query.sqlite.spelled("sqlite")
    assert 'ORDER BY "t_v" OPERATOR(ext.<=>) %s::ext.vector(3)' in query.postgres.spelled("psycopg2")


WRITABLE = {"id": "integer", "uuid": "uuid", "url": "character varying(20)", "n": "integer", "body": "text"}


def test_rows_are_made_up_for_every_unique_index() -> None:
    table = facts(
        "post", WRITABLE, [btree("uuid", unique=True), btree("n", "url", unique=True)], unique=[("uuid",), ("n", "url")]
    )
    write = plan_work([table], Values({"uuid": [("ab" * 16, "u")]})).write
    assert write is not None
    assert write.columns == ("uuid", "url", "n", "body") and write.targets == ("t_uuid", "t_url", "t_n", "t_body")
    # In the order of the columns: uuid of both, then n, which comes first in its index.
    assert write.fresh == (((0, "hex:32"), (2, "int")), ((0, "uuid"), (2, "int")))
    assert write.columns[write.updated or 0] == "body", "no index has to be written for it"


UNWRITABLE = {
    "a unique index on an expression": facts("t", WRITABLE, [Index("u", "btree", ("",), unique=True)]),
    "a unique moment": facts("t", {"id": "integer", "at": "timestamp without time zone"}, unique=[("at",)]),
    "a key that is no number": facts("t", {"id": "text", "n": "integer"}),
    "too few rows": facts("t", WRITABLE, rows=49),
}


@pytest.mark.parametrize("table", UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_table_that_rows_cannot_be_made_up_for_is_passed_over(table: TableFacts) -> None:
    plan = plan_work([table], Values())
    assert plan.write is None and "writes" in {one["promise"] for one in plan.left_out}
    other = replace(facts("other", WRITABLE), rows=50)
    write = plan_work([table, other], Values()).write
    assert write is not None and write.table.name == "other"


def test_declared_queries_are_taken_as_they_are() -> None:
    declared = [{"name": "own", "sqlite": "SELECT '%', '{x}'", "postgres": "SELECT '%s'"}]
    (query,) = plan_work([], Values(), declared).queries["latency"]
    assert (query.sqlite.spelled("sqlite"), query.postgres.spelled("psycopg2")) == ("SELECT '%', '{x}'", "SELECT '%s'")
