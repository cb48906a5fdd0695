# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""alembic_rehearsal, and the ways to a schema that it opens, with chains that were written on SQLite and a real server."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from support.alembic_project import CREATE_CHILD, CREATE_PARENT, DROP_CHILD, DROP_PARENT, AlembicProject
from support.ansible_runs import ModuleRunner
from support.server import Database, Server

#: Two tables that are gone in the end, taken down in an order that SQLite does not mind.
CREATE_OLD = """\
    op.create_table("old_parent", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table(
        "old_child",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("old_parent.id")),
    )"""
DROP_OLD_WRONG = """\
    op.drop_table("old_parent")
    op.drop_table("old_child")"""
DROP_OLD_RIGHT = """\
    op.drop_table("old_child")
    op.drop_table("old_parent")"""
#: What only SQLite takes; the table is gone in the end.
SQLITE_ONLY = """\
    op.execute("PRAGMA foreign_keys=OFF")
    op.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, seen DATETIME, body BLOB, open BOOLEAN DEFAULT 1 NOT NULL)")
    op.execute("INSERT OR IGNORE INTO note (id, seen) VALUES (1, datetime('now'))")
    op.execute('UPDATE note SET seen = NULL WHERE body = "100 % DATETIME"')
    op.execute("UPDATE note SET open = 0 WHERE ifnull(id, 0) = 1")
    op.execute("DELETE FROM sqlite_sequence")
    op.drop_table("note")"""


class Trial:
    """A project, the target that it is meant for, and a role that may make databases beside it."""

    def __init__(self, project: AlembicProject, database: Database, server: Server, run: ModuleRunner) -> None:
        self.project, self.database, self.server, self.run = project, database, server, run
        self.name = f"{database.name}_rehearsal"

    def rehearse(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        admin = {"admin_user": self.server.superuser, "admin_password": self.server.password}
        result = self.run("alembic_rehearsal", self.project.arguments(self.database, **{**admin, **more}), check=check)
        assert not self.there() or result.get("failed"), "it is dropped"
        assert self.tables() == [], "the target stays as it was"
        return result

    def upgrade(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        return self.run("alembic_upgrade", self.project.arguments(self.database, **more), check=check, diff=check)

    def info(self) -> dict[str, Any]:
        return self.run("alembic_info", self.project.arguments(self.database))

    def there(self) -> bool:
        return self.server.admin.query("SELECT count(*) FROM pg_database WHERE datname = %s", (self.name,)) == [(1,)]

    def tables(self) -> list[str]:
        rows = self.database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in rows]


@pytest.fixture
def trial(
    tmp_path: Path, database: Database, postgres: Server, run_module: ModuleRunner, quick_alembic: str
) -> Iterator[Trial]:
    found = Trial(AlembicProject(tmp_path / "app", revisions=False), database, postgres, run_module)
    found.project.python = quick_alembic
    yield found
    postgres.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(found.name)))


def whole(trial: Trial, **changed: str) -> None:
    """The two revisions that make what the model says, with I(changed) parts of them."""
    trial.project.revision("0001", None, changed.get("up", CREATE_PARENT), changed.get("down", DROP_PARENT))
    trial.project.revision("0002", "0001", CREATE_CHILD, changed.get("down_child", DROP_CHILD))


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), f"{result['msg']}\n{result.get('traceback')}"
    return result


def ways(result: dict[str, Any]) -> tuple[Any, ...]:
    return result["up"], result["down"], result["again"]


def test_a_chain_in_good_order(trial: Trial) -> None:
    whole(trial)
    result = done(trial.rehearse())
    assert ways(result) == (True, True, True) and result["mended"] and not result["changed"]
    assert all(result[name] == [] for name in ("failures", "patches", "drift", "schema", "leftovers", "unindexed"))
    assert result["compared"] and "CREATE TABLE child" in result["sql"]


def test_check_mode_makes_no_database(trial: Trial) -> None:
    whole(trial)
    assert done(trial.rehearse(check=True, admin_user="nobody"))["rehearsed"] is False


