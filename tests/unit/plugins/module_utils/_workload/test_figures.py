# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of several processes come together as if one had counted."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._workload._driver import Tally, summary
from ansible_collections.mcps.postgres.plugins.module_utils._workload._figures import (
    figures_of,
    median,
    quantile,
    ratio,
)


def tally(durations: list[float], elapsed: float, errors: int = 0) -> Tally:
    made = Tally()
    for duration in durations:
        made.done(duration)
    for _ in range(errors):
        made.failed(RuntimeError("database is\n locked"), 0.5)
    made.elapsed = elapsed
    return made


@given(
    st.lists(st.floats(min_value=1e-6, max_value=100), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95, 1])
)
def test_a_quantile_is_within_two_per_cent(durations: list[float], share: float) -> None:
    found = quantile(tally(durations, 1.0).histogram, share)
    exact = sorted(durations)[math.ceil(share * len(durations)) - 1]
    assert found == pytest.approx(exact, rel=0.021)


def test_processes_are_added_up() -> None:
    chance = random.Random(1)
    durations = [chance.uniform(0.001, 0.01) for _ in range(1000)]
    one = [summary([tally(durations[:400], 2.0, errors=3)]), summary([tally(durations[400:], 4.0, errors=1)])]
    found = figures_of(one, clients=2)
    together = figures_of([summary([tally(durations, 1.0)])], clients=2)
    assert (found.p50, found.p95) == (together.p50, together.p95)
    assert found.rate == 400 / 2 + 600 / 4
    assert (found.operations, found.seconds, found.clients) == (1000, 4.0, 2)
    assert found.errors == {"database is locked": 4}
    # An operation that failed has kept its client waiting all the same.
    assert found.slowest == 0.5


def test_nothing_done_is_no_figure() -> None:
    found = figures_of([summary([tally([], 1.0, errors=1)])], clients=1)
    assert (found.operations, found.rate, found.p50, found.p95) == (0, 0.0, None, None)
    assert ratio(found.rate, 5.0) is None and ratio(5.0, found.rate) is None


@pytest.mark.parametrize(
    ("values", "expected"), [([3.0], 3.0), ([4.0, 1.0], 2.5), ([9.0, 1.0, 2.0], 2.0)], ids=["one", "two", "three"]
)
def test_median(values: list[float], expected: float) -> None:
    assert median(values) == expected
