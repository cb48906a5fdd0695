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

from packages.harvester.settings import Settings, load_settings

EXAMPLE = PROJECT / ".env.example"
SITE = PROJECT / "apps" / "web" / "src"
#: Read by Next.js itself, and written into the file for the site's sake.
NEXT = {"HOSTNAME", "PORT"}
#: Set by Next.js, for the site.
NOT_SETTINGS = {"NEXT_RUNTIME"}
#: The drivers read them from the process environment, so that a line in the file would do nothing.
DRIVERS = {"PGSSLMODE", "PGSSLROOTCERT"}


def line_by_line(text: str) -> dict[str, str]:
    """As docker --env-file reads: a value is all that stands after the first =."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def read_by_the_site() -> set[str]:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SITE.rglob("*.ts*"))
    found = re.findall(r"\b(?:process\.env|environment)\.([A-Z]\w*)|\bcount\(environment, \"(\w+)\"", sources)
    return {name for pair in found for name in pair if name} - NOT_SETTINGS


def test_every_setting_is_named_and_no_other() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, re.M))
    site = read_by_the_site()
    assert {"POSTGRES_PASSWORD", "DATABASE_URL", "WEB_SHUTDOWN_SECONDS", *DRIVERS} <= site
    assert named == {name.upper() for name in Settings.model_fields} | site - DRIVERS | NEXT
    assert [name for name in (*DRIVERS, "MCPS_ENV_FILE") if name not in text] == []


@pytest.mark.parametrize("password", ["change-me", "aZ09._-/:@%+"])
def test_every_reader_reads_the_same(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, and with all that may stand there without quotes. Node's way is tested beside the site."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("=change-me", f"={password}")
    expected = line_by_line(text)
    assert expected["POSTGRES_PASSWORD"] == password
    # What the application makes of a file, and of the process environment that another reader made of it.
    Path(".env").write_text(text, encoding="utf-8")
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
