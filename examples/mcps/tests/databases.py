# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that are made for tests, and brought to the newest revision by copying one that was."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from packages.harvester.database import sync_engine
from packages.harvester.seed import seed
from packages.harvester.settings import Settings

PROJECT = Path(__file__).parents[1]
RunSql = Callable[..., None]
#: Brings the empty database that a URL names to the newest revision, with rows of so many servers.
AtHead = Callable[..., None]


def without_settings(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """No setting from outside, and a working directory without an environment file."""
    for name in (*(field.upper() for field in Settings.model_fields), "MCPS_ENV_FILE"):
        patch.delenv(name, raising=False)
    patch.chdir(folder)


def quiet_config() -> Config:
    config = Config(PROJECT / "alembic.ini")
    config.attributes["configure_logging"] = False
    return config


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def postgres_url(server: URL, name: str) -> str:
    return server.set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)


def sql_runner(server: URL) -> RunSql:
    """Runs statements outside a transaction, in the database that I(server) names or another of its server."""

    def run(*statements: str, database: str | None = None) -> None:
        url = server.set(database=database) if database else server
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    return run


@contextlib.contextmanager
def empty_database(server: URL, run_sql: RunSql) -> Iterator[str]:
    """URL of a PostgreSQL database with a random name, which is dropped afterwards."""
    name = f"mcps_{uuid.uuid4().hex}"
    run_sql(f"CREATE DATABASE {name}")
    yield postgres_url(server, name)
    run_sql(f"DROP DATABASE {name} WITH (FORCE)")


class Heads:
    """One database of each kind and size is migrated, in I(folder) or on I(server); others are copies."""

    def __init__(self, folder: Path, server: URL) -> None:
        self._folder = folder
        self._server = server
        self._files: dict[int, Path] = {}
        self._databases: dict[int, str] = {}

    def bring(self, url: str, servers: int = 0) -> None:
        """The empty database I(url) to the newest revision, with rows of so many servers."""
        target = make_url(url)
        if target.get_backend_name() == "sqlite":
            shutil.copyfile(self._file(servers), str(target.database))
        else:
            model = self._database(servers)
            sql_runner(self._server)(
                f"DROP DATABASE {target.database}", f"CREATE DATABASE {target.database} TEMPLATE {model}"
            )

    def close(self) -> None:
        """Drop what was made on the server."""
        for name in self._databases.values():
            sql_runner(self._server)(f"DROP DATABASE {name} WITH (FORCE)")

    def _file(self, servers: int) -> Path:
        if servers not in self._files:
            path = self._folder / f"{servers}.db"
            self._migrate(sqlite_url(path), servers)
            assert not path.with_name(f"{path.name}-wal").exists(), "everything is in the file"
            self._files[servers] = path
        return self._files[servers]

    def _database(self, servers: int) -> str:
        if servers not in self._databases:
            name = f"mcps_head_{uuid.uuid4().hex}"
            sql_runner(self._server)(f"CREATE DATABASE {name}")
            self._migrate(postgres_url(self._server, name), servers)
            self._databases[servers] = name
        return self._databases[servers]

    def _migrate(self, url: str, servers: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            without_settings(patch, self._folder)
            patch.setenv("DATABASE_URL", url)
            command.upgrade(quiet_config(), "head")
            if servers:
                engine = sync_engine(Settings(database_url=url))
                seed(engine, servers=servers)
                engine.dispose()
