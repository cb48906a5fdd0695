# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""schema_compare_info on a real server: what foreign keys do, CHECK constraints, defaults and generated columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2 import sql

from ansible_collections.mcps.postgres.plugins.module_utils._postgres._catalog import read_tables
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._expressions import Expressions
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import connect
from support.alembic_project import AlembicProject

if TYPE_CHECKING:
    from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session
    from support.ansible_runs import ModuleRunner
    from support.server import Database, Server

# An application of SQLAlchemy's

MODEL = """
kind = sa.Enum("NEW", "OLD", name="kind", native_enum=False, create_constraint=True)
sa.Table(
    "item",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id", ondelete="CASCADE", onupdate="NO ACTION")),
    sa.Column(
        "other_id", sa.Integer,
        sa.ForeignKey("parent.id", name="other", ondelete="SET NULL", deferrable=True, initially="DEFERRED"),
    ),
    sa.Column("kind", kind, server_default="NEW"),
    sa.Column("color", color, server_default="RED"),
    sa.Column("flag", sa.Boolean(create_constraint=True), server_default=sa.false()),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
    sa.Column("day", sa.Date, server_default=sa.func.current_date()),
    sa.Column("token", sa.Uuid, server_default=sa.func.gen_random_uuid()),
    sa.Column("facts", sa.JSON, server_default="{}"),
    sa.Column("size", sa.BigInteger, server_default="0"),
    sa.Column("price", sa.Numeric(8, 2), server_default=sa.text("1.5")),
    sa.Column("none", sa.Integer, server_default=sa.text("NULL")),
    sa.Column("twice", sa.BigInteger, sa.Computed("size * 2", persisted=True)),
    sa.CheckConstraint("size >= 0", name="size_positive"),
    sa.CheckConstraint("price > 0"),
)
"""


class Application:
    """Its tables as its metadata makes them, and what it expects."""

    def __init__(self, project: AlembicProject, database: Database, run: ModuleRunner) -> None:
        self._project, self.database, self._run = project, database, run
        done(run("alembic_upgrade", project.arguments(database, command="create")))
        self.model = self.info()["model"]

    def info(self) -> dict[str, Any]:
        return done(self._run("alembic_info", self._project.arguments(self.database)))

    def compare(self, **more: Any) -> dict[str, Any]:
        arguments = {**self.database.login, "model": self.model, "strict": True, **more}
        return done(self._run("schema_compare_info", arguments))


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    return result


@pytest.fixture
def application(database: Database, run_module: ModuleRunner, tmp_path: Path, quick_alembic: str) -> Application:
    project = AlembicProject(tmp_path / "app")
    project.python = quick_alembic
    model = project.folder / "model.py"
    model.write_text(model.read_text() + MODEL)
    return Application(project, database, run_module)


def test_what_the_metadata_makes_is_what_it_expects(application: Application) -> None:
    result = application.compare()
    assert result["fits"] and result["differences"] == result["not_compared"] == [], result
    assert "warnings" not in result
    # In other words, and by other names, it is still the same.
    for statement in (
        "ALTER TABLE item ALTER size SET DEFAULT 0, ALTER flag SET DEFAULT (1 = 0), ALTER price SET DEFAULT '1.50'",
        "ALTER TABLE item ALTER made SET DEFAULT CURRENT_TIMESTAMP, ALTER facts SET DEFAULT '{ }'",
        "ALTER TABLE item RENAME CONSTRAINT size_positive TO something_else",
    ):
        application.database.query(statement)
    result = application.compare()
    assert result["fits"] and result["differences"] == result["not_compared"] == [], result