def test_tables_dropped_in_an_order_that_foreign_keys_forbid(trial: Trial) -> None:
    whole(trial)
    trial.project.revision("0003", "0002", CREATE_OLD, DROP_OLD_RIGHT)
    path = trial.project.revision("0004", "0003", DROP_OLD_WRONG, CREATE_OLD)
    result = done(trial.rehearse())
    assert not result["up"] and result["mended"] and ways(result)[1:] == (True, True), result["failures"]
    (failure,) = result["failures"]
    assert (failure["revision"], failure["sqlstate"], failure["file"]) == ("0004", "2BP01", str(path))
    assert 'drop_table("old_parent")' in path.read_text().splitlines()[failure["line"] - 1]
    assert failure["cause"] and failure["advice"] and not failure["consequence"]
    (patch,) = result["patches"]
    assert patch == failure["patch"] and "CASCADE" in patch["replace"]
    assert result["drift"] == []
    # What was found is what the upgrade takes, and with it the rehearsal has nothing to say.
    assert ways(done(trial.rehearse(strategy="offline", patches=result["patches"]))) == (True, True, True)
    assert trial.upgrade().get("failed")
    planned = done(trial.upgrade(check=True, offline=True, patches=result["patches"]))
    assert planned["changed"] and "CASCADE" in planned["diff"]["prepared"]
    applied = done(trial.upgrade(offline=True, patches=result["patches"]))
    assert applied["changed"] and applied["after"] == ["0004"]
    assert not done(trial.upgrade(offline=True, patches=result["patches"]))["changed"]
    stands = trial.info()
    assert stands["at_head"] and stands["drift"] == [] and trial.tables() == ["alembic_version", "child", "parent"]


def test_everything_that_only_sqlite_takes(trial: Trial) -> None:
    whole(trial)
    trial.project.revision("0003", "0002", SQLITE_ONLY)
    result = done(trial.rehearse())
    assert not result["up"] and result["mended"], result["failures"]
    causes = " ".join(failure["cause"] for failure in result["failures"])
    for word in ("pragma", "datetime", "booleans", "text for SQLite", "function", "catalog", "INSERT OR IGNORE"):
        assert word in causes, (word, causes)
    assert all(failure["revision"] == "0003" and failure["line"] for failure in result["failures"])
    applied = done(trial.upgrade(offline=True, patches=result["patches"]))
    assert applied["after"] == ["0003"] and trial.info()["drift"] == []


#: Statements that PostgreSQL refuses, a word of the cause, and a part of what does instead; none where nothing does.
REFUSED = (
    ("CREATE TABLE c (word TEXT COLLATE NOCASE)", "collation", "CREATE TABLE c (word TEXT)"),
    ("DROP INDEX nowhere", "another name", "DROP INDEX IF EXISTS nowhere"),
    ("ALTER TABLE t DROP CONSTRAINT nowhere", "another name", "DROP CONSTRAINT IF EXISTS nowhere"),
    ("ALTER TABLE t ALTER COLUMN word TYPE INTEGER", "told how", "USING word::INTEGER"),
    ("CREATE TYPE mood AS ENUM ('b')", "two revisions make it", ""),
    ("CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)", "does not understand", "(id INTEGER PRIMARY KEY)"),
    ("CREATE TABLE w (id INTEGER PRIMARY KEY) WITHOUT ROWID", "does not understand", "PRIMARY KEY);"),
    ("CREATE TABLE s (id INTEGER PRIMARY KEY) STRICT", "does not understand", "PRIMARY KEY);"),
    (
        "CREATE TABLE q (`id` INTEGER, word TEXT DEFAULT '`')",
        "does not understand",
        "\"id\" INTEGER, word TEXT DEFAULT '`'",
    ),
    ("DELETE FROM t WHERE word = TRUE", "does not compare", None),
    ("CREATE TABLE b (x nothing)", "type nothing", None),
)


def test_each_mend_on_a_real_server(trial: Trial) -> None:
    whole(trial)
    trial.project.revision(
        "0003",
        "0002",
        '    op.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)")\n'
        "    op.execute(\"CREATE TYPE mood AS ENUM ('a')\")\n"
        + "\n".join(f"    op.execute({statement!r})" for statement, _cause, _instead in REFUSED),
    )
    result = done(trial.rehearse())
    assert not result["up"] and not result["mended"]
    found = {failure["statement"].rstrip(";"): failure for failure in result["failures"]}
    for statement, cause, instead in REFUSED:
        failure = found[statement]
        assert cause in failure["cause"] and failure["advice"], failure
        assert (failure["patch"] == {}) == (instead is None), failure
        assert (
            instead is None
            or instead in failure["patch"]["replace"]
            and bool(instead) == bool(failure["patch"]["replace"])
        )
    assert len(found) == len(REFUSED)


#: The parent, made anew as SQLite needs it: in Alembic's words, which cannot be written as a script unless they say what
#: the table is like, and by hand.
ANEW_BY_BATCH = """\
    with op.batch_alter_table("parent", recreate="always") as batch:
        batch.alter_column("name", existing_type=sa.String, nullable=False)"""
