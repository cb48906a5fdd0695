# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as they look at every stage of a migration, and one full of hostile text."""

from __future__ import annotations

import copy
from typing import Any

ROWS = {
    "articles": (12_000, 9_100_000),
    "companies": (840, 410_000),
    "contributor": (40_211, 6_020_000),
    "dependency": (102_300, 11_400_000),
    "processinglog": (61_007, 8_800_000),
    "prompt": (6_210, 1_900_000),
    "release": (18_455, 7_300_000),
    "server": (10_000, 31_000_000),
    "social_posts": (400_000, 120_000_000),
    "tool": (84_300, 44_000_000),
    "toolembedding": (84_300, 166_000_000),
    "videos": (5_377, 2_700_000),
}
PHASES = ("preflight", "schema", "snapshot", "load", "verify", "fence", "switch")
SECONDS = (6.4, 2.1, 3.3, 21.7, 11.2, 0.8, 4.9)
COMMAND = "ansible-playbook -i inventories/production playbooks/rollback.yml -e migration_id=20261122T1730-7f3a"
MARKUP = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def _phases(done: int, last: str = "") -> list[dict[str, Any]]:
    phases: list[dict[str, Any]] = []
    for number, (name, seconds) in enumerate(zip(PHASES, SECONDS, strict=True), 1):
        if number <= done:
            begun = f"2026-11-22T17:{30 + number:02d}:05+00:00"
            phases.append(
                {"name": name, "number": number, "started": begun, "finished": begun, "seconds": seconds}
                | {"state": "done", "changed": name not in ("preflight", "verify")}
            )
        else:
            phases.append({"name": name, "number": number, "state": "pending"})
    if last:
        phases[done - 1]["state"] = last
    return phases


def _rehearsal() -> dict[str, Any]:
    return {
        "rehearsed": True,
        "strategy": "offline",
        "up": True,
        "down": False,
        "again": None,
        "mended": True,
        "failures": [
            {
                "direction": "downgrade",
                "revision": "0004",
                "file": "/srv/mcps/alembic/versions/0004_rename.py",
                "line": 17,
                "statement": "DROP TABLE server;",
                "sqlstate": "2BP01",
                "reason": "cannot drop table server because other objects depend on it",
                "cause": "other tables refer to the table that is dropped",
                "advice": "Drop the children first.",
                "patch": {},
                "consequence": False,
            }
        ],
        "patches": [],
        "compared": True,
        "drift": [{"operation": "modify_type", "table": "server", "column": "stars", "detail": "type is BIGINT"}],
        "schema": [],
        "unindexed": [{"table": "tool", "columns": ["server_id"], "parent": "server"}],
        "against": [{"kind": "column_type", "table": "tool", "column": "risk", "detail": "text instead of risklevel"}],
        "leftovers": [{"kind": "enum type", "name": "hosttype"}],
        "lint": [
            {
                "revision": "0004",
                "rule": "require-concurrent-index-creation",
                "statement": "CREATE INDEX ix ON server (stars);",
                "message": "Table updates are blocked.",
                "help": "Use `concurrently`.",
                "count": 3,
            }
        ],
    }


def _audit() -> dict[str, Any]:
    return {
        "changed": False,
        "sound": True,
        "integrity": {"check": ["ok"], "foreign_keys": []},
        "journal_mode": "wal",
        "wal": {"present": True, "bytes": 4_152_992, "frames": 1008},
        "page_size": 4096,
        "encoding": "UTF-8",
        "sqlite_version": "3.45.1",
        "tables": [{"table": name, "target": name, "rows": r, "bytes": b} for name, (r, b) in ROWS.items()],
        "rows": sum(rows for rows, _ in ROWS.values()),
        "bytes": sum(size for _, size in ROWS.values()),
        "disk_need_bytes": 1_240_000_000,
        "findings": [
            {
                "table": "articles",
                "column": "published_at",
                "kind": "zone",
                "severity": "warning",
                "count": 17,
                "keys": [[4], [9]],
                "samples": ["2024-05-01T10:00:00+02:00", "2024-05-01T12:00:00Z"],
                "reason": "The time has an offset, the column has no time zone.",
                "advice": "Rule to_utc turns it into UTC.",
            }
        ],
        "errors": 0,
        "left_out": [],
        "problems": [],
    }


