# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role migration with applications whose revisions PostgreSQL does not take, each migrated without editing it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg2 import sql

from support.alembic_project import CREATE_CHILD, CREATE_PARENT, DROP_CHILD, DROP_PARENT, AlembicProject
from support.ansible_runs import PlaybookRun, PlaybookRunner, phases_until
from support.server import Database, Server

MIGRATE, ROLLBACK = "playbooks/migrate.yml", "playbooks/rollback.yml"
ROWS = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, color VARCHAR(5));
CREATE INDEX ix_parent_name ON parent (name);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL UNIQUE REFERENCES parent);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO parent VALUES (1, 'ann', 'RED'), (7, 'bob', NULL);
INSERT INTO child VALUES (3, 7);
"""
CREATE_OLD = """\
    op.create_table("old_parent", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("old_child", sa.Column("parent_id", sa.Integer, sa.ForeignKey("old_parent.id")))"""
DROP_OLD = '    op.drop_table("old_parent")\n    op.drop_table("old_child")'
MADE_BY_ITSELF = (
    "CREATE TYPE color AS ENUM ('RED', 'GREEN')",
    "CREATE TABLE parent (id serial PRIMARY KEY, name varchar NOT NULL, color color)",
    "CREATE INDEX ix_parent_name ON parent (name)",
    "CREATE TABLE child (id serial PRIMARY KEY, parent_id int NOT NULL UNIQUE REFERENCES parent)",
)


class Application:
    """An Alembic project, its SQLite file, and the database that it goes to."""

    def __init__(self, folder: Path, database: Database, server: Server, playbook: PlaybookRunner) -> None:
        self.folder, self.database, self.server, self.playbook = folder, database, server, playbook
        self.project = AlembicProject(folder / "app", revisions=False)
        self.source = folder / "live.db"
        self.environment = folder / ".env"
        self.environment.write_text(f"DATABASE_URL=sqlite:///{self.source}\n")
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            connection.executescript(ROWS)

    def revisions(self, **changed: str) -> None:
        self.project.revision("0001", None, CREATE_PARENT, changed.get("down", DROP_PARENT))
        self.project.revision("0002", "0001", CREATE_CHILD, DROP_CHILD)

    def run(self, name: str = MIGRATE, check: bool = False, until: str = "", **more: Any) -> PlaybookRun:
        """If I(until), no further than that phase: a test of what comes before need not go all the way."""
        variables = {
            "migration_source": str(self.source),
            "migration_alembic_project": str(self.project.folder),
            "migration_alembic_python": self.project.python,
            **self.database.migration_target,
            "migration_environment_file": str(self.environment),
            "migration_report_dir": str(self.folder / "report"),
            "mcps_progress": "never",
            **more,
        }
        return self.playbook(name, variables=variables, groups=["application"], check=check, tags=phases_until(until))

    @property
    def admin(self) -> dict[str, Any]:
        """Who may make the rehearsal's database."""
        return {"migration_admin_user": self.server.superuser, "migration_admin_password": self.server.password}

    def migrated(self, thrice: bool = False, **more: Any) -> None:
        """There and back; if I(thrice), in check mode before, and once more after, which changes nothing."""
        if thrice:
            self.run(check=True, **more).succeeded()
            assert "sqlite" in self.environment.read_text()
        self.run(**more).succeeded()
        assert self.rows() == [(1, "ann", "RED"), (7, "bob", None)]
        assert self.database.query("INSERT INTO parent (name) VALUES ('cyd') RETURNING id") == [(8,)]
        self.database.query("DELETE FROM parent WHERE id = 8")
        if thrice:
            assert self.run(**more).succeeded().recap["localhost"]["changed"] == 0
        self.run(ROLLBACK, **more).succeeded()
        assert "sqlite" in self.environment.read_text()

    def rows(self) -> list[tuple[Any, ...]]:
        return self.database.query("SELECT id, name, color::text FROM parent ORDER BY id")

    def may_make_databases(self) -> None:
        """Let the owner make the rehearsal's database. Extensions that take a superuser are not for it to make."""
        self.server.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(self.database.user)))

    def nothing_is_left(self) -> bool:
        """Whether the database of the rehearsal and the probes is gone."""
        name = f"{self.database.name}_rehearsal"
        return self.server.admin.query("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)) == [(0,)]

    def untouched(self) -> bool:
        tables = self.database.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        return tables == [(0,)] and "sqlite" in self.environment.read_text()


@pytest.fixture
def application(
    tmp_path: Path, database: Database, postgres: Server, playbook: PlaybookRunner, quick_alembic: str
) -> Application:
    made = Application(tmp_path, database, postgres, playbook)
    made.project.python = quick_alembic
    return made


def test_tables_dropped_in_the_wrong_order_by_the_patches_that_the_rehearsal_found(application: Application) -> None:
    application.revisions()
    application.project.revision(
        "0003", "0002", CREATE_OLD, '    op.drop_table("old_child")\n    op.drop_table("old_parent")'
    )
    application.project.revision("0004", "0003", DROP_OLD, CREATE_OLD)
    application.run(**application.admin).failed("0004", "foreign keys", "schema_patches.yml")
    assert application.untouched()
    report = json.loads((application.folder / "report" / "report.json").read_text())
    assert [failure["revision"] for failure in report["rehearsal"]["failures"]][:1] == ["0004"]
    assert "DROP TABLE" in (application.folder / "report" / "report.html").read_text()
    found = yaml.safe_load((application.folder / "report" / "schema_patches.yml").read_text())
    assert found["migration_schema_strategy"] == "offline" and len(found["migration_schema_patches"]) == 1
    application.migrated(**found, **application.admin)


def test_a_type_that_an_earlier_way_back_left_behind(application: Application) -> None:
    application.revisions(down='    op.drop_table("parent")')
    application.database.query("CREATE TYPE color AS ENUM ('RED', 'GREEN')")
    application.run(**application.admin).failed("color", "already exist", "DROP TYPE")
    assert application.untouched()
    create = "CREATE TYPE color AS ENUM ('RED', 'GREEN');"
    patch = {"revision": "0001", "find": create, "replace": f"DROP TYPE IF EXISTS color; {create}"}
    application.migrated(migration_schema_strategy="offline", migration_schema_patches=[patch], **application.admin)


def test_tables_that_the_application_made_itself(application: Application) -> None:
    application.revisions()
    for statement in MADE_BY_ITSELF:
        application.database.query(statement)
    application.run().failed("no Alembic revision", "existing")
    application.migrated(migration_schema_strategy="existing")
    assert application.database.query("SELECT version_num FROM alembic_version") == [("0002",)]


def test_tables_that_are_not_what_the_application_expects_are_not_stamped(application: Application) -> None:
    application.revisions()
    for statement in MADE_BY_ITSELF:
        application.database.query(statement.replace("name varchar NOT NULL", "name varchar(20) NOT NULL"))
    application.database.query("ALTER TABLE child DROP CONSTRAINT child_parent_id_key")
    application.run(migration_schema_strategy="existing").failed(
        "parent.name", "character varying(20)", "child", "unique"
    )
    assert application.database.query("SELECT to_regclass('alembic_version') IS NULL") == [(True,)]


def test_nothing_is_there_to_be_compared(application: Application) -> None:
    application.revisions()
    application.run(migration_schema_strategy="existing").failed("nothing to compare", "upgrade")


def test_a_chain_that_is_missing(application: Application) -> None:
    application.migrated(thrice=True, migration_schema_strategy="metadata", **application.admin)


def test_metadata_make_what_the_application_expects_and_nothing_else(application: Application) -> None:
    """Where nobody's revisions have made the tables, nothing may differ, not even what keeps nothing from working."""
    model = application.project.folder / "model.py"
    besides = 'sa.event.listen(parent, "after_create", sa.DDL("CREATE INDEX besides ON parent (color)"))\n'
    model.write_text(model.read_text() + besides)
    wanted = {"migration_schema_strategy": "metadata", **application.admin}
    application.run(**wanted).failed("goes up", "parent", "(index)", "migration_schema_accept")
    assert application.untouched()
    application.run(**wanted, migration_rehearsal="never").failed("parent", "(index)", "migration_schema_accept")
    application.run(**wanted, migration_schema_accept=["index parent*"]).succeeded()


def test_a_chain_that_makes_something_else_than_the_application_expects(application: Application) -> None:
    application.revisions()
    application.project.revision("0003", "0002", '    op.alter_column("parent", "name", nullable=True)')
    application.run(**application.admin).failed("goes up", "parent.name", "takes NULL", "migration_schema_accept")
    assert application.untouched()
    application.run(migration_rehearsal="never").failed("parent.name", "takes NULL", "migration_schema_accept")
    application.run(migration_schema_accept=["nullable parent.name"]).succeeded()


def test_where_there_has_to_be_a_rehearsal(application: Application) -> None:
    application.revisions()
    application.run(migration_rehearsal="always").failed("may not create databases", "migration_admin_user")
    assert application.untouched()
    name = f"{application.database.name}_rehearsal"
    application.server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        application.run(**application.admin).failed(name, "migration_rehearsal_database")
    finally:
        application.server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    application.run(until="preflight", migration_rehearsal="always", **application.admin).succeeded()
    assert application.nothing_is_left()


PROGRAM = """
import json, os, sys

import sqlalchemy as sa

url = os.environ.get("DATABASE_URL") or open(os.environ["ENV_FILE"]).read().split("DATABASE_URL=")[1].splitlines()[0].strip("'")
engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2") if url.startswith("postgresql") else url)
with engine.connect() as connection:
    rows = connection.execute(sa.text("SELECT id, name FROM parent ORDER BY id")).all()
    extra = {"wrong": connection.dialect.name} if "--wrong" in sys.argv else {}
    print(json.dumps({"rows": [list(row) for row in rows], "asked": os.getpid(), **extra}))
"""


LATE = """
import sqlite3, sys

with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("INSERT INTO parent (name) VALUES ('late')")
"""
KILL = """
import os, pathlib, signal, sys

mark, process, found = pathlib.Path(sys.argv[1]), os.getppid(), []
while not mark.exists() and process > 1:
    place = pathlib.Path("/proc", str(process))
    if b"ansible\\0playbook" in place.joinpath("cmdline").read_bytes():
        found.append(process)
    process = int(place.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
mark.touch()
for process in reversed(found):
    os.kill(process, signal.SIGKILL)
"""


#: A probe that fails.
WRONG = {
    "name": "wrong",
    "command": [sys.executable, "-c", "import nothing"],
    "environment": {"PYTHONPATH": "/nowhere"},
}


VECTORS = """\
    op.execute("ALTER TABLE parent ADD COLUMN embedding vector(3)")"""


def test_the_rehearsal_has_the_extensions_of_the_target(application: Application) -> None:
    application.revisions()
    application.project.revision("0003", "0002", VECTORS, '    op.drop_column("parent", "embedding")')
    application.database.query("CREATE SCHEMA elsewhere")
    # This one needs no superuser.
    application.database.query("CREATE EXTENSION citext SCHEMA elsewhere")
    application.project.revision("0004", "0003", '    op.execute("ALTER TABLE child ADD COLUMN tag elsewhere.citext")')
    application.run(migration_rehearsal="always", **application.admin).succeeded()
    report = json.loads((application.folder / "report" / "report.json").read_text())
    assert report["rehearsal"]["up"] and "warnings" not in report


def test_an_extension_that_the_revisions_do_not_need_may_be_lacking(application: Application) -> None:
    application.revisions()
    application.may_make_databases()
    application.run(until="preflight", migration_rehearsal="always").succeeded()
    report = json.loads((application.folder / "report" / "report.json").read_text())
    assert report["rehearsal"]["up"] and ["vector" in warning for warning in report["warnings"]] == [True]


def test_revisions_that_need_such_an_extension_are_not_rehearsed(application: Application) -> None:
    application.revisions()
    application.may_make_databases()
    application.project.revision("0003", "0002", VECTORS, '    op.drop_column("parent", "embedding")')
    application.run(migration_rehearsal="always").failed("that says nothing", "vector", "migration_admin_user")
    assert application.untouched() and application.nothing_is_left()
    application.run(migration_probes=[WRONG]).succeeded()
    report = json.loads((application.folder / "report" / "report.json").read_text())
    assert "rehearsal" not in report and ["vector" in warning for warning in report["warnings"]] == [True, True]
    assert application.nothing_is_left()


class Service:
    """A program of the application's, and the order in which things were done around it."""

    def __init__(self, application: Application) -> None:
        self.program = application.folder / "program.py"
        self.program.write_text(PROGRAM)
        self.noted = application.folder / "noted"
        self.variables = {
            "migration_services_stop": [["sh", "-c", f"echo stop >> {self.noted}"]],
            "migration_services_start": [["sh", "-c", f"echo start >> {self.noted}"]],
            "migration_traffic_close": [["sh", "-c", f"echo close >> {self.noted}"]],
            "migration_traffic_open": [["sh", "-c", f"echo open >> {self.noted}"]],
        }

    def request(self, application: Application, *words: str) -> dict[str, Any]:
        return {
            "name": "rows",
            "command": [sys.executable, str(self.program), *words],
            "environment": {"ENV_FILE": str(application.environment)},
            "ignore": ["^asked$"],
        }

    @property
    def probe(self) -> dict[str, Any]:
        """It finds its tables, and no rows."""
        return {"name": "rows", "command": [sys.executable, str(self.program)], "match": '"rows": \\[\\]'}

    def order(self) -> list[str]:
        return self.noted.read_text().split()


def test_answers_are_the_same_before_traffic_is_let_in(application: Application) -> None:
    application.revisions()
    service = Service(application)
    application.run(**service.variables, migration_smoke_requests=[service.request(application)]).succeeded()
    assert service.order() == ["close", "stop", "start", "open"]
    application.run(ROLLBACK, **service.variables).succeeded()
    assert service.order()[4:] == ["close", "stop", "start", "open"]


def test_what_is_written_until_traffic_is_closed_is_no_difference(application: Application) -> None:
    application.revisions()
    service = Service(application)
    # The first stop kills the run; the same command goes on with the answers that it was given.
    killer = [sys.executable, "-c", KILL, str(application.folder / "killed")]
    writer = [sys.executable, "-c", LATE, str(application.source)]
    variables = {**service.variables, "migration_smoke_requests": [service.request(application)]}
    close, stop = service.variables["migration_traffic_close"], service.variables["migration_services_stop"]
    run = application.run(
        **{**variables, "migration_traffic_close": [*close, writer], "migration_services_stop": [*stop, killer]},
        ansible_python_interpreter=sys.executable,  # whose parents are those that the killer looks for
    )
    assert run.rc == -9 and service.order() == ["close", "stop"], run.output
    assert application.rows() == [(1, "ann", "RED"), (7, "bob", None)]
    application.run(**variables).succeeded()
    assert application.rows() == [(1, "ann", "RED"), (7, "bob", None), (8, "late", None)]


def test_answers_that_differ_undo_the_switch(application: Application) -> None:
    application.revisions()
    service = Service(application)
    request = service.request(application, "--wrong")
    application.run(**service.variables, migration_smoke_requests=[request]).failed(
        "rows wrong", "sqlite on SQLite", "postgresql on PostgreSQL"
    )
    assert "sqlite" in application.environment.read_text()
    # Traffic comes in again when the application has gone back, and not between its start on PostgreSQL and the comparison.
    undone = ["close", "stop", "start", "close", "stop", "start", "open"]
    assert service.order() == undone
    request["ignore"].append("wrong")
    application.run(**service.variables, migration_smoke_requests=[request]).succeeded()
    assert service.order() == [*undone, "close", "stop", "start", "open"]


def test_the_application_is_tried_before_anything_is_touched(application: Application) -> None:
    application.revisions()
    probe = Service(application).probe
    application.run(migration_probes=[probe, WRONG], **application.admin).failed("exit status 1", "nothing")
    assert application.untouched() and application.nothing_is_left()
    fixed = {"migration_probe_environment": {"DATABASE_URL": "postgresql://elsewhere/other"}}
    application.run(migration_probes=[probe], **fixed, **application.admin).failed("migration_probe_environment")
    application.run(until="preflight", migration_probes=[probe], **application.admin).succeeded()


def test_the_application_is_tried_where_nothing_is_rehearsed(application: Application) -> None:
    application.revisions()
    probe = Service(application).probe
    never = {"migration_rehearsal": "never", **application.admin}
    run = application.run(check=True, migration_probes=[WRONG], **never).succeeded()
    assert "start wrong there, and drop it" in " ".join(run.output.split()) and application.nothing_is_left()
    application.run(migration_probes=[WRONG], **never).failed("exit status 1", "nothing")
    assert application.untouched() and application.nothing_is_left()
    application.run(migration_probes=[probe], **never).succeeded()
    # Then the target has its schema already, and rows, which the probe must not see.
    application.run(ROLLBACK).succeeded()
    application.run(migration_probes=[WRONG], **application.admin).failed("exit status 1", "nothing")
    assert application.nothing_is_left() and "sqlite" in application.environment.read_text()
    assert application.rows() == [(1, "ann", "RED"), (7, "bob", None)]
    application.run(until="preflight", migration_probes=[probe], **application.admin).succeeded()
    assert application.nothing_is_left()


def test_the_application_is_tried_on_tables_like_those_that_it_made_itself(application: Application) -> None:
    application.revisions()
    for statement in MADE_BY_ITSELF:
        application.database.query(statement)
    existing = {"migration_schema_strategy": "existing", **application.admin}
    application.run(migration_probes=[WRONG], **existing).failed("exit status 1", "nothing")
    assert application.database.query("SELECT to_regclass('alembic_version') IS NULL") == [(True,)]
    assert application.nothing_is_left() and "sqlite" in application.environment.read_text()
    application.run(migration_probes=[Service(application).probe], **existing).succeeded()
    assert application.nothing_is_left()


def test_probes_that_cannot_be_tried_are_never_passed_over_in_silence(application: Application) -> None:
    application.revisions()
    probes = {"migration_probes": [WRONG]}
    for rehearsal in ("never", "always"):
        run = application.run(migration_rehearsal=rehearsal, **probes)
        run.failed("may not create databases", "migration_admin_user")
        assert application.untouched()
    run = application.run(until="preflight", **probes).succeeded()
    assert "Not tried" in run.output and "Not rehearsed" in run.output
    warnings = json.loads((application.folder / "report" / "report.json").read_text())["warnings"]
    assert [warning.split(",")[0] for warning in warnings] == ["Not rehearsed", "Not tried"], warnings
    assert "wrong of migration_probes" in warnings[1] and "migration_admin_user" in warnings[1]


def test_environment_files_of_several_services_are_switched_and_put_back(application: Application) -> None:
    application.revisions()
    web, worker = application.folder / "web.env", application.folder / "worker.env"
    web.write_text("# the web site\nDATABASE_FILE=live.db\nPORT=3000\n")
    worker.write_text("export DATABASE_URL=sqlite:///live.db\n")
    files = [
        {"path": str(web), "environment": {"PG_URL": "postgres://web@db/mcps"}, "absent": ["DATABASE_FILE"]},
        {"path": str(worker), "environment": {"DATABASE_URL": "postgresql+asyncpg://worker@db/mcps"}},
    ]
    application.run(migration_environment_files=files).succeeded()
    assert "PG_URL=postgres://web@db/mcps" in web.read_text() and "DATABASE_FILE" not in web.read_text()
    assert "PORT=3000" in web.read_text() and "asyncpg" in worker.read_text()
    assert "postgresql" in application.environment.read_text()
    assert application.run(migration_environment_files=files).succeeded().recap["localhost"]["changed"] == 0
    application.run(ROLLBACK, migration_environment_files=files).succeeded()
    assert web.read_text() == "# the web site\nDATABASE_FILE=live.db\nPORT=3000\n"
    assert worker.read_text() == "export DATABASE_URL=sqlite:///live.db\n"
    assert "sqlite" in application.environment.read_text()


def test_locks_that_a_live_system_would_feel_are_said(application: Application) -> None:
    application.revisions()
    application.project.revision("0003", "0002", '    op.create_index("ix_child_parent", "child", ["parent_id"])')
    run = application.run(until="preflight", **application.admin).succeeded()
    assert "squawk says: require-concurrent-index-creation" in run.output, run.output


def test_what_keeps_the_revisions_from_being_linted_is_said(application: Application) -> None:
    application.revisions()
    application.project.revision("0003", "0002", '    op.create_index("ix_child_parent", "child", ["parent_id"])')
    run = application.run(until="preflight", migration_linter="/nowhere/squawk", **application.admin).succeeded()
    assert "no squawk at /nowhere/squawk" in run.output
    notes = json.loads((application.folder / "report" / "report.json").read_text())["rehearsal"]["notes"]
    assert any("squawk" in note for note in notes) and any("ix_child_parent" in note for note in notes), notes


def test_what_a_rehearsal_proposes_is_said(application: Application) -> None:
    application.revisions(down='    op.drop_table("parent")')
    more = '    op.create_table("more", sa.Column("of", sa.Integer, sa.ForeignKey("parent.id")))'
    application.project.revision("0003", "0002", more, '    op.drop_table("more")')
    application.run(until="preflight", **application.admin).succeeded()
    notes = json.loads((application.folder / "report" / "report.json").read_text())["rehearsal"]["notes"]
    (left,) = [note for note in notes if "leaves behind: color." in note]
    assert """op.execute('DROP TYPE "color"')""" in left
    (unindexed,) = [note for note in notes if "foreign keys: more." in note]
    assert "migration_schema_enhancements: [{kind: foreign_keys}]" in unindexed


def test_what_postgresql_can_do_is_added_to_the_tables(application: Application) -> None:
    application.revisions()
    wanted = [
        {"kind": "search", "table": "parent", "sources": {"name": "A"}},
        {"kind": "index", "table": "parent", "columns": ["color"]},
    ]
    application.run(migration_schema_enhancements=wanted).succeeded()
    made = application.database.query("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'pgx%' ORDER BY 1")
    assert made == [("pgx_parent_color",), ("pgx_parent_search_vector",)]


def test_what_cannot_be_added_stops_the_preflight(application: Application) -> None:
    application.revisions()
    search = {"kind": "search", "table": "parent", "sources": {"nickname": "A"}}
    # Without a rehearsal, too, and in check mode.
    for check in (True, False):
        application.run(check=check, migration_schema_enhancements=[search]).failed("parent has no column nickname")
        assert application.untouched()
    vector = {"kind": "vector", "table": "parent", "column": "name", "dimensions": 3}
    application.run(migration_schema_enhancements=[vector]).failed("parent.name is", "not json")
    application.server.as_superuser(application.database.name).query("DROP EXTENSION vector")
    application.run(migration_schema_enhancements=[vector]).failed("needs the extension vector")
    assert application.untouched()


def test_tables_of_an_earlier_revision_are_not_compared_and_that_is_said(application: Application) -> None:
    application.revisions()
    model = application.project.folder / "model.py"
    model.write_text(model.read_text() + 'parent.append_column(sa.Column("nick", sa.String))\n')
    add = '    op.add_column("parent", sa.Column("nick", sa.String))'
    application.project.revision("0003", "0002", add, '    op.drop_column("parent", "nick")')
    earlier = {"migration_revision": "0002", **application.admin}
    assert "Not compared" in application.run(check=True, **earlier).succeeded().output
    application.run(**earlier).succeeded()
    report = json.loads((application.folder / "report" / "report.json").read_text())
    assert report["rehearsal"]["up"] and len(report["warnings"]) == 1
    assert "revision 0002" in report["warnings"][0] and "that of 0003" in report["warnings"][0]
    application.run(ROLLBACK, **application.admin).succeeded()
    # The last one is compared, however it is named.
    application.run(migration_revision="0003", **application.admin).succeeded()
    assert "warnings" not in json.loads((application.folder / "report" / "report.json").read_text())