ANEW_BY_SCRIPT = """\
    columns = [sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String), sa.Column("color", sa.String)]
    table = sa.Table("parent", sa.MetaData(), *columns)
    with op.batch_alter_table("parent", recreate="always", copy_from=table) as batch:
        batch.alter_column("name", existing_type=sa.String, nullable=False)"""
ANEW_BY_HAND = """\
    op.execute("CREATE TABLE new_parent (LIKE parent INCLUDING DEFAULTS)")
    op.execute("DROP TABLE parent")
    op.execute("ALTER TABLE new_parent RENAME TO parent")"""


@pytest.mark.parametrize("revision", [ANEW_BY_BATCH, ANEW_BY_SCRIPT, ANEW_BY_HAND], ids=["batch", "script", "hand"])
def test_a_parent_that_is_made_anew_keeps_its_childrens_foreign_keys(trial: Trial, revision: str) -> None:
    whole(trial)
    trial.project.revision("0003", "0002", revision)
    result = done(trial.rehearse())
    failure = result["failures"][0]
    assert (failure["revision"], failure["sqlstate"]) == ("0003", "2BP01") and "parent" in failure["statement"]
    assert "batch mode" in failure["cause"] and "in place" in failure["advice"]
    assert not result["up"] and not result["mended"] and result["patches"] == []


def test_patches_that_lead_elsewhere_mend_nothing(trial: Trial) -> None:
    whole(trial)
    # CASCADE takes the foreign key of the child along, and the revision does not make it again.
    trial.project.revision(
        "0003",
        "0002",
        '    op.drop_table("parent")\n' + CREATE_PARENT.replace('sa.Enum("RED", "GREEN", name="color")', "sa.String"),
    )
    result = done(trial.rehearse())
    assert not result["up"] and not result["mended"] and "CASCADE" in result["patches"][0]["replace"]
    assert {"add_fk", "modify_type"} <= {item["operation"] for item in result["drift"]}
    assert {"foreign_key", "type"} <= {item["kind"] for item in result["against"]}


def test_statements_without_a_mend_are_told_of_with_their_consequences(trial: Trial) -> None:
    whole(trial)
    trial.project.revision(
        "0003",
        "0002",
        '    op.execute("CREATE VIRTUAL TABLE words USING fts5 (word)")\n    op.execute("DELETE FROM words")',
    )
    result = done(trial.rehearse())
    assert not result["up"] and not result["mended"]
    first, second = result["failures"]
    assert (first["sqlstate"], first["consequence"], first["patch"]) == ("42601", False, {})
    assert (second["sqlstate"], second["consequence"]) == ("42P01", True)


def test_a_revision_that_cannot_be_written_as_a_script(trial: Trial) -> None:
    whole(trial)
    trial.project.revision(
        "0003", "0002", '    for _ in op.get_bind().execute(sa.text("SELECT name FROM sqlite_master")):\n        pass'
    )
    result = done(trial.rehearse())
    (failure,) = result["failures"]
    assert not result["up"] and not result["mended"] and result["sql"] == ""
    assert (failure["revision"], failure["sqlstate"]) == ("0003", "42P01") and "catalog" in failure["cause"]


def test_an_enum_that_the_way_down_leaves_behind(trial: Trial) -> None:
    whole(trial, down='    op.drop_table("parent")')
    result = done(trial.rehearse())
    assert ways(result) == (True, True, False) and result["patches"] == []
    assert result["leftovers"] == [{"kind": "enum type", "name": "color"}]
    (failure,) = result["failures"]
    assert (failure["direction"], failure["revision"], failure["sqlstate"]) == ("upgrade again", "0001", "42710")


def test_a_way_down_that_names_types_of_sqlite(trial: Trial) -> None:
    whole(trial, down_child='    op.execute("CREATE TABLE old (at DATETIME)")')
    result = done(trial.rehearse())
    assert ways(result) == (True, False, None)
    (failure,) = result["failures"]
    assert (failure["direction"], failure["revision"]) == ("downgrade", "0002") and "datetime" in failure["cause"]
    assert ways(done(trial.rehearse(downgrade=False))) == (True, None, None)


def test_drift_and_foreign_keys_without_an_index(trial: Trial) -> None:
    whole(trial, up=CREATE_PARENT.replace('    op.create_index("ix_parent_name", "parent", ["name"])', ""))
    trial.project.revision(
        "0003", "0002", '    op.create_table("more", sa.Column("of", sa.Integer, sa.ForeignKey("parent.id")))'
    )
    result = done(trial.rehearse(downgrade=False))
    assert {(item["operation"], item["table"]) for item in result["drift"]} == {
        ("add_index", "parent"),
        ("remove_table", "more"),
    }
    assert result["against"] == []  # An index and a table besides keep nothing from working.
    assert result["unindexed"] == [{"table": "more", "columns": ["of"], "parent": "parent"}]


