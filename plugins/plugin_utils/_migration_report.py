# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration's report out of its journal: nothing else goes in, so that it only changes when the journal does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..module_utils._journal import FINISHED, PHASES, ROLLED_BACK
from ._report._document import FORMAT, Phase, Report, Verdict

#: Parts of the report, and the phase whose facts hold them under which name.
_PARTS = {
    "rehearsal": ("preflight", "rehearsal"),
    "audit": ("preflight", "audit"),
    "snapshot": ("snapshot", "snapshot"),
    "load": ("load", "load"),
    "verification": ("verify", "verification"),
    "fence": ("fence", "fence"),
}
_STATES = {"started": "running", "": "pending"}


def report_of(journal: Mapping[str, Any], application: str, rollback_command: str) -> Report:
    """The document that report.json holds, see docs/report.md."""
    facts = {name: entry.get("facts", {}) for name, entry in journal["phases"].items()}
    report: Report = {
        "format": FORMAT,
        "migration_id": journal["id"],
        "application": application,
        "created": journal["updated"],
        "verdict": _verdict(journal),
        "source": _source(journal, facts),
        "target": _target(journal, facts),
        "phases": [_phase(journal, name, number) for number, name in enumerate(PHASES, 1)],
    }
    for part, (phase, name) in _PARTS.items():
        if facts.get(phase, {}).get(name):
            report[part] = facts[phase][name]  # type: ignore[literal-required]
    notes = [note for phase in PHASES for note in facts.get(phase, {}).get("notes") or ()]
    if notes:
        report["warnings"] = notes
    switch = facts.get("switch", {})
    if switch.get("environment_file"):
        report["switch"] = {
            "environment_file": switch["environment_file"],
            "keys": switch["keys"],
            "backup": switch["backup"],
            "services": switch["services"],
        }
    if journal["outcome"] != ROLLED_BACK:
        report["rollback"] = {"command": rollback_command}
    return report


def report_of_benchmark(benchmark: Mapping[str, Any], application: str) -> Report:
    """The document where nothing but a benchmark was run. I(benchmark) is what playbooks/benchmark.yml keeps."""
    environment = benchmark.get("environment") or {}
    source, target = dict(benchmark.get("source") or {}), dict(benchmark.get("target") or {})
    source["sqlite_version"] = environment.get("sqlite_version")
    target["server_version"] = environment.get("server_version")
    return {
        "format": FORMAT,
        "application": application,
        "created": str(benchmark.get("created") or ""),
        "verdict": {"state": "measured"},
        "source": source,  # type: ignore[typeddict-item]
        "target": target,  # type: ignore[typeddict-item]
        "benchmark": dict(benchmark),
    }


def _verdict(journal: Mapping[str, Any]) -> Verdict:
    if journal["outcome"] == ROLLED_BACK:
        return {"state": "rolled_back"}
    rollback = journal["phases"].get("rollback", {})
    if rollback.get("state") == "failed":
        return {"state": "stopped", "phase": "rollback", "error": rollback["facts"].get("reason", ""), "advice": ""}
    if journal["outcome"] == FINISHED:
        return {"state": "migrated"}
    for name in reversed(PHASES):
        entry = journal["phases"].get(name, {})
        reason = entry.get("facts", {}).get("reason", "")
        if entry.get("state") in ("failed", "undone") and reason:
            return {"state": "stopped", "phase": name, "error": reason, "advice": entry["facts"].get("undone", "")}
    return {"state": "running"}


def _source(journal: Mapping[str, Any], facts: Mapping[str, Any]) -> Any:
    audit = facts.get("preflight", {}).get("audit", {})
    manifest = (facts.get("snapshot", {}).get("snapshot") or {}).get("manifest") or {}
    source = {
        "path": journal["source"]["path"],
        "bytes": (manifest.get("source") or {}).get("size"),
        "sqlite_version": manifest.get("sqlite_version") or audit.get("sqlite_version"),
    }
    return {name: value for name, value in source.items() if value is not None}


def _target(journal: Mapping[str, Any], facts: Mapping[str, Any]) -> Any:
    target = {name: journal["target"].get(name) for name in ("host", "port", "database")}
    target["server_version"] = facts.get("preflight", {}).get("server_version")
    return {name: value for name, value in target.items() if value is not None}


def _phase(journal: Mapping[str, Any], name: str, number: int) -> Phase:
    entry = journal["phases"].get(name, {})
    state = entry.get("state", "")
    phase: Phase = {
        "name": name,
        "number": number,
        "state": _STATES.get(state, state),
        "changed": bool(entry.get("facts", {}).get("changed")),
    }
    if entry.get("started"):
        phase["started"] = entry["started"]
    if entry.get("started") and entry.get("finished"):
        phase["finished"] = entry["finished"]
        phase["seconds"] = round((_time(entry["finished"]) - _time(entry["started"])).total_seconds(), 3)
    return phase


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
