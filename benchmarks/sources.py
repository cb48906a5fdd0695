# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite files to load from. Each is made once and kept, as long as it is of the size asked for."""

from __future__ import annotations

import contextlib
import json
import math
import random
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import application

DIMENSIONS = (384, 1536)
#: Different vectors of one length; rows take them in turn.
VECTORS = 256


@contextlib.contextmanager
def _made_whole(path: Path) -> Iterator[Path]:
    """A place to make I(path) in, which takes its name when it is finished."""
    unfinished = path.with_suffix(".unfinished")
    for rest in path.parent.glob(f"{unfinished.name}*"):
        rest.unlink()
    yield unfinished
    unfinished.rename(path)


def registry(folder: Path, servers: int) -> Path:
    """The reference application's own database, seeded by itself: about 21 rows per server."""
    path = folder / f"mcps-{servers}.db"
    if not path.exists():
        with _made_whole(path) as place:
            application.migrate(f"sqlite:///{place}")
            application.seed(f"sqlite:///{place}", servers)
            with contextlib.closing(sqlite3.connect(place)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def without_bare_numbers(folder: Path, servers: int) -> Path:
    """The same with V({}) where a JSON column holds a number by itself, which pgloader writes as Lisp does (V(1.5d0))."""
    path = folder / f"mcps-{servers}-shared.db"
    original = registry(folder, servers)
    if not path.exists():
        with (
            _made_whole(path) as place,
            contextlib.closing(sqlite3.connect(original)) as source,
            contextlib.closing(sqlite3.connect(place)) as copy,
        ):
            source.backup(copy)
            with copy:
                for table, column in _json_columns(copy):
                    copy.execute(
                        f"""UPDATE "{table}" SET "{column}" = '{{}}' WHERE typeof("{column}") IN ('real', 'integer')"""
                    )
    return path


def _json_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND c.type = 'JSON'"
    ).fetchall()


def embedding_tables() -> dict[str, int]:
    """Tables of the embeddings' file and the length of their vectors."""
    return {f"{kind}_{length}": length for kind in ("json", "blob") for length in DIMENSIONS}


def embeddings(folder: Path, numbers: int) -> Path:
    """The same vectors as JSON arrays and as float32 BLOBs, I(numbers) numbers in each table."""
    path = folder / f"embeddings-{numbers}.db"
    if not path.exists():
        with _made_whole(path) as place, contextlib.closing(sqlite3.connect(place)) as connection, connection:
            for table, length in embedding_tables().items():
                kind = "JSON" if table.startswith("json") else "BLOB"
                connection.execute(
                    f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, tool_id INTEGER NOT NULL, embedding {kind} NOT NULL)"
                )
                write: Callable[[array[float]], object] = _as_json if kind == "JSON" else array.tobytes
                written = [write(vector) for vector in _vectors(length)]
                rows = max(1, numbers // length)
                connection.executemany(
                    f"INSERT INTO {table} VALUES (?, ?, ?)",
                    ((row, row * 3, written[row % VECTORS]) for row in range(1, rows + 1)),
                )
    return path


def _as_json(vector: array[float]) -> str:
    """As json.dumps writes the list that NumPy makes of float32: every number with the digits of a double."""
    return json.dumps(vector.tolist())


def _vectors(length: int) -> list[array[float]]:
    """Of unit length, as models give them; the same at every run."""
    chance = random.Random(length)
    found = []
    for _ in range(VECTORS):
        numbers = [chance.gauss(0, 1) for _ in range(length)]
        norm = math.hypot(*numbers)
        found.append(array("f", [number / norm for number in numbers]))
    return found


def counts(path: Path, tables: Sequence[str]) -> dict[str, int]:
    """Rows by table."""
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
