# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of schema_enhancements in, what was made or written out."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from typing import Any, List, Mapping, Sequence

from .._argspec import Spec, target_spec
from .._errors import ApplicationError, TargetError
from .._files import read_optional, replace_file
from .._postgres._catalog import index_names, read_tables
from .._postgres._session import Session, connect
from .._transfer._declared import tables_from_model
from .._transfer._enhance import KINDS, METHODS, Plan, State, Step, needed_extensions, plan, revision_text
from ._runner import Outcome, Task

MESSAGE = "What PostgreSQL can do and SQLite cannot"


def argument_spec() -> Spec:
    """What schema_enhancements takes."""
    return {
        **target_spec(),
        "enhancements": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "kind": {"type": "str", "choices": list(KINDS), "required": True},
                "table": {"type": "str"},
                "column": {"type": "str"},
                "columns": {"type": "list", "elements": "str"},
                "sources": {"type": "dict"},
                "configuration": {"type": "str"},
                "dimensions": {"type": "int"},
                "into": {"type": "str"},
                "method": {"type": "str", "choices": list(METHODS)},
            },
        },
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "model": {"type": "dict"},
        "lock_timeout": {"type": "float", "default": 5.0},
        "versions_dir": {"type": "path"},
        "revision": {"type": "str"},
        "down_revision": {"type": "list", "elements": "str", "default": []},
    }


def enhance(task: Task) -> Outcome:
    """Make what is missing (or take it away), or write a revision that does."""
    params = task.params
    present = params["state"] == "present"
    if params["versions_dir"] and not present:
        raise ApplicationError(
            "A revision is taken back by Alembic, not by this module.",
            advice="Run alembic_upgrade with command downgrade, then delete its file.",
        )
    if params["model"] is not None and not task.check_mode:
        raise ApplicationError(
            "Nothing can be added to tables that are not there yet.",
            advice="Leave model out, or run in check mode, which says whether it could be.",
        )
    with connect(params, "enhance") as session:
        if present:
            _require_extensions(session, params["enhancements"])
        state = _state(session, params["target_schema"], params["model"] or {})
        found = plan(params["enhancements"], state, present)
        if params["versions_dir"]:
            return _delivered(task, found)
        statements = [_statement(step, present) for step in found.steps]
        if not task.check_mode:
            _run(session, found.steps, present, params["lock_timeout"])
    result = {
        "statements": statements,
        "made": [step.what for step in found.steps],
        "rewrites": _rewritten(found.steps),
        "file": "",
        "revision": "",
    }
    sql = "".join(f"{statement};\n" for statement in statements)
    return Outcome(changed=bool(statements), result=result, prepared=sql)


def _require_extensions(session: Session, wanted: Sequence[Mapping[str, Any]]) -> None:
    there = {name for (name,) in session.query("SELECT extname::text FROM pg_extension")}
    for extension, where in needed_extensions(wanted).items():
        if extension not in there:
            raise TargetError(
                f"{where}: it needs the extension {extension}, which {session.where} does not have.",
                advice=f"Have a superuser CREATE EXTENSION {extension}, or take it out.",
                details={"extension": extension},
            )


def _state(session: Session, schema: str, model: Mapping[str, Any]) -> State:
    """What is there, and of I(model) what is not there yet."""
    valid, invalid = index_names(session, schema)
    tables = [*tables_from_model(model, schema), *read_tables(session, schema)]
    return State(schema, {table.name: table for table in tables}, valid, invalid)


def _statement(step: Step, present: bool) -> str:
    return step.up if present else step.down


def _rewritten(steps: Sequence[Step]) -> List[str]:
    return sorted({step.rewrites for step in steps if step.rewrites})


def _run(session: Session, steps: Sequence[Step], present: bool, lock_timeout: float) -> None:
    """Each by itself, so that what is done stays done; a lock that others hold is not waited for in front of them."""
    session.execute("SELECT set_config('lock_timeout', %s, false)", (f"{int(lock_timeout * 1000)}ms",))
    # The pinned search_path would hide operator classes of extensions.
    session.execute("SET search_path TO DEFAULT")
    for step in steps:
        session.execute(_statement(step, present))


def _delivered(task: Task, found: Plan) -> Outcome:
    params = task.params
    folder = params["versions_dir"]
    if not os.path.isdir(folder):
        raise ApplicationError(
            f"There is no folder {folder}.", advice="Set versions_dir to the folder of the application's revisions."
        )
    steps = [step for step in found.whole if step.down]
    digest = hashlib.sha256("\n".join(step.up for step in steps).encode()).hexdigest()[:12]
    revision = params["revision"] or digest
    path = os.path.join(folder, f"{revision}_postgresql.py")
    before = (read_optional(path) or b"").decode()
    below = params["down_revision"]
    if revision in below:  # It is the head already: what it follows is in the file.
        below = _followed(before)
    text = revision_text(steps, revision, below, MESSAGE)
    if before not in ("", text):
        raise ApplicationError(
            f"There is a revision {revision} already, in {path}, and it is another one.",
            advice="Give this one another name (revision), or take that one back and delete its file.",
        )
    if before != text and not task.check_mode:
        replace_file(path, text.encode(), mode=0o644)
    return Outcome(
        changed=before != text,
        result={
            "statements": [step.up for step in steps],
            "made": [],
            "rewrites": _rewritten(steps),
            "file": path,
            "revision": revision,
        },
        before=before,
        after=text,
        before_header=path,
        after_header=path,
    )


def _followed(text: str) -> List[str]:
    """What the revision in I(text) follows."""
    found = re.search(r"^down_revision = (.*)$", text, re.M)
    below = ast.literal_eval(found.group(1)) if found else None
    return list(below) if isinstance(below, tuple) else [below] if below else []
