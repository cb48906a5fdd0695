# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database the settings name, and how."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import URL, text

from packages.harvester.database import async_engine, sync_engine
from packages.harvester.settings import SettingsError, load_settings

HARD_PASSWORD = "p% @:/'\" #x\\y?&=%41"


@pytest.mark.parametrize(
    ("environment", "asynchronous", "synchronous"),
    [
        ({}, "postgresql+asyncpg://mcps@localhost:5432/mcps", "postgresql+psycopg2://mcps@localhost:5432/mcps"),
        (
            {"USE_SQLITE": "true", "POSTGRES_HOST": "db"},
            "sqlite+aiosqlite:///data/mcps.db",
            "sqlite+pysqlite:///data/mcps.db",
        ),
        ({"USE_SQLITE": "1", "DATABASE_PATH": "/x y.db"}, "sqlite+aiosqlite:////x y.db", "sqlite+pysqlite:////x y.db"),
        (
            {"DATABASE_URL": "postgres://a:b%40c@h/d", "USE_SQLITE": "true"},
            "postgresql+asyncpg://a:b%40c@h/d",
            "postgresql+psycopg2://a:b%40c@h/d",
        ),
        (
            {"DATABASE_URL": "sqlite+aiosqlite:////asyncpg.db"},
            "sqlite+aiosqlite:////asyncpg.db",
            "sqlite+pysqlite:////asyncpg.db",
        ),
        (
            {"DATABASE_URL": "", "USE_SQLITE": "1"},
            "sqlite+aiosqlite:///data/mcps.db",
            "sqlite+pysqlite:///data/mcps.db",
        ),
    ],
)
def test_precedence(
    environment: dict[str, str], asynchronous: str, synchronous: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.async_url.render_as_string(hide_password=False) == asynchronous
    assert settings.sync_url.render_as_string(hide_password=False) == synchronous


def test_environment_wins_over_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("POSTGRES_HOST=file\nPOSTGRES_DB=file\n")
    Path("other.env").write_text("POSTGRES_HOST=other\n")
    monkeypatch.setenv("POSTGRES_DB", "process")
    assert (load_settings().postgres_host, load_settings().postgres_db) == ("file", "process")
    monkeypatch.setenv("MCPS_ENV_FILE", "other.env")
    assert load_settings().postgres_host == "other"
    monkeypatch.setenv("MCPS_ENV_FILE", "missing.env")
    with pytest.raises(SettingsError, match="missing.env"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://h/d", "postgresql://h/d?sslmode=require", "postgresql://h/d?ssl=1"]
)
def test_unusable_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError):
        _ = load_settings().url


@pytest.mark.parametrize("way", ["variables", "url", "file"])
def test_hard_password(way: str, server: URL, run_sql: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"mcps_{uuid.uuid4().hex}"
    literal = HARD_PASSWORD.replace("'", "''").replace(":", "\\:")
    run_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{literal}'")
    variables = {
        "POSTGRES_HOST": str(server.host),
        "POSTGRES_PORT": str(server.port or 5432),
        "POSTGRES_USER": role,
        "POSTGRES_PASSWORD": HARD_PASSWORD,
        "POSTGRES_DB": str(server.database),
    }
    if way == "url":
        password = quote(HARD_PASSWORD, safe="")
        url = f"postgresql+asyncpg://{role}:{password}@{server.host}:{server.port or 5432}/{server.database}"
        variables = {"DATABASE_URL": url}
    if way == "file":
        quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in variables.items()}
        Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in quoted.items()))
    else:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
    settings = load_settings()

    async def who() -> str:
        engine = async_engine(settings)
        async with engine.connect() as connection:
            user = await connection.scalar(text("SELECT current_user"))
        await engine.dispose()
        return str(user)

    try:
        engine = sync_engine(settings)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT current_user")) == role
        engine.dispose()
        assert asyncio.run(who()) == role
    finally:
        run_sql(f"DROP ROLE {role}")


def test_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "hidden")
    assert "hidden" not in repr(load_settings())
    assert "hidden" not in str(load_settings().url)
