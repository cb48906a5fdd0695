# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's two copies: a file in the state directory and a row in the target."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Optional

from .. import _journal
from .._argspec import Spec, target_spec
from .._errors import JournalError, SourceError
from .._files import read_optional, replace_file
from .._postgres._ledger import Ledger
from .._postgres._session import connect
from ._runner import Outcome, Task

FILE_NAME = "journal.json"
STEPS = _journal.STATES
CLOSINGS = (_journal.FINISHED, _journal.ROLLED_BACK)


def _place_spec() -> Spec:
    return {
        "state_dir": {"type": "path", "required": True},
        "journal_schema": {"type": "str", "default": "mcps_migration"},
        "mirror": {"type": "bool", "default": True},
        **target_spec(required=False),
    }


def argument_spec() -> Spec:
    return {
        **_place_spec(),
        "state": {"type": "str", "choices": ["begun", *STEPS, *CLOSINGS], "required": True},
        "phase": {"type": "str", "choices": [*_journal.PHASES, _journal.ROLLBACK]},
        "facts": {"type": "dict", "default": {}},
        "source": {"type": "path"},
        "adopt": {"type": "bool", "default": False},
        "lock_id": {"type": "str"},
    }


def module_options() -> Dict[str, Any]:
    return {"required_if": [("state", "begun", ["source"]), *[("state", step, ["phase"]) for step in STEPS]]}


def info_argument_spec() -> Spec:
    return _place_spec()


def manage(task: Task) -> Outcome:
    """Take the journal one step further, in both places; in check mode only tell what it would then say."""
    params = task.params
    with _opened(task, "journal") as ledger:
        agreement, mirror = _read(task, ledger)
        if params["adopt"] and agreement.verdict == "state_lost":
            before: Optional[_journal.Document] = mirror
        else:
            before = agreement.required()
        after = _next(task, before, ledger)
        repaired = agreement.verdict in ("behind", "state_lost") and ledger is not None
        changed = after != before or repaired
        if changed and not task.check_mode:
            _write(params["state_dir"], after)
            if ledger is not None:
                ledger.create()
                ledger.write(after)
        if ledger is not None and params["lock_id"] and not task.check_mode:
            ledger.renew(params["lock_id"], params["phase"] or "")
    return Outcome(
        changed=changed,
        result=_facts(after),
        before=_lines(before),
        after=_lines(after),
        before_header=os.path.join(params["state_dir"], FILE_NAME),
        after_header=os.path.join(params["state_dir"], FILE_NAME),
    )


def inform(task: Task) -> Outcome:
    """Both copies as they stand, whether they agree, and how much room the state directory has."""
    with _opened(task, "journal") as ledger:
        agreement, _mirror = _read(task, ledger)
        target = None if ledger is None else {**ledger.target(), **ledger.fitness()}
    return Outcome(
        result={
            **_facts(agreement.document),
            "verdict": agreement.verdict,
            "problem": agreement.problem,
            "advice": agreement.advice,
            "target": target,
            "free_bytes": _free_bytes(task.params["state_dir"]),
        }
    )


@contextmanager
def _opened(task: Task, purpose: str) -> Iterator[Optional[Ledger]]:
    """The target's tables, None where the task names no database or wants no mirror."""
    params = task.params
    if not params["login_db"] or not params["mirror"]:
        yield None
        return
    with connect(params, purpose) as session:
        yield Ledger(session, params["journal_schema"], params["target_schema"])


def _read(task: Task, ledger: Optional[Ledger]) -> tuple[_journal.Agreement, Optional[_journal.Document]]:
    path = os.path.join(task.params["state_dir"], FILE_NAME)
    content = _readable(path)
    local = None if content is None else _journal.decoded(content.decode("utf-8", "replace"), path)
    mirror = None if ledger is None else ledger.document()
    where = f"database '{task.params['login_db']}' on {task.params['login_host'] or 'the local socket'}"
    agreement = _journal.agreed(
        local, mirror, mirrored=ledger is not None, state_dir=task.params["state_dir"], where=where
    )
    return agreement, mirror


def _readable(path: str) -> Optional[bytes]:
    try:
        return read_optional(path)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be read: {error.strerror}.", advice="Run as the user who began the migration."
        ) from error


def _next(task: Task, before: Optional[_journal.Document], ledger: Optional[Ledger]) -> _journal.Document:
    params, state, now = task.params, task.params["state"], _now()
    if state == "begun":
        target: Dict[str, Any] = {"system": None, "database_oid": None, "database": params["login_db"]}
        target.update({} if ledger is None else ledger.target())
        return _journal.begun(
            before,
            identifier=str(uuid.uuid4()),
            now=now,
            source=_source(params["source"]),
            target={**target, "host": params["login_host"], "port": params["login_port"]},
        )
    if task.check_mode and _would_have_begun(before, state, params["phase"]):
        before = _journal.begun(before, identifier="", now=now, source={"path": params["source"]}, target={})
    if state in CLOSINGS:
        return _journal.closed(before, state, now=now, state_dir=params["state_dir"], ordered=not task.check_mode)
    return _journal.stepped(
        before,
        params["phase"],
        state,
        now=now,
        facts=params["facts"],
        state_dir=params["state_dir"],
        ordered=not task.check_mode,
    )


def _would_have_begun(before: Optional[_journal.Document], state: str, phase: Optional[str]) -> bool:
    """Whether a run that is no check would have begun a migration before it came to this step."""
    if before is None:
        return True
    return before["outcome"] == _journal.ROLLED_BACK and (state == _journal.FINISHED or phase in _journal.PHASES)


def _source(path: str) -> Dict[str, Any]:
    real = os.path.realpath(path)
    try:
        return {"path": real, "inode": os.stat(real).st_ino}
    except OSError as error:
        raise SourceError(
            f"The SQLite database {path} cannot be read: {error.strerror}.", advice="Correct the path of the source."
        ) from error


def _write(state_dir: str, document: _journal.Document) -> None:
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        replace_file(os.path.join(state_dir, FILE_NAME), _journal.encoded(document).encode("utf-8"), mode=0o600)
    except OSError as error:
        raise JournalError(
            f"The journal in {state_dir} cannot be written: {error.strerror}.",
            advice="The user that runs the migration must own this folder, and the disk must have room.",
        ) from error


def _facts(document: Optional[_journal.Document]) -> Dict[str, Any]:
    return {
        "journal": document,
        "id": document["id"] if document else "",
        "outcome": document["outcome"] if document else "",
        "phases": {name: _journal.phase_state(document, name) for name in [*_journal.PHASES, _journal.ROLLBACK]},
        "loaded_before": _journal.loaded_before(document),
    }


def _lines(document: Optional[_journal.Document]) -> str:
    if document is None:
        return ""
    lines: List[str] = [f"migration {document['id']}: {document['outcome']}"]
    lines += [f"{name}: {entry['state']}" for name, entry in document["phases"].items()]
    return "\n".join(lines) + "\n"


def _free_bytes(path: str) -> int:
    """Room for an ordinary user where I(path) is or will be."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
