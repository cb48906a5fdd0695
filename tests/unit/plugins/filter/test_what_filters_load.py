# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible loads the files of all filters of a collection, in each process of a task that uses any of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILTERS = Path(__file__).resolve().parents[4] / "plugins" / "filter"
#: What takes a tenth of a second and more to import.
HEAVY = ("sqlglot", "pygal")


def test_no_file_loads_what_is_heavy() -> None:
    names = sorted(path.stem for path in FILTERS.glob("*.py"))
    modules = [f"ansible_collections.mcps.postgres.plugins.filter.{name}" for name in names]
    assert {"derive_schema", "report_html"} <= set(names)
    program = f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(modules) <= set(loaded)
    assert {name.split(".")[0] for name in loaded} & set(HEAVY) == set()
