# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part in the benchmarks, and who is chosen by name."""

from __future__ import annotations

import pytest

from benchmarks.bench import Rounds
from benchmarks.lineup import WHOLE, chosen, everything


def names(*words: str) -> list[tuple[str, str]]:
    return [(one.group, one.name) for one in chosen(everything(), words)]


def test_names_are_unique_in_a_group_and_bases_come_first() -> None:
    seen: set[tuple[str, str]] = set()
    for one in everything():
        assert (one.group, one.name) not in seen
        assert not one.against or (one.group, one.against) in seen, one.name
        assert one.aim is None or one.against, one.name
        assert "," not in one.name, "BENCH_ONLY could not name it"
        seen.add((one.group, one.name))


def test_a_verification_stands_right_behind_the_load_that_it_looks_at() -> None:
    lineup = everything()
    found = [place for place, one in enumerate(lineup) if one.name.startswith("verification")]
    assert found
    for place in found:
        assert lineup[place].against == lineup[place - 1].name
        assert lineup[place].workers == lineup[place - 1].workers


def test_all_take_part_unless_named() -> None:
    assert names() == [(one.group, one.name) for one in everything()]


def test_whoever_is_named_brings_the_whole_chain_that_it_is_held_against() -> None:
    assert names("sqlalchemy orm") == [
        (WHOLE, "limit (2 connections)"),
        (WHOLE, "mcps.postgres (2 workers)"),
        (WHOLE, "SQLAlchemy ORM"),
    ]


def test_a_word_that_names_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="'mysql'"):
        names("verification", "mysql")


def test_slow_contenders_take_part_in_the_first_rounds_only() -> None:
    whole = [one for one in everything() if one.group == WHOLE]
    rounds = Rounds(all=3, slow=1)
    assert rounds.members(whole, 0) == whole
    late = {one.name for one in rounds.members(whole, 2)}
    assert {one.name for one in whole if one.scales} < late
    assert not any(word in name for name in late for word in ("value by value", "SQLAlchemy", "DuckDB"))
    assert rounds.members(whole, 3) == []
