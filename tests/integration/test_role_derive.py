# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role migration with an application that has no Alembic: there and back, on a schema derived from its file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from support.ansible_runs import PlaybookRunner, phases_until
from support.server import Database, Server

MIGRATE, ROLLBACK = "playbooks/migrate.yml", "playbooks/rollback.yml"
SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email NVARCHAR(60) NOT NULL UNIQUE, active BOOLEAN DEFAULT 1,
                       created DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer, total NUMERIC(10, 2));
CREATE INDEX invoice_customer ON invoice (customer_id);
INSERT INTO customer (email, created) VALUES ('ann@example.org', '2024-01-02 03:04:05'), ('bob@example.org', '2024-01-02');
INSERT INTO invoice (customer_id, total) VALUES (1, 12.5), (2, 3);
"""

#: Where it is, and whether its tables are there.
PROBE = """
import os, psycopg2

with psycopg2.connect(os.environ["DATABASE_URL"].replace("+asyncpg", "")) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT current_database(), to_regclass('invoice')::text, (SELECT count(*) FROM invoice),"
                   " current_setting('search_path'), current_setting('shop.currency', true), current_setting('work_mem')")
    print(*cursor.fetchone())
"""


class Shop:
    def __init__(self, folder: Path, database: Database, server: Server, playbook: PlaybookRunner) -> None:
        self.folder = folder
        self.database = database
        self.server = server
        self.playbook = playbook
        self.source = folder / "shop.db"
        self.environment = folder / ".env"
        self.environment.write_text(f"DATABASE_URL=sqlite:///{self.source}\n")
        self.sqlite(SHOP)

    def sqlite(self, script: str) -> None:
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            connection.executescript(script)

    def run(self, name: str, check: bool = False, until: str = "", **more: Any) -> Any:
        variables = {
            "migration_application": "Shop",
            "migration_source": str(self.source),
            "migration_schema_strategy": "derive",
            **self.database.migration_target,
            "migration_environment_file": str(self.environment),
            "migration_report_dir": str(self.folder / "report"),
            "mcps_progress": "never",
            "migration_services_stop": [],
            "migration_services_start": [],
            **more,
        }
        return self.playbook(name, variables=variables, groups=["application"], check=check, tags=phases_until(until))


@pytest.fixture
def shop(tmp_path: Path, database: Database, postgres: Server, playbook: PlaybookRunner) -> Shop:
    return Shop(tmp_path, database, postgres, playbook)


def test_there_and_back_without_alembic(shop: Shop) -> None:
    shop.run(MIGRATE, check=True).succeeded()
    assert shop.database.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    progress = shop.folder / "progress.json"
    shop.run(MIGRATE, migration_progress_file=str(progress)).succeeded()
    status = json.loads(progress.read_text())
    assert {table["table"] for table in status["finished"]} >= {"customer", "invoice"}
    assert all(table["seconds"] >= 0 and table["bytes"] >= 0 for table in status["finished"])
    assert "postgresql" in shop.environment.read_text()
    assert shop.database.query("SELECT count(*), sum(total) FROM invoice")[0][0] == 2
    assert shop.database.query("INSERT INTO customer (email) VALUES ('cyd') RETURNING id, active") == [(3, True)]
    shop.database.query("DELETE FROM customer WHERE id = 3")
    again = shop.run(MIGRATE).succeeded()
    assert again.recap["localhost"]["changed"] == 0
    shop.run(ROLLBACK).succeeded()
    assert "sqlite" in shop.environment.read_text()


def test_what_has_to_be_decided_stops_the_preflight(shop: Shop) -> None:
    shop.sqlite("CREATE TRIGGER noticing AFTER INSERT ON invoice BEGIN SELECT 1; END")
    shop.run(MIGRATE).failed("trigger.noticing", "migration_derive_decisions")
    shop.run(MIGRATE, migration_derive_decisions={"trigger.noticing": ""}).succeeded()


def test_what_sqlite_declares_differently_does_not_stop_the_schema(shop: Shop) -> None:
    shop.sqlite(
        "CREATE TABLE label (id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE, note TEXT DEFAULT NULL,"
        " token TEXT DEFAULT (hex(randomblob(4))), UNIQUE (note COLLATE NOCASE))"
    )
    shop.run(MIGRATE, migration_derive_decisions={"label.token.default": ""}).succeeded()
    assert "postgresql" in shop.environment.read_text()


def test_the_application_is_tried_on_the_schema_that_is_derived(shop: Shop) -> None:
    admin = {"migration_admin_user": shop.server.superuser, "migration_admin_password": shop.server.password}
    trial = f"{shop.database.name}_rehearsal"
    probe = {
        "name": "shop",
        "command": [sys.executable, "-c", PROBE],
        "match": f'^{trial} invoice 0 public, "\\$user" EUR 5MB',
    }

    owner, name = sql.Identifier(shop.database.user), sql.Identifier(shop.database.name)
    shop.server.execute(
        sql.SQL('ALTER DATABASE {} SET search_path TO public, "$user"').format(name),
        sql.SQL("ALTER DATABASE {} SET shop.currency TO 'EUR'").format(name),
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET work_mem TO '5MB'").format(owner, name),
    )

    def left() -> list[tuple[Any, ...]]:
        return shop.server.admin.query("SELECT datname FROM pg_database WHERE datname = %s", (trial,))

    def made(database: Database) -> list[tuple[Any, ...]]:
        return database.query("SELECT relname FROM pg_class WHERE relname IN ('customer', 'invoice')")

    shop.run(MIGRATE, check=True, migration_probes=[{**probe, "match": "elsewhere"}], **admin).succeeded()
    assert left() == [] and made(shop.database) == []
    shop.run(MIGRATE, migration_probes=[{**probe, "match": "elsewhere"}], **admin).failed("elsewhere", trial)
    # Neither in the target, nor where the admin happens to be.
    assert left() == [] and made(shop.database) == [] and made(shop.server.admin) == []
    assert "sqlite" in shop.environment.read_text()
    shop.run(MIGRATE, migration_probes=[probe], **admin).succeeded()
    assert left() == []
    # Once more, with the tables there.
    shop.run(ROLLBACK).succeeded()
    shop.run(MIGRATE, migration_probes=[{**probe, "match": "elsewhere"}], **admin).failed("elsewhere", trial)
    assert shop.database.query("SELECT count(*) FROM invoice") == [(2,)] and left() == []
    shop.run(MIGRATE, until="preflight", migration_probes=[probe], **admin).succeeded()


def test_what_jsonb_will_refuse_stops_the_preflight(shop: Shop) -> None:
    shop.sqlite(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, body JSON);"
        'INSERT INTO note (body) VALUES (\'{"a": "x\\u0000"}\'), (\'{"a": 1}\')'
    )
    jsonb = [{"kind": "jsonb", "table": "note", "column": "body"}]
    shop.run(MIGRATE, migration_schema_enhancements=jsonb).failed("Stop where values do not fit", "note.body", "u0000")
    assert shop.database.query("SELECT to_regclass('note') IS NULL") == [(True,)]
    # json takes it.
    shop.run(MIGRATE).succeeded()