def test_every_difference_is_named_once(application: Application) -> None:
    for statement in (
        "ALTER TABLE item DROP CONSTRAINT item_parent_id_fkey, ADD FOREIGN KEY (parent_id) REFERENCES parent",
        "ALTER TABLE item ALTER CONSTRAINT other NOT DEFERRABLE",
        "ALTER TABLE item DROP CONSTRAINT kind, ADD CONSTRAINT kind CHECK (kind IN ('NEW'))",
        "ALTER TABLE item DROP CONSTRAINT size_positive, ADD CONSTRAINT more CHECK (size <> 5)",
        "ALTER TABLE item ALTER flag SET DEFAULT true, ALTER made SET DEFAULT '2024-01-01', ALTER size SET DEFAULT 1",
        "ALTER TABLE item ALTER token SET DEFAULT '0123456789abcdef0123456789abcdef'",
        "ALTER TABLE item DROP COLUMN twice, ADD COLUMN twice bigint GENERATED ALWAYS AS (size * 3) STORED",
    ):
        application.database.query(statement)
    result = application.compare(drift=application.info()["drift"])
    found = {(item["kind"], item["column"]): item["detail"] for item in result["differences"]}
    assert {key for key in found if key[0] != "check"} == {
        ("foreign_key", ""),
        ("default", "flag"),
        ("default", "made"),
        ("default", "size"),
        ("default", "token"),
        ("generated", "twice"),
    }
    details = [item["detail"] for item in result["differences"]]
    # Alembic's own words for the two foreign keys are not said besides.
    assert len(details) == 10 and len(result["against"]) == 10, details
    for words in (
        "item_parent_id_fkey (parent_id) to parent (id) is ON DELETE NO ACTION and not ON DELETE CASCADE",
        "other (other_id) to parent (id) is NOT DEFERRABLE and not DEFERRABLE INITIALLY DEFERRED",
        "with kind = OLD it is false that it passes",
        "size_positive (size >= 0) is not there",
        "nobody expects the CHECK constraint more",
        "it gives true and not false",
        "it gives 1 and not 0",
        "one is computed for each row, and the other is not",
        "it is computed by (size * 3), and size * 2 is expected",
    ):
        assert any(words in detail for detail in details), (words, details)
    assert application.database.query("SELECT 1 FROM pg_class WHERE relname = 'mcps_probe'") == []


def test_what_cannot_be_told_is_said(application: Application) -> None:
    application.database.query(
        "ALTER TABLE item ALTER token SET DEFAULT md5(random()::text)::uuid, DROP CONSTRAINT size_positive,"
        " ADD CONSTRAINT size_positive CHECK (NOT size < 0)"
    )
    result = application.compare()
    assert result["fits"] and result["differences"] == []
    assert [(item["kind"], item["column"]) for item in result["not_compared"]] == [("default", "token"), ("check", "")]
    assert "Not compared" in str(result["warnings"]) and "size_positive" in str(result["warnings"])
    assert "warnings" not in application.compare(accept=["default item.token", "check item"])


