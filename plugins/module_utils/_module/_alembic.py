# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's schema revisions: shown, and moved to where they are wanted."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence

from .. import _argspec
from .._alembic._client import Alembic, Plan, project_from_params
from .._alembic._mends import Refused, explain
from .._alembic._patches import Rendered, executable, patched, patches_from_params
from .._application import plain_values
from .._argspec import Spec
from .._errors import ApplicationError, MigrationError, TargetError
from .._postgres._script import run_script
from .._postgres._session import connect
from ._runner import Outcome, Task

__all__ = ["info_spec", "move", "patches_spec", "plain_values", "script_failure", "show", "upgrade_spec"]


def info_spec() -> Spec:
    return {**_argspec.alembic_spec(), **_argspec.target_spec()}


def upgrade_spec() -> Spec:
    return {
        **info_spec(),
        "command": {"type": "str", "choices": ["upgrade", "downgrade", "stamp", "create"], "default": "upgrade"},
        "revision": {"type": "str", "default": "head"},
        "offline": {"type": "bool", "default": False},
        "patches": patches_spec(),
    }


def patches_spec() -> Spec:
    """Declared replacements in what Alembic's offline mode writes."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "revision": {"type": "str", "required": True},
            "find": {"type": "str", "required": True},
            "replace": {"type": "str", "default": ""},
        },
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
    if task.params["patches"] and not task.params["offline"]:
        raise ApplicationError("Patches need a script to be applied to.", advice="Set offline as well.")
    if task.params["offline"] and command in ("stamp", "create"):
        raise ApplicationError(f"Command {command} runs no revisions.", advice="Leave offline out.")
    alembic = _alembic(task)
    plan = alembic.plan("stamp" if command == "create" else command, revision)
    warnings: List[str] = []
    statements = _statements(task, alembic, plan) if task.params["offline"] and plan.changes else []
    sql = ""
    if task.want_diff and plan.changes:
        sql = alembic.mask(_joined(statements)) if statements else _sql(alembic, command, revision, plan, warnings)
    if plan.existing_tables and command == "upgrade":
        warnings.append(_unversioned(plan))
    changes = _creates(plan) if command == "create" else plan.changes
    if changes and not task.check_mode:
        if statements:
            _run(task, statements)
            plan = Plan(plan.before, alembic.arrived(plan), plan.revisions)
        else:
            plan = alembic.create(revision) if command == "create" else alembic.execute(command, revision)
    return Outcome(changed=changes, result=_result(task, plan), prepared=sql, warnings=warnings)


def _creates(plan: Plan) -> bool:
    """Whether there is something to create. ApplicationError where it could not be: check mode has to say so too."""
    if plan.before:
        if plan.changes:
            raise ApplicationError(
                f"The database is at revision {', '.join(plan.before)} already, and not at {', '.join(plan.after)}.",
                advice="Bring it up with the application's revisions (command upgrade), or name an empty one.",
            )
        return False
    if plan.existing_tables and plan.changes:
        raise ApplicationError(
            f"The database has tables of the application already: {_some(plan.existing_tables)}.",
            advice="Where they are what the application expects, write the revision down (command stamp); else empty the "
            "database, or name another one.",
        )
    return not plan.existing_tables


def _statements(task: Task, alembic: Alembic, plan: Plan) -> List[Rendered]:
    script = alembic.script(task.params["command"], task.params["revision"], plan.before)
    return patched(script, patches_from_params(task.params["patches"]))


def _joined(statements: Sequence[Rendered]) -> str:
    return "\n\n".join([*(statement.text for statement in statements), ""])


def _run(task: Task, script: Sequence[Rendered]) -> None:
    statements = executable(script)
    with connect(task.params, "schema") as session:
        try:
            run_script(session, task.params["target_schema"], [statement.text for statement in statements])
        except TargetError as error:
            raise script_failure(error, statements) from error


def script_failure(error: TargetError, statements: Sequence[Rendered]) -> MigrationError:
    """What PostgreSQL refused of a script, in the words in which a failing revision is told."""
    number = error.details.get("number")
    if number is None:  # It was not even begun.
        return error
    statement = statements[number]
    sqlstate, reason = error.details.get("sqlstate", ""), error.details.get("reason", "")
    mend = explain(Refused(statement.text, sqlstate, reason))
    where = f" in {statement.file}, line {statement.line}" if statement.line else ""
    shown = " ".join(statement.text.split())[:400]
    return ApplicationError(
        f"Revision {statement.revision} failed{where}: {reason} Statement: {shown} The transaction was rolled back.",
        advice=f"{mend.advice} A patch can put another statement in its place.",
        details={
            "kind": "revision",
            "revision": {"revision": statement.revision},
            "file": statement.file,
            "line": statement.line,
            "statement": statement.text,
            "sqlstate": sqlstate,
            "reason": reason,
        },
    )


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
