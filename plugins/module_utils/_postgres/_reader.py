# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verification reads of a PostgreSQL schema: rows, sequences, and whether what is declared is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Sequence, Tuple

from .._transfer._compare import TargetRow
from .._transfer._keys import OrderTerm
from .._transfer._model import TargetTable
from .._transfer._verdict import SequenceState
from ._copy import copy_out
from ._session import Session, Statement, columns, comma, compose, identifier, raw


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

    def sequences(self, tables: Sequence[str]) -> List[SequenceState]:
        """The sequences that feed columns of I(tables): owned by the column (serial, identity) or named in its default.

        Reading them consumes no value. Needs SELECT on the sequences.
        """
        found = self._session.query(
            "SELECT DISTINCT n.nspname, s.relname, t.relname, a.attname, q.seqincrement"
            " FROM ("
            "  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute FROM pg_depend d"
            "  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
            "  AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0"
            "  UNION"
            "  SELECT d.refobjid, e.adrelid, e.adnum FROM pg_depend d JOIN pg_attrdef e ON e.oid = d.objid"
            "  WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass"
            " ) u"
            " JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S'"
            " JOIN pg_namespace n ON n.oid = s.relnamespace"
            " JOIN pg_sequence q ON q.seqrelid = s.oid"
            " JOIN pg_class t ON t.oid = u.relation"
            " JOIN pg_namespace m ON m.oid = t.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attribute"
            " WHERE m.nspname = %s AND t.relname = ANY(%s) ORDER BY 3, 4, 1, 2",
            (self._schema, list(tables)),
        )
        states = []
        for schema, name, table, column, increment in found:
            row = self._session.one(
                compose("SELECT last_value, is_called FROM {sequence}", sequence=identifier(schema, name))
            )
            last_value, is_called = row or (0, False)
            states.append(SequenceState(name, table, column, int(last_value), bool(is_called), int(increment)))
        return states

    def constraint_defects(self, tables: Sequence[str]) -> List[Defect]:
        """Constraints of I(tables) that PostgreSQL does not vouch for: not validated, not enforced, or switched off."""
        # conenforced came with PostgreSQL 18.
        enforced = "(to_jsonb(c) ->> 'conenforced') IS DISTINCT FROM 'false'"
        return self._defects(
            "SELECT t.relname, c.conname, CASE WHEN NOT " + enforced + " THEN 'it is declared NOT ENFORCED'"
            " ELSE 'it is not validated: rows that were there before were never checked' END"
            " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
            " WHERE n.nspname = %s AND t.relname = ANY(%s) AND (NOT c.convalidated OR NOT " + enforced + ")"
            " UNION ALL"
            " SELECT DISTINCT t.relname, c.conname, 'its triggers are switched off, so that nothing checks it'"
            " FROM pg_trigger g JOIN pg_constraint c ON c.oid = g.tgconstraint JOIN pg_class t ON t.oid = c.conrelid"
            " JOIN pg_class o ON o.oid = g.tgrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
            " WHERE n.nspname = %s AND t.relname = ANY(%s) AND g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')"
            " ORDER BY 1, 2, 3",
            tables,
            twice=True,
        )

    def index_defects(self, tables: Sequence[str]) -> List[Defect]:
        """Indexes of I(tables) that are no use: left over from a build that failed or was interrupted."""
        return self._defects(
            "SELECT t.relname, s.relname, CASE WHEN NOT i.indisvalid"
            " THEN 'it is invalid: its build failed or was interrupted' ELSE 'it is not ready for writes' END"
            " FROM pg_index i JOIN pg_class s ON s.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
            " JOIN pg_namespace n ON n.oid = t.relnamespace"
            " WHERE n.nspname = %s AND t.relname = ANY(%s) AND NOT (i.indisvalid AND i.indisready AND i.indislive)"
            " ORDER BY 1, 2",
            tables,
        )

    def _defects(self, statement: str, tables: Sequence[str], twice: bool = False) -> List[Defect]:
        parameters: Tuple[Any, ...] = (self._schema, list(tables))
        return [Defect(*row) for row in self._session.query(statement, parameters * (2 if twice else 1))]


def row_query(table: TargetTable, names: Sequence[str], order_by: Sequence[OrderTerm]) -> Statement:
    """SELECT of I(names) of I(table) in I(order_by)."""
    query = compose(
        "SELECT {columns} FROM {table}", columns=columns(names), table=identifier(table.schema, table.name)
    )
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
