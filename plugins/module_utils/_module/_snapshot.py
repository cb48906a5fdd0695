# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of sqlite_snapshot in, the snapshot and its manifest out."""

from __future__ import annotations

from typing import Any, Dict

from .._argspec import Spec, progress_spec, source_spec
from .._sqlite._snapshot import SnapshotPlan, plan_snapshot, take_snapshot
from ._progress import progress_for
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    """What sqlite_snapshot takes."""
    return {
        **source_spec(),
        "dest": {"type": "path", "required": True},
        "manifest": {"type": "path"},
        "verify": {"type": "bool", "default": False},
        "replace": {"type": "bool", "default": False},
        **progress_spec(),
    }


def snapshot(task: Task) -> Outcome:
    """Take the snapshot unless it is there already."""
    params = task.params
    plan = plan_snapshot(
        params["source"],
        params["dest"],
        params["manifest"] or "",
        replace=params["replace"],
        verify=params["verify"],
    )
    changed = plan.state != "existing"
    manifest = plan.manifest
    if changed and not task.check_mode:
        manifest = take_snapshot(plan, progress_for(params, "snapshot", unit="pages"))
    return Outcome(
        changed=changed,
        result={
            "path": plan.path,
            "manifest_path": plan.manifest_path,
            # Not "state": AnsibleModule sets that beside "path", to what kind of file there is.
            "outcome": plan.state,
            "source_changed": plan.source_changed,
            "manifest": manifest,
        },
        before=_picture(plan, there=plan.state != "created"),
        after=_picture(plan, there=True),
        before_header=plan.path,
        after_header=plan.path,
    )


def _picture(plan: SnapshotPlan, there: bool) -> Dict[str, Any]:
    return {"snapshot": plan.path, "manifest": plan.manifest_path} if there else {}
