# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of what goes where. Nothing is guessed and nothing is left out without a word."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple
from typing import Mapping as MappingType

from .._errors import MappingError
from ._codecs import codec_for
from ._model import (
    ColumnMap,
    Mapping,
    MappingOptions,
    Problem,
    RuleSpec,
    RuleUse,
    Skipped,
    SourceColumn,
    SourceTable,
    TableMap,
    TargetColumn,
    TargetTable,
)
from ._rules import RULES

#: Kept by Alembic on each side for itself.
OWN_TABLES = ("alembic_version",)


def options_from_params(params: MappingType[str, Any]) -> MappingOptions:
    """The choices that a module's arguments (C(_argspec.mapping_spec)) hold."""
    return MappingOptions(
        include=tuple(params["include"]),
        exclude=tuple(params["exclude"]),
        exclude_columns=tuple(params["exclude_columns"]),
        rename_tables=dict(params["rename_tables"]),
        rename_columns=dict(params["rename_columns"]),
        rules=tuple(
            RuleSpec(rule["table"], rule["column"], rule["rule"], tuple(sorted(rule["options"].items())))
            for rule in params["rules"]
        ),
    )


def plan_mapping(source: Sequence[SourceTable], target: Sequence[TargetTable], options: MappingOptions) -> Mapping:
    """Map I(source) onto I(target). What does not fit is in C(problems), all of it at once; nothing is raised."""
    return _Planner(source, target, options).plan()


def require_sound(mapping: Mapping) -> Mapping:
    """I(mapping) itself, or MappingError with every problem."""
    if mapping.problems:
        listed = "; ".join(
            f"{problem.table}{'.' + problem.column if problem.column else ''}: {problem.reason}. {problem.advice}"
            for problem in mapping.problems[:10]
        )
        more = f" (and {len(mapping.problems) - 10} more)" if len(mapping.problems) > 10 else ""
        raise MappingError(
            f"Source and target do not fit together: {listed}{more}",
            details={"problems": [problem.as_dict() for problem in mapping.problems]},
        )
    return mapping


