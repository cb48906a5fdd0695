# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How differences are shown, and when a sequence is ahead."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._sequences import SequenceState
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._verdict import (
    TableVerdict,
    judge_sequence,
    name_row,
    show_row,
    show_values,
)


@pytest.mark.parametrize(
    "source, target, expected",
    [
        ("a", "a ", ("'a'", "'a '")),
        ("", None, ("''", "NULL")),
        (None, "null", ("NULL", "'null'")),
        ("\u00e9", "e\u0301", ("'\\xe9'", "'e\\u0301'")),
        ("a\u00a0b", "a b", ("'a\\xa0b'", "'a b'")),
    ],
)
def test_both_values_can_be_told_apart(source: Optional[str], target: Optional[str], expected: object) -> None:
    assert show_values(source, source, target) == expected


def test_a_difference_far_inside_is_shown_where_it_is() -> None:
    left, right = "x" * 5000 + "A" + "y" * 50, "x" * 5000 + "B" + "y" * 50
    one, two = show_values(left, left, right)
    assert one.startswith("at character 5000: ...'xxx") and "xA" in one
    assert two.startswith("at character 5000: ...'xxx") and "xB" in two
    assert len(one) < 150


def test_a_long_text_that_was_cut() -> None:
    one, two = show_values("x" * 200, "x" * 200, "x" * 199)
    assert one != two


def test_one_flipped_bit_in_a_long_blob() -> None:
    blob = bytes(300)
    other = bytes(250) + b"\x01" + bytes(49)
    one, two = show_values(blob, "\\x" + blob.hex(), "\\x" + other.hex())
    assert one != two
    assert one.startswith("at character 503: ")


def test_names() -> None:
    assert name_row(("id", "tag"), (7, "a")) == "id=7, tag='a'"
    assert len(show_row(("a", "b", "c", "d", "e"), ("x" * 500,) * 5)) < 400


SEQUENCES = [
    # last value, called, increment, outermost on source and target, next, ok
    (10, True, 1, 10, 10, 11, True),
    (10, True, 1, 11, 10, 11, False),
    (10, True, 1, 10, 11, 11, False),
    (10, False, 1, 10, 10, 10, False),
    (11, False, 1, 10, 10, 11, True),
    (1, False, 1, None, None, 1, True),
    (1, False, 1, 0, 0, 1, True),
    (10, True, 5, 14, 10, 15, True),
    (10, True, 5, 15, 10, 15, False),
    (-10, True, -1, -10, -9, -11, True),
    (-10, True, -1, -11, -9, -11, False),
]


@pytest.mark.parametrize("last, called, increment, source, target, following, ok", SEQUENCES)
def test_sequences(
    last: int, called: bool, increment: int, source: Optional[int], target: Optional[int], following: int, ok: bool
) -> None:
    verdict = TableVerdict("s", "t", 5)
    if source is not None and target is not None:
        verdict.source_extremes["id"] = source
        verdict.target_extremes["id"] = target
    judged = judge_sequence(SequenceState("s", "t_id_seq", increment, -100, 100, last, called), "id", verdict)
    assert judged.as_dict()["next"] == following
    assert judged.ok is ok


def test_a_key_that_sqlite_gave_out_once_is_not_given_again() -> None:
    verdict = TableVerdict("s", "t", 5, source_extremes={"id": 10})
    state = SequenceState("s", "t_id_seq", 1, 1, 100, 10, True)
    assert judge_sequence(state, "id", verdict, counter=10).ok
    assert not judge_sequence(state, "id", verdict, counter=11).ok
    assert not judge_sequence(state, "id", TableVerdict("s", "t", 5), counter=11).ok


def test_everything_is_counted_and_a_few_are_kept() -> None:
    verdict = TableVerdict("s", "t", 2)
    verdict.lacks("id=1", "row")
    verdict.has_extra("id=2", "row")
    verdict.differs("id=3", "c", "1", "2")
    assert (verdict.missing, verdict.extra, verdict.different) == (1, 1, 1)
    assert [difference.kind for difference in verdict.differences] == ["missing", "extra"]
    assert not verdict.equal
