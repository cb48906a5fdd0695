# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of schema_compare_info in, how the schema differs from what the application expects out."""

from __future__ import annotations

from .._argspec import Spec, target_spec
from .._postgres._catalog import read_tables
from .._postgres._session import connect
from .._transfer._declared import tables_from_model
from .._transfer._expected import accepted, differences, with_drift
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    """What schema_compare_info takes."""
    return {
        **target_spec(),
        "model": {"type": "dict", "required": True},
        "drift": {"type": "list", "elements": "dict", "default": []},
        "strict": {"type": "bool", "default": False},
        "accept": {"type": "list", "elements": "str", "default": []},
    }


def compare(task: Task) -> Outcome:
    """Read the catalog and hold it against the model. Tables of other schemas are left to those who own them."""
    params = task.params
    schema = params["target_schema"]
    own = {name: table for name, table in params["model"].items() if "." not in name}
    expected = tables_from_model(own, schema)
    with connect(params, "compare") as session:
        found = with_drift(differences(expected, read_tables(session, schema)), params["drift"])
    against = [
        difference
        for difference in found
        if (params["strict"] or difference.severity == "error") and not accepted(difference, params["accept"])
    ]
    return Outcome(
        result={
            "tables": len(expected),
            "differences": [difference.as_dict() for difference in found],
            "against": [difference.as_dict() for difference in against],
            "fits": not against,
        }
    )
