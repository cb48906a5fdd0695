# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of their own for every test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from packages.harvester.settings import Settings

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, and a working directory without an environment file."""
    for name in (*(field.upper() for field in Settings.model_fields), "MCPS_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config() -> Config:
    """Alembic's configuration, as its command line would read it, without log lines."""
    config = Config(PROJECT / "alembic.ini")
    config.attributes["configure_logging"] = False
    return config


@pytest.fixture
def lite(tmp_path: Path) -> str:
    """URL of an SQLite database that is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'mcps.db'}"


@pytest.fixture
def server() -> URL:
    """A PostgreSQL server's maintenance database, as a superuser."""
    given = os.environ.get("MCPS_TEST_POSTGRES_URL")
    if not given:
        pytest.fail(
            "set MCPS_TEST_POSTGRES_URL to the URL of a PostgreSQL superuser, e.g. postgresql://user:pw@host/postgres"
        )
    return make_url(given).set(drivername="postgresql+psycopg2")


@pytest.fixture
def run_sql(server: URL) -> Callable[..., None]:
    """Runs statements outside a transaction on the server, in the maintenance database or another."""

    def run(*statements: str, database: str | None = None) -> None:
        url = server.set(database=database) if database else server
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    return run


@pytest.fixture
def postgres(server: URL, run_sql: Callable[..., None]) -> Iterator[str]:
    """URL of an empty PostgreSQL database with a random name."""
    name = f"mcps_{uuid.uuid4().hex}"
    run_sql(f"CREATE DATABASE {name}")
    yield server.set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)
    run_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["lite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty database of either kind, which the settings name."""
    url: str = request.getfixturevalue(request.param)
    monkeypatch.setenv("DATABASE_URL", url)
    return url
