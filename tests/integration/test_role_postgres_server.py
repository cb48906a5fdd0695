# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role postgres_server with its embedded server, as an operator runs it."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.secrets_guard import SecretsGuard, awkward_password
from support.server import Database, free_port

PROVISION = "playbooks/provision.yml"
STOP = [
    {
        "hosts": "database",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Stop it",
                "ansible.builtin.include_role": {"name": "mcps.postgres.postgres_server", "tasks_from": "stop"},
            }
        ],
    }
]


@dataclass
class Installation:
    """One embedded server in a folder, on a port and with a user of its own, and how to provision it."""

    folder: Path
    port: int
    user: str
    guard: SecretsGuard
    run: PlaybookRunner
    superuser_password: str = ""
    password: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.superuser_password = self.guard.add(awkward_password())
        self.password = self.guard.add(awkward_password())

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "postgres_server_embedded_dir": str(self.folder / "pg"),
            "postgres_server_embedded_user": self.user,
            "postgres_server_port": self.port,
            "postgres_server_superuser_password": self.superuser_password,
            "postgres_server_settings": self.settings,
            "postgres_server_roles": [{"name": "app", "password": self.password, "flags": ["LOGIN", "NOSUPERUSER"]}],
            "postgres_server_databases": [{"name": "appdb", "owner": "app", "extensions": ["vector", "pg_trgm"]}],
        }

    @property
    def database(self) -> Database:
        return Database("appdb", "127.0.0.1", self.port, "app", self.password)

    @property
    def admin(self) -> Database:
        return Database("postgres", "127.0.0.1", self.port, "postgres", self.superuser_password)

    def provision(self, check: bool = False, **others: Any) -> PlaybookRun:
        """Run the playbook; I(others) go over the variables."""
        return self.run(PROVISION, variables={**self.variables, **others}, check=check)

    def stop(self, check: bool = False) -> PlaybookRun:
        return self.run(STOP, variables=self.variables, check=check)

    def end(self) -> None:
        """Stop the server without the role's help, and remove all that was made."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            os.kill(int((self.folder / "pg/data/postmaster.pid").read_text().split()[0]), 3)
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                pwd.getpwnam(self.user)
                subprocess.run(["userdel", self.user], check=True)


@pytest.fixture
def installation(playbook: PlaybookRunner, secrets_guard: SecretsGuard) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="role", dir="/tmp"))
    folder.chmod(0o755)
    made = Installation(folder, free_port(), f"mcps_{secrets.token_hex(4)}", secrets_guard, playbook)
    try:
        yield made
    finally:
        made.end()


def started(server: Installation) -> Any:
    """When the running server was started."""
    return server.admin.query("SELECT pg_postmaster_start_time()")[0][0]


def test_the_life_of_a_server(installation: Installation) -> None:
    # A fresh host: check mode says that there is something to do, and does none of it.
    fresh = installation.provision(check=True).succeeded(changed=True)
    assert "Roles app; databases appdb." in fresh.stdout
    assert not (installation.folder / "pg").exists()

    installation.provision().succeeded(changed=True)
    installation.provision(check=True).succeeded(changed=False)
    installation.provision().succeeded(changed=False)

    # The owner can use the extensions, is nobody special, and everybody needs the right password.
    database = installation.database
    assert database.query("SELECT '[1,2]'::vector <-> '[1,4]'::vector") == [(2.0,)]
    database.query("CREATE TABLE word (text text)")
    database.query("CREATE INDEX ON word USING gin (text gin_trgm_ops)")
    assert database.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        database.connect(password="wrong")

    # The server is durable, checks its pages, runs as an ordinary user, and left no password lying about.
    shown = installation.admin.query(
        "SELECT current_setting('fsync'), current_setting('data_checksums'), current_setting('server_encoding'),"
        " current_setting('listen_addresses'), (SELECT datlocprovider FROM pg_database WHERE datname = 'appdb')"
    )
    assert shown == [("on", "on", "UTF8", "127.0.0.1", "b")]
    assert (installation.folder / "pg/data").stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        assert (installation.folder / "pg/data").owner() == installation.user
    assert [path for path in (installation.folder / "pg/run").iterdir() if "password" in path.name] == []

    # A setting that a reload brings in leaves the server running; one that needs a restart restarts it.
    before = started(installation)
    installation.settings = {"work_mem": "17MB", "log_line_prefix": "it's %m "}
    installation.provision().succeeded(changed=True)
    assert installation.admin.query("SHOW work_mem") == [("17MB",)]
    assert started(installation) == before
    installation.settings["max_connections"] = 37
    installation.provision().succeeded(changed=True)
    assert installation.admin.query("SHOW max_connections") == [("37",)]
    assert started(installation) > before

    # A setting that PostgreSQL does not know never reaches the server.
    installation.provision(postgres_server_settings={"no_such_setting": 1}).failed("no_such_setting")
    assert installation.admin.query("SHOW work_mem") == [("17MB",)]

    # Another port: the server moves there, and is at rest again afterwards.
    old, installation.port = installation.port, free_port()
    installation.provision().succeeded(changed=True)
    assert installation.database.query("SELECT count(*) FROM word") == [(0,)]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=5).close()
    installation.provision().succeeded(changed=False)

    # A wrong superuser password is told plainly.
    wrong = installation.guard.add(awkward_password())
    installation.provision(postgres_server_superuser_password=wrong).failed(
        "password authentication failed", "Set postgres_server_superuser_password"
    )

    # Stopped, and nothing removed: it comes back with its data.
    installation.stop(check=True).succeeded(changed=True)
    assert installation.database.query("SELECT 1") == [(1,)]
    installation.stop().succeeded(changed=True)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        installation.database.connect()
    installation.stop().succeeded(changed=False)
    assert "told to start" in installation.provision(check=True).succeeded(changed=True).stdout
    installation.provision().succeeded(changed=True)
    assert installation.database.query("SELECT count(*) FROM word") == [(0,)]


def rights(installation: Installation) -> dict[str, Any]:
    """Variables for a database with an owner, a writer, a reader, a monitor and a pooler's lookup role."""
    ordinary = {"password": installation.password, "flags": ["LOGIN", "NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE"]}
    own: dict[str, dict[str, Any]] = {
        "app": {},
        "writer": {},
        "reader": {"connection_limit": 3, "settings": {"statement_timeout": "2s", "work_mem": "8MB"}},
        "monitor": {"member_of": ["pg_monitor"]},
    }
    appdb: dict[str, Any] = {"name": "appdb", "owner": "app", "extensions": ["pg_trgm"], "schemas": ["public", "more"]}
    return {
        "postgres_server_roles": [{"name": name} | ordinary | others for name, others in own.items()],
        "postgres_server_databases": [appdb | {"writers": ["writer"], "readers": ["reader"]}, {"name": "other"}],
        "postgres_server_auth_query_role": {"name": "lookup", "password": installation.password},
    }


