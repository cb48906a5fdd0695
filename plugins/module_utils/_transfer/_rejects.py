# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that are not loaded: what is wrong with them, as an error says it and as the quarantine file keeps it.

docs/quarantine.md has the file's format: one JSON object per line and row, from which the row can be restored.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple
from typing import Counter as CounterType

from .._errors import InvalidRowError
from ._model import TableMap
from ._values import SqliteValue, sample, to_json

#: Misfits that an error shows before it says that there are more.
SHOWN = 20


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value, or with several together (I(column) lists their names)."""

    column: str
    value: Any
    kind: str
    reason: str
    advice: str
    shown: str = ""

    def as_dict(self) -> Dict[str, Any]:
        return {
            "column": self.column,
            "value": self.value,
            "kind": self.kind,
            "reason": self.reason,
            "advice": self.advice,
        }


@dataclass(frozen=True)
class Reject:
    """One row of the source that stays behind. I(row) holds all its stored columns by name."""

    table: str
    target: str
    key: Mapping[str, SqliteValue]
    row: Mapping[str, SqliteValue]
    faults: Tuple[Fault, ...]
    parent: Optional[Mapping[str, Any]] = None

    def as_dict(self) -> Dict[str, Any]:
        """The line of the quarantine file."""
        document: Dict[str, Any] = {
            "table": self.table,
            "target": self.target,
            "key": {name: to_json(value) for name, value in self.key.items()},
            "problems": [fault.as_dict() for fault in self.faults],
            "reason_row": "; ".join(
                (f"{fault.column}: " if fault.column else "") + fault.reason for fault in self.faults
            ),
            "row": {name: to_json(value) for name, value in self.row.items()},
        }
        if self.parent is not None:
            document["parent"] = dict(self.parent)
        return document

    def facts(self) -> List[Dict[str, Any]]:
        """One dictionary per value, as an error's details list them."""
        key = {name: to_json(value) for name, value in self.key.items()}
        return [
            {
                "table": self.table,
                "target": self.target,
                "key": key,
                "column": fault.column,
                "value": fault.shown,
                "kind": fault.kind,
                "reason": fault.reason,
                "advice": fault.advice,
            }
            for fault in self.faults
        ]

    def sentence(self) -> str:
        where = ", ".join(f"{name}={sample(value)}" for name, value in self.key.items())
        return f"{self.table} ({where}): " + "; ".join(
            (f"{fault.column} = {fault.shown}: " if fault.column else "") + f"{fault.reason}. {fault.advice}"
            for fault in self.faults
        )


def reject(table: TableMap, names: Sequence[str], row: Sequence[SqliteValue], faults: Sequence[Fault]) -> Reject:
    """The Reject of I(row), read with the columns I(names), which hold the key and all stored columns."""
    values = dict(zip(names, row))
    stored = {column.name: values[column.name] for column in table.source.columns if column.name in values}
    return Reject(
        table=table.source.name,
        target=table.target.name,
        key={name: values[name] for name in table.source.key if name in values},
        row=stored,
        faults=tuple(faults),
    )


def shown(values: Sequence[SqliteValue]) -> str:
    """Values as an error shows them."""
    return sample(values[0]) if len(values) == 1 else "(" + ", ".join(sample(value) for value in values) + ")"


def kept(values: Sequence[SqliteValue]) -> Any:
    """Values as the quarantine file keeps them: one alone stands for itself."""
    return to_json(values[0]) if len(values) == 1 else [to_json(value) for value in values]


@dataclass
class Tally:
    """How many rows stay behind, by table and kind."""

    counts: CounterType[Tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0

    def add(self, table: str, kinds: Sequence[str], rows: int = 1) -> None:
        """I(rows) more rows of I(table), whose values have these I(kinds) of faults."""
        self.rows += rows
        for kind in sorted(set(kinds)):
            self.counts[(table, kind)] += rows

    def add_rejects(self, rejects: Iterable[Reject]) -> None:
        for entry in rejects:
            self.add(entry.table, [fault.kind for fault in entry.faults])

    def add_lines(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Rows as the quarantine file's lines."""
        for line in lines:
            self.add(line["table"], [problem["kind"] for problem in line["problems"]])

    def listed(self) -> List[Dict[str, Any]]:
        return [{"table": table, "kind": kind, "rows": count} for (table, kind), count in sorted(self.counts.items())]


def invalid_rows(rejects: Sequence[Reject], tally: Tally, budget: Optional[int], complete: bool) -> InvalidRowError:
    """The error over rows that may not stay behind.

    I(budget) is the number of rows that might (None: the operator did not ask for quarantine). I(complete) is false
    if there may be more such rows than I(tally) counts.
    """
    first = list(rejects)[:SHOWN]
    counts = ", ".join(f"{entry['table']} {entry['kind']}: {entry['rows']}" for entry in tally.listed())
    least = "" if complete else "at least "
    message = f"{least}{tally.rows} {'row does' if tally.rows == 1 else 'rows do'} not fit the target ({counts})"
    message = message[0].upper() + message[1:]
    if budget is not None:
        message += f", and quarantine_budget is {budget}"
    message += ". " + " | ".join(entry.sentence() for entry in first[:3])
    hidden = tally.rows - len(first[:3])
    if hidden > 0 or not complete:
        message += f" | and {hidden if complete else 'possibly'} more"
    return InvalidRowError(
        f"{message}. The target is as it was before.",
        advice="sqlite_audit_info lists every value that does not fit."
        + ("" if budget is not None else " on_invalid: quarantine sets such rows aside."),
        details={
            "rows": [fact for entry in first for fact in entry.facts()][:SHOWN],
            "counts": tally.listed(),
            "total": tally.rows,
            "more": not complete or tally.rows > len(first),
        },
    )