def _load() -> dict[str, Any]:
    return {
        "tables": [
            {"table": name, "target": name, "rows": r, "bytes": b, "seconds": round(0.02 + r / 43_000 + b / 60e6, 3)}
            | {"quarantined": 0}
            for name, (r, b) in ROWS.items()
        ],
        "rows": sum(rows for rows, _ in ROWS.values()),
        "bytes": sum(size for _, size in ROWS.values()),
        "seconds": 21.7,
        "rows_per_second": 38_018.4,
        "quarantined": 0,
        "quarantine_file": "",
        "rules": [{"table": "articles", "column": "published_at", "rule": "to_utc", "values": 17}],
        "sequences": [
            {"sequence": f"{name}_id_seq", "table": name, "column": "id", "next": r + 1, "max": r}
            for name, (r, _) in ROWS.items()
        ],
        "left_out": [{"table": "posts_fts", "column": "", "reason": "SQLite's own full-text index"}],
        "catalog_unchanged": True,
        "resumed": False,
        "state": "loaded",
        "memory_peak_bytes": 61_000_000,
    }


def _verification() -> dict[str, Any]:
    return {
        "equal": True,
        "tables": [
            {
                "table": name,
                "target": name,
                "source_rows": r,
                "target_rows": r,
                "compared_values": r * 11,
                "equal": True,
            }
            | {"missing": 0, "extra": 0, "different": 0, "seconds": 0.9}
            for name, (r, _) in ROWS.items()
        ],
        "rows": sum(rows for rows, _ in ROWS.values()),
        "values": sum(rows * 11 for rows, _ in ROWS.values()),
        "seconds": 11.2,
        "differences": [],
        "constraints": [],
        "indexes": [],
        "sequences": [{"sequence": "server_id_seq", "next": 10_001, "max": 10_000, "ok": True}],
        "schema": [],
    }


