# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite file that a module reads; mirrors source_spec of module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  source:
    description:
      - Path of the SQLite database on the host that the module runs on.
      - The file must exist; a missing file is an error and is never created.
      - A C(-wal) file beside it belongs to the database and must stay there, since it may hold committed rows.
    type: path
    required: true
"""
