# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load: every row of the source in the target, or the target as it was.

Tables are loaded one transaction each and journaled in the target, so that a run that was killed goes on where it
stopped; with replace, everything is one transaction. What happens in which transaction is in docs/load.md.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)
from typing import (
    Mapping as MappingType,
)

from .._errors import JournalError, MigrationError, SourceError, TargetError
from ._crew import Crew, SharedProgress
from ._fast import FIRST_ROWID, LAST_ROWID, Packed, Packer, Span
from ._model import Mapping, Skipped, TableMap
from ._parts import PART_BYTES, ROUGH_ROW_BYTES, Part, estimate, spans
from ._ports import Progress, RowSource, SourceRow
from ._rejects import SHOWN, Fault, Reject, Tally, invalid_rows, kept, reject, shown
from ._rows import Literal, RowConverter, RowMisfit, Sent
from ._sequences import SequenceState, next_free
from ._values import KINDS, Misfit, from_json, sample, to_json

Canonical = Tuple[Literal, ...]

#: SQLSTATE of a transaction that was given up because two waited for each other.
DEADLOCK = "40P01"

#: Times that a table is begun anew because the server refused a row that no codec could foresee.
MAX_REFUSALS = 20


# What the executor needs of the target


@dataclass(frozen=True)
class KeyDefinition:
    """A foreign key, with the statement's text that makes it again.

    I(operators) compare a parent's column with the child's. I(checked) is false where PostgreSQL does not hold present
    rows against the key (NOT VALID, NOT ENFORCED).
    """

    schema: str
    table: str
    name: str
    definition: str
    comment: Optional[str]
    columns: Tuple[str, ...]
    parent_schema: str
    parent: str
    parent_columns: Tuple[str, ...]
    operators: Tuple[Tuple[str, str], ...]
    match_full: bool
    checked: bool

    @classmethod
    def from_dict(cls, document: MappingType[str, Any]) -> KeyDefinition:
        """What dataclasses.asdict() and JSON made of a KeyDefinition."""
        values = dict(document)
        for name in ("columns", "parent_columns"):
            values[name] = tuple(values[name])
        values["operators"] = tuple((where, sign) for where, sign in values["operators"])
        return cls(**values)


@dataclass(frozen=True)
class TableResult:
    """What became of one table. I(rules) are (column, rule, number of values)."""

    table: str
    target: str
    rows: int
    bytes: int
    seconds: float
    quarantined: int = 0
    rules: Tuple[Tuple[str, str, int], ...] = ()

    @classmethod
    def from_dict(cls, document: MappingType[str, Any]) -> TableResult:
        values = dict(document)
        values["rules"] = tuple((column, rule, count) for column, rule, count in values["rules"])
        return cls(**values)


@dataclass
class OpenTable:
    """A table that is loaded in parts: those that are there already."""

    table: str
    target: str
    parts: List[Part] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass
class Run:
    """An import as the target's journal knows it. I(done) and I(open) are by source table."""

    id: int
    fingerprint: str
    plan: str
    source: str
    started: str
    finished: bool
    tables: Tuple[str, ...]
    keys: Tuple[KeyDefinition, ...]
    done: Dict[str, TableResult] = field(default_factory=dict)
    open: Dict[str, OpenTable] = field(default_factory=dict)

    def loaded(self) -> Dict[str, int]:
        """Rows by target table, as far as the run has put some there."""
        rows = {result.target: result.rows for result in self.done.values()}
        rows.update({table.target: table.rows for table in self.open.values()})
        return rows


@dataclass(frozen=True)
class SequenceReport:
    """Where a sequence stands after the load: its next number, and the outermost number in use."""

    sequence: str
    table: str
    column: str
    next: int
    max: Optional[int]


class RowRefused(TargetError):
    """The server refused a row that the codecs let through.

    I(line) counts the rows that were sent, from 1; None where the server does not say which it was. I(duplicate):
    a unique constraint was violated.
    """

    line: Optional[int] = None
    column: str = ""
    duplicate: bool = False


