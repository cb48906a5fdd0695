# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a query faster: settings of a session and further indexes, each tried, none of them left behind."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._errors import TargetError
from .._postgres._session import Session
from ._figures import Figures, figures_from
from ._model import Query

#: Settings that an operator may give a role, a database or the server, and that decide how a query is carried out.
#: What returns other rows (such as hnsw.ef_search) is not among them.
SETTINGS: Tuple[Mapping[str, str], ...] = (
    {"jit": "off"},
    {"work_mem": "64MB"},
    {"random_page_cost": "1.1"},
    {"max_parallel_workers_per_gather": "0"},
    {
        "max_parallel_workers_per_gather": "4",
        "min_parallel_table_scan_size": "0",
        "min_parallel_index_scan_size": "0",
        "parallel_setup_cost": "100",
    },
)
MOST_RUNS = 300
#: How many times faster a trial has to be than the best before it: less is chance.
WORTH = 1.2

#: SQL texts that belong together.
Change = Tuple[str, ...]


@dataclass(frozen=True)
class Tuned:
    """The best that was found for a query. I(changes): SQL that gives it to a session or a database, in order.

    I(before) and I(after) were measured in the same way, one after the other. I(plan): the lines of
    C(EXPLAIN (ANALYZE, BUFFERS)) with the changes.
    """

    changes: Tuple[str, ...]
    before: Figures
    after: Figures
    plan: Tuple[str, ...] = ()


class Tuner:
    """Tries what is in SETTINGS and what a query has as candidates, in transactions that are rolled back.

    I(limit): the seconds that one statement may take; I(trial): those that one trial takes, unless the query alone takes
    longer.
    """

    def __init__(self, session: Session, limit: float, trial: float = 0.25) -> None:
        self._session = session
        self._limit = limit
        self._trial = trial

    def improve(self, query: Query) -> Optional[Tuned]:
        """The best combination for I(query), None where nothing makes it WORTH times as fast."""
        with self._session.undone():
            self._session.execute("SET LOCAL search_path TO DEFAULT")
            self._session.execute("SELECT set_config('statement_timeout', %s, true)", (f"{self._limit}s",))
            return self._improve(query)

    def _improve(self, query: Query) -> Optional[Tuned]:
        before = self._tried(query, [])
        if before is None:
            return None
        best: Figures = before
        kept: List[Change] = []
        for change in self._changes(query):
            figures = self._tried(query, [*kept, change])
            if figures is not None and _faster(figures, best):
                kept, best = [*kept, change], figures
        for change in kept[:-1]:  # what a later one has made needless
            others = [one for one in kept if one is not change]
            figures = self._tried(query, others)
            if figures is not None and not _faster(best, figures):
                kept, best = others, figures
        if not kept or not _faster(best, before):
            return None
        plan = self._plan(query, kept)
        texts = [text.replace("SET LOCAL", "SET", 1) for change in kept for text in change]
        return Tuned(tuple(texts), before, best, plan)

    @staticmethod
    def _changes(query: Query) -> Iterator[Change]:
        """Each thing to try. Indexes last: they are made anew for every trial after them."""
        for settings in SETTINGS:
            yield tuple(f"SET LOCAL {name} = '{value}'" for name, value in settings.items())
        for candidate in query.candidates:
            yield (candidate.spelled("psycopg2"),)

    def _tried(self, query: Query, changes: Sequence[Change]) -> Optional[Figures]:
        """The figures with these I(changes); None where the server refuses one (no right, unknown) or takes too long."""
        found: Optional[Figures] = None
        with suppress(TargetError), self._changed(changes):
            found = self._run(query)
        return found

    def _plan(self, query: Query, changes: Sequence[Change]) -> Tuple[str, ...]:
        statement, parameters = _spelled(query)
        lines: List[str] = []
        with suppress(TargetError), self._changed(changes):
            rows = self._session.query("EXPLAIN (ANALYZE, BUFFERS) " + statement, parameters[0] or None)
            lines = [row[0] for row in rows]
        return tuple(lines)

    @contextmanager
    def _changed(self, changes: Sequence[Change]) -> Iterator[None]:
        """A part of the transaction in which the I(changes) are made, and that is taken back."""
        with self._session.undone():
            for text in (text for change in changes for text in change):
                self._session.execute(text)
            yield

    def _run(self, query: Query) -> Figures:
        """Repeat the query, its parameters in turn; the first time does not count."""
        statement, parameters = _spelled(query)
        self._session.query(statement, parameters[0] or None)
        durations: List[float] = []
        rows = 0
        begun = time.perf_counter()
        while len(durations) < MOST_RUNS and (not durations or time.perf_counter() - begun < self._trial):
            given = parameters[len(durations) % len(parameters)]
            start = time.perf_counter()
            rows += len(self._session.query(statement, given or None))
            durations.append(time.perf_counter() - start)
        return figures_from(durations, rows)


def _spelled(query: Query) -> Tuple[str, List[List[Any]]]:
    """The statement as psycopg2 takes it, and what is bound in turn."""
    return query.postgres.spelled("psycopg2"), [list(pair[1]) for pair in query.parameters] or [[]]


def _faster(one: Figures, other: Figures) -> bool:
    """Whether I(one) is faster by more than chance."""
    return (other.p50 or 0.0) >= WORTH * (one.p50 or 0.0)
