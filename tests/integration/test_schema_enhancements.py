# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""schema_enhancements on a real server: directly, and as a revision of an application's own chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2
import pytest

from support.alembic_project import CREATE_CHILD, CREATE_PARENT, DROP_CHILD, DROP_PARENT, AlembicProject
from support.ansible_runs import ModuleRunner
from support.server import Database, Server

TABLES = (
    "CREATE TABLE product (id serial PRIMARY KEY, name text, notes text, attributes json, embedding json)",
    "CREATE TABLE sale (id serial PRIMARY KEY, product_id int REFERENCES product, at timestamp NOT NULL)",
    "INSERT INTO product (name, notes, attributes, embedding) VALUES"
    " ('Red kettle', NULL, '{\"color\": \"red\"}', '[1, 0, 0]'), ('Pan', 'goes with kettles', '[]', '[0, 1]'),"
    " ('Pot', '', 'null', '[0, \"x\", 1]'), ('Lid', '', '1', '{}')",
    "INSERT INTO sale (product_id, at) VALUES (1, now())",
)
WANTED: list[dict[str, Any]] = [
    {"kind": "jsonb", "table": "product", "column": "attributes"},
    {"kind": "search", "table": "product", "sources": {"name": "A", "notes": "B"}},
    {"kind": "vector", "table": "product", "column": "embedding", "dimensions": 3},
    {"kind": "foreign_keys"},
    {"kind": "index", "table": "sale", "columns": ["at"], "method": "brin"},
    {"kind": "index", "table": "sale", "columns": ["product_id", "at"]},
]


class Shop:
    def __init__(self, database: Database, run: ModuleRunner) -> None:
        self.database, self._run = database, run

    def enhance(self, *, check: bool = False, diff: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {**self.database.login, "enhancements": WANTED, **more}
        return self._run("schema_enhancements", arguments, check=check, diff=diff)

    def definitions(self) -> set[str]:
        """Columns with their types, and indexes."""
        columns = self.database.query(
            "SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
            " AND a.attnum > 0 AND NOT a.attisdropped"
        )
        indexes = self.database.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
        return {text for (text,) in [*columns, *indexes]}


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    return result


@pytest.fixture
def shop(database: Database, run_module: ModuleRunner) -> Shop:
    for statement in TABLES:
        database.query(statement)
    return Shop(database, run_module)


def test_there_and_back(shop: Shop) -> None:
    before = shop.definitions()
    planned = done(shop.enhance(check=True, diff=True))
    assert planned["changed"] and shop.definitions() == before and "CONCURRENTLY" in planned["diff"]["prepared"]
    made = done(shop.enhance())
    assert made["statements"] == planned["statements"] and made["rewrites"] == ["product"]
    assert {"product.attributes jsonb", "product.search_vector tsvector"} <= shop.definitions()
    query = shop.database.query
    assert query('SELECT id FROM product WHERE attributes @> \'{"color": "red"}\'') == [(1,)]
    found = query(
        "SELECT id FROM product WHERE search_vector @@ to_tsquery('kettle') ORDER BY ts_rank(search_vector, to_tsquery('kettle')) DESC"
    )
    assert found == [(1,), (2,)]
    assert query("SELECT id FROM product WHERE embedding_vector IS NOT NULL") == [(1,)]
    query("UPDATE product SET embedding = '[0, 0, 2]' WHERE id = 2")
    assert query("SELECT embedding_vector::text FROM product WHERE id = 2") == [("[0,0,2]",)]
    assert not done(shop.enhance())["changed"] and not done(shop.enhance(check=True))["changed"]
    gone = done(shop.enhance(state="absent"))
    assert gone["changed"] and shop.definitions() == before
    assert not done(shop.enhance(state="absent"))["changed"]


def test_an_index_whose_build_was_killed_is_built_again(shop: Shop) -> None:
    shop.database.query("INSERT INTO sale (product_id, at) VALUES (1, now()), (1, now())")
    wanted = [{"kind": "index", "table": "sale", "columns": ["product_id"]}]
    connection = shop.database.connect()
    connection.autocommit = True
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY pgx_sale_product_id ON sale (product_id)")
    connection.close()
    made = done(shop.enhance(enhancements=wanted))
    assert [word.split()[0] for word in made["statements"]] == ["DROP", "CREATE"]
    assert "CREATE INDEX pgx_sale_product_id ON public.sale USING btree (product_id)" in shop.definitions()
    assert not done(shop.enhance(enhancements=wanted))["changed"]


def test_a_table_that_others_hold_is_not_waited_for(shop: Shop) -> None:
    holder = shop.database.connect()
    holder.cursor().execute("LOCK TABLE product IN ACCESS SHARE MODE")
    try:
        refused = shop.enhance(lock_timeout=0.2)
        assert refused["failed"] and "lock" in refused["msg"] and "product.attributes json" in shop.definitions()
    finally:
        holder.close()
    assert done(shop.enhance())["changed"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"kind": "jsonb", "table": "product", "column": "name"}, ["product.name is text", "not json"]),
        ({"kind": "jsonb", "table": "product", "column": "nothing"}, ["has no column nothing"]),
        ({"kind": "search", "table": "nowhere", "sources": {"a": "A"}}, ["no table nowhere"]),
        ({"kind": "search", "table": "product", "sources": {"name": "Z"}}, ["weight of name is Z"]),
        ({"kind": "search", "table": "product", "sources": {"name": "A"}, "column": "notes"}, ["not generated"]),
        ({"kind": "vector", "table": "product", "column": "embedding"}, ["dimensions"]),
        ({"kind": "index", "table": "sale"}, ["names no columns"]),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_made(
    shop: Shop, wanted: dict[str, Any], words: list[str]
) -> None:
    before = shop.definitions()
    refused = shop.enhance(enhancements=[WANTED[0], wanted])
    assert refused["failed"] and "enhancement 2" in refused["msg"] and all(word in refused["msg"] for word in words)
    assert shop.definitions() == before


