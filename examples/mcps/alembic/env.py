# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the migrations, on the database that the caller or the application's settings name.

In order: config.attributes["connection"], the main option sqlalchemy.url, the settings. All three are synchronous.
"""

from __future__ import annotations

import warnings
from logging.config import fileConfig
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import SAWarning

from packages.harvester.database import sync_engine
from packages.harvester.models import Base
from packages.harvester.postgres_only import GENERATED_COLUMNS, INDEX_PREFIX
from packages.harvester.settings import load_settings

config = context.config
if config.config_file_name is not None and config.attributes.get("configure_logging", True):
    fileConfig(config.config_file_name, disable_existing_loggers=False)

# The type vector is not SQLAlchemy's, and its column is hidden below.
warnings.filterwarnings("ignore", message="Did not recognize type 'vector'", category=SAWarning)


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Whether autogenerate may see an object: everything but what only PostgreSQL has."""
    if not reflected or compare_to is not None or name is None:
        return True
    if kind == "column":
        return (item.table.name, name) not in GENERATED_COLUMNS
    return not (kind == "index" and name.startswith(INDEX_PREFIX))


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_object": include_object,
    "compare_type": True,
}


def run_offline() -> None:
    """Write the SQL of the migrations to the output."""
    url = config.get_main_option("sqlalchemy.url") or load_settings().sync_url
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    """Run the migrations through I(connection)."""
    context.configure(connection=connection, render_as_batch=connection.dialect.name == "sqlite", **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations on the caller's connection or on one of our own."""
    given = config.attributes.get("connection")
    if given is not None:
        run_on(given)
        return
    url = config.get_main_option("sqlalchemy.url")
    engine = create_engine(url, poolclass=pool.NullPool) if url else sync_engine(load_settings(), create=True)
    with engine.connect() as connection:
        run_on(connection)
    engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
