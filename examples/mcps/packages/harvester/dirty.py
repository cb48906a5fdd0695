# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that SQLite takes and PostgreSQL refuses, or would take only by changing them.

Each entry of CATALOGUE is one row with one wrong value. NULL in a NOT NULL column is not among them: SQLite's own
schema refuses it.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import JSON, Boolean, Column, DateTime, Enum, Float, Integer, Uuid

from packages.harvester.models import Base

#: Ids of dirty rows begin here, far above those of seeded rows; the two clean parents have this very id.
FIRST_ID = 900_000_000


@dataclass(frozen=True)
class DirtyRow:
    """One row with one value that does not fit.

    I(sql) inserts it into SQLite as I(row_id), with foreign keys not enforced. I(kind) names what a scan of the value
    is to find in I(column). I(follows) names the entry whose row this one's foreign key leads to: nothing is wrong
    with this row but its parent.
    """

    name: str
    table: str
    column: str
    row_id: int
    sql: str
    kind: str
    follows: str | None = None


def _text(data: bytes) -> str:
    """SQL for text of the very bytes I(data), which may be no text at all."""
    return f"CAST(X'{data.hex()}' AS TEXT)"


def _noise(length: int) -> str:
    """SQL for text of I(length) characters that no compression makes shorter."""
    raw = b"".join(hashlib.sha512(str(number).encode()).digest() for number in range(length // 64 + 1))
    return f"'{base64.b64encode(raw).decode()[:length]}'"


def _filler(column: Column[object], row_id: int) -> str:
    """SQL for a sound value of I(column), different for each row."""
    kind = column.type
    if column.name == "id":
        return str(row_id)
    if column.foreign_keys:
        return str(FIRST_ID)
    if column.nullable:
        return "NULL"
    if isinstance(kind, Enum):
        return f"'{kind.enums[0]}'"
    if isinstance(kind, Uuid):
        return f"'{row_id:032x}'"
    if isinstance(kind, JSON):
        return "'{}'"
    if isinstance(kind, DateTime):
        return "'2024-05-01 10:00:00.000000'"
    if isinstance(kind, (Boolean, Integer, Float)):
        return "0"
    return f"'dirty {row_id}'"


def _insert(table: str, row_id: int, values: dict[str, str]) -> str:
    """SQL that inserts a sound row but for I(values), SQL by column."""
    columns = Base.metadata.tables[table].columns
    filled = [values.get(column.name) or _filler(column, row_id) for column in columns]
    return f"INSERT INTO {table} ({', '.join(column.name for column in columns)}) VALUES ({', '.join(filled)})"


#: Name, table, column, SQL of the value, expected kind.
_VALUES: tuple[tuple[str, str, str, str, str], ...] = (
    ("text_in_integer", "server", "stars", "'many'", "storage_class"),
    ("blob_in_integer", "tool", "call_count", "X'0102'", "storage_class"),
    ("fraction_in_integer", "server", "forks", "1.5", "not_integral"),
    ("integer_above_int4", "server", "downloads", "2147483648", "out_of_range"),
    ("integer_below_int4", "tool", "call_count", "-2147483649", "out_of_range"),
    ("integer_of_eight_bytes", "release", "download_count", "9223372036854775807", "out_of_range"),
    ("boolean_two", "server", "is_fork", "2", "not_boolean"),
    ("boolean_yes", "tool", "is_read_only", "'yes'", "not_boolean"),
    ("date_word", "release", "published_at", "'yesterday'", "not_a_date"),
    ("date_impossible", "articles", "published_at", "'2024-02-30 10:00:00.000000'", "not_a_date"),
    ("date_epoch", "processinglog", "started_at", "1714557600", "not_a_date"),
    ("date_offset", "social_posts", "published_at", "'2024-05-01 10:00:00.000000+02:00'", "offset_dropped"),
    ("date_zulu", "videos", "published_at", "'2024-05-01T10:00:00Z'", "offset_dropped"),
    ("uuid_word", "server", "uuid", "'not-a-uuid'", "not_uuid"),
    ("uuid_short", "videos", "uuid", "'0123456789abcdef0123456789abcde'", "not_uuid"),
    ("enum_unknown", "server", "host_type", "'BITBUCKET'", "not_in_enum"),
    ("enum_value_not_name", "social_posts", "platform", "'hacker-news'", "not_in_enum"),
    ("json_trailing_comma", "tool", "input_schema", "'{\"a\": 1,}'", "invalid_json"),
    ("json_empty", "prompt", "arguments", "''", "invalid_json"),
    ("json_escaped_nul", "server", "extra", '\'{"a": "x\\u0000y"}\'', "json_nul"),
    ("json_not_a_number", "social_posts", "engagement", "'{\"score\": NaN}'", "json_nan"),
    ("json_infinity", "processinglog", "metrics", "'[1.0, -Infinity]'", "json_nan"),
    ("json_equal_keys", "server", "metrics", '\'{"a": 1, "a": 2}\'', "json_duplicate_key"),
    ("json_lone_surrogate", "discussions", "tags", "'[\"\\ud83d\"]'", "json_surrogate"),
    ("list_object", "server", "topics", "'{\"a\": 1}'", "not_an_array"),
    ("text_with_nul", "server", "description", _text(b"before\x00after"), "nul_character"),
    ("text_latin1", "server", "author_name", _text(b"caf\xe9"), "invalid_utf8"),
    ("text_cut_utf8", "articles", "summary", _text("cut \U0001f680".encode()[:-1]), "invalid_utf8"),
    ("blob_in_text", "server", "readme_content", "X'DEADBEEF'", "storage_class"),
    ("indexed_text_long", "articles", "title", _noise(6000), "too_long_for_index"),
    ("unique_text_long", "social_posts", "url", _noise(6001), "too_long_for_index"),
    ("orphan_tool", "tool", "server_id", "987654321", "orphan"),
    ("orphan_release", "release", "server_id", "987654322", "orphan"),
    ("orphan_embedding", "toolembedding", "tool_id", "987654323", "orphan"),
)

#: Name, table, foreign key, entry whose row it leads to: children of rows that cannot be moved.
_FOLLOWERS: tuple[tuple[str, str, str, str], ...] = (
    ("child_of_dirty", "tool", "server_id", "text_in_integer"),
    ("other_child_of_dirty", "contributor", "server_id", "enum_unknown"),
    ("grandchild_of_dirty", "toolembedding", "tool_id", "child_of_dirty"),
)


def _catalogue() -> tuple[DirtyRow, ...]:
    rows: dict[str, DirtyRow] = {}
    for name, table, column, value, kind in _VALUES:
        row_id = FIRST_ID + len(rows) + 1
        rows[name] = DirtyRow(name, table, column, row_id, _insert(table, row_id, {column: value}), kind)
    for name, table, column, parent in _FOLLOWERS:
        row_id = FIRST_ID + len(rows) + 1
        sql = _insert(table, row_id, {column: str(rows[parent].row_id)})
        rows[name] = DirtyRow(name, table, column, row_id, sql, "parent_quarantined", parent)
    return tuple(rows.values())


CATALOGUE = _catalogue()

#: The sound rows that the dirty ones' foreign keys lead to.
PARENTS = (_insert("server", FIRST_ID, {}), _insert("tool", FIRST_ID, {}))


def add_dirty_rows(path: Path) -> None:
    """Insert the catalogue's rows and their sound parents into the SQLite database I(path), in one transaction.

    Raises sqlite3.IntegrityError when they are there already.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        with connection:
            for statement in (*PARENTS, *(row.sql for row in CATALOGUE)):
                connection.execute(statement)
    finally:
        connection.close()
