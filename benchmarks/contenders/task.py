# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a contender is told and what it answers; and how one that is a Python script gets to know and says it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


class ContenderError(Exception):
    """It did not come to an end."""


@dataclass(frozen=True)
class Task:
    """I(tables) are to be loaded from I(source) into the database that I(login) (psycopg2's keywords) names.

    I(files) is the folder of what was encoded beforehand in several forms, of which I(form) is to be taken. I(timeout) is in seconds.
    """

    source: str
    login: dict[str, Any]
    tables: list[str]
    workers: int = 1
    files: str = ""
    form: str = "text"
    timeout: float = 3600
    arguments: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """Seconds that count, the client's memory (bytes) and processor seconds, seconds of the work alone where they differ, a remark."""

    seconds: float
    resident: int
    share: int
    processor: float
    inside: float | None = None
    note: str = ""


def script(name: str, task: Task, python: Path | None = None) -> Answer:
    """Run a script of this package; its time begins when its libraries are loaded. Raises ContenderError."""
    from benchmarks.measure import measured

    command = [str(python or sys.executable), "-m", f"benchmarks.contenders.{name}"]
    try:
        done = measured(command, given=json.dumps(asdict(task)), folder=ROOT, timeout=task.timeout)
    except subprocess.TimeoutExpired:
        raise ContenderError(f"not finished after {task.timeout:.0f} s") from None
    if done.status:
        raise ContenderError(last_line(done.stderr) or f"exit status {done.status}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Answer(told["seconds"], done.memory.resident, done.memory.share, done.processor, note=told["note"])


def main(load: Callable[[Task], str | None]) -> None:
    """The script's own side of it."""
    task = Task(**json.load(sys.stdin))
    began = time.perf_counter()
    note = load(task)
    print(json.dumps({"seconds": time.perf_counter() - began, "note": note or ""}))


def last_line(text: str) -> str:
    """Of what a program complained about, cut to what fits a table."""
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""
