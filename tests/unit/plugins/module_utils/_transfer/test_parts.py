# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a table's rowids are parted, and how a crew works off its jobs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer._crew import Crew, Stopped
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import FIRST_ROWID, LAST_ROWID, Span
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._parts import (
    MAX_PARTS,
    PART_BYTES,
    Part,
    estimate,
    spans,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import InvalidText
from support.one_table import Source, mapping


def test_a_table_is_parted_by_its_size() -> None:
    assert spans(1, 100, 0) == [Span(1, 100)]
    assert spans(1, 100, 3 * PART_BYTES) == [Span(1, 33), Span(34, 66), Span(67, 100)]
    assert spans(5, 5, 100 * PART_BYTES) == [Span(5, 5)]
    assert len(spans(FIRST_ROWID, LAST_ROWID, 10**6 * PART_BYTES)) == MAX_PARTS


def test_the_size_of_a_table_is_that_of_its_first_rows_times_their_number() -> None:
    source: Any = Source([(1, "abc"), (None, InvalidText(b"ab\xff")), (22, b"12345"), (-1, 0.25)])
    (table,) = mapping().tables
    assert estimate(source, table, 4) == len("1,abc,None,123,22,12345,-1,0.25,")
    assert estimate(source, table, 4000) == 1000 * estimate(source, table, 4)
    assert estimate(Source([]), table, 5) == 0  # type: ignore[arg-type]
    for other in (replace(table.source, rowid=None), replace(table.source, kind="virtual")):
        assert estimate(source, replace(table, source=other), 4) == 0


ROWIDS = st.integers(-60, 60)


@given(ROWIDS, ROWIDS, st.integers(0, 20), st.lists(st.tuples(ROWIDS, ROWIDS)))
def test_what_is_left_is_everything_that_is_not_done_once(
    one: int, other: int, parts: int, done: list[tuple[int, int]]
) -> None:
    first, last = sorted((one, other))
    finished = [Part(min(part), max(part), 0, 0) for part in done]
    left = [
        key for span in spans(first, last, parts * PART_BYTES, finished) for key in range(span.first, span.last + 1)
    ]
    there = {key for part in finished for key in range(part.first, part.last + 1)}
    assert left == [key for key in range(first, last + 1) if key not in there]


class Hand:
    """A member that can be interrupted while it waits."""

    def __init__(self) -> None:
        self.stop = threading.Event()


def crew(size: int) -> tuple[list[Hand], Crew[Hand]]:
    hands = [Hand() for _ in range(size)]
    return hands, Crew(hands, lambda hand: hand.stop.set())


@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_job_and_what_follows_from_it_is_done(size: int) -> None:
    done: list[str] = []

    def job(name: str, depth: int) -> Any:
        def work(_hand: Hand) -> Sequence[Any]:
            done.append(name)
            return [job(f"{name}.{number}", depth - 1) for number in range(2)] if depth else []

        return work

    crew(size)[1].work([job("a", 3), job("b", 2)])
    assert len(done) == len(set(done)) == 15 + 7


def test_the_first_error_stops_the_others() -> None:
    _, team = crew(3)
    began = threading.Barrier(3)
    stopped: list[str] = []

    def waiting(hand: Hand) -> Sequence[Any]:
        began.wait(10)
        assert hand.stop.wait(10)
        with pytest.raises(Stopped):
            team.check()
        stopped.append("interrupted")
        raise Stopped

    def failing(_hand: Hand) -> Sequence[Any]:
        began.wait(10)
        raise ValueError("first")

    def never(_hand: Hand) -> Sequence[Any]:
        stopped.append("never")
        return []

    def first(hand: Hand) -> Sequence[Any]:
        # The calling thread must not be the one that waits: nobody interrupts it but the user.
        return failing(hand) if hand is team._members[0] else waiting(hand)

    with pytest.raises(ValueError, match="first"):
        team.work([first, first, first, never, never])
    assert stopped == ["interrupted", "interrupted"]
    team.work([lambda _hand: []])
    assert not team.failed
