# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promises of the SQLite schema that the target has to make too."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._counterparts import missing_counterparts
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    ForeignKey,
    MappingOptions,
    SourceColumn,
    SourceTable,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type

INTEGER = parse_type("integer")
Names = Tuple[str, ...]
RENAMED = MappingOptions(rename_tables={"parent": "elder"}, rename_columns={"child.up": "elder_id"})


def problems(
    *,
    unique: Tuple[Names, ...] = (),
    foreign: Tuple[ForeignKey, ...] = (),
    target_key: Names = ("id",),
    target_unique: Tuple[Names, ...] = (),
    target_foreign: Tuple[ForeignKey, ...] = (),
    options: MappingOptions = RENAMED,
) -> List[Tuple[str, str]]:
    source = [
        SourceTable("parent", (SourceColumn("id"), SourceColumn("code")), ("id",)),
        SourceTable("child", tuple(SourceColumn(name) for name in ("id", "up", "a", "b")), ("id",), foreign, unique),
    ]
    names = ("id", "elder_id", "a", "b")
    target = [
        TargetTable("s", "elder", tuple(TargetColumn(name, INTEGER) for name in ("id", "code")), ("id",)),
        TargetTable(
            "s",
            "child",
            tuple(TargetColumn(name, INTEGER) for name in names),
            target_key,
            target_foreign,
            target_unique,
        ),
    ]
    mapping = plan_mapping(source, target, options)
    assert not mapping.problems
    return [(problem.table, problem.column) for problem in missing_counterparts(mapping)]


def test_nothing_is_missing() -> None:
    assert (
        problems(
            unique=(("a", "b"),),
            foreign=(ForeignKey(("up",), "parent", ("id",)),),
            target_unique=(("b", "a"),),
            target_foreign=(ForeignKey(("elder_id",), "elder", ("id",), "fk"),),
        )
        == []
    )


def test_primary_key() -> None:
    assert problems(target_key=()) == [("child", "id")]
    assert problems(target_key=(), target_unique=(("id",),)) == []


def test_unique() -> None:
    assert problems(unique=(("a", "b"), ("a",)), target_unique=(("a",),)) == [("child", "a, b")]


@pytest.mark.parametrize(
    "there",
    [
        (),
        (ForeignKey(("a",), "elder", ("id",)),),
        (ForeignKey(("elder_id",), "child", ("id",)),),
        (ForeignKey(("elder_id",), "elder", ("code",)),),
    ],
)
def test_foreign_key(there: Tuple[ForeignKey, ...]) -> None:
    assert problems(foreign=(ForeignKey(("up",), "parent", ("id",)),), target_foreign=there) == [("child", "up")]


def test_composite_foreign_key_pairs_its_columns() -> None:
    wanted = ForeignKey(("a", "b"), "parent", ("id", "code"))
    assert problems(foreign=(wanted,), target_foreign=(ForeignKey(("b", "a"), "elder", ("code", "id")),)) == []
    crossed = (ForeignKey(("a", "b"), "elder", ("code", "id")),)
    assert problems(foreign=(wanted,), target_foreign=crossed) == [("child", "a, b")]


def test_what_is_left_out_needs_no_counterpart() -> None:
    options = MappingOptions(rename_columns={"child.up": "elder_id"}, exclude=("parent",), exclude_columns=("child.a",))
    assert problems(unique=(("a", "b"),), foreign=(ForeignKey(("up",), "parent", ("id",)),), options=options) == []
