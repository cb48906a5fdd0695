# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module workload_benchmark on a small database of its own, on real SQLite and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcps.postgres.plugins.module_utils._module import _workload
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import Task
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import connect
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._names import Sql
from ansible_collections.mcps.postgres.plugins.module_utils._workload._model import Query
from ansible_collections.mcps.postgres.plugins.module_utils._workload._sql import Statement, literally
from ansible_collections.mcps.postgres.plugins.module_utils._workload._tune import Tuner
from support.ansible_runs import ROOT, ModuleRunner
from support.server import Database, Server

APPLICATION_PYTHON = ROOT / ".cache" / "venv-mcps" / "bin" / "python"
WORDS = ("harvest", "server", "protocol", "vector", "kettle", "lantern", "orchard", "violet")
ROWS = 400
DIMENSIONS = 8

SQLITE = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL);
CREATE INDEX author_kind ON author (kind);
CREATE TABLE "post 100%" (
  id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id), url VARCHAR(80) NOT NULL UNIQUE,
  token CHAR(32) NOT NULL UNIQUE, platform TEXT NOT NULL, published_at DATETIME NOT NULL, title TEXT, body TEXT,
  score INTEGER NOT NULL, tags JSON NOT NULL, labels JSON, extra JSON, embedding JSON
);
CREATE INDEX post_platform ON "post 100%" (platform, published_at);
CREATE INDEX post_author ON "post 100%" (author_id);
"""
POSTGRES = """
CREATE TABLE author (id serial PRIMARY KEY, name text NOT NULL, kind text NOT NULL);
CREATE INDEX ON author (kind);
CREATE TABLE "post 100%" (
  id serial PRIMARY KEY, author_id int NOT NULL REFERENCES author (id), url varchar(80) NOT NULL UNIQUE,
  token uuid NOT NULL UNIQUE, platform text NOT NULL CHECK (platform <> ''), published_at timestamp NOT NULL, title text,
  body text, score int NOT NULL, tags jsonb NOT NULL, labels text[], extra jsonb, embedding vector(8),
  search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body, ''))) STORED
);
CREATE INDEX ON "post 100%" (platform, published_at);
CREATE INDEX ON "post 100%" (author_id);
CREATE INDEX ON "post 100%" USING gin (search);
CREATE INDEX ON "post 100%" USING gin (title gin_trgm_ops);
CREATE INDEX ON "post 100%" USING gin (tags jsonb_path_ops);
CREATE INDEX ON "post 100%" USING gin (extra);
CREATE INDEX ON "post 100%" USING gin (labels);
CREATE INDEX ON "post 100%" USING hnsw (embedding vector_l2_ops);
"""
QUICK = {"seconds": 0.05, "user_seconds": 0.05, "clients": [1, 3], "max_users": 2, "busy_timeout": 2.0}


@dataclass(frozen=True)
class Both:
    """A snapshot and a database with the same rows."""

    live: Path
    snapshot: Path
    database: Database

    def arguments(self, **others: Any) -> dict[str, Any]:
        return {"source": str(self.snapshot), **self.database.login, **QUICK, **others}

    def digest(self) -> str:
        """Everything that is in the PostgreSQL database, its catalog and its sequences too."""
        tables = self.database.query(
            "SELECT c.relname, c.relkind, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 3, 1"
        )
        rows = [
            self.database.query('SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) FROM "post 100%" t'),
            self.database.query("SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) FROM author t"),
            self.database.query("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"),
        ]
        return repr((tables, rows))


def fill(path: Path) -> None:
    """The same rows each time."""
    chance = random.Random(7)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SQLITE)
        connection.executemany(
            "INSERT INTO author VALUES (?, ?, ?)",
            [(n, f"author {n}", chance.choice(["person", "company"])) for n in range(1, 101)],
        )
        for n in range(1, ROWS + 1):
            words = [word for place, word in enumerate(WORDS) if chance.random() < 0.5 ** (place + 1)]
            connection.execute(
                'INSERT INTO "post 100%" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
                (
                    n,
                    chance.randint(1, 100),
                    f"https://example.org/{n}",
                    f"{n:032x}",
                    chance.choice(["reddit", "forum", "O'Brien %s"]),
                    f"2025-01-{n % 28 + 1:02d} 10:00:00.000000",
                    " ".join(words) or None,
                    "a body with " + " ".join(words),
                    chance.randint(0, 10**6),
                    json.dumps(words),
                    json.dumps(words[:2]),
                    json.dumps({"lang": chance.choice(["de", "en", "fr"]), "n": n}),
                    json.dumps([round(chance.random(), 3) for _ in range(DIMENSIONS)]),
                ),
            )


def loaded(folder: Path, database: Database, run_module: ModuleRunner) -> Both:
    """Live file, snapshot and database, all with the same rows."""
    live, snapshot = folder / "live.db", folder / "snapshot.db"
    fill(live)
    taken = run_module("sqlite_snapshot", {"source": str(live), "dest": str(snapshot)})
    assert taken["rc"] == 0, taken
    database.query(POSTGRES)
    imported = run_module("sqlite_import", {"source": str(snapshot), **database.login})
    assert imported["rc"] == 0, imported
    return Both(live, snapshot, database)


@pytest.fixture
def both(tmp_path: Path, database: Database, run_module: ModuleRunner) -> Both:
    return loaded(tmp_path, database, run_module)


@dataclass(frozen=True)
class Run:
    """One whole benchmark, and what was there before and after it."""

    both: Both
    result: dict[str, Any]
    promises: dict[str, dict[str, Any]]
    before: tuple[str, dict[Path, bytes]]
    after: tuple[str, dict[Path, bytes]]
    processes: dict[int, str]


@pytest.fixture(scope="module")
def measured(postgres: Server, run_module: ModuleRunner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """With a query of the operator's, with asyncpg, and with statistics of statements."""
    folder = tmp_path_factory.mktemp("measured")
    database = postgres.create_database(extensions=("vector", "pg_trgm", "pg_stat_statements"))
    both = loaded(folder, database, run_module)
    # Which must not count.
    database.query(f"ALTER ROLE {database.user} IN DATABASE {database.name} SET synchronous_commit = off")
    own = {"name": "own", "sqlite": "SELECT count(*) FROM author", "postgres": "SELECT count(*) FROM author -- 100%"}
    arguments = both.arguments(queries=[own], application_python=str(APPLICATION_PYTHON))

    def state() -> tuple[str, dict[Path, bytes]]:
        return both.digest(), {path: path.read_bytes() for path in folder.iterdir()}

    before = state()
    seen: dict[int, str] = {}
    stop = threading.Event()
    watcher = threading.Thread(target=watch_clients, args=(seen, stop.is_set))
    watcher.start()
    try:
        result = run_module("workload_benchmark", arguments)
    finally:
        stop.set()
        watcher.join()
    yield Run(both, result, promises(result), before, state(), seen)
    postgres.drop(database)


