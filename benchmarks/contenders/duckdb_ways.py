# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DuckDB with its extensions for SQLite and PostgreSQL: INSERT ... SELECT from one attached database into the other.

Indexes and foreign keys stay in place unless the argument is V(rebuild).
"""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from typing import Any

import psycopg2

from benchmarks.contenders import schema
from benchmarks.contenders.task import Task, main

PACKAGES = ("duckdb", "duckdb_extensions", "duckdb_extension_sqlite_scanner", "duckdb_extension_postgres_scanner")


def missing() -> str:
    """Why it cannot be run here, empty if it can."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (benchmarks/requirements.txt)" if absent else ""


def attached(task: Task, folder: str) -> Any:
    """A DuckDB in memory with both sides attached."""
    import duckdb
    import duckdb_extensions

    login = task.login
    os.environ["PGPASSWORD"] = login["password"]
    database = duckdb.connect(config={"extension_directory": folder, "threads": task.workers})
    for extension in ("sqlite_scanner", "postgres_scanner"):
        duckdb_extensions.import_extension(extension, con=database)
        database.execute(f"LOAD {extension}")
    # SQLite's types are hints: a number in a column of texts would end it otherwise.
    database.execute("SET sqlite_all_varchar TO true")
    database.execute(f"ATTACH '{task.source}' AS source (TYPE sqlite, READ_ONLY)")
    where = f"host={login['host']} port={login['port']} user={login['user']} dbname={login['dbname']}"
    database.execute(f"ATTACH '{where}' AS target (TYPE postgres)")
    return database


def load(task: Task) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = attached(task, folder)
        target = psycopg2.connect(**task.login)
        target.autocommit = True
        with target.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem TO '256MB'")
            tables = schema.ordered(cursor, task.tables)
            removed = schema.remove(cursor, tables) if "rebuild" in task.arguments else schema.Removed((), ())
            for table in tables:
                names = ", ".join(f'"{name}"' for name, _ in schema.columns(cursor, table))
                database.execute(f'INSERT INTO target.public."{table}" ({names}) SELECT {names} FROM source."{table}"')
            for statement in (*removed.indexes, *removed.keys):
                cursor.execute(statement)
            schema.move_sequences(cursor, tables)
            cursor.execute("ANALYZE")
        target.close()
        database.close()


if __name__ == "__main__":
    main(load)
