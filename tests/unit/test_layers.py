# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of the architecture hold, and the check that says so notices when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.layers import violations

ROOT = Path(__file__).resolve().parents[2]
UTILS = "plugins/module_utils"
ABSOLUTE = "ansible_collections.mcps.postgres.plugins.module_utils"


def test_every_import_reaches_down() -> None:
    assert violations(ROOT) == []


BAD = [
    ("plugins/modules/thing.py", f"from {ABSOLUTE}._sqlite._file import connect", "modules go through _module"),
    ("plugins/modules/thing.py", f"from {ABSOLUTE} import _transfer", "modules go through _module"),
    (f"{UTILS}/_sqlite/_file.py", "from .._postgres import _session", "_sqlite may not import _postgres"),
    (f"{UTILS}/_postgres/_session.py", "from .._alembic._run import x", "_postgres may not import _alembic"),
    (f"{UTILS}/_alembic/_run.py", "from .._module._runner import Task", "_alembic may not import _module"),
    (f"{UTILS}/_alembic/_run.py", f"import {ABSOLUTE}._module._runner", "_alembic may not import _module"),
    (f"{UTILS}/_transfer/_load.py", "def f():\n    from .._sqlite import _file", "_transfer may not import _sqlite"),
    (f"{UTILS}/_transfer/_compare.py", "from .. import _module", "_transfer may not import _module"),
    (f"{UTILS}/_errors.py", "from ._transfer._model import x", "base may not import _transfer"),
    (f"{UTILS}/_journal.py", "from . import _postgres", "base may not import _postgres"),
    (f"{UTILS}/_postgres/_session.py", "from ansible.module_utils.basic import AnsibleModule", "know Ansible"),
    (f"{UTILS}/_errors.py", "import ansible.module_utils.basic", "know Ansible"),
    (f"{UTILS}/_transfer/_types.py", "import os.path", "planning does no input or output"),
    (f"{UTILS}/_transfer/_types.py", "from pathlib import Path", "planning does no input or output"),
    (f"{UTILS}/_transfer/_types.py", "from .._deps import psycopg2", "planning does no input or output"),
    (f"{UTILS}/_transfer/_types.py", "x = open('y')", "planning opens a file"),
    (f"{UTILS}/_workload/_plan.py", "import subprocess", "planning does no input or output"),
    (f"{UTILS}/_workload/_measure.py", "from .._module._runner import Task", "_workload may not import _module"),
    (f"{UTILS}/_workload/_read.py", "from .._alembic._client import x", "_workload may not import _alembic"),
    (f"{UTILS}/_transfer/_load.py", "from .._workload import _plan", "_transfer may not import _workload"),
    (f"{UTILS}/_other/_x.py", "from .._errors import MigrationError", "_other is no layer"),
    (f"{UTILS}/_module/_x.py", "from ...plugin_utils._y import z", "a managed node does not get"),
]

GOOD = [
    ("plugins/modules/thing.py", "from ansible.module_utils.basic import AnsibleModule"),
    ("plugins/modules/thing.py", f"from {ABSOLUTE}._module._thing import action"),
    ("plugins/modules/thing.py", f"from {ABSOLUTE} import _argspec"),
    (f"{UTILS}/_module/_x.py", "from .._sqlite import _file\nfrom .._postgres import _session"),
    (f"{UTILS}/_sqlite/_file.py", "import os\nfrom . import _names\nfrom .._transfer._ports import RowSource"),
    (f"{UTILS}/_transfer/_load.py", "import os\nfrom ._ports import RowSource\nfrom .._errors import MigrationError"),
    (f"{UTILS}/_workload/_clients.py", "import subprocess\nfrom .._sqlite._names import quoted"),
    (f"{UTILS}/_transfer/_types.py", "import re\nfrom . import _values"),
    ("plugins/action/thing.py", "from ansible.plugins.action import ActionBase"),
]


def written(root: Path, name: str, text: str) -> Path:
    """The tree I(root) with that one file in it."""
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(f"{text}\n", encoding="utf-8")
    return root


@pytest.mark.parametrize(("name", "text", "reason"), BAD)
def test_a_violation_is_caught(tmp_path: Path, name: str, text: str, reason: str) -> None:
    [found] = violations(written(tmp_path, name, text))
    assert found.startswith(f"{name}:")
    assert reason in found


@pytest.mark.parametrize(("name", "text"), GOOD)
def test_what_is_right_is_let_through(tmp_path: Path, name: str, text: str) -> None:
    assert violations(written(tmp_path, name, text)) == []
