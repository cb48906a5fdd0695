# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of sqlite_import in, what was loaded out."""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence
from typing import Mapping as MappingType

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._errors import MigrationError
from .._files import read_optional, replace_file
from .._postgres._session import Session, connect
from .._postgres._target import PostgresTarget
from .._sqlite._source import SourceMoment, SqliteSource
from .._transfer._load import LoadReport, run_load
from .._transfer._load_plan import LoadPlan, LoadSettings, plan_load
from .._transfer._load_tables import Member
from .._transfer._load_target import SequenceReport, TableResult
from .._transfer._mapping import options_from_params, plan_mapping, require_sound
from .._transfer._model import Mapping, Skipped
from ._memory import stay_small
from ._progress import progress_for
from ._runner import Outcome, Task

#: More gain little, and the server has other things to do.
MAX_WORKERS = 4


def argument_spec() -> Spec:
    """What sqlite_import takes."""
    return {
        **source_spec(),
        **target_spec(),
        **mapping_spec(),
        "on_invalid": {"type": "str", "choices": ["fail", "quarantine"], "default": "fail"},
        "quarantine_file": {"type": "path"},
        "quarantine_budget": {"type": "int", "default": 0},
        "replace": {"type": "bool", "default": False},
        "journal_schema": {"type": "str", "default": "mcps_migration"},
        "maintenance_work_mem": {"type": "str", "default": "256MB"},
        "analyze": {"type": "bool", "default": True},
        "workers": {"type": "int"},
        "max_rate": {"type": "bytes"},
        **progress_spec(),
    }


def module_options() -> Dict[str, Any]:
    """AnsibleModule's own conditions between the arguments."""
    return {"required_if": [("on_invalid", "quarantine", ["quarantine_file"])]}


def import_sqlite(task: Task) -> Outcome:
    """Plan, and unless in check mode load. Raises MigrationError."""
    stay_small()
    params = task.params
    settings = LoadSettings(
        source=params["source"],
        budget=params["quarantine_budget"] if params["on_invalid"] == "quarantine" else None,
        replace=params["replace"],
        analyze=params["analyze"],
        workers=params["workers"] or default_workers(),
        max_rate=params["max_rate"],
    )
    _require_writable(params["quarantine_file"])
    helpers = Helpers(params)
    with SqliteSource.open(params["source"]) as source, connect(params, "import") as session, helpers:
        target = target_for(session, params)
        # Taken in check mode too: a load that would be refused must not be promised.
        target.lock()
        mapping = plan_mapping(source.tables(), target.tables(), options_from_params(params))
        mapping = require_sound(_explain(mapping, target.other_relations()))
        target.require_loadable([table.target.name for table in mapping.tables])
        plan = plan_load(source, target, mapping, settings)
        if task.check_mode:
            return _foreseen(plan)
        totals = {table.map.source.name: table.rows for table in plan.tables}
        report = run_load(plan, source, target, settings, progress_for(params, "load", totals), helpers.recruit)
        written = False
        if settings.budget is not None:
            written = _write_quarantine(params["quarantine_file"], list(target.quarantined(report.run)))
    outcome = _outcome(plan, report, params["quarantine_file"] if settings.budget is not None else None, written)
    hindrances = [reason for one in (source, *helpers.sources) for reason in one.hindrances]
    outcome.warnings += [*helpers.warnings, *dict.fromkeys(hindrances)]
    return outcome


def cores() -> int:
    """Those of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """One for each core, but no more than four."""
    return min(cores(), MAX_WORKERS)


class Helpers:
    """Further connections to both sides, opened when they are wanted. To be made before the source is opened first."""

    def __init__(self, params: MappingType[str, Any]) -> None:
        self.warnings: List[str] = []
        self.sources: List[SqliteSource] = []
        self._params = params
        self._source = SourceMoment(params["source"])
        self._stack = ExitStack()

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def recruit(self, wanted: int) -> List[Member]:
        """As C(_load.Recruit) says. Finding fewer is no error: it takes longer, and a warning says why."""
        members: List[Member] = []
        try:
            for _ in range(wanted):
                source = self._stack.enter_context(self._source.open())
                self.sources.append(source)
                session = self._stack.enter_context(connect(self._params, "import"))
                members.append(Member(source, target_for(session, self._params)))
        except MigrationError as error:
            self.warnings.append(f"The load had {len(members) + 1} of {wanted + 1} workers: {error}")
        return members


def target_for(session: Session, params: MappingType[str, Any]) -> PostgresTarget:
    """The target that a task's arguments name."""
    target = PostgresTarget(session, params["target_schema"], params["journal_schema"], params["maintenance_work_mem"])
    if (params["workers"] or default_workers()) >= cores():
        target.keep_to_sessions()
    return target


