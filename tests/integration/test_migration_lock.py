# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock between live, dead and distant runs."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from pathlib import Path
from typing import Any

from support.ansible_runs import ModuleRunner, PlaybookRunner
from support.background import ansible_in_background
from support.server import Database

RUN = {
    "controller": "deploy01",
    "machine": "m",
    "boot": "b",
    "namespace": "n",
    "pid": "1",
    "started": "5",
    "inventory_host": "app1",
    "user": "ops",
}
OTHER = {**RUN, "controller": "deploy02", "boot": "c"}


def lock(
    run_module: ModuleRunner, database: Database, run: dict[str, str], check: bool = False, **more: Any
) -> dict[str, Any]:
    return run_module("migration_lock", {**database.login, "run": run, **more}, check=check, diff=True)


def test_check_apply_check_apply_and_back(run_module: ModuleRunner, database: Database) -> None:
    assert lock(run_module, database, RUN, check=True)["changed"]
    assert database.query("SELECT 1 FROM pg_namespace WHERE nspname = 'mcps_migration'") == []
    taken = lock(run_module, database, RUN)
    assert (taken["changed"], taken["taken_over"]) == (True, False)
    for check in (True, False):
        kept = lock(run_module, database, RUN, check=check)
        assert (kept["changed"], kept["lock_id"]) == (False, taken["lock_id"])
    assert not lock(run_module, database, OTHER, state="absent")["changed"]
    assert lock(run_module, database, RUN, state="absent", check=True)["changed"]
    assert database.query("SELECT count(*) FROM mcps_migration.lock") == [(1,)]
    assert lock(run_module, database, RUN, state="absent")["changed"]
    for check in (True, False):
        assert not lock(run_module, database, RUN, state="absent", check=check)["changed"]


def test_another_run_is_refused_until_the_lease_ran_out(run_module: ModuleRunner, database: Database) -> None:
    taken = lock(run_module, database, RUN)
    database.query("UPDATE mcps_migration.lock SET phase = 'load'")
    for check in (True, False):
        refused = lock(run_module, database, OTHER, check=check)
        assert refused["error"] == "LockedError"
        for word in ("ops", "deploy01", "process 1", "phase load", "break_lock"):
            assert word in refused["msg"]
        assert refused["holder"]["token"] == taken["lock_id"]
    database.query("UPDATE mcps_migration.lock SET renewed = now() - interval '2 hours'")
    after = lock(run_module, database, OTHER)
    assert (after["changed"], after["taken_over"], after["former_holder"]["pid"]) == (True, True, "1")
    assert lock(run_module, database, RUN)["failed"]
    assert lock(run_module, database, RUN, break_lock=True)["taken_over"]


def test_a_journal_call_renews_the_lease_and_notices_a_lost_lock(
    run_module: ModuleRunner, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.db").touch()
    taken = lock(run_module, database, RUN)
    database.query("UPDATE mcps_migration.lock SET renewed = now() - interval '59 minutes'")
    settings = {"state_dir": str(tmp_path / "s"), "source": str(tmp_path / "a.db"), "lock_id": taken["lock_id"]}
    run_module("migration_journal", {**database.login, **settings, "state": "begun"})
    assert not run_module(
        "migration_journal", {**database.login, **settings, "state": "started", "phase": "preflight"}
    ).get("failed")
    assert database.query("SELECT phase, now() - renewed < interval '1 minute' FROM mcps_migration.lock") == [
        ("preflight", True)
    ]
    lock(run_module, database, OTHER, break_lock=True)
    lost = run_module("migration_journal", {**database.login, **settings, "state": "done", "phase": "preflight"})
    assert lost["error"] == "LockedError"
    assert "deploy02" in lost["msg"]


def test_what_a_dead_run_left_at_work_is_waited_for(run_module: ModuleRunner, database: Database) -> None:
    taken = lock(run_module, database, RUN)
    with contextlib.closing(database.connect(application_name="mcps.postgres import host:1")):
        refused = lock(run_module, database, OTHER, dead=taken["lock_id"], patience=1)
    assert refused["error"] == "LockedError"
    assert "mcps.postgres import host:1" in refused["msg"]
    assert lock(run_module, database, OTHER, dead=taken["lock_id"])["taken_over"]


def plays(database: Database, *then: dict[str, Any]) -> list[dict[str, Any]]:
    login = {name: f"{{{{ login.{name} }}}}" for name in database.login}
    task = {"name": "Lock", "mcps.postgres.migration_lock": login}
    return [{"hosts": "application", "gather_facts": False, "tasks": [task, *then]}]


def run_that_waits(sign: Path) -> list[dict[str, Any]]:
    return [
        {"name": "Tell", "ansible.builtin.file": {"path": str(sign), "state": "touch", "mode": "0600"}},
        {"name": "Wait", "ansible.builtin.command": {"argv": ["sleep", "60"]}},
    ]


def test_a_live_run_is_named_and_a_dead_one_taken_over_at_once(
    database: Database, playbook: PlaybookRunner, tmp_path: Path
) -> None:
    variables = {"login": database.login}
    sign = tmp_path / "locked"
    waiting = plays(database, *run_that_waits(sign))
    with ansible_in_background(waiting, variables, tmp_path / "first") as first:
        first.wait_until(sign.exists)
        playbook(plays(database), variables=variables, check=True).failed(f"process {first.pid}")
        playbook(plays(database), variables=variables).failed(
            "already running", f"process {first.pid}", getpass.getuser(), socket.gethostname(), "since 20"
        )
        first.kill_group()
        # Not reaped yet: a zombie does not live either.
        playbook(plays(database), variables=variables).succeeded(changed=True)
    assert database.query("SELECT holder->>'pid' FROM mcps_migration.lock") != [(str(first.pid),)]


def test_a_process_with_the_same_number_is_not_the_holder(database: Database, playbook: PlaybookRunner) -> None:
    variables = {"login": database.login}
    playbook(plays(database), variables=variables).succeeded(changed=True)
    database.query(
        "UPDATE mcps_migration.lock SET holder = holder || jsonb_build_object('pid', %s::text)", [str(os.getpid())]
    )
    run = playbook(plays(database), variables=variables).succeeded(changed=True)
    assert "is dead" in run.output
