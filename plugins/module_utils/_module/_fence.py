# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of sqlite_fence in, the fenced tables and what changed since the snapshot out."""

from __future__ import annotations

from .._argspec import Spec, progress_spec, source_spec
from .._sqlite._fence import set_fence
from ._progress import progress_for
from ._runner import Outcome, Task

MESSAGE = "This database is read-only: its data is being moved to PostgreSQL, or has been moved already."


def argument_spec() -> Spec:
    """What sqlite_fence takes."""
    return {
        **source_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "message": {"type": "str", "default": MESSAGE},
        "compare_with": {"type": "path"},
        "busy_timeout": {"type": "float", "default": 30.0},
        **progress_spec(),
    }


def fence(task: Task) -> Outcome:
    """Put the fence up, or take it down."""
    params = task.params
    report = set_fence(
        params["source"],
        params["state"],
        params["message"],
        dry_run=task.check_mode,
        compare_with=params["compare_with"] or "",
        busy_timeout=params["busy_timeout"],
        progress=progress_for(params, "fence"),
    )
    plan = report.plan
    outcome = Outcome(
        changed=plan.changed,
        result={
            "fenced": plan.state == "present",
            "tables": list(plan.tables),
            "unfenceable": list(plan.unfenceable),
        },
        before={"fenced": list(plan.tables_before)},
        after={"fenced": list(plan.tables)},
        before_header=params["source"],
        after_header=params["source"],
    )
    if report.changes is not None:
        outcome.result["changed_since_snapshot"] = [change.as_dict() for change in report.changes]
    if plan.unfenceable and plan.state == "present":
        outcome.warnings.append(
            f"SQLite has no triggers on virtual tables, so writes straight to these are not refused:"
            f" {', '.join(plan.unfenceable)}."
        )
    return outcome
