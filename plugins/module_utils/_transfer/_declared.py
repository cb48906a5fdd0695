# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's tables as the application declares them, for the time before there is a target."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from .._errors import MappingError
from ._model import Check, ForeignKey, TargetColumn, TargetTable
from ._types import parse_type


def tables_from_model(model: Mapping[str, Any], schema: str) -> List[TargetTable]:
    """Tables of C(alembic_info)'s V(model), in name order.

    I(schema) is the one that they are in. Tables of another schema keep the name V(schema.table) that alembic_info
    gives them. Raises MappingError where I(model) has another shape.
    """
    try:
        return [_table(name, document, schema) for name, document in sorted(model.items())]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MappingError(
            f"The model is not what alembic_info returns: {type(error).__name__} {error}.",
            advice="Pass the return value 'model' of mcps.postgres.alembic_info as it is.",
        ) from error


def _table(name: str, document: Mapping[str, Any], schema: str) -> TargetTable:
    primary = tuple(document.get("primary_key") or ())
    enums = {enum: list(labels) for enum, labels in (document.get("enums") or {}).items()}
    columns = tuple(
        TargetColumn(
            name=column,
            type=parse_type(facts["type"], enums),
            not_null=not facts["nullable"] or column in primary,
            # PostgreSQL keeps no default of NULL.
            has_default=bool(facts.get("default")) and not _is_null(facts.get("expression")),
            generated=bool(facts.get("generated")),
            identity=facts.get("identity") or "",
            expression=None if _is_null(facts.get("expression")) else facts.get("expression"),
        )
        for column, facts in document["columns"].items()
    )
    unique = _sets(document.get("unique") or ())
    if primary and primary not in unique:
        unique = (primary, *unique)
    indexed = _sets(document.get("indexed") or ())
    return TargetTable(
        schema=schema,
        name=name,
        columns=columns,
        primary_key=primary,
        foreign_keys=tuple(_foreign_key(key) for key in document.get("foreign_keys") or ()),
        unique=unique,
        indexed=indexed + tuple(key for key in unique if key not in indexed),
        checks=_checks(document.get("checks")),
    )


def _checks(documents: Optional[Sequence[Mapping[str, str]]]) -> Optional[Tuple[Check, ...]]:
    if documents is None:
        return None
    return tuple(Check(document.get("name") or "", document["expression"]) for document in documents)


def _is_null(expression: Optional[str]) -> bool:
    return (expression or "").strip("() ").upper() == "NULL"


def _sets(lists: Sequence[Sequence[str]]) -> Tuple[Tuple[str, ...], ...]:
    return tuple(tuple(names) for names in lists)


def _foreign_key(document: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(
        columns=tuple(document["columns"]),
        parent=document["parent"],
        parent_columns=tuple(document["parent_columns"]),
        name=document.get("name") or "",
        on_delete=document.get("on_delete"),
        on_update=document.get("on_update"),
        deferrable=document.get("deferrable"),
    )
