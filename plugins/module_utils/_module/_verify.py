# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of migration_verify_info in, the verdict over all tables out."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import AbstractSet, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._errors import MigrationError
from .._postgres._catalog import fingerprint, read_tables
from .._postgres._definitions import SequenceUse, read_sequences
from .._postgres._journal import ImportJournal
from .._postgres._reader import Defect, SchemaReader
from .._postgres._session import Session, connect
from .._sqlite._source import SourceMoment, SqliteSource
from .._sqlite._spool import DiskSpool
from .._transfer._codecs_numbers import IntegerCodec
from .._transfer._compare import KeyRange, compare_table
from .._transfer._counterparts import missing_counterparts
from .._transfer._crew import Crew, SharedProgress
from .._transfer._fast import FIRST_ROWID, LAST_ROWID, Span
from .._transfer._mapping import options_from_params, plan_mapping, require_sound
from .._transfer._model import Mapping, Problem, TableMap
from .._transfer._parts import estimate, spans
from .._transfer._ports import Progress, Silent
from .._transfer._proofs import EVERYTHING, Proof, identity_of, sampled
from .._transfer._quarantine import Quarantine
from .._transfer._ranges import RANGES, RangeComparison, ranged
from .._transfer._sequences import SequenceState
from .._transfer._values import SqliteValue
from .._transfer._verdict import SequenceVerdict, TableVerdict, judge_sequence
from ._import import default_workers
from ._memory import stay_small
from ._progress import progress_for
from ._proofs import ProofFile
from ._runner import Outcome, Task

#: Percent: every row.
WHOLE = 100.0
#: Rows of all tables together from which several workers are worth their connections.
MANY_ROWS = 50_000


def argument_spec() -> Spec:
    """What migration_verify_info takes."""
    return {
        **source_spec(),
        **target_spec(),
        **mapping_spec(),
        "quarantine_file": {"type": "path"},
        "max_differences": {"type": "int", "default": 20},
        "journal_schema": {"type": "str", "default": "mcps_migration"},
        "workers": {"type": "int"},
        "sample": {"type": "float", "default": 100.0},
        "resume_file": {"type": "path"},
        "max_rate": {"type": "bytes"},
        **progress_spec(),
    }


def verify(task: Task) -> Outcome:
    """Compare everything, each side in one transaction of its own."""
    stay_small()
    started = time.monotonic()
    params = task.params
    schema = params["target_schema"]
    if not 0 < params["sample"] <= WHOLE:
        raise MigrationError(
            f"sample is {params['sample']:g}, which is no percentage of the rows.",
            advice="Give a number above 0 and up to 100, which compares every row.",
        )
    helpers = _Helpers(params)
    with (
        SqliteSource.open(params["source"]) as source,
        connect(params, "verify") as session,
        session.transaction("repeatable read", read_only=True),
        helpers,
    ):
        plan = plan_mapping(source.tables(), read_tables(session, schema), options_from_params(params))
        result = _Verification(params, source, session, require_sound(plan), helpers, task.check_mode).run()
    result["seconds"] = round(time.monotonic() - started, 3)
    hindrances = [reason for one in (source, *helpers.sources) for reason in one.hindrances]
    return Outcome(result=result, warnings=[*helpers.warnings, *dict.fromkeys(hindrances)])


class Member(NamedTuple):
    """What one worker compares with: connections of its own to both sides, which see the same moment as the others'."""

    source: SqliteSource
    target: SchemaReader


class _Helpers:
    """Further members, opened when they are wanted. To be made before the source is opened first."""

    def __init__(self, params: Dict[str, Any]) -> None:
        self.warnings: List[str] = []
        self.sources: List[SqliteSource] = []
        self._params = params
        self._moment = SourceMoment(params["source"])
        self._stack = ExitStack()

    def __enter__(self) -> _Helpers:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def recruit(self, session: Session, wanted: int) -> List[Member]:
        """Up to I(wanted) members that see what I(session) sees. Finding fewer is no error, only slower."""
        found: List[Member] = []
        try:
            snapshot = session.export_snapshot() if wanted else ""
            for _ in range(wanted):
                source = self._stack.enter_context(self._moment.open())
                self.sources.append(source)
                helper = self._stack.enter_context(connect(self._params, "verify"))
                self._stack.enter_context(helper.transaction("repeatable read", read_only=True, snapshot=snapshot))
                found.append(Member(source, SchemaReader(helper, self._params["target_schema"])))
        except MigrationError as error:
            self.warnings.append(f"The verification had {len(found) + 1} of {wanted + 1} workers: {error}")
        return found


