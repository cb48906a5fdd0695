# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module sqlite_fence: check, apply, check, apply, both ways."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    return result


def facts(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "invocation"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a');"
            'CREATE TABLE "it\'s ""odd""" (a); CREATE VIRTUAL TABLE search USING fts5 (body)'
        )
    return path


def write(path: Path, statement: str = "INSERT INTO t (v) VALUES ('x')") -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_check_apply_check_apply_both_ways(source: Path, run_module: ModuleRunner) -> None:
    up, down = {"source": str(source)}, {"source": str(source), "state": "absent"}
    checked = done(run_module("sqlite_fence", up, check=True, diff=True))
    write(source)
    applied = done(run_module("sqlite_fence", up, diff=True))
    assert facts(checked) == facts(applied)
    assert applied["changed"] and applied["fenced"]
    assert applied["tables"] == ['it\'s "odd"', "t"] and applied["unfenceable"] == ["search"]
    assert applied["diff"]["before"] == {"fenced": []} and applied["diff"]["after"] == {"fenced": applied["tables"]}
    assert "search" in str(applied["warnings"])
    assert "changed_since_snapshot" not in applied
    with pytest.raises(sqlite3.IntegrityError, match="being moved to PostgreSQL"):
        write(source)
    assert not done(run_module("sqlite_fence", up, check=True))["changed"]
    assert not done(run_module("sqlite_fence", up))["changed"]

    checked = done(run_module("sqlite_fence", down, check=True, diff=True))
    with pytest.raises(sqlite3.IntegrityError):
        write(source)
    applied = done(run_module("sqlite_fence", down, diff=True))
    assert facts(checked) == facts(applied)
    assert applied["changed"] and not applied["fenced"] and applied["tables"] == []
    write(source)
    assert not done(run_module("sqlite_fence", down, check=True))["changed"]
    assert not done(run_module("sqlite_fence", down))["changed"]


def test_compared_with_a_snapshot(source: Path, tmp_path: Path, run_module: ModuleRunner) -> None:
    snapshot, status = tmp_path / "snapshot.db", tmp_path / "status.json"
    done(run_module("sqlite_snapshot", {"source": str(source), "dest": str(snapshot)}))
    arguments = {"source": str(source), "compare_with": str(snapshot), "progress_file": str(status)}
    assert done(run_module("sqlite_fence", arguments, check=True))["changed_since_snapshot"] == []
    write(source)
    write(source, "UPDATE t SET v = CAST('a' AS BLOB) WHERE id = 1")
    checked = done(run_module("sqlite_fence", arguments, check=True))
    applied = done(run_module("sqlite_fence", arguments))
    assert facts(checked) == facts(applied)
    assert applied["changed_since_snapshot"] == [
        {
            "table": "t",
            "rows_missing": 0,
            "rows_extra": 1,
            "rows_changed": 1,
            "first_keys": ["id=1", "id=2"],
            "reason": "",
        }
    ]
    assert applied["fenced"]
    document = json.loads(status.read_text())
    assert (document["step"], document["tables_done"], document["all_rows"]) == ("fence", 2, 2)
    with pytest.raises(sqlite3.IntegrityError):
        write(source)


def test_a_writer_in_the_way(source: Path, run_module: ModuleRunner) -> None:
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        result = run_module("sqlite_fence", {"source": str(source), "busy_timeout": 0.2})
        assert result["failed"] and "locked" in result["msg"] and "(pid " in result["advice"]
        connection.execute("ROLLBACK")
        connection.execute("INSERT INTO t (v) VALUES ('free')")


def test_a_missing_source(tmp_path: Path, run_module: ModuleRunner) -> None:
    for check in (True, False):
        result = run_module("sqlite_fence", {"source": str(tmp_path / "missing.db")}, check=check)
        assert result["failed"] and "There is no SQLite file" in result["msg"]
        assert list(tmp_path.iterdir()) == []
