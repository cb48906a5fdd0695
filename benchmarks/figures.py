# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From runs to medians, ratios, verdicts. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Aim:
    """A limit that a ratio is held against, from so many seconds of the base on.

    Shorter runs mostly tell how long a Python takes to start.
    """

    ratio: float
    most: bool = True
    judged_from: float = 5.0

    def met(self, ratio: float) -> bool:
        return ratio <= self.ratio if self.most else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{'at most' if self.most else 'at least'} {self.ratio:g}"


@dataclass
class Line:
    """One contender and all its runs.

    I(against) names the line of the same group that its ratio is made with. I(seconds) are by run, None where it failed;
    I(inside) are those of the same runs without the start of the process, None where it does not tell. I(resident) and
    I(share) are the client's peaks in bytes, I(processor) the seconds that its processes computed. After the last run
    I(rows) were there of I(expected), and I(lost) says what was missing; I(differing) values (None: not compared) were others than in the source. I(memory_aim) is a limit for
    I(share), in bytes.
    """

    name: str
    group: str
    against: str = ""
    aim: Aim | None = None
    expected: int = 0
    rows: int = 0
    seconds: list[float | None] = field(default_factory=list)
    inside: list[float | None] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    share: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    differing: int | None = None
    note: str = ""
    memory_aim: int | None = None
    processor: list[float] = field(default_factory=list)

    @property
    def taken(self) -> list[float]:
        """Of the runs that succeeded."""
        return [seconds for seconds in self.seconds if seconds is not None]

    @property
    def median(self) -> float | None:
        return median(self.taken)

    @property
    def complete(self) -> bool:
        """Whether everything was there afterwards."""
        return self.rows == self.expected and not self.lost


def median(values: Iterable[float]) -> float | None:
    """None of no values."""
    present = list(values)
    return statistics.median(present) if present else None


def base_of(line: Line, lines: Sequence[Line]) -> Line | None:
    """The line that I(line) is held against, None where it was not run."""
    return next((one for one in lines if one.name == line.against and one.group == line.group), None)


def ratio(line: Line, lines: Sequence[Line]) -> float | None:
    """Median over the rounds of what I(line) took for each second of its base; None where no round has both."""
    base = base_of(line, lines)
    return None if base is None else _ratio(line.seconds, base.seconds)


def inside_ratio(line: Line, lines: Sequence[Line]) -> float | None:
    """The same of the work alone, without the start of its process."""
    base = base_of(line, lines)
    return None if base is None else _ratio(line.inside, base.seconds)


def _ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    # Not the ratio of two medians: what slows a whole round down must not count for one of them only.
    return median(
        mine / its for mine, its in zip(ours, theirs, strict=False) if mine is not None and its is not None and its > 0
    )


def verdict(line: Line, lines: Sequence[Line]) -> bool | None:
    """Whether the aim is met; None where there is none, or the runs were too short to say."""
    base, found = base_of(line, lines), ratio(line, lines)
    if line.aim is None or base is None or found is None or (base.median or 0) < line.aim.judged_from:
        return None
    return line.aim.met(found)


def as_dict(line: Line, lines: Sequence[Line]) -> dict[str, Any]:
    """A line for programs, with what follows from its runs."""
    document = {**asdict(line), "median": line.median, "ratio": ratio(line, lines)}
    document["inside_ratio"] = inside_ratio(line, lines)
    if line.aim is not None:
        document["aim"] = {**asdict(line.aim), "met": verdict(line, lines)}
    return document


@dataclass(frozen=True)
class Point:
    """One contender at one size: I(rows) is what it loaded of so many servers, bytes are the client's."""

    name: str
    servers: int
    rows: int
    seconds: float
    resident: int
    share: int


def growth(points: Sequence[Point], name: str) -> float | None:
    """How often the time per row of one size the next larger took, where that is most; None of fewer than two sizes.

    1 is linear. The smallest and the largest alone would not tell: at first the start of a process takes most.
    """
    mine = sorted((point for point in points if point.name == name), key=lambda point: point.rows)
    costs = [point.seconds / point.rows for point in mine]
    return max((later / earlier for earlier, later in zip(costs, costs[1:], strict=False)), default=None)
