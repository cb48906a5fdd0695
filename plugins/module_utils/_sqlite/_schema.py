# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a SQLite database as plain data, read by PRAGMA, never by parsing SQL where that can be helped."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from .._transfer._model import ForeignKey, SourceColumn, SourceTable
from ._names import ROWID_NAMES, compose, folded, joined, spelled

Query = Callable[[str], List[Tuple[Any, ...]]]

#: How virtual tables of SQLite's own modules name their storage (sqlite.org: fts3.html, fts5.html, rtree.html).
SHADOW_SUFFIXES = (
    "content", "segments", "segdir", "docsize", "stat", "data", "idx", "config", "node", "parent", "rowid",
)  # fmt: skip


def read_tables(query: Query) -> List[SourceTable]:
    """All tables but SQLite's own, in name order. I(query) runs a statement and returns all of its rows."""
    kinds = _kinds(query)
    tables = [_read_table(query, name, kinds[name]) for name in sorted(kinds)]
    counters = _autoincrements(query)
    keys = {folded(table.name): table.primary_key for table in tables}
    columns = {folded(table.name): [column.name for column in table.columns] for table in tables}
    finished: List[SourceTable] = []
    for table in tables:
        resolved = tuple(_resolve(key, kinds, keys, columns) for key in table.foreign_keys)
        whole = replace(table, foreign_keys=resolved, autoincrement=counters.get(table.name))
        finished.append(_with_a_key(query, whole))
    return finished


def _with_a_key(query: Query, table: SourceTable) -> SourceTable:
    """I(table) with its rowid for a key where NULLs stand in its primary key, which SQLite allows; unique it is still.

    Only a key that is not declared NOT NULL, and that is no rowid, has to be looked at for that (sqlite.org,
    lang_createtable.html#the_primary_key).
    """
    nullable = [name for name in table.primary_key if not any(c.name == name and c.not_null for c in table.columns)]
    if table.kind != "table" or not nullable or table.rowid is None or (table.rowid,) == table.primary_key:
        return table
    missing = joined(" OR ", [compose("{name} IS NULL", name=name) for name in nullable])
    if not query(compose("SELECT 1 FROM main.{table} WHERE {missing} LIMIT 1", table=table.name, missing=missing)):
        return table
    return replace(table, primary_key=(), unique=tuple(sorted({*table.unique, table.primary_key})))


def _kinds(query: Query) -> Dict[str, str]:
    """Kind of each table by its name: table, virtual or shadow."""
    rows = query("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    statements: Dict[str, str] = {name: sql or "" for name, sql in rows if not folded(name).startswith("sqlite_")}
    # PRAGMA table_list came with SQLite 3.37; an unknown PRAGMA returns nothing.
    listed = {row[1]: row[2] for row in query("PRAGMA main.table_list") if row[0] == "main"}
    if listed:
        return {name: listed.get(name, "table") for name in statements}
    virtual = {name for name, sql in statements.items() if " ".join(sql.split()[:2]).upper() == "CREATE VIRTUAL"}
    return {name: _old_kind(name, virtual) for name in statements}


def _old_kind(name: str, virtual: Set[str]) -> str:
    if name in virtual:
        return "virtual"
    stem, _, suffix = name.rpartition("_")
    return "shadow" if stem in virtual and suffix in SHADOW_SUFFIXES else "table"


def _read_table(query: Query, name: str, kind: str) -> SourceTable:
    try:
        described = query(compose("PRAGMA main.table_xinfo({name})", name=name))
    except sqlite3.Error:
        # A virtual table whose module this SQLite does not have. That it is there is all that can be known.
        if kind != "virtual":
            raise
        return SourceTable(name, (), kind=kind, rowid=None)
    # cid, name, type, notnull, dflt_value, pk, hidden (1: hidden column of a virtual table, 2 and 3: generated)
    columns = tuple(
        SourceColumn(row[1], row[2] or "", bool(row[3]), row[6] in (2, 3), row[4]) for row in described if row[6] != 1
    )
    numbered = sorted((row[5], row[1], row[2] or "") for row in described if row[5])
    primary_key = tuple(column for _, column, _ in numbered)
    indexes = query(compose("PRAGMA main.index_list({name})", name=name)) if kind != "virtual" else []
    # Only a WITHOUT ROWID table answers as an index (sqlite.org, pragma.html#pragma_index_info, since 3.30).
    without_rowid = kind != "virtual" and bool(query(compose("PRAGMA main.index_info({name})", name=name)))
    alias = (
        len(numbered) == 1
        and folded(numbered[0][2]) == "integer"
        and not without_rowid
        and not any(index[3] == "pk" for index in indexes)
    )
    return SourceTable(
        name=name,
        columns=columns,
        primary_key=primary_key,
        foreign_keys=_foreign_keys(query, name) if kind != "virtual" else (),
        unique=_unique(query, indexes, [column.name for column in columns]),
        kind=kind,
        rowid=None if without_rowid else primary_key[0] if alias else _rowid_name(columns),
    )


def _rowid_name(columns: Sequence[SourceColumn]) -> Optional[str]:
    taken = {folded(column.name) for column in columns}
    return next((name for name in ROWID_NAMES if name not in taken), None)


def _unique(query: Query, indexes: Sequence[Tuple[Any, ...]], columns: List[str]) -> Tuple[Tuple[str, ...], ...]:
    """Column sets of full unique indexes over plain columns, the primary key's own index left out."""
    found: Set[Tuple[str, ...]] = set()
    for _, index, unique, origin, partial in indexes:
        if not unique or partial or origin == "pk":
            continue
        names = [row[2] for row in query(compose("PRAGMA main.index_info({name})", name=index))]
        if names and all(name in columns for name in names):
            found.add(tuple(names))
    return tuple(sorted(found))


def _foreign_keys(query: Query, name: str) -> Tuple[ForeignKey, ...]:
    """Foreign keys in the order of their declaration; parent columns that were left out are empty texts."""
    grouped: Dict[int, List[Tuple[Any, ...]]] = {}
    for row in query(compose("PRAGMA main.foreign_key_list({name})", name=name)):
        grouped.setdefault(row[0], []).append(row)
    # SQLite numbers foreign keys from the last declared to the first.
    keys = []
    for number in sorted(grouped, reverse=True):
        rows = sorted(grouped[number], key=lambda row: int(row[1]))
        keys.append(ForeignKey(tuple(row[3] for row in rows), rows[0][2], tuple(row[4] or "" for row in rows)))
    return tuple(keys)


def _resolve(
    key: ForeignKey, tables: Dict[str, str], keys: Dict[str, Tuple[str, ...]], columns: Dict[str, List[str]]
) -> ForeignKey:
    """I(key) with the real spelling of its parent and the parent's primary key where no columns were named."""
    parent = spelled(key.parent, tables)
    primary = keys.get(folded(parent), ())
    if not any(key.parent_columns):
        named = primary if len(primary) == len(key.columns) else key.parent_columns
    else:
        named = tuple(spelled(column, columns.get(folded(parent), ())) for column in key.parent_columns)
    return replace(key, parent=parent, parent_columns=named)


def _autoincrements(query: Query) -> Dict[str, int]:
    """Highest key ever given out by table (the table sqlite_sequence)."""
    if not query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlite_sequence'"):
        return {}
    return {name: seq for name, seq in query("SELECT name, seq FROM sqlite_sequence") if isinstance(seq, int)}
