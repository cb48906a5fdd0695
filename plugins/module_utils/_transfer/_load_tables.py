# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading one table: as a whole, in one transaction, or in parts by whoever has time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple
from typing import Mapping as MappingType

from .._errors import MigrationError, SourceError, TargetError
from ._fast import Span
from ._load_plan import LoadPlan, LoadSettings, PlannedTable
from ._load_scan import LoadScan, TooMany, counted
from ._load_target import LoadTarget, OpenTable, RowRefused, Run, TableResult
from ._model import TableMap
from ._parts import Part, spans
from ._ports import Progress, RowSource
from ._rejects import SHOWN, Fault, Reject, Tally, invalid_rows
from ._rows import RowConverter
from ._values import KINDS

#: SQLSTATE of a transaction that was given up because two waited for each other.
DEADLOCK = "40P01"

#: Times that a table is begun anew because the server refused a row that no codec could foresee.
MAX_REFUSALS = 20


class Member(NamedTuple):
    """What one worker loads with: connections of its own to both sides."""

    source: RowSource
    target: LoadTarget


#: Work of a crew, and the work that follows from it.
Job = Callable[[Member], Sequence[Any]]


class Shared:
    """What the jobs of one load count and decide together, whichever members do them.

    I(run) is None until it is journaled. Whoever changes anything here, or decides by it, holds I(lock).
    """

    def __init__(self, plan: LoadPlan, source: RowSource, settings: LoadSettings, progress: Progress) -> None:
        self.source = source
        self.settings = settings
        self.progress = progress
        self.run = plan.run
        self.tally = Tally()
        self.by_target = {table.map.target.name: table for table in plan.tables}
        self.lock = threading.RLock()

    @property
    def left(self) -> int:
        """How many rows may still be set aside."""
        with self.lock:
            waiting = [part.quarantined for table in self.run.open.values() for part in table.parts] if self.run else []
            return (self.settings.budget or 0) - self.tally.rows - sum(waiting)


def load_whole(shared: Shared, planned: PlannedTable, member: Member) -> None:
    """A table in one transaction."""
    assert shared.run is not None
    with member.target.transaction():
        result, rejects = TableLoad(shared, planned, member).load()
        member.target.record(shared.run, result, rejects)
    shared.run.done[result.table] = result


