# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of endpoint_info in, where they lead out."""

from __future__ import annotations

from .._argspec import Spec, target_spec
from .._postgres._endpoint import missing_privileges, server_of
from .._postgres._session import pooling, visit
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    return {**target_spec(), "tables": {"type": "list", "elements": "str", "default": []}}


def inform(task: Task) -> Outcome:
    """Log in and look around."""
    params = task.params
    with visit(params, "look") as session:
        return Outcome(
            result={
                "server": server_of(session),
                "user": session.value("SELECT current_user::text"),
                "version_number": session.version,
                "pooling": pooling(session, params),
                "missing_privileges": missing_privileges(session, params["target_schema"], params["tables"]),
            }
        )
