# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the plan is made from: the two schemas with their indexes, and values that are there."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .._errors import MappingError
from .._postgres._session import Session, comma, compose, identifier, literal, raw
from .._sqlite._names import Sql
from .._sqlite._names import compose as composed
from .._transfer._model import TableMap
from ._driver import distance
from ._model import WHOLE_NUMBERS, Index, Pair, TableFacts
from ._sql import column_list

SAMPLE_ROWS = 64
#: Rows whose words are counted.
DOCUMENTS = 20000
#: What decides how durable and how fast a server is.
SETTINGS = (
    *("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "work_mem", "max_connections"),
    *("max_parallel_workers_per_gather", "jit", "random_page_cost", "effective_cache_size"),
)

_TYPES = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind IN ('r', 'p')
"""

_INDEXES = """
SELECT c.relname::text, x.relname::text, m.amname::text,
       (SELECT array_agg(coalesce(a.attname, '')::text ORDER BY o.n)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS o (num, n)
          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = o.num AND o.num > 0
         WHERE o.n <= i.indnkeyatts),
       (SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
          FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = x.oid AND d.refclassid = 'pg_class'::regclass
           AND d.refobjid = i.indrelid AND d.refobjsubid > 0),
       (SELECT array_agg(p.opcname::text ORDER BY o.n)
          FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS o (opclass, n) JOIN pg_opclass p ON p.oid = o.opclass),
       coalesce(pg_get_expr(i.indexprs, i.indrelid), ''), i.indisunique, i.indpred IS NOT NULL
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind IN ('r', 'p') AND i.indisvalid
 ORDER BY c.relname, x.relname
"""

#: Older servers let the column itself depend on what it is made of, newer ones its expression.
_GENERATED = """
SELECT DISTINCT c.relname::text, g.attname::text, a.attname::text, a.attnum
  FROM pg_class c JOIN pg_attribute g ON g.attrelid = c.oid AND g.attgenerated <> ''
  JOIN pg_attrdef e ON e.adrelid = c.oid AND e.adnum = g.attnum
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
   AND (d.classid, d.objid, d.objsubid) IN (('pg_class'::regclass, c.oid, g.attnum), ('pg_attrdef'::regclass, e.oid, 0))
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND a.attnum <> g.attnum
 ORDER BY 1, 2, a.attnum
"""


def open_copy(path: str, text_errors: str = "replace") -> sqlite3.Connection:
    """A connection to the benchmark's own copy, for looking and for the scratch table."""
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    connection.text_factory = lambda value: value.decode("utf-8", text_errors)
    connection.create_function("mcps_distance", 3, distance)  # which the plan of a statement asks for
    return connection


def read_facts(
    copy: sqlite3.Connection, session: Session, schema: str, tables: Sequence[TableMap], missing: int = 0
) -> List[TableFacts]:
    """Both sides of every table. MappingError where PostgreSQL holds more rows, or more than I(missing) fewer in all."""
    types: Dict[str, Dict[str, str]] = defaultdict(dict)
    for table, column, name in session.query(_TYPES, (schema,)):
        types[table][column] = name
    indexes: Dict[str, List[Index]] = defaultdict(list)
    for row in session.query(_INDEXES, (schema,)):
        table, name, method, columns, sources, classes, expression, unique, partial = row
        indexes[table].append(
            Index(name, method, tuple(columns), tuple(sources), tuple(classes), expression, unique, partial)
        )
    generated: Dict[str, Dict[str, Tuple[str, ...]]] = defaultdict(dict)
    for table, column, source, _ in session.query(_GENERATED, (schema,)):
        generated[table][column] = (*generated[table].get(column, ()), source)
    rows = [(table, *_rows(copy, session, table)) for table in tables]
    _require_same(rows, missing)
    return [
        TableFacts(
            map=table,
            rows=count,
            types=types[table.target.name],
            indexes=tuple(indexes[table.target.name]),
            generated=generated[table.target.name],
            source_indexes=tuple(columns for columns, _ in _source_indexes(copy, table.source.name)),
            source_unique=tuple(columns for columns, unique in _source_indexes(copy, table.source.name) if unique),
        )
        for table, count, _ in rows
    ]


def _rows(copy: sqlite3.Connection, session: Session, table: TableMap) -> Tuple[int, int]:
    """The table's number of rows in SQLite and in PostgreSQL."""
    here = int(copy.execute(composed("SELECT count(*) FROM {table}", table=table.source.name)).fetchone()[0])
    return here, int(session.value(compose("SELECT count(*) FROM {table}", table=_name(table))))


def _require_same(rows: Sequence[Tuple[TableMap, int, int]], missing: int) -> None:
    lacking = 0
    for table, here, there in rows:
        lacking += here - there
        if there > here or lacking > missing:
            raise MappingError(
                f"The two sides do not hold the same data: {table.source.name} has {here} rows in SQLite and {there} in"
                f" PostgreSQL ({table.target.name}).",
                advice="Load the snapshot into the target by mcps.postgres.sqlite_import first. If it set rows aside, say"
                " how many in missing_rows.",
            )


def _name(table: TableMap) -> Any:
    return identifier(table.target.schema, table.target.name)


def _source_indexes(copy: sqlite3.Connection, table: str) -> List[Tuple[Tuple[str, ...], bool]]:
    """Columns of the table's full indexes over plain columns, and whether each is unique."""
    found: List[Tuple[Tuple[str, ...], bool]] = []
    for _, index, unique, _, partial in copy.execute(composed("PRAGMA index_list({table})", table=table)).fetchall():
        columns = [row[2] for row in copy.execute(composed("PRAGMA index_info({index})", index=index))]
        if not partial and columns and None not in columns:
            found.append((tuple(columns), bool(unique)))
    return sorted(found)


class Samples:
    """Implements C(_model.Sampler). The same rows every time, as far as the data is the same."""

    def __init__(self, copy: sqlite3.Connection, session: Session) -> None:
        self._copy = copy
        self._session = session

    def pairs(self, table: TableFacts, columns: Sequence[str], targets: Sequence[str] = ()) -> List[Pair]:
        key = table.key
        if key is None or not table.rows:
            return []
        wanted = list(targets or [table.target_of(column) for column in columns])
        sqlite = self._sqlite_rows(table, key, columns)
        keys = [str(name) for name in sqlite]
        cast = "bigint[]" if table.type_of(key) in WHOLE_NUMBERS else f"{table.type_of(key)}[]"
        # Not by a parameter: a per cent sign in a name would be taken for one.
        statement = compose(
            "SELECT {key}::text, {columns} FROM {table} WHERE {key} = ANY ({keys}::text[]::{cast})",
            key=identifier(table.target_of(key)),
            columns=comma([compose("{name}::text", name=identifier(name)) for name in wanted]),
            table=_name(table.map),
            keys=literal(keys),
            cast=raw(cast),
        )
        postgres = {row[0]: tuple(row[1:]) for row in self._session.query(statement)}
        return [(row, postgres[str(name)]) for name, row in sqlite.items() if str(name) in postgres]

    def _sqlite_rows(self, table: TableFacts, key: str, columns: Sequence[str]) -> Dict[Any, Tuple[Any, ...]]:
        names: Dict[str, Any] = {"table": table.name, "key": key, "columns": column_list((key, *columns))}
        if not table.numbered:
            rows = self._copy.execute(
                composed("SELECT {columns} FROM {table} LIMIT {n}", n=Sql(str(SAMPLE_ROWS)), **names)
            )
            return {row[0]: tuple(row[1:]) for row in rows}
        lowest, highest = self._copy.execute(composed("SELECT min({key}), max({key}) FROM {table}", **names)).fetchone()
        chance = random.Random(table.rows)
        found: Dict[Any, Tuple[Any, ...]] = {}
        statement = composed("SELECT {columns} FROM {table} WHERE {key} >= ? ORDER BY {key} LIMIT 1", **names)
        for _ in range(SAMPLE_ROWS):
            row = self._copy.execute(statement, (chance.randint(lowest, highest),)).fetchone()
            found[row[0]] = tuple(row[1:])
        return found

    def lexemes(self, table: TableFacts, vector: str) -> List[Tuple[str, float]]:
        part = compose(
            "SELECT {vector} FROM {table} LIMIT {count}",
            vector=raw(vector),
            table=_name(table.map),
            count=raw(str(DOCUMENTS)),
        )
        with self._session.transaction(read_only=True):
            self._session.use_application_path(table.map.target.schema)
            # ts_stat() takes its query as text.
            text = part.as_string(self._session._connection)
            rows = self._session.query("SELECT word, ndoc FROM ts_stat(%s) ORDER BY ndoc DESC, word", (text,))
        documents = min(table.rows, DOCUMENTS)
        return [(word, count / documents) for word, count in rows]


def free_connections(session: Session) -> int:
    """How many more connections an ordinary role may make."""
    statement = (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
    )
    return int(session.value(statement))


def server_settings(session: Session) -> Mapping[str, Optional[str]]:
    """The server's SETTINGS; None for those that it does not know."""
    return {name: session.value("SELECT current_setting(%s, true)", (name,)) for name in SETTINGS}
