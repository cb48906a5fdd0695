# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role migration with the reference application: there, back, and stopped in between."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg2 import sql

from support.ansible_runs import ROOT, PlaybookRun, PlaybookRunner
from support.background import ansible_in_background
from support.server import Database, Server

APPLICATION = ROOT / "examples" / "mcps"
SERVERS = 200
MIGRATE, VERIFY, ROLLBACK = "playbooks/migrate.yml", "playbooks/verify.yml", "playbooks/rollback.yml"

#: What stands for the application's services: notes what it is told, and does what a file tells it to do meanwhile.
SERVICE = """
import pathlib, sqlite3, sys
folder = pathlib.Path(sys.argv[1])
with (folder / "services.log").open("a") as log:
    log.write(sys.argv[2] + "\\n")
late = folder / "late.sql"
if sys.argv[2] == "stop" and late.exists():
    with sqlite3.connect(folder / "mcps.db") as connection:
        connection.executescript(late.read_text())
    connection.close()
    late.unlink()
"""


@dataclass
class Installation:
    """One installation of the application: its database, its environment file, its services, and where it is to go."""

    folder: Path
    database: Database
    playbook: PlaybookRunner
    python: str
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.folder / "mcps.db"

    @property
    def environment_file(self) -> Path:
        return self.folder / ".env"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report" / "report.json").read_text(encoding="utf-8"))

    @property
    def journal(self) -> dict[str, Any]:
        return json.loads((self.state / "journal.json").read_text(encoding="utf-8"))

    @property
    def services(self) -> list[str]:
        log = self.folder / "services.log"
        return log.read_text(encoding="utf-8").split() if log.exists() else []

    @property
    def variables(self) -> dict[str, Any]:
        service = [sys.executable, "-c", SERVICE, str(self.folder)]
        return {
            "migration_source": str(self.source),
            "migration_state_dir": str(self.state),
            "migration_report_dir": str(self.folder / "report"),
            **self.database.migration_target,
            "migration_required_extensions": ["vector", "pg_trgm"],
            "migration_alembic_project": str(APPLICATION),
            "migration_alembic_python": self.python,
            "migration_environment_file": str(self.environment_file),
            "migration_environment_absent": ["DATABASE_PATH"],
            "migration_services_stop": [[*service, "stop"]],
            "migration_services_start": [[*service, "start"]],
            "migration_rollback_services_start": [[*service, "start-on-sqlite"]],
            "migration_health_checks": [self.check(f"server +{SERVERS}")],
            "mcps_progress": "never",
            **self.extra,
        }

    def check(self, match: str) -> dict[str, Any]:
        return {
            "name": "stats",
            "command": [self.python, "-m", "packages.harvester.cli", "stats"],
            "chdir": str(APPLICATION),
            "environment": {"MCPS_ENV_FILE": str(self.environment_file)},
            "match": match,
            "retries": 1,
            "delay": 0,
        }

    def run(self, playbook: str, *, extra: dict[str, Any] | None = None, **options: Any) -> PlaybookRun:
        return self.playbook(playbook, variables={**self.variables, **(extra or {})}, **options)

    def stats(self) -> str:
        return application(self.python, self.environment_file, "-m", "packages.harvester.cli", "stats")

    def sqlite(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            return connection.execute(statement).fetchall()

    def refuses_writes(self) -> bool:
        try:
            self.sqlite("UPDATE server SET name = name")
        except sqlite3.IntegrityError:
            return True
        return False

    def on_sqlite(self) -> bool:
        text = self.environment_file.read_text(encoding="utf-8")
        return "postgresql" not in text and f"DATABASE_PATH={self.source}" in text


def application(python: str, environment_file: Path, *arguments: str) -> str:
    environment = {**os.environ, "MCPS_ENV_FILE": str(environment_file)}
    done = subprocess.run(
        [python, *arguments], cwd=APPLICATION, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, quick_application: str) -> Path:
    """A database of the application with rows, to copy."""
    folder = tmp_path_factory.mktemp("seeded")
    environment_file = folder / ".env"
    environment_file.write_text(f"USE_SQLITE=true\nDATABASE_PATH={folder / 'mcps.db'}\n", encoding="utf-8")
    application(quick_application, environment_file, "-m", "alembic", "upgrade", "head")
    application(quick_application, environment_file, "-m", "packages.harvester.cli", "seed", "--servers", str(SERVERS))
    with contextlib.closing(sqlite3.connect(folder / "mcps.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "mcps.db"


@pytest.fixture
def installation(
    seeded: Path, database: Database, playbook: PlaybookRunner, tmp_path: Path, quick_application: str
) -> Iterator[Installation]:
    made = Installation(tmp_path / "app", database, playbook, quick_application)
    made.folder.mkdir()
    shutil.copy(seeded, made.source)
    made.environment_file.write_text(
        f"# the application\nUSE_SQLITE=true\nDATABASE_PATH={made.source}\n", encoding="utf-8"
    )
    yield made


def digest(folder: Path) -> dict[str, str]:
    """Every file's content; a write-ahead log that holds nothing is as good as none."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm") and (path.stat().st_size or not path.name.endswith("-wal"))
    }


def test_there_and_back(installation: Installation) -> None:
    before = digest(installation.folder)
    old_environment = installation.environment_file.read_text(encoding="utf-8")
    on_sqlite = installation.stats()
    planned = installation.run(MIGRATE, check=True, diff=True).succeeded(changed=True)
    assert f"server {SERVERS}" in planned.output
    assert digest(installation.folder) == before
    assert installation.database.query("SELECT 1 FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'") == []

    installation.run(MIGRATE, diff=True, extra_args=["-vvv"]).succeeded(changed=True)
    assert "postgresql+asyncpg://" in installation.environment_file.read_text(encoding="utf-8")
    assert installation.stats() == on_sqlite
    assert installation.refuses_writes()
    assert installation.services == ["stop", "start"]
    assert installation.journal["outcome"] == "finished"
    report = installation.report
    assert report["verdict"] == {"state": "migrated"}
    assert [phase["state"] for phase in report["phases"]] == ["done"] * 7
    assert report["verification"]["equal"]
    assert (installation.folder / "report" / "report.html").stat().st_size > 1000

    written = digest(installation.folder)
    for check in (True, False):
        installation.run(MIGRATE, check=check).succeeded(changed=False)
    installation.run(VERIFY).succeeded(changed=False)
    assert digest(installation.folder) == written

    installation.database.query("UPDATE server SET name = 'written on PostgreSQL' WHERE id = 7")
    refused = installation.run(ROLLBACK).failed("written to since the switch", "server", "id=7", "discard_writes")
    assert "written on PostgreSQL" in refused.output
    assert installation.services[-2:] == ["stop", "start"]
    assert not installation.on_sqlite()
    assert installation.report["verdict"]["state"] == "stopped"
    installation.run(VERIFY).failed("id=7")

    installation.database.query(
        "UPDATE server SET name = %s WHERE id = 7", installation.sqlite("SELECT name FROM server WHERE id = 7")[0]
    )
    installation.run(ROLLBACK, check=True).succeeded(changed=True)
    assert not installation.on_sqlite()
    installation.run(ROLLBACK, diff=True, extra_args=["-vvv"]).succeeded(changed=True)
    assert installation.environment_file.read_text(encoding="utf-8") == old_environment
    assert not installation.refuses_writes()
    assert installation.stats() == on_sqlite
    assert installation.services[-2:] == ["stop", "start-on-sqlite"]
    assert installation.journal["outcome"] == "rolled_back"
    installation.run(ROLLBACK).succeeded(changed=False)

    installation.sqlite("UPDATE server SET name = 'written on SQLite' WHERE id = 8")
    written = digest(installation.folder)
    installation.run(MIGRATE, check=True).succeeded(changed=True)
    assert digest(installation.folder) == written
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.database.query("SELECT name FROM server WHERE id = 8") == [("written on SQLite",)]


def test_a_rollback_can_give_up_what_was_written_on_postgresql(installation: Installation) -> None:
    installation.run(MIGRATE).succeeded(changed=True)
    installation.database.query("DELETE FROM release WHERE id = 1")
    # Yes and no given with -e arrive as text.
    installation.run(ROLLBACK, extra={"migration_rollback_discard_writes": "false"}).failed("SQLite has none of it")
    assert not installation.on_sqlite()
    give_up = {"migration_rollback_discard_writes": "true", "migration_rollback_clean_target": "true"}
    installation.run(ROLLBACK, extra=give_up).succeeded(changed=True)
    assert installation.on_sqlite()
    assert installation.sqlite("SELECT count(*) FROM release WHERE id = 1") == [(1,)]
    assert installation.database.query("SELECT (SELECT count(*) FROM server), (SELECT count(*) FROM release)") == [
        (0, 0)
    ]
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.database.query("SELECT count(*) FROM release WHERE id = 1") == [(1,)]


def test_before_the_switch(installation: Installation) -> None:
    """Phases one by one, out of order, and a way back that leaves no trace on the source."""
    before = digest(installation.folder)
    installation.run(MIGRATE, tags=["load"]).failed("Phase load cannot start", "preflight, schema, snapshot")
    installation.run(MIGRATE, tags=["preflight", "schema", "snapshot", "load"]).succeeded(changed=True)
    installation.run(MIGRATE, tags=["verify"]).succeeded(changed=True)
    assert installation.journal["phases"]["verify"]["state"] == "done"
    installation.run(ROLLBACK, extra={"migration_rollback_clean_target": True}).succeeded(changed=True)
    assert installation.database.query("SELECT count(*) FROM server") == [(0,)]
    assert installation.services == []
    after = digest(installation.folder)
    assert {name: after[name] for name in before} == before
    installation.run(ROLLBACK).succeeded(changed=False)


def test_a_failing_health_check_undoes_the_switch(installation: Installation) -> None:
    before = installation.environment_file.read_text(encoding="utf-8")
    wrong = {"migration_health_checks": [installation.check("degraded")]}
    run = installation.run(MIGRATE, extra=wrong, diff=True).failed("Health check stats failed", "expected degraded")
    run.failed("The switch is undone", "Nothing was written to PostgreSQL meanwhile")
    assert installation.environment_file.read_text(encoding="utf-8") == before
    assert not installation.refuses_writes()
    assert installation.services == ["stop", "start", "stop", "start-on-sqlite"]
    assert installation.journal["phases"]["switch"]["state"] == "undone"
    assert "Health check" in installation.report["verdict"]["error"]
    installation.sqlite("UPDATE server SET name = 'written in between' WHERE id = 9")
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.database.query("SELECT name FROM server WHERE id = 9") == [("written in between",)]


def test_services_that_do_not_come_up_again_do_not_hide_why_they_were_started(installation: Installation) -> None:
    """Neither where the switch is undone nor where the way back is refused; and traffic is let in."""
    opening = [sys.executable, "-c", SERVICE, str(installation.folder), "open"]
    unwell = {
        "migration_health_checks": [installation.check("degraded")],
        "migration_rollback_health_checks": [installation.check("on fire")],
        "migration_traffic_open": [opening],
    }
    run = installation.run(MIGRATE, extra=unwell).failed(
        "expected degraded", "The switch is undone", "the services run"
    )
    run.failed(
        "But not all is well with the services, see to them first: Health check stats failed", "expected on fire"
    )
    assert installation.services == ["stop", "start", "stop", "start-on-sqlite", "open"]
    assert "on fire" in installation.journal["phases"]["switch"]["facts"]["undone"]
    broken = [[sys.executable, "-c", "raise SystemExit('no room on the disk')"]]
    run = installation.run(MIGRATE, extra={**unwell, "migration_rollback_services_start": broken})
    run.failed(
        "expected degraded",
        "The switch is undone",
        "But not all is well with the services, see to them first",
        "no room on the disk",
    )
    assert installation.on_sqlite()
    assert not installation.refuses_writes()
    assert installation.services[-1] == "open"

    installation.run(MIGRATE).succeeded(changed=True)
    installation.database.query("DELETE FROM release WHERE id = 1")
    run = installation.run(ROLLBACK, extra=unwell).failed("SQLite has none of it", "The services go on with PostgreSQL")
    run.failed(
        "But not all is well with the services, see to them first: Health check stats failed", "expected degraded"
    )
    assert installation.services[-3:] == ["stop", "start", "open"]
    assert installation.journal["phases"]["rollback"]["state"] == "failed"
    installation.run(ROLLBACK).failed("SQLite has none of it")
    assert "not all is well" not in installation.report["verdict"]["error"]


def test_services_that_cannot_be_stopped_leave_sqlite_in_service(installation: Installation) -> None:
    stuck = {
        "migration_services_stop": [[sys.executable, "-c", "raise SystemExit('still at work')"]],
        "migration_rollback_health_checks": [installation.check("on fire")],
    }
    run = installation.run(MIGRATE, extra=stuck).failed("still at work", "The fence is down again")
    run.failed(
        "But not all is well with the services, see to them first: Health check stats failed", "expected on fire"
    )
    assert not installation.refuses_writes()
    assert installation.on_sqlite()
    assert installation.services == ["start-on-sqlite"]
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.refuses_writes()


def test_what_is_written_before_the_fence_is_taken_along(installation: Installation) -> None:
    late = "UPDATE server SET name = 'at the last moment' WHERE id = 3; DELETE FROM release WHERE id = 4;"
    (installation.folder / "late.sql").write_text(late, encoding="utf-8")
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.database.query("SELECT name FROM server WHERE id = 3") == [("at the last moment",)]
    assert installation.database.query("SELECT count(*) FROM release WHERE id = 4") == [(0,)]
    assert installation.report["verification"]["equal"]
    installation.run(MIGRATE).succeeded(changed=False)


@pytest.mark.parametrize("progress", ["never", "always"])
def test_killed_in_the_load_while_another_run_waits_outside(
    installation: Installation, tmp_path: Path, progress: str
) -> None:
    """With progress the module runs in the background of its host, without it below ansible-playbook."""
    installation.extra = {"mcps_progress": progress}
    installation.run(MIGRATE, tags=["preflight", "schema", "snapshot"]).succeeded(changed=True)
    with contextlib.closing(installation.database.connect()) as blocker:
        blocker.cursor().execute("LOCK TABLE tool IN ACCESS EXCLUSIVE MODE")
        with ansible_in_background(MIGRATE, installation.variables, tmp_path / "first") as first:
            first.wait_until(lambda: waiting_for(installation.database) > 0)
            assert installation.journal["phases"]["load"]["state"] == "started"
            second = installation.run(MIGRATE).failed("already running", f"process {first.pid}", "phase load")
            assert "undone" not in second.output
            assert installation.journal["phases"]["load"]["state"] == "started"
            first.kill_group()
            blocker.rollback()
            installation.run(MIGRATE).succeeded(changed=True)
    assert installation.journal["outcome"] == "finished"
    assert installation.report["verification"]["equal"]


def waiting_for(database: Database) -> int:
    """Sessions of the role that wait for a lock on a table."""
    [(count,)] = database.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(count)


def test_killed_in_the_switch(installation: Installation, tmp_path: Path) -> None:
    slow = {**installation.check(""), "command": [sys.executable, "-c", "import time; time.sleep(60)"]}
    with ansible_in_background(
        MIGRATE, {**installation.variables, "migration_health_checks": [slow]}, tmp_path / "first"
    ) as first:
        first.wait_until(lambda: installation.services == ["stop", "start"])
        first.kill_tree()
    assert installation.journal["phases"]["switch"]["state"] == "started"
    assert installation.refuses_writes()
    installation.run(MIGRATE).succeeded(changed=True)
    assert installation.journal["outcome"] == "finished"
    assert not installation.on_sqlite()
    installation.run(ROLLBACK).succeeded(changed=True)
    assert installation.on_sqlite()


def test_a_target_that_is_out_of_reach(installation: Installation, postgres: Server) -> None:
    installation.run(MIGRATE).succeeded(changed=True)
    nowhere = {"migration_target_port": 1}
    installation.run(ROLLBACK, extra=nowhere).failed("cannot be asked", "discard_writes")
    assert not installation.on_sqlite()
    installation.run(ROLLBACK, extra={**nowhere, "migration_rollback_discard_writes": True}).succeeded(changed=True)
    assert installation.on_sqlite()
    installation.run(MIGRATE).succeeded(changed=True)


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"migration_required_extensions": ["postgis"]}, ["postgis", "superuser"]),
    ({"migration_source": "/nonexistent/mcps.db"}, ["/nonexistent/mcps.db", "migration_source"]),
    ({"migration_target_schema": "nowhere"}, ["nowhere", "create it"]),
    ({"migration_health_checks": [{"name": "x"}]}, ["neither command nor url"]),
    ({"migration_target_password": "not-the-password"}, ["login_password"]),
    ({"migration_application_password": "not-the-password"}, ["Log in as the application", "login_password"]),
]


@pytest.mark.parametrize(("extra", "words"), WRONG, ids=[next(iter(extra)) for extra, _ in WRONG])
def test_what_is_wrong_is_named_before_anything_happens(
    installation: Installation, extra: dict[str, Any], words: list[str]
) -> None:
    before = digest(installation.folder)
    installation.run(MIGRATE, extra=extra).failed(*words)
    assert digest(installation.folder) == before


def test_an_application_that_would_work_elsewhere_is_named_before_anything_happens(
    installation: Installation, postgres: Server
) -> None:
    before = digest(installation.folder)
    other = postgres.create_database()
    try:
        elsewhere = {
            "migration_application_database": other.name,
            "migration_application_user": other.user,
            "migration_application_password": other.password,
        }
        installation.run(MIGRATE, extra=elsewhere).failed("would not work with the database", other.name)
    finally:
        postgres.drop(other)
    assert digest(installation.folder) == before


def test_the_application_as_a_role_that_only_reads_and_writes(installation: Installation, postgres: Server) -> None:
    owner, admin = installation.database, postgres.as_superuser(installation.database.name)
    name, password = f"{owner.name}_app", "p%@:/w '"
    admin.query(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
    role = {"migration_application_user": name, "migration_application_password": password}
    try:
        installation.run(MIGRATE, extra=role).failed(name, "lacks", "SELECT, UPDATE on", "writers")
        assert installation.on_sqlite() and not installation.refuses_writes()
        for grant in ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"):
            owner.query(sql.SQL("GRANT {} IN SCHEMA public TO {}").format(sql.SQL(grant), sql.Identifier(name)))
        run = installation.run(MIGRATE, extra=role)
        run.succeeded(changed=True)
        assert f"://{name}:{quote(password, safe='')}@" in installation.environment_file.read_text(encoding="utf-8")
    finally:
        admin.query(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        admin.query(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_rows_that_do_not_fit_stop_the_preflight(installation: Installation) -> None:
    installation.sqlite("UPDATE server SET stars = 'many' WHERE id = 5")
    before = digest(installation.folder)
    installation.run(MIGRATE).failed("server.stars", "id=5", "many", "migration_rules")
    assert installation.report["verdict"]["phase"] == "preflight"
    (finding,) = [one for one in installation.report["audit"]["findings"] if one["severity"] == "error"]
    assert (finding["table"], finding["column"], finding["count"]) == ("server", "stars", 1)
    after = digest(installation.folder)
    assert {name: after[name] for name in before} == before

    # The same command goes on once rows may be set aside; numbers given with -e arrive as text.
    aside = {
        "migration_on_invalid": "quarantine",
        "migration_health_checks": [installation.check(f"server +{SERVERS - 1}")],
    }
    installation.run(MIGRATE, extra={**aside, "migration_quarantine_budget": "1"}).failed("quarantine_budget is 1")
    installation.run(MIGRATE, extra={**aside, "migration_quarantine_budget": "60"}).succeeded(changed=True)
    first, *others = [json.loads(line) for line in (installation.state / "quarantine.jsonl").read_text().splitlines()]
    assert (first["table"], first["key"], first["row"]["stars"]) == ("server", {"id": 5}, "many")
    assert others and {problem["kind"] for row in others for problem in row["problems"]} == {"parent_quarantined"}
    assert installation.report["verification"]["equal"] and installation.report["verdict"]["state"] == "migrated"
    assert installation.report["load"]["quarantined"] == 1 + len(others)
    # Whoever takes it back need not know of that choice.
    installation.run(ROLLBACK).succeeded(changed=True)
    assert installation.on_sqlite() and not installation.refuses_writes()
