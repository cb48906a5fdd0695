# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of sqlite_audit_info in, everything that stands against a migration out."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._postgres._catalog import read_tables
from .._postgres._probe import index_probe
from .._postgres._session import connect
from .._sqlite._checks import foreign_key_violations, integrity, library_version, sizes, wal_facts
from .._sqlite._source import SqliteSource
from .._sqlite._spool import DiskSpool
from .._transfer._audit import Findings
from .._transfer._declared import tables_from_model
from .._transfer._enhance import enhanced
from .._transfer._mapping import options_from_params, plan_mapping
from .._transfer._model import Mapping, SourceTable, TargetTable
from .._transfer._scan import IndexProbe, Scan
from ._memory import stay_small
from ._progress import progress_for
from ._runner import Outcome, Task

#: Disk that PostgreSQL needs per byte of SQLite's tables and indexes, while it builds indexes and writes its WAL.
DISK_FACTOR = 2.2


def argument_spec() -> Spec:
    """What sqlite_audit_info takes."""
    return {
        **source_spec(),
        **target_spec(required=False),
        **mapping_spec(),
        "model": {"type": "dict"},
        "enhancements": {"type": "list", "elements": "dict", "default": []},
        "samples": {"type": "int", "default": 5},
        **progress_spec(),
    }


def audit(task: Task) -> Outcome:
    """Look at everything and change nothing."""
    stay_small()
    params = task.params
    with ExitStack() as stack:
        source = stack.enter_context(SqliteSource.open(params["source"]))
        against, target, probe = _target(params, stack)
        result = _facts(source)
        result["compared_with"] = against
        mapping = _mapping(source, target, params)
        tables = [table for table in source.tables() if table.kind == "table"]
        findings = Findings(params["samples"])
        result.update(findings=[], errors=0, rules=[], followers_complete=True)
        result["scanned"] = not result["integrity"]["check"]
        if result["scanned"]:
            result["integrity"]["foreign_keys"] = foreign_key_violations(source, tables)
            if mapping is not None:
                _scan(source, mapping, findings, probe, params, result)
        result.update(_estimates(source, tables, mapping, result["scanned"]))
        result["left_out"] = [vars(skipped) for skipped in mapping.skipped] if mapping else []
        result["problems"] = [problem.as_dict() for problem in mapping.problems] if mapping else []
        result["sound"] = result["scanned"] and not result["errors"] and not result["problems"]
    outcome = Outcome(result=result)
    if against == "nothing":
        outcome.warnings.append(
            "Without login_db and without model, values were not held against the types of the target."
        )
    return outcome


def _target(
    params: Dict[str, Any], stack: ExitStack
) -> Tuple[str, Optional[Sequence[TargetTable]], Optional[IndexProbe]]:
    """What the source is compared with, its tables, and a probe for indexes where it is a live target."""
    schema = params["target_schema"]
    if params["login_db"]:
        session = stack.enter_context(connect(params, "audit"))
        tables = enhanced(read_tables(session, schema), params["enhancements"])
        return "target", tables, stack.enter_context(index_probe(session))
    if params["model"] is not None:
        return "model", enhanced(tables_from_model(params["model"], schema), params["enhancements"]), None
    return "nothing", None, None


def _facts(source: SqliteSource) -> Dict[str, Any]:
    return {
        "integrity": {"check": integrity(source), "foreign_keys": []},
        "journal_mode": source.pragma("journal_mode"),
        "wal": wal_facts(source),
        "page_size": source.pragma("page_size"),
        "encoding": source.encoding,
        "sqlite_version": library_version(),
        "fingerprint": source.fingerprint(),
    }


def _mapping(
    source: SqliteSource, target: Optional[Sequence[TargetTable]], params: Dict[str, Any]
) -> Optional[Mapping]:
    return None if target is None else plan_mapping(source.tables(), target, options_from_params(params))


def _scan(
    source: SqliteSource,
    mapping: Mapping,
    findings: Findings,
    probe: Optional[IndexProbe],
    params: Dict[str, Any],
    result: Dict[str, Any],
) -> None:
    totals = {table.source.name: source.count(table.source) for table in mapping.tables}
    scan = Scan(source, mapping, findings, DiskSpool, progress_for(params, "audit", totals), probe)
    scan.run()
    result["findings"] = findings.as_list()
    result["errors"] = findings.errors
    result["rules"] = scan.rules
    result["followers_complete"] = scan.complete


def _estimates(
    source: SqliteSource, tables: List[SourceTable], mapping: Optional[Mapping], readable: bool
) -> Dict[str, Any]:
    """Rows and bytes of what would move (without a target: of everything), and the disk that it needs there."""
    if not readable:
        return {"tables": [], "rows": 0, "bytes": 0, "disk_need_bytes": 0}
    moved = tables if mapping is None else [table.source for table in mapping.tables]
    own, indexes = sizes(source, tables)
    listed: List[Dict[str, Any]] = []
    for table in moved:
        target = mapping.by_source(table.name) if mapping is not None else None
        listed.append(
            {
                "table": table.name,
                "target": target.target.name if target is not None else None,
                "rows": source.count(table),
                "bytes": own[table.name],
                "index_bytes": indexes[table.name],
            }
        )
    size = sum(entry["bytes"] for entry in listed)
    with_indexes = size + sum(entry["index_bytes"] for entry in listed)
    return {
        "tables": listed,
        "rows": sum(entry["rows"] for entry in listed),
        "bytes": size,
        "disk_need_bytes": math.ceil(DISK_FACTOR * with_indexes),
    }
