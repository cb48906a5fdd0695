# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sequence has to go on after rows with keys of their own were loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._errors import TargetError


@dataclass(frozen=True)
class SequenceState:
    """A sequence: I(last) and I(called) are PostgreSQL's last_value and is_called."""

    schema: str
    name: str
    increment: int
    minimum: int
    maximum: int
    last: int
    called: bool

    @property
    def next(self) -> int:
        """What nextval() would give (a bound that it would hit is not looked at)."""
        return self.last + self.increment if self.called else self.last


def next_free(state: SequenceState, used: Optional[int]) -> int:
    """The first number of I(state)'s own series, at or behind its next one, that lies past I(used).

    I(used) is the outermost number in use in the direction of the increment (the largest; for a descending sequence
    the smallest), None for an empty table. Raises TargetError if the sequence ends before it.
    """
    following = state.next
    if used is not None:
        step = abs(state.increment)
        behind = (used - following) if state.increment > 0 else (following - used)
        if behind >= 0:
            following += state.increment * (behind // step + 1)
    if following == state.next:
        return following
    if not state.minimum <= following <= state.maximum:
        raise TargetError(
            f"Sequence {state.schema}.{state.name} cannot go past {used}: it ends at"
            f" {state.maximum if state.increment > 0 else state.minimum}.",
            advice="Give the column and its sequence a wider type (bigint) by an Alembic revision,"
            " or correct the row that holds this key.",
            details={"sequence": f"{state.schema}.{state.name}", "value": used},
        )
    return following