class TableLoad:
    """One table, loaded by one member as a whole."""

    def __init__(self, shared: Shared, planned: PlannedTable, member: Member) -> None:
        self._shared = shared
        self._planned = planned
        self._member = member

    def _advance(self, rows: int, size: int) -> None:
        self._shared.progress.advance(rows, size, self._planned.map.source.name)

    def load(self) -> Tuple[TableResult, List[Reject]]:
        """The whole table, in the transaction that the target is in."""
        shared, planned, table = self._shared, self._planned, self._planned.map
        started = time.monotonic()
        refused: Dict[int, Fault] = {}
        refusals = 0
        searched = keep_indexes = False
        packed = True
        while True:
            scan = LoadScan(self._member.source, table, refused, self._shared.left)
            shared.progress.begin(table.source.name, planned.rows)
            sent = scan.packed() if packed else None
            try:
                with self._member.target.savepoint():
                    rows, size = self._member.target.load(
                        table, scan.rows() if sent is None else sent, keep_indexes, self._advance, scan.binary
                    )
                break
            except (RowRefused, SourceError) as error:
                if sent is not None:
                    # Rows that are converted one by one are those whose errors lead back to a row and its reason.
                    packed = False
                    continue
                if not isinstance(error, RowRefused):
                    raise
                found: Dict[int, Fault] = {}
                if error.duplicate and not searched:
                    searched = True
                    found = self._find_duplicates(table, refused)
                if not found and error.line is not None:
                    refusals += 1
                    found = {scan.ordinal(error.line): _refusal(error)}
                if not found and keep_indexes:
                    raise
                # Where the server did not say which row it was, it will once the indexes stay in place.
                keep_indexes = keep_indexes or not found
                refused.update(found)
                if len(refused) > self._shared.left or refusals > MAX_REFUSALS:
                    raise self._over_budget(table, refused) from error
            except TooMany as stop:
                raise self._invalid(table, stop.rejects, stop.complete) from None
        with shared.lock:
            if len(scan.rejects) > shared.left:
                raise self._invalid(table, scan.rejects, complete=False)
            shared.tally.add_rejects(scan.rejects)
        self._shared.progress.end(table.source.name)
        rules = counted(scan)
        result = TableResult(
            table=table.source.name,
            target=table.target.name,
            rows=rows,
            bytes=size,
            seconds=round(time.monotonic() - started, 3),
            quarantined=len(scan.rejects),
            rules=rules,
        )
        return result, scan.rejects

    def _find_duplicates(self, table: TableMap, refused: MappingType[int, Fault]) -> Dict[int, Fault]:
        scan = LoadScan(self._member.source, table, refused, self._shared.left)
        try:
            lines = self._member.target.duplicates(table, scan.rows(), self._shared.left + SHOWN + 1)
        except TooMany as stop:
            raise self._invalid(table, stop.rejects, stop.complete) from None
        found = {}
        for line, columns in lines:
            names = ", ".join(columns)
            found[scan.ordinal(line)] = Fault(
                ", ".join(table.source_of(name) or name for name in columns),
                None,
                "duplicate",
                f"another row has the same {names}, which {table.target.name} of the target holds only once",
                KINDS["duplicate"],
            )
        return found

    def _over_budget(self, table: TableMap, refused: MappingType[int, Fault]) -> MigrationError:
        """The error over rows that the server refused: reads them again to say which they are."""
        scan = LoadScan(self._member.source, table, refused, self._shared.left, until=max(refused))
        try:
            for _ in scan.rows():
                pass
        except TooMany as stop:
            return self._invalid(table, stop.rejects, complete=False)
        return self._invalid(table, scan.rejects, complete=False)

    def _invalid(self, table: TableMap, rejects: Sequence[Reject], complete: bool) -> MigrationError:
        shared = self._shared
        with shared.lock:
            shared.tally.add_rejects(rejects)
            # Tables that are not read yet may have more, which matters only where the operator set a number.
            budget = shared.settings.budget
            return invalid_rows(rejects, shared.tally, budget, complete and budget is None)


