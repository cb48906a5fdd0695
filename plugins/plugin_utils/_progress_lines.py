# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads while a long module runs: status documents in, lines out. No input or output here."""

from __future__ import annotations

from typing import Any, Mapping

Status = Mapping[str, Any]


class Lines:
    """Turns successive statuses of one module run into the lines that are new and due.

    I(interval) is the least number of seconds between two looks at an unfinished table; I(label) goes in front.
    A finished table gets its line at once, a long one a line for itself and one for the whole every I(interval).
    """

    def __init__(self, interval: float, now: float, label: str = "") -> None:
        self._interval = interval
        self._label = label
        self._shown = 0
        self._last = now

    def due(self, status: Status, now: float) -> list[str]:
        """Lines to show at time I(now) (seconds of any steady clock)."""
        finished = status.get("finished") or []
        unit = _plain(status.get("unit") or "rows")
        lines = [self._line(status, _finished(table, unit)) for table in finished[self._shown :]]
        self._shown = len(finished)
        if now - self._last >= self._interval:
            self._last = now
            lines += [self._line(status, text) for text in _running(status, unit)]
        return lines

    def _line(self, status: Status, text: str) -> str:
        return f"  {self._label}{_plain(status.get('step'))}  {text}"


def _finished(table: Status, unit: str) -> str:
    rows, seconds = int(table["rows"]), float(table["seconds"])
    rate = f"  {rows / seconds:,.0f} {unit}/s" if seconds >= 1 and rows else ""
    counted = f"{rows:,} {unit.removesuffix('s') if rows == 1 else unit}"
    return f"{_plain(table['table'])}  {counted}{_size(table)}  {duration(seconds)}{rate}"


def _size(table: Status) -> str:
    size = int(table.get("bytes") or 0)
    return f"  {size / 1_000_000:,.1f} MB" if size else ""


def _running(status: Status, unit: str) -> list[str]:
    rate = float(status.get("rows_per_second") or 0)
    lines = []
    several = status.get("running") or []
    if len(several) > 1:
        # Workers share the rate: each table has its own, since it began.
        for table in several:
            own, size = float(table.get("rows_per_second") or 0), int(table.get("bytes") or 0)
            lines.append(f"{_plain(table['table'])}  {_amount(table['rows'], table['rows_total'], own, unit, size)}")
    elif status.get("table") and int(status["tables_done"]) < int(status["tables_total"]):
        size = int(several[0].get("bytes") or 0) if several else 0
        lines.append(f"{_plain(status['table'])}  {_amount(status['rows'], status['rows_total'], rate, unit, size)}")
    if int(status.get("tables_total") or 0) > 1:
        whole = _amount(status["all_rows"], status["all_rows_total"], rate, unit, int(status.get("bytes") or 0))
        lines.append(f"all tables  {status['tables_done']} of {status['tables_total']} done  {whole}")
    return lines


def _amount(rows: int, total: int, rate: float, unit: str, size: int = 0) -> str:
    parts = [f"{rows:,} / {total:,}"]
    if total > 0:
        parts.append(f"{min(100, 100 * rows // total)} %")
    if size:
        parts.append(f"{size / 1_000_000:,.1f} MB")
    if rate > 0:
        parts.append(f"{rate:,.0f} {unit}/s")
        if rows < total:
            parts.append(f"{duration((total - rows) / rate)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """A length of time in words short enough for a line: V(0.4 s), V(12 s), V(3 min 05 s), V(2 h 10 min)."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _plain(name: Any) -> str:
    """A name fit for a terminal: control characters (a hostile table name's escape codes) become a replacement mark."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(name))
