# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/benchmark.yml with the reference application: measured, reported, and nothing left behind."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import ROOT, PlaybookRun, PlaybookRunner
from support.server import Database, Server

APPLICATION = ROOT / "examples" / "mcps"
PYTHON = ROOT / ".cache" / "venv-mcps" / "bin" / "python"
BENCHMARK, MIGRATE = "playbooks/benchmark.yml", "playbooks/migrate.yml"
MARK = "made by mcps.postgres for a benchmark, may be dropped"


@dataclass
class Installation:
    """The application on SQLite, and the server that it could go to."""

    folder: Path
    server: Server
    database: Database
    playbook: PlaybookRunner

    @property
    def source(self) -> Path:
        return self.folder / "mcps.db"

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report" / "report.json").read_text(encoding="utf-8"))

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "migration_source": str(self.source),
            "migration_state_dir": str(self.folder / "state"),
            "migration_report_dir": str(self.folder / "report"),
            **self.database.migration_target,
            "migration_required_extensions": ["vector", "pg_trgm", "pg_stat_statements"],
            "migration_alembic_project": str(APPLICATION),
            "migration_alembic_python": str(PYTHON),
            "migration_environment_file": str(self.folder / ".env"),
            "migration_admin_user": self.server.superuser,
            "migration_admin_password": self.server.password,
            "migration_benchmark_seconds": 0.02,
            "migration_benchmark_user_seconds": 0.02,
            "migration_benchmark_clients": [2],
            "migration_benchmark_max_users": 2,
            "mcps_progress": "never",
        }

    def run(self, playbook: str = BENCHMARK, *, extra: dict[str, Any] | None = None, **options: Any) -> PlaybookRun:
        return self.playbook(playbook, variables={**self.variables, **(extra or {})}, **options)

    def files(self) -> dict[str, str]:
        """All but the report; a write-ahead log that holds nothing is as good as none."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "report" not in path.parts and not path.name.endswith("-shm")
            if path.stat().st_size or not path.name.endswith("-wal")
        }

    def databases(self) -> list[str]:
        return [name for (name,) in self.server.admin.query("SELECT datname::text FROM pg_database ORDER BY 1")]


@pytest.fixture
def installation(postgres: Server, database: Database, playbook: PlaybookRunner, tmp_path: Path) -> Installation:
    made = Installation(tmp_path / "app", postgres, database, playbook)
    made.folder.mkdir()
    postgres.as_superuser(database.name).query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    environment_file = made.folder / ".env"
    environment_file.write_text(f"USE_SQLITE=true\nDATABASE_PATH={made.source}\n", encoding="utf-8")
    for arguments in (
        ("-m", "alembic", "upgrade", "head"),
        ("-m", "packages.harvester.cli", "seed", "--servers", "120"),
    ):
        environment = {**os.environ, "MCPS_ENV_FILE": str(environment_file)}
        subprocess.run(
            [str(PYTHON), *arguments], cwd=APPLICATION, env=environment, capture_output=True, text=True, check=True
        )
    with contextlib.closing(sqlite3.connect(made.source)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made


def test_before_and_after_a_migration(installation: Installation) -> None:
    files, databases = installation.files(), installation.databases()
    planned = installation.run(check=True, diff=True).succeeded(changed=True)
    assert f"{installation.database.name}_benchmark" in planned.output
    assert (installation.files(), installation.databases()) == (files, databases)
    assert not (installation.folder / "report").exists()

    installation.run(diff=True, extra_args=["-vvv"]).succeeded(changed=True)
    assert (installation.files(), installation.databases()) == (files, databases)
    assert installation.database.query("SELECT 1 FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'") == []
    report = installation.report
    assert report["verdict"] == {"state": "measured"} and "phases" not in report
    promises = {promise["name"]: promise for promise in report["benchmark"]["promises"]}
    assert [name for name, promise in promises.items() if not promise["cases"]] == []
    assert report["benchmark"]["environment"]["asyncpg"]
    slow = report["benchmark"]["slow_statements"]
    assert slow and all(any("cost=" in line for line in one["plan"]) for one in slow)
    page = (installation.folder / "report" / "report.html").read_text(encoding="utf-8")
    for one in slow:
        assert html.escape(one["plan"][0]) in page
    for promise in promises.values():
        assert f'id="promise-{promise["name"]}"' in page
    assert page.count("<svg") >= 6

    # What a migration reports afterwards has it too.
    installation.run(MIGRATE, tags=["preflight"]).succeeded(changed=True)
    report = installation.report
    assert report["verdict"]["state"] == "running"
    assert report["benchmark"]["promises"] == list(promises.values())


def test_a_failure_leaves_nothing_behind(installation: Installation) -> None:
    files, databases = installation.files(), installation.databases()
    installation.run(extra={"migration_alembic_project": "/nowhere"}).failed("There is no folder /nowhere")
    assert (installation.files(), installation.databases()) == (files, databases)


def test_what_is_somebodys_stays(installation: Installation) -> None:
    name = f"{installation.database.name}_benchmark"
    folder = installation.folder / "mcps.db.benchmark"
    other = installation.server.create_database(name)
    try:
        installation.run().failed("was not made to be thrown away", "migration_benchmark_database")
        assert name in installation.databases()
        folder.mkdir()
        (folder / "precious").touch()
        installation.run().failed("no benchmark made it", "migration_benchmark_dir")
        assert (folder / "precious").exists()

        # What a killed benchmark left is no obstacle.
        installation.server.admin.query(f"COMMENT ON DATABASE {name} IS '{MARK}'")
        (folder / "precious").rename(folder / "made-by-mcps.postgres")
        installation.run().succeeded(changed=True)
        assert name not in installation.databases() and not folder.exists()
    finally:
        installation.server.drop(other)


def test_an_application_without_alembic(installation: Installation) -> None:
    """Its schema is made as a migration would make it, with what PostgreSQL can do besides."""
    databases = installation.databases()
    enhancements = [{"kind": "search", "table": "social_posts", "sources": {"title": "A", "content": "B"}}]
    installation.run(
        extra={
            "migration_schema_strategy": "derive",
            "migration_alembic_project": "",
            "migration_schema_enhancements": enhancements,
        }
    ).succeeded(changed=True)
    assert installation.databases() == databases
    promises = {promise["name"]: promise for promise in installation.report["benchmark"]["promises"]}
    assert promises["reads"]["cases"] and promises["writes"]["cases"] and promises["search"]["cases"]
