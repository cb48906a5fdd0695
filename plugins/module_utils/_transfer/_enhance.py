# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL can do for a schema that was made for SQLite: statements there and back. Pure.

Everything is additive: the application reads and writes as before. json becomes jsonb, whose values mean the same;
generated columns follow what is written; indexes are seen by nobody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from .._errors import MappingError
from ._model import TargetColumn, TargetTable
from ._types import parse_type

#: How the name of every index begins that is made here, and each generated column has one: so they can be told from what is
#: the application's (M(_driver), or autogenerate's include_object).
PREFIX = "pgx_"
#: PostgreSQL cuts longer names (NAMEDATALEN).
MAX_NAME = 63
WEIGHTS = ("A", "B", "C", "D")
METHODS = ("btree", "brin", "gin", "gist", "hash")
KINDS = ("jsonb", "search", "vector", "foreign_keys", "index")
#: Kinds that need an extension.
EXTENSIONS = {"vector": "vector"}


@dataclass(frozen=True)
class Step:
    """One statement, and the one that takes it back. I(concurrent): in no transaction. I(rewrites): the whole table."""

    what: str
    up: str
    down: str
    concurrent: bool = False
    rewrites: str = ""


@dataclass(frozen=True)
class State:
    """What is there: tables by name, names of valid indexes, and of those that a build left behind unfinished."""

    schema: str
    tables: Mapping[str, TargetTable]
    indexes: FrozenSet[str] = frozenset()
    invalid: FrozenSet[str] = frozenset()


@dataclass
class Plan:
    """I(steps) are to be run; I(whole) is all of them, whether they have been run or not."""

    steps: List[Step] = field(default_factory=list)
    whole: List[Step] = field(default_factory=list)


def plan(wanted: Sequence[Mapping[str, Any]], state: State, present: bool) -> Plan:
    """What has to be run for I(wanted) (or to take it away). MappingError for what cannot be had."""
    planner = _Planner(state, present)
    for number, item in enumerate(wanted, 1):
        planner.add(number, item)
    return planner.finished()


def needed_extensions(wanted: Sequence[Mapping[str, Any]]) -> Dict[str, str]:
    """Extensions that I(wanted) cannot do without, and what needs each of them."""
    return {
        EXTENSIONS[item["kind"]]: place(number, item)
        for number, item in enumerate(wanted, 1)
        if item["kind"] in EXTENSIONS
    }


def enhanced(tables: Sequence[TargetTable], wanted: Sequence[Mapping[str, Any]]) -> List[TargetTable]:
    """I(tables) with the types that their columns have once I(wanted) is made: what a load has to do with.

    Columns that are added are generated, and nothing is loaded into them. Whether I(wanted) can be had is for M(plan).
    """
    jsonb = {(item.get("table"), item.get("column")) for item in wanted if item.get("kind") == "jsonb"}
    return [
        replace(
            table,
            columns=tuple(
                replace(column, type=parse_type("jsonb"))
                if (table.name, column.name) in jsonb and column.type.name == "json"
                else column
                for column in table.columns
            ),
        )
        for table in tables
    ]


def place(number: int, item: Mapping[str, Any]) -> str:
    """How an error names the enhancement."""
    return f"enhancement {number} ({item['kind']})"