def _benchmark() -> dict[str, Any]:
    """What workload_benchmark returned, cut down to two promises."""

    def side(clients: int, rate: float, p50: float, errors: int = 0) -> dict[str, Any]:
        return {"clients": clients, "rate": rate, "p50": p50, "p95": p50 * 2, "errors": errors, "operations": 100}

    shapes = [("short", 8, 0.2), ("held", 8, 6.1), ("held", 32, 23.0)]
    writes = [
        {
            "name": f"{shape} transactions, {clients} clients, SQLite {journal}",
            "conditions": {"shape": shape, "clients": clients, "journal": journal, "synchronous": "FULL"},
            "facts": {},
            "sqlite": side(clients, 100, 0.01, errors=3),
            "postgresql": side(clients, 100 * ratio, 0.002),
            "ratio": ratio,
            "holds": ratio >= 10,
        }
        for shape, clients, least in shapes
        for journal, ratio in (("wal", least), ("delete", least * 2))
    ]
    searches = [
        {
            "name": f"articles with '{term}' counted",
            "conditions": {"clients": 1},
            "facts": {"term": term, "share": share, "table": "articles", "rows": 40_000},
            "sqlite": side(1, 40, 0.025),
            "postgresql": side(1, 40 * ratio, 0.025 / ratio),
            "ratio": ratio,
            "holds": True,
        }
        for term, share, ratio in (("kubernet", 0.001, 94.0), ("server", 0.02, 22.0))
    ]
    plan = ["Aggregate  (cost=12.02..12.03 rows=1 width=8) (actual time=0.020..0.020 rows=1.00 loops=1)"]
    statement = {
        "sqlite": "SELECT 1 < 2",
        "postgresql": "SELECT 1 <= 2",
        "plan": plan,
        "sqlite_plan": ["SCAN articles"],
    }
    return {
        "rows": 825_000,
        "promises": [
            {
                **{"name": "writes", "title": "Write throughput", "promised": "10 times as many transactions a second"},
                **{"verdict": "partly", "holds": False, "lowest": 0.2, "median": 12.2, "highest": 46.0},
                "reason": "It holds in 4 of 6 cases, for transactions held open of 8 clients or more.",
                "cases": writes,
                "tuned": [
                    {
                        **{"name": writes[0]["name"], "conditions": writes[0]["conditions"]},
                        **{"changes": ["SET synchronous_commit = off"], "plan": [], "ratio": 12.0, "holds": True},
                        **{"before": side(8, 20, 0.01), "after": side(8, 1200, 0.001), "sqlite": side(8, 100, 0.01)},
                    },
                    {
                        **{"name": "tools by host", "conditions": {"clients": 1}, "ratio": 1.5, "holds": False},
                        **{"changes": ["SET jit = off", "CREATE INDEX ON x (y)"], "plan": ["Index Scan < 3"]},
                        **{"before": side(1, 50, 0.02), "after": side(1, 100, 0.01), "sqlite": side(1, 66, 0.015)},
                    },
                ],
                "statements": [{"name": "insert", **statement}],
            },
            {
                **{"name": "search", "title": "Full-text search against LIKE", "promised": "20 times as fast"},
                **{"verdict": "yes", "holds": True, "lowest": 22.0, "median": 58.0, "highest": 94.0},
                "reason": "It holds in all cases.",
                "cases": searches,
                "statements": [],
            },
            {
                **{"name": "vectors", "title": "Vector search against a scan", "promised": "faster"},
                **{"verdict": "unmeasured", "holds": False, "lowest": None, "median": None, "highest": None},
                "reason": "No vector column has an HNSW or IVFFlat index.",
                "cases": [],
                "statements": [],
            },
        ],
        "left_out": [{"promise": "vectors", "reason": "no vector column has an HNSW or IVFFlat index"}],
        "environment": {
            **{"cores": 2, "sync_seconds": 0.000073, "round_trip_seconds": 0.00005, "way": "socket", "pooler": False},
            **{"asyncpg": True, "sqlite_version": "3.40.1", "server_version": "18.1"},
            "server_settings": {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "1GB"},
        },
        "slow_statements": [
            {"statement": "SELECT * FROM server WHERE name ~ $1", "calls": 12, "mean_seconds": 0.41, "plan": plan}
        ],
    }


