# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a migration as data: this is what report.json holds. docs/report.md explains it field by field.

Every part may be absent: a part is added by the phase that makes it. Times are ISO 8601 with an offset, durations
seconds, sizes bytes.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

FORMAT = "mcps.postgres/report/1"

VerdictState = Literal["running", "migrated", "rolled_back", "finalized", "stopped", "measured"]
PhaseState = Literal["pending", "running", "done", "failed", "skipped", "undone"]


class Verdict(TypedDict, total=False):
    """How it ended. I(phase), I(error) and I(advice) only where I(state) is V(stopped)."""

    state: VerdictState
    phase: str
    error: str
    advice: str


class Source(TypedDict, total=False):
    """The SQLite file."""

    path: str
    bytes: int
    sqlite_version: str


class Target(TypedDict, total=False):
    """The PostgreSQL database. Never a password, never a URL that has one."""

    host: str
    port: int
    database: str
    server_version: str


class Phase(TypedDict, total=False):
    """One line of the table of phases."""

    name: str
    number: int
    started: str
    finished: str
    seconds: float
    state: PhaseState
    changed: bool


class Switch(TypedDict, total=False):
    """What the application was told. I(keys) are names of variables, never their values."""

    environment_file: str
    keys: list[str]
    backup: str
    services: list[str]


class Rollback(TypedDict, total=False):
    """The way back: the command as it is to be typed."""

    command: str
    note: str


class Report(TypedDict, total=False):
    """A whole report. I(rehearsal), I(audit), I(load), I(verification) and I(fence) are what the modules returned."""

    format: str
    migration_id: str
    application: str
    created: str
    verdict: Verdict
    source: Source
    target: Target
    phases: list[Phase]
    rehearsal: dict[str, Any]  # alembic_rehearsal without its SQL; lint: what lint_findings made of that
    audit: dict[str, Any]  # sqlite_audit_info
    snapshot: dict[str, Any]  # sqlite_snapshot: path, manifest_path, manifest
    load: dict[str, Any]  # sqlite_import
    verification: dict[str, Any]  # migration_verify_info
    fence: dict[str, Any]  # sqlite_fence
    benchmark: dict[str, Any]  # workload_benchmark, with created, source and target
    switch: Switch
    rollback: Rollback
    warnings: list[str]