def test_as_a_revision_of_the_applications_own(
    shop: Shop, database: Database, run_module: ModuleRunner, tmp_path: Path
) -> None:
    project = AlembicProject(tmp_path / "app", revisions=False)
    project.revision("0001", None, CREATE_PARENT, DROP_PARENT)
    project.revision("0002", "0001", CREATE_CHILD, DROP_CHILD)
    assert done(run_module("alembic_upgrade", project.arguments(database)))["after"] == ["0002"]
    before = shop.definitions()
    delivery = {"versions_dir": str(project.versions), "down_revision": ["0002"]}
    planned = done(shop.enhance(check=True, diff=True, **delivery))
    assert planned["changed"] and not Path(planned["file"]).exists()
    written = done(shop.enhance(**delivery))
    assert written["changed"] and written["file"] == planned["file"] and shop.definitions() == before
    assert not done(shop.enhance(**delivery))["changed"]
    upgraded = done(run_module("alembic_upgrade", project.arguments(database)))
    assert upgraded["after"] == [written["revision"]]
    assert {"product.attributes jsonb", "product.embedding_vector vector(3)"} <= shop.definitions()
    # Nothing is left to be made, and the revision stays what it is when it is the head itself.
    assert not done(shop.enhance())["changed"]
    assert not done(shop.enhance(**{**delivery, "down_revision": upgraded["after"]}))["changed"]
    other = shop.enhance(**delivery, revision=written["revision"], enhancements=WANTED[:1])
    assert other["failed"] and "another one" in other["msg"]
    back = run_module("alembic_upgrade", project.arguments(database, command="downgrade", revision="-1"))
    assert done(back)["after"] == ["0002"] and shop.definitions() == before


#: A table that the application of AlembicProject knows besides its two.
MODEL = """
sa.Table(
    "article",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String),
    sa.Column("facts", sa.JSON),
    sa.Column("embedding", sa.JSON),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id")),
)
"""
CREATE_ARTICLE = """\
    op.create_table(
        "article",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String),
        sa.Column("facts", sa.JSON),
        sa.Column("embedding", sa.JSON),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id")),
    )"""
