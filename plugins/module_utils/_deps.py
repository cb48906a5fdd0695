# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one library that modules need beside Python's own, and what to do when it is missing."""

from __future__ import annotations

from typing import Any

from ._errors import MigrationError


def psycopg2() -> Any:
    """The psycopg2 package with its extensions, extras and sql submodules loaded; MigrationError where there is none."""
    try:
        import psycopg2
        import psycopg2.extensions
        import psycopg2.extras
        import psycopg2.sql
    except ImportError as error:
        raise MigrationError(
            f"The Python that runs this module has no psycopg2 ({error}).",
            advice="Install psycopg2-binary for it, or point ansible_python_interpreter at a Python that has it.",
        ) from error
    return psycopg2