class LoadTarget(Protocol):
    """The PostgreSQL side. Tables are named without schema; all of them are in the target schema."""

    @property
    def alive(self) -> bool: ...

    def transaction(self) -> ContextManager[None]: ...

    def savepoint(self) -> ContextManager[None]: ...

    def counts(self, tables: Sequence[str]) -> Dict[str, int]: ...

    def unfinished_run(self) -> Optional[Run]: ...

    def finished_run(self, tables: Sequence[str]) -> Optional[Run]:
        """The run that last loaded all of I(tables), None if they were not loaded by one run."""

    def begin(self, source: str, fingerprint: str, plan: str, tables: Sequence[str]) -> Run:
        """Journal a new run and take the foreign keys that touch I(tables) away."""

    def empty(self, tables: Sequence[str]) -> None: ...

    def load(
        self,
        table: TableMap,
        rows: Iterable[Union[Sequence[Sent], Packed]],
        keep_indexes: bool,
        advance: Callable[[int, int], None],
        binary: bool = False,
    ) -> Tuple[int, int]:
        """Append I(rows), which come singly or packed, all of them in binary format or none.

        Number of rows and bytes. Raises RowRefused.
        """

    def duplicates(
        self, table: TableMap, rows: Iterable[Sequence[Sent]], limit: int
    ) -> List[Tuple[int, Tuple[str, ...]]]:
        """Rows (counted from 1) that a unique set of columns holds already, with that set; at most I(limit)."""

    def record(self, run: Run, result: TableResult, rejects: Sequence[Reject]) -> None: ...

    def open_table(self, run: Run, table: OpenTable) -> None:
        """Journal that the table is loaded in parts, and take away what is in their way: triggers, indexes."""

    def load_part(
        self,
        table: TableMap,
        rows: Iterable[Union[Sequence[Sent], Packed]],
        advance: Callable[[int, int], None],
        binary: bool = False,
    ) -> Tuple[int, int]:
        """As M(load), for a part of an open table: in a transaction with its M(record_part)."""

    def record_part(self, run: Run, table: OpenTable, part: Part, rejects: Sequence[Reject]) -> None: ...

    def missing_indexes(self, run: Run, table: OpenTable) -> Sequence[Any]:
        """Those that M(open_table) took away and M(build_index) has not made again."""

    def build_index(self, table: OpenTable, index: Any) -> None:
        """Raises RowRefused where rows do not allow it."""

    def close_table(self, run: Run, table: OpenTable, result: TableResult) -> List[Dict[str, Any]]:
        """Put back the rest and journal the table as done; the quarantine file's lines of its parts."""

    def reset_table(self, run: Run, table: OpenTable) -> None:
        """The table as it was before M(open_table)."""

    def cancel(self) -> None:
        """Stop what another thread is doing with this target."""

    def quarantined(self, run: Run) -> Iterator[Dict[str, Any]]:
        """The quarantine file's lines of I(run), in load order."""

    def restore_keys(self, run: Run) -> bool:
        """Put the foreign keys back that are not there; false (and nothing is done) if rows break one."""

    def promise_keys(self, run: Run) -> bool:
        """Put all foreign keys back for rows to come, M(check_key) being left to do; false if one cannot be."""

    def check_key(self, key: KeyDefinition) -> bool:
        """Whether the rows that are there keep a promised key, which holds for all of them then."""

    def drop_keys(self, run: Run) -> None:
        """Take those foreign keys of the run away that are there."""

    def count_orphans(self, key: KeyDefinition) -> int: ...

    def orphans(self, key: KeyDefinition, columns: Sequence[str], limit: int) -> List[Tuple[Literal, ...]]:
        """Rows of the child without a parent, as these columns' text."""

    def remove_orphans(self, key: KeyDefinition, columns: Sequence[str]) -> List[Tuple[Literal, ...]]: ...

    def advance_sequences(
        self,
        tables: MappingType[str, Optional[int]],
        set_aside: MappingType[Tuple[str, str], Tuple[int, int]],
        find: Callable[[SequenceState, Optional[int]], int],
        change: bool,
    ) -> List[SequenceReport]:
        """Move every sequence of I(tables) (with the source's own counter) to what I(find) says.

        I(set_aside) are the outermost numbers, by table and column, of rows that are not in the target.
        """

    def finish(self, run: Run) -> None:
        """Journal I(run) as finished. Raises TargetError if definitions differ from those before the run."""

    def undo(self, run: Run) -> None:
        """Everything as it was before I(run)."""

    def analyze(self, tables: Sequence[str]) -> None: ...


# The plan


@dataclass(frozen=True)
class LoadSettings:
    """The operator's choices. I(budget) is None unless rows that do not fit may be set aside.

    I(workers) load large tables together; I(max_rate) is in bytes of COPY text per second, for all of them.
    """

    source: str
    budget: Optional[int] = None
    replace: bool = False
    analyze: bool = True
    workers: int = 1
    max_rate: Optional[int] = None


@dataclass(frozen=True)
class PlannedTable:
    """A table with the rows that it has to give, and those that the target's holds now."""

    map: TableMap
    rows: int
    before: int


@dataclass(frozen=True)
class LoadPlan:
    """What a load will do: M(plan_load) only reads, check mode shows this, M(run_load) does it.

    I(state) is V(existing), V(load) or V(resume); I(undo) is an unfinished run of something else that goes first.
    """

    state: str
    tables: Tuple[PlannedTable, ...]
    skipped: Tuple[Skipped, ...]
    fingerprint: str
    digest: str
    run: Optional[Run] = None
    undo: Optional[Run] = None


@dataclass(frozen=True)
class LoadReport:
    """What a load has done. I(run) is journaled as finished."""

    run: Run
    tables: Tuple[TableResult, ...]
    sequences: Tuple[SequenceReport, ...]
    resumed: bool
    #: Time that it took, None where everything was there already.
    seconds: Optional[float] = None
    #: How many loaded together.
    workers: int = 1


class Member(NamedTuple):
    """What one worker loads with: connections of its own to both sides."""

    source: RowSource
    target: LoadTarget


#: Work of a crew, and the work that follows from it.
Job = Callable[[Member], Sequence[Any]]

#: Gives up to so many members besides the first; all of them see the same moment of the source.
Recruit = Callable[[int], Sequence[Member]]


