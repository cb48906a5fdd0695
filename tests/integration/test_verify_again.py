# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification that goes on where one before was killed, and one of a sample."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from support.ansible_runs import ModuleRunner
from support.server import Database, Server

ROOT = Path(__file__).resolve().parents[2]
ROWS = 60_000
#: post: by ranges, several of them. tag: row by row, because its key is a text. line: no key at all.
SOURCE = f"""
CREATE TABLE post (id INTEGER PRIMARY KEY, body TEXT);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO post SELECT i, printf('%0300d', i) FROM n;
CREATE TABLE tag (name TEXT PRIMARY KEY, n INTEGER);
INSERT INTO tag VALUES ('a', 1), ('b', 2);
CREATE TABLE line (t TEXT);
INSERT INTO line VALUES ('x'), ('x');
"""
TARGET = f"""
CREATE TABLE post (id serial PRIMARY KEY, body text);
INSERT INTO post SELECT i, lpad(i::text, 300, '0') FROM generate_series(1, {ROWS}) AS i;
SELECT setval('post_id_seq', {ROWS});
CREATE TABLE tag (name text PRIMARY KEY, n integer);
INSERT INTO tag VALUES ('a', 1), ('b', 2);
CREATE TABLE line (t text);
INSERT INTO line VALUES ('x'), ('x');
"""


class Sides:
    """Both sides, equal to begin with, and the module between them."""

    def __init__(self, database: Database, run_module: ModuleRunner, folder: Path) -> None:
        self.database = database
        self.run_module = run_module
        self.source = folder / "source.sqlite"
        self.resume = folder / "verification.jsonl"
        self.sqlite(SOURCE)
        database.query(TARGET)

    def sqlite(self, script: str) -> None:
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            connection.executescript(script)

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {**self.database.login, "source": str(self.source), "resume_file": str(self.resume), **more}

    def verify(self, check: bool = False, **more: Any) -> dict[str, Any]:
        result = self.run_module("migration_verify_info", self.arguments(**more), check=check)
        assert not result.get("failed"), result
        return result

    def keep(self) -> int:
        """Let a verification find one difference, and mend it; how many rows it has found equal before."""
        self.database.query("UPDATE tag SET n = 3 WHERE name = 'b'")
        found = self.verify()
        assert (found["equal"], found["differing"]) == (False, 1)
        self.database.query("UPDATE tag SET n = 2 WHERE name = 'b'")
        return sum(json.loads(line)["source_rows"] for line in self.resume.read_text().splitlines()[1:] if line)


@pytest.fixture
def sides(database: Database, run_module: ModuleRunner, tmp_path: Path) -> Sides:
    return Sides(database, run_module, tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_as_many_take_part_as_are_wanted(sides: Sides, workers: int) -> None:
    """That many sessions are seen on the server as well, all of them with the same snapshot of it."""
    sides.sqlite("UPDATE post SET body = body || printf('%03000d', 0)")
    sides.database.query("UPDATE post SET body = body || repeat('0', 3000)")
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        with contextlib.closing(psycopg2.connect(sides.database.url())) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not stop.is_set():
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'mcps.postgres verify %%'"
                    " AND datname = current_database() AND state = 'active'"
                )
                seen.update(pid for (pid,) in cursor.fetchall())
                time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = sides.verify(workers=workers)
    finally:
        stop.set()
        watcher.join()
    assert (result["equal"], result["workers"], len(seen)) == (True, workers, workers)


def test_tables_that_are_compared_as_wholes_are_shared_out(sides: Sides, tmp_path: Path) -> None:
    """Each of them, and one in parts beside them, is told of under its own name."""
    rows = 30_000
    for name in ("one", "two"):
        sides.sqlite(
            f"CREATE TABLE {name} (name TEXT PRIMARY KEY, n INTEGER); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
            f" SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO {name} SELECT printf('%08d', i), i FROM n"
        )
        sides.database.query(f"CREATE TABLE {name} (name text PRIMARY KEY, n integer)")
        sides.database.query(f"INSERT INTO {name} SELECT lpad(i::text, 8, '0'), i FROM generate_series(1, {rows}) AS i")
    status = tmp_path / "progress.json"
    result = sides.verify(workers=2, progress_file=str(status))
    assert (result["equal"], result["workers"]) == (True, 2)
    told = {one["table"]: one["rows"] for one in json.loads(status.read_text())["finished"]}
    assert told == {"one": rows, "two": rows, "post": ROWS, "tag": 2, "line": 2}


