# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification of large tables: memory stays where it is, and an interrupt ends it at once on both sides."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner
    from support.server import Database

COLLECTIONS = Path(__file__).resolve().parents[2] / ".cache" / "collections"

#: Runs below the module's main(), so that what it used can be read afterwards. Arguments come on standard input.
PROGRAM = """
import json, os, re, signal, sys, threading
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mcps.postgres.plugins.module_utils._module import _verify
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import Task
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._ports import Silent

given = json.load(sys.stdin)
interrupt_at = given.pop("interrupt_at")
params = ArgumentSpecValidator(_verify.argument_spec()).validate(given).validated_parameters
# A shell that starts the tests in the background lets its children ignore this signal.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Interrupting(Silent):
    rows = 0

    def advance(self, rows, size=0, table=""):
        self.rows += rows
        if self.rows >= interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)


if interrupt_at:
    _verify.progress_for = lambda *arguments: Interrupting()
print("ready", flush=True)
try:
    result = _verify.verify(Task(params, False, False)).result
except KeyboardInterrupt:
    print(json.dumps({"interrupted": True, "threads": threading.active_count()}))
else:
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
    print(json.dumps({"equal": result["equal"], "order": result["tables"][0]["order"], "peak": peak}))
"""

#: What is the key, and which order of reading it leads to.
SHAPES = {
    "ranges": ("id INTEGER PRIMARY KEY, code CHAR(32)", "id integer PRIMARY KEY, code uuid"),
    # Not INTEGER: the rowid is another one.
    "streamed": ("id INT PRIMARY KEY, code CHAR(32)", "id integer PRIMARY KEY, code uuid"),
    "source": ("id INTEGER, code CHAR(32) PRIMARY KEY", "id integer, code uuid PRIMARY KEY"),
    "content": ("id INTEGER, code CHAR(32)", "id integer, code uuid"),
}


def fill(path: Path, database: Database, shape: str, rows: int) -> None:
    """I(rows) rows on both sides, with codes in both cases."""
    source, target = SHAPES[shape]
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE t ({source}, name TEXT)")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO t SELECT i, CASE i % 2 WHEN 0 THEN printf('%032x', i * 7919) ELSE printf('%032X', i * 7919) END,"
            " printf('%.200c', 'x') || i FROM n",
            (rows,),
        )
    with contextlib.closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute(f"CREATE TABLE t ({target}, name text)")
        cursor.execute(
            "INSERT INTO t SELECT i, lpad(to_hex(i::bigint * 7919), 32, '0')::uuid, repeat('x', 200) || i"
            " FROM generate_series(1, %s) i",
            (rows,),
        )


def start(path: Path, database: Database, interrupt_at: int = 0) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps({"source": str(path), "interrupt_at": interrupt_at, **database.login}))
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        output, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, errors
    document: dict[str, Any] = json.loads(output)
    return document


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_does_not_grow_with_the_rows(shape: str, tmp_path: Path, database: Database) -> None:
    path = tmp_path / "t.sqlite"
    peaks = []
    for rows in (20_000, 200_000):
        fill(path, database, shape, rows)
        result = finish(start(path, database))
        assert (result["equal"], result["order"]) == (True, shape)
        peaks.append(result["peak"])
    # The larger one holds 50 MB more on either side. Sorting may use its cache of 8 MiB to the full.
    assert peaks[1] - peaks[0] < (24 if shape in ("source", "content") else 6) * 1024, peaks


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rate_is_kept_in_every_order(
    shape: str, tmp_path: Path, database: Database, run_module: ModuleRunner
) -> None:
    path, progress = tmp_path / "t.sqlite", tmp_path / "progress.json"
    rows = 20_000
    fill(path, database, shape, rows)

    def compared(**arguments: Any) -> dict[str, Any]:
        given = {"source": str(path), **database.login, "progress_file": str(progress), **arguments}
        result = run_module("migration_verify_info", given)
        assert (result["equal"], result["tables"][0]["order"]) == (True, shape), result
        return result

    free = compared()
    [done] = json.loads(progress.read_text(encoding="utf-8"))["finished"]
    # Of each row at least 200 characters, its number, and 32 digits.
    assert (done["rows"], 238 * rows < done["bytes"] < 260 * rows) == (rows, True)
    wanted = 2 * free["seconds"] + 1
    assert compared(max_rate=str(int(done["bytes"] / wanted)))["seconds"] >= 0.95 * wanted


def test_rows_that_differ_in_hash_count_too(tmp_path: Path, database: Database, run_module: ModuleRunner) -> None:
    path, progress = tmp_path / "t.sqlite", tmp_path / "progress.json"
    rows = 5000
    fill(path, database, "ranges", rows)
    database.query("UPDATE t SET name = name || 'y'")
    given = {"source": str(path), **database.login, "progress_file": str(progress)}
    assert run_module("migration_verify_info", given)["differing"] == rows
    [done] = json.loads(progress.read_text(encoding="utf-8"))["finished"]
    assert (done["rows"], 238 * rows < done["bytes"] < 260 * rows) == (rows, True)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_interrupt_among_the_rows(shape: str, tmp_path: Path, database: Database) -> None:
    path = tmp_path / "t.sqlite"
    fill(path, database, shape, 30_000)
    assert finish(start(path, database, interrupt_at=20_000)) == {"interrupted": True, "threads": 1}
    wait_for(database, "state IS NOT NULL", 0)


def test_an_interrupt_while_the_server_keeps_one_waiting(tmp_path: Path, database: Database) -> None:
    path = tmp_path / "t.sqlite"
    fill(path, database, "streamed", 10)
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        process = start(path, database)
        wait_for(database, "wait_event_type = 'Lock'", 1)
        process.send_signal(signal.SIGINT)
        assert finish(process) == {"interrupted": True, "threads": 1}
        wait_for(database, "state IS NOT NULL", 0)


def wait_for(database: Database, condition: str, sessions: int) -> None:
    """Until so many sessions of the verification meet I(condition) over pg_stat_activity."""
    deadline = time.monotonic() + 10
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mcps.postgres verify%' AND "
                + condition
            )
            if cursor.fetchone() == (sessions,):
                return
            assert time.monotonic() < deadline, condition
            time.sleep(0.05)
