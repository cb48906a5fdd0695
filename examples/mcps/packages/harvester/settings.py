# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's settings, from the process environment and an environment file.

The process environment wins over the file. The file is the one that MCPS_ENV_FILE names, else C(.env) in the
working directory, if there is one. Which database: DATABASE_URL, else USE_SQLITE with DATABASE_PATH, else
POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.

TLS is the drivers' business: PGSSLMODE, PGSSLROOTCERT and PGPASSWORD of the process environment are read by psycopg2
and asyncpg alike, whereas C(?sslmode=) in a URL is refused by asyncpg and C(?ssl=) by psycopg2.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", "sqlite+pysqlite"),
    "postgresql": ("postgresql+asyncpg", "postgresql+psycopg2"),
}


class SettingsError(ValueError):
    """The settings do not name a database that the application can use."""


class Settings(BaseSettings):
    """Everything that the environment can say. Names are those of the environment variables, in lower case."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore")

    database_url: str | None = Field(default=None, repr=False)
    use_sqlite: bool = False
    database_path: Path = Path("data/mcps.db")
    postgres_host: str = "localhost"
    postgres_port: int = 5432
    postgres_user: str = "mcps"
    postgres_password: str | None = Field(default=None, repr=False)
    postgres_db: str = "mcps"
    db_pool_size: int = 20
    db_max_overflow: int = 10
    db_pool_timeout: float = Field(default=30, gt=0)
    db_pool_pre_ping: bool = True
    db_pool_recycle: int = 3600
    db_echo: bool = False
    db_pooler: bool = False
    db_retries: int = Field(default=3, ge=0)
    feed_url: str | None = None
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_shutdown_seconds: int = Field(default=30, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def url(self) -> URL:
        """The database, without a choice of driver yet (the backend's name is C(sqlite) or C(postgresql)).

        Raises SettingsError when DATABASE_URL is not a URL, names another backend, or carries driver options for TLS.
        """
        if self.database_url is not None:
            return _parsed(self.database_url)
        if self.use_sqlite:
            return URL.create("sqlite", database=str(self.database_path))
        return URL.create(
            "postgresql",
            username=self.postgres_user,
            password=self.postgres_password,
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )

    @property
    def async_url(self) -> URL:
        """The database through aiosqlite or asyncpg."""
        return self.url.set(drivername=_DRIVERS[self.url.get_backend_name()][0])

    @property
    def sync_url(self) -> URL:
        """The database through sqlite3 or psycopg2."""
        return self.url.set(drivername=_DRIVERS[self.url.get_backend_name()][1])

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None when the database is PostgreSQL or SQLite's memory."""
        url = self.url
        if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
            return None
        return Path(str(url.database))


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError("DATABASE_URL is not a database URL: percent-encode special characters in it") from error
    if url.get_backend_name() == "postgres":  # the old name, still in many environment files
        url = url.set(drivername="postgresql")
    if url.get_backend_name() not in _DRIVERS:
        raise SettingsError(f"DATABASE_URL names {url.drivername}: only sqlite and postgresql are supported")
    refused = sorted({"ssl", "sslmode", "sslrootcert"} & set(url.query))
    if refused:
        raise SettingsError(
            f"DATABASE_URL carries {', '.join(refused)}, which not every driver takes: "
            "set PGSSLMODE and PGSSLROOTCERT in the environment instead"
        )
    return url.set(drivername=url.get_backend_name())


def load_settings() -> Settings:
    """The settings of this process.

    Raises SettingsError when MCPS_ENV_FILE names a file that is not there.
    """
    named = os.environ.get("MCPS_ENV_FILE")
    if named and not Path(named).is_file():
        raise SettingsError(f"MCPS_ENV_FILE names {named}, which is not there")
    return Settings(_env_file=named or ".env")
