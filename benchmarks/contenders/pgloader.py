# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgloader into tables that are there, data only, with its own dropping and making of indexes and keys."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from benchmarks.contenders.task import Answer, ContenderError, Task
from benchmarks.measure import measured

#: At its default sizes of batches its heap is exhausted by rows of this width.
COMMAND = """
LOAD DATABASE FROM sqlite://{source} INTO pgsql://{user}@{host}:{port}/{database}
  WITH data only, drop indexes, reset sequences, workers = {workers}, concurrency = 1,
       batch rows = 5000, batch size = 4MB, prefetch rows = 5000
  SET maintenance_work_mem TO '256MB', synchronous_commit TO 'off'
  INCLUDING ONLY TABLE NAMES LIKE {tables}
  AFTER LOAD DO $$ ANALYZE; $$;
"""
#: What its rules for types leave behind although the target's types are others; nothing is lost by it.
HARMLESS = "WARNING Source column"


def missing() -> str:
    """Why it cannot be run here, empty if it can."""
    return "" if shutil.which("pgloader") else "pgloader is not installed (apt-get install pgloader)"


def load(task: Task) -> Answer:
    """It says 0 whatever happened: what it complained about is in the remark, what is missing shows afterwards."""
    login = task.login
    with tempfile.TemporaryDirectory() as folder:
        command = Path(folder) / "command.load"
        command.write_text(
            COMMAND.format(
                source=task.source,
                user=quote(login["user"], safe=""),
                host=login["host"],
                port=login["port"],
                database=login["dbname"],
                workers=task.workers,
                tables=", ".join(f"'{table}'" for table in task.tables),
            ),
            encoding="utf-8",
        )
        try:
            done = measured(
                ["pgloader", "--root-dir", folder, str(command)],
                environment={**os.environ, "PGPASSWORD": login["password"]},
                timeout=task.timeout,
            )
        except subprocess.TimeoutExpired:
            raise ContenderError(f"not finished after {task.timeout:.0f} s") from None
    said = (done.stdout + done.stderr).splitlines()
    errors = [line for line in said if re.search(r"\b(ERROR|FATAL)\b|Heap exhausted", line) and HARMLESS not in line]
    if done.status:
        raise ContenderError(f"exit status {done.status}: {(errors or said or [''])[0][:200]}")
    note = f"exit status 0 with {len(errors)} errors, the first: {errors[0][:200]}" if errors else ""
    return Answer(done.seconds, done.memory.resident, done.memory.share, done.processor, note=note)
