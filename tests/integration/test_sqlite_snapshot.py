# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module sqlite_snapshot: check, apply, check, apply, and what it refuses."""

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


#: What Ansible itself adds for a result with a path, once there is a file.
FILE_FACTS = ("uid", "gid", "owner", "group", "mode", "state", "size")


def facts(result: dict[str, Any], *unlike: str) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("invocation", *FILE_FACTS, *unlike)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "live ünï%.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(5)])
    return path


def write(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_check_apply_check_apply(source: Path, tmp_path: Path, run_module: ModuleRunner) -> None:
    dest = tmp_path / "snapshot.db"
    arguments = {"source": str(source), "dest": str(dest)}
    before = sorted(tmp_path.iterdir())
    checked = done(run_module("sqlite_snapshot", arguments, check=True, diff=True))
    assert sorted(tmp_path.iterdir()) == before
    applied = done(run_module("sqlite_snapshot", arguments, diff=True))
    assert (checked["changed"], checked["outcome"], checked["manifest"]) == (True, "created", None)
    assert facts(checked, "manifest") == facts(applied, "manifest")
    assert applied["diff"]["before"] == {} and applied["diff"]["after"]["snapshot"] == str(dest)
    assert applied["manifest"]["tables"] == {"t": 5}
    assert applied["mode"] == "0600"
    assert json.loads(Path(applied["manifest_path"]).read_text()) == applied["manifest"]

    # The source is as it was, its write-ahead log included, and nothing is beside the two new files.
    ours = {dest, Path(f"{dest}.manifest.json")}
    assert {path for path in tmp_path.iterdir() if not path.name.startswith(source.name)} == ours
    content = dest.read_bytes()
    for more in ({}, {"verify": True}, {"replace": True}):
        checked = done(run_module("sqlite_snapshot", {**arguments, **more}, check=True))
        again = done(run_module("sqlite_snapshot", {**arguments, **more}))
        assert facts(checked) == facts(again)
        assert (again["changed"], again["outcome"], again["source_changed"]) == (False, "existing", False)
        assert again["manifest"] == applied["manifest"]
    assert dest.read_bytes() == content


def test_a_source_that_went_on(source: Path, tmp_path: Path, run_module: ModuleRunner) -> None:
    arguments = {"source": str(source), "dest": str(tmp_path / "snapshot.db")}
    first = done(run_module("sqlite_snapshot", arguments))["manifest"]
    write(source, "INSERT INTO t VALUES ('late')")
    kept = done(run_module("sqlite_snapshot", arguments))
    assert (kept["changed"], kept["source_changed"], kept["manifest"]) == (False, True, first)
    checked = done(run_module("sqlite_snapshot", {**arguments, "replace": True}, check=True))
    replaced = done(run_module("sqlite_snapshot", {**arguments, "replace": True}))
    assert facts(checked, "manifest") == facts(replaced, "manifest")
    assert (replaced["outcome"], replaced["manifest"]["tables"]) == ("replaced", {"t": 6})
    assert not done(run_module("sqlite_snapshot", {**arguments, "replace": True}))["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_it_does_not_overwrite(source: Path, tmp_path: Path, run_module: ModuleRunner, check: bool) -> None:
    (tmp_path / "precious.txt").write_text("precious")
    arguments = {"source": str(source), "dest": str(tmp_path / "precious.txt")}
    result = run_module("sqlite_snapshot", arguments, check=check)
    assert result["failed"] and "no manifest" in result["msg"] and "replace" in result["advice"]
    assert (tmp_path / "precious.txt").read_text() == "precious"


def test_a_missing_source(tmp_path: Path, run_module: ModuleRunner) -> None:
    for check in (True, False):
        arguments = {"source": str(tmp_path / "missing.db"), "dest": str(tmp_path / "snapshot.db")}
        result = run_module("sqlite_snapshot", arguments, check=check)
        assert result["failed"] and result["error"] == "SourceError"
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_source(tmp_path: Path, run_module: ModuleRunner) -> None:
    source = tmp_path / "live.db"
    write(source, "CREATE TABLE t (a)")
    write(
        source,
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT hex(randomblob(40)) FROM n",
    )
    content = bytearray(source.read_bytes())
    content[4096 * 8 : 4096 * 9] = b"\xff" * 4096
    source.write_bytes(content)
    result = run_module("sqlite_snapshot", {"source": str(source), "dest": str(tmp_path / "snapshot.db")})
    assert result["failed"] and "is damaged" in result["msg"] and result["integrity"]
    assert [path.name for path in tmp_path.iterdir()] == ["live.db"]


def test_progress_is_told(source: Path, tmp_path: Path, run_module: ModuleRunner) -> None:
    status = tmp_path / "status.json"
    done(
        run_module(
            "sqlite_snapshot", {"source": str(source), "dest": str(tmp_path / "s.db"), "progress_file": str(status)}
        )
    )
    document = json.loads(status.read_text())
    assert (document["step"], document["table"], document["tables_done"]) == ("snapshot", "snapshot", 1)
    assert document["rows"] == document["rows_total"] > 0
