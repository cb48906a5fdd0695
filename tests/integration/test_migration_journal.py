# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal in both its places, and what happens when they contradict each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import ModuleRunner
from support.server import Database, Server

Call = Callable[..., dict[str, Any]]
PHASES = ("preflight", "schema", "snapshot", "load", "verify", "fence", "switch")


@pytest.fixture
def journal(run_module: ModuleRunner, database: Database, tmp_path: Path) -> Call:
    """Runs migration_journal with a state, of a source and into a database of its own."""
    (tmp_path / "a.db").touch()

    def call(state: str, *, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        settings = {"state": state, "state_dir": str(tmp_path / "state"), "source": str(tmp_path / "a.db")}
        return run_module("migration_journal", {**database.login, **settings, **arguments}, check=check, diff=diff)

    return call


def info(run_module: ModuleRunner, database: Database, tmp_path: Path) -> dict[str, Any]:
    return run_module("migration_journal_info", {**database.login, "state_dir": str(tmp_path / "state")})


def on_disk(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "state" / "journal.json").read_text(encoding="utf-8"))


def test_check_apply_check_apply(journal: Call, run_module: ModuleRunner, database: Database, tmp_path: Path) -> None:
    nothing = info(run_module, database, tmp_path)
    assert (nothing["journal"], nothing["verdict"], nothing["changed"]) == (None, "none", False)
    assert nothing["free_bytes"] > 0
    planned = journal("begun", check=True, diff=True)
    assert planned["changed"]
    assert not (tmp_path / "state").exists()
    assert database.query("SELECT 1 FROM pg_namespace WHERE nspname = 'mcps_migration'") == []
    begun = journal("begun", diff=True)
    assert (begun["changed"], begun["outcome"]) == (True, "running")
    assert set(begun) == set(planned)
    for check in (True, False):
        again = journal("begun", check=check)
        assert (again["changed"], again["id"]) == (False, begun["id"])
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "journal.json").stat().st_mode & 0o777 == 0o600
    [(document,)] = database.query("SELECT document FROM mcps_migration.journal")
    assert document == on_disk(tmp_path) == begun["journal"]
    [(oid,)] = database.query("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
    assert begun["journal"]["target"]["database_oid"] == oid

    assert journal("started", phase="preflight", check=True)["changed"]
    assert on_disk(tmp_path)["phases"] == {}
    assert journal("started", phase="preflight")["changed"]
    assert journal("done", phase="preflight", facts={"rows": 5})["phases"]["preflight"] == "done"
    for check in (True, False):
        assert not journal("done", phase="preflight", facts={"rows": 5}, check=check)["changed"]
    assert info(run_module, database, tmp_path)["journal"]["phases"]["preflight"]["facts"] == {"rows": 5}


def test_check_mode_plans_every_phase_before_anything_is_there(journal: Call, tmp_path: Path) -> None:
    for phase in PHASES:
        assert journal("started", phase=phase, check=True)["changed"]
    assert not (tmp_path / "state").exists()


def test_order_and_closing(journal: Call) -> None:
    begun = journal("begun")
    refused = journal("started", phase="load")
    assert refused["failed"]
    assert "preflight, schema, snapshot" in refused["msg"]
    assert journal("finished")["failed"]
    for phase in PHASES:
        journal("started", phase=phase)
        journal("done", phase=phase)
    assert journal("finished")["outcome"] == "finished"
    assert not journal("finished")["changed"]
    assert not journal("begun")["changed"]
    assert journal("rolled_back")["changed"]
    assert not journal("rolled_back")["changed"]
    fresh = journal("begun")
    assert fresh["id"] != begun["id"]
    assert (fresh["loaded_before"], fresh["outcome"]) == (True, "running")


def test_check_mode_plans_every_phase_after_a_rollback(journal: Call, tmp_path: Path) -> None:
    journal("begun")
    journal("started", phase="preflight")
    journal("rolled_back")
    before = on_disk(tmp_path)
    for phase in ("preflight", "load", "switch"):
        for state in ("started", "done"):
            assert journal(state, phase=phase, check=True)["changed"]
    assert journal("finished", check=True)["changed"]
    assert not journal("rolled_back", check=True)["changed"]
    assert on_disk(tmp_path) == before
    assert journal("started", phase="preflight")["error"] == "JournalError"


def test_a_lost_state_directory_is_noticed_and_can_be_adopted(
    journal: Call, run_module: ModuleRunner, database: Database, tmp_path: Path
) -> None:
    begun = journal("begun")
    journal("started", phase="preflight")
    shutil.rmtree(tmp_path / "state")
    assert info(run_module, database, tmp_path)["verdict"] == "state_lost"
    refused = journal("begun")
    assert (refused["failed"], refused["error"]) == (True, "JournalError")
    assert "adopt" in refused["msg"]
    adopted = journal("begun", adopt=True)
    assert (adopted["changed"], adopted["id"]) == (True, begun["id"])
    assert on_disk(tmp_path)["phases"]["preflight"]["state"] == "started"
    assert info(run_module, database, tmp_path)["verdict"] == "same"


def test_a_wrong_target_is_noticed(journal: Call, postgres: Server) -> None:
    journal("begun")
    journal("started", phase="preflight")
    other = postgres.create_database(extensions=())
    try:
        refused = journal("done", phase="preflight", **other.login)
        assert refused["error"] == "JournalError"
        assert other.name in refused["msg"]
        assert other.query("SELECT 1 FROM pg_namespace WHERE nspname = 'mcps_migration'") == []
        assert journal("rolled_back", mirror=False)["changed"]
        assert journal("begun", **other.login)["changed"]
    finally:
        postgres.drop(other)


def test_a_copy_that_is_behind_is_mended(
    journal: Call, run_module: ModuleRunner, database: Database, tmp_path: Path
) -> None:
    journal("begun")
    journal("started", phase="preflight", mirror=False)
    assert info(run_module, database, tmp_path)["verdict"] == "behind"
    assert journal("begun")["changed"]
    [(document,)] = database.query("SELECT document FROM mcps_migration.journal")
    assert document == on_disk(tmp_path)


def test_a_migration_that_died_while_it_began_is_gone_on_with(journal: Call) -> None:
    begun = journal("begun", mirror=False)
    assert journal("begun")["id"] == begun["id"]


def test_another_source_and_a_damaged_file_are_refused(journal: Call, tmp_path: Path) -> None:
    journal("begun")
    (tmp_path / "b.db").touch()
    assert "b.db" in journal("begun", source=str(tmp_path / "b.db"))["msg"]
    assert "missing.db" in journal("begun", source=str(tmp_path / "missing.db"))["msg"]
    (tmp_path / "b.db").replace(tmp_path / "a.db")
    assert "another file" in journal("begun")["msg"]
    (tmp_path / "state" / "journal.json").write_text("{", encoding="utf-8")
    assert "damaged" in journal("begun")["msg"]


def test_a_lock_that_was_lost_stops_the_run(journal: Call, database: Database) -> None:
    journal("begun")
    result = journal("started", phase="preflight", lock_id="not-mine")
    assert result["failed"]


def test_another_schema_is_another_migration(journal: Call, database: Database) -> None:
    database.query("CREATE SCHEMA other")
    first = journal("begun")
    second = journal("begun", target_schema="other", state_dir=first["journal"]["source"]["path"] + ".state")
    assert second["id"] != first["id"]
