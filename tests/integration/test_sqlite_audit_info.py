# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit on real files: whatever PostgreSQL would refuse is found, named and counted, and nothing else is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner
    from support.server import Database

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = ROOT / "examples" / "mcps"


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    assert result["changed"] is False
    return result


def made(path: Path, script: str, mode: str = "delete") -> Path:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.executescript(script)
    return path


def found(result: dict[str, Any]) -> dict[tuple[str, str, str, str], int]:
    return {(one["table"], one["column"], one["kind"], one["severity"]): one["count"] for one in result["findings"]}


# --- the reference application


@pytest.fixture(scope="module")
def python() -> str:
    """The reference application's own interpreter (make venv-app)."""
    interpreter = os.environ.get("MCPS_APPLICATION_PYTHON", str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"))
    assert Path(interpreter).exists(), "run: make venv-app"
    return interpreter


def run(python: str, path: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "USE_SQLITE": "true", "DATABASE_PATH": str(path)}
    finished = subprocess.run(
        [python, *arguments], cwd=APPLICATION, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, python: str) -> Path:
    path = tmp_path_factory.mktemp("application") / "mcps.db"
    run(python, path, "-m", "alembic", "upgrade", "head")
    run(python, path, "-m", "packages.harvester.cli", "seed", "--servers", "20")
    return path


@pytest.fixture(scope="module")
def catalogue(python: str, clean: Path) -> list[dict[str, Any]]:
    code = "import dataclasses, json; from packages.harvester.dirty import CATALOGUE; print(json.dumps([dataclasses.asdict(row) for row in CATALOGUE]))"
    rows: list[dict[str, Any]] = json.loads(run(python, clean, "-c", code))
    assert len(rows) > 30
    return rows


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, python: str, clean: Path) -> Path:
    path = tmp_path_factory.mktemp("dirty") / "mcps.db"
    path.write_bytes(clean.read_bytes())
    code = "import sys, pathlib; from packages.harvester.dirty import add_dirty_rows; add_dirty_rows(pathlib.Path(sys.argv[1]))"
    run(python, path, "-c", code, str(path))
    return path


@pytest.fixture
def migrated(database: Database, run_module: ModuleRunner, python: str) -> Database:
    """A database with the application's schema, as its Alembic makes it."""
    arguments = {"project_dir": str(APPLICATION), "python": python, **database.login}
    upgraded = run_module("alembic_upgrade", arguments)
    assert not upgraded.get("failed"), upgraded
    return database


def test_a_clean_application_has_no_errors(migrated: Database, run_module: ModuleRunner, clean: Path) -> None:
    before = clean.read_bytes()
    arguments = {"source": str(clean), **migrated.login}
    checked = done(run_module("sqlite_audit_info", arguments, check=True))
    result = done(run_module("sqlite_audit_info", arguments))
    assert {**checked, "invocation": 0} == {**result, "invocation": 0}
    assert result["sound"] and result["errors"] == 0 and result["problems"] == []
    assert [one for one in result["findings"] if one["severity"] == "error"] == []
    assert result["compared_with"] == "target"
    assert len(result["tables"]) == 15
    assert [one["table"] for one in result["left_out"]] == ["alembic_version"]
    with contextlib.closing(sqlite3.connect(clean)) as connection:
        for one in result["tables"]:
            assert one["target"] == one["table"]
            assert one["rows"] == connection.execute(f'SELECT count(*) FROM "{one["table"]}"').fetchone()[0]  # noqa: S608
            assert one["bytes"] > 0
    assert result["rows"] == sum(one["rows"] for one in result["tables"]) > 300
    kept = result["bytes"] + sum(one["index_bytes"] for one in result["tables"])
    assert result["bytes"] < kept <= clean.stat().st_size
    assert 0 <= result["disk_need_bytes"] - 2.2 * kept < 1
    assert clean.read_bytes() == before
    assert migrated.query("SELECT count(*) FROM server") == [(0,)]