def promises(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert result["rc"] == 0, result
    return {promise["name"]: promise for promise in result["promises"]}


def test_nothing_is_changed(measured: Run) -> None:
    assert not measured.result["changed"]
    assert measured.after == measured.before


def test_every_promise_is_measured(measured: Run) -> None:
    found, result = measured.promises, measured.result
    assert list(found) == ["writes", "reads", "latency", "users", "search", "json", "arrays", "vectors"]
    assert [name for name, promise in found.items() if not promise["cases"]] == []
    for name, promise in found.items():
        for case in promise["cases"]:
            for side in ("sqlite", "postgresql"):
                figures = case[side]
                # A client that reads and then writes may never get its turn in SQLite.
                assert figures["operations"] >= 1 or case["conditions"]["shape"] == "read_then_write"
                assert figures["operations"] == 0 or 0 < figures["p50"] <= figures["p95"]
            if case["conditions"].get("shape") == "held" and name == "writes":
                # Less by what the histogram's buckets round off.
                assert min(case["sqlite"]["p50"], case["postgresql"]["p50"]) >= 0.0098
        assert promise["reason"].endswith(".")
    assert result["rows"] == ROWS + 100
    assert 0 < result["environment"]["sync_seconds"] < 5
    names = ("shape", "clients", "journal", "synchronous")
    assert {tuple(case["conditions"][name] for name in names) for case in found["writes"]["cases"]} == {
        (shape, clients, journal, synchronous)
        for shape in ("short", "held", "read_then_write", "batch")
        for clients in (1, 3)
        for journal in ("wal", "delete")
        for synchronous in ("NORMAL", "FULL")
    }
    assert {case["name"] for case in found["latency"]["cases"]} >= {
        "own",
        "post 100% by its key",
        "post 100% by platform, the last 20 by published_at",
        "all of post 100% by kind of author",
    }


def test_a_server_that_forgets_commits_is_not_called_faster(measured: Run) -> None:
    """As that of the tests does, without fsync."""
    writes = measured.promises["writes"]
    assert writes["verdict"] == "unfair" and "fsync" in writes["reason"] and not writes["holds"]


def test_the_settings_that_clients_tell_are_those_that_stand_beside_the_figures(measured: Run) -> None:
    """The role has synchronous_commit off: see the fixture."""
    for case in measured.promises["writes"]["cases"]:
        conditions = case["conditions"]
        assert case["sqlite"]["settings"] == {
            "journal_mode": conditions["journal"],
            "synchronous": conditions["synchronous"],
            "busy_timeout": str(int(QUICK["busy_timeout"] * 1000)),
        }
        told = case["postgresql"]["settings"]
        assert (told["synchronous_commit"], told["default_transaction_read_only"]) == ("on", "off"), case["name"]
    for trial in measured.promises["writes"]["tuned"]:
        assert trial["after"]["settings"]["synchronous_commit"] == "off"
    for name in ("reads", "latency", "search"):
        for case in measured.promises[name]["cases"]:
            by_asyncpg = case["conditions"].get("driver") == "asyncpg"
            assert by_asyncpg or case["postgresql"]["settings"]["default_transaction_read_only"] == "on"


def test_both_sides_answer_the_same_question(measured: Run) -> None:
    found = measured.promises
    for name in ("latency", "json", "arrays", "vectors"):
        for case in found[name]["cases"]:
            assert case["facts"]["sqlite_rows"] == case["facts"]["postgresql_rows"], case["name"]
    counted = {}
    with contextlib.closing(sqlite3.connect(measured.both.snapshot)) as connection:
        for case in found["search"]["cases"]:
            term = case["facts"]["term"]
            (counted[term],) = connection.execute(
                'SELECT count(*) FROM "post 100%" WHERE body LIKE ? OR title LIKE ?', [f"%{term}%"] * 2
            ).fetchone()
            if case["facts"]["kind"] == "full text" and " " not in term:
                assert case["facts"]["share"] == pytest.approx(counted[term] / ROWS)
    assert len(set(counted.values())) > 1, "terms of different selectivity"


def test_every_statement_comes_with_the_plan_that_was_carried_out(measured: Run) -> None:
    for name, promise in measured.promises.items():
        assert name == "users" or promise["statements"], name
        for statement in promise["statements"]:
            assert any("actual time" in line or "actual rows" in line for line in statement["plan"]), statement
            assert statement["sqlite"] and statement["sqlite_plan"] or statement["name"] == "insert"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_clients_are_processes_and_their_command_lines_tell_no_secret(measured: Run) -> None:
    assert len(measured.processes) >= max(QUICK["clients"]) + 1, "those with psycopg2 and those with asyncpg"
    password = measured.both.database.password
    assert [text for text in measured.processes.values() if password in text] == []
    assert [pid for pid in measured.processes if Path(f"/proc/{pid}").exists()] == []


def test_asyncpg_of_the_application(measured: Run) -> None:
    assert measured.result["environment"]["asyncpg"]
    for name, how in (("reads", "prepared"), ("latency", "prepared"), ("writes", "prepared"), ("writes", "pipelined")):
        cases = [case for case in measured.promises[name]["cases"] if case["conditions"].get(how)]
        assert cases, name
        shapes = {"prepared": {"short", "held", "read_then_write"}, "pipelined": {"batch"}}[how]
        assert name != "writes" or {case["conditions"]["shape"] for case in cases} == shapes
        assert all(case["postgresql"]["operations"] >= 1 and not case["postgresql"]["errors"] for case in cases)


def test_what_helps_stands_beside_the_promise(measured: Run) -> None:
    """Whatever it is on this machine: it is of a case that does not hold, has changes, and is faster."""
    for name, promise in measured.promises.items():
        missed = {case["name"] for case in promise["cases"] if not case["holds"]}
        for trial in promise["tuned"]:
            assert trial["name"] in missed and trial["changes"]
            assert trial["plan"] or name == "writes"
            if name != "writes":
                assert trial["before"]["p50"] >= 1.1 * trial["after"]["p50"]


def test_settings_and_indexes_that_make_a_query_faster_are_found_and_taken_back(database: Database) -> None:
    database.query("CREATE TABLE items AS SELECT n, md5(n::text) AS text FROM generate_series(1, 200000) n")
    database.query("CREATE INDEX items_n ON items (n)")
    database.query("ANALYZE items")
    names = {"table": Sql("public.items")}
    by_number = Query("by number", literally(""), literally("SELECT text FROM public.items WHERE n = 4711"))
    by_text = Query(
        "by text",
        literally(""),
        Statement("SELECT n FROM {table} WHERE text = {p1}", names, 1),
        parameters=(((), (hashlib.md5(b"4711").hexdigest(),)),),
        candidates=(
            Statement("CREATE INDEX ON {table} (no_such_column)", names),
            Statement("CREATE INDEX ON {table} (text)", names),
        ),
    )
    with connect(database.login) as session:
        texts = Tuner(session, limit=30).improve(by_text)
    # From now on nobody would read an index.
    database.query(f"ALTER DATABASE {database.name} SET random_page_cost = 1000000")
    with connect(database.login) as session:
        numbers = Tuner(session, limit=30).improve(by_number)
        settings = session.value("SHOW random_page_cost")
    assert numbers is not None and texts is not None
    assert "SET random_page_cost = '1.1'" in numbers.changes
    assert texts.changes[-1] == "CREATE INDEX ON public.items (text)"
    for tuned in (numbers, texts):
        assert (tuned.before.p50 or 0) > 5 * (tuned.after.p50 or 1)
        assert any("Index" in line and "actual" in line for line in tuned.plan)
    assert settings == "1e+06"
    assert database.query("SELECT indexname FROM pg_indexes WHERE tablename = 'items'") == [("items_n",)]


def test_what_nothing_helps_is_left_alone(database: Database) -> None:
    with connect(database.login) as session:
        assert Tuner(session, limit=30).improve(Query("one", literally(""), literally("SELECT pg_sleep(0.02)"))) is None


def test_slow_statements_come_with_their_plans(measured: Run) -> None:
    slow = measured.result["slow_statements"]
    times = [one["mean_seconds"] for one in slow]
    assert 0 < len(slow) <= 10 and times == sorted(times, reverse=True)
    searched = [one for one in slow if "post 100%" in one["statement"]]
    assert searched and all(any("cost=" in line for line in one["plan"]) for one in searched)


def test_the_applications_own_slow_statements_come_first(
    both: Both, postgres: Server, run_module: ModuleRunner
) -> None:
    """The planner is asked about them, they are not run again."""
    application = postgres.create_database(extensions=("pg_stat_statements",))
    try:
        admin = postgres.as_superuser(application.name)
        admin.query("CREATE TABLE visits (n int)")
        admin.query("CREATE FUNCTION visit() RETURNS int LANGUAGE sql AS 'INSERT INTO visits VALUES (1) RETURNING n'")
        admin.query("SELECT visit(), pg_sleep(0.2)")
        arguments = {
            **both.arguments(clients=[1], max_users=1, slow_statements_db=application.name),
            **{"login_user": admin.user, "login_password": admin.password},
        }
        result = run_module("workload_benchmark", arguments)
        assert result["rc"] == 0, result
        (slow, *_) = result["slow_statements"]
        assert (slow["database"], slow["calls"]) == (application.name, 1)
        assert "visit()" in slow["statement"] and slow["mean_seconds"] >= 0.2 and slow["plan"]
        assert admin.query("SELECT count(*) FROM visits") == [(1,)]
    finally:
        postgres.drop(application)


def test_as_many_clients_as_there_may_be_stand_for_more(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server whose free connections are few."""
    monkeypatch.setattr(_workload, "free_connections", lambda _session: 4)
    given = both.arguments(clients=[1, 8, 64], max_users=1)
    validated = ArgumentSpecValidator(_workload.argument_spec()).validate(given)
    assert not validated.error_messages
    result = _workload.benchmark(Task(validated.validated_parameters, False, False)).result
    for promise in ("reads", "writes"):
        [cases] = [found["cases"] for found in result["promises"] if found["name"] == promise]
        assert {case["conditions"]["clients"] for case in cases} == {1, 2}
        assert {case["postgresql"]["clients"] for case in cases} == {1, 2}
        reasons = [one["reason"] for one in result["left_out"] if one["promise"] == promise]
        assert [reason.split(",")[0] for reason in reasons if "clients" in reason] == [
            "8 clients: 2 in their place",
            "64 clients: 2 in their place",
        ]


def test_check_mode_says_what_would_be_run_and_runs_nothing(both: Both, run_module: ModuleRunner) -> None:
    planned = run_module("workload_benchmark", both.arguments(), check=True)
    assert planned["rc"] == 0 and planned["promises"] == [] and not planned["changed"]
    assert both.database.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'mcps_workload'") == [(0,)]
    result = run_module("workload_benchmark", both.arguments(clients=[1], max_users=1))
    assert result["planned"] == planned["planned"]
    assert {one["promise"] for one in planned["planned"]} >= {"writes", "search", "vectors"}


def test_a_live_database_is_refused(both: Both, run_module: ModuleRunner, tmp_path: Path) -> None:
    before = both.live.read_bytes()

    def refused(path: Path) -> str:
        result = run_module("workload_benchmark", both.arguments(source=str(path)))
        assert result["failed"] and both.live.read_bytes() == before
        return str(result["msg"])

    assert "no manifest" in refused(both.live)
    manifest = Path(f"{both.snapshot}.manifest.json")
    shutil.copy(manifest, f"{both.live}.manifest.json")
    assert "live database" in refused(both.live)
    with contextlib.closing(sqlite3.connect(both.snapshot)) as connection, connection:
        connection.execute("UPDATE author SET name = 'written since'")
    assert "has changed" in refused(both.snapshot)


def test_sides_that_differ_are_refused(both: Both, run_module: ModuleRunner) -> None:
    both.database.query('DELETE FROM "post 100%" WHERE id = 1')
    result = run_module("workload_benchmark", both.arguments())
    assert result["failed"] and f"{ROWS} rows in SQLite and {ROWS - 1}" in result["msg"]


def test_a_query_that_writes_is_stopped(both: Both, run_module: ModuleRunner) -> None:
    before = both.digest()
    writing = {"name": "mischief", "sqlite": "DELETE FROM author", "postgres": "DELETE FROM author"}
    result = run_module("workload_benchmark", both.arguments(queries=[writing], clients=[1], max_users=1))
    assert result["rc"] == 0, result
    assert both.digest() == before
    (left,) = [one for one in result["left_out"] if "mischief" in one["reason"]]
    assert "readonly" in left["reason"] or "read-only" in left["reason"]


def test_a_schema_of_somebody_else_stays(both: Both, run_module: ModuleRunner) -> None:
    both.database.query("CREATE SCHEMA mcps_workload")
    both.database.query("CREATE TABLE mcps_workload.precious (id int)")
    result = run_module("workload_benchmark", both.arguments())
    assert result["failed"] and "no benchmark made" in result["msg"]
    assert both.database.query("SELECT count(*) FROM mcps_workload.precious") == [(0,)]
    both.database.query(
        "COMMENT ON SCHEMA mcps_workload IS 'Scratch of mcps.postgres.workload_benchmark: may be dropped'"
    )
    assert run_module("workload_benchmark", both.arguments(clients=[1], max_users=1))["rc"] == 0
    assert both.database.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'mcps_workload'") == [(0,)]


def watch_clients(seen: dict[int, str], stopped: Callable[[], bool]) -> None:
    """Command line and environment of every client process that is met until I(stopped)."""
    while not stopped():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                    if b"mcps_postgres_client" in text:
                        seen[int(folder.name)] = text.decode("utf-8", "replace")
        time.sleep(0.02)


def test_a_python_without_asyncpg_is_told(both: Both, run_module: ModuleRunner) -> None:
    arguments = both.arguments(application_python="/bin/false", clients=[1], max_users=1)
    result = run_module("workload_benchmark", arguments)
    assert result["rc"] == 0 and not result["environment"]["asyncpg"]
    assert [one for one in result["left_out"] if one["promise"] == "asyncpg"]


def test_too_small_a_database_is_told(tmp_path: Path, database: Database, run_module: ModuleRunner) -> None:
    live, snapshot = tmp_path / "live.db", tmp_path / "snapshot.db"
    with contextlib.closing(sqlite3.connect(live)) as connection, connection:
        connection.execute("CREATE TABLE tiny (id INTEGER PRIMARY KEY)")
    run_module("sqlite_snapshot", {"source": str(live), "dest": str(snapshot)})
    database.query("CREATE TABLE tiny (id int PRIMARY KEY)")
    found = promises(run_module("workload_benchmark", {"source": str(snapshot), **database.login, **QUICK}))
    assert {promise["verdict"] for promise in found.values()} == {"unmeasured"}
    assert "50 rows" in found["writes"]["reason"]