class _Planner:
    def __init__(self, state: State, present: bool) -> None:
        self.state = state
        self.present = present
        self.pairs: List[Tuple[Step, bool]] = []

    def add(self, number: int, item: Mapping[str, Any]) -> None:
        where = place(number, item)
        {
            "jsonb": self._jsonb,
            "search": self._search,
            "vector": self._vector,
            "foreign_keys": self._foreign_keys,
            "index": self._plain_index,
        }[item["kind"]](where, item)

    def finished(self) -> Plan:
        whole = [step for step, _there in self.pairs]
        if self.present:
            return Plan([step for step, there in self.pairs if not there], whole)
        return Plan([step for step, there in reversed(self.pairs) if there], whole)

    # Kinds

    def _jsonb(self, where: str, item: Mapping[str, Any]) -> None:
        table, column = self._column(where, item)
        if column.type.name not in ("json", "jsonb"):
            raise _refused(where, f"{table.name}.{column.name} is {column.type}, not json")
        name = quoted(column.name)
        alter = f"ALTER TABLE {self._name(table)} ALTER COLUMN {name} TYPE"
        step = Step(
            f"{table.name}.{column.name} as jsonb",
            f"{alter} jsonb USING {name}::jsonb",
            f"{alter} json USING {name}::json",
            rewrites=table.name,
        )
        self.pairs.append((step, column.type.name == "jsonb"))
        self._index(table, (column.name,), "gin", f"{name} jsonb_path_ops")

    def _search(self, where: str, item: Mapping[str, Any]) -> None:
        table = self._table(where, item)
        sources = item.get("sources") or {}
        if not sources:
            raise _refused(where, "it names no sources")
        configuration = literal(item.get("configuration") or "english")
        parts = []
        for source, weight in sources.items():
            if table.column(source) is None:
                raise _refused(where, f"{table.name} has no column {source}")
            if weight not in WEIGHTS:
                raise _refused(where, f"the weight of {source} is {weight}, and not one of {', '.join(WEIGHTS)}")
            text = f"coalesce({quoted(source)}, '')"
            parts.append(f"setweight(to_tsvector({configuration}::regconfig, {text}), {literal(weight)})")
        column = item.get("column") or "search_vector"
        self._generated(where, table, column, "tsvector", " || ".join(parts))
        self._index(table, (column,), "gin", quoted(column))

    def _vector(self, where: str, item: Mapping[str, Any]) -> None:
        table, source = self._column(where, item)
        if source.type.name not in ("json", "jsonb"):
            raise _refused(where, f"{table.name}.{source.name} is {source.type}, not json or jsonb")
        dimensions = item.get("dimensions") or 0
        if dimensions < 1:
            raise _refused(where, "it names no dimensions")
        document = f"{quoted(source.name)}::jsonb"
        # Nested, since SQL may evaluate the operands of AND in any order.
        numbers = 'strict $[*] ? (@.type() != "number" || @.abs() > 3.4e38)'
        expression = (
            f"CASE WHEN jsonb_typeof({document}) = 'array' THEN"
            f" CASE WHEN jsonb_array_length({document}) = {dimensions} THEN"
            f" CASE WHEN NOT jsonb_path_exists({document}, {literal(numbers)})"
            f" THEN ({document})::text::vector({dimensions}) END END END"
        )
        column = item.get("into") or f"{source.name}_vector"
        self._generated(where, table, column, f"vector({dimensions})", expression)
        self._index(table, (column,), "hnsw", f"{quoted(column)} vector_cosine_ops")

    def _foreign_keys(self, where: str, item: Mapping[str, Any]) -> None:
        tables = [self._table(where, item)] if item.get("table") else list(self.state.tables.values())
        for table in tables:
            for key in table.foreign_keys:
                own = _index_name(table.name, key.columns)
                others = [index for index in table.indexed if set(index[: len(key.columns)]) == set(key.columns)]
                if not others or own in self.state.indexes:
                    self._index(table, key.columns, "btree", ", ".join(map(quoted, key.columns)))

    def _plain_index(self, where: str, item: Mapping[str, Any]) -> None:
        table = self._table(where, item)
        columns = tuple(item.get("columns") or ())
        if not columns:
            raise _refused(where, "it names no columns")
        for column in columns:
            if table.column(column) is None:
                raise _refused(where, f"{table.name} has no column {column}")
        self._index(table, columns, item.get("method") or "btree", ", ".join(map(quoted, columns)))

    # Parts

    def _generated(self, where: str, table: TargetTable, column: str, type_: str, expression: str) -> None:
        there = table.column(column)
        if there is not None and not there.generated:
            raise _refused(where, f"{table.name}.{column} is there already, and is not generated")
        step = Step(
            f"{table.name}.{column}",
            f"ALTER TABLE {self._name(table)} ADD COLUMN {quoted(column)} {type_} GENERATED ALWAYS AS ({expression}) STORED",
            f"ALTER TABLE {self._name(table)} DROP COLUMN {quoted(column)}",
            rewrites=table.name,
        )
        self.pairs.append((step, there is not None))

    def _index(self, table: TargetTable, columns: Sequence[str], method: str, keys: str) -> None:
        name = _index_name(table.name, columns)
        if any(name == step.what for step, _there in self.pairs):
            return
        place = f"{quoted(self.state.schema)}.{quoted(name)}"
        if name in self.state.invalid and self.present:
            # A build that was killed leaves an index behind that serves nobody.
            leftover = Step(f"{name} (unfinished)", f"DROP INDEX CONCURRENTLY {place}", "", concurrent=True)
            self.pairs.append((leftover, False))
        step = Step(
            name,
            f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {self._name(table)} USING {method} ({keys})",
            f"DROP INDEX CONCURRENTLY {place}",
            concurrent=True,
        )
        there = name in self.state.indexes or (name in self.state.invalid and not self.present)
        self.pairs.append((step, there))

    def _name(self, table: TargetTable) -> str:
        return f"{quoted(self.state.schema)}.{quoted(table.name)}"

    def _table(self, where: str, item: Mapping[str, Any]) -> TargetTable:
        found = self.state.tables.get(item.get("table") or "")
        if found is None:
            raise _refused(where, f"there is no table {item.get('table') or 'named'}")
        return found

    def _column(self, where: str, item: Mapping[str, Any]) -> Tuple[TargetTable, TargetColumn]:
        table = self._table(where, item)
        found = table.column(item.get("column") or "")
        if found is None:
            raise _refused(where, f"{table.name} has no column {item.get('column') or 'named'}")
        return table, found


