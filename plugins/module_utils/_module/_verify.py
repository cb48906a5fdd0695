# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of migration_verify_info in, the verdict over all tables out."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._postgres._catalog import read_tables
from .._postgres._reader import Defect, SchemaReader
from .._postgres._session import connect
from .._sqlite._source import SqliteSource
from .._sqlite._spool import DiskSpool
from .._transfer._compare import compare_table
from .._transfer._counterparts import missing_counterparts
from .._transfer._mapping import options_from_params, plan_mapping, require_sound
from .._transfer._model import Mapping, TableMap
from .._transfer._verdict import SequenceState, SequenceVerdict, TableVerdict, judge_sequence
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
    params = task.params
    started = time.monotonic()
    with SqliteSource.open(params["source"]) as source, connect(params, "verify") as session:
        with session.transaction("repeatable read", read_only=True):
            tables = read_tables(session, params["target_schema"])
            mapping = require_sound(plan_mapping(source.tables(), tables, options_from_params(params)))
            reader = SchemaReader(session, params["target_schema"])
            result = _Verification(params, source, reader, mapping).run()
    result["seconds"] = round(time.monotonic() - started, 3)
    return Outcome(result=result)


class _Verification:
    """One run over all mapped tables."""

    def __init__(self, params: Dict[str, Any], source: SqliteSource, reader: SchemaReader, mapping: Mapping) -> None:
        self.params = params
        self.source = source
        self.reader = reader
        self.mapping = mapping
        self.targets = [table.target.name for table in mapping.tables]
        self.sources = {table.target.name: table.source.name for table in mapping.tables}

    def run(self) -> Dict[str, Any]:
        states = self.reader.sequences(self.targets)
        verdicts = self._compare(states)
        sequences = [self._judge(state, verdicts[state.table]) for state in states]
        constraints = self._defects(self.reader.constraint_defects(self.targets))
        indexes = self._defects(self.reader.index_defects(self.targets))
        tables = list(verdicts.values())
        return {
            "equal": all(table.equal for table in tables)
            and all(sequence.ok for sequence in sequences)
            and not constraints
            and not indexes,
            "tables": [table.as_dict() for table in tables],
            "rows": sum(table.source_rows for table in tables),
            "values": sum(table.values for table in tables),
            "differing": sum(table.missing + table.extra + table.different for table in tables),
            "differences": [difference.as_dict() for table in tables for difference in table.differences],
            "constraints": constraints,
            "indexes": indexes,
            "sequences": [sequence.as_dict() for sequence in sequences],
            "schema": [problem.as_dict() for problem in missing_counterparts(self.mapping)],
            "skipped": [vars(skipped) for skipped in self.mapping.skipped],
        }

    def _compare(self, states: List[SequenceState]) -> Dict[str, TableVerdict]:
        totals = {table.source.name: self.source.count(table.source) for table in self.mapping.tables}
        progress = progress_for(self.params, "verify", totals)
        verdicts = {}
        for table in self.mapping.tables:
            verdicts[table.target.name] = compare_table(
                table,
                self.source,
                self.reader,
                DiskSpool,
                limit=self.params["max_differences"],
                watch={state.column: state.increment < 0 for state in states if state.table == table.target.name},
                progress=progress,
            )
        return verdicts

    def _judge(self, state: SequenceState, verdict: TableVerdict) -> SequenceVerdict:
        return judge_sequence(state, verdict)

    def _defects(self, defects: List[Defect]) -> List[Dict[str, str]]:
        return [
            {"table": self.sources[defect.table], "name": defect.name, "reason": defect.reason} for defect in defects
        ]
