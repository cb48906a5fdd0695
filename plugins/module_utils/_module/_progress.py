# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a long module says how far it has got, and how it notices that nobody listens any more.

Two small files: the status (written here, read by the action plugin) and, beside it, the lease (written and touched
by the action plugin, read here). docs/progress.md has both formats.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple, Union

from .._errors import MigrationError
from .._transfer._ports import Silent

LEASE_SECONDS = 120.0
_WRITE_EVERY = 0.5
_RATE_WINDOW = 10.0


class Lease:
    """The controller's promise to look again: a file that holds a number of seconds and is touched at every look.

    Time is this process's monotonic clock since the file last changed, so that neither a stepped clock nor a file
    server's clock ends a healthy run. A number of zero or less asks the module to stop.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._seconds = LEASE_SECONDS
        self._touched: Optional[int] = None
        self._renewed = clock()
        self._read()

    @classmethod
    def beside(cls, progress_file: str, clock: Callable[[], float] = time.monotonic) -> Optional[Lease]:
        """The lease of a watched module, None where nobody watches."""
        path = progress_file + ".lease"
        return cls(path, clock) if os.path.exists(path) else None

    def check(self) -> None:
        """MigrationError once the controller asked to stop or has been silent for longer than it promised."""
        self._read()
        if self._seconds <= 0:
            raise MigrationError(
                "Stopped, because the controlling ansible-playbook was interrupted.",
                advice="What was begun is undone; run the same playbook again to go on.",
            )
        if self._clock() - self._renewed > self._seconds:
            raise MigrationError(
                f"The controlling ansible-playbook is gone: no word from it for {self._seconds:g} seconds.",
                advice="What was begun is undone; run the same playbook again to go on.",
            )

    def _read(self) -> None:
        try:
            with open(self._path, encoding="utf-8") as lease:
                touched = os.fstat(lease.fileno()).st_mtime_ns
                text = lease.read(32)
        except (OSError, UnicodeDecodeError):
            return
        if touched != self._touched:
            self._touched = touched
            self._renewed = self._clock()
        with contextlib.suppress(ValueError):  # empty while it is being written
            self._seconds = float(text)


@dataclass
class _Table:
    """One that is under way: what is done of it, and when it began."""

    began: float
    rows: int = 0
    bytes: int = 0


class FileProgress:
    """A Progress that keeps a JSON status file up to date (mode 0600, replaced at once, at most twice a second).

    I(totals) are the expected rows of each table, as far as they are known beforehand. For one thread. Every method
    may raise MigrationError, when the lease has run out; a status that can no longer be written stops nothing.
    """

    def __init__(
        self,
        path: str,
        step: str,
        totals: Optional[Mapping[str, int]] = None,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "rows",
    ) -> None:
        self._path = path
        self._step = step
        self._unit = unit
        self._totals: Dict[str, int] = dict(totals or {})
        self._planned = bool(totals)
        self._clock = clock
        self._lease = Lease.beside(path, clock)
        self._started = _now()
        self._table = ""
        self._running: Dict[str, _Table] = {}
        self._last_rows = 0
        self._all_rows = 0
        self._bytes = 0
        self._finished: List[Dict[str, Any]] = []
        self._samples: Deque[Tuple[float, int]] = deque([(clock(), 0)])
        self._due = 0.0
        if self._lease:
            self._lease.check()
        try:
            self._write()
        except OSError as error:
            raise MigrationError(
                f"The progress file {path} cannot be written: {error.strerror or error}.",
                advice="Give progress_file a path in an existing folder which the module's user may write, or leave it out.",
            ) from error

    def begin(self, table: str, total_rows: int) -> None:
        """A table begins; I(total_rows) replaces what the plan expected of it."""
        self._totals[table] = total_rows
        self._table = table
        before = self._running.pop(table, _Table(0.0))
        self._all_rows -= before.rows
        self._bytes -= before.bytes
        self._running[table] = _Table(self._clock())
        self._tick()

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        """I(rows) more rows and I(size) more bytes of I(table), by default the last that began."""
        self._table = table or self._table
        done = self._running.setdefault(self._table, _Table(self._clock()))
        done.rows += rows
        done.bytes += size
        self._all_rows += rows
        self._bytes += size
        self._tick()

    def end(self, table: str = "") -> None:
        """I(table), by default the last that began, is done."""
        name = table or self._table
        done = self._running.pop(name, None) or _Table(self._clock())
        self._last_rows = done.rows
        self._finished.append(
            {"table": name, "rows": done.rows, "bytes": done.bytes, "seconds": round(self._clock() - done.began, 3)}
        )
        self._tick(last=not self._planned or len(self._finished) >= len(self._totals))

    def _tick(self, last: bool = False) -> None:
        now = self._clock()
        if now < self._due and not last:
            return
        if self._lease:
            self._lease.check()
        try:
            self._write()
        except OSError:
            self._due = now + _WRITE_EVERY

    def _write(self) -> None:
        now = self._clock()
        self._due = now + _WRITE_EVERY
        folder, name = os.path.split(os.path.abspath(self._path))
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._status(now), file)
            os.replace(temporary, self._path)
        except OSError:
            os.unlink(temporary)
            raise

    def _status(self, now: float) -> Dict[str, Any]:
        rate = self._rate(now)
        expected = sum(self._totals.values())
        left = max(0, expected - self._all_rows)
        return {
            "step": self._step,
            "unit": self._unit,
            "pid": os.getpid(),
            "started": self._started,
            "updated": _now(),
            "tables_done": len(self._finished),
            "tables_total": len(self._totals),
            "table": self._table,
            "rows": self._running[self._table].rows if self._table in self._running else self._last_rows,
            "running": [self._of_table(name, done, now) for name, done in self._running.items()],
            "rows_total": self._totals.get(self._table, 0),
            "all_rows": self._all_rows,
            "all_rows_total": expected,
            "bytes": self._bytes,
            "rows_per_second": round(rate, 1),
            "seconds_left": round(left / rate, 1) if rate else None,
            "finished": self._finished,
        }

    def _of_table(self, name: str, done: _Table, now: float) -> Dict[str, Any]:
        """A table under way; its rate is that since it began."""
        total, seconds = self._totals.get(name, 0), now - done.began
        rate = done.rows / seconds if seconds > 0 else 0.0
        return {
            "table": name,
            "rows": done.rows,
            "rows_total": total,
            "bytes": done.bytes,
            "seconds": round(seconds, 3),
            "rows_per_second": round(rate, 1),
            "seconds_left": round(max(0, total - done.rows) / rate, 1) if rate else None,
        }

    def _rate(self, now: float) -> float:
        """Rows per second over the last ten seconds."""
        self._samples.append((now, self._all_rows))
        while len(self._samples) > 2 and now - self._samples[1][0] > _RATE_WINDOW:
            self._samples.popleft()
        since, rows = self._samples[0]
        return (self._all_rows - rows) / (now - since) if now > since else 0.0


def progress_for(
    params: Mapping[str, Any], step: str, totals: Optional[Mapping[str, int]] = None, unit: str = "rows"
) -> Union[FileProgress, Silent]:
    """The Progress that a task's arguments ask for: a file when O(progress_file) is set, otherwise silence.

    I(unit) is what a step counts where that is not rows.
    """
    path = params.get("progress_file")
    return FileProgress(path, step, totals, unit=unit) if path else Silent()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
