# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sequences go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import TargetError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._sequences import SequenceState, next_free


def sequence(last: int = 1, called: bool = False, increment: int = 1, top: int = 2**31 - 1) -> SequenceState:
    return SequenceState("public", "s", increment, -(2**31), top, last, called)


@pytest.mark.parametrize(
    ("state", "used", "following"),
    [
        (sequence(), None, 1),
        (sequence(), 0, 1),
        (sequence(), 1, 2),
        (sequence(), 41, 42),
        (sequence(100, True), 41, 101),
        (sequence(3, increment=10), 3, 13),
        (sequence(3, increment=10), 12, 13),
        (sequence(3, True, increment=10), 13, 23),
        (sequence(-1, increment=-1), -5, -6),
        (sequence(-1, increment=-1), 7, -1),
        (sequence(), 2**31 - 2, 2**31 - 1),
    ],
)
def test_next(state: SequenceState, used: int | None, following: int) -> None:
    assert next_free(state, used) == following


def test_the_end_of_a_sequence() -> None:
    with pytest.raises(TargetError, match="public.s cannot go past 2147483647"):
        next_free(sequence(), 2**31 - 1)
    # One that was never to be moved may stand behind its end.
    assert next_free(sequence(2**31 - 1, True), 5) == 2**31


@given(st.integers(-50, 50), st.booleans(), st.integers(-9, 9).filter(bool), st.none() | st.integers(-500, 500))
def test_past_everything_in_use_and_never_back(last: int, called: bool, increment: int, used: int | None) -> None:
    state = sequence(last, called, increment)
    following = next_free(state, used)
    direction = 1 if increment > 0 else -1
    assert (following - state.next) % increment == 0
    assert (following - state.next) * direction >= 0
    if used is not None:
        assert (following - used) * direction > 0
        if following != state.next:
            assert (following - increment - used) * direction <= 0
