# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of several client processes as one set of figures, and figures of two sides against one another."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ._driver import GROWTH, UNIT


@dataclass(frozen=True)
class Figures:
    """What one side did in one measurement. Times are seconds; I(rate) counts finished operations a second.

    I(errors) are counts by text, I(rows) what queries returned in all, I(settings) what the clients' connections said of
    themselves.
    """

    clients: int
    operations: int
    seconds: float
    rate: float
    p50: Optional[float]
    p95: Optional[float]
    slowest: float
    rows: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    def as_dict(self) -> Dict[str, Any]:
        return {
            "clients": self.clients,
            "operations": self.operations,
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 2),
            "p50": _rounded(self.p50),
            "p95": _rounded(self.p95),
            "slowest": _rounded(self.slowest),
            "errors": self.failed,
            "error_texts": dict(self.errors),
            "settings": dict(self.settings),
        }


def figures_of(answers: Sequence[Mapping[str, Any]], clients: int) -> Figures:
    """The answers of all client processes (see C(_driver.summary)) together."""
    histogram: Dict[int, int] = {}
    errors: Dict[str, int] = {}
    for answer in answers:
        for place, count in answer["histogram"].items():
            histogram[int(place)] = histogram.get(int(place), 0) + count
        for text, count in answer["errors"].items():
            errors[text] = errors.get(text, 0) + count
    settings: Dict[str, List[str]] = {}
    for answer in answers:
        for name, values in answer.get("settings", {}).items():
            known = settings.setdefault(name, [])
            known += [value for value in values if value not in known]
    return Figures(
        clients=clients,
        operations=sum(answer["operations"] for answer in answers),
        seconds=max((answer["seconds"] for answer in answers), default=0.0),
        rate=sum(answer["rate"] for answer in answers),
        p50=quantile(histogram, 0.5),
        p95=quantile(histogram, 0.95),
        slowest=max((answer["slowest"] for answer in answers), default=0.0),
        rows=sum(answer["rows"] for answer in answers),
        errors=errors,
        settings={name: " or ".join(values) for name, values in settings.items()},
    )


def figures_from(durations: Sequence[float], rows: int) -> Figures:
    """Figures of one client that timed its operations by itself. I(durations): seconds, at least one."""
    ordered = sorted(durations)
    seconds = sum(ordered)
    return Figures(
        clients=1,
        operations=len(ordered),
        seconds=seconds,
        rate=len(ordered) / seconds if seconds else 0.0,
        p50=median(ordered),
        p95=ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        slowest=ordered[-1],
        rows=rows,
    )


def quantile(histogram: Mapping[int, int], share: float) -> Optional[float]:
    """The duration in seconds that I(share) of all operations do not exceed, within 1 per cent; None without any."""
    total = sum(histogram.values())
    seen = 0
    for place in sorted(histogram):
        seen += histogram[place]
        if seen >= share * total:
            return UNIT * math.exp((place + 0.5) * GROWTH)
    return None


def ratio(above: Optional[float], below: Optional[float]) -> Optional[float]:
    """I(above) by I(below), None where one of them is missing or nothing."""
    return round(above / below, 3) if above and below else None


def median(values: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    ordered: List[float] = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _rounded(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else float(f"{seconds:.4g}")