@pytest.mark.parametrize(("default", "against"), [("'new'", []), ("'old'", ["parent.name"])], ids=["same", "other"])
def test_a_default_of_another_value_is_known_beforehand(trial: Trial, default: str, against: list[str]) -> None:
    """Alembic's autogenerate does not look at it, unless it is told to."""
    name = 'sa.Column("name", sa.String, nullable=False'
    whole(trial, up=CREATE_PARENT.replace(name, f'{name}, server_default=sa.text("{default}")'))
    model = trial.project.folder / "model.py"
    model.write_text(model.read_text().replace(name, f'{name}, server_default="new"'))
    result = done(trial.rehearse(downgrade=False))
    assert result["up"] and result["drift"] == []
    assert [f"{item['table']}.{item['column']}" for item in result["against"]] == against
    for item in result["against"]:
        assert item["kind"] == "default" and "'old'" in item["detail"] and "'new'" in item["detail"]


def test_patches_that_lead_to_another_default_mend_nothing(trial: Trial) -> None:
    """Of which Alembic's autogenerate says nothing."""
    name = 'sa.Column("name", sa.String, nullable=False'
    whole(trial, up=CREATE_PARENT.replace(name, f'{name}, server_default="old"'))
    model = trial.project.folder / "model.py"
    model.write_text(model.read_text().replace(name, f'{name}, server_default="new"'))
    trial.project.revision("0003", "0002", CREATE_OLD, DROP_OLD_RIGHT)
    trial.project.revision("0004", "0003", DROP_OLD_WRONG, CREATE_OLD)
    result = done(trial.rehearse())
    assert not result["up"] and "CASCADE" in result["patches"][0]["replace"] and result["drift"] == []
    assert [item["kind"] for item in result["against"]] == ["default"] and not result["mended"]
    accepted = done(trial.rehearse(accept=["default parent.name"]))
    assert accepted["against"] == [] and accepted["mended"]


def test_what_the_sqlite_database_has_besides(trial: Trial, tmp_path: Path) -> None:
    whole(trial)
    source = tmp_path / "live.db"
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, color VARCHAR, nickname VARCHAR);"
            "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL UNIQUE REFERENCES parent);"
            "CREATE TABLE forgotten (id INTEGER PRIMARY KEY)"
        )
    result = done(trial.rehearse(source=str(source)))
    assert {(item["table"], item["column"]) for item in result["schema"]} == {("parent", "nickname"), ("forgotten", "")}
    assert (
        done(trial.rehearse(source=str(source), exclude=["forgotten"], exclude_columns=["parent.nickname"]))["schema"]
        == []
    )


def test_metadata_of_an_application_whose_chain_is_missing(trial: Trial) -> None:
    assert ways(done(trial.rehearse(strategy="metadata")))[0]
    planned = done(trial.upgrade(command="create", check=True))
    assert planned["changed"] and trial.tables() == []
    assert done(trial.upgrade(command="create"))["changed"]
    assert {"child", "parent"} <= set(trial.tables())
    stands = trial.info()
    assert stands["at_head"] and stands["compared"] and stands["drift"] == []


#: What create_all makes besides what the model says: autogenerate calls it drift, which keeps nothing from working.
BESIDES = """
sa.event.listen(parent, "after_create", sa.DDL("CREATE INDEX besides ON parent (color)"))
"""


def test_metadata_that_make_more_than_they_say_are_told_of(trial: Trial) -> None:
    model = trial.project.folder / "model.py"
    model.write_text(model.read_text() + BESIDES)
    result = done(trial.rehearse(strategy="metadata"))
    assert [(item["operation"], item["table"]) for item in result["drift"]] == [("remove_index", "parent")]
    assert [(item["kind"], item["table"]) for item in result["against"]] == [("index", "parent")]
    assert done(trial.rehearse(strategy="metadata", accept=["index parent*"]))["against"] == []


def test_metadata_beside_a_chain_that_does_not_go_up(trial: Trial) -> None:
    whole(trial)
    trial.project.revision("0003", "0002", CREATE_OLD, DROP_OLD_RIGHT)
    trial.project.revision("0004", "0003", DROP_OLD_WRONG, CREATE_OLD)
    made = done(trial.upgrade(command="create"))
    assert made["changed"] and made["after"] == ["0004"]
    assert trial.info()["drift"] == [] and not done(trial.upgrade(command="create"))["changed"]