class PartedLoad:
    """A table that is loaded in parts by whoever has time; a killed run goes on with those that are not there.

    A part with rows that do not fit, or that the server refuses, ends this: the table is emptied and loaded as a whole,
    which finds out which rows they are.
    """

    def __init__(self, shared: Shared, run: Run, planned: PlannedTable, size: int) -> None:
        self._shared = shared
        self._run = run
        self._planned = planned
        self._size = size
        self._open = run.open.get(planned.map.source.name)
        self._started = time.monotonic()
        self._pending = 0
        self._troubled = self._indexed = self._told = False

    def jobs(self) -> List[Job]:
        """The parts that are left; what has to follow is returned by the last of them."""
        source = self._planned.map.source
        ends = self._shared.source.rowids(source)
        left = spans(*ends, self._size, self._open.parts if self._open else ()) if ends else []
        self._pending = max(1, len(left))
        jobs = [self._job(partial(self._load, span)) for span in left] or [self._job(lambda _member: None)]
        # Python converts one row at a time, whoever asks: a second worker would only take turns with the first.
        return jobs if self._in_chunks() else [_one_by_one(jobs)]

    def _in_chunks(self) -> bool:
        columns = RowConverter(self._planned.map).fast_columns()
        return columns is not None and self._shared.source.reader(self._planned.map.source, columns) is not None

    def _job(self, step: Callable[[Member], None]) -> Job:
        def job(member: Member) -> Sequence[Job]:
            if not self._troubled:
                try:
                    step(member)
                except (RowRefused, SourceError, TooMany):
                    self._troubled = True
                except TargetError as error:
                    # Two parts with the same keys wait for each other.
                    if error.details.get("sqlstate") != DEADLOCK:
                        raise
                    self._troubled = True
            with self._shared.lock:
                self._pending -= 1
                return () if self._pending else self._following(member)

        return job

    def _following(self, member: Member) -> List[Job]:
        assert self._open is not None
        if self._troubled:
            return [self._begin_anew]
        if not self._indexed:
            self._indexed = True
            indexes = member.target.missing_indexes(self._run, self._open)
            self._pending = len(indexes)
            if indexes:
                return [self._job(partial(self._index, index)) for index in indexes]
        return [self._close]

    def _opened(self, member: Member) -> OpenTable:
        table = self._planned.map
        with self._shared.lock:
            if not self._open:
                self._open = OpenTable(table.source.name, table.target.name)
                member.target.open_table(self._run, self._open)
                self._run.open[table.source.name] = self._open
            if not self._told:
                self._told = True
                self._started = time.monotonic()
                self._shared.progress.begin(table.source.name, self._planned.rows)
                self._shared.progress.advance(self._open.rows, 0, table.source.name)
            return self._open

    def _load(self, span: Span, member: Member) -> None:
        table = self._planned.map
        opened = self._opened(member)
        scan = LoadScan(member.source, table, {}, self._shared.left, span=span)
        with member.target.transaction():
            packed = scan.packed()
            rows, size = member.target.load_part(
                table, scan.rows() if packed is None else packed, self._advance, scan.binary
            )
            part = Part(span.first, span.last, rows, size, len(scan.rejects), counted(scan))
            member.target.record_part(self._run, opened, part, scan.rejects)
        with self._shared.lock:
            opened.parts.append(part)
            if self._shared.left < 0:
                self._troubled = True

    def _advance(self, rows: int, size: int) -> None:
        self._shared.progress.advance(rows, size, self._planned.map.source.name)

    def _index(self, index: Any, member: Member) -> None:
        assert self._open is not None
        member.target.build_index(self._open, index)

    def _close(self, member: Member) -> Sequence[Job]:
        assert self._open is not None
        parts = self._open.parts
        rules: Counter[Tuple[str, str]] = Counter()
        for part in parts:
            rules.update({(column, rule): count for column, rule, count in part.rules})
        result = TableResult(
            table=self._open.table,
            target=self._open.target,
            rows=self._open.rows,
            bytes=sum(part.bytes for part in parts),
            seconds=round(time.monotonic() - self._started, 3),
            quarantined=sum(part.quarantined for part in parts),
            rules=tuple((column, rule, count) for (column, rule), count in sorted(rules.items())),
        )
        entries = member.target.close_table(self._run, self._open, result)
        with self._shared.lock:
            del self._run.open[self._open.table]
            self._run.done[result.table] = result
            self._shared.tally.add_lines(entries)
        self._shared.progress.end(result.table)
        return ()

    def _begin_anew(self, member: Member) -> Sequence[Job]:
        assert self._open is not None
        member.target.reset_table(self._run, self._open)
        with self._shared.lock:
            del self._run.open[self._open.table]
        load_whole(self._shared, self._planned, member)
        return ()


def _one_by_one(jobs: Sequence[Job]) -> Job:
    """A job that is followed by the next of I(jobs)."""
    first, rest = jobs[0], jobs[1:]
    return lambda member: [*first(member), *([_one_by_one(rest)] if rest else [])]


def _refusal(error: RowRefused) -> Fault:
    return Fault(
        error.column,
        None,
        "duplicate" if error.duplicate else "refused",
        f"PostgreSQL refused the row: {error.message}",
        KINDS["duplicate"] if error.duplicate else "Correct the row, or quarantine it.",
    )
