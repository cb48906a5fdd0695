# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source file, a target database and sqlite_import between them, also in a process that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ansible_runs import ModuleRunner
    from .server import Database

CATALOG = """
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text,
       obj_description(oid, 'pg_constraint')
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),
       concat(indisvalid, indisclustered, indisreplident, (SELECT array_agg(attstattarget) FROM pg_attribute
              WHERE attrelid = indexrelid)),
       obj_description(indexrelid, 'pg_class')
  FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, NULL
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod), concat(attnotnull, attidentity,
       attgenerated), NULL
  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE c.relnamespace = 'public'::regnamespace AND attnum > 0
UNION ALL
SELECT 'sequence', sequencename, data_type::text, last_value::text, concat(start_value, increment_by), NULL
  FROM pg_sequences WHERE schemaname = 'public'
 ORDER BY 1, 2, 3, 4
"""


class Case:
    """A source file, a target database, and the module between them."""

    def __init__(self, database: Database, run_module: ModuleRunner, folder: Path) -> None:
        self.database = database
        self.run_module = run_module
        self.folder = folder
        self.source = folder / "source.sqlite"
        self.quarantine = folder / "quarantine.jsonl"

    def sqlite(self, script: str, rows: Mapping[str, Sequence[Sequence[Any]]] | None = None) -> None:
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            connection.executescript(script)
            for table, values in (rows or {}).items():
                marks = ", ".join("?" * len(values[0]))
                connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)

    def postgres(self, script: str) -> None:
        self.database.query(script)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.database.query(statement)

    def run(self, check: bool = False, **arguments: Any) -> dict[str, Any]:
        return self.run_module(
            "sqlite_import",
            {**self.database.login, "source": str(self.source), **arguments},
            check=check,
            diff=True,
        )

    def load(self, **arguments: Any) -> dict[str, Any]:
        result = self.run(**arguments)
        assert not result.get("failed"), result
        return result

    def fail(self, **arguments: Any) -> dict[str, Any]:
        """Run it, and hold the target against what it was."""
        before = self.state()
        result = self.run(**arguments)
        assert result.get("failed"), result
        assert self.state() == before
        assert self.journal("import_run") == [] or self.journal("import_run", "state <> 'finished'") == []
        return result

    def setting_aside(self, budget: int) -> dict[str, Any]:
        return {"on_invalid": "quarantine", "quarantine_file": str(self.quarantine), "quarantine_budget": budget}

    def set_aside(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.quarantine.read_text(encoding="utf-8").splitlines()]

    def catalog(self) -> list[tuple[Any, ...]]:
        return self.query(CATALOG)

    def definitions(self) -> list[tuple[Any, ...]]:
        """The catalog but for where sequences stand."""
        return [row for row in self.catalog() if row[0] != "sequence"]

    def tables(self) -> list[str]:
        return [
            name for (name,) in self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ]

    def state(self) -> tuple[Any, ...]:
        contents = {
            name: self.query(f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{name}" AS t')
            for name in self.tables()
        }
        return self.catalog(), contents

    def journal(self, table: str, condition: str = "true") -> list[tuple[Any, ...]]:
        if not self.query("SELECT to_regclass('mcps_migration.import_run')")[0][0]:
            return []
        return self.query(f"SELECT * FROM mcps_migration.{table} WHERE {condition}")


PAUSE = 4711

PAUSING = f"""
CREATE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared({PAUSE}); RETURN true; END';
ALTER TABLE {{table}} ADD CONSTRAINT pausing CHECK ({{condition}});
"""


class Running:
    """The module at work in a process that can be killed, held up where it checks a row of one table."""

    def __init__(self, case: Case, table: str, arguments: Mapping[str, Any], condition: str = "pause()") -> None:
        """I(condition) calls pause() for the row where the load is to be held up."""
        self.case = case
        if not case.query("SELECT true FROM pg_proc WHERE proname = 'pause'"):
            case.postgres(PAUSING.format(table=table, condition=condition))
        self.holder = case.database.connect()
        self.holder.autocommit = True
        self.sql("SELECT pg_advisory_lock(%s)", PAUSE)
        payload = {
            **case.database.login,
            "source": str(case.source),
            **arguments,
            "_ansible_remote_tmp": str(case.folder),
        }
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(root / "tests" / "support" / "module_runner.py"),
                "ansible_collections.mcps.postgres.plugins.modules.sqlite_import",
            ],
            env={**os.environ, "PYTHONPATH": str(root / ".cache" / "collections")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": payload}))
        self.process.stdin.close()

    def sql(self, statement: str, *parameters: Any) -> None:
        with self.holder.cursor() as cursor:
            cursor.execute(statement, parameters)

    def wait_for(self, event: str) -> None:
        """Until the import waits for a lock of the kind I(event): advisory (the pause) or relation."""
        deadline = time.monotonic() + 60
        waiting = (
            "SELECT true FROM pg_stat_activity WHERE wait_event = %s AND application_name LIKE 'mcps.postgres import%%'"
        )
        while not self.case.database.query(waiting, (event,)):
            assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def go_on(self) -> None:
        self.sql("SELECT pg_advisory_unlock(%s)", PAUSE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def result(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        self.process.wait()
        document: dict[str, Any] = json.loads(text)
        return document

    def close(self) -> None:
        self.holder.close()
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


Start = Callable[..., Running]
