# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file of proofs holds for, and which rows a sample takes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import FIRST_ROWID, LAST_ROWID, Span
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._proofs import (
    SAMPLE_ROWS,
    Proof,
    head,
    read_proofs,
    sampled,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._verdict import TableVerdict


def verdict() -> TableVerdict:
    found = TableVerdict("post", "posts", 20, source_rows=7, target_rows=6, quarantined=1, values=12, order="ranges")
    found.source_extremes["id"] = 7
    return found


def test_a_proof_comes_back_as_it_was_found() -> None:
    proof = Proof.of(verdict(), Span(1, 9), 4711)
    assert proof is not None
    assert read_proofs([head("a"), proof.line()], "a") == [proof]
    given_back = TableVerdict("post", "posts", 20)
    proof.give(given_back)
    assert given_back == verdict()


def test_what_differs_is_no_proof() -> None:
    found = verdict()
    found.differs("id=1", "body", "a", "b")
    assert Proof.of(found, Span(1, 9), 4711) is None


def test_proofs_hold_for_one_thing_only() -> None:
    assert read_proofs([head("a")], "a") == []
    for lines in ([], [""], [head("b")], ["nonsense"], ["[]"]):
        assert read_proofs(lines, "a") is None


def test_a_line_that_was_not_finished_is_left_out() -> None:
    proof = Proof.of(verdict(), Span(1, 9), 4711)
    assert proof is not None
    lines = [head("a"), proof.line()[:-9], "", proof.line(), proof.line()[:20]]
    assert read_proofs(lines, "a") == [proof]


@given(
    st.integers(FIRST_ROWID, LAST_ROWID),
    st.integers(0, 10**12),
    st.integers(1, 10**6),
    st.floats(0.01, 99.9),
    st.text(max_size=5),
)
def test_a_sample_is_of_the_size_asked_for(first: int, width: int, rows: int, percent: float, seed: str) -> None:
    ends = Span(first, min(first + width, LAST_ROWID))
    rows = min(rows, ends.last - ends.first + 1)
    spans = sampled(ends, rows, percent, seed)
    assert spans == sampled(ends, rows, percent, seed)
    assert ends.first <= spans[0].first and spans[-1].last <= ends.last
    assert all(span.first <= span.last for span in spans)
    assert all(one.last < other.first for one, other in pairwise(spans))
    share = sum(span.last - span.first + 1 for span in spans) / (ends.last - ends.first + 1)
    # A piece more or less, and pieces of the same width up to one row.
    pieces = min(-(-rows // SAMPLE_ROWS), ends.last - ends.first + 1)
    assert abs(share - percent / 100) <= 2 / pieces
