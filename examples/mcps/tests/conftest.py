# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of their own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from databases import AtHead, Heads, RunSql, empty_database, quiet_config, sql_runner, sqlite_url, without_settings
from sqlalchemy.engine import URL, make_url


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_settings(monkeypatch, tmp_path)


@pytest.fixture
def config() -> Config:
    """Alembic's configuration, as its command line would read it, without log lines."""
    return quiet_config()


@pytest.fixture
def lite(tmp_path: Path) -> str:
    """URL of an SQLite database that is not there yet."""
    return sqlite_url(tmp_path / "mcps.db")


@pytest.fixture(scope="session")
def server() -> URL:
    """A PostgreSQL server's maintenance database, as a superuser."""
    given = os.environ.get("MCPS_TEST_POSTGRES_URL")
    if not given:
        pytest.fail(
            "set MCPS_TEST_POSTGRES_URL to the URL of a PostgreSQL superuser, e.g. postgresql://user:pw@host/postgres"
        )
    return make_url(given).set(drivername="postgresql+psycopg2")


@pytest.fixture(scope="session")
def run_sql(server: URL) -> RunSql:
    """Runs statements outside a transaction on the server, in the maintenance database or another."""
    return sql_runner(server)


@pytest.fixture
def postgres(server: URL, run_sql: RunSql) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with empty_database(server, run_sql) as url:
        yield url


@pytest.fixture(params=["lite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty database of either kind, which the settings name."""
    url: str = request.getfixturevalue(request.param)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.fixture(scope="session")
def at_head(tmp_path_factory: pytest.TempPathFactory, server: URL) -> Iterator[AtHead]:
    """See Heads."""
    heads = Heads(tmp_path_factory.mktemp("heads"), server)
    yield heads.bring
    heads.close()
