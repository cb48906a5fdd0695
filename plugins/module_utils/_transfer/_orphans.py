# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the target that break a foreign key, because their parent is missing or set aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import Dict, List, Sequence, Tuple
from typing import Mapping as MappingType

from .._errors import JournalError, MigrationError
from ._load_scan import read_columns
from ._load_tables import Shared
from ._load_target import KeyDefinition, LoadTarget, Run, TableResult
from ._model import TableMap
from ._ports import SourceRow
from ._rejects import SHOWN, Fault, Reject, invalid_rows, kept, reject, shown
from ._rows import Literal, RowConverter, RowMisfit
from ._values import KINDS, Misfit, from_json, sample, to_json

Canonical = Tuple[Literal, ...]


@dataclass
class _Gone:
    """A row that was taken out because of a foreign key, as canonical values by target column."""

    key: KeyDefinition
    values: Dict[str, Literal]
    quarantined_parent: bool


class OrphanSearch:
    """Finds rows whose parent is missing or set aside, takes them out, and goes on until nothing is left to find."""

    def __init__(self, shared: Shared, target: LoadTarget, run: Run) -> None:
        self._shared = shared
        self._target = target
        self._run = run
        self._keys = [
            key
            for key in run.keys
            if key.checked
            and key.table in shared.by_target
            and shared.by_target[key.table].map.target.schema == key.schema
        ]
        self._converters = {name: RowConverter(table.map) for name, table in shared.by_target.items()}
        #: Rows that are not in the target, by target table: set aside before, or taken out here.
        self._absent: Dict[str, List[Dict[str, Literal]]] = defaultdict(list)
        self._gone: Dict[str, List[_Gone]] = defaultdict(list)

    def run(self) -> None:
        self._read_quarantine()
        counts = {key: self._target.count_orphans(key) for key in self._keys}
        if sum(counts.values()) > self._shared.left:
            raise self._too_many(counts)
        while any(counts.values()):
            for key in self._keys:
                if counts[key]:
                    self._take_out(key)
            counts = {key: self._target.count_orphans(key) for key in self._keys}
            if sum(counts.values()) + self._taken() > self._shared.left:
                raise self._too_many(counts)
        for name in sorted(self._gone):
            rejects = self._rejects(name, self._gone[name])
            planned = self._shared.by_target[name]
            result = self._run.done[planned.map.source.name]
            values = asdict(result)
            values["rows"] -= len(self._gone[name])
            values["quarantined"] += len(self._gone[name])
            result = TableResult.from_dict(values)
            self._target.record(self._run, result, rejects)
            self._run.done[result.table] = result
            self._shared.tally.add_rejects(rejects)

    def _taken(self) -> int:
        return sum(len(rows) for rows in self._gone.values())

    def _read_quarantine(self) -> None:
        for entry in self._target.quarantined(self._run):
            converter = self._converters[entry["target"]]
            values: Dict[str, Literal] = {}
            for step in converter.converters:
                try:
                    literal = step.convert(from_json(entry["row"][step.column.source]))
                except (Misfit, KeyError):
                    continue
                values[step.column.target.name] = None if literal is None else step.codec.canonical(literal)
            self._absent[entry["target"]].append(values)

    def _rows(self, key: KeyDefinition, found: Sequence[Sequence[Literal]]) -> List[_Gone]:
        converter = self._converters[key.table]
        absent = self._absent.get(key.parent, []) if key.parent_schema == key.schema else []
        parents = {tuple(row.get(name) for name in key.parent_columns) for row in absent}
        rows = []
        for literals in found:
            values = dict(zip(converter.target_columns, converter.canonical(literals)))
            rows.append(_Gone(key, values, tuple(values.get(name) for name in key.columns) in parents))
        return rows

    def _take_out(self, key: KeyDefinition) -> None:
        rows = self._rows(key, self._target.remove_orphans(key, self._converters[key.table].target_columns))
        self._gone[key.table].extend(rows)
        self._absent[key.table].extend(row.values for row in rows)

    def _too_many(self, counts: MappingType[KeyDefinition, int]) -> MigrationError:
        """The error with counts by table and kind, and the first rows."""
        rejects: List[Reject] = []
        for name in sorted(self._gone):
            for row in self._gone[name]:
                self._shared.tally.add(self._shared.by_target[name].map.source.name, [_kind(row)])
            rejects += self._rejects(name, self._gone[name][:SHOWN])
        # Counting those of one key leaves fewer for the next, and no less than none.
        enough = max(self._shared.left, 0) + SHOWN
        for key, count in counts.items():
            if not count:
                continue
            columns = self._converters[key.table].target_columns
            rows = self._rows(key, self._target.orphans(key, columns, min(count, enough)))
            kinds = Counter(_kind(row) for row in rows)
            kind = kinds.most_common(1)[0][0]
            self._shared.tally.add(self._shared.by_target[key.table].map.source.name, [kind], count)
            if len(rejects) < SHOWN:
                rejects += self._rejects(key.table, rows[:SHOWN])
        # Rows that depend on these are not counted yet.
        return invalid_rows(rejects, self._shared.tally, self._shared.settings.budget, complete=False)

    def _rejects(self, name: str, rows: Sequence[_Gone]) -> List[Reject]:
        """The source's rows that I(rows) came from."""
        table = self._shared.by_target[name].map
        converter = RowConverter(table)
        places = _identity(table)
        wanted: Dict[Canonical, List[_Gone]] = defaultdict(list)
        for row in rows:
            literals = [row.values[column] for column in converter.target_columns]
            wanted[tuple(literals[place] for place in places)].append(row)
        names = read_columns(table)
        found: List[Reject] = []
        for values in self._shared.source.rows(table.source, names):
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
        parent = self._shared.by_target.get(key.parent)
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
