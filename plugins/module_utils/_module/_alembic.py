# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's schema revisions: shown, and moved to where they are wanted."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence

from .. import _argspec
from .._alembic._client import Alembic, Plan, plain_values, project_from_params
from .._argspec import Spec
from .._errors import ApplicationError
from ._runner import Outcome, Task

__all__ = ["info_spec", "move", "plain_values", "show", "upgrade_spec"]


def info_spec() -> Spec:
    return {**_argspec.alembic_spec(), **_argspec.target_spec()}


def upgrade_spec() -> Spec:
    return {
        **info_spec(),
        "command": {"type": "str", "choices": ["upgrade", "downgrade", "stamp"], "default": "upgrade"},
        "revision": {"type": "str", "default": "head"},
    }


def show(task: Task) -> Outcome:
    """Where database and application stand. Changes nothing."""
    return Outcome(result=_alembic(task).inspect())


def move(task: Task) -> Outcome:
    """Bring the database to the wanted revision, or in check mode only say what that takes."""
    command, revision = task.params["command"], task.params["revision"]
    if command == "downgrade" and revision in ("head", "heads"):
        raise ApplicationError(
            "A downgrade needs to be told where to.",
            advice="Set revision to the one to go back to, to 'base' for an empty schema, or to '-1' for one step.",
        )
    alembic = _alembic(task)
    plan = alembic.plan(command, revision)
    warnings: List[str] = []
    sql = _sql(alembic, command, revision, plan, warnings) if task.want_diff and plan.changes else ""
    if plan.existing_tables and command == "upgrade":
        warnings.append(_unversioned(plan))
    if plan.changes and not task.check_mode:
        plan = alembic.execute(command, revision)
    return Outcome(changed=plan.changes, result=_result(task, plan), prepared=sql, warnings=warnings)


def _alembic(task: Task) -> Alembic:
    return Alembic(project_from_params(task.params, os.environ))


def _result(task: Task, plan: Plan) -> Dict[str, Any]:
    return {
        "command": task.params["command"],
        "before": list(plan.before),
        "after": list(plan.after),
        "revisions": list(plan.revisions),
    }


def _sql(alembic: Alembic, command: str, revision: str, plan: Plan, warnings: List[str]) -> str:
    """The SQL for the diff; where the application cannot render it, the revisions, and a warning that says why."""
    try:
        return alembic.render(command, revision, plan.before)
    except ApplicationError as error:
        warnings.append(f"The SQL of the revisions cannot be shown, since they do not run offline: {error.message}")
    lines = (f"-- {item['revision']} {item['message']}".rstrip() for item in plan.revisions)
    return "\n".join((f"-- {command} to {revision}: SQL not available", *lines, ""))


def _unversioned(plan: Plan) -> str:
    return (
        f"The database has no revision, but tables of the application are there: {_some(plan.existing_tables)}. If the "
        "first revisions create them, the upgrade fails. Then either stamp the database with the revision that its tables "
        "are at (command: stamp), or empty it."
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