def alone(_wanted: int) -> Sequence[Member]:
    """A Recruit that finds nobody."""
    return ()


def plan_load(source: RowSource, target: LoadTarget, mapping: Mapping, settings: LoadSettings) -> LoadPlan:
    """Look at both sides. Raises TargetError where tables hold rows that nobody allowed to be replaced."""
    names = [table.target.name for table in mapping.tables]
    fingerprint = source.fingerprint()
    digest = mapping_digest(mapping, settings)
    before = target.counts(names)
    unfinished = target.unfinished_run()
    resume = undo = None
    if unfinished is not None:
        # The order of tables may differ: it follows the foreign keys, which an unfinished run has taken away.
        same = (unfinished.fingerprint, unfinished.plan) == (fingerprint, digest)
        if same and not settings.replace and not _emptied(unfinished, before):
            resume = unfinished
        else:
            undo = unfinished
            before = {name: 0 if name in unfinished.tables else count for name, count in before.items()}
    finished = target.finished_run(names) if unfinished is None and not settings.replace else None
    existing = (
        finished is not None
        and (finished.fingerprint, finished.plan) == (fingerprint, digest)
        and all(before[result.target] == result.rows for result in finished.done.values() if result.target in before)
    )
    planned = tuple(
        PlannedTable(table, source.count(table.source), before[table.target.name]) for table in mapping.tables
    )
    if not existing and resume is None and not settings.replace:
        _require_empty(planned, finished)
    return LoadPlan(
        state="existing" if existing else "resume" if resume is not None else "load",
        tables=planned,
        skipped=mapping.skipped,
        fingerprint=fingerprint,
        digest=digest,
        run=finished if existing else resume,
        undo=undo,
    )


def mapping_digest(mapping: Mapping, settings: LoadSettings) -> str:
    """Equal for runs that turn the same source into the same rows, whatever keys and indexes the target has now."""
    described = [
        [
            table.source.name,
            table.target.name,
            [
                [c.source, c.target.name, str(c.target.type), [list(u.options) + [u.rule] for u in c.rules]]
                for c in table.columns
            ],
        ]
        for table in sorted(mapping.tables, key=lambda table: table.source.name)
    ]
    text = json.dumps([described, settings.budget is not None], sort_keys=True, default=repr)
    return sha256(text.encode()).hexdigest()


def _emptied(run: Run, counts: MappingType[str, int]) -> bool:
    """Whether a finished table lost all its rows: a crash of the server empties unlogged tables."""
    return any(rows and not counts.get(name, 0) for name, rows in run.loaded().items())


def _require_empty(tables: Sequence[PlannedTable], finished: Optional[Run]) -> None:
    filled = {table.map.target.name: table.before for table in tables if table.before}
    if not filled:
        return
    listed = ", ".join(f"{name} ({count} rows)" for name, count in sorted(filled.items()))
    history = f" They were imported from {finished.source} at {finished.started}." if finished else ""
    raise TargetError(
        f"The target holds rows already: {listed}.{history}",
        advice="Set replace to true to put the source's rows in their place, or empty the tables.",
        details={"tables": [{"table": name, "rows": count} for name, count in sorted(filled.items())]},
    )


# The executor


def run_load(
    plan: LoadPlan,
    source: RowSource,
    target: LoadTarget,
    settings: LoadSettings,
    progress: Progress,
    recruit: Recruit = alone,
) -> LoadReport:
    """Do what I(plan) says. Whatever goes wrong, the target is as it was before, or the error says how to go on.

    Raises InvalidRowError, TargetError, SourceError, JournalError.
    """
    if plan.undo is not None:
        target.undo(plan.undo)
    started = time.monotonic()
    loader = _Loader(plan, source, target, settings, progress, recruit)
    if plan.state == "existing":
        assert plan.run is not None
        aside = loader.set_aside(plan.run)
        return loader.report(plan.run, target.advance_sequences(loader.counters(), aside, next_free, change=False))
    if settings.replace:
        with target.transaction():
            report = loader.load()
    else:
        report = _load_or_undo(loader, target)
    if settings.analyze:
        loader.analyze()
    return replace(report, seconds=round(time.monotonic() - started, 3), workers=len(loader.members))


def _load_or_undo(loader: _Loader, target: LoadTarget) -> LoadReport:
    try:
        return loader.load()
    except Exception as error:
        if isinstance(error, JournalError) or loader.run is None:
            raise
        if not loader.alive:
            if isinstance(error, MigrationError):
                error.advice = "Finished tables are journaled: run the same command again to go on from there."
            raise
        try:
            target.undo(loader.run)
        except MigrationError as second:
            second.message += f" (This came up while undoing the load, which failed because of: {error})"
            raise second from error
        raise


