# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several contenders ask the target's catalog, and how they take indexes and keys off and put them on again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
 WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""

INDEXES = """
SELECT quote_ident(x.relname), pg_get_indexdef(i.indexrelid), c.relname
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
"""

KEYS = """
SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid) FROM pg_constraint c
 WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
"""

SEQUENCES = """
SELECT pg_get_serial_sequence(quote_ident(c.relname), a.attname), quote_ident(c.relname), quote_ident(a.attname)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
   AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL
"""

PARENTS = """
SELECT DISTINCT c.relname, p.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_class p ON p.oid = k.confrelid WHERE k.contype = 'f' AND c.oid <> p.oid
"""


@dataclass(frozen=True)
class Removed:
    """Statements that make the secondary indexes (of the tables first named, first) and the foreign keys again."""

    indexes: tuple[str, ...]
    keys: tuple[str, ...]


def remove(cursor: Any, tables: Sequence[str]) -> Removed:
    """Take secondary indexes and foreign keys off."""
    cursor.execute(KEYS)
    keys = cursor.fetchall()
    cursor.execute(INDEXES, (list(tables),))
    indexes = sorted(cursor.fetchall(), key=lambda row: tables.index(row[2]))
    for table, name, _definition in keys:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    if indexes:
        cursor.execute("DROP INDEX " + ", ".join(name for name, _definition, _table in indexes))
    return Removed(
        tuple(definition for _name, definition, _table in indexes),
        tuple(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}" for table, name, definition in keys),
    )


def move_sequences(cursor: Any, tables: Iterable[str]) -> None:
    """Behind the largest number in use."""
    cursor.execute(SEQUENCES, (list(tables),))
    for sequence, table, column in cursor.fetchall():
        cursor.execute(f"SELECT setval(%s, (SELECT max({column}) FROM {table}))", (sequence,))


def columns(cursor: Any, table: str) -> list[tuple[str, str]]:
    """Names and types of what can be written to."""
    cursor.execute(COLUMNS, (table,))
    found: list[tuple[str, str]] = cursor.fetchall()
    return found


def ordered(cursor: Any, tables: Sequence[str]) -> list[str]:
    """Parents before their children."""
    cursor.execute(PARENTS)
    parents = [(child, parent) for child, parent in cursor.fetchall() if parent in tables]
    done: list[str] = []
    while len(done) < len(tables):
        done += [t for t in tables if t not in done and all(p in done for c, p in parents if c == t)]
    return done
