# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the module fixture in a process of its own: one module, its arguments as JSON on standard input.

Standard library only, and fit for Python 3.9: it runs under the interpreter that the test chooses.
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    name = sys.argv[1]
    arguments = sys.stdin.buffer.read()
    from ansible.module_utils import basic

    basic._ANSIBLE_ARGS = arguments
    basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and later; older ones do not look at it
    sys.argv = ["ansible_module_" + name.rpartition(".")[2]]
    importlib.import_module(name).main()


if __name__ == "__main__":
    main()
