# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of migrations, on both databases."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from packages.harvester.database import sync_engine
from packages.harvester.dirty import FIRST_ID, PARENTS
from packages.harvester.models import Base
from packages.harvester.settings import load_settings

MOMENT = "2024-05-01 10:00:00"


def leftovers() -> tuple[set[str], set[str]]:
    """The tables, and the enum types on PostgreSQL, of the database that the settings name."""
    engine = sync_engine(load_settings())
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        enums: set[str] = set()
        if connection.dialect.name == "postgresql":
            enums = set(connection.scalars(text("SELECT typname FROM pg_type WHERE typtype = 'e'")))
    engine.dispose()
    return tables, enums


def test_up_down_up_without_drift(database: str, config: Config) -> None:
    command.upgrade(config, "head")
    tables, enums = leftovers()
    assert tables == {*Base.metadata.tables, "alembic_version"}
    assert len(enums) == (8 if database.startswith("postgresql") else 0)
    command.check(config)
    command.downgrade(config, "base")
    assert leftovers() == ({"alembic_version"}, set())
    command.upgrade(config, "head")
    command.check(config)


def test_every_revision_goes_down_and_up(database: str, config: Config) -> None:
    command.upgrade(config, "+1")
    for _ in range(5):
        command.upgrade(config, "+1")
        command.downgrade(config, "-1")
        command.upgrade(config, "+1")
    command.check(config)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_offline(database: str, config: Config, direction: str) -> None:
    """The SQL of the offline mode does what the online mode does."""
    config.output_buffer = io.StringIO()
    if direction == "up":
        command.upgrade(config, "head", sql=True)
    else:
        command.downgrade(config, "head:base", sql=True)
        config.output_buffer, sql = io.StringIO(), config.output_buffer.getvalue()
        command.upgrade(config, "head")
    if direction == "up":
        sql = config.output_buffer.getvalue()
    engine = sync_engine(load_settings(), create=True)
    raw = engine.raw_connection()
    if database.startswith("sqlite"):
        raw.driver_connection.executescript(sql)
    else:
        raw.cursor().execute(sql)
    raw.commit()
    raw.close()
    if direction == "up":
        command.check(config)
    else:
        tables, enums = leftovers()
        assert (tables - {"alembic_version"}, enums) == (set(), set())


def test_callers_connection_and_url(lite: str, config: Config) -> None:
    """A caller's connection and its sqlalchemy.url come before the settings, which name no server here."""
    url = make_url(lite).set(drivername="sqlite").render_as_string()
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    del config.attributes["connection"]
    config.set_main_option("sqlalchemy.url", url)
    command.upgrade(config, "head")
    command.check(config)


def test_extension_that_may_not_be_created(
    postgres: str, config: Config, run_sql: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    role, name = f"mcps_{uuid.uuid4().hex}", str(make_url(postgres).database)
    run_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'", f"ALTER DATABASE {name} OWNER TO {role}")
    owner = make_url(postgres).set(username=role, password="x").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", owner)
    try:
        with pytest.raises(RuntimeError, match="CREATE EXTENSION vector"):
            command.upgrade(config, "head")
        run_sql("CREATE EXTENSION vector", database=name)
        command.upgrade(config, "head")
        command.check(config)
    finally:
        run_sql(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        run_sql(f"DROP OWNED BY {role} CASCADE", database=name)
        run_sql(f"DROP ROLE {role}")


@pytest.fixture
def on_postgres(postgres: str, config: Config, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Upgrades or downgrades and runs SQL on a PostgreSQL database: on_postgres(work, revision)."""
    monkeypatch.setenv("DATABASE_URL", postgres)

    def run(work: Callable[[Connection], Any]) -> Any:
        engine = sync_engine(load_settings())
        with engine.begin() as connection:
            result = work(connection)
        engine.dispose()
        return result

    return run


def test_lists_become_arrays_and_documents_stay(on_postgres: Any, config: Config) -> None:
    lists = [None, [], ["b", "a", "b"], ['q"', "back\\slash", "{}", "", "null", None, "\U0001f680"]]
    command.upgrade(config, "0005")

    def fill(connection: Connection) -> None:
        for number, value in enumerate([*lists, "json null"], 1):
            document = "null" if value == "json null" else None if value is None else json.dumps(value)
            connection.execute(
                text(
                    "INSERT INTO social_posts (id, uuid, platform, post_id, content, url, hashtags, mentions, "
                    "engagement, like_count, comment_count, score, is_reply, is_verified_author, "
                    "published_at, created_at, updated_at) "
                    "VALUES (:id, gen_random_uuid(), 'REDDIT', 'x', 'x', :url, :hashtags, '[]', '{}', "
                    "0, 0, 0, false, false, now(), now(), now())"
                ),
                {"id": number, "url": str(number), "hashtags": document},
            )

    on_postgres(fill)
    command.upgrade(config, "head")
    stored = on_postgres(lambda c: list(c.scalars(text("SELECT hashtags FROM social_posts ORDER BY id"))))
    assert stored == [*lists, None]
    command.downgrade(config, "0005")
    stored = on_postgres(lambda c: list(c.scalars(text("SELECT hashtags FROM social_posts ORDER BY id"))))
    assert stored == [*lists, None]


@pytest.mark.parametrize(
    ("embedding", "searchable"),
    [
        ([0.5] * 384, True),
        ([1e-320] + [-2] * 383, True),
        ([0.5] * 383, False),
        ([], False),
        ({"a": 1}, False),
        (None, False),
        (384, False),
        ([0.5] * 383 + [None], False),
        ([0.5] * 383 + ["0.5"], False),
        ([0.5] * 383 + [[0.5]], False),
        ([0.5] * 383 + [1e300], False),
    ],
)
def test_any_embedding_can_be_written(embedding: Any, searchable: bool, on_postgres: Any, config: Config) -> None:
    command.upgrade(config, "head")

    def insert(connection: Connection) -> Any:
        for statement in PARENTS:
            connection.exec_driver_sql(statement.replace(", 0", ", '0'"))  # '0' is an integer and a boolean
        return connection.scalar(
            text(
                "INSERT INTO toolembedding (tool_id, embedding, model_name, dimensions, created_at)"
                " VALUES (:tool, :embedding, 'm', 384, :moment) RETURNING embedding_vector IS NOT NULL"
            ),
            {"tool": FIRST_ID, "embedding": json.dumps(embedding), "moment": MOMENT},
        )

    assert on_postgres(insert) is searchable
