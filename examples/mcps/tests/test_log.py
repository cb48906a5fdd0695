# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process that logs really writes: JSON, and no password."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from serving import environment

from packages.api.log import MASK

SECRET = "hunter-2"
BEGINNING = """
import logging, sys, structlog
from packages.api import log
log.configure("DEBUG")
structured, plain = structlog.get_logger("structured"), logging.getLogger("plain")
secret = sys.stdin.read()
url = f"postgresql+asyncpg://ann:{secret}@db.example/mcps"
"""


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ('structured.info(f"connect to {url}")', "ann"),
        ('structured.info("connect", url=url)', "db.example/mcps"),
        ('structured.info("connect", url=f"postgresql://ann:p@ss/{secret}@db.example/mcps")', "db.example/mcps"),
        ('structured.info("connect", settings={"urls": [url], "user": "ann"})', "ann"),
        ('structured.info("connect", user="ann", password=secret)', "ann"),
        ('structured.info("connect", settings={"PGUSER": "ann", "PGPASSWORD": secret})', "ann"),
        ('structured.bind(api_token=secret).info("connect", user="ann")', "ann"),
        ('structured.error("refused", error=ValueError(f"cannot open {url}"))', "cannot open"),
        ('structured.error("refused", error={ValueError(f"cannot open {url}")})', "cannot open"),
        ('structured.info("connect", url=url.encode())', "ann"),
        ('plain.info("connect to %s", url)', "ann"),
        ('plain.info("user=ann password=%s", secret)', "user=ann"),
        ('plain.info("%s", {"user": "ann", "password": secret})', "ann"),
        ('plain.info("connect", extra={"url": url}, stack_info=True)', "Stack"),
        ('logging.getLogger("uvicorn.error").info("connect to %s", url)', "ann"),
    ],
)
def test_passwords_are_masked(statement: str, kept: str) -> None:
    (line,) = written(statement)
    assert kept in json.dumps(line)


@pytest.mark.parametrize("statement", ['structured.exception("refused")', 'plain.exception("refused")'])
def test_passwords_in_exceptions_are_masked(statement: str) -> None:
    """Also in those that it was raised from."""
    (line,) = written(f"""
try:
    try:
        raise ValueError(f"cannot open {{url}}")
    except ValueError as error:
        raise RuntimeError(f"POSTGRES_PASSWORD={{secret}} is refused") from error
except RuntimeError:
    {statement}
""")
    assert line["level"] == "error"
    assert f"ValueError: cannot open postgresql+asyncpg://ann:{MASK}@db.example/mcps" in line["exception"]
    assert f"RuntimeError: POSTGRES_PASSWORD={MASK} is refused" in line["exception"]


def test_statements_that_are_echoed_are_masked() -> None:
    lines = written("""
from packages.harvester.database import sync_engine
from packages.harvester.settings import Settings
from sqlalchemy import text
engine = sync_engine(Settings(database_url="sqlite://", db_echo=True))
with engine.connect() as connection:
    connection.execute(text("SELECT :url"), {"url": url})
""")
    assert "SELECT ?" in [line["event"] for line in lines]
    assert any(f"ann:{MASK}@" in line["event"] for line in lines)


def written(statements: str) -> list[dict[str, object]]:
    """The lines of a process that logs."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + statements],
        input=SECRET,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]
