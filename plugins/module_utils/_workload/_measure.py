# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a plan on both sides, in turn, so that what happens to the machine happens to both."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._errors import MigrationError
from .._postgres._session import Session
from .._transfer._ports import Progress
from ._clients import Clients
from ._disk import sync_seconds
from ._figures import Figures, ratio
from ._model import Plan, Query, WritePlan
from ._scratch import Scratch, sample_of
from ._sql import Statement
from ._tune import WORTH, Tuner
from ._verdict import PROMISES, SHAPES, Case, Trial, users_to_try

#: SQLite's journal and how it syncs: its best, its safest, and what it does unless it is told otherwise.
SETTINGS = (("wal", "NORMAL"), ("wal", "FULL"), ("delete", "NORMAL"), ("delete", "FULL"))
#: Promises whose queries are measured each by itself.
ALONE = ("latency", "search", "json", "arrays", "vectors")
#: What a client waits in the middle of a transaction that is held open.
WAIT = 0.01
LONGEST_WAIT = 1.0

_COMMIT = "SET synchronous_commit = {}"


@dataclass(frozen=True)
class Settings:
    """How much is to be measured. I(limit): the seconds that one statement may take.
    I(user_seconds): how long each number of clients works, in which a wait of a second has to find room.

    I(connections): how many the server may be asked for; I(max_users) may be more by way of a pooler.
    """

    seconds: float
    user_seconds: float
    clients: Tuple[int, ...]
    max_users: int
    connections: int
    busy_timeout: float
    limit: float = 60.0


@dataclass(frozen=True)
class Ways:
    """How clients reach PostgreSQL: arguments for psycopg2, the same by way of the pooler, and for asyncpg."""

    direct: Mapping[str, Any] = field(repr=False)
    pooler: Optional[Mapping[str, Any]] = field(default=None, repr=False)
    asyncpg: Optional[Mapping[str, Any]] = field(default=None, repr=False)