class _Loader:
    def __init__(
        self,
        plan: LoadPlan,
        source: RowSource,
        target: LoadTarget,
        settings: LoadSettings,
        progress: Progress,
        recruit: Recruit,
    ) -> None:
        self.plan = plan
        self.source = source
        self.target = target
        self.settings = settings
        self.run = plan.run
        self.tally = Tally()
        self.by_target = {table.map.target.name: table for table in plan.tables}
        self.members = [Member(source, target)]
        self.crew = Crew(self.members, lambda member: member.target.cancel())
        self.progress = SharedProgress(progress, self.crew.check, settings.max_rate)
        #: Over what several jobs of the crew count and decide together.
        self.lock = threading.RLock()
        self._recruit = recruit

    @property
    def left(self) -> int:
        """How many rows may still be set aside."""
        with self.lock:
            waiting = [part.quarantined for table in self.run.open.values() for part in table.parts] if self.run else []
            return (self.settings.budget or 0) - self.tally.rows - sum(waiting)

    @property
    def alive(self) -> bool:
        """Whether all connections to the target still stand."""
        return all(member.target.alive for member in self.members)

    def load(self) -> LoadReport:
        names = [table.map.target.name for table in self.plan.tables]
        if self.run is None:
            with self.target.transaction():
                run = self.target.begin(self.settings.source, self.plan.fingerprint, self.plan.digest, names)
                if self.settings.replace:
                    self.target.empty(names)
            self.run = run
        else:
            for entry in self.target.quarantined(self.run):
                self.tally.add(entry["table"], [problem["kind"] for problem in entry["problems"]])
        run = self.run
        self._require_counts(run)
        waiting = [table for table in self.plan.tables if table.map.source.name not in run.done]
        if self.settings.replace:
            for table in waiting:
                self.load_whole(table, self.members[0])
        else:
            self.crew.work(self._jobs(run, waiting))
            self._check_keys(run)
        done = dict(run.done)
        try:
            with self.target.transaction():
                self._require_counts(run)
                self._restore_keys(run)
                sequences = self.target.advance_sequences(self.counters(), self.set_aside(run), next_free, change=True)
                self.target.finish(run)
        except BaseException:
            # Rows that were taken out are there again.
            run.done = done
            raise
        return self.report(run, sequences)

    def _jobs(self, run: Run, tables: Sequence[PlannedTable]) -> List[Job]:
        """Large tables in parts, largest first, then all others as they come."""
        sizes = {table.map.source.name: self._size(table) for table in tables}

        def weight(table: PlannedTable) -> int:
            return sizes[table.map.source.name] or table.rows * ROUGH_ROW_BYTES

        large = [t for t in tables if sizes[t.map.source.name] >= 2 * PART_BYTES or t.map.source.name in run.open]
        if large or (len(tables) > 1 and sum(map(weight, tables)) >= 2 * PART_BYTES):
            self.members.extend(self._recruit(self.settings.workers - 1))
        jobs: List[Job] = []
        for table in sorted(large, key=weight, reverse=True):
            jobs += _Parted(self, run, table, sizes[table.map.source.name]).jobs()
        return jobs + [self._whole(table) for table in tables if table not in large]

    def _size(self, table: PlannedTable) -> int:
        columns = RowConverter(table.map).fast_columns()
        if columns is None:
            # A rule changes values: SQLite's texts would not tell.
            columns = []
        read = self.source.reader(table.map.source, columns) if columns else None
        return estimate(read, table.rows, columns)

    def _whole(self, table: PlannedTable) -> Job:
        def job(member: Member) -> Sequence[Job]:
            self.load_whole(table, member)
            return ()

        return job

    def load_whole(self, table: PlannedTable, member: Member) -> None:
        """A table in one transaction."""
        assert self.run is not None
        with member.target.transaction():
            result, rejects = _TableLoad(self, table, member).load()
            member.target.record(self.run, result, rejects)
        self.run.done[result.table] = result

    def analyze(self) -> None:
        # The largest first, so that no member is left alone with it in the end.
        sizes = {result.target: result.bytes for result in self.run.done.values()} if self.run else {}
        names = sorted((table.map.target.name for table in self.plan.tables), key=lambda name: -sizes.get(name, 0))

        def analyzing(name: str) -> Job:
            def job(member: Member) -> Sequence[Job]:
                member.target.analyze([name])
                return ()

            return job

        self.crew.work([analyzing(name) for name in names])

    def report(self, run: Run, sequences: Sequence[SequenceReport]) -> LoadReport:
        results = [run.done[table.map.source.name] for table in self.plan.tables]
        return LoadReport(run, tuple(results), tuple(sequences), resumed=self.plan.state == "resume")

    def counters(self) -> Dict[str, Optional[int]]:
        return {table.map.target.name: table.map.source.autoincrement for table in self.plan.tables}

    def set_aside(self, run: Run) -> Dict[Tuple[str, str], Tuple[int, int]]:
        """Smallest and largest whole number of quarantined rows by (target table, column).

        These rows may come back, so that no sequence may give their keys to others.
        """
        extremes: Dict[Tuple[str, str], Tuple[int, int]] = {}
        converters: Dict[str, RowConverter] = {}
        for entry in self.target.quarantined(run):
            name = entry["target"]
            if name not in converters:
                converters[name] = RowConverter(self.by_target[name].map)
            for step in converters[name].converters:
                value = from_json(entry["row"].get(step.column.source))
                if not isinstance(value, int):
                    continue
                try:
                    step.convert(value)
                except Misfit:
                    continue
                place = (name, step.column.target.name)
                low, high = extremes.get(place, (value, value))
                extremes[place] = (min(low, value), max(high, value))
        return extremes

    def _require_counts(self, run: Run) -> None:
        """Rows that came from elsewhere during the load may neither be kept unseen nor be thrown away."""
        expected = {table.map.target.name: 0 for table in self.plan.tables}
        expected.update(run.loaded())
        found = self.target.counts(list(expected))
        require_counts(expected, found)

    def _check_keys(self, run: Run) -> None:
        """Put the foreign keys back with all members at once; if rows break one, M(_restore_keys) finds out which.

        A run that is killed on the way leaves keys that are only promised, which M(_restore_keys) checks.
        """
        if len(self.members) == 1 or not self.target.promise_keys(run):
            return
        by_table: Dict[Tuple[str, str], List[KeyDefinition]] = defaultdict(list)
        for key in run.keys:
            by_table[key.schema, key.table].append(key)
        kept: List[bool] = []

        def checking(keys: Sequence[KeyDefinition]) -> Job:
            # Two sessions cannot check keys of the same table.
            def job(member: Member) -> Sequence[Job]:
                kept.append(all(member.target.check_key(key) for key in keys))
                return ()

            return job

        self.crew.work([checking(keys) for keys in by_table.values()])
        if not all(kept):
            with self.target.transaction():
                self.target.drop_keys(run)

    # Rows without parents

    def _restore_keys(self, run: Run) -> None:
        if self.target.restore_keys(run):
            return
        # What a killed run has left of them must not get in the way of taking rows out.
        self.target.drop_keys(run)
        search = _OrphanSearch(self, run)
        search.run()
        if not self.target.restore_keys(run):
            raise TargetError(
                "Foreign keys cannot be put back, although no row without a parent is left in the loaded tables.",
                advice="A table that is not part of this import refers to rows that the source does not have:"
                " include it, or empty it.",
            )


