# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of schema_compare_info in, how the schema differs from what the application expects out."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from .._argspec import Spec, target_spec
from .._postgres._catalog import read_tables
from .._postgres._expressions import Expressions
from .._postgres._session import Session, connect
from .._transfer._declared import tables_from_model
from .._transfer._expected import Comparison, Difference, accepted, compared, standing, with_drift
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
    with connect(params, "compare") as session:
        tables, comparison = held_against(session, params["target_schema"], params["model"])
    found = with_drift(comparison.differences, params["drift"])
    against = standing(found, params["strict"], params["accept"])
    unknown = [difference for difference in comparison.not_compared if not accepted(difference, params["accept"])]
    return Outcome(
        result={
            "tables": tables,
            "differences": [difference.as_dict() for difference in found],
            "against": [difference.as_dict() for difference in against],
            "not_compared": [_without_severity(difference) for difference in comparison.not_compared],
            "fits": not against,
        },
        warnings=[_warning(unknown)] if unknown else [],
    )


def held_against(session: Session, schema: str, model: Mapping[str, Any]) -> Tuple[int, Comparison]:
    """How many tables of I(model) belong to I(schema), and how those that are there differ from them.

    Raises MappingError, TargetError.
    """
    own = {name: table for name, table in model.items() if "." not in name}
    expected = tables_from_model(own, schema)
    found = read_tables(session, schema)
    judge = Expressions(session, schema)
    hindrance = judge.hindrance()
    if not hindrance:
        # One transaction for all temporary tables, none of which outlives it.
        with session.transaction():
            return len(expected), compared(expected, found, judge)
    detail = (
        f"defaults, generated columns and the conditions of CHECK: {hindrance}; they are compared on temporary tables, for"
        " which the role needs GRANT TEMPORARY ON DATABASE"
    )
    return len(expected), Comparison(compared(expected, found).differences, [Difference("expression", "*", "", detail)])


def _without_severity(difference: Difference) -> Dict[str, str]:
    return {name: text for name, text in difference.as_dict().items() if name != "severity"}


def _warning(unknown: Sequence[Difference]) -> str:
    shown = [f"{item.kind} {'.'.join(filter(None, (item.table, item.column)))}: {item.detail}" for item in unknown[:5]]
    more = f" And {len(unknown) - 5} more, see not_compared." if len(unknown) > 5 else ""
    return f"Not compared, so look at it yourself, and name it in accept where it is as it should be: {'; '.join(shown)}.{more}"