class Measurement:
    """All that is measured, promise by promise. I(path) is the benchmark's own copy, which I(copy) is connected to."""

    def __init__(
        self,
        path: str,
        copy: sqlite3.Connection,
        session: Session,
        ways: Ways,
        settings: Settings,
        clients: Clients,
        asynchronous: Optional[Clients] = None,
    ) -> None:
        self._path = path
        self._copy = copy
        self._session = session
        self._ways = ways
        self._settings = settings
        self._clients = clients
        self._asynchronous = asynchronous if ways.asyncpg is not None else None
        self._tuner = Tuner(session, settings.limit, settings.seconds / 4)
        self.statements: Dict[str, List[Dict[str, Any]]] = {}
        #: What helped, by promise.
        self.trials: Dict[str, List[Trial]] = {}

    def expected(self, plan: Plan) -> Dict[str, int]:
        """How many comparisons there will be, by promise."""
        ways = 1 if self._asynchronous is None else 2
        counts = len(self._settings.clients)
        found = {"reads": ways * counts} if plan.queries["reads"] else {}
        for promise in ALONE:
            found[promise] = len(plan.queries[promise]) * (ways if promise == "latency" else 1)
        if plan.write is not None:
            shapes = self._shapes(plan.write)
            found["writes"] = ways * len(shapes) * counts * len(SETTINGS)
            found["users"] = len(set(shapes) - {"batch"})
        return found

    def run(self, plan: Plan, progress: Progress) -> Dict[str, List[Case]]:
        """Cases by promise. What could not be run is added to C(plan.left_out)."""
        expected = self.expected(plan)
        found: Dict[str, List[Case]] = {}

        def measure(promise: str, cases: Iterator[Case]) -> None:
            progress.begin(promise, expected[promise])
            found[promise] = []
            for case in cases:
                found[promise].append(case)
                progress.advance(1)
            progress.end()

        self._journal("wal")
        if plan.queries["reads"]:
            measure("reads", self._reads(plan.queries["reads"]))
        for promise in ALONE:
            measure(promise, self._each(promise, plan.queries[promise], plan))
        if plan.write is not None:
            for shape, reason in self._missing(plan.write).items():
                plan.leave_out("writes", f"{SHAPES[shape]}: {reason}")
            with Scratch(plan.write, self._copy, self._session) as scratch:
                shapes = self._shapes(plan.write)
                measure("writes", self._writes(shapes, scratch))
                measure("users", self._users([shape for shape in shapes if shape != "batch"], scratch))
                self._journal("delete")
        return found

    def round_trip(self) -> float:
        """The median time of the smallest query there is."""
        return self._postgres({"shape": "query", "queries": [{"sql": "SELECT 1", "parameters": []}]}, 1).p50 or 0.0

    # Queries

    def _reads(self, queries: Sequence[Query]) -> Iterator[Case]:
        """All queries in turn, by several clients."""
        self._explain("reads", queries)
        for count in self._settings.clients:
            sqlite = self._sqlite(_querying(queries, "sqlite"), count, read_only=True)
            name = f"{count} clients" if count > 1 else "1 client"
            yield Case(name, sqlite, self._postgres(_querying(queries, "psycopg2"), count), {"clients": count})
            if self._asynchronous is not None:
                prepared = self._asyncpg(_querying(queries, "asyncpg"), count)
                conditions = {"clients": count, "driver": "asyncpg", "prepared": True}
                yield Case(f"{name}, asyncpg with prepared statements", sqlite, prepared, conditions)

    def _each(self, promise: str, queries: Sequence[Query], plan: Plan) -> Iterator[Case]:
        """Every query by itself, by one client."""
        for query in queries:
            sqlite = self._sqlite(_querying([query], "sqlite"), 1, read_only=True)
            postgres = self._postgres(_querying([query], "psycopg2"), 1)
            failed = [text for side in (sqlite, postgres) for text in side.errors]
            if failed:
                plan.leave_out(promise, f"{query.name}: {failed[0]}")
                continue
            facts = dict(query.facts)
            facts.update(sqlite_rows=_per_operation(sqlite), postgresql_rows=_per_operation(postgres))
            case = Case(query.name, sqlite, postgres, {"clients": 1}, facts)
            yield case
            self._explain(promise, [query])
            self._tune(promise, query, case)
            if self._asynchronous is not None and promise == "latency":
                prepared = self._asyncpg(_querying([query], "asyncpg"), 1)
                if not prepared.failed:
                    conditions = {"clients": 1, "driver": "asyncpg", "prepared": True}
                    yield Case(f"{query.name}, asyncpg with a prepared statement", sqlite, prepared, conditions, facts)

    def _tune(self, promise: str, query: Query, case: Case) -> None:
        """Where the promise does not hold, look for settings and indexes with which it does."""
        if _holds(promise, case):
            return
        tuned = self._tuner.improve(query)
        if tuned is not None:
            found = Trial(replace(case, postgres=tuned.after), tuned.changes, tuned.before, tuned.plan)
            self.trials.setdefault(promise, []).append(found)

    # Writes

    def _shapes(self, write: WritePlan) -> List[str]:
        """The shapes of transactions that can be measured: rows are pipelined by asyncpg only."""
        return [shape for shape in SHAPES if shape not in self._missing(write)]

    def _missing(self, write: WritePlan) -> Dict[str, str]:
        """The shapes that cannot be measured, and why."""
        missing = {}
        if write.updated is None:
            missing["read_then_write"] = "no column is free of indexes that an update could change"
        if self._asynchronous is None:
            missing["batch"] = "rows are sent without waiting by asyncpg only, see application_python"
        return missing

    def _writes(self, shapes: Sequence[str], scratch: Scratch) -> Iterator[Case]:
        for shape in shapes:
            for count in self._settings.clients:
                postgres = self._write_postgres(shape, scratch, count)
                prepared = self._write_asyncpg(shape, scratch, count) if self._asynchronous is not None else None
                for journal, synchronous in SETTINGS:
                    sync = sync_seconds(os.path.dirname(self._path))
                    sqlite = self._write_sqlite(shape, scratch, count, journal, synchronous)
                    name = f"{SHAPES[shape]}, {count} client{'s' if count > 1 else ''}, SQLite {journal} {synchronous}"
                    conditions: Dict[str, Any] = {
                        "shape": shape,
                        "clients": count,
                        "journal": journal,
                        "synchronous": synchronous,
                    }
                    conditions["sync_seconds"] = float(f"{sync:.3g}")
                    case = Case(name, sqlite, postgres, conditions)
                    yield case
                    if (journal, synchronous) == SETTINGS[0] and not _holds("writes", case):
                        self._try_as_durable(case, scratch)
                    if prepared is not None:
                        how = "pipelined" if shape == "batch" else "prepared"
                        conditions = {**conditions, "driver": "asyncpg", how: True}
                        yield Case(f"{name}, asyncpg {how}", sqlite, prepared, conditions)
        self._explain_writes(scratch)

    def _try_as_durable(self, case: Case, scratch: Scratch) -> None:
        """SQLite's WAL with NORMAL does not wait for the disk at a commit: PostgreSQL again, as durable as that."""
        shape = str(case.conditions["shape"])
        scratch.refill_postgres()
        job = {"shape": shape, "write": scratch.job("psycopg2")}
        after = self._postgres(job, case.postgres.clients, writes=True, durable=False)
        if (ratio(after.rate, case.postgres.rate) or 0.0) >= WORTH:
            found = Trial(replace(case, postgres=after), [_COMMIT.format("off")], case.postgres)
            self.trials.setdefault("writes", []).append(found)

    def _write_sqlite(
        self, shape: str, scratch: Scratch, count: int, journal: str, synchronous: str, seconds: float = 0.0
    ) -> Figures:
        self._journal("delete")
        scratch.refill_sqlite()
        self._journal(journal)
        job = {"shape": shape, "write": scratch.job("sqlite"), "seconds": seconds or self._settings.seconds}
        return self._sqlite(job, count, synchronous)

    def _write_postgres(
        self, shape: str, scratch: Scratch, count: int, pooled: bool = False, seconds: float = 0.0
    ) -> Figures:
        scratch.refill_postgres()
        job = {"shape": shape, "write": scratch.job("psycopg2"), "seconds": seconds or self._settings.seconds}
        return self._postgres(job, count, True, pooled)

    def _write_asyncpg(self, shape: str, scratch: Scratch, count: int) -> Figures:
        scratch.refill_postgres()
        return self._asyncpg({"shape": shape, "write": scratch.job("asyncpg")}, count)

    # Clients at the same time

    def _users(self, shapes: Sequence[str], scratch: Scratch) -> Iterator[Case]:
        """How many clients write before one has an error or waits for a second: twice as many each time."""
        pooled = self._ways.pooler is not None
        for shape in shapes:
            seconds = self._settings.user_seconds
            here = partial(self._write_sqlite, shape, scratch, journal="wal", synchronous="NORMAL", seconds=seconds)
            there = partial(self._write_postgres, shape, scratch, pooled=pooled, seconds=seconds)
            sqlite, before = self._most(here, self._settings.max_users)
            most = users_to_try(
                self._settings.max_users, sqlite.clients, None if pooled else self._settings.connections
            )
            postgres, reached = self._most(there, most)
            conditions = {"shape": shape, "journal": "wal", "synchronous": "NORMAL", "pooler": pooled}
            facts = {"sqlite_ended_by": before, "postgresql_ended_by": reached}
            yield Case(SHAPES[shape], sqlite, postgres, conditions, facts)

    def _most(self, measure: Callable[[int], Figures], most: int) -> Tuple[Figures, str]:
        """The figures with the most clients that went well, and what ended it."""
        last: Optional[Figures] = None
        for count in doubled(most):
            figures = measure(count)
            trouble = next(iter(figures.errors), "")
            if not trouble and figures.slowest > LONGEST_WAIT:
                trouble = f"a client waited for {figures.slowest:.1f} s"
            if trouble:
                return last or replace(figures, clients=0), f"with {count} clients: {trouble}"
            last = figures
        assert last is not None
        return last, f"{most} clients were the most that were tried"

    # The sides

    def _sqlite(self, job: Dict[str, Any], count: int, synchronous: str = "NORMAL", read_only: bool = False) -> Figures:
        connect = {
            "path": self._path,
            "busy_timeout": self._settings.busy_timeout,
            "synchronous": synchronous,
            "read_only": read_only,
        }
        return self._clients.run(self._job(job, engine="sqlite", connect=connect), count)

    def _postgres(
        self, job: Dict[str, Any], count: int, writes: bool = False, pooled: bool = False, durable: bool = True
    ) -> Figures:
        session: List[str] = []
        if not pooled:
            milliseconds = int(self._settings.limit * 1000)
            commits = _COMMIT.format("on" if durable else "off")
            session = [
                commits if writes else "SET default_transaction_read_only = on",
                f"SET statement_timeout = {milliseconds}",
            ]
        way = self._ways.pooler if pooled and self._ways.pooler is not None else self._ways.direct
        connect = {**way, "session": session}
        return self._clients.run(self._job(job, engine="psycopg2", connect=connect), count)

    def _asyncpg(self, job: Dict[str, Any], count: int) -> Figures:
        assert self._asynchronous is not None and self._ways.asyncpg is not None
        return self._asynchronous.run(self._job(job, engine="asyncpg", connect=dict(self._ways.asyncpg)), count)

    def _job(self, job: Dict[str, Any], **others: Any) -> Dict[str, Any]:
        own = {"seconds": self._settings.seconds, "limit": self._settings.limit, "wait": WAIT}
        return {**own, "warm": job["shape"] == "query", **job, **others}

    def _journal(self, mode: str) -> None:
        """Set the journal of the copy, which nobody else has open now."""
        found = self._copy.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]
        if found != mode:
            raise MigrationError(f"SQLite would not set the journal of the copy to {mode}: it is {found}.")

    # Plans

    def _explain(self, promise: str, queries: Sequence[Query]) -> None:
        for query in queries:
            sqlite, postgres = query.parameters[0] if query.parameters else ((), ())
            self._keep(promise, query.name, (query.sqlite, sqlite), (query.postgres, postgres))

    def _explain_writes(self, scratch: Scratch) -> None:
        for name in ("insert", "select", "update"):
            here, there = scratch.example(name, "sqlite"), scratch.example(name, "psycopg2")
            if here is None or there is None:
                continue
            with self._session.undone():
                self._add("writes", name, here, there)

    def _keep(
        self,
        promise: str,
        name: str,
        sqlite: Tuple[Statement, Sequence[Any]],
        postgres: Tuple[Statement, Sequence[Any]],
    ) -> None:
        here, there = sqlite[0].spelled("sqlite"), postgres[0].spelled("psycopg2")
        with self._session.transaction(read_only=True):
            self._add(promise, name, (here, sqlite[1]), (there, postgres[1]))

    def _add(
        self, promise: str, name: str, sqlite: Tuple[str, Sequence[Any]], postgres: Tuple[str, Sequence[Any]]
    ) -> None:
        """Both statements with their plans; PostgreSQL carries its one out for that, in the transaction around."""
        steps = self._copy.execute("EXPLAIN QUERY PLAN " + sqlite[0], sqlite[1]).fetchall()
        self._session.execute("SET LOCAL search_path TO DEFAULT")
        plan = self._session.query("EXPLAIN (ANALYZE, BUFFERS) " + postgres[0], list(postgres[1]) or None)
        self.statements.setdefault(promise, []).append(
            {
                "name": name,
                "sqlite": sqlite[0],
                "postgresql": postgres[0],
                "plan": [row[0] for row in plan],
                "sqlite_plan": [row[3] for row in steps],
            }
        )


def _holds(promise: str, case: Case) -> bool:
    wanted = next(one for one in PROMISES if one.name == promise)
    return (case.ratio(wanted) or 0.0) >= wanted.ratio


def doubled(most: int) -> Iterator[int]:
    """1, 2, 4 ... and at last I(most)."""
    count = 1
    while count < most:
        yield count
        count *= 2
    yield most


def _querying(queries: Sequence[Query], driver: str) -> Dict[str, Any]:
    side = 0 if driver == "sqlite" else 1
    texts = [query.sqlite if driver == "sqlite" else query.postgres for query in queries]
    return {
        "shape": "query",
        "queries": [
            {"sql": text.spelled(driver), "parameters": sample_of(query.parameters, side)}
            for text, query in zip(texts, queries)
        ],
    }


def _per_operation(figures: Figures) -> Optional[float]:
    """How many rows a query returns."""
    return round(figures.rows / figures.operations, 1) if figures.operations else None
