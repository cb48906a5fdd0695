# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verification reads of a PostgreSQL schema: rows, and whether what is declared is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Optional, Sequence

from .._transfer._compare import TargetRow
from .._transfer._keys import OrderTerm
from .._transfer._model import TargetTable
from ._copy import copy_out
from ._session import Session, Statement, columns, comma, compose, identifier, raw

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

    def rows(self, table: TargetTable, columns: Sequence[str], order_by: Sequence[OrderTerm]) -> Iterator[TargetRow]:
        """See RowTarget. Closing the iterator early leaves the transaction usable."""
        return copy_out(self._session, row_query(table, columns, order_by))

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


def row_query(table: TargetTable, names: Sequence[str], order_by: Sequence[OrderTerm]) -> Statement:
    """SELECT of I(names) of I(table) in I(order_by)."""
    query = compose("SELECT {columns} FROM {table}", columns=columns(names), table=identifier(table.schema, table.name))
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
