# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides' tables, and how one is mapped onto the other, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from ._types import SqlType


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a child and what they point at. I(parent_columns) are always resolved (never left out).

    I(on_delete) and I(on_update) are in PostgreSQL's words (V(NO ACTION), V(CASCADE) ...); I(deferrable) is
    V(NOT DEFERRABLE), V(DEFERRABLE) or V(DEFERRABLE INITIALLY DEFERRED). None is where nobody says.
    """

    columns: Tuple[str, ...]
    parent: str
    parent_columns: Tuple[str, ...]
    name: str = ""
    on_delete: Optional[str] = None
    on_update: Optional[str] = None
    deferrable: Optional[str] = None


@dataclass(frozen=True)
class Check:
    """A CHECK constraint of the target. I(expression) is PostgreSQL's SQL, empty where nobody can write it."""

    name: str
    expression: str


@dataclass(frozen=True)
class SourceColumn:
    """One column of a SQLite table. I(generated) is true for virtual and stored generated columns."""

    name: str
    declared_type: str = ""
    not_null: bool = False
    generated: bool = False
    default: Optional[str] = None


@dataclass(frozen=True)
class SourceTable:
    """One table of the SQLite file.

    I(kind) is V(table), V(virtual) (e.g. FTS) or V(shadow) (a virtual table's own storage). I(primary_key) is in key
    order and empty where there is none; I(unique) lists the column sets of unique indexes over plain columns.
    I(rowid) is the name under which the rowid can be read (V(rowid), V(_rowid_), V(oid), or the INTEGER PRIMARY KEY
    column), or None for WITHOUT ROWID tables. I(autoincrement) is sqlite_sequence's value, None if there is none.
    """

    name: str
    columns: Tuple[SourceColumn, ...]
    primary_key: Tuple[str, ...] = ()
    foreign_keys: Tuple[ForeignKey, ...] = ()
    unique: Tuple[Tuple[str, ...], ...] = ()
    kind: str = "table"
    rowid: Optional[str] = "rowid"
    autoincrement: Optional[int] = None

    @property
    def key(self) -> Tuple[str, ...]:
        """What names a row: the primary key's columns, or else the rowid."""
        if self.primary_key:
            return self.primary_key
        return (self.rowid,) if self.rowid else ()

    def column(self, name: str) -> Optional[SourceColumn]:
        for column in self.columns:
            if column.name == name:
                return column
        return None


@dataclass(frozen=True)
class TargetColumn:
    """One column of a PostgreSQL table. I(identity) is V(a) (always), V(d) (by default) or empty.

    I(expression) is the SQL of its default or, where it is generated, of its value; empty where nobody can write it,
    None where there is none or nobody says. It is no part of what identifies a column (M(_proofs)).
    """

    name: str
    type: SqlType
    not_null: bool = False
    has_default: bool = False
    generated: bool = False
    identity: str = ""
    expression: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class TargetTable:
    """One table of the target, as its catalog (or the application's metadata) has it.

    I(indexed) lists the column sets of b-tree indexes over plain columns, unique or not, primary key included;
    I(unique) those of unique constraints and full (not partial) unique indexes. I(checks) is None where nobody says.
    """

    schema: str
    name: str
    columns: Tuple[TargetColumn, ...]
    primary_key: Tuple[str, ...] = ()
    foreign_keys: Tuple[ForeignKey, ...] = ()
    unique: Tuple[Tuple[str, ...], ...] = ()
    indexed: Tuple[Tuple[str, ...], ...] = ()
    checks: Optional[Tuple[Check, ...]] = None

    def column(self, name: str) -> Optional[TargetColumn]:
        for column in self.columns:
            if column.name == name:
                return column
        return None


@dataclass(frozen=True)
class RuleUse:
    """One declared value rule on one column: the rule's name and its options (e.g. a map's entries)."""

    rule: str
    options: Tuple[Tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class ColumnMap:
    """A source column, the target column it fills, and the value rules that apply on the way, in order."""

    source: str
    target: TargetColumn
    rules: Tuple[RuleUse, ...] = ()


@dataclass(frozen=True)
class TableMap:
    """A source table and the target table that it fills; I(columns) are the loaded ones, in target order."""

    source: SourceTable
    target: TargetTable
    columns: Tuple[ColumnMap, ...]

    def target_of(self, source_column: str) -> Optional[ColumnMap]:
        for column in self.columns:
            if column.source == source_column:
                return column
        return None

    def source_of(self, target_column: str) -> Optional[str]:
        for column in self.columns:
            if column.target.name == target_column:
                return column.source
        return None

    @property
    def key_columns(self) -> Optional[Tuple[ColumnMap, ...]]:
        """The mapped columns of the source's primary key, or None where rows have no key on both sides."""
        mapped = [self.target_of(name) for name in self.source.primary_key]
        if not mapped or any(column is None for column in mapped):
            return None
        return tuple(column for column in mapped if column is not None)


@dataclass(frozen=True)
class Skipped:
    """Something of the source that is deliberately not moved, and why. I(column) is empty for whole tables."""

    table: str
    column: str
    reason: str


@dataclass(frozen=True)
class Problem:
    """Why two sides do not fit together: what to change is in I(advice)."""

    table: str
    column: str
    reason: str
    advice: str

    def as_dict(self) -> Dict[str, str]:
        return {"table": self.table, "column": self.column, "reason": self.reason, "advice": self.advice}


@dataclass(frozen=True)
class Mapping:
    """The whole plan of what goes where: tables in load order (parents first where there is no cycle)."""

    tables: Tuple[TableMap, ...]
    skipped: Tuple[Skipped, ...] = ()
    problems: Tuple[Problem, ...] = ()

    def by_source(self, name: str) -> Optional[TableMap]:
        for table in self.tables:
            if table.source.name == name:
                return table
        return None

    def by_target(self, name: str) -> Optional[TableMap]:
        for table in self.tables:
            if table.target.name == name:
                return table
        return None


@dataclass(frozen=True)
class MappingOptions:
    """What the operator chose. Names are the source's; patterns are shell wildcards (fnmatch, case-sensitive).

    I(rename_columns) is keyed by V(table.column). I(rules) are tried in order: every rule whose patterns match a
    column applies to it.
    """

    include: Tuple[str, ...] = ("*",)
    exclude: Tuple[str, ...] = ()
    exclude_columns: Tuple[str, ...] = ()
    rename_tables: Dict[str, str] = field(default_factory=dict)
    rename_columns: Dict[str, str] = field(default_factory=dict)
    rules: Tuple[RuleSpec, ...] = ()


@dataclass(frozen=True)
class RuleSpec:
    """A declared value rule: where it applies (wildcards over source names), which it is, and its options."""

    table: str
    column: str
    rule: str
    options: Tuple[Tuple[str, Any], ...] = ()
