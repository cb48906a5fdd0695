# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark knows of both databases and what it is to run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from .._transfer._model import TableMap
from ._sql import Statement

#: A row's values in SQLite, and the same row's in PostgreSQL as text (None for NULL).
Pair = Tuple[Tuple[Any, ...], Tuple[Optional[str], ...]]


@dataclass(frozen=True)
class Index:
    """An index of the target. I(columns): plain ones in order, V("") for an expression; I(sources): all it is made of.

    I(expression) is the text of its expressions, I(classes) are names of operator classes.
    """

    name: str
    method: str
    columns: Tuple[str, ...]
    sources: Tuple[str, ...] = ()
    classes: Tuple[str, ...] = ()
    expression: str = ""
    unique: bool = False
    partial: bool = False


@dataclass(frozen=True)
class TableFacts:
    """A table on both sides. I(types): PostgreSQL's, with schema where one is needed, by the target's column.

    I(generated): the columns that a generated column is made of. I(source_indexes), I(source_unique): columns of the
    source's full indexes over plain columns.
    """

    map: TableMap
    rows: int
    types: Mapping[str, str]
    indexes: Tuple[Index, ...] = ()
    generated: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    source_indexes: Tuple[Tuple[str, ...], ...] = ()
    source_unique: Tuple[Tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        return self.map.source.name

    @property
    def key(self) -> Optional[str]:
        """The source's name of the one column that both sides have as primary key."""
        columns = self.map.key_columns
        if not columns or len(columns) != 1 or self.map.target.primary_key != (columns[0].target.name,):
            return None
        return columns[0].source

    @property
    def numbered(self) -> bool:
        """Whether the key is a whole number, which SQLite gives out by itself."""
        key = self.key
        return key is not None and key == self.map.source.rowid and self.type_of(key) in WHOLE_NUMBERS

    def type_of(self, source: str) -> str:
        """PostgreSQL's type of the source's column, empty where it is not moved."""
        target = self.target_of(source)
        return self.types.get(target, "") if target else ""

    def target_of(self, source: str) -> str:
        column = self.map.target_of(source)
        return column.target.name if column else ""


WHOLE_NUMBERS = ("smallint", "integer", "bigint")


class Sampler(Protocol):
    """Values of the databases that are to be asked about."""

    def pairs(self, table: TableFacts, columns: Sequence[str], targets: Sequence[str] = ()) -> List[Pair]:
        """Some rows of I(table), spread over it: I(columns) of the source, and on PostgreSQL the columns that they are
        mapped to, or I(targets)."""

    def lexemes(self, table: TableFacts, vector: str) -> List[Tuple[str, float]]:
        """Plain words of the tsvector I(vector) (an SQL expression), each with the share of rows that have it."""


@dataclass(frozen=True)
class Query:
    """The same question to both sides. I(parameters): pairs of what is bound, in turn; none for a query without any.

    I(candidates): indexes that PostgreSQL might answer it faster with, as statements that make them.
    """

    name: str
    sqlite: Statement
    postgres: Statement
    parameters: Tuple[Tuple[Tuple[Any, ...], Tuple[Optional[str], ...]], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    candidates: Tuple[Statement, ...] = ()


@dataclass(frozen=True)
class WritePlan:
    """Rows to write into a table like I(table). I(columns) and I(targets) are filled from I(rows) in that order.

    I(fresh) says which places have to be new in each row, and in what form, on either side (see C(_driver.fresh)).
    I(updated): the place whose value an update writes.
    """

    table: TableFacts
    columns: Tuple[str, ...]
    targets: Tuple[str, ...]
    rows: Tuple[Pair, ...]
    fresh: Tuple[Tuple[Tuple[int, str], ...], Tuple[Tuple[int, str], ...]]
    updated: Optional[int] = None


@dataclass
class Plan:
    """All that is to be run, by promise, and what is not, with the reason."""

    write: Optional[WritePlan] = None
    queries: Dict[str, List[Query]] = field(default_factory=dict)
    left_out: List[Dict[str, str]] = field(default_factory=list)

    def leave_out(self, promise: str, reason: str) -> None:
        self.left_out.append({"promise": promise, "reason": reason})
