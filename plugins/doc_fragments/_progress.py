# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a long step tells how far it has got; mirrors progress_spec of module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - File that the module keeps up to date with how far it has got (JSON, readable by its owner only, replaced as a
        whole each time). Without it no file is written.
      - The collection's action plugins read it to show progress while the task runs.
    type: path
"""
