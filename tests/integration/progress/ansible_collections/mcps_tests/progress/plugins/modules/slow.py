#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that does nothing for a while, in a transaction of its own making: a file that is removed unless it ends."""

from __future__ import annotations

import os
import time

from ansible_collections.mcps.postgres.plugins.module_utils._argspec import progress_spec
from ansible_collections.mcps.postgres.plugins.module_utils._errors import MigrationError
from ansible_collections.mcps.postgres.plugins.module_utils._module._progress import progress_for
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import Outcome, Task, run_module


def work(task: Task) -> Outcome:
    params = task.params
    totals = {name: int(rows) for name, rows in params["tables"].items()}
    if task.check_mode:
        return Outcome(changed=True, result={"tables": totals})
    marker = params["marker"]
    if marker:
        with open(marker, "w") as file:
            file.write(str(os.getpid()))
    try:
        progress = progress_for(params, "load", totals)
        for name, rows in totals.items():
            progress.begin(name, rows)
            for _done in range(0, rows, 100):
                time.sleep(params["pause"])
                progress.advance(100, 1000)
            progress.end()
    except MigrationError as error:
        if marker:
            with open(marker + ".undone", "w") as file:
                file.write(str(error))
        raise
    if params["crash"] == "killed":
        os.kill(os.getpid(), 9)
    if params["crash"] == "error":
        raise MigrationError("It went wrong.", advice="Do better.", details={"rows": [{"key": 1}]})
    if marker:
        with open(marker + ".done", "w"):
            pass
    return Outcome(
        changed=True, result={"tables": totals, "stage": "x"}, before="a\n", after="b\n", warnings=["mind the gap"]
    )


def main() -> None:
    spec = {
        "tables": {"type": "dict", "required": True},
        "pause": {"type": "float", "default": 0.01},
        "password": {"type": "str", "no_log": True},
        "marker": {"type": "path"},
        "crash": {"type": "str", "choices": ["", "error", "killed"], "default": ""},
        **progress_spec(),
    }
    run_module(spec, work)


if __name__ == "__main__":
    main()