class _TableLoad:
    """One table, loaded by one member as a whole."""

    def __init__(self, loader: _Loader, planned: PlannedTable, member: Member) -> None:
        self._loader = loader
        self._planned = planned
        self._member = member

    def _advance(self, rows: int, size: int) -> None:
        self._loader.progress.advance(rows, size, self._planned.map.source.name)

    def load(self) -> Tuple[TableResult, List[Reject]]:
        """The whole table, in the transaction that the target is in."""
        loader, planned, table = self._loader, self._planned, self._planned.map
        started = time.monotonic()
        refused: Dict[int, Fault] = {}
        refusals = 0
        searched = keep_indexes = False
        packed = True
        while True:
            scan = _Scan(self._member.source, table, refused, self._loader.left)
            loader.progress.begin(table.source.name, planned.rows)
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
                if len(refused) > self._loader.left or refusals > MAX_REFUSALS:
                    raise self._over_budget(table, refused) from error
            except _TooMany as stop:
                raise self._invalid(table, stop.rejects, stop.complete) from None
        with loader.lock:
            if len(scan.rejects) > loader.left:
                raise self._invalid(table, scan.rejects, complete=False)
            for entry in scan.rejects:
                loader.tally.add(entry.table, [fault.kind for fault in entry.faults])
        self._loader.progress.end(table.source.name)
        rules = _counted(scan)
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
        scan = _Scan(self._member.source, table, refused, self._loader.left)
        try:
            lines = self._member.target.duplicates(table, scan.rows(), self._loader.left + SHOWN + 1)
        except _TooMany as stop:
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
        scan = _Scan(self._member.source, table, refused, self._loader.left, until=max(refused))
        try:
            for _ in scan.rows():
                pass
        except _TooMany as stop:
            return self._invalid(table, stop.rejects, complete=False)
        return self._invalid(table, scan.rejects, complete=False)

    def _invalid(self, table: TableMap, rejects: Sequence[Reject], complete: bool) -> MigrationError:
        loader = self._loader
        with loader.lock:
            for entry in rejects:
                loader.tally.add(entry.table, [fault.kind for fault in entry.faults])
            # Tables that are not read yet may have more, which matters only where the operator set a number.
            budget = loader.settings.budget
            return invalid_rows(rejects, loader.tally, budget, complete and budget is None)


