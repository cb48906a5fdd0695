# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verification reads of a PostgreSQL schema: rows, and whether what is declared is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from .._errors import TargetError
from .._transfer._compare import Digests, KeyRange, TargetRow
from .._transfer._fast import NULL, ROW
from .._transfer._keys import OrderTerm
from .._transfer._model import TargetTable
from .._transfer._probes import Probe
from ._between import within
from ._copy import copy_out
from ._session import Session, Statement, columns, comma, compose, identifier, join, literal, raw
from ._versions import RowVersions

#: conenforced came with PostgreSQL 18.
_CONSTRAINT_DEFECTS = """
SELECT t.relname, c.conname,
       CASE WHEN to_jsonb(c) ->> 'conenforced' = 'false' THEN 'it is declared NOT ENFORCED'
            ELSE 'it is not validated: rows that were there before were never checked' END
  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname = %(schema)s AND t.relname = ANY(%(tables)s)
   AND (NOT c.convalidated OR to_jsonb(c) ->> 'conenforced' = 'false')
 UNION ALL
SELECT DISTINCT t.relname, c.conname, 'its triggers are switched off, so that nothing checks it'
  FROM pg_trigger g JOIN pg_constraint c ON c.oid = g.tgconstraint JOIN pg_class t ON t.oid = c.conrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname = %(schema)s AND t.relname = ANY(%(tables)s) AND g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')
 ORDER BY 1, 2, 3
"""

_INDEX_DEFECTS = """
SELECT t.relname, s.relname,
       CASE WHEN NOT i.indisvalid THEN 'it is invalid: its build failed or was interrupted'
            ELSE 'it is not ready for writes' END
  FROM pg_index i JOIN pg_class s ON s.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname = %(schema)s AND t.relname = ANY(%(tables)s)
   AND NOT (i.indisvalid AND i.indisready AND i.indislive)
 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Defect:
    """A constraint or index that is there but does not do its work. I(table) is the target's name."""

    table: str
    name: str
    reason: str