def _explain(mapping: Mapping, others: MappingType[str, str]) -> Mapping:
    """Say what stands where a table is missing, e.g. a view."""
    problems = []
    for problem in mapping.problems:
        name = problem.reason.rpartition("the target has no table ")[2]
        if name in others and not problem.column:
            problem = replace(
                problem,
                reason=f"{name} is {others[name]} in the target, and rows are loaded into tables only",
                advice="Exclude the table, or map it onto the table behind with rename_tables.",
            )
        problems.append(problem)
    return replace(mapping, problems=tuple(problems))


def _require_writable(path: Any) -> None:
    """Find out before the load, not after it, that the quarantine file has no place."""
    if path and not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK):
        raise MigrationError(
            f"The quarantine file {path} cannot be written.",
            advice="Give quarantine_file a path in an existing folder that the module's user may write.",
        )


def _write_quarantine(path: str, entries: Sequence[MappingType[str, Any]]) -> bool:
    """Whether the file had to be written: it holds exactly I(entries) afterwards, for its owner only."""
    content = "".join(json.dumps(entry) + "\n" for entry in entries).encode("ascii")
    if read_optional(path) == content:
        return False
    replace_file(path, content, 0o600)
    return True


def _foreseen(plan: LoadPlan) -> Outcome:
    """What check mode says: the same fields, with the rows that there are to load."""
    existing = plan.state == "existing"
    done = plan.run.done if plan.run is not None else {}
    tables = [
        done[table.map.source.name]
        if existing
        else TableResult(table.map.source.name, table.map.target.name, table.rows, 0, 0.0)
        for table in plan.tables
    ]
    result = _result(plan, tables, [], resumed=plan.state == "resume")
    return _with_difference(Outcome(changed=not existing, result=result), plan, tables)


def _outcome(plan: LoadPlan, report: LoadReport, quarantine_file: Any, written: bool) -> Outcome:
    result = _result(plan, report.tables, report.sequences, report.resumed, report.seconds)
    result["catalog_unchanged"] = True
    result["workers"] = report.workers
    result["quarantine_file"] = quarantine_file
    result["memory_peak_bytes"] = _memory_peak()
    changed = plan.state != "existing" or written
    return _with_difference(Outcome(changed=changed, result=result), plan, report.tables)


def _with_difference(outcome: Outcome, plan: LoadPlan, tables: Sequence[TableResult]) -> Outcome:
    outcome.before = {table.map.target.name: {"rows": table.before} for table in plan.tables}
    outcome.after = {table.target: {"rows": table.rows} for table in tables}
    if plan.undo is not None:
        outcome.warnings.append(
            f"The unfinished import of {plan.undo.source} from {plan.undo.started} does not go on with this source and"
            " these options: what it had loaded is removed first."
        )
    return outcome


def _result(
    plan: LoadPlan,
    tables: Sequence[TableResult],
    sequences: Sequence[SequenceReport],
    resumed: bool,
    seconds: Optional[float] = None,
) -> Dict[str, Any]:
    """I(seconds) is the time of the whole load; by default that of its tables one after the other."""
    seconds = sum(table.seconds for table in tables) if seconds is None else seconds
    rows = sum(table.rows for table in tables)
    return {
        "state": "existing" if plan.state == "existing" else "loaded",
        "tables": [
            {
                "table": table.table,
                "target": table.target,
                "rows": table.rows,
                "bytes": table.bytes,
                "seconds": table.seconds,
                "quarantined": table.quarantined,
            }
            for table in tables
        ],
        "rows": rows,
        "bytes": sum(table.bytes for table in tables),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 1) if seconds else None,
        "quarantined": sum(table.quarantined for table in tables),
        "rules": [
            {"table": table.table, "column": column, "rule": rule, "values": count}
            for table in tables
            for column, rule, count in table.rules
        ],
        "sequences": [vars(sequence) for sequence in sequences],
        # Not "skipped": Ansible takes a result with that for a task that did not run.
        "left_out": _left_out(plan.skipped),
        "resumed": resumed,
    }


def _left_out(skipped: Sequence[Skipped]) -> List[Dict[str, str]]:
    return [{"table": entry.table, "column": entry.column, "reason": entry.reason} for entry in skipped]


def _memory_peak() -> int:
    """This process's largest resident size in bytes.

    Linux's getrusage() begins with the size of the process that this one was forked from: /proc has its own.
    """
    with (
        suppress(OSError, ValueError, IndexError, StopIteration),
        open("/proc/self/status", encoding="ascii", errors="replace") as lines,
    ):
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    # Counts KiB, on macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