def test_nothing_is_left_of_a_verification_without_differences(sides: Sides) -> None:
    result = sides.verify()
    assert (result["equal"], result["resumed_rows"], result["compared_rows"]) == (True, 0, ROWS + 4)
    assert not sides.resume.exists()


def test_only_what_was_not_found_equal_is_compared_again(sides: Sides) -> None:
    assert sides.keep() == ROWS + 2
    assert stat.S_IMODE(sides.resume.stat().st_mode) == 0o600
    result = sides.verify()
    assert (result["equal"], result["resumed_rows"]) == (True, ROWS + 2)
    assert result["rows"] == result["compared_rows"] == ROWS + 4
    assert result["values"] == 2 * ROWS + 4 + 2
    assert result["sequences"][0]["max"] == ROWS
    assert not sides.resume.exists()


CHANGES: dict[str, Callable[[Sides], Any]] = {
    "update": lambda s: s.database.query("UPDATE post SET body = 'x' WHERE id = 30000"),
    "update of a column by the same": lambda s: s.database.query("UPDATE post SET body = body WHERE id = 30000"),
    "delete": lambda s: s.database.query("DELETE FROM post WHERE id = 30000"),
    "insert": lambda s: s.database.query(f"INSERT INTO post VALUES ({ROWS + 9}, 'x')"),
    "delete and insert": lambda s: s.database.query(
        "DELETE FROM post WHERE id = 7; INSERT INTO post VALUES (7, lpad('7', 300, '0'))"
    ),
    "without key": lambda s: s.database.query("UPDATE line SET t = 'y' WHERE ctid = '(0,1)'"),
    "other file": lambda s: s.sqlite("UPDATE post SET body = 'x' WHERE id = 30000"),
    "other columns": lambda s: s.database.query("ALTER TABLE post ALTER body TYPE varchar"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_meanwhile_is_compared_again(sides: Sides, change: str) -> None:
    sides.keep()
    CHANGES[change](sides)
    result = sides.verify()
    # The truth is what a verification without any memory says.
    anew = sides.verify(resume_file=None)
    for name in ("equal", "differing", "differences", "sequences", "rows", "values", "schema"):
        assert result[name] == anew[name], name
    assert result["resumed_rows"] < ROWS + 2
    assert result["differing"] == {"update of a column by the same": 0, "other columns": 0, "delete and insert": 0}.get(
        change, 2 if change == "without key" else 1
    )


def test_columns_that_changed_names_are_not_taken_for_each_other(sides: Sides) -> None:
    sides.sqlite("ALTER TABLE post ADD COLUMN other TEXT; UPDATE post SET other = 'o'")
    sides.database.query("ALTER TABLE post ADD COLUMN other text; UPDATE post SET other = 'o'")
    sides.keep()
    sides.database.query(
        "ALTER TABLE post RENAME body TO b; ALTER TABLE post RENAME other TO body; ALTER TABLE post RENAME b TO other"
    )
    result = sides.verify()
    assert (result["resumed_rows"], result["differing"]) == (0, 2 * ROWS)


def test_a_table_that_took_the_place_of_another_is_compared(sides: Sides) -> None:
    sides.database.query("CREATE TABLE old (LIKE post INCLUDING ALL); INSERT INTO old SELECT id, 'x' FROM post")
    sides.keep()
    sides.database.query("ALTER TABLE post RENAME TO p; ALTER TABLE old RENAME TO post")
    assert sides.verify()["differing"] == ROWS


def test_other_rules_and_another_quarantine_make_other_rows(sides: Sides, tmp_path: Path) -> None:
    sides.keep()
    rules = [{"table": "post", "column": "body", "rule": "empty_to_null"}]
    assert sides.verify(rules=rules)["resumed_rows"] == 0
    sides.keep()
    aside = tmp_path / "quarantine.jsonl"
    aside.write_text(
        json.dumps({"table": "post", "target": "post", "key": {"id": 5}, "row": {"id": 5}, "problems": []})
    )
    found = sides.verify(quarantine_file=str(aside))
    assert found["resumed_rows"] == 0 and not found["equal"]


def test_a_killed_verification_goes_on(sides: Sides) -> None:
    # Row by row over many rows, which leaves time to kill it.
    sides.sqlite(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " INSERT INTO tag SELECT printf('%08d', i), i FROM n"
    )
    sides.database.query("INSERT INTO tag SELECT lpad(i::text, 8, '0'), i FROM generate_series(1, 300000) AS i")
    module = "ansible_collections.mcps.postgres.plugins.modules.migration_verify_info"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "module_runner.py"), module],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".cache" / "collections")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    arguments = sides.arguments(workers=1, include=["post", "tag"])
    process.stdin.write(
        json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": str(sides.source.parent)}})
    )
    process.stdin.close()
    deadline = time.monotonic() + 60
    while not sides.resume.exists() or sides.resume.read_text().count('"post"') < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    # As if it had been killed while it wrote.
    with sides.resume.open("a") as file:
        file.write('{"table": "post", "first": 1, "la')
    result = sides.verify(include=["post", "tag"])
    assert result["equal"] and 0 < result["resumed_rows"] < result["rows"] == ROWS + 300_002
    assert result["values"] == 2 * (ROWS + 300_002)