class _Parted:
    """A table that is loaded in parts by whoever has time; a killed run goes on with those that are not there.

    A part with rows that do not fit, or that the server refuses, ends this: the table is emptied and loaded as a whole,
    which finds out which rows they are.
    """

    def __init__(self, loader: _Loader, run: Run, planned: PlannedTable, size: int) -> None:
        self._loader = loader
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
        ends = self._loader.source.rowids(source)
        left = spans(*ends, self._size, self._open.parts if self._open else ()) if ends else []
        self._pending = max(1, len(left))
        return [self._job(partial(self._load, span)) for span in left] or [self._job(lambda _member: None)]

    def _job(self, step: Callable[[Member], None]) -> Job:
        def job(member: Member) -> Sequence[Job]:
            if not self._troubled:
                try:
                    step(member)
                except (RowRefused, SourceError, _TooMany):
                    self._troubled = True
                except TargetError as error:
                    # Two parts with the same keys wait for each other.
                    if error.details.get("sqlstate") != DEADLOCK:
                        raise
                    self._troubled = True
            with self._loader.lock:
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
        with self._loader.lock:
            if not self._open:
                self._open = OpenTable(table.source.name, table.target.name)
                member.target.open_table(self._run, self._open)
                self._run.open[table.source.name] = self._open
            if not self._told:
                self._told = True
                self._started = time.monotonic()
                self._loader.progress.begin(table.source.name, self._planned.rows)
                self._loader.progress.advance(self._open.rows, 0, table.source.name)
            return self._open

    def _load(self, span: Span, member: Member) -> None:
        table = self._planned.map
        opened = self._opened(member)
        scan = _Scan(member.source, table, {}, self._loader.left, span=span)
        with member.target.transaction():
            packed = scan.packed()
            rows, size = member.target.load_part(
                table, scan.rows() if packed is None else packed, self._advance, scan.binary
            )
            part = Part(span.first, span.last, rows, size, len(scan.rejects), _counted(scan))
            member.target.record_part(self._run, opened, part, scan.rejects)
        with self._loader.lock:
            opened.parts.append(part)
            if self._loader.left < 0:
                self._troubled = True

    def _advance(self, rows: int, size: int) -> None:
        self._loader.progress.advance(rows, size, self._planned.map.source.name)

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
        with self._loader.lock:
            del self._run.open[self._open.table]
            self._run.done[result.table] = result
            for entry in entries:
                self._loader.tally.add(entry["table"], [problem["kind"] for problem in entry["problems"]])
        self._loader.progress.end(result.table)
        return ()

    def _begin_anew(self, member: Member) -> Sequence[Job]:
        assert self._open is not None
        member.target.reset_table(self._run, self._open)
        with self._loader.lock:
            del self._run.open[self._open.table]
        self._loader.load_whole(self._planned, member)
        return ()


@dataclass
class _Gone:
    """A row that was taken out because of a foreign key, as canonical values by target column."""

    key: KeyDefinition
    values: Dict[str, Literal]
    quarantined_parent: bool


