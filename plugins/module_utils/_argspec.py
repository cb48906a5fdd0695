# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that several modules share, one block per concern; C(doc_fragments) mirrors each."""

from __future__ import annotations

from typing import Any, Dict

Spec = Dict[str, Any]


def source_spec() -> Spec:
    """The SQLite file."""
    return {"source": {"type": "path", "required": True}}


def target_spec(required: bool = True) -> Spec:
    """The PostgreSQL database, with the names that community.postgresql gives them."""
    return {
        "login_host": {"type": "str", "default": ""},
        "login_port": {"type": "int", "default": 5432},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_db": {"type": "str", "required": required},
        "ssl_mode": {
            "type": "str",
            "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        },
        "ca_cert": {"type": "path"},
        "ssl_cert": {"type": "path"},
        "ssl_key": {"type": "path"},
        "target_schema": {"type": "str", "default": "public"},
    }


def mapping_spec() -> Spec:
    """Which tables and columns go where, and which value rules apply on the way."""
    return {
        "include": {"type": "list", "elements": "str", "default": ["*"]},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "exclude_columns": {"type": "list", "elements": "str", "default": []},
        "rename_tables": {"type": "dict", "default": {}},
        "rename_columns": {"type": "dict", "default": {}},
        "rules": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "table": {"type": "str", "default": "*"},
                "column": {"type": "str", "default": "*"},
                "rule": {"type": "str", "required": True},
                "options": {"type": "dict", "default": {}},
            },
        },
    }


def progress_spec() -> Spec:
    """Where a long step writes how far it has got."""
    return {"progress_file": {"type": "path"}}


def alembic_spec() -> Spec:
    """The application's own Alembic project and the interpreter that it runs in."""
    return {
        "project_dir": {"type": "path", "required": True},
        "config_file": {"type": "path", "default": "alembic.ini"},
        "python": {"type": "path", "required": True},
        "driver": {"type": "str", "default": "psycopg2"},
        "url_variable": {"type": "str", "default": "DATABASE_URL"},
        "environment": {"type": "dict", "default": {}, "no_log": True},
    }
