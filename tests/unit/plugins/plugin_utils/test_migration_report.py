# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says is what the report says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.filter.migration_report import FilterModule
from ansible_collections.mcps.postgres.plugins.module_utils._journal import PHASES, begun, closed, stepped

migration_report = FilterModule().filters()["migration_report"]
TARGET = {"system": "1", "database_oid": 5, "database": "d", "schema": "public", "host": "h", "port": 5432}


def journal(*steps: tuple[str, str, dict[str, Any]], outcome: str = "") -> dict[str, Any]:
    document = begun(None, identifier="one", now=at(0), source={"path": "/a.db", "inode": 7}, target=TARGET)
    for number, (phase, state, facts) in enumerate(steps, 1):
        document = stepped(document, phase, state, now=at(number), facts=facts, state_dir="/s")
    return closed(document, outcome, now=at(59), state_dir="/s") if outcome else document


def at(second: int) -> str:
    return f"2026-11-22T10:00:{second:02d}.000000Z"


def done(*phases: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [(phase, state, {}) for phase in phases for state in ("started", "done")]


def report(document: dict[str, Any]) -> dict[str, Any]:
    return dict(migration_report(document, "MCPS", "go back"))


VERDICTS: list[tuple[dict[str, Any], dict[str, str]]] = [
    (journal(), {"state": "running"}),
    (journal(*done("preflight"), ("schema", "started", {})), {"state": "running"}),
    (
        journal(("preflight", "started", {}), ("preflight", "failed", {"reason": "damaged"})),
        {"state": "stopped", "phase": "preflight", "error": "damaged", "advice": ""},
    ),
    (
        journal(
            *done(*PHASES[:6]),
            ("switch", "started", {}),
            ("switch", "undone", {"reason": "unhealthy", "undone": "All is back."}),
            ("snapshot", "undone", {}),
        ),
        {"state": "stopped", "phase": "switch", "error": "unhealthy", "advice": "All is back."},
    ),
    (journal(*done(*PHASES), outcome="finished"), {"state": "migrated"}),
    (journal(*done(*PHASES), outcome="rolled_back"), {"state": "rolled_back"}),
    (
        journal(*done(*PHASES), ("rollback", "started", {}), ("rollback", "failed", {"reason": "written to"})),
        {"state": "stopped", "phase": "rollback", "error": "written to", "advice": ""},
    ),
]


@pytest.mark.parametrize(("document", "verdict"), VERDICTS)
def test_verdict(document: dict[str, Any], verdict: dict[str, str]) -> None:
    assert report(document)["verdict"] == verdict


def test_the_parts_come_from_the_phases() -> None:
    made = report(
        journal(
            ("preflight", "started", {}),
            ("preflight", "done", {"audit": {"sound": True, "sqlite_version": "3.40.1"}, "server_version": "18.6"}),
            *done("schema", "snapshot"),
            ("load", "started", {}),
            ("load", "done", {"load": {"rows": 5}, "changed": True}),
        )
    )
    assert made["audit"]["sound"]
    assert made["load"] == {"rows": 5}
    assert made["target"] == {"host": "h", "port": 5432, "database": "d", "server_version": "18.6"}
    assert made["source"] == {"path": "/a.db", "sqlite_version": "3.40.1"}
    assert "verification" not in made
    assert made["rollback"] == {"command": "go back"}
    states = {phase["name"]: (phase["number"], phase["state"], phase["changed"]) for phase in made["phases"]}
    assert states["load"] == (4, "done", True)
    assert states["verify"] == (5, "pending", False)
    assert made["phases"][3]["seconds"] == 1.0


def test_after_a_rollback_there_is_nothing_to_roll_back() -> None:
    assert "rollback" not in report(journal(*done(*PHASES), outcome="rolled_back"))


def test_what_is_no_journal_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="journal"):
        migration_report(None, "MCPS", "go back")


MEASURED = {
    "created": "2026-11-22T10:00:00+00:00",
    "source": {"path": "/a.db", "bytes": 5},
    "target": {"host": "h", "port": 5432, "database": "d"},
    "environment": {"sqlite_version": "3.40.1", "server_version": "18.6"},
    "promises": [],
}


def test_a_benchmark_alone_has_a_report() -> None:
    for nothing in (None, {}):
        made = dict(migration_report(nothing, "MCPS", "go back", MEASURED))
        assert made["verdict"] == {"state": "measured"} and made["application"] == "MCPS"
        assert made["source"] == {"path": "/a.db", "bytes": 5, "sqlite_version": "3.40.1"}
        assert made["target"] == {"host": "h", "port": 5432, "database": "d", "server_version": "18.6"}
        assert made["benchmark"] == MEASURED
        assert "phases" not in made and "rollback" not in made


def test_a_migration_keeps_the_benchmark() -> None:
    document = journal(*done("preflight"))
    assert dict(migration_report(document, "MCPS", "go back", MEASURED)) == {**report(document), "benchmark": MEASURED}
    assert dict(migration_report(document, "MCPS", "go back", {})) == report(document)


def test_what_is_no_benchmark_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="benchmark"):
        migration_report({}, "MCPS", "go back", ["something"])


def test_what_phases_could_not_try_or_compare_is_a_warning() -> None:
    tried = ("preflight", "started", {}), ("preflight", "done", {"notes": ["Not tried: api"]})
    made = ("schema", "started", {}), ("schema", "done", {"notes": ["Not compared"]})
    assert report(journal(*tried, *made))["warnings"] == ["Not tried: api", "Not compared"]
    assert "warnings" not in report(journal(*done(*PHASES)))