OF_ARTICLES: list[dict[str, Any]] = [
    {"kind": "jsonb", "table": "article", "column": "facts"},
    {"kind": "search", "table": "article", "sources": {"title": "A"}},
    {"kind": "vector", "table": "article", "column": "embedding", "dimensions": 3},
    {"kind": "foreign_keys"},
]


@pytest.mark.parametrize("delivered", [True, False], ids=["revision", "directly"])
def test_what_was_added_is_no_drift(
    delivered: bool, database: Database, run_module: ModuleRunner, tmp_path: Path
) -> None:
    project = AlembicProject(tmp_path / "app")
    model = project.folder / "model.py"
    model.write_text(model.read_text() + MODEL)
    project.revision("0003", "0002", CREATE_ARTICLE, '    op.drop_table("article")')
    done(run_module("alembic_upgrade", project.arguments(database)))
    delivery = {"versions_dir": str(project.versions), "down_revision": ["0003"]} if delivered else {}
    wanted = {**database.login, "enhancements": OF_ARTICLES, **delivery}
    assert done(run_module("schema_enhancements", wanted))["changed"]
    done(run_module("alembic_upgrade", project.arguments(database)))
    # All of it is there, and neither Alembic nor the comparison, be it ever so strict, has a word to say.
    assert database.query("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'pgx%'") == [(4,)]
    stands = done(run_module("alembic_info", project.arguments(database)))
    assert stands["compared"] and stands["drift"] == []
    comparison = {**database.login, "model": stands["model"], "drift": stands["drift"], "strict": True}
    assert done(run_module("schema_compare_info", comparison))["differences"] == []
    # What others have made is drift as before, also where it looks much the same.
    database.query("ALTER TABLE article ADD size int GENERATED ALWAYS AS (length(title)) STORED")
    database.query("CREATE INDEX other ON article (title)")
    stands = done(run_module("alembic_info", project.arguments(database)))
    assert {(item["operation"], item["column"]) for item in stands["drift"]} == {
        ("remove_column", "size"),
        ("remove_index", ""),
    }


def test_a_revision_is_not_taken_back_by_this_module(shop: Shop, tmp_path: Path) -> None:
    refused = shop.enhance(state="absent", versions_dir=str(tmp_path))
    assert refused["failed"] and "downgrade" in refused["msg"]


def test_before_the_tables_are_there_the_model_says_whether_it_can_be(shop: Shop, run_module: ModuleRunner) -> None:
    columns = {"id": {"type": "INTEGER", "nullable": False}, "facts": {"type": "JSON", "nullable": True}}
    model = {"article": {"columns": columns, "primary_key": ["id"]}}
    before = shop.definitions()
    wanted = [{"kind": "jsonb", "table": "article", "column": "facts"}, *WANTED]
    planned = done(shop.enhance(check=True, enhancements=wanted, model=model))
    assert "article.facts as jsonb" in planned["made"] and "pgx_sale_product_id" in planned["made"]
    for column, reason in (("fact", "article has no column fact"), ("id", "article.id is INTEGER, not json")):
        refused = shop.enhance(check=True, enhancements=[{**wanted[0], "column": column}], model=model)
        assert refused["failed"] and reason in refused["msg"]
    refused = shop.enhance(enhancements=wanted, model=model)
    assert refused["failed"] and "check mode" in refused["msg"] and shop.definitions() == before


def test_a_missing_extension_is_said_before_anything_is_made(shop: Shop, postgres: Server) -> None:
    postgres.as_superuser(shop.database.name).query("DROP EXTENSION vector")
    before = shop.definitions()
    for check in (True, False):
        refused = shop.enhance(check=check)
        assert refused["failed"] and "enhancement 3 (vector): it needs the extension vector" in refused["msg"]
    assert shop.definitions() == before
