# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of two columns, its mapping, and a source that gives its rows without any database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    Mapping,
    MappingOptions,
    RuleSpec,
    SourceColumn,
    SourceTable,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type

SOURCE = SourceTable(
    "t", (SourceColumn("id", "INTEGER"), SourceColumn("n", "INTEGER")), primary_key=("id",), rowid="id"
)
TARGET = TargetTable(
    "public",
    "t",
    (TargetColumn("id", parse_type("integer"), not_null=True), TargetColumn("n", parse_type("smallint"))),
    primary_key=("id",),
    unique=(("id",),),
)


def mapping(*rules: RuleSpec) -> Mapping:
    return plan_mapping([SOURCE], [TARGET], MappingOptions(rules=rules))


@dataclass
class Source:
    rows_of_t: list[tuple[Any, ...]] = field(default_factory=lambda: [(1, 1), (2, 2)])
    print: str = "f1"

    def tables(self) -> list[SourceTable]:
        return [SOURCE]

    def count(self, table: SourceTable) -> int:
        return len(self.rows_of_t)

    def rows(
        self, table: SourceTable, columns: Sequence[str], order_by: Any = (), after: Any = None, span: Any = None
    ) -> Iterator[Any]:
        assert list(columns) == ["id", "n"]
        return iter(self.rows_of_t)

    def long_rows(self, table: SourceTable, columns: Sequence[str], span: Any = None) -> Iterator[Any]:
        return self.rows(table, columns, span=span)

    def fingerprint(self) -> str:
        return self.print