class _OrphanSearch:
    """Finds rows whose parent is missing or set aside, takes them out, and goes on until nothing is left to find."""

    def __init__(self, loader: _Loader, run: Run) -> None:
        self.loader = loader
        self.target = loader.target
        self.runs = run
        self.keys = [
            key
            for key in run.keys
            if key.checked
            and key.table in loader.by_target
            and loader.by_target[key.table].map.target.schema == key.schema
        ]
        self.converters = {name: RowConverter(table.map) for name, table in loader.by_target.items()}
        #: Rows that are not in the target, by target table: set aside before, or taken out here.
        self.absent: Dict[str, List[Dict[str, Literal]]] = defaultdict(list)
        self.gone: Dict[str, List[_Gone]] = defaultdict(list)

    def run(self) -> None:
        self._read_quarantine()
        counts = {key: self.target.count_orphans(key) for key in self.keys}
        if sum(counts.values()) > self.loader.left:
            raise self._too_many(counts)
        while any(counts.values()):
            for key in self.keys:
                if counts[key]:
                    self._take_out(key)
            counts = {key: self.target.count_orphans(key) for key in self.keys}
            if sum(counts.values()) + self._taken() > self.loader.left:
                raise self._too_many(counts)
        for name in sorted(self.gone):
            rejects = self._rejects(name, self.gone[name])
            planned = self.loader.by_target[name]
            result = self.runs.done[planned.map.source.name]
            values = asdict(result)
            values["rows"] -= len(self.gone[name])
            values["quarantined"] += len(self.gone[name])
            result = TableResult.from_dict(values)
            self.target.record(self.runs, result, rejects)
            self.runs.done[result.table] = result
            for entry in rejects:
                self.loader.tally.add(entry.table, [fault.kind for fault in entry.faults])

    def _taken(self) -> int:
        return sum(len(rows) for rows in self.gone.values())

    def _read_quarantine(self) -> None:
        for entry in self.target.quarantined(self.runs):
            converter = self.converters[entry["target"]]
            values: Dict[str, Literal] = {}
            for step in converter.converters:
                try:
                    literal = step.convert(from_json(entry["row"][step.column.source]))
                except (Misfit, KeyError):
                    continue
                values[step.column.target.name] = None if literal is None else step.codec.canonical(literal)
            self.absent[entry["target"]].append(values)

    def _rows(self, key: KeyDefinition, found: Sequence[Sequence[Literal]]) -> List[_Gone]:
        converter = self.converters[key.table]
        absent = self.absent.get(key.parent, []) if key.parent_schema == key.schema else []
        parents = {tuple(row.get(name) for name in key.parent_columns) for row in absent}
        rows = []
        for literals in found:
            values = dict(zip(converter.target_columns, converter.canonical(literals)))
            rows.append(_Gone(key, values, tuple(values.get(name) for name in key.columns) in parents))
        return rows

    def _take_out(self, key: KeyDefinition) -> None:
        rows = self._rows(key, self.target.remove_orphans(key, self.converters[key.table].target_columns))
        self.gone[key.table].extend(rows)
        self.absent[key.table].extend(row.values for row in rows)

    def _too_many(self, counts: MappingType[KeyDefinition, int]) -> MigrationError:
        """The error with counts by table and kind, and the first rows."""
        rejects: List[Reject] = []
        for name in sorted(self.gone):
            for row in self.gone[name]:
                self.loader.tally.add(self.loader.by_target[name].map.source.name, [_kind(row)])
            rejects += self._rejects(name, self.gone[name][:SHOWN])
        # Counting those of one key leaves fewer for the next, and no less than none.
        enough = max(self.loader.left, 0) + SHOWN
        for key, count in counts.items():
            if not count:
                continue
            columns = self.converters[key.table].target_columns
            rows = self._rows(key, self.target.orphans(key, columns, min(count, enough)))
            kinds = Counter(_kind(row) for row in rows)
            kind = kinds.most_common(1)[0][0]
            self.loader.tally.add(self.loader.by_target[key.table].map.source.name, [kind], count)
            if len(rejects) < SHOWN:
                rejects += self._rejects(key.table, rows[:SHOWN])
        # Rows that depend on these are not counted yet.
        return invalid_rows(rejects, self.loader.tally, self.loader.settings.budget, complete=False)

    def _rejects(self, name: str, rows: Sequence[_Gone]) -> List[Reject]:
        """The source's rows that I(rows) came from."""
        table = self.loader.by_target[name].map
        converter = RowConverter(table)
        places = _identity(table)
        wanted: Dict[Canonical, List[_Gone]] = defaultdict(list)
        for row in rows:
            literals = [row.values[column] for column in converter.target_columns]
            wanted[tuple(literals[place] for place in places)].append(row)
        names = read_columns(table)
        found: List[Reject] = []
        for values in self.loader.source.rows(table.source, names):
            if len(found) == len(rows):
                break
            try:
                literals = converter.convert(values)
            except RowMisfit:
                continue
            name_of_row = tuple(
                None if literals[p] is None else converter.converters[p].codec.canonical(literals[p] or "")
                for p in places
            )
            waiting = wanted.get(name_of_row)
            if waiting:
                found.append(self._orphan(table, names, values, waiting.pop(0)))
        if len(found) != len(rows):
            raise JournalError(
                f"{len(rows) - len(found)} rows of {name} in the target are not in the source.",
                advice="Another session wrote to the target during the load: stop it, empty the tables, start again.",
            )
        return found

    def _orphan(self, table: TableMap, names: Sequence[str], values: SourceRow, row: _Gone) -> Reject:
        key = row.key
        own = dict(zip(names, values))
        columns = [table.source_of(column) for column in key.columns]
        held = [own.get(column) if column else None for column in columns]
        parent = self.loader.by_target.get(key.parent)
        parent_name = parent.map.source.name if parent else key.parent
        parent_columns = [(parent.map.source_of(column) if parent else None) or column for column in key.parent_columns]
        kind = _kind(row)
        where = ", ".join(f"{column}={sample(value)}" for column, value in zip(parent_columns, held))
        reason = f"its parent {parent_name} ({where}) " + (
            "was set aside" if kind == "parent_quarantined" else "does not exist"
        )
        fault = Fault(
            ", ".join(column or name for column, name in zip(columns, key.columns)),
            kept(held),
            kind,
            reason,
            KINDS[kind],
            shown(held),
        )
        document = reject(table, names, values, [fault])
        return Reject(
            document.table,
            document.target,
            document.key,
            document.row,
            document.faults,
            {"table": parent_name, "key": {c: to_json(v) for c, v in zip(parent_columns, held)}},
        )


def _kind(row: _Gone) -> str:
    return "parent_quarantined" if row.quarantined_parent else "orphan"


def _identity(table: TableMap) -> List[int]:
    """Places of the columns that tell rows of the target apart: a key that it keeps unique, or else all of them."""
    key = table.key_columns
    if key is not None:
        wanted = {column.target.name for column in key}
        if any(set(columns) == wanted for columns in (*table.target.unique, table.target.primary_key)):
            return [place for place, column in enumerate(table.columns) if column.target.name in wanted]
    return list(range(len(table.columns)))


def _refusal(error: RowRefused) -> Fault:
    return Fault(
        error.column,
        None,
        "duplicate" if error.duplicate else "refused",
        f"PostgreSQL refused the row: {error.message}",
        KINDS["duplicate"] if error.duplicate else "Correct the row, or quarantine it.",
    )


def require_counts(expected: MappingType[str, int], found: MappingType[str, int]) -> None:
    """Raise JournalError where tables hold other rows than a run has put there."""
    wrong = {name: (count, found.get(name, 0)) for name, count in expected.items() if found.get(name, 0) != count}
    if wrong:
        listed = ", ".join(
            f"{name} (loaded {loaded}, found {there})" for name, (loaded, there) in sorted(wrong.items())
        )
        raise JournalError(
            f"Another session wrote to the target during the import: {listed}.",
            advice="Stop the application, remove the rows that it wrote (or empty the tables), then run the same"
            " command again.",
            details={"tables": [{"table": n, "loaded": a, "found": b} for n, (a, b) in sorted(wrong.items())]},
        )


# Reading


