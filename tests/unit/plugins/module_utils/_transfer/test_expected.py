# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tables that are there differ from those that are expected, as far as no server is needed to tell."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._expected import (
    Verdict,
    compared,
    differences,
    with_drift,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    Check,
    ForeignKey,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type

INTEGER = parse_type("integer")


def table(
    *columns: TargetColumn, keys: Sequence[ForeignKey] = (), checks: Optional[Sequence[Check]] = None
) -> TargetTable:
    whole = columns or (TargetColumn("a", INTEGER),)
    return TargetTable("s", "t", whole, foreign_keys=tuple(keys), checks=None if checks is None else tuple(checks))


def key(name: str = "", on_delete: Optional[str] = None, deferrable: Optional[str] = None) -> ForeignKey:
    return ForeignKey(("a",), "p", ("id",), name, on_delete, on_delete and "NO ACTION", deferrable)


class Court:
    """Says of every pair what it was told to say; a condition means what it reads."""

    def __init__(self, same: Optional[bool] = None) -> None:
        self.verdict = Verdict(same, "because")

    def default(self, table: TargetTable, column: TargetColumn, expected: str) -> Verdict:
        return self.verdict

    generated = default

    def check(self, table: TargetTable, found: str, expected: str) -> Verdict:
        return self.verdict

    def condition(self, table: TargetTable, expected: str) -> Tuple[str, str]:
        return ("", "no such function") if "typeof" in expected else (f"({expected})", "")


@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        ([key(on_delete="CASCADE")], [key("fk", "CASCADE", "NOT DEFERRABLE")], []),
        ([key()], [key("fk", "CASCADE", "DEFERRABLE")], []),
        (
            [key(on_delete="CASCADE")],
            [key("fk", "NO ACTION", "NOT DEFERRABLE")],
            [
                "fk (a) to p (id) is ON DELETE NO ACTION and not ON DELETE CASCADE",
                'REFERENCES "s"."p" ("id") ON DELETE',
            ],
        ),
        (
            [key(on_delete="NO ACTION", deferrable="DEFERRABLE")],
            [key("fk", "SET NULL", "NOT DEFERRABLE")],
            ["not ON DELETE NO ACTION", "NOT DEFERRABLE and not DEFERRABLE"],
        ),
        # One of two over the same columns is enough.
        ([key(on_delete="CASCADE")], [key("fk1", "NO ACTION"), key("fk2", "CASCADE")], []),
    ],
)
def test_what_foreign_keys_do(
    expected: Sequence[ForeignKey], found: Sequence[ForeignKey], words: Sequence[str]
) -> None:
    listed = differences([table(keys=expected)], [table(keys=found)])
    assert [difference.kind for difference in listed] == (["foreign_key"] if words else [])
    assert all(word in listed[0].detail and listed[0].severity == "error" for word in words), listed


def test_drift_says_nothing_again() -> None:
    listed = differences([table(keys=[key(on_delete="CASCADE")])], [table(keys=[key("fk", "NO ACTION")])])
    drift = [
        {"operation": operation, "table": "t", "column": "", "detail": "fk (a)"}
        for operation in ("remove_fk", "add_fk")
    ]
    assert with_drift(listed, drift) == listed and len(with_drift([], drift)) == 2


ONE, TWO, NAMED = Check("", "a > 0"), Check("", "b > 0"), Check("low", "a < 9")
THERE = Check("t_a_check", "(a > 0)")


@pytest.mark.parametrize(
    ("expected", "found", "severities"),
    [
        (None, [THERE], []),
        ([ONE, NAMED], [THERE, Check("low", "(a < 9)")], []),
        # What has the number, and no names, is left to a judge.
        ([ONE], [Check("t_b_check", "(b > 0)")], []),
        ([NAMED], [Check("lower", "(a < 9)")], []),
        ([ONE], [], ["error"]),
        ([ONE, TWO, NAMED], [THERE], ["error"]),
        ([], [THERE], ["note"]),
        ([ONE], [THERE, Check("x", "c"), Check("y", "d")], ["note"]),
    ],
)
def test_checks_are_counted_without_a_judge(
    expected: Optional[Sequence[Check]], found: Sequence[Check], severities: Sequence[str]
) -> None:
    listed = differences([table(checks=expected)], [table(checks=found)])
    assert [difference.severity for difference in listed] == severities
    assert {difference.kind for difference in listed} <= {"check"}


@pytest.mark.parametrize(
    ("expected", "found", "same", "words", "unknown"),
    [
        ([ONE], [THERE], False, [], 0),
        ([NAMED], [Check("lower", "(a < 9)")], False, [], 0),
        ([NAMED], [Check("low", "(a < 8)")], True, [], 0),
        ([NAMED], [Check("low", "(a < 8)")], False, ["low is (a < 8), and a < 9 is expected: because"], 0),
        ([NAMED], [Check("low", "(a < 8)")], None, [], 1),
        ([NAMED], [Check("other", "(b)")], False, ["low (a < 9) is not there", "CHECK constraint other ((b))"], 0),
        ([ONE], [Check("t_b_check", "(b > 0)")], False, ["t_b_check is (b > 0)"], 0),
        ([ONE], [Check("t_b_check", "(b > 0)")], None, [], 1),
        ([ONE, TWO], [Check("x", "(c)"), Check("y", "(d)")], None, [], 1),
        ([ONE, TWO], [THERE], None, ["(b > 0) is not there; ALTER TABLE"], 0),
        ([Check("kind", "typeof(a) = 'text'")], [], None, ["PostgreSQL takes no such condition (no such function)"], 0),
        ([Check("kind", "")], [Check("kind", "(a)")], True, [], 1),
    ],
)
def test_checks_are_judged(
    expected: Sequence[Check], found: Sequence[Check], same: Optional[bool], words: Sequence[str], unknown: int
) -> None:
    comparison = compared([table(checks=expected)], [table(checks=found)], Court(same))
    assert len(comparison.differences) == len(words), comparison
    assert all(word in item.detail for word, item in zip(words, comparison.differences, strict=True)), comparison
    assert [item.kind for item in comparison.not_compared] == ["check"] * unknown


def column(expression: Optional[str], *, generated: bool = False, identity: str = "") -> TargetColumn:
    return TargetColumn("a", INTEGER, False, not generated, generated, identity, expression)


@pytest.mark.parametrize(
    ("expected", "found", "same", "differ", "unknown"),
    [
        (column("1"), column("2"), True, "", ""),
        (column("1"), column("2"), False, "its default is 2, and 1 is expected: because", ""),
        (column("1"), column("2"), None, "", "because"),
        (column(None), column("2"), False, "", ""),
        (column(""), column("2"), True, "", "cannot be written as SQL"),
        (column("1"), column(None), True, "", "domain"),
        (column("1"), column(None, identity="d"), True, "", "numbers itself"),
        (column("b", generated=True), column("c", generated=True), False, "computed by c, and b is expected", ""),
    ],
)
def test_expressions_are_judged(
    expected: TargetColumn, found: TargetColumn, same: Optional[bool], differ: str, unknown: str
) -> None:
    comparison = compared([table(expected)], [table(found)], Court(same))
    for words, listed in ((differ, comparison.differences), (unknown, comparison.not_compared)):
        assert len(listed) == bool(words) and all(words in item.detail and item.column == "a" for item in listed)
    assert differences([table(expected)], [table(found)]) == []
