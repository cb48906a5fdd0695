# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeding, statistics and the models, on both databases."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from databases import AtHead
from sqlalchemy import func, null, select, text
from sqlalchemy.exc import IntegrityError

from packages.harvester.cli import main
from packages.harvester.database import async_engine, async_session_scope, session_scope, sync_engine
from packages.harvester.dirty import CATALOGUE
from packages.harvester.models import Base, HostType, RiskLevel, Server, Tool, ToolEmbedding
from packages.harvester.settings import load_settings


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def fill(url: str, at_head: AtHead, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    at_head(url)
    assert main(["seed", *arguments]) == 0


def test_same_seed_same_rows(tmp_path: Path, at_head: AtHead, monkeypatch: pytest.MonkeyPatch) -> None:
    dumps = []
    for name, arguments in {"a": (), "b": ("--batch", "7"), "c": ("--seed", "1")}.items():
        fill(f"sqlite:///{tmp_path / name}.db", at_head, monkeypatch, "--servers", "30", *arguments)
        dumps.append(dump(tmp_path / f"{name}.db"))
    assert dumps[0] == dumps[1]
    assert dumps[0] != dumps[2]


def test_stats_equal_on_both(
    lite: str, postgres: str, at_head: AtHead, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, documents = [], []
    for url in (lite, postgres):
        fill(url, at_head, monkeypatch, "--servers", "60")
        assert main(["seed", "--servers", "20", "--append"]) == 0
        capsys.readouterr()
        assert main(["stats"]) == 0
        texts.append(capsys.readouterr().out)
        assert main(["stats", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert texts[0] == texts[1]
    assert documents[0] == documents[1]
    assert documents[0]["rows"]["server"] == 80
    assert documents[0]["rows"]["total"] > 80 * 20


def plain(value: Any) -> Any:
    """I(value) with huge integers as floats: jsonb writes out 1.5e300 with all its zeros, which Python reads as int."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, int) and value > 10**100 else value


def read_all(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Every row as the models read it; -0.0 and 0.0 are equal (SQLite keeps no sign of zero)."""
    monkeypatch.setenv("DATABASE_URL", url)
    engine = sync_engine(load_settings())
    with engine.connect() as connection:
        rows = {
            name: [[plain(value) for value in row] for row in connection.execute(select(table).order_by(table.c.id))]
            for name, table in Base.metadata.tables.items()
        }
    engine.dispose()
    return rows


def test_models_read_the_same_values(
    lite: str, postgres: str, at_head: AtHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in (lite, postgres):
        fill(url, at_head, monkeypatch, "--servers", "40")
    assert read_all(lite, monkeypatch) == read_all(postgres, monkeypatch)


def test_seed_refuses_filled_database(lite: str, at_head: AtHead, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    fill(lite, at_head, monkeypatch, "--servers", "2")
    assert main(["seed", "--servers", "2"]) == 1
    assert "already holds rows" in capsys.readouterr().err


def test_insert_after_seed(database: str, at_head: AtHead, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids go on after the seeded ones; every kind of column is written and read back through both engines."""
    fill(database, at_head, monkeypatch, "--servers", "3")
    settings = load_settings()
    moment = datetime(2024, 5, 1, 10, 0, 0, 123456)

    def new(url: str) -> Server:
        return Server(
            name="n\u0301 \U0001f680",
            primary_url=url,
            host_type=HostType.NPM,
            risk_level=RiskLevel.HIGH,
            keywords=None,
            categories={"a": [1.5, None]},
            topics=["b", "a", '"'],
            metrics=null(),
            extra=None,
            last_pushed_at=moment,
            tools=[
                Tool(name="t", input_schema={}, embedding=ToolEmbedding(embedding=[1.0], model_name="m", dimensions=1))
            ],
        )

    async def through_async() -> Server:
        engine = async_engine(settings)
        async with async_session_scope(engine) as session:
            session.add(new("https://async"))
        async with async_session_scope(engine) as session:
            found = await session.scalar(select(Server).where(Server.primary_url == "https://async"))
        await engine.dispose()
        assert found is not None
        return found

    engine = sync_engine(settings)
    with session_scope(engine) as session:
        session.add(new("https://sync"))
    with session_scope(engine) as session:
        first = session.scalar(select(Server).where(Server.primary_url == "https://sync"))
        nulls = select(func.count()).where(Server.id > 3, Server.metrics.is_(null()), text("extra IS NOT NULL"))
        assert session.scalar(nulls) == 1
    assert first is not None
    second = asyncio.run(through_async())
    for found, number in ((first, 4), (second, 5)):
        assert found.id == number
        assert found.host_type is HostType.NPM and found.risk_level is RiskLevel.HIGH
        assert found.topics == ["b", "a", '"'] and found.categories == {"a": [1.5, None]}
        assert (found.keywords, found.metrics, found.extra) == (None, None, None)
        assert found.last_pushed_at == moment and len(found.uuid.hex) == 32
    engine.dispose()


def test_session_rolls_back(database: str, at_head: AtHead) -> None:
    at_head(database)
    engine = sync_engine(load_settings())
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        session.add(Server(name="kept?", primary_url="u", host_type=HostType.HTTP, keywords=[], categories=[]))
        session.flush()
        session.add(Tool(name="orphan", server_id=4711, input_schema={}))
        session.flush()
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Server)) == 0
    engine.dispose()


def test_dirty_rows(lite: str, tmp_path: Path, at_head: AtHead, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    fill(lite, at_head, monkeypatch, "--servers", "2", "--dirty")
    printed = capsys.readouterr().out
    connection = sqlite3.connect(tmp_path / "mcps.db")
    for row in CATALOGUE:
        assert row.name in printed
        found = connection.execute(f"SELECT count(*) FROM {row.table} WHERE id = {row.row_id}").fetchone()
        assert found == (1,), row.name
    broken = {(table, rowid) for table, rowid, _parent, _key in connection.execute("PRAGMA foreign_key_check")}
    connection.close()
    assert broken == {(row.table, row.row_id) for row in CATALOGUE if row.kind == "orphan"}
    assert main(["stats"]) == 0
    assert main(["seed", "--servers", "1", "--append", "--dirty"]) == 1


def test_dirty_needs_sqlite(postgres: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres)
    assert main(["seed", "--servers", "1", "--dirty"]) == 1
    assert "SQLite" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["stats"], ["seed", "--servers", "1"]])
def test_missing_file_is_not_made(
    arguments: list[str], lite: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("DATABASE_URL", lite)
    assert main(arguments) == 1
    assert "there is no SQLite database at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_stats_without_tables(database: str, capsys: Any) -> None:
    sync_engine(load_settings(), create=True).connect().close()
    assert main(["stats"]) == 1
    assert "alembic upgrade head" in capsys.readouterr().err


def test_stats_without_server(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    assert main(["stats"]) == 1
    error = capsys.readouterr().err
    assert "refused" in error and "secret" not in error