class SchemaReader:
    """One schema as the session's transaction sees it; a C(_transfer._compare.RowTarget)."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._schema = schema
        self._extensions: Dict[str, str] = {}

    @property
    def alive(self) -> bool:
        """Whether the connection still stands."""
        return self._session.alive

    def cancel(self) -> None:
        """Stop what another thread is reading."""
        self._session.cancel()

    def rows(
        self,
        table: TargetTable,
        columns: Sequence[str],
        order_by: Sequence[OrderTerm],
        between: Optional[KeyRange] = None,
    ) -> Iterator[TargetRow]:
        """See RowTarget. Closing the iterator early leaves the transaction usable."""
        return copy_out(self._session, row_query(table, columns, order_by, between))

    def digests(self, table: TargetTable, probes: Sequence[Tuple[str, Probe]], between: KeyRange) -> Digests:
        """See RowTarget."""
        row = self._session.one(self._digest_query(table, probes, between))
        assert row is not None
        return Digests(row[0], tuple(row[1]), tuple(row[2]))

    def _digest_query(self, table: TargetTable, probes: Sequence[Tuple[str, Probe]], between: KeyRange) -> Statement:
        counts, hashes = [], []
        for name, probe in probes:
            column = identifier("s", name)
            counts.append(compose("pg_catalog.count({column})", column=column))
            value = compose(probe.target, column=column, **self._schema_of(probe))
            if probe.binary:
                template = (
                    "pg_catalog.encode(pg_catalog.sha256(coalesce(pg_catalog.string_agg("
                    "CASE WHEN {column} IS NULL THEN '\\x00'::pg_catalog.bytea ELSE '\\x01'::pg_catalog.bytea || {value}"
                    " END, ''::pg_catalog.bytea), ''::pg_catalog.bytea)), 'hex')"
                )
                hashes.append(compose(template, column=column, value=value))
            else:
                template = (
                    "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(coalesce(pg_catalog.string_agg("
                    "coalesce({value}, {null}), {row}), ''), 'UTF8')), 'hex')"
                )
                hashes.append(compose(template, value=value, null=literal(NULL), row=literal(ROW)))
        return compose(
            "SELECT pg_catalog.count(*), ARRAY[{counts}]::pg_catalog.int8[], ARRAY[{hashes}]::pg_catalog.text[]"
            " FROM ({rows}) AS s",
            counts=comma(counts),
            hashes=comma(hashes),
            rows=self._range_query(table, [name for name, _ in probes], between),
        )

    def _schema_of(self, probe: Probe) -> Dict[str, Statement]:
        if not probe.extension:
            return {}
        if probe.extension not in self._extensions:
            self._extensions[probe.extension] = self._session.value(
                "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = %s",
                (probe.extension,),
            )
        return {"extension": identifier(self._extensions[probe.extension])}

    @staticmethod
    def _range_query(table: TargetTable, names: Sequence[str], between: KeyRange) -> Statement:
        return row_query(table, names or [between.column], [OrderTerm(between.column)], between)

    def same_documents(
        self, table: TargetTable, names: Sequence[str], between: KeyRange, texts: Sequence[bytes]
    ) -> bool:
        """See RowTarget."""
        given = [
            compose(
                "pg_catalog.string_to_array({text}, {row}, {null})",
                text=literal(text.decode()),
                row=literal(ROW),
                null=literal(NULL),
            )
            for text in texts
        ]
        ours = [f"d{place}" for place in range(len(names))]
        statement = compose(
            "SELECT pg_catalog.count(*) FROM (SELECT pg_catalog.row_number() OVER () AS mcps_row, o.* FROM ({rows}) AS o)"
            " AS t FULL JOIN unnest({given}) WITH ORDINALITY AS d ({ours}, mcps_row) USING (mcps_row)"
            " WHERE {differ}",
            rows=self._range_query(table, names, between),
            given=comma(given),
            ours=columns(ours),
            differ=join(
                " OR ",
                [
                    compose("t.{t} IS DISTINCT FROM d.{d}::pg_catalog.jsonb", t=identifier(name), d=identifier(mine))
                    for name, mine in zip(names, ours)
                ],
            ),
        )
        try:
            with self._session.savepoint():
                return not self._session.value(statement)
        except TargetError as error:
            # A text that is no JSON: comparing the rows will say which.
            if not str(error.details.get("sqlstate", "")).startswith(("22", "54")):
                raise
            return False

    @property
    def versions(self) -> RowVersions:
        """Whether rows are those that an earlier verification saw."""
        return RowVersions(self._session)

    def count(self, table: TargetTable) -> int:
        """The rows of I(table)."""
        name = identifier(table.schema, table.name)
        return int(self._session.value(compose("SELECT pg_catalog.count(*) FROM {table}", table=name)))

    def outermost(self, table: TargetTable, column: str, smallest: bool) -> Optional[int]:
        """The largest (or smallest) value of a column of whole numbers, None where there is none."""
        found = self._session.value(
            compose(
                "SELECT {aggregate}({column}) FROM {table}",
                aggregate=raw("min" if smallest else "max"),
                column=identifier(column),
                table=identifier(table.schema, table.name),
            )
        )
        return None if found is None else int(found)

    def constraint_defects(self, tables: Sequence[str]) -> List[Defect]:
        """Constraints of I(tables) that PostgreSQL does not vouch for: not validated, not enforced, or switched off."""
        return self._defects(_CONSTRAINT_DEFECTS, tables)

    def index_defects(self, tables: Sequence[str]) -> List[Defect]:
        """Indexes of I(tables) that are no use: left over from a build that failed or was interrupted."""
        return self._defects(_INDEX_DEFECTS, tables)

    def _defects(self, statement: str, tables: Sequence[str]) -> List[Defect]:
        return [
            Defect(*row) for row in self._session.query(statement, {"schema": self._schema, "tables": list(tables)})
        ]


def row_query(
    table: TargetTable, names: Sequence[str], order_by: Sequence[OrderTerm], between: Optional[KeyRange] = None
) -> Statement:
    """SELECT of I(names) of I(table) in I(order_by)."""
    rows = compose("SELECT {columns} FROM {table}", columns=columns(names), table=identifier(table.schema, table.name))
    query = within(rows, between)
    if not order_by:
        return query
    terms = [
        compose(
            "{column}{how}",
            column=identifier(term.column),
            how=raw(
                ('::pg_catalog.text COLLATE pg_catalog."C"' if term.as_text else "")
                + (" NULLS FIRST" if term.nulls_first else "")
            ),
        )
        for term in order_by
    ]
    return compose("{query} ORDER BY {terms}", query=query, terms=comma(terms))
