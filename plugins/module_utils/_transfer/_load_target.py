# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load needs of the PostgreSQL side, and what the target's journal keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)
from typing import Mapping as MappingType

from .._errors import JournalError, TargetError
from ._fast import Packed
from ._model import TableMap
from ._parts import Part
from ._rejects import Reject
from ._rows import Literal, Sent
from ._sequences import SequenceState


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
