# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of sqlite_schema_info in, what a schema can be derived from out."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, Dict, Iterator

from .._argspec import Spec, progress_spec, source_spec
from .._sqlite._shape import others, table_shape
from .._sqlite._source import SqliteSource
from .._transfer._guess import Cell, guess
from .._transfer._mapping import OWN_TABLES
from .._transfer._model import SourceTable
from .._transfer._ports import Progress
from ._progress import progress_for
from ._runner import Outcome, Task


def argument_spec() -> Spec:
    """What sqlite_schema_info takes."""
    return {
        **source_spec(),
        "exclude": {"type": "list", "elements": "str", "default": []},
        **progress_spec(),
    }


def describe(task: Task) -> Outcome:
    """Look at everything and change nothing."""
    params = task.params
    with SqliteSource.open(params["source"]) as source:
        tables = [table for table in source.tables() if table.name not in params["exclude"]]
        plain = [table for table in tables if table.kind == "table" and table.name not in OWN_TABLES]
        totals = {table.name: source.count(table) for table in plain}
        progress = progress_for(params, "describe", totals)
        shapes = [_described(source, table, totals[table.name], progress) for table in plain]
        left_out = [{"name": table.name, "kind": table.kind} for table in tables if table.kind != "table"]
        left_out += [{"name": table.name, "kind": "version"} for table in tables if table.name in OWN_TABLES]
        return Outcome(result={"tables": shapes, "left_out": left_out, **others(source)})


def _described(source: SqliteSource, table: SourceTable, rows: int, progress: Progress) -> Dict[str, Any]:
    progress.begin(table.name, rows)
    shape = table_shape(source, table)
    for column in shape["columns"]:
        found = guess(column["declared"], table.key, partial(_cells, source, table, column["name"]))
        column["type"] = found.type
        column["refused"] = [asdict(refusal) for refusal in found.refused]
    shape["rows"] = rows
    progress.advance(rows)
    progress.end()
    return shape


def _cells(source: SqliteSource, table: SourceTable, column: str) -> Iterator[Cell]:
    for row in source.rows(table, [*table.key, column]):
        yield row[:-1], row[-1]