class _Verification:
    """One run over all mapped tables."""

    def __init__(
        self,
        params: Dict[str, Any],
        source: SqliteSource,
        session: Session,
        mapping: Mapping,
        helpers: _Helpers,
        check_mode: bool,
    ) -> None:
        self.helpers = helpers
        self.check_mode = check_mode
        self.params = params
        self.source = source
        self.session = session
        self.reader = SchemaReader(session, params["target_schema"])
        self.mapping = mapping
        self.by_target = {table.target.name: table for table in mapping.tables}
        self.quarantine = _read_quarantine(params["quarantine_file"], source)
        self.workers = 1

    def run(self) -> Dict[str, Any]:
        names = list(self.by_target)
        uses = read_sequences(self.session, self.params["target_schema"], names)
        with self._proven(uses) as proven:
            return self._judged(names, uses, proven)

    def _judged(self, names: List[str], uses: List[SequenceUse], proven: Optional[_Proven]) -> Dict[str, Any]:
        verdicts = self._compare(uses, proven)
        sequences = [self._judge(use.state, verdicts[table], column) for use in uses for table, column in use.columns]
        constraints = self._defects(self.reader.constraint_defects(names))
        indexes = self._defects(self.reader.index_defects(names))
        schema = [{**problem.as_dict(), "severity": "error"} for problem in self._since_import()]
        schema += [{**problem.as_dict(), "severity": "warning"} for problem in missing_counterparts(self.mapping)]
        tables = list(verdicts.values())
        set_aside = self.quarantine.problems({table.table: table.quarantined for table in tables})
        equal = (
            all(table.equal for table in tables)
            and all(sequence.ok for sequence in sequences)
            and not (constraints or indexes or set_aside)
            and all(problem["severity"] == "warning" for problem in schema)
        )
        if equal and proven is not None:
            proven.file.remove()
        return {
            "equal": equal,
            "sample": self.params["sample"],
            "workers": self.workers,
            "resumed_rows": proven.rows if proven is not None else 0,
            "tables": [table.as_dict() for table in tables],
            "rows": sum(table.source_rows for table in tables),
            "compared_rows": sum(table.compared_rows for table in tables),
            "values": sum(table.values for table in tables),
            "differing": sum(table.missing + table.extra + table.different for table in tables),
            "differences": [difference.as_dict() for table in tables for difference in table.differences],
            "constraints": constraints,
            "indexes": indexes,
            "sequences": [sequence.as_dict() for sequence in sequences],
            "schema": schema,
            "quarantine": {
                "listed": sum(self.quarantine.listed.values()),
                "found": sum(table.quarantined for table in tables),
                "problems": set_aside,
            },
            "left_out": [vars(skipped) for skipped in self.mapping.skipped],
        }

    @contextmanager
    def _proven(self, uses: List[SequenceUse]) -> Iterator[Optional[_Proven]]:
        """What an earlier verification has found, where the operator wants to know. Nothing is written in check mode."""
        path = self.params["resume_file"]
        if not path or self.check_mode:
            yield None
            return
        versions = self.reader.versions
        tables = list(self.mapping.tables)
        identity = identity_of(
            tables,
            f"{self.params['source']} {self.source.fingerprint()}",
            {
                "server": versions.server(),
                "tables": {name: versions.signature(table.target) for name, table in self.by_target.items()},
            },
            {name: [c for use in uses for target, c in use.columns if target == name] for name in self.by_target},
            {table.source.name: list(self.quarantine.keys(table.source.name)) for table in tables},
        )
        with ProofFile.opened(path, identity) as file:
            yield _Proven(file, versions.horizon(), {t.source.name for t in tables if versions.signature(t.target)})

    def _compare(self, uses: List[SequenceUse], proven: Optional[_Proven]) -> Dict[str, TableVerdict]:
        """The verdicts by the target's name."""
        tables = [
            _Table(
                table,
                self.source.count(table.source),
                {c: use.state.increment < 0 for use in uses for target, c in use.columns if target == name},
                self.quarantine.keys(table.source.name),
                self.params["max_differences"],
                self.params["sample"],
                proven,
            )
            for name, table in self.by_target.items()
        ]
        members = [Member(self.source, self.reader)]
        crew = Crew(members, lambda member: member.target.cancel())
        totals = {table.map.source.name: table.expected for table in tables}
        progress = SharedProgress(progress_for(self.params, "verify", totals), crew.check, self.params["max_rate"])
        # Tables that are compared as wholes come first: nobody can share in the last of them.
        tables.sort(key=lambda table: (table.parted, -table.expected))
        jobs = [job for table in tables for job in table.jobs(self.source, progress)]
        if len(jobs) > len(tables) or (len(jobs) > 1 and sum(table.expected for table in tables) >= MANY_ROWS):
            workers = self.params["workers"] or default_workers()
            members.extend(self.helpers.recruit(self.session, workers - 1))
        crew.work(jobs)
        self.workers = crew.busy
        verdicts = {table.map.target.name: table.verdict(self.source, self.reader) for table in tables}
        return {name: verdicts[name] for name in self.by_target}

    def _judge(self, state: SequenceState, verdict: TableVerdict, column: str) -> SequenceVerdict:
        table = self.by_target[verdict.target]
        if table.source_of(column) is None:
            # The target alone has the column, so that the comparison has not seen it.
            outermost = self.reader.outermost(table.target, column, smallest=state.increment < 0)
            return SequenceVerdict(state, verdict.table, column, outermost)
        return judge_sequence(state, column, verdict, _counter(table, column))

    def _since_import(self) -> List[Problem]:
        """What the import's own record of the target says against it; nothing where there is no such record."""
        journal = ImportJournal(self.session, self.params["journal_schema"], self.params["target_schema"])
        unfinished = journal.unfinished()
        if unfinished is not None:
            reason = f"the import of {unfinished.source} from {unfinished.started} is not finished"
            return [Problem("", "", reason, "Run sqlite_import again: it goes on where it stopped.")]
        imported = journal.finished(list(self.by_target))
        if imported is None:
            return []
        now = fingerprint(self.session, self.params["target_schema"], imported.tables)
        return [
            Problem("", "", f"since the import, {difference}", "Find out who changed it, and whether it was meant.")
            for difference in journal.catalog(imported).differences(now)
        ]

    def _defects(self, defects: List[Defect]) -> List[Dict[str, str]]:
        return [
            {"table": self.by_target[defect.table].source.name, "name": defect.name, "reason": defect.reason}
            for defect in defects
        ]


