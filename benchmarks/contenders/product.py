# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of this collection as Ansible runs them on a target: a process each, arguments on its input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.contenders.task import ROOT, Answer, ContenderError, Task
from benchmarks.measure import Finished, measured

MODULES = "ansible_collections.mcps.postgres.plugins.modules"


def load(task: Task) -> Answer:
    """The time is that of the whole process."""
    done, result = _module("sqlite_import", task)
    return _answer(done, inside=float(result["seconds"]))


def start(task: Task) -> Answer:
    """What the process of a module takes to find out that its arguments are missing: that is its start alone."""
    done = _run("sqlite_import", {}, task.timeout)
    return _answer(done)


def verify(task: Task) -> Answer:
    """Raises ContenderError where anything differs."""
    done, result = _module("migration_verify_info", task)
    if not result["equal"]:
        raise ContenderError(f"{result['differing']:,} differences")
    return _answer(done, note=f"{result['values']:,} values compared")


def differing(task: Task) -> int:
    """How many values and rows of the target are not as in the source. Raises ContenderError."""
    _done, result = _module("migration_verify_info", task)
    return int(result["differing"])


def _module(name: str, task: Task) -> tuple[Finished, dict[str, Any]]:
    login = task.login
    done = _run(
        name,
        {
            "source": task.source,
            "login_host": login["host"],
            "login_port": login["port"],
            "login_user": login["user"],
            "login_password": login["password"],
            "login_db": login["dbname"],
            "include": task.tables,
            "workers": task.workers,
        },
        task.timeout,
    )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ContenderError(done.stderr[-2000:] or f"exit status {done.status}") from None
    if done.status or result.get("failed"):
        raise ContenderError(str(result.get("msg")))
    return done, result


def _run(name: str, arguments: dict[str, Any], timeout: float) -> Finished:
    try:
        return measured(
            [sys.executable, str(ROOT / "tests" / "support" / "module_runner.py"), f"{MODULES}.{name}"],
            given=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            environment={**os.environ, "PYTHONPATH": str(ROOT / ".cache" / "collections")},
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise ContenderError(f"not finished after {timeout:.0f} s") from None


def _answer(done: Finished, inside: float | None = None, note: str = "") -> Answer:
    return Answer(done.seconds, done.memory.resident, done.memory.share, done.processor, inside, note)
