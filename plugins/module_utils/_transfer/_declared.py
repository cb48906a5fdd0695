# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's tables as the application declares them, for the time before there is a target."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

from .._errors import MappingError
from ._model import ForeignKey, TargetColumn, TargetTable
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
            has_default=bool(facts.get("default")),
            generated=bool(facts.get("generated")),
            identity=facts.get("identity") or "",
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
    )


def _sets(lists: Sequence[Sequence[str]]) -> Tuple[Tuple[str, ...], ...]:
    return tuple(tuple(names) for names in lists)


def _foreign_key(document: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(
        tuple(document["columns"]), document["parent"], tuple(document["parent_columns"]), document.get("name") or ""
    )