class _Proven:
    """What was found equal before and is so still, and what is found now. I(rows) counts the source's rows of the former."""

    def __init__(self, file: ProofFile, horizon: int, tables: AbstractSet[str]) -> None:
        self.file = file
        self.rows = 0
        self._horizon = horizon
        self._tables = tables
        self._lock = threading.Lock()

    def recall(self, table: TableMap, key: Optional[str], span: Span, verdict: TableVerdict, member: Member) -> bool:
        """Give I(verdict) what is known of these rows, if they are the same still."""
        proof = self.file.find(table.source.name, span)
        if proof is None or table.source.name not in self._tables:
            return False
        between = None if key is None else KeyRange(key, *span)
        if not member.target.versions.untouched(table.target, between, proof.horizon, proof.target_rows):
            return False
        proof.give(verdict)
        with self._lock:
            self.rows += proof.source_rows
        return True

    def keep(self, span: Span, verdict: TableVerdict) -> None:
        """Remember what was found in these rows, if it can be told later whether they are the same."""
        proof = Proof.of(verdict, span, self._horizon)
        if proof is not None and verdict.table in self._tables:
            self.file.add(proof)


class _OfPart(Silent):
    """A Progress for rows that are compared one by one within a table that has begun."""

    def __init__(self, advance: Callable[[int, int], None]) -> None:
        self._advance = advance

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        self._advance(rows, size)


