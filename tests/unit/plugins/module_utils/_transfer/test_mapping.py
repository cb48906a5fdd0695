# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes where: names, renames, what is left out with a reason, what is refused, and in which order it loads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import MappingError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping, require_sound
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    ForeignKey,
    Mapping,
    MappingOptions,
    RuleSpec,
    SourceColumn,
    SourceTable,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import SqlType, parse_type


def source(name: str, *columns: str, **options: Any) -> SourceTable:
    return SourceTable(name, tuple(SourceColumn(column) for column in columns or ("id",)), **options)


def target(name: str, *columns: str, **options: Any) -> TargetTable:
    """Columns as C(name:type[!]) where C(!) means NOT NULL."""
    made = []
    for column in columns or ("id",):
        column_name, _, kind = column.partition(":")
        made.append(TargetColumn(column_name, parse_type(kind.rstrip("!") or "integer"), not_null=kind.endswith("!")))
    return TargetTable("public", name, tuple(made), **options)


def reasons(mapping: Mapping) -> list[tuple[str, str, str]]:
    return [(problem.table, problem.column, problem.reason) for problem in mapping.problems]


def test_same_names_map_and_letter_case_alone_is_forgiven() -> None:
    mapping = plan_mapping([source("Users", "ID", "name")], [target("users", "id", "name:text")], MappingOptions())
    assert reasons(mapping) == []
    (table,) = mapping.tables
    assert [(column.source, column.target.name) for column in table.columns] == [("ID", "id"), ("name", "name")]
    assert table.source_of("id") == "ID" and mapping.by_target("users") is table


def test_two_candidates_in_other_letter_case_are_not_guessed_between() -> None:
    mapping = plan_mapping([source("USERS")], [target("users"), target("Users")], MappingOptions())
    assert reasons(mapping) == [("USERS", "", "the target has no table USERS")]


def test_columns_follow_the_target_and_renames_hold() -> None:
    options = MappingOptions(rename_tables={"a": "b"}, rename_columns={"a.old": "new"})
    mapping = plan_mapping([source("a", "old", "id")], [target("b", "id", "new")], options)
    assert [(column.source, column.target.name) for column in mapping.tables[0].columns] == [
        ("id", "id"),
        ("old", "new"),
    ]


def test_what_is_left_out_is_named_with_its_reason() -> None:
    tables = [
        source("alembic_version", "version_num"),
        source("log"),
        source("fts", kind="virtual"),
        SourceTable("t", (SourceColumn("id"), SourceColumn("virtual", generated=True), SourceColumn("tsv"))),
    ]
    wanted = TargetTable(
        "public",
        "t",
        (TargetColumn("id", SqlType("integer")), TargetColumn("tsv", SqlType("tsvector"), generated=True)),
    )
    mapping = plan_mapping(tables, [wanted], MappingOptions(exclude=("log",)))
    assert [(item.table, item.column, item.reason.split(",")[0]) for item in mapping.skipped] == [
        ("alembic_version", "", "Alembic keeps it on each side for itself"),
        ("log", "", "excluded"),
        ("fts", "", "a virtual table: its content is derived"),
        ("t", "virtual", "generated in SQLite"),
        ("t", "tsv", "generated in PostgreSQL"),
    ]
    assert reasons(mapping) == []


def test_all_problems_are_told_at_once() -> None:
    mapping = plan_mapping(
        [source("lost"), source("t", "id", "extra", "net"), source("u")],
        [target("t", "id", "net:inet", "must:text!"), target("u")],
        MappingOptions(
            exclude=("typo",),
            rename_columns={"t.typo": "x"},
            rules=(
                RuleSpec("t", "id", "no_such_rule"),
                RuleSpec("t", "id", "strip_nul"),
                RuleSpec("nowhere", "*", "strip_nul"),
                RuleSpec("u", "id", "map"),
            ),
        ),
    )
    assert [(table, column) for table, column, _ in reasons(mapping)] == [
        ("typo", ""),
        ("t.typo", ""),
        ("lost", ""),
        ("t", "id"),
        ("t", "extra"),
        ("t", "net"),
        ("t", "must"),
        ("t.id", ""),
        ("nowhere.*", ""),
        ("u.id", ""),
    ]
    with pytest.raises(MappingError) as caught:
        require_sound(mapping)
    assert len(caught.value.details["problems"]) == 10 and "lost" in str(caught.value)