class _Planner:
    def __init__(self, source: Sequence[SourceTable], target: Sequence[TargetTable], options: MappingOptions) -> None:
        self.source = source
        self.target = target
        self.options = options
        self.skipped: List[Skipped] = []
        self.problems: List[Problem] = []
        self._rules_used: Set[int] = set()

    def plan(self) -> Mapping:
        self._check_names()
        tables: List[TableMap] = []
        taken: Dict[str, str] = {}
        for table in self.source:
            found = self._target_of(table)
            if found is None:
                continue
            if found.name in taken:
                self._problem(table.name, "", f"{taken[found.name]} goes to {found.name} already", "Rename one.")
                continue
            taken[found.name] = table.name
            tables.append(self._map_table(table, found))
        self._check_rules()
        return Mapping(tuple(load_order(tables)), tuple(self.skipped), tuple(self.problems))

    def _problem(self, table: str, column: str, reason: str, advice: str) -> None:
        self.problems.append(Problem(table, column, reason, advice))

    def _skip(self, table: str, column: str, reason: str) -> None:
        self.skipped.append(Skipped(table, column, reason))

    # Tables

    def _target_of(self, table: SourceTable) -> Optional[TargetTable]:
        if table.name in OWN_TABLES:
            self._skip(table.name, "", "Alembic keeps it on each side for itself")
            return None
        if not _matches(table.name, self.options.include):
            self._skip(table.name, "", "not included")
            return None
        if _matches(table.name, self.options.exclude):
            self._skip(table.name, "", "excluded")
            return None
        if table.kind != "table":
            self._skip(table.name, "", f"a {table.kind} table: its content is derived, not data of its own")
            return None
        wanted = self.options.rename_tables.get(table.name, table.name)
        found = _by_name(wanted, self.target)
        if found is None:
            self._problem(
                table.name,
                "",
                f"the target has no table {wanted}",
                "Bring the target to the right Alembic revision, declare rename_tables, or exclude the table.",
            )
        return found

    # Columns

    def _map_table(self, table: SourceTable, target: TargetTable) -> TableMap:
        filled: Dict[str, ColumnMap] = {}
        for column in table.columns:
            found = self._target_column(table, column, target)
            if found is None:
                continue
            if found.name in filled:
                self._problem(
                    table.name,
                    column.name,
                    f"{filled[found.name].source} goes to {found.name} already",
                    "Correct rename_columns.",
                )
                continue
            filled[found.name] = ColumnMap(column.name, found, self._rules(table.name, column.name, found))
        self._check_unfilled(table, target, filled)
        ordered = tuple(filled[column.name] for column in target.columns if column.name in filled)
        return TableMap(table, target, ordered)

    def _target_column(self, table: SourceTable, column: SourceColumn, target: TargetTable) -> Optional[TargetColumn]:
        path = f"{table.name}.{column.name}"
        if _matches(path, self.options.exclude_columns):
            self._skip(table.name, column.name, "excluded")
            return None
        wanted = self.options.rename_columns.get(path, column.name)
        found = _column_by_name(wanted, target)
        if found is None:
            if column.generated:
                self._skip(table.name, column.name, "generated in SQLite, and the target has no such column")
            else:
                self._problem(
                    table.name,
                    column.name,
                    f"{target.name} of the target has no column {wanted}",
                    "Bring the target to the right Alembic revision, declare rename_columns, or exclude the column.",
                )
            return None
        if found.generated:
            self._skip(table.name, column.name, "generated in PostgreSQL")
            return None
        if codec_for(found.type) is None:
            self._problem(
                table.name,
                column.name,
                f"there is no conversion to {found.type}",
                "Exclude the column and fill it by SQL afterwards, or give it a type that is supported.",
            )
            return None
        return found

    def _check_unfilled(self, table: SourceTable, target: TargetTable, filled: MappingType[str, ColumnMap]) -> None:
        for column in target.columns:
            optional = not column.not_null or column.has_default or column.generated or column.identity
            if column.name not in filled and not optional:
                self._problem(
                    table.name,
                    column.name,
                    f"{target.name}.{column.name} is NOT NULL without a default, and the source has no such column",
                    "Declare rename_columns, or give the column a default by an Alembic revision.",
                )

    # Rules

    def _rules(self, table: str, column: str, target: TargetColumn) -> Tuple[RuleUse, ...]:
        uses: List[RuleUse] = []
        for index, spec in enumerate(self.options.rules):
            rule = RULES.get(spec.rule)
            if rule is None or not (fnmatchcase(table, spec.table) and fnmatchcase(column, spec.column)):
                continue
            if rule.applies_to(target.type):
                uses.append(RuleUse(spec.rule, spec.options))
                self._rules_used.add(index)
            elif not _is_pattern(spec.column):
                self._rules_used.add(index)
                self._problem(
                    table, column, f"the rule {spec.rule} is not for {target.type}", "Remove it or choose another rule."
                )
        return tuple(uses)

    def _check_rules(self) -> None:
        for index, spec in enumerate(self.options.rules):
            where = f"{spec.table}.{spec.column}"
            rule = RULES.get(spec.rule)
            if rule is None:
                self._problem(where, "", f"there is no rule {spec.rule}", f"Rules are: {', '.join(sorted(RULES))}.")
                continue
            given = {name for name, _ in spec.options}
            if given != rule.options:
                needed = ", ".join(sorted(rule.options)) or "none"
                self._problem(where, "", f"the rule {spec.rule} got other options than it has", f"Options: {needed}.")
            elif index not in self._rules_used:
                self._problem(where, "", f"the rule {spec.rule} applies to no column", "Correct its table or column.")

    def _check_names(self) -> None:
        """A name that the operator wrote and that matches nothing is a typing error, never ignored."""
        tables = {table.name for table in self.source}
        columns = {f"{table.name}.{column.name}" for table in self.source for column in table.columns}
        for argument, patterns, names in (
            ("include", self.options.include, tables),
            ("exclude", self.options.exclude, tables),
            ("exclude_columns", self.options.exclude_columns, columns),
            ("rename_tables", tuple(self.options.rename_tables), tables),
            ("rename_columns", tuple(self.options.rename_columns), columns),
        ):
            for pattern in patterns:
                if pattern != "*" and not any(fnmatchcase(name, pattern) for name in names):
                    self._problem(pattern, "", f"{argument} names what the source does not have", "Correct the name.")


def _is_pattern(text: str) -> bool:
    return any(char in text for char in "*?[")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _by_name(name: str, tables: Sequence[TargetTable]) -> Optional[TargetTable]:
    """The table I(name), or else the only one that differs from it in letter case alone (SQL folds names)."""
    exact = [table for table in tables if table.name == name]
    folded = exact or [table for table in tables if table.name.lower() == name.lower()]
    return folded[0] if len(folded) == 1 else None


def _column_by_name(name: str, table: TargetTable) -> Optional[TargetColumn]:
    exact = [column for column in table.columns if column.name == name]
    folded = exact or [column for column in table.columns if column.name.lower() == name.lower()]
    return folded[0] if len(folded) == 1 else None


def load_order(tables: Sequence[TableMap]) -> List[TableMap]:
    """Parents before children, by name where either may come first; members of a cycle where the cycle is entered.

    Depth-first over the foreign keys of both sides.
    """
    by_source = {table.source.name: table for table in tables}
    by_target = {table.target.name: table for table in tables}
    ordered: List[TableMap] = []
    entered: Set[str] = set()

    def parents(table: TableMap) -> List[TableMap]:
        found = [by_target.get(key.parent) for key in table.target.foreign_keys]
        found += [by_source.get(key.parent) for key in table.source.foreign_keys]
        unique = {parent.source.name: parent for parent in found if parent is not None}
        return [unique[name] for name in sorted(unique)]

    for first in sorted(tables, key=lambda table: table.source.name):
        # An explicit stack: chains of tables may be longer than Python's recursion limit.
        stack = [(first, iter(parents(first)))]
        if first.source.name in entered:
            continue
        entered.add(first.source.name)
        while stack:
            table, waiting = stack[-1]
            parent = next((item for item in waiting if item.source.name not in entered), None)
            if parent is None:
                ordered.append(table)
                stack.pop()
            else:
                entered.add(parent.source.name)
                stack.append((parent, iter(parents(parent))))
    return ordered
