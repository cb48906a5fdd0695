# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of migration_verify_info in, the verdict over all tables out."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._errors import MigrationError
from .._postgres._catalog import fingerprint, read_tables
from .._postgres._definitions import SequenceUse, read_sequences
from .._postgres._journal import ImportJournal
from .._postgres._reader import Defect, SchemaReader
from .._postgres._session import Session, connect
from .._sqlite._source import SqliteSource
from .._sqlite._spool import DiskSpool
from .._transfer._compare import compare_table
from .._transfer._counterparts import missing_counterparts
from .._transfer._mapping import options_from_params, plan_mapping, require_sound
from .._transfer._model import Mapping, Problem, TableMap
from .._transfer._quarantine import Quarantine
from .._transfer._sequences import SequenceState
from .._transfer._verdict import SequenceVerdict, TableVerdict, judge_sequence
from ._progress import progress_for
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    """What migration_verify_info takes."""
    return {
        **source_spec(),
        **target_spec(),
        **mapping_spec(),
        "quarantine_file": {"type": "path"},
        "max_differences": {"type": "int", "default": 20},
        "journal_schema": {"type": "str", "default": "mcps_migration"},
        **progress_spec(),
    }


def verify(task: Task) -> Outcome:
    """Compare everything, each side in one transaction of its own."""
    started = time.monotonic()
    params = task.params
    schema = params["target_schema"]
    with (
        SqliteSource.open(params["source"]) as source,
        connect(params, "verify") as session,
        session.transaction("repeatable read", read_only=True),
    ):
        plan = plan_mapping(source.tables(), read_tables(session, schema), options_from_params(params))
        result = _Verification(params, source, session, require_sound(plan)).run()
    result["seconds"] = round(time.monotonic() - started, 3)
    return Outcome(result=result)


class _Verification:
    """One run over all mapped tables."""

    def __init__(self, params: Dict[str, Any], source: SqliteSource, session: Session, mapping: Mapping) -> None:
        self.params = params
        self.source = source
        self.session = session
        self.reader = SchemaReader(session, params["target_schema"])
        self.mapping = mapping
        self.by_target = {table.target.name: table for table in mapping.tables}
        self.quarantine = _read_quarantine(params["quarantine_file"], source)

    def run(self) -> Dict[str, Any]:
        names = list(self.by_target)
        uses = read_sequences(self.session, self.params["target_schema"], names)
        verdicts = self._compare(uses)
        sequences = [self._judge(use.state, verdicts[table], column) for use in uses for table, column in use.columns]
        constraints = self._defects(self.reader.constraint_defects(names))
        indexes = self._defects(self.reader.index_defects(names))
        schema = [{**problem.as_dict(), "severity": "error"} for problem in self._since_import()]
        schema += [{**problem.as_dict(), "severity": "warning"} for problem in missing_counterparts(self.mapping)]
        tables = list(verdicts.values())
        set_aside = self.quarantine.problems({table.table: table.quarantined for table in tables})
        return {
            "equal": all(table.equal for table in tables)
            and all(sequence.ok for sequence in sequences)
            and not (constraints or indexes or set_aside)
            and all(problem["severity"] == "warning" for problem in schema),
            "tables": [table.as_dict() for table in tables],
            "rows": sum(table.source_rows for table in tables),
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

    def _compare(self, uses: List[SequenceUse]) -> Dict[str, TableVerdict]:
        """The verdicts by the target's name."""
        totals = {table.source.name: self.source.count(table.source) for table in self.mapping.tables}
        progress = progress_for(self.params, "verify", totals)
        verdicts = {}
        for name, table in self.by_target.items():
            verdicts[name] = compare_table(
                table,
                self.source,
                self.reader,
                DiskSpool,
                limit=self.params["max_differences"],
                watch={
                    column: use.state.increment < 0 for use in uses for target, column in use.columns if target == name
                },
                quarantined=self.quarantine.keys(table.source.name),
                progress=progress,
            )
        return verdicts

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