def test_roles_may_do_what_they_are_for_and_no_more(installation: Installation) -> None:
    wanted = rights(installation)
    installation.provision(**wanted).succeeded(changed=True)
    installation.provision(**wanted).succeeded(changed=False)
    installation.provision(check=True, **wanted).succeeded(changed=False)

    def ask(role: str, query: str, database: str = "appdb") -> Any:
        return replace(installation.database, user=role, name=database).query(query)

    def denied(role: str, query: str) -> None:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(role, query)

    # What the owner makes later is the writer's to use and the reader's to read.
    for schema in ("public", "more"):
        ask("app", f"CREATE TABLE {schema}.word (id serial PRIMARY KEY, text text)")
        ask("writer", f"INSERT INTO {schema}.word (text) VALUES ('one'), ('two')")
        ask("writer", f"UPDATE {schema}.word SET text = upper(text) WHERE id = 1")
        ask("writer", f"DELETE FROM {schema}.word WHERE id = 2")
        assert ask("reader", f"SELECT text FROM {schema}.word") == [("ONE",)]
        denied("reader", f"INSERT INTO {schema}.word (text) VALUES ('x')")
        denied("reader", f"SELECT nextval('{schema}.word_id_seq')")
        for role in ("writer", "reader"):
            denied(role, f"CREATE TABLE {schema}.intruder ()")
            denied(role, f"DROP TABLE {schema}.word")
    for query in ("CREATE ROLE intruder", "CREATE SCHEMA intruder", "SET ROLE app"):
        denied("writer", query)
    denied("reader", "CREATE TEMPORARY TABLE intruder ()")

    # Nobody gets into a database that is not theirs; who watches gets in, and sees no data.
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        ask("writer", "SELECT 1", database="other")
    assert ask("monitor", "SELECT count(*) FROM pg_settings WHERE name = 'data_directory'", database="other") == [(1,)]
    denied("monitor", "SELECT text FROM word")
    assert ask("reader", "SELECT current_setting('statement_timeout'), current_setting('work_mem')") == [("2s", "8MB")]
    assert installation.admin.query("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'reader'") == [(3,)]

    # The pooler's role finds hashes of ordinary roles, and nothing else; nobody else finds any.
    lookup = "SELECT uname, left(phash, 13) FROM pgbouncer.user_lookup('{}')"
    for database in ("appdb", "other"):
        assert ask("lookup", lookup.format("writer"), database) == [("writer", "SCRAM-SHA-256")]
        assert ask("lookup", lookup.format("postgres"), database) == []
    installation.admin.query("ALTER ROLE writer VALID UNTIL '2020-01-01'")
    assert ask("lookup", lookup.format("writer")) == []
    denied("app", lookup.format("writer"))

    # A password that is replaced takes effect. What a password is set with is kept nowhere.
    old, installation.password = installation.password, installation.guard.add(awkward_password())
    installation.provision(**rights(installation)).succeeded(changed=True)
    assert ask("app", "SELECT count(*) FROM word") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        installation.database.connect(password=old)
    installation.guard.check((installation.folder / "pg/log/server.log").read_text(), "the server's log")


def test_settings_that_the_server_cannot_start_with_do_not_stay(installation: Installation) -> None:
    installation.provision().succeeded(changed=True)
    file = installation.folder / "pg/data/conf.d/mcps.conf"
    before = file.read_text()
    broken = {"shared_preload_libraries": "no_such_library"}
    installation.provision(postgres_server_settings=broken).failed(
        "no_such_library", "Correct postgres_server_settings"
    )
    assert file.read_text() == before
    assert installation.database.query("SELECT 1") == [(1,)]
    installation.provision().succeeded(changed=False)


def test_what_cannot_work_is_refused_beforehand(installation: Installation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", installation.port))
        other.listen()
        installation.provision().failed(f"Port {installation.port} of 127.0.0.1 is taken", "Set postgres_server_port")
    installation.provision(postgres_server_embedded_dir="here").failed("set it to an absolute path")
    installation.provision(postgres_server_superuser_password="two\nlines").failed("set it to a text on one line")
    installation.provision(postgres_server_embedded_python="/usr/bin/false").failed("Install it with")
    if os.geteuid() == 0:
        closed = installation.folder / "closed"
        closed.mkdir(mode=0o700)
        installation.provision(postgres_server_embedded_dir=f"{closed}/pg").failed("cannot enter", "/closed")
    assert not (installation.folder / "pg").exists()