def documents() -> dict[str, dict[str, Any]]:
    """Name of the stage -> the report at that stage."""
    begun: dict[str, Any] = {
        "format": "mcps.postgres/report/1",
        "migration_id": "20261122T1730-7f3a",
        "application": "MCPS",
        "created": "2026-11-22T17:38:40+00:00",
        "verdict": {"state": "running"},
        "source": {"path": "/srv/mcps/data/mcps.db", "bytes": 431_230_976, "sqlite_version": "3.45.1"},
        "target": {"host": "db1.internal", "port": 5432, "database": "mcps", "server_version": "18.1"},
        "phases": _phases(0),
    }
    audited = {**begun, "phases": _phases(2, "running"), "rehearsal": _rehearsal(), "audit": _audit()}
    loaded = {
        **audited,
        "phases": _phases(5, "running"),
        "snapshot": {
            "path": "/srv/mcps/migration/snapshot.db",
            "manifest": {
                "size": 427_112_448,
                "sha256": "9f2c4b1e" * 8,
                "created": "2026-11-22T17:33:08+00:00",
                "tables": {name: rows for name, (rows, _) in ROWS.items()},
            },
        },
        "load": _load(),
    }
    stopped = {
        **loaded,
        "phases": _phases(4, "failed"),
        "verdict": {
            "state": "stopped",
            "phase": "load",
            "error": "Table tool, key 4711, column risk_level: 'EXTREME' is no label of enum risklevel.",
            "advice": "Add a rule that maps it, or set migration_on_invalid to quarantine.",
        },
    }
    del stopped["load"]
    migrated = {
        **loaded,
        "verdict": {"state": "migrated"},
        "phases": _phases(7),
        "verification": _verification(),
        "fence": {"fenced": True, "tables": list(ROWS), "changed_since_snapshot": []},
        "switch": {
            "environment_file": "/srv/mcps/.env",
            "keys": ["DATABASE_URL", "DB_POOL_SIZE", "USE_SQLITE"],
            "backup": "/srv/mcps/migration/env.before",
            "services": ["mcps-api", "mcps-harvester.timer"],
        },
        "rollback": {"command": COMMAND, "note": "What was written since then goes back to SQLite as well."},
    }
    quarantined = copy.deepcopy(migrated)
    quarantined["load"].update(quarantined=3, quarantine_file="/srv/mcps/migration/quarantine.jsonl")
    quarantined["load"]["tables"][9]["quarantined"] = 3
    quarantined["warnings"] = ["3 rows of tool were set aside."]
    different = copy.deepcopy(migrated)
    del different["switch"]
    different["verdict"] = {"state": "stopped", "phase": "verify", "error": "2 values differ.", "advice": "Load again."}
    different["phases"] = _phases(5, "failed")
    different["verification"].update(
        equal=False,
        differences=[
            {"table": "tool", "key": [7], "column": "score", "source": 0.1, "target": 0.125, "kind": "different"},
            {"table": "tool", "key": [9], "column": None, "source": {"name": "x"}, "target": None, "kind": "missing"},
        ],
    )
    different["verification"]["tables"][9].update(equal=False, missing=1, different=1)
    late = copy.deepcopy(different)
    late["verification"] = _verification()
    late["verdict"] = {"state": "stopped", "phase": "fence", "error": "SQLite changed after the snapshot."}
    late["fence"]["changed_since_snapshot"] = [
        {"table": "server", "rows_missing": 0, "rows_extra": 2, "rows_changed": 1, "first_keys": [[10_001], [10_002]]}
    ]
    undone = {**migrated, "verdict": {"state": "stopped", "phase": "switch", "error": "/health/db: not healthy."}}
    undone["phases"] = _phases(7, "undone")
    rolled_back = {**migrated, "verdict": {"state": "rolled_back"}}
    rolled_back["phases"] = [
        *_phases(7, "undone"),
        {"name": "rolled_back", "number": 8, "seconds": 5.5, "state": "done"},
    ]
    measured = {
        "format": begun["format"],
        "application": "MCPS",
        "created": begun["created"],
        "verdict": {"state": "measured"},
        "source": begun["source"],
        "target": begun["target"],
        "benchmark": _benchmark(),
    }
    return {
        "measured": measured,
        "empty": {},
        "begun": begun,
        "audited": audited,
        "loaded": loaded,
        "stopped": stopped,
        "migrated": migrated,
        "quarantined": quarantined,
        "different": different,
        "late": late,
        "switch undone": undone,
        "rolled back": rolled_back,
        "finalized": {**migrated, "verdict": {"state": "finalized"}},
    }


def hostile() -> dict[str, Any]:
    """A report in which every text is markup, an escape code or a direction mark."""

    def spoil(value: Any) -> Any:
        if isinstance(value, str):
            return value if value in _KEPT or value.startswith("2026-") else f"{value}{MARKUP}\x1b[31m\u202e\ud800"
        if isinstance(value, dict):
            return {key: spoil(item) for key, item in value.items()}
        return [spoil(item) for item in value] if isinstance(value, list) else value

    document = copy.deepcopy(documents()["different"])
    document["warnings"] = ["warning", "'\"><svg onload=alert(1)>", "</style><b>bold</b>", "{{ 7 * 7 }}"]
    document["load"].update(quarantined=1, quarantine_file="/x")
    document["benchmark"] = _benchmark()
    spoiled = spoil(document)
    assert isinstance(spoiled, dict)
    return spoiled


_KEPT = {"stopped", "done", "failed", "pending"}