class _TooMany(Exception):
    """More rows do not fit than may stay behind; I(complete) if the whole table was read."""

    def __init__(self, rejects: List[Reject], complete: bool) -> None:
        super().__init__()
        self.rejects = rejects
        self.complete = complete


def read_columns(table: TableMap) -> List[str]:
    """What is read of a source table: the mapped columns first, then what names a row or belongs to it."""
    mapped = [column.source for column in table.columns]
    stored = [column.name for column in table.source.columns if not column.generated]
    return mapped + [name for name in dict.fromkeys([*table.source.key, *stored]) if name not in mapped]


def _counted(scan: _Scan) -> Tuple[Tuple[str, str, int], ...]:
    """What the rules changed in I(scan)'s rows, as (column, rule, number of values)."""
    return tuple((column, rule, count) for (column, rule), count in sorted(scan.converter.changes.items()) if count)


class _Scan:
    """One pass over a source table, or over I(span) of it, in its natural order, which is the same in every pass of one transaction.

    I(refused) are rows (counted from 0) that the server refused in an earlier pass. More than I(allowed) rows that do
    not fit raise _TooMany: at the table's end, or once there are enough to show, or behind row I(until).
    """

    def __init__(
        self,
        source: RowSource,
        table: TableMap,
        refused: MappingType[int, Fault],
        allowed: int,
        until: Optional[int] = None,
        span: Optional[Span] = None,
    ) -> None:
        self.converter = RowConverter(table)
        self.rejects: List[Reject] = []
        self._source = source
        self._table = table
        self._refused = refused
        self._allowed = allowed
        self._until = until
        self._span = span
        self._skipped: List[int] = []
        #: Whether M(packed) gives rows in binary format.
        self.binary = False

    def rows(self) -> Iterator[List[Sent]]:
        """Every row that fits, converted here."""
        names = read_columns(self._table)
        for ordinal, row in enumerate(self._source.rows(self._table.source, names, span=self._span)):
            literals = self._take(ordinal, names, row)
            if literals is not None and self._sending:
                yield literals
        self._end()

    def packed(self) -> Optional[Iterator[Union[List[Sent], Packed]]]:
        """As M(rows), but whole chunks come packed where they can; None if none can."""
        columns = None if self._refused else self.converter.fast_columns()
        if columns is None:
            return None
        span = self._span or Span(FIRST_ROWID, LAST_ROWID)
        vectors = [column.source for column in self._table.columns if column.target.type.name == "vector"]
        wired = bool(vectors) and all(column.wire is not None for column in columns)
        read = self._source.reader(self._table.source, columns)
        if read is None:
            return None
        # Only a binary COPY takes vectors in BLOBs as fast as they are.
        if wired and any(self._source.first_kind(self._table.source, name, span) == "blob" for name in vectors):
            columns = [column.of_blobs() for column in columns]
            read = self._source.reader(self._table.source, columns)
            if read is None:
                return None
            self.binary = True
        return self._packed(Packer(columns, read, self.binary).pack(*span))

    def _packed(self, items: Iterator[Union[Packed, Span]]) -> Iterator[Union[List[Sent], Packed]]:
        names = read_columns(self._table)
        ordinal = 0
        for item in items:
            if isinstance(item, Packed):
                ordinal += item.rows
                if self._sending:
                    yield item
                continue
            for row in self._source.rows(self._table.source, names, span=item):
                literals = self._take(ordinal, names, row)
                ordinal += 1
                if literals is not None and self._sending:
                    yield Packed(1, self.converter.wired(literals), True) if self.binary else literals
        self._end()

    @property
    def _sending(self) -> bool:
        """Whether what is read is still wanted, or only the rows that do not fit."""
        return len(self.rejects) <= self._allowed

    def _take(self, ordinal: int, names: Sequence[str], row: SourceRow) -> Optional[List[Sent]]:
        """The row's literals, or None: it does not fit, and is among the rejects now."""
        try:
            literals = self.converter.sent(row)
            if not self._refused or ordinal not in self._refused:
                return literals
            faults = [_with_values(self._refused[ordinal], names, row)]
        except RowMisfit as misfit:
            faults = [
                Fault(p.column, to_json(p.value), p.misfit.kind, p.misfit.reason, p.misfit.advice, sample(p.value))
                for p in misfit.problems
            ]
        self._skipped.append(ordinal)
        self.rejects.append(reject(self._table, names, row, faults))
        if len(self.rejects) > self._allowed + SHOWN or (self._until is not None and ordinal >= self._until):
            raise _TooMany(self.rejects, complete=False)
        return None

    def _end(self) -> None:
        if not self._sending:
            raise _TooMany(self.rejects, complete=True)

    def ordinal(self, line: int) -> int:
        """Which row of the source was the I(line)th that was sent."""
        place = line - 1
        for skipped in self._skipped:
            if skipped <= place:
                place += 1
        return place


def _with_values(fault: Fault, names: Sequence[str], row: SourceRow) -> Fault:
    """I(fault) with what the row holds in its columns."""
    own = dict(zip(names, row))
    held = [own.get(name) for name in fault.column.split(", ")] if fault.column else []
    if not held:
        return fault
    return Fault(fault.column, kept(held), fault.kind, fault.reason, fault.advice, shown(held))