def test_check_mode_leaves_the_file_alone(sides: Sides) -> None:
    assert sides.verify(check=True)["equal"]
    assert not sides.resume.exists()
    sides.keep()
    before = sides.resume.read_bytes()
    assert sides.verify(check=True)["resumed_rows"] == 0
    assert sides.resume.read_bytes() == before


def test_a_file_that_is_none_of_these_is_begun_anew(sides: Sides) -> None:
    for text in ("", "nonsense\n", '{"format": 0, "identity": "x"}\n', "\xff\n"):
        sides.resume.write_bytes(text.encode("latin-1"))
        assert sides.verify()["equal"]


def test_a_place_that_cannot_be_written_to_is_named(sides: Sides, tmp_path: Path) -> None:
    result = sides.run_module("migration_verify_info", sides.arguments(resume_file=str(tmp_path / "none" / "file")))
    assert result["failed"] and "none/file" in result["msg"] and "resume_file" in result["advice"]


# Samples


def test_a_sample_compares_its_share_of_the_rows(sides: Sides) -> None:
    result = sides.verify(sample=10, resume_file=None)
    (post,) = (table for table in result["tables"] if table["table"] == "post")
    assert result["equal"] and result["sample"] == 10
    assert post["compared_rows"] == ROWS / 10 and post["source_rows"] == post["target_rows"] == ROWS
    assert result["compared_rows"] == ROWS / 10 + 4
    assert post["compared_values"] == 2 * post["compared_rows"]
    assert sides.verify(sample=10, resume_file=None)["compared_rows"] == result["compared_rows"]


def test_a_sample_finds_a_fault_that_is_everywhere_and_any_row_too_few(sides: Sides) -> None:
    sides.database.query("UPDATE post SET body = 'x' || body")
    everywhere = sides.verify(sample=5, resume_file=None)
    assert everywhere["differing"] == ROWS / 20
    sides.database.query("UPDATE post SET body = substr(body, 2)")
    for key in (1, 777, 30_000, ROWS):
        sides.database.query(f"DELETE FROM post WHERE id = {key}")
    few = sides.verify(sample=5, resume_file=None)
    assert (few["equal"], few["differing"]) == (False, 4)
    sides.database.query(f"INSERT INTO post SELECT i, 'x' FROM generate_series({ROWS + 1}, {ROWS + 5}) AS i")
    many = sides.verify(sample=5, resume_file=None)
    assert (many["equal"], many["differing"]) == (False, 1)
    assert many["differences"][0]["key"] == "(rows outside of the sample)"


def test_a_sample_takes_the_quarantine_into_account(sides: Sides, tmp_path: Path) -> None:
    aside = tmp_path / "quarantine.jsonl"
    aside.write_text(
        "".join(
            json.dumps({"table": "post", "target": "post", "key": {"id": key}, "row": {"id": key}, "problems": []})
            + "\n"
            for key in (5, 45_000)
        )
    )
    sides.database.query("DELETE FROM post WHERE id IN (5, 45000)")
    result = sides.verify(sample=2, resume_file=None, quarantine_file=str(aside))
    assert result["equal"], result
    assert result["quarantine"] == {"listed": 2, "found": 2, "problems": []}


def test_a_sample_that_is_no_percentage_is_refused(sides: Sides) -> None:
    for sample in (0, -1, 100.1):
        result = sides.run_module("migration_verify_info", sides.arguments(sample=sample))
        assert result["failed"] and "percentage" in result["msg"]


def test_a_restarted_server_is_asked_anew(sides: Sides, postgres: Server) -> None:
    sides.keep()
    postgres.admin.query("SELECT pg_stat_reset_shared('bgwriter')")
    assert sides.verify()["resumed_rows"] == 0
