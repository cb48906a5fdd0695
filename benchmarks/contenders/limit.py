# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limit: nothing but COPY of what was encoded beforehand, with the product's own handling of indexes.

Foreign keys and secondary indexes are off before and on after, sequences are moved, tables are analyzed; all that can
be shared is shared by as many connections as the product has. What the product does besides (checks of either side, its
journal) is left out.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.contenders import schema
from benchmarks.contenders.task import Task, main

#: As the product's sessions have them.
SETTINGS = ("maintenance_work_mem TO '256MB'", "synchronous_commit TO off")
Job = Callable[[Any], None]


def connection(login: dict[str, Any]) -> Any:
    opened = psycopg2.connect(**login)
    opened.autocommit = True
    with opened.cursor() as cursor:
        for setting in SETTINGS:
            cursor.execute(f"SET {setting}")
    return opened


def share(opened: list[Any], jobs: Iterable[Job]) -> None:
    """Do all I(jobs), each with a cursor, over all connections."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    errors: list[BaseException] = []
    for job in jobs:
        waiting.put(job)

    def serve(one: Any) -> None:
        try:
            with one.cursor() as cursor:
                while not errors:
                    waiting.get_nowait()(cursor)
        except queue.Empty:
            pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=serve, args=(one,)) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def saying(statement: str) -> Job:
    return lambda cursor: cursor.execute(statement)


def building(statement: str, singly: bool) -> Job:
    """An index, by one process unless it is one of vectors, where each core has a session already."""

    def build(cursor: Any) -> None:
        if singly:
            processes = "DEFAULT" if " USING hnsw " in statement else "0"
            cursor.execute(f"SET max_parallel_maintenance_workers TO {processes}")
        cursor.execute(statement)

    return build


def copying(table: str, path: Path) -> Job:
    columns = path.with_name(f"{table}.columns").read_text(encoding="utf-8")
    statement = f'COPY "{table}" ({columns}) FROM STDIN (FORMAT {path.suffix[1:]})'

    def copy(cursor: Any) -> None:
        with path.open("rb") as file:
            cursor.copy_expert(statement, file, 1 << 18)

    return copy


def load(task: Task) -> None:
    parts = [(path, table) for table in task.tables for path in Path(task.files).glob(f"{table}.*.{task.form}")]
    parts.sort(key=lambda part: -part[0].stat().st_size)
    sizes = {table: sum(path.stat().st_size for path, owner in parts if owner == table) for table in task.tables}
    heaviest = sorted(task.tables, key=lambda table: -sizes[table])
    opened = [connection(task.login) for _ in range(task.workers)]
    with opened[0].cursor() as cursor:
        removed = schema.remove(cursor, heaviest)
        for table in task.tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
    share(opened, [copying(table, path) for path, table in parts])
    singly = task.workers >= len(os.sched_getaffinity(0))
    share(opened, [building(statement, singly) for statement in removed.indexes])
    share(opened, map(saying, removed.keys))
    with opened[0].cursor() as cursor:
        for table in task.tables:
            cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
        schema.move_sequences(cursor, task.tables)
    share(opened, [saying(f'ANALYZE "{table}"') for table in heaviest])
    with opened[0].cursor() as cursor:
        # All that was committed before is on disk with this one.
        cursor.execute("SET synchronous_commit TO on")
        cursor.execute("SELECT pg_logical_emit_message(true, 'benchmark', 'end')")
    for one in opened:
        one.close()


if __name__ == "__main__":
    main(load)