class _Table:
    """The comparison of one table: in parts, where its key is a whole number, or else row by row as a whole."""

    def __init__(
        self,
        table: TableMap,
        rows: int,
        watch: Dict[str, bool],
        quarantined: AbstractSet[Tuple[SqliteValue, ...]],
        limit: int,
        sample: float,
        proven: Optional[_Proven],
    ) -> None:
        self.map = table
        self._rows = rows
        self._watch = watch
        self._quarantined = quarantined
        self._limit = limit
        self._sample = sample
        self._proven = proven
        self._how = ranged(table, list(watch))
        self._progress: Progress = Silent()
        self._lock = threading.Lock()
        self._found: Dict[int, TableVerdict] = {}
        self._left = 0
        self._began = 0.0

    @property
    def parted(self) -> bool:
        """Whether several workers can share in it."""
        return self._how is not None

    @property
    def expected(self) -> int:
        """About how many rows will be looked at."""
        return self._rows if self._how is None else round(self._rows * self._sample / WHOLE)

    def jobs(self, source: SqliteSource, progress: Progress) -> List[Callable[[Member], Sequence[Any]]]:
        """The work, for whoever has time."""
        self._progress = progress
        if self._how is None:
            self._left = 1
            return [self._whole]
        parts = self._spans(source)
        self._left = len(parts)
        return [partial(self._part, number, part) for number, part in enumerate(parts)]

    def _spans(self, source: SqliteSource) -> List[Span]:
        assert self._how is not None
        ends = source.rowids(self.map.source)
        if not ends:
            return [EVERYTHING]
        if self._sample < WHOLE:
            return sampled(Span(*ends), self._rows, self._sample, self.map.source.name)
        parts = spans(*ends, estimate(source, self.map, self._rows))
        # Beyond the source's outermost rows there may be some of the target's.
        parts[0] = Span(FIRST_ROWID, parts[0].last)
        parts[-1] = Span(parts[-1].first, LAST_ROWID)
        return parts

    def _whole(self, member: Member) -> Sequence[Any]:
        known = TableVerdict(self.map.source.name, self.map.target.name, self._limit)
        if self._proven is not None and self._proven.recall(self.map, None, EVERYTHING, known, member):
            self._found[0] = known
            self._progress.begin(self.map.source.name, self._rows)
            self._progress.advance(known.source_rows, table=self.map.source.name)
            self._progress.end(self.map.source.name)
            return ()
        self._found[0] = compare_table(
            self.map,
            member.source,
            member.target,
            DiskSpool,
            limit=self._limit,
            watch=self._watch,
            quarantined=self._quarantined,
            progress=self._progress,
        )
        if self._proven is not None:
            self._proven.keep(EVERYTHING, self._found[0])
        return ()

    def _part(self, number: int, span: Span, member: Member) -> Sequence[Any]:
        name = self.map.source.name
        with self._lock:
            if not self._began:
                self._began = time.monotonic()
                self._progress.begin(name, self.expected)
        verdict = self._compared(span, member)
        with self._lock:
            self._found[number] = verdict
            self._left -= 1
            if not self._left:
                verdict.seconds = time.monotonic() - self._began
                self._progress.end(name)
        return ()

    def _compared(self, span: Span, member: Member) -> TableVerdict:
        assert self._how is not None
        name = self.map.source.name
        verdict = TableVerdict(name, self.map.target.name, self._limit, order=RANGES)
        advance = partial(self._progress.advance, table=name)
        if self._proven is not None and self._proven.recall(self.map, self._how.key, span, verdict, member):
            advance(verdict.source_rows)
            return verdict

        def exactly(rows: Span) -> TableVerdict:
            return compare_table(
                self.map,
                member.source,
                member.target,
                DiskSpool,
                limit=self._limit,
                quarantined=self._quarantined,
                progress=_OfPart(advance),
                span=rows,
            )

        RangeComparison(self._how, member.source, member.target, verdict, exactly, advance).run(span)
        if self._proven is not None:
            self._proven.keep(span, verdict)
        return verdict

    def verdict(self, source: SqliteSource, reader: SchemaReader) -> TableVerdict:
        """What all parts found."""
        if self._how is None:
            return self._found[0].compared_all()
        whole = TableVerdict(self.map.source.name, self.map.target.name, self._limit, order=RANGES)
        for number in sorted(self._found):
            whole.absorb(self._found[number])
            whole.seconds = max(whole.seconds, self._found[number].seconds)
        whole.compared_all()
        if self._sample < WHOLE:
            whole.count_in(self._rows, reader.count(self.map.target), len(self._quarantined))
        for column, smallest in self._watch.items():
            for use in self.map.columns:
                if use.target.name == column:
                    limit = 1 << (IntegerCodec.BITS[use.target.type.name] - 1)
                    ours = source.outermost(self.map.source, use.source, limit, smallest)
                    theirs = reader.outermost(self.map.target, column, smallest)
                    whole.source_extremes.update({} if ours is None else {column: ours})
                    whole.target_extremes.update({} if theirs is None else {column: theirs})
        return whole


def _counter(table: TableMap, column: str) -> Optional[int]:
    """The highest key that AUTOINCREMENT ever gave out for I(column): SQLite would not give it again."""
    return table.source.autoincrement if table.source_of(column) == table.source.rowid else None


def _read_quarantine(path: Optional[str], source: SqliteSource) -> Quarantine:
    """The rows that were left out; an import that left out none writes no file."""
    if not path:
        return Quarantine()
    try:
        with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as lines:
            return Quarantine.read(lines, source.tables())
    except FileNotFoundError:
        return Quarantine()
    except OSError as error:
        raise MigrationError(
            f"The quarantine file {path} cannot be read: {error.strerror or error}.",
            advice="Let this user read it, or run the task as a user that may (become).",
        ) from error
