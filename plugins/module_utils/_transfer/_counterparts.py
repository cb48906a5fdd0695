# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which promises of the SQLite schema (keys, unique columns, foreign keys) the target does not make."""

from __future__ import annotations

from typing import FrozenSet, List, Optional, Sequence, Tuple

from ._model import ForeignKey, Mapping, Problem, TableMap


def missing_counterparts(mapping: Mapping) -> List[Problem]:
    """One Problem for each primary key, unique column set and foreign key that the target lacks.

    Only what is moved on both ends counts: a key over a column that is left out cannot have a counterpart. Orders of
    columns have no meaning in any of the three.
    """
    problems: List[Problem] = []
    for table in mapping.tables:
        problems.extend(_keys(table))
        problems.extend(_foreign_keys(table, mapping))
    return problems


def _keys(table: TableMap) -> List[Problem]:
    problems: List[Problem] = []
    there = {frozenset(key) for key in (table.target.primary_key, *table.target.unique) if key}
    wanted = [("primary key", table.source.primary_key)] + [("unique index", key) for key in table.source.unique]
    for what, key in wanted:
        names = _mapped(table, key)
        if names and frozenset(names) not in there:
            problems.append(
                Problem(
                    table.source.name,
                    ", ".join(key),
                    f"the {what} of SQLite has no counterpart: {table.target.name} may hold the same"
                    f" {', '.join(names)} twice",
                    "Add a unique constraint by an Alembic revision, if the application counts on it.",
                )
            )
    return problems


def _foreign_keys(table: TableMap, mapping: Mapping) -> List[Problem]:
    there = {_pairs(key) for key in table.target.foreign_keys}
    problems: List[Problem] = []
    for key in table.source.foreign_keys:
        parent = mapping.by_source(key.parent)
        children = _mapped(table, key.columns)
        parents = _mapped(parent, key.parent_columns) if parent is not None else None
        if parent is None or not children or not parents:
            continue
        if _pairs(ForeignKey(children, parent.target.name, parents)) not in there:
            problems.append(
                Problem(
                    table.source.name,
                    ", ".join(key.columns),
                    f"the foreign key of SQLite to {key.parent} ({', '.join(key.parent_columns)}) has no counterpart",
                    "Add the foreign key by an Alembic revision, if the application counts on it.",
                )
            )
    return problems


def _mapped(table: TableMap, columns: Sequence[str]) -> Optional[Tuple[str, ...]]:
    """The target's names of I(columns), None where one of them is not moved."""
    found = [table.target_of(name) for name in columns]
    if not found or any(column is None for column in found):
        return None
    return tuple(column.target.name for column in found if column is not None)


def _pairs(key: ForeignKey) -> Tuple[str, FrozenSet[Tuple[str, str]]]:
    return key.parent, frozenset(zip(key.columns, key.parent_columns))
