# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's own models: objects read from one session and added to another (argument V(objects)), or rows
through Core's inserts, which SQLAlchemy sends as many rows per statement with psycopg2.

Indexes and foreign keys stay in place, as they do in scripts of this kind; a commit every 1,000 rows.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.contenders.task import ROOT, Task, main

BATCH = 1000


def load(task: Task) -> None:
    sys.path.insert(0, str(ROOT / "examples" / "mcps"))
    from packages.harvester.models import Base
    from sqlalchemy import URL, create_engine

    login = task.login
    source = create_engine(f"sqlite:///{task.source}")
    target = create_engine(
        URL.create(
            "postgresql+psycopg2", login["user"], login["password"], login["host"], login["port"], login["dbname"]
        )
    )
    classes = {mapper.local_table.name: mapper.class_ for mapper in Base.registry.mappers}
    for table in Base.metadata.sorted_tables:
        if table.name in task.tables:
            if "objects" in task.arguments:
                by_objects(source, target, classes[table.name])
            else:
                by_rows(source, target, table)
    with target.connect().execution_options(isolation_level="AUTOCOMMIT") as writing:
        writing.exec_driver_sql("ANALYZE")


def by_objects(source: Any, target: Any, model: Any) -> None:
    from sqlalchemy import select
    from sqlalchemy.orm import Session, make_transient

    with Session(source) as reading, Session(target) as writing:
        for batch in reading.scalars(select(model)).yield_per(BATCH).partitions():
            for item in batch:
                reading.expunge(item)
                make_transient(item)
            writing.add_all(batch)
            writing.commit()
            writing.expunge_all()


def by_rows(source: Any, target: Any, table: Any) -> None:
    from sqlalchemy import insert, select

    with source.connect() as reading, target.connect() as writing:
        rows = reading.execution_options(yield_per=BATCH).execute(select(table)).mappings()
        for batch in rows.partitions():
            writing.execute(insert(table), [dict(row) for row in batch])
            writing.commit()


if __name__ == "__main__":
    main(load)
