# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that keeps two runs of a migration apart."""

from __future__ import annotations

import time
import uuid
from typing import Any, Dict, List, Optional

from .. import _lock
from .._argspec import Spec, target_spec
from .._errors import LockedError
from .._postgres._ledger import Ledger
from .._postgres._session import connect
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "lease": {"type": "int", "default": 3600},
        "break_lock": {"type": "bool", "default": False},
        "patience": {"type": "int", "default": 30},
        "journal_schema": {"type": "str", "default": "mcps_migration"},
        "run": {
            "type": "dict",
            "required": True,
            "options": {name: {"type": "str", "default": ""} for name in _lock.FACTS},
        },
        "dead": {"type": "str", "default": ""},
        **target_spec(),
    }


def manage(task: Task) -> Outcome:
    """Take the lock or give it back; in check mode only tell whether it is to be had."""
    params = task.params
    with connect(params, "lock") as session:
        ledger = Ledger(session, params["journal_schema"], params["target_schema"])
        if not task.check_mode and params["state"] == "present":
            ledger.create()
        with session.transaction():
            ledger.guard()
            holder = ledger.holder()
            if params["state"] == "absent":
                return _give_back(task, ledger, holder)
            verdict = _lock.decide(
                holder,
                params["run"],
                seconds_left=holder["seconds_left"] if holder else 0.0,
                dead=params["dead"],
                break_lock=params["break_lock"],
                where=session.where,
            )
            if verdict.action == "take_over":
                _wait_for_remains(task, ledger)
            lock_id = holder["token"] if holder and verdict.action == "keep" else str(uuid.uuid4())
            if verdict.action != "keep" and not task.check_mode:
                ledger.take(_lock.row_of(params["run"], lock_id), params["lease"])
    return Outcome(
        changed=verdict.action != "keep",
        result={
            "lock_id": lock_id,
            "taken_over": verdict.action == "take_over",
            "reason": verdict.reason,
            "former_holder": holder if verdict.action == "take_over" else None,
        },
        before="" if holder is None else _lock.described(holder) + "\n",
        after=_lock.described({**params["run"], "since": (holder or {}).get("since", "now")}) + "\n",
        warnings=[f"Took over the lock: {verdict.reason}."] if verdict.action == "take_over" else [],
    )


def _give_back(task: Task, ledger: Ledger, holder: Optional[Dict[str, Any]]) -> Outcome:
    ours = holder is not None and _lock.same_run(holder, task.params["run"])
    if holder is not None and ours and not task.check_mode:
        ledger.release(holder["token"])
    return Outcome(
        changed=ours,
        result={"lock_id": "", "taken_over": False, "reason": "", "former_holder": None},
        before=_lock.described(holder) + "\n" if holder else "",
        after="" if ours or not holder else _lock.described(holder) + "\n",
    )


def _wait_for_remains(task: Task, ledger: Ledger) -> None:
    """A run that died may have left a module at work: it must be gone before anybody else goes on."""
    deadline = time.monotonic() + (0 if task.check_mode else task.params["patience"])
    while True:
        remains: List[Dict[str, Any]] = ledger.still_working()
        if not remains:
            return
        if time.monotonic() >= deadline:
            first = remains[0]
            raise LockedError(
                f"The run that held the lock is gone, but a module of it is still at work: {first['application']}, "
                f"server process {first['pid']}, since {first['since']}.",
                advice="It ends by itself within some minutes; run the same command again then.",
                details={"remains": remains},
            )
        time.sleep(0.5)
