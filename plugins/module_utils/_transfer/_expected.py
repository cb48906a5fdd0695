# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tables that are there differ from those that an application expects."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Dict, FrozenSet, List, Mapping, Sequence, Tuple

from ._model import ForeignKey, TargetColumn, TargetTable
from ._types import SqlType

#: How SQLAlchemy spells a collation behind a type; format_type() leaves it out.
_COLLATION = re.compile(r"\s+collate\s+.*\Z")


#: Autogenerate's operations in the words of this comparison.
OPERATIONS: Dict[str, str] = {
    "add_table": "missing_table",
    "remove_table": "extra_table",
    "add_column": "missing_column",
    "remove_column": "extra_column",
    "modify_type": "type",
    "modify_nullable": "nullable",
    "modify_default": "default",
    "modify_comment": "comment",
    "add_table_comment": "comment",
    "remove_table_comment": "comment",
    "add_index": "index",
    "remove_index": "index",
    "add_constraint": "unique",
    "remove_constraint": "unique",
    "add_fk": "foreign_key",
    "remove_fk": "foreign_key",
}
#: Those that cost speed or say something to people, and keep nothing from working.
HARMLESS = ("extra_table", "extra_column", "comment", "index")


@dataclass(frozen=True)
class Difference:
    """One of them. I(severity) is V(error) where the application may be refused something or lose a promise, else V(note)."""

    kind: str
    table: str
    column: str
    detail: str
    severity: str = "error"

    def as_dict(self) -> Dict[str, str]:
        return dict(vars(self))


def differences(expected: Sequence[TargetTable], found: Sequence[TargetTable]) -> List[Difference]:
    """All of them in the order of I(expected). Tables that nobody expects are nobody's difference."""
    there = {table.name: table for table in found}
    listed: List[Difference] = []
    for table in expected:
        if table.name not in there:
            listed.append(Difference("missing_table", table.name, "", "the table is not there"))
            continue
        listed += _columns(table, there[table.name])
        listed += _keys(table, there[table.name])
    return listed


def with_drift(listed: Sequence[Difference], drift: Sequence[Mapping[str, str]]) -> List[Difference]:
    """I(listed), and what autogenerate has found besides (alembic_info's V(drift))."""
    known = {(difference.kind, difference.table, difference.column) for difference in listed}
    whole = list(listed)
    for item in drift:
        kind = OPERATIONS.get(item["operation"], item["operation"])
        if (kind, item["table"], item["column"]) not in known:
            severity = "note" if kind in HARMLESS else "error"
            whole.append(Difference(kind, item["table"], item["column"], item["detail"], severity))
    return whole


def accepted(difference: Difference, patterns: Sequence[str]) -> bool:
    """Whether one of I(patterns) (shell wildcards) is for V(kind table) or V(kind table.column)."""
    place = f"{difference.table}.{difference.column}" if difference.column else difference.table
    return any(fnmatchcase(f"{difference.kind} {place}", pattern) for pattern in patterns)


def _columns(expected: TargetTable, found: TargetTable) -> List[Difference]:
    listed: List[Difference] = []
    for column in expected.columns:
        other = found.column(column.name)
        if other is None:
            listed.append(Difference("missing_column", expected.name, column.name, "the column is not there"))
        else:
            listed += _column(expected.name, column, other)
    known = {column.name for column in expected.columns}
    return listed + [_besides(found.name, column) for column in found.columns if column.name not in known]


def _column(table: str, expected: TargetColumn, found: TargetColumn) -> List[Difference]:
    listed: List[Difference] = []

    def add(kind: str, detail: str, severity: str = "error") -> None:
        listed.append(Difference(kind, table, expected.name, detail, severity))

    if _plain(expected.type) != _plain(found.type):
        add("type", f"it is {_spelled(found.type)}, and {_spelled(expected.type)} is expected")
    if expected.not_null != found.not_null:
        add("nullable", "it takes no NULL" if found.not_null else "it takes NULL")
    if expected.generated != found.generated:
        add("generated", "it is generated" if found.generated else "it is not generated")
    elif _fills(expected) and not _fills(found):
        add("default", "it has no default")
    elif _fills(found) and not _fills(expected):
        add("default", "it has a default", "note")
    return listed


def _besides(table: str, column: TargetColumn) -> Difference:
    refuses = column.not_null and not (_fills(column) or column.generated)
    detail = "nobody expects the column" + (", and a row needs a value for it" if refuses else "")
    return Difference("extra_column", table, column.name, detail, "error" if refuses else "note")


def _fills(column: TargetColumn) -> bool:
    return column.has_default or bool(column.identity)


def _keys(expected: TargetTable, found: TargetTable) -> List[Difference]:
    name = expected.name
    listed: List[Difference] = []
    if expected.primary_key != found.primary_key:
        shown = ", ".join(found.primary_key) or "none"
        wanted = ", ".join(expected.primary_key) or "none"
        listed.append(Difference("primary_key", name, "", f"it is {shown}, and {wanted} is expected"))
    listed += _sets("unique", name, _unordered(expected.unique), _unordered(found.unique), "unique constraint", "error")
    listed += _sets("foreign_key", name, _references(expected), _references(found), "foreign key", "error")
    unique = _unordered((*expected.unique, *found.unique))
    indexed = [_unordered(table.indexed) - unique for table in (expected, found)]
    return listed + _sets("index", name, indexed[0], indexed[1], "index", "note")


def _sets(
    kind: str, table: str, expected: FrozenSet[str], found: FrozenSet[str], what: str, severity: str
) -> List[Difference]:
    missing = [Difference(kind, table, "", f"the {what} {item} is not there", severity) for item in expected - found]
    besides = [Difference(kind, table, "", f"nobody expects the {what} {item}", severity) for item in found - expected]
    return sorted(missing, key=str) + sorted(besides, key=str)


def _unordered(keys: Sequence[Tuple[str, ...]]) -> FrozenSet[str]:
    return frozenset(f"({', '.join(sorted(key))})" for key in keys)


def _references(table: TargetTable) -> FrozenSet[str]:
    return frozenset(map(_reference, table.foreign_keys))


def _reference(key: ForeignKey) -> str:
    pairs = sorted(zip(key.columns, key.parent_columns))
    children, parents = (", ".join(names) for names in zip(*pairs))
    return f"({children}) to {key.parent} ({parents})"


def _plain(type_: SqlType) -> SqlType:
    """I(type_) without what only its spelling says."""
    element = _plain(type_.element) if type_.element is not None else None
    return replace(type_, name=_COLLATION.sub("", type_.name), element=element, display="")


def _spelled(type_: SqlType) -> str:
    return f"{type_} of {', '.join(type_.labels)}" if type_.labels else str(type_)
