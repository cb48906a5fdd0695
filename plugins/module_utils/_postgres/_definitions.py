# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a table's definition that a load takes away and puts back, or moves on: keys, indexes, triggers, sequences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence, Tuple

from .._transfer._load_target import KeyDefinition
from .._transfer._sequences import SequenceState
from ._catalog import SCOPE
from ._session import Session, comma, compose, identifier, literal, raw

_FOREIGN_KEYS = """
SELECT cn.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'),
       (SELECT jsonb_agg(a.attname ORDER BY o.n) FROM unnest(k.conkey) WITH ORDINALITY AS o (num, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.num),
       pn.nspname, p.relname,
       (SELECT jsonb_agg(a.attname ORDER BY o.n) FROM unnest(k.confkey) WITH ORDINALITY AS o (num, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.num),
       (SELECT jsonb_agg(jsonb_build_array(opn.nspname, op.oprname) ORDER BY o.n)
          FROM unnest(k.conpfeqop) WITH ORDINALITY AS o (num, n)
          JOIN pg_operator op ON op.oid = o.num JOIN pg_namespace opn ON opn.oid = op.oprnamespace),
       k.confmatchtype = 'f',
       k.convalidated AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
                      AND NOT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false)
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND (k.conrelid IN (SELECT oid FROM scope) OR k.confrelid IN (SELECT oid FROM scope))
 ORDER BY k.oid
"""

#: Only indexes that their definition's text restores exactly. Unique ones over expressions or a part of the rows stay
#: too: only with them in place does COPY name the row that breaks them.
_INDEXES = """
SELECT n.nspname, x.relname, pg_get_indexdef(x.oid)
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r' AND x.relkind = 'i'
   AND i.indisvalid AND i.indisready AND x.reltablespace = 0
   AND NOT (i.indisprimary OR i.indisclustered OR i.indisreplident OR i.indisexclusion)
   AND NOT (i.indisunique AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL))
   AND obj_description(x.oid, 'pg_class') IS NULL
   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = x.oid
                      AND coalesce((to_jsonb(a) ->> 'attstattarget')::integer, -1) <> -1)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = x.oid
                      AND d.deptype NOT IN ('a', 'n'))
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = x.oid)
 ORDER BY x.oid
"""

_OF_VECTORS = re.compile(r" USING (?:hnsw|ivfflat) ")

_TRIGGERS = """
SELECT t.tgname, t.tgenabled FROM pg_trigger t
 WHERE t.tgrelid = to_regclass(quote_ident(%s) || '.' || quote_ident(%s)) AND NOT t.tgisinternal ORDER BY t.tgname
"""

#: tgenabled and how ALTER TABLE spells it.
_TRIGGER_STATES = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}

#: Sequences that a column owns (serial, identity), or that its default draws from, for columns that hold whole numbers.
_SEQUENCES = """
SELECT DISTINCT qn.nspname, qc.relname, s.name, a.attname, q.seqincrement, q.seqmin, q.seqmax
  FROM scope s
  JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef def ON def.adrelid = a.attrelid AND def.adnum = a.attnum
  JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
                       AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
                   OR (d.classid = 'pg_attrdef'::regclass AND d.objid = def.oid AND d.refclassid = 'pg_class'::regclass)
  JOIN pg_sequence q ON q.seqrelid = CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid ELSE d.refobjid END
  JOIN pg_class qc ON qc.oid = q.seqrelid
  JOIN pg_namespace qn ON qn.oid = qc.relnamespace
 WHERE s.name = ANY(%(tables)s)
   AND a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype)
 ORDER BY 1, 2, 3, 4
"""


def read_foreign_keys(session: Session, schema: str, tables: Sequence[str]) -> List[KeyDefinition]:
    """Foreign keys of I(tables), and of any table that point at them, in the order in which they were made."""
    return [
        KeyDefinition(
            schema=child_schema,
            table=child,
            name=name,
            definition=definition,
            comment=comment,
            columns=tuple(columns),
            parent_schema=parent_schema,
            parent=parent,
            parent_columns=tuple(parent_columns),
            operators=tuple((where, sign) for where, sign in operators),
            match_full=match_full,
            checked=checked,
        )
        for (
            child_schema,
            child,
            name,
            definition,
            comment,
            columns,
            parent_schema,
            parent,
            parent_columns,
            operators,
            match_full,
            checked,
        ) in session.query(SCOPE + _FOREIGN_KEYS, {"schema": schema, "tables": list(tables)})
    ]


def drop_foreign_keys(session: Session, keys: Sequence[KeyDefinition]) -> None:
    """Take those of I(keys) away that are there."""
    for key in keys:
        session.execute(
            compose(
                "ALTER TABLE IF EXISTS {table} DROP CONSTRAINT IF EXISTS {name}",
                table=identifier(key.schema, key.table),
                name=identifier(key.name),
            )
        )


