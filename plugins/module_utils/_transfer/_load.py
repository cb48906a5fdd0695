# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load: every row of the source in the target, or the target as it was.

Tables are loaded one transaction each and journaled in the target, so that a run that was killed goes on where it
stopped; with replace, everything is one transaction. What happens in which transaction is in docs/load.md.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .._errors import JournalError, MigrationError, TargetError
from ._crew import Crew, SharedProgress
from ._load_plan import LoadPlan, LoadSettings, PlannedTable
from ._load_tables import Job, Member, PartedLoad, Shared, load_whole
from ._load_target import KeyDefinition, LoadTarget, Run, SequenceReport, TableResult, require_counts
from ._orphans import OrphanSearch
from ._parts import PART_BYTES, ROUGH_ROW_BYTES, estimate
from ._ports import Progress, RowSource
from ._rows import RowConverter
from ._sequences import next_free
from ._values import Misfit, from_json


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


#: Gives up to so many members besides the first; all of them see the same moment of the source.
Recruit = Callable[[int], Sequence[Member]]


def alone(_wanted: int) -> Sequence[Member]:
    """A Recruit that finds nobody."""
    return ()


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
        if isinstance(error, JournalError) or loader.shared.run is None:
            raise
        if not loader.alive:
            if isinstance(error, MigrationError):
                error.advice = "Finished tables are journaled: run the same command again to go on from there."
            raise
        try:
            target.undo(loader.shared.run)
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
        self.members = [Member(source, target)]
        self.crew = Crew(self.members, lambda member: member.target.cancel())
        self.shared = Shared(plan, source, settings, SharedProgress(progress, self.crew.check, settings.max_rate))
        self._recruit = recruit

    @property
    def alive(self) -> bool:
        """Whether all connections to the target still stand."""
        return all(member.target.alive for member in self.members)

    def load(self) -> LoadReport:
        names = [table.map.target.name for table in self.plan.tables]
        if self.shared.run is None:
            with self.target.transaction():
                run = self.target.begin(self.settings.source, self.plan.fingerprint, self.plan.digest, names)
                if self.settings.replace:
                    self.target.empty(names)
            self.shared.run = run
        else:
            self.shared.tally.add_lines(self.target.quarantined(self.shared.run))
        run = self.shared.run
        self._require_counts(run)
        waiting = [table for table in self.plan.tables if table.map.source.name not in run.done]
        if self.settings.replace:
            for table in waiting:
                load_whole(self.shared, table, self.members[0])
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
        sizes = {table.map.source.name: estimate(self.source, table.map, table.rows) for table in tables}

        def weight(table: PlannedTable) -> int:
            return sizes[table.map.source.name] or table.rows * ROUGH_ROW_BYTES

        large = [t for t in tables if sizes[t.map.source.name] >= 2 * PART_BYTES or t.map.source.name in run.open]
        if large or (len(tables) > 1 and sum(map(weight, tables)) >= 2 * PART_BYTES):
            self.members.extend(self._recruit(self.settings.workers - 1))
        jobs: List[Job] = []
        for table in sorted(large, key=weight, reverse=True):
            jobs += PartedLoad(self.shared, run, table, sizes[table.map.source.name]).jobs()
        return jobs + [self._whole(table) for table in tables if table not in large]

    def _whole(self, table: PlannedTable) -> Job:
        def job(member: Member) -> Sequence[Job]:
            load_whole(self.shared, table, member)
            return ()

        return job

    def analyze(self) -> None:
        # The largest first, so that no member is left alone with it in the end.
        sizes = {result.target: result.bytes for result in self.shared.run.done.values()} if self.shared.run else {}
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
                converters[name] = RowConverter(self.shared.by_target[name].map)
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
        search = OrphanSearch(self.shared, self.target, run)
        search.run()
        if not self.target.restore_keys(run):
            raise TargetError(
                "Foreign keys cannot be put back, although no row without a parent is left in the loaded tables.",
                advice="A table that is not part of this import refers to rows that the source does not have:"
                " include it, or empty it.",
            )