def test_without_the_right_to_make_temporary_tables(application: Application, postgres: Server) -> None:
    database = application.database
    application.database.query("ALTER TABLE item ALTER size SET DEFAULT 5, DROP CONSTRAINT size_positive")
    for role in ("PUBLIC", "CURRENT_USER"):
        name = sql.Identifier(database.name)
        database.query(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM {}").format(name, sql.SQL(role)))
    result = application.compare()
    assert [(item["kind"], item["severity"]) for item in result["differences"]] == [("check", "error")]
    (item,) = result["not_compared"]
    assert "permission denied" in item["detail"] and "GRANT TEMPORARY" in item["detail"]


# Expressions one by one


@pytest.fixture(scope="module")
def server(postgres: Server) -> Iterator[Session]:
    database = postgres.create_database()
    with connect(database.login) as opened:
        opened.execute("CREATE SEQUENCE public.numbers")
        opened.execute("CREATE FUNCTION public.half(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 / 2'")
        opened.execute("CREATE TYPE public.mood AS ENUM ('good', 'bad')")
        opened.execute("CREATE DOMAIN public.small AS int CHECK (VALUE < 100)")
        yield opened
    postgres.drop(database)


@contextlib.contextmanager
def tabled(server: Session, definition: str) -> Iterator[Any]:
    """The table t as it is found, and the judge."""
    server.execute(f"CREATE TABLE public.t ({definition})")
    try:
        (table,) = read_tables(server, "public")
        yield table, Expressions(server, "public")
        assert not server.in_transaction
        assert server.value("SELECT current_setting('search_path')") == "pg_catalog, pg_temp"
        assert server.value("SELECT count(*) FROM pg_class WHERE relname = 'mcps_probe'") == 0
    finally:
        server.execute("DROP TABLE public.t")


@pytest.mark.parametrize(
    ("kind", "there", "expected", "same"),
    [
        ("int", "3", "3", True),
        ("int", "3", "'3'", True),
        ("int", "3", "1 + 2", True),
        ("int", "3", "4", False),
        ("bigint", "3", "'3'", True),
        ("numeric(8, 2)", "1.5", "'1.50'", True),
        ("numeric", "1.5", "1.500", True),
        ("double precision", "0.1", "'0.1'", True),
        ("varchar(3)", "'a'", "'a'", True),
        ("varchar(3)", "'a'", "'A'", False),
        ("varchar(3)", "'a'", "'toolong'", None),
        ("char(3)", "'a'", "'a  '", True),
        ("text", "'it''s 5%'", "'it''s 5%'::character varying", True),
        ("text", "''", "' '", False),
        ("boolean", "true", "1", True),
        ("boolean", "true", "0", False),
        ("boolean", "true", "'t'", True),
        ("boolean", "true", "strftime('%s')", None),
        ("json", """'{"a": 1}'""", """'{"a":1}'""", True),
        ("jsonb", """'{"a": 1}'""", "'{}'", False),
        ("bytea", "'\\x00'", "'\\x00'::bytea", True),
        ("text[]", "'{}'", "ARRAY[]::text[]", True),
        ("public.mood", "'good'", "'good'", True),
        ("public.mood", "'good'", "'bad'::mood", False),
        ("public.small", "5", "'5'", True),
        ("public.small", "5", "6", False),
        ("int", "public.half(8)", "half(8)", True),
        ("int", "public.half(8)", "4", True),
        ("int", "nextval('public.numbers')", "nextval('numbers')", True),
        ("int", "nextval('public.numbers')", "nextval('public.numbers') + 1", None),
        ("int", "nextval('public.numbers')", "1", False),
        ("int", "1", "nextval('public.numbers')", False),
        ("timestamptz", "now()", "CURRENT_TIMESTAMP", True),
        ("timestamp", "now()", "CURRENT_TIMESTAMP", True),
        ("timestamp", "now()", "transaction_timestamp()", True),
        ("timestamp", "timezone('utc', now())", "now() AT TIME ZONE 'utc'", None),
        ("timestamp", "now()", "now() - interval '1 hour'", False),
        ("timestamptz", "now()", "clock_timestamp()", False),
        ("date", "now()", "CURRENT_DATE", None),
        ("name", "current_user", "'somebody'", False),
        ("int", "3", "3); DROP TABLE (", None),
        ("int", "3", "", None),
    ],
)
def test_defaults(server: Session, kind: str, there: str, expected: str, same: bool | None) -> None:
    with tabled(server, f"a {kind} DEFAULT {there}") as (table, judge):
        verdict = judge.default(table, table.columns[0], expected)
        assert verdict.same is same and bool(verdict.why) is not (same is True), verdict
        assert server.value("SELECT is_called FROM public.numbers") is False


def test_a_number_for_a_boolean_is_said_as_postgresql_takes_it(server: Session) -> None:
    with tabled(server, "a boolean DEFAULT true") as (table, judge):
        verdict = judge.default(table, table.columns[0], "0")
        assert (verdict.same, verdict.instead) == (False, "CAST((0) AS boolean)")


@pytest.mark.parametrize(
    ("there", "expected", "same"),
    [
        ("a * 2", "(a*2)", True),
        ("a * 2", "a * 3", False),
        ("a * 2", "a + a", None),
        ("lower(b)", "LOWER(b)", True),
        ("lower(b)", "upper(b)", False),
        ("lower(b) || a", "lower(b) || 'x'", False),
        ("length(b) + a", "length(b) - a", False),
        ("public.half(a)", "half(a)", True),
        ("a / 2", "nothing(a)", None),
        ("100 / a", "50 / a", None),
    ],
)
def test_generated_columns(server: Session, there: str, expected: str, same: bool | None) -> None:
    kind = "text" if "lower" in there else "int"
    with tabled(server, f"a int, b text, found {kind} GENERATED ALWAYS AS ({there}) STORED") as (table, judge):
        verdict = judge.generated(table, table.column("found"), expected)
        assert verdict.same is same and bool(verdict.why) is not (same is True), verdict


@pytest.mark.parametrize(
    ("there", "expected", "same"),
    [
        ("b IN ('x', 'y')", "b in ('x','y')", True),
        ("b IN ('x', 'y')", "b IN ('x', 'y', 'z')", False),
        ("b IN ('x', 'y')", "b = 'x' OR b = 'y'", None),
        ("a > 0", "a >= 0", False),
        ("a > 0", "a > 0 OR a IS NULL", None),
        ("a > 0 AND c > 0", "a > 0 OR c > 0", False),
        ("a < c", "a <= c", False),
        ("a > 0", "typeof(a) = 'integer'", None),
        ("b ~ '^a+$'", "b ~ '^b+$'", None),
        ("date '2024-01-01' + a < current_date", "date '2024-01-02' + a < current_date", None),
    ],
)
def test_conditions(server: Session, there: str, expected: str, same: bool | None) -> None:
    with tabled(server, f"a int, b varchar(9), c int, CHECK ({there})") as (table, judge):
        verdict = judge.check(table, table.checks[0].expression, expected)
        assert verdict.same is same and bool(verdict.why) is not (same is True), verdict