def test_tables_without_a_revision_are_compared(trial: Trial) -> None:
    whole(trial)
    trial.database.query("CREATE TYPE color AS ENUM ('RED', 'GREEN')")
    trial.database.query("CREATE TABLE parent (id serial PRIMARY KEY, name varchar NOT NULL, color color)")
    trial.database.query("CREATE TABLE child (id serial PRIMARY KEY, parent_id int NOT NULL UNIQUE REFERENCES parent)")
    stands = trial.info()
    assert stands["unversioned"] and stands["compared"]
    assert [(item["operation"], item["table"]) for item in stands["drift"]] == [("add_index", "parent")]
    for check in (True, False):
        refused = trial.upgrade(command="create", check=check)
        assert refused.get("failed") and "stamp" in refused["msg"], refused


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"revision": "0002", "find": "DROP TABLE child"}, ["0002", "matches nothing"]),
        ({"revision": "0001", "find": "name"}, ["0001", "matches 3 places"]),
        ({"revision": "9999", "find": "x"}, ["9999", "does not have"]),
        ({"revision": "0001", "find": " "}, ["nothing to find"]),
    ],
)
def test_a_patch_has_to_match_exactly_once(trial: Trial, patch: dict[str, str], words: list[str]) -> None:
    whole(trial)
    for check in (True, False):
        refused = trial.upgrade(check=check, offline=True, patches=[patch])
        assert refused.get("failed") and all(word in refused["msg"] for word in words), refused
    assert trial.tables() == []


def test_a_script_that_is_refused_leaves_nothing_behind(trial: Trial) -> None:
    whole(trial)
    path = trial.project.revision("0003", "0002", '    op.execute("CREATE TABLE later (at DATETIME)")')
    refused = trial.upgrade(offline=True)
    assert refused.get("failed") and (refused["file"], refused["sqlstate"]) == (str(path), "42704")
    assert "0003" in refused["msg"] and trial.tables() == []


def test_patches_without_a_script_are_refused(trial: Trial) -> None:
    whole(trial)
    refused = trial.upgrade(patches=[{"revision": "0001", "find": "x"}])
    assert refused.get("failed") and "offline" in refused["msg"]


def test_a_role_that_may_not_make_databases(trial: Trial) -> None:
    whole(trial)
    refused = trial.rehearse(admin_user=None, admin_password=None)
    assert refused.get("failed") and "admin_user" in refused["msg"] and trial.database.user in refused["msg"]


def test_a_database_of_somebody_elses_is_left_alone(trial: Trial) -> None:
    whole(trial)
    trial.server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(trial.name)))
    refused = trial.rehearse()
    assert refused.get("failed") and trial.name in refused["msg"] and trial.there()
    trial.server.execute(
        sql.SQL("COMMENT ON DATABASE {} IS 'made by mcps.postgres for a rehearsal, may be dropped'").format(
            sql.Identifier(trial.name)
        )
    )
    assert ways(done(trial.rehearse())) == (True, True, True)


def test_an_application_that_does_not_start_is_an_error(trial: Trial) -> None:
    whole(trial)
    trial.project.env.write_text("raise RuntimeError('settings are missing')\n")
    refused = trial.rehearse()
    assert refused.get("failed") and "settings are missing" in refused["msg"] and not trial.there()


def test_settings_and_extensions_of_the_target_come_along(trial: Trial) -> None:
    trial.server.as_superuser(trial.database.name).query(
        sql.SQL("ALTER DATABASE {} SET search_path TO public, pg_catalog").format(sql.Identifier(trial.database.name))
    )
    whole(trial)
    trial.project.revision(
        "0003",
        "0002",
        '    op.execute("CREATE TABLE seen (at vector(3))")\n'
        "    if not op.get_context().as_sql:\n"
        '        assert op.get_bind().exec_driver_sql("SHOW search_path").scalar() == "public, pg_catalog"',
        '    op.execute("DROP TABLE seen")',
    )
    assert ways(done(trial.rehearse())) == (True, True, True)


@pytest.mark.skipif("MCPS_ALEMBIC_PYTHON" in os.environ, reason="the oldest Alembic names percent signs otherwise")
def test_percent_signs_stay_single_in_a_script(trial: Trial) -> None:
    whole(trial)
    trial.project.revision("0003", "0002", "    op.execute(\"INSERT INTO parent (name) VALUES ('100 %')\")")
    done(trial.upgrade(offline=True))
    assert trial.database.query("SELECT name FROM parent") == [("100 %",)]