def test_a_wildcard_rule_takes_only_columns_it_is_for() -> None:
    mapping = plan_mapping(
        [source("t", "id", "name")],
        [target("t", "id", "name:text")],
        MappingOptions(rules=(RuleSpec("*", "*", "strip_nul"),)),
    )
    assert reasons(mapping) == []
    assert [[use.rule for use in column.rules] for column in mapping.tables[0].columns] == [[], ["strip_nul"]]


def test_two_tables_cannot_fill_one() -> None:
    mapping = plan_mapping([source("a"), source("b")], [target("b")], MappingOptions(rename_tables={"a": "b"}))
    assert reasons(mapping) == [("b", "", "a goes to b already")]


def test_a_long_chain_loads_parents_first() -> None:
    names = [f"t{index:04d}" for index in range(3000)]
    tables = [
        source(name, foreign_keys=(ForeignKey(("id",), names[index + 1], ("id",)),) if index + 1 < len(names) else ())
        for index, name in enumerate(names)
    ]
    mapping = plan_mapping(tables, [target(name) for name in names], MappingOptions())
    assert [table.source.name for table in mapping.tables] == names[::-1]


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_order_holds_every_table_once_and_parents_first_without_cycles(edges: set[tuple[int, int]]) -> None:
    def make(keep: Any) -> list[str]:
        tables = [
            source(
                f"t{child}",
                foreign_keys=tuple(
                    ForeignKey(("id",), f"t{parent}", ("id",))
                    for c, parent in sorted(edges)
                    if c == child and keep(c, parent)
                ),
            )
            for child in range(8)
        ]
        mapping = plan_mapping(tables, [target(f"t{child}") for child in range(8)], MappingOptions())
        return [table.source.name for table in mapping.tables]

    assert sorted(make(lambda child, parent: True)) == [f"t{child}" for child in range(8)]
    acyclic = make(lambda child, parent: parent < child)
    for child, parent in edges:
        if parent < child:
            assert acyclic.index(f"t{parent}") < acyclic.index(f"t{child}")


@pytest.mark.parametrize(
    ("text", "name", "length", "scale"),
    [
        ("INTEGER", "integer", None, None),
        ("VARCHAR(40)", "character varying", 40, None),
        ("TIMESTAMP WITHOUT TIME ZONE", "timestamp without time zone", None, None),
        ("timestamp(3) with time zone", "timestamp with time zone", 3, None),
        ("NUMERIC(10, 2)", "numeric", 10, 2),
        ("numeric(7)", "numeric", 7, 0),
        ("FLOAT", "double precision", None, None),
        ("FLOAT(24)", "real", None, None),
        ("FLOAT(53)", "double precision", None, None),
        ("extensions.vector(384)", "vector", 384, None),
        ("JSONB", "jsonb", None, None),
    ],
)
def test_type_spellings(text: str, name: str, length: int | None, scale: int | None) -> None:
    parsed = parse_type(text)
    assert (parsed.name, parsed.length, parsed.scale) == (name, length, scale)


def test_enums_and_arrays() -> None:
    enums = {"mood": ["A", "B"], "public.mood": ["A", "B"]}
    assert parse_type("mood", enums).labels == ("A", "B")
    assert parse_type("public.mood", enums).name == "enum"
    array = parse_type("mood[]", enums)
    assert array.element is not None and array.element.labels == ("A", "B")
