# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write: a Python loop that converts value by value and writes COPY text. One transaction, one connection.

What it converts, it converts as the application's types need; it checks nothing. With the argument V(rebuild), indexes
and foreign keys are off meanwhile.
"""

from __future__ import annotations

import io
import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

import psycopg2

from benchmarks.contenders import schema
from benchmarks.contenders.task import Task, main

ROWS = 5000
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def array(value: str) -> str:
    items = [
        "NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for item in json.loads(value)
    ]
    return "{" + ",".join(items) + "}"


def converter(kind: str) -> Callable[[Any], str]:
    if kind == "boolean":
        return lambda value: "t" if value else "f"
    if kind == "uuid":
        return lambda value: str(uuid.UUID(value))
    if kind.endswith("[]"):
        return array
    if kind in ("json", "jsonb"):
        return lambda value: json.dumps(json.loads(value) if isinstance(value, str) else value)
    return str


def load(task: Task) -> None:
    source = sqlite3.connect(task.source)
    target = psycopg2.connect(**task.login)
    with target, target.cursor() as cursor:
        tables = schema.ordered(cursor, task.tables)
        removed = schema.Removed((), ())
        if "rebuild" in task.arguments:
            cursor.execute("SET maintenance_work_mem TO '256MB'")
            removed = schema.remove(cursor, tables)
        for table in tables:
            kinds = schema.columns(cursor, table)
            names = ", ".join(f'"{name}"' for name, _ in kinds)
            converters = [converter(kind) for _, kind in kinds]
            rows = source.execute(f'SELECT {names} FROM "{table}"')
            while chunk := rows.fetchmany(ROWS):
                text = io.StringIO()
                for row in chunk:
                    fields = [
                        "\\N" if value is None else convert(value).translate(ESCAPES)
                        for convert, value in zip(converters, row, strict=True)
                    ]
                    text.write("\t".join(fields) + "\n")
                text.seek(0)
                cursor.copy_expert(f'COPY "{table}" ({names}) FROM STDIN', text)
        for statement in (*removed.indexes, *removed.keys):
            cursor.execute(statement)
        schema.move_sequences(cursor, tables)
    target.autocommit = True
    with target.cursor() as cursor:
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main(load)
