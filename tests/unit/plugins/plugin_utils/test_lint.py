# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A linter's report, told by revision: with the real linter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.mcps.postgres.plugins.plugin_utils._lint import RULES, findings, parts

SQL = """\
BEGIN;

-- Running upgrade  -> 0001

CREATE TABLE server (id SERIAL NOT NULL, PRIMARY KEY (id));

CREATE INDEX ix_own ON server (id);

COMMIT;

BEGIN;

-- Running upgrade 0001 -> 0002

CREATE INDEX ix_server_stars ON server (stars);

CREATE INDEX ix_server_id ON server (id);

ALTER TABLE server ALTER COLUMN extra TYPE JSONB USING extra::jsonb;

ALTER TABLE tool ADD CONSTRAINT fk FOREIGN KEY(server_id) REFERENCES server (id);

COMMIT;
"""
LINTER = Path(sys.executable).with_name("squawk")


def report(sql: str, folder: Path) -> str:
    """What the linter prints of a file for each revision."""
    files = []
    for name, text in parts(sql).items():
        files.append(folder / f"{name}.sql")
        files[-1].write_text(text)
    done = subprocess.run(
        [str(LINTER), "--assume-in-transaction", "--reporter", "json", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_locks_that_a_live_system_would_feel_are_told_by_revision(tmp_path: Path) -> None:
    found = findings(report(SQL, tmp_path), SQL)
    told = {(item["revision"], item["rule"]) for item in found}
    assert ("0002", "require-concurrent-index-creation") in told
    assert ("0002", "changing-column-type") in told
    assert {revision for revision, _ in told} == {"0002"}, "a table that the same revision makes is nobody's yet"
    index = next(item for item in found if item["rule"] == "require-concurrent-index-creation")
    assert (
        index["statement"] == "CREATE INDEX ix_server_stars ON server (stars);" and index["message"] and index["help"]
    )
    assert all(item["rule"] in RULES and item["count"] >= 1 for item in found)


def test_nothing_is_said_of_nothing() -> None:
    assert findings("", "") == [] and parts("SELECT 1;") == {}


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(ValueError):
        findings("usage: squawk", SQL)
    with pytest.raises(ValueError, match="no list"):
        findings("{}", SQL)
