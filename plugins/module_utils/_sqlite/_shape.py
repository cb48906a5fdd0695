# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a SQLite database declares beyond what a load needs: defaults, actions, indexes, views and triggers, as they stand."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._transfer._model import SourceTable
from ._names import compose
from ._source import SqliteSource

#: PRAGMA table_xinfo's last column.
_GENERATED = {2: "virtual", 3: "stored"}


def table_shape(source: SqliteSource, table: SourceTable) -> Dict[str, Any]:
    """One table: V(sql), V(columns), V(indexes), V(foreign_keys), V(without_rowid); names as they are spelled."""
    described = {row[1]: row for row in source.query(compose("PRAGMA main.table_xinfo({name})", name=table.name))}
    collations = _collations(source, table)
    return {
        "name": table.name,
        "sql": _sql(source, "table", table.name),
        "primary_key": list(table.primary_key),
        # Declared as the primary key, and NULLs are in it.
        "null_key": [] if table.primary_key else [name for name, row in described.items() if row[5]],
        "identity": table.rowid if (table.rowid,) == table.primary_key else None,
        "without_rowid": table.rowid is None,
        "columns": [
            {
                "name": column.name,
                "declared": column.declared_type,
                "not_null": column.not_null,
                "default": column.default,
                "generated": _GENERATED.get(described[column.name][6]),
                "collation": collations.get(column.name, "BINARY"),
            }
            for column in table.columns
        ],
        "foreign_keys": _foreign_keys(source, table),
        "indexes": _indexes(source, table),
    }


def others(source: SqliteSource) -> Dict[str, List[Dict[str, Optional[str]]]]:
    """Views and triggers, which only people can carry over."""
    found: Dict[str, List[Dict[str, Optional[str]]]] = {"views": [], "triggers": []}
    rows = source.query("SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE type IN ('view', 'trigger')")
    for kind, name, table, sql in rows:
        found[f"{kind}s"].append({"name": name, "table": table, "sql": sql})
    return found


def _sql(source: SqliteSource, kind: str, name: str) -> Optional[str]:
    rows = source.query("SELECT sql FROM main.sqlite_master WHERE type = ? AND name = ?", [kind, name])
    return next((row[0] for row in rows), None)


def _collations(source: SqliteSource, table: SourceTable) -> Dict[str, str]:
    """The collations of columns, which SQLite tells only where it uses them: in an index over them."""
    found: Dict[str, str] = {}
    for index in _index_list(source, table):
        if index[3] == "c":
            continue
        for row in source.query(compose("PRAGMA main.index_xinfo({name})", name=index[1])):
            if row[5] and row[2]:
                found[row[2]] = row[4]
    return found


def _index_list(source: SqliteSource, table: SourceTable) -> List[Any]:
    return list(source.query(compose("PRAGMA main.index_list({name})", name=table.name)))


def _indexes(source: SqliteSource, table: SourceTable) -> List[Dict[str, Any]]:
    """Unique constraints (without V(sql)) and indexes that were made by themselves; the primary key's is left out.

    One that holds NULLs is a unique constraint, as SourceTable has it.
    """
    found = []
    for _number, name, unique, origin, partial in reversed(_index_list(source, table)):
        if origin == "pk" and table.primary_key:
            continue
        rows = source.query(compose("PRAGMA main.index_xinfo({name})", name=name))
        found.append(
            {
                "name": name,
                "unique": bool(unique),
                "partial": bool(partial),
                "constraint": origin in ("u", "pk"),
                "sql": _sql(source, "index", name),
                "columns": [
                    {"name": row[2], "descending": bool(row[3]), "collation": row[4]} for row in rows if row[5]
                ],
            }
        )
    return found


def _foreign_keys(source: SqliteSource, table: SourceTable) -> List[Dict[str, Any]]:
    """With their actions, in the order of SourceTable's."""
    actions: Dict[int, Any] = {}
    for row in source.query(compose("PRAGMA main.foreign_key_list({name})", name=table.name)):
        actions[row[0]] = (row[5], row[6])
    ordered = [actions[number] for number in sorted(actions, reverse=True)]
    return [
        {
            "columns": list(key.columns),
            "parent": key.parent,
            "parent_columns": list(key.parent_columns),
            "on_update": on_update,
            "on_delete": on_delete,
        }
        for key, (on_update, on_delete) in zip(table.foreign_keys, ordered)
    ]
