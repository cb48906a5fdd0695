# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(.env.example): what it names is what is read, and everyone reads the same."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from serving import PROJECT
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from packages.harvester.database import sync_engine
from packages.harvester.settings import Settings, load_settings

EXAMPLE = PROJECT / ".env.example"
SITE = PROJECT / "apps" / "web" / "src"
#: Read by Next.js itself, and written into the file for the site's sake.
NEXT = {"HOSTNAME", "PORT"}
#: Set by Next.js, for the site.
NOT_SETTINGS = {"NEXT_RUNTIME"}
#: Read from the process environment alone, two of them by the drivers. Where the application reads the file itself, a
#: line does nothing, so that they are comments.
PROCESS = {"PGSSLMODE", "PGSSLROOTCERT", "MCPS_ENV_FILE"}


def line_by_line(text: str) -> dict[str, str]:
    """As docker --env-file reads: a value is all that stands after the first =."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def read_by_the_site() -> set[str]:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SITE.rglob("*.ts*"))
    found = re.findall(r"\b(?:process\.env|environment)\.([A-Z]\w*)|\bcount\(environment, \"(\w+)\"", sources)
    return {name for pair in found for name in pair if name} - NOT_SETTINGS


def answers() -> int:
    """What the database of the settings says to SELECT 1."""
    engine = sync_engine(load_settings())
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT 1")).scalar_one())
    finally:
        engine.dispose()


def test_every_setting_is_named_and_no_other() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", lines, re.M))
    site = read_by_the_site()
    assert {"POSTGRES_PASSWORD", "DATABASE_URL", "WEB_SHUTDOWN_SECONDS", "PGSSLMODE", "PGSSLROOTCERT"} <= site
    assert named == {name.upper() for name in Settings.model_fields} | site | NEXT | PROCESS
    assert PROCESS & set(line_by_line(lines)) == set()


def test_what_stands_in_comments_is_taken_as_it_stands(server: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """MCPS_ENV_FILE and PGSSLMODE of the process environment count; in the file TLS is not asked for."""
    there = {"POSTGRES_HOST": server.host, "POSTGRES_PORT": server.port, "POSTGRES_USER": server.username}
    password = str(server.password).replace("\\", "\\\\").replace("'", "\\'")
    there |= {"POSTGRES_PASSWORD": f"'{password}'", "POSTGRES_DB": server.database}
    tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/nowhere/ca.crt"}
    monkeypatch.setenv("MCPS_ENV_FILE", "named.env")
    Path("named.env").write_text("".join(f"{name}={value}\n" for name, value in {**there, **tls}.items()))
    assert answers() == 1
    for name, value in tls.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OperationalError, match="does not support SSL|root certificate file"):
        answers()


@pytest.mark.parametrize("password", ["change-me", "aZ09._-/:@%+"])
def test_every_reader_reads_the_same(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, and with all that may stand there without quotes. Node's way is tested beside the site."""
    lines = EXAMPLE.read_text(encoding="utf-8").replace("=change-me", f"={password}")
    expected = line_by_line(lines)
    assert expected["POSTGRES_PASSWORD"] == password
    # What the application makes of a file, and of the process environment that another reader made of it.
    Path(".env").write_text(lines, encoding="utf-8")
    assert dotenv_values(".env") == expected
    from_file = load_settings()
    assert from_file.postgres_password == password
    Path(".env").unlink()
    for name, value in expected.items():
        assert name not in os.environ
        monkeypatch.setenv(name, value)
    assert load_settings() == from_file


def test_what_is_set_is_what_holds_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that was left as it is changes nothing, but for the password."""
    monkeypatch.setenv("MCPS_ENV_FILE", str(EXAMPLE))
    assert load_settings() == Settings(postgres_password="change-me")
