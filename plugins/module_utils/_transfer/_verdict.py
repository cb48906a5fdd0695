# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison found: every difference counted, the first ones of each table kept and shown readably."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ._sequences import SequenceState
from ._values import SAMPLE_LENGTH, SqliteValue, sample

#: What stands in a difference where one side has no such row.
NO_ROW = "(no row)"


@dataclass(frozen=True)
class Difference:
    """One difference between the two sides.

    I(kind) is V(missing) (the target lacks the row), V(extra) (only the target has it) or V(different) (one value
    differs). I(table) and I(column) are the source's names; I(column) is empty where the whole row is meant.
    """

    table: str
    key: str
    column: str
    source: str
    target: str
    kind: str

    def as_dict(self) -> Dict[str, str]:
        return {
            "table": self.table,
            "key": self.key,
            "column": self.column,
            "source": self.source,
            "target": self.target,
            "kind": self.kind,
        }


@dataclass
class TableVerdict:
    """How one table compares.

    I(missing) and I(extra) count rows, I(different) counts values; I(differences) holds the first I(limit) of all of
    them. I(compared_rows) are those of the source's rows that were looked at. I(quarantined) counts the source's rows that the quarantine file names, which are expected to be absent from
    the target. I(source_extremes) and I(target_extremes) hold, by target column, the outermost values of the columns
    that were watched.
    """

    table: str
    target: str
    limit: int
    source_rows: int = 0
    compared_rows: int = 0
    target_rows: int = 0
    quarantined: int = 0
    values: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    seconds: float = 0.0
    order: str = ""
    differences: List[Difference] = field(default_factory=list)
    source_extremes: Dict[str, int] = field(default_factory=dict)
    target_extremes: Dict[str, int] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        return not (self.missing or self.extra or self.different)

    def lacks(self, key: str, row: str, column: str = "", reason: str = "") -> None:
        """The target has no row I(key); I(column) and I(reason) say why, where the source's value does not fit."""
        self.missing += 1
        shown = f"{NO_ROW[:-1]}: {reason})" if reason else NO_ROW
        self._keep(Difference(self.table, key, column, row, shown, "missing"))

    def has_extra(self, key: str, row: str) -> None:
        """Only the target has the row I(key)."""
        self.extra += 1
        self._keep(Difference(self.table, key, "", NO_ROW, row, "extra"))

    def differs(self, key: str, column: str, source: str, target: str) -> None:
        """One value of a row that both sides have differs."""
        self.different += 1
        self._keep(Difference(self.table, key, column, source, target, "different"))

    @property
    def full(self) -> bool:
        """Whether further differences are only counted, so that nobody needs to describe them."""
        return len(self.differences) >= self.limit

    def absorb(self, part: TableVerdict) -> None:
        """Take over what was found in other rows of the same table."""
        for name in ("source_rows", "target_rows", "quarantined", "values", "missing", "extra", "different"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        for difference in part.differences:
            self._keep(difference)

    def compared_all(self) -> TableVerdict:
        """Say that the rows which were counted are those which were looked at."""
        self.compared_rows = self.source_rows
        return self

    def count_in(self, source_rows: int, target_rows: int, quarantined: int) -> None:
        """Add the rows that a sample did not look at, of which only the numbers are known."""
        unseen = (source_rows - quarantined - target_rows) - (self.missing - self.extra)
        self.source_rows, self.target_rows, self.quarantined = source_rows, target_rows, quarantined
        if unseen:
            self.missing += max(unseen, 0)
            self.extra += max(-unseen, 0)
            shown = f"{source_rows - quarantined} rows", f"{target_rows} rows"
            kind = "missing" if unseen > 0 else "extra"
            self._keep(Difference(self.table, "(rows outside of the sample)", "", *shown, kind))

    def _keep(self, difference: Difference) -> None:
        if not self.full:
            self.differences.append(difference)

    def as_dict(self) -> Dict[str, Any]:
        return {
            "table": self.table,
            "target": self.target,
            "source_rows": self.source_rows,
            "target_rows": self.target_rows,
            "quarantined": self.quarantined,
            "compared_rows": self.compared_rows,
            "compared_values": self.values,
            "equal": self.equal,
            "missing": self.missing,
            "extra": self.extra,
            "different": self.different,
            "order": self.order,
            "seconds": round(self.seconds, 3),
        }


def name_row(columns: Sequence[str], values: Sequence[SqliteValue]) -> str:
    """A row's name by its key: V(id=7), V(server_id=7, tag='a')."""
    return ", ".join(f"{column}={sample(value)}" for column, value in zip(columns, values))


def show_row(columns: Sequence[str], values: Sequence[SqliteValue]) -> str:
    """All values of a row, cut at three times the length of one value's sample."""
    text = name_row(columns, values)
    limit = 3 * SAMPLE_LENGTH
    return text if len(text) <= limit else text[:limit] + "..."


def show_values(value: SqliteValue, literal: Optional[str], other: Optional[str]) -> Tuple[str, str]:
    """How the source's I(value) and the target's literal I(other) are shown beside one another.

    I(literal) is what I(value) converts to. Where the usual samples would look alike (a long text that differs far
    inside, composed and decomposed accents) the literals are shown around the place where they part, with escapes.
    """
    left = sample(value)
    right = sample(other)
    if literal is None or other is None or not _alike(left, right, literal, other):
        return left, right
    place = _parting(literal, other)
    start = max(0, place - 20)
    end = place + 60
    prefix = f"at character {place}: " if max(len(literal), len(other)) > SAMPLE_LENGTH else ""
    return prefix + _escaped(literal, start, end), prefix + _escaped(other, start, end)


def _alike(left: str, right: str, literal: str, other: str) -> bool:
    if _folded(left) == _folded(right):
        return True
    return _parting(literal, other) >= SAMPLE_LENGTH - 1


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _parting(left: str, right: str) -> int:
    """Index of the first character at which two texts differ."""
    for index, (one, two) in enumerate(zip(left, right)):
        if one != two:
            return index
    return min(len(left), len(right))


def _escaped(text: str, start: int, end: int) -> str:
    piece = ascii(text[start:end])
    return ("..." if start else "") + piece + ("..." if end < len(text) else "")


@dataclass(frozen=True)
class SequenceVerdict:
    """Whether a sequence's next value is beyond the outermost one of both sides (None: no value anywhere).

    I(table) is the source's name, I(column) the target's.
    """

    state: SequenceState
    table: str
    column: str
    outermost: Optional[int]

    @property
    def ok(self) -> bool:
        if self.outermost is None:
            return True
        beyond = self.state.next - self.outermost
        return beyond < 0 if self.state.increment < 0 else beyond > 0

    def as_dict(self) -> Dict[str, Any]:
        return {
            "sequence": f"{self.state.schema}.{self.state.name}",
            "table": self.table,
            "column": self.column,
            "next": self.state.next,
            "max": self.outermost,
            "ok": self.ok,
        }


def judge_sequence(
    state: SequenceState, column: str, verdict: TableVerdict, counter: Optional[int] = None
) -> SequenceVerdict:
    """Compare where I(state) stands with the watched values of the target's I(column).

    I(counter) is the source's own memory of the largest key that it ever gave out, None where it keeps none.
    """
    found = [extremes[column] for extremes in (verdict.source_extremes, verdict.target_extremes) if column in extremes]
    if state.increment < 0:
        return SequenceVerdict(state, verdict.table, column, min(found, default=None))
    return SequenceVerdict(
        state, verdict.table, column, max([*found, *([] if counter is None else [counter])], default=None)
    )
