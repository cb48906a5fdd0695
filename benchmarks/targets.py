# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases to load into: a template with the final schema, copied for every run, and what is in the copy afterwards."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import sql

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.secrets_guard import SecretsGuard
from support.server import Database, Server, running_server

from . import application, sources

__all__ = ["Contents", "Database", "SecretsGuard", "Server", "Template", "contents", "encode", "running_server"]

#: Durable (fsync, synchronous commits and full pages are PostgreSQL's defaults), with a small server's memory.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "log_min_messages": "warning",
}

TABLES = """
SELECT c.relname, coalesce(bool_or(t.typcategory = 'A'), false)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
 GROUP BY c.relname ORDER BY c.relname
"""

DEFINITIONS = """
SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public'
 UNION ALL
SELECT 'constraint ' || conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""

COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""

#: Files that all tables together are cut into, so that connections can share a table.
PARTS = 16


@dataclass(frozen=True)
class Contents:
    """What a database holds: rows by table, definitions by name."""

    rows: Mapping[str, int]
    definitions: frozenset[str]

    def lacks(self, expected: Contents) -> list[str]:
        """Definitions that are gone, and tables with other numbers of rows."""
        tables = [
            f"{count - self.rows.get(name, 0):,} rows of {name}"
            for name, count in expected.rows.items()
            if self.rows.get(name, 0) != count
        ]
        return [*tables, *sorted(expected.definitions - self.definitions)]


class Template:
    """A schema without rows. I(tables) are what a run loads."""

    def __init__(self, server: Server, model: Database, tables: Sequence[str]) -> None:
        self._server = server
        self._model = model
        self.tables = tuple(tables)

    @classmethod
    def registry(cls, server: Server, shared: bool = False) -> Template:
        """The application's schema at its head; I(shared): without tables that have arrays, which pgloader cannot fill."""
        model = server.create_database(f"bench_{'shared' if shared else 'registry'}")
        application.migrate(model.url())
        tables = model.query(TABLES)
        if shared:
            for name in (name for name, arrays in tables if arrays):
                model.query(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
        return cls(server, model, [name for name, arrays in tables if not (shared and arrays)])

    @classmethod
    def embeddings(cls, server: Server) -> Template:
        """A table of vectors for each of the source's; no index but the key, which would hide what is measured."""
        model = server.create_database("bench_embeddings")
        lengths = sources.embedding_tables()
        for name, length in lengths.items():
            model.query(
                sql.SQL(
                    "CREATE TABLE {} (id integer PRIMARY KEY, tool_id integer NOT NULL, embedding vector({}) NOT NULL)"
                ).format(sql.Identifier(name), sql.Literal(length))
            )
        return cls(server, model, list(lengths))

    def fresh(self) -> Database:
        """An empty copy, in the place of the one before; nothing is left for the disk to do."""
        model = self._model
        copy = Database("bench_run", model.host, model.port, model.user, model.password)
        self._server.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(copy.name)),
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(copy.name), sql.Identifier(model.user), sql.Identifier(model.name)
            ),
            sql.SQL("CHECKPOINT"),
        )
        return copy

    def close(self) -> None:
        """Remove the copy and the template."""
        self._server.execute(sql.SQL("DROP DATABASE IF EXISTS bench_run WITH (FORCE)"))
        self._server.drop(self._model)


def contents(database: Database, tables: Sequence[str]) -> Contents:
    """What is in I(tables), and every definition of the schema."""
    rows = {
        name: database.query(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))[0][0] for name in tables
    }
    return Contents(rows, frozenset(name for (name,) in database.query(DEFINITIONS)))


def encode(database: Database, tables: Sequence[str], folder: Path, form: str) -> None:
    """What COPY reads (I(form): text or binary), of a loaded database: TABLE.NUMBER.FORM, and TABLE.columns.

    Each table has an integer key named id, by which the larger ones are cut into parts of about the same size.
    """
    sizes = {name: database.query("SELECT pg_table_size(quote_ident(%s)::regclass)", (name,))[0][0] for name in tables}
    share = max(1, sum(sizes.values()) // PARTS)
    with database.connect() as connection, connection.cursor() as cursor:
        for name in tables:
            cursor.execute(COLUMNS, (name,))
            ((columns,),) = cursor.fetchall()
            (folder / f"{name}.columns").write_text(columns, encoding="utf-8")
            cursor.execute(sql.SQL("SELECT coalesce(max(id), 0) FROM {}").format(sql.Identifier(name)))
            ((last,),) = cursor.fetchall()
            parts = max(1, round(sizes[name] / share))
            for part in range(parts):
                statement = sql.SQL(
                    "COPY (SELECT {} FROM {} WHERE id > {} AND id <= {} ORDER BY id) TO STDOUT (FORMAT {})"
                ).format(
                    sql.SQL(columns),
                    sql.Identifier(name),
                    sql.Literal(last * part // parts),
                    sql.Literal(last * (part + 1) // parts),
                    sql.Identifier(form),
                )
                with (folder / f"{name}.{part}.{form}").open("wb") as file:
                    cursor.copy_expert(statement, file)
