# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pairs of connections that work off a list of jobs together.

Threads are enough: SQLite, COPY and the server work outside of Python's lock, and from inside of an Ansible module's
archive other processes could not be started everywhere.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Generic, Iterable, List, Optional, Sequence, TypeVar

from ._ports import Progress

Member = TypeVar("Member")

#: Seconds after which a thread that waits looks whether it is still needed.
GLANCE = 0.2


class Stopped(Exception):
    """Another job has failed: this one need not go on."""


class Crew(Generic[Member]):
    """The calling thread works with the first of I(members), threads of their own work with the others.

    I(interrupt) ends what a member is doing, from another thread.
    """

    def __init__(self, members: Sequence[Member], interrupt: Callable[[Member], None]) -> None:
        self._members = members
        self._interrupt = interrupt
        self._condition = threading.Condition()
        self._jobs: List[Callable[[Member], Iterable[Any]]] = []
        self._running = 0
        self._error: Optional[BaseException] = None
        self._busy: List[Member] = []

    @property
    def busy(self) -> int:
        """How many of the members have had a job."""
        return len(self._busy)

    def work(self, jobs: Iterable[Callable[[Member], Iterable[Any]]]) -> None:
        """Do I(jobs) in their order, each followed by the jobs that it returns; raises what the first failing raised.

        Afterwards none of them is running any more.
        """
        self._jobs = list(jobs)
        self._running = 0
        self._error = None
        threads = [threading.Thread(target=self._serve, args=(member,), daemon=True) for member in self._members[1:]]
        for thread in threads:
            thread.start()
        try:
            self._serve(self._members[0])
        except BaseException as error:  # Ctrl-C: the others have to stop before it goes on.
            self._fail(error)
        while any(thread.is_alive() for thread in threads):
            for member, thread in zip(self._members[1:], threads):
                if self.failed and thread.is_alive():
                    self._interrupt(member)
            for thread in threads:
                thread.join(GLANCE)
        if self._error is not None:
            raise self._error

    @property
    def failed(self) -> bool:
        """Whether a job of this M(work) has raised an error."""
        return self._error is not None

    def check(self) -> None:
        """Called on the way by long jobs: raises Stopped once another has failed."""
        if self.failed:
            raise Stopped

    def _serve(self, member: Member) -> None:
        while True:
            with self._condition:
                while not self._jobs and self._running and self._error is None:
                    self._condition.wait(GLANCE)
                if self._error is not None or not self._jobs:
                    return
                job = self._jobs.pop(0)
                self._running += 1
                if not any(member is one for one in self._busy):
                    self._busy.append(member)
            more: List[Any] = []
            try:
                more = list(job(member))
            except Exception as error:
                self._fail(error)
            finally:
                with self._condition:
                    self._running -= 1
                    self._jobs[:0] = more
                    self._condition.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            if self._error is None:
                self._error = error
            self._condition.notify_all()


class SharedProgress:
    """A Progress for the jobs of a crew, one at a time; also stops them, and keeps them to I(rate) bytes per second."""

    def __init__(self, progress: Progress, check: Callable[[], None], rate: Optional[int] = None) -> None:
        self._progress = progress
        self._check = check
        self._rate = rate
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def begin(self, table: str, total_rows: int) -> None:
        with self._lock:
            self._progress.begin(table, total_rows)

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        self._check()
        pause = 0.0
        with self._lock:
            self._progress.advance(rows, size, table)
            if self._rate:
                now = time.monotonic()
                # What a table that begins anew takes back was sent all the same.
                self._next = max(now, self._next) + max(size, 0) / self._rate
                pause = self._next - now
        if pause > 0:
            time.sleep(pause)

    def end(self, table: str = "") -> None:
        with self._lock:
            self._progress.end(table)