def revision_text(steps: Sequence[Step], revision: str, down_revision: Sequence[str], message: str) -> str:
    """An Alembic revision that runs I(steps) on PostgreSQL, and does nothing on SQLite."""
    down: Optional[Any] = None
    if down_revision:
        down = down_revision[0] if len(down_revision) == 1 else tuple(down_revision)
    body = ["def upgrade() -> None:", *_operations([(step.up, step.concurrent) for step in steps])]
    back = [(step.down, step.concurrent) for step in reversed(steps) if step.down]
    body += ["", "", "def downgrade() -> None:", *_operations(back)]
    head = [
        f'"""{message}. On SQLite this revision does nothing.',
        "",
        f"Its indexes have names that begin with {PREFIX}, and each of its generated columns has one. The application's models",
        "do not know them, and mcps.postgres counts them as no drift.",
        '"""',
        "",
        "from alembic import op",
        "",
        f"revision = {revision!r}",
        f"down_revision = {down!r}",
        "branch_labels = None",
        "depends_on = None",
    ]
    return "\n".join([*head, "", "", *body, ""])


def _operations(statements: Sequence[Tuple[str, bool]]) -> List[str]:
    lines = ['    if op.get_context().dialect.name != "postgresql":', "        return"]
    for statement, concurrent in statements:
        # A colon before a word would be a parameter of SQLAlchemy's text().
        execute = f"op.execute({statement.replace(':', chr(92) + ':')!r})"
        if concurrent:
            lines += ["    with op.get_context().autocommit_block():", f"        {execute}"]
        else:
            lines.append(f"    {execute}")
    return lines


def _index_name(table: str, columns: Sequence[str]) -> str:
    name = PREFIX + "_".join([table, *columns])
    if len(name.encode()) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: MAX_NAME - 9].decode(errors="ignore") + "_" + digest


def quoted(name: str) -> str:
    """I(name) as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """I(text) as a string."""
    return "'" + text.replace("'", "''") + "'"


def _refused(where: str, reason: str) -> MappingError:
    return MappingError(f"{where}: {reason}.", advice="Correct it, or take it out.", details={"reason": reason})