def expected_of(catalogue: list[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    return Counter((row["table"], row["column"], row["kind"]) for row in catalogue)


def test_every_dirty_row_is_found_as_what_it_is(
    migrated: Database, run_module: ModuleRunner, dirty: Path, catalogue: list[dict[str, Any]]
) -> None:
    result = done(run_module("sqlite_audit_info", {"source": str(dirty), **migrated.login, "samples": 100}))
    assert Counter({name[:3]: count for name, count in found(result).items()}) == expected_of(catalogue)
    by_name = {(one["table"], one["column"], one["kind"]): one for one in result["findings"]}
    for row in catalogue:
        finding = by_name[row["table"], row["column"], row["kind"]]
        assert f"id={row['row_id']}" in finding["keys"]
        assert finding["severity"] == ("warning" if row["kind"] == "parent_quarantined" else "error")
        assert finding["reason"] and finding["advice"]
        assert len(finding["samples"]) == finding["count"]
    assert result["sound"] is False
    assert result["errors"] == sum(row["kind"] != "parent_quarantined" for row in catalogue)
    orphans = Counter((row["table"]) for row in catalogue if row["kind"] == "orphan")
    assert {one["table"]: one["rows"] for one in result["integrity"]["foreign_keys"]} == orphans


def test_the_declared_model_finds_the_same(
    database: Database, run_module: ModuleRunner, dirty: Path, python: str, catalogue: list[dict[str, Any]]
) -> None:
    application = run_module("alembic_info", {"project_dir": str(APPLICATION), "python": python, **database.login})
    assert not application.get("failed"), application
    result = done(run_module("sqlite_audit_info", {"source": str(dirty), "model": application["model"]}))
    assert result["compared_with"] == "model"
    assert Counter({name[:3]: count for name, count in found(result).items()}) == expected_of(catalogue)
    severities = {one["kind"]: one["severity"] for one in result["findings"]}
    # Whether PostgreSQL can compress a long text enough is not known without asking it.
    assert {kind for kind, severity in severities.items() if severity == "warning"} == {
        "parent_quarantined",
        "too_long_for_index",
    }


def test_the_audit_and_the_import_agree(
    migrated: Database, run_module: ModuleRunner, dirty: Path, tmp_path: Path, catalogue: list[dict[str, Any]]
) -> None:
    """What the import quarantines is what the audit found, row by row."""
    audit = done(run_module("sqlite_audit_info", {"source": str(dirty), **migrated.login, "samples": 1000}))
    quarantine = tmp_path / "quarantine.jsonl"
    loaded = run_module(
        "sqlite_import",
        {
            "source": str(dirty),
            **migrated.login,
            "on_invalid": "quarantine",
            "quarantine_file": str(quarantine),
            "quarantine_budget": 1000,
        },
    )
    assert not loaded.get("failed"), loaded
    rows = {(one["table"], key) for one in audit["findings"] for key in one["keys"]}
    assert loaded["quarantined"] == len(rows) == len(catalogue)
    arguments = {"source": str(dirty), **migrated.login, "quarantine_file": str(quarantine)}
    verified = done(run_module("migration_verify_info", arguments))
    assert verified["differences"] == [] and verified["quarantine"]["problems"] == []
    assert verified["quarantine"]["found"] == len(catalogue)


# --- one thing at a time

SOURCE = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT, uuid CHAR(32) UNIQUE, flag BOOLEAN);
CREATE TABLE child (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent, parent_uuid CHAR(32), note TEXT, self INTEGER);
"""
TARGET = """
CREATE TABLE parent (id serial PRIMARY KEY, code varchar UNIQUE, uuid uuid UNIQUE, flag boolean NOT NULL);
CREATE TABLE child (
    id serial PRIMARY KEY, up integer, parent_uuid uuid REFERENCES parent (uuid), note text,
    self integer REFERENCES child (id)
);
CREATE INDEX child_note ON child (note, self);
"""
UUIDS = [hashlib.md5(str(number).encode()).hexdigest() for number in range(9)]


@pytest.fixture
def small(database: Database, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    database.query(TARGET)
    path = made(tmp_path / "small.db", SOURCE, "wal")
    return path, {"source": str(path), **database.login}


def write(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement, values in statements:
            connection.execute(statement, values)


def parent(*values: Any) -> tuple[str, tuple[Any, ...]]:
    return "INSERT INTO parent VALUES (?, ?, ?, ?)", values


def child(*values: Any) -> tuple[str, tuple[Any, ...]]:
    return "INSERT INTO child VALUES (?, ?, ?, ?, ?)", values


def test_what_only_the_target_demands_to_be_unique(
    small: tuple[Path, dict[str, Any]], run_module: ModuleRunner
) -> None:
    """code is unique in the target only; two spellings of a uuid are different texts in SQLite."""
    path, arguments = small
    write(
        path,
        parent(1, "a", UUIDS[0], 1),
        parent(2, "b", None, 1),
        parent(3, "a", UUIDS[1], 1),
        parent(4, None, None, 1),
    )
    write(path, parent(5, None, UUIDS[0].upper(), 1), parent(6, "A", UUIDS[2], 0), parent(7, "a", UUIDS[3], 0))
    result = done(run_module("sqlite_audit_info", arguments))
    assert found(result) == {("parent", "code", "duplicate", "error"): 2, ("parent", "uuid", "duplicate", "error"): 1}
    codes = next(one for one in result["findings"] if one["column"] == "code")
    assert "parent (code) has to be unique" in codes["reason"]
    assert codes["samples"] == ["'a'", "'a'"]


@pytest.mark.parametrize("live", [True, False], ids=["target", "model"])
def test_what_becomes_jsonb_is_held_against_that(
    live: bool, database: Database, run_module: ModuleRunner, tmp_path: Path
) -> None:
    path = made(
        tmp_path / "documents.db",
        "CREATE TABLE document (id INTEGER PRIMARY KEY, body TEXT, other TEXT);"
        "INSERT INTO document VALUES (1, '\"x\\u0000\"', '\"x\\u0000\"')",
    )
    database.query("CREATE TABLE document (id int PRIMARY KEY, body json, other json)")
    types = {"id": "INTEGER", "body": "JSON", "other": "JSON"}
    columns = {name: {"type": kind, "nullable": True} for name, kind in types.items()}
    model = {"document": {"columns": columns, "primary_key": ["id"]}}
    arguments = {"source": str(path), **(database.login if live else {"model": model})}
    assert done(run_module("sqlite_audit_info", arguments))["sound"]
    wanted = [{"kind": "foreign_keys"}, {"kind": "jsonb", "table": "document", "column": "body"}]
    result = done(run_module("sqlite_audit_info", {**arguments, "enhancements": wanted}))
    assert found(result) == {("document", "body", "json_nul", "error"): 1}


def test_foreign_keys_of_either_side(small: tuple[Path, dict[str, Any]], run_module: ModuleRunner) -> None:
    path, arguments = small
    dashed = f"{UUIDS[0][:8]}-{UUIDS[0][8:12]}-{UUIDS[0][12:16]}-{UUIDS[0][16:20]}-{UUIDS[0][20:]}".upper()
    write(path, parent(1, "a", UUIDS[0], 1))
    write(path, child(1, 1, UUIDS[0], None, 1), child(2, 77, dashed, None, 1), child(3, None, UUIDS[1], None, 99))
    write(path, child(4, None, None, None, 3), child(5, None, None, None, 4))
    result = done(run_module("sqlite_audit_info", arguments))
    assert found(result) == {
        ("child", "parent_uuid", "orphan", "error"): 1,
        ("child", "self", "orphan", "error"): 1,
        ("child", "up", "orphan", "warning"): 1,
        # Row 3 cannot be moved, so 4 cannot, so 5 cannot.
        ("child", "self", "parent_quarantined", "warning"): 2,
    }
    assert result["integrity"]["foreign_keys"] == [{"table": "child", "parent": "parent", "rows": 1}]
    assert result["errors"] == 2


def test_a_long_text_is_tried_in_an_index(
    small: tuple[Path, dict[str, Any]], run_module: ModuleRunner, database: Database
) -> None:
    """PostgreSQL compresses before it measures: 100,000 equal characters fit, 3,000 mixed ones do not."""
    path, arguments = small
    noise = "".join(hashlib.sha512(str(number).encode()).hexdigest() for number in range(80))[:3000]
    write(
        path,
        child(1, None, None, "x" * 100_000, None),
        child(2, None, None, noise, None),
        child(3, None, None, noise[:2600], 3),
    )
    before = database.query("SELECT count(*) FROM pg_class")
    result = done(run_module("sqlite_audit_info", arguments))
    assert found(result) == {("child", "note", "too_long_for_index", "error"): 1}
    finding = result["findings"][0]
    assert (
        finding["keys"] == ["id=2"] and "exceeds btree" in finding["reason"] and "child_note" not in finding["reason"]
    )
    assert database.query("SELECT count(*) FROM pg_class") == before
    # It was right: the server says the same of the real index.
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO child (note) VALUES (%s), (%s)", ("x" * 100_000, noise[:2600]))
        with pytest.raises(psycopg2.errors.ProgramLimitExceeded):
            cursor.execute("INSERT INTO child (note) VALUES (%s)", (noise,))


def test_rules_change_what_is_found(small: tuple[Path, dict[str, Any]], run_module: ModuleRunner) -> None:
    path, arguments = small
    write(
        path,
        parent(1, "a", UUIDS[0], "yes"),
        parent(2, "b", UUIDS[1], "no"),
        parent(3, "c", UUIDS[2], 2),
        parent(4, "d", None, None),
    )
    assert found(done(run_module("sqlite_audit_info", arguments))) == {
        ("parent", "flag", "not_boolean", "error"): 3,
        ("parent", "flag", "null_in_not_null", "error"): 1,
    }
    rules = [
        {"table": "parent", "column": "flag", "rule": "map", "options": {"values": {"yes": True, "no": False}}},
        {"table": "parent", "column": "flag", "rule": "default", "options": {"value": False}},
    ]
    result = done(run_module("sqlite_audit_info", {**arguments, "rules": rules}))
    assert found(result) == {("parent", "flag", "not_boolean", "error"): 1}
    assert {(one["rule"], one["values"]) for one in result["rules"]} == {("map", 2), ("default", 1)}
    assert result["findings"][0]["samples"] == ["2"]


def test_what_does_not_fit_together(small: tuple[Path, dict[str, Any]], run_module: ModuleRunner) -> None:
    path, arguments = small
    write(path, ("CREATE TABLE notes (a)", ()), ("ALTER TABLE child ADD COLUMN extra", ()))
    result = done(run_module("sqlite_audit_info", arguments))
    assert {(one["table"], one["column"]) for one in result["problems"]} == {("notes", ""), ("child", "extra")}
    assert result["sound"] is False and result["errors"] == 0
    narrowed = {**arguments, "exclude": ["notes"], "exclude_columns": ["child.extra"]}
    assert done(run_module("sqlite_audit_info", narrowed))["sound"]


def test_samples_are_limited_and_counts_are_not(small: tuple[Path, dict[str, Any]], run_module: ModuleRunner) -> None:
    path, arguments = small
    write(path, *[parent(number, str(number), None, 7) for number in range(50)])
    finding = done(run_module("sqlite_audit_info", {**arguments, "samples": 2}))["findings"][0]
    assert (finding["count"], finding["keys"], finding["samples"]) == (50, ["id=0", "id=1"], ["7", "7"])


# --- the file itself


def test_without_a_target_the_file_is_checked(tmp_path: Path, run_module: ModuleRunner) -> None:
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = wal")
        connection.executescript("CREATE TABLE t (a); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (1);")
        result = done(run_module("sqlite_audit_info", {"source": str(path)}))
        wal = Path(f"{path}-wal").stat().st_size
    assert result["sound"] and result["compared_with"] == "nothing"
    assert "were not held against" in str(result["warnings"])
    assert (result["journal_mode"], result["page_size"], result["encoding"]) == ("wal", 8192, "UTF-8")
    assert result["wal"] == {"present": True, "bytes": wal, "frames": 1}
    assert [(one["table"], one["target"], one["rows"]) for one in result["tables"]] == [("t", None, 1)]


def test_a_damaged_file_is_reported_not_guessed(tmp_path: Path, run_module: ModuleRunner) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        " INSERT INTO t SELECT hex(randomblob(50)) FROM n",
    )
    content = bytearray(path.read_bytes())
    content[4096 * 10 : 4096 * 11] = b"\xff" * 4096
    path.write_bytes(content)
    result = done(run_module("sqlite_audit_info", {"source": str(path)}))
    assert result["sound"] is False and result["scanned"] is False
    assert result["integrity"]["check"]
    assert result["findings"] == [] and result["rows"] == 0


def test_a_missing_source_fails_and_is_not_made(tmp_path: Path, run_module: ModuleRunner) -> None:
    result = run_module("sqlite_audit_info", {"source": str(tmp_path / "missing.db")})
    assert result["failed"] and "There is no SQLite file" in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_shape(tmp_path: Path, run_module: ModuleRunner) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (a)")
    result = run_module("sqlite_audit_info", {"source": str(path), "model": {"t": {"columns": {"a": "integer"}}}})
    assert result["failed"] and "alembic_info" in result["advice"]


def test_memory_does_not_grow_with_rows(tmp_path: Path) -> None:
    """Every one of 60,000 rows has something wrong, and a uniqueness to be checked on the way."""
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO t SELECT i, hex(randomblob(100)), i FROM n"
    model = {
        "t": {
            "columns": {
                name: {"type": kind, "nullable": True}
                for name, kind in (("id", "INTEGER"), ("a", "VARCHAR"), ("b", "UUID"))
            },
            "primary_key": ["id"],
            "unique": [["a"]],
        }
    }
    code = (
        "import json, resource, sys; from types import SimpleNamespace;"
        "from ansible_collections.mcps.postgres.plugins.module_utils._module._audit import audit, argument_spec;"
        "params = {name: option.get('default') for name, option in argument_spec().items()};"
        "params.update(source=sys.argv[1], model=json.loads(sys.argv[2]));"
        "errors = audit(SimpleNamespace(params=params, check_mode=False, want_diff=False)).result['errors'];"
        "print(errors, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for rows in (1, 60_000):
        path = made(tmp_path / f"{rows}.db", script.format(rows=rows))
        output = subprocess.run(
            [sys.executable, "-c", code, str(path), json.dumps(model)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert int(output[0]) == rows
        peaks.append(int(output[1]))
    assert peaks[1] - peaks[0] < 60_000