def add_foreign_keys(session: Session, keys: Sequence[KeyDefinition], checked: bool = True) -> None:
    """Put I(keys) back as they were; those that are there already stay.

    Unless I(checked), rows are not looked at yet, and the keys that hold for every row are V(NOT VALID) until
    C(check_foreign_key) has been called.
    """
    for key in keys:
        table, name = identifier(key.schema, key.table), identifier(key.name)
        valid = session.value(
            "SELECT convalidated FROM pg_constraint WHERE contype = 'f' AND conname = %s"
            " AND conrelid = to_regclass(quote_ident(%s) || '.' || quote_ident(%s))",
            (key.name, key.schema, key.table),
        )
        if valid is not None:
            if checked and key.checked and not valid:
                check_foreign_key(session, key)
            continue
        later = " NOT VALID" if key.checked and not checked else ""
        session.execute(
            compose(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {definition}",
                table=table,
                name=name,
                definition=raw(key.definition + later),
            )
        )
        if key.comment is not None:
            session.execute(
                compose(
                    "COMMENT ON CONSTRAINT {name} ON {table} IS {text}",
                    name=name,
                    table=table,
                    text=literal(key.comment),
                )
            )


def check_foreign_key(session: Session, key: KeyDefinition) -> None:
    """Look for rows that break a key of C(add_foreign_keys)."""
    session.execute(
        compose(
            "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
            table=identifier(key.schema, key.table),
            name=identifier(key.name),
        )
    )


class IndexDefinition(NamedTuple):
    """An index and the statement that makes it again."""

    schema: str
    name: str
    definition: str


def read_plain_indexes(session: Session, schema: str, table: str) -> List[IndexDefinition]:
    """Secondary indexes of a table that can be dropped and made again without a trace."""
    return [IndexDefinition(*row) for row in session.query(_INDEXES, (schema, table))]


def drop_indexes(session: Session, indexes: Sequence[IndexDefinition]) -> None:
    if indexes:
        names = comma([identifier(index.schema, index.name) for index in indexes])
        session.execute(compose("DROP INDEX {names}", names=names))


def create_indexes(session: Session, indexes: Sequence[IndexDefinition], singly: bool = False) -> None:
    """I(singly): by one process each, but for those of vectors: one of them can take longer than all others together."""
    for index in indexes:
        if singly:
            processes = raw("DEFAULT" if _OF_VECTORS.search(index.definition) else "0")
            session.execute(compose("SET LOCAL max_parallel_maintenance_workers TO {processes}", processes=processes))
        session.execute(raw(index.definition))


def missing_indexes(session: Session, indexes: Sequence[IndexDefinition]) -> List[IndexDefinition]:
    """Those of I(indexes) that are not there."""
    return [
        index
        for index in indexes
        if not session.value(
            "SELECT true FROM pg_class WHERE relkind = 'i' AND relname = %s"
            " AND relnamespace = to_regnamespace(quote_ident(%s))",
            (index.name, index.schema),
        )
    ]


def disable_triggers(session: Session, schema: str, table: str) -> List[Tuple[str, str]]:
    """Switch all user triggers of a table off; their names and states for M(restore_triggers)."""
    states = [(name, state) for name, state in session.query(_TRIGGERS, (schema, table))]
    if states:
        session.execute(compose("ALTER TABLE {table} DISABLE TRIGGER USER", table=identifier(schema, table)))
    return states


def restore_triggers(session: Session, schema: str, table: str, states: Sequence[Tuple[str, str]]) -> None:
    for name, state in states:
        if state != "D":
            session.execute(
                compose(
                    "ALTER TABLE {table} {action} TRIGGER {name}",
                    table=identifier(schema, table),
                    action=raw(_TRIGGER_STATES[state]),
                    name=identifier(name),
                )
            )


@dataclass(frozen=True)
class SequenceUse:
    """A sequence, and the columns that draw their numbers from it."""

    state: SequenceState
    columns: Tuple[Tuple[str, str], ...]


def read_sequences(session: Session, schema: str, tables: Sequence[str]) -> List[SequenceUse]:
    """Sequences of I(tables) with where they stand."""
    found: List[SequenceUse] = []
    rows = session.query(SCOPE + _SEQUENCES, {"schema": schema, "tables": list(tables)})
    for name in sorted({row[:2] for row in rows}):
        uses = [row for row in rows if row[:2] == name]
        last, called = _position(session, name)
        state = SequenceState(
            schema=name[0],
            name=name[1],
            increment=uses[0][4],
            minimum=uses[0][5],
            maximum=uses[0][6],
            last=last,
            called=called,
        )
        found.append(SequenceUse(state, tuple((row[2], row[3]) for row in uses)))
    return found


def _position(session: Session, name: Tuple[str, str]) -> Tuple[int, bool]:
    row: Any = session.one(compose("SELECT last_value, is_called FROM {name}", name=identifier(*name)))
    return int(row[0]), bool(row[1])


def restart_sequence(session: Session, state: SequenceState, next_value: int) -> None:
    """The next number will be I(next_value). Unlike setval(), this is undone with its transaction."""
    session.execute(
        compose(
            "ALTER SEQUENCE {name} RESTART WITH {value}",
            name=identifier(state.schema, state.name),
            value=literal(next_value),
        )
    )
