# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that a benchmark writes to, on either side: made like a real one, and removed at the end."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._errors import TargetError
from .._postgres._session import Session, compose, identifier, literal
from .._sqlite._names import Sql, joined, quoted
from .._sqlite._names import compose as composed
from . import _driver
from ._model import Pair, WritePlan
from ._sql import Statement, column_list, words

SCHEMA = "mcps_workload"
TABLE = "mcps_workload_scratch"
#: By this comment a schema is known as one that an earlier, killed benchmark left.
MARK = "Scratch of mcps.postgres.workload_benchmark: may be dropped"
#: Rows that are there when a measurement begins.
FIRST_ROWS = 500


class Scratch:
    """Both scratch tables. Use it as a context: they are gone afterwards."""

    def __init__(self, write: WritePlan, copy: sqlite3.Connection, session: Session) -> None:
        self._write = write
        self._copy = copy
        self._session = session

    def __enter__(self) -> Scratch:
        self._make_sqlite()
        self._make_postgres()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._session.alive:
            self._session.execute(compose("DROP SCHEMA IF EXISTS {schema} CASCADE", schema=identifier(SCHEMA)))
        self._copy.execute(composed("DROP TABLE IF EXISTS {table}", table=TABLE))

    def _make_sqlite(self) -> None:
        source = self._write.table.map.source
        key = self._write.table.key
        lines: List[Sql] = []
        for column in source.columns:
            if column.generated:
                continue
            if column.name == key:
                lines.append(composed("{name} INTEGER PRIMARY KEY", name=key))
                continue
            declared = Sql(" " + column.declared_type if column.declared_type else "")
            lines.append(
                composed(
                    "{name}{type}{null}",
                    name=column.name,
                    type=declared,
                    null=Sql(" NOT NULL" if column.not_null else ""),
                )
            )
        self._copy.execute(composed("DROP TABLE IF EXISTS {table}", table=TABLE))
        self._copy.execute(composed("CREATE TABLE {table} ({lines})", table=TABLE, lines=joined(", ", lines)))
        unique = set(self._write.table.source_unique)
        for number, columns in enumerate(self._write.table.source_indexes):
            self._copy.execute(
                composed(
                    "CREATE {unique} INDEX {index} ON {table} ({columns})",
                    unique=Sql("UNIQUE" if columns in unique else ""),
                    index=f"{TABLE}_{number}",
                    table=TABLE,
                    columns=column_list(columns),
                )
            )

    def _make_postgres(self) -> None:
        session, table = self._session, self._write.table.map.target
        names = {"schema": identifier(SCHEMA), "scratch": identifier(SCHEMA, TABLE)}
        self._remove_left()
        with session.transaction():
            session.execute(compose("CREATE SCHEMA {schema}", **names))
            session.execute(compose("COMMENT ON SCHEMA {schema} IS {mark}", mark=literal(MARK), **names))
            session.use_application_path(table.schema)
            # Conditions on values could refuse the made-up ones, and SQLite's table has none of them either.
            session.execute(
                compose(
                    "CREATE TABLE {scratch} (LIKE {table} INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING IDENTITY)",
                    table=identifier(table.schema, table.name),
                    **names,
                )
            )
            # The real table's sequence is not to be moved.
            names.update(sequence=identifier(SCHEMA, "numbers"), key=identifier(table.primary_key[0]))
            session.execute(compose("CREATE SEQUENCE {sequence} OWNED BY {scratch}.{key}", **names))
            session.execute(
                compose(
                    "ALTER TABLE {scratch} ALTER COLUMN {key} SET DEFAULT nextval({text}::regclass)",
                    text=literal(f"{SCHEMA}.numbers"),
                    **names,
                )
            )

    def _remove_left(self) -> None:
        comment = self._session.one(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
        )
        if comment is None:
            return
        if comment[0] != MARK:
            raise TargetError(
                f"{self._session.where} has a schema {SCHEMA} that no benchmark made.",
                advice="Rename it, or run the benchmark in another database.",
            )
        self._session.execute(compose("DROP SCHEMA {schema} CASCADE", schema=identifier(SCHEMA)))

    def refill_sqlite(self) -> None:
        """As at the start: FIRST_ROWS rows and nothing else."""
        self._copy.execute("BEGIN IMMEDIATE")
        self._copy.execute(composed("DELETE FROM {table}", table=TABLE))
        statement = self.statements("sqlite")["insert"]
        rows = _driver.Rows(self.job("sqlite"), 1)
        self._copy.executemany(statement, [rows.take() for _ in range(FIRST_ROWS)])
        self._copy.execute("COMMIT")

    def refill_postgres(self) -> None:
        """As refill_sqlite; statistics as well, so that plans are not those of an empty table."""
        names = {"scratch": identifier(SCHEMA, TABLE)}
        rows = _driver.Rows(self.job("psycopg2"), 1)
        statement = self.statements("psycopg2")["insert"]
        with self._session.transaction():
            self._session.execute(compose("TRUNCATE {scratch} RESTART IDENTITY", **names))
            self._session.use_application_path(self._write.table.map.target.schema)
            for _ in range(FIRST_ROWS):
                self._session.execute(statement, rows.take())
        self._session.execute(compose("ANALYZE {scratch}", **names))

    def statements(self, driver: str) -> Dict[str, str]:
        """The SQL of insert, select and update as I(driver) spells it."""
        write, table = self._write, self._write.table
        names: Dict[str, Any]
        if driver == "sqlite":
            names = {"scratch": TABLE, "key": table.key, "columns": column_list(write.columns)}
            types: Sequence[str] = [""] * len(write.columns)
            columns: Sequence[str] = write.columns
            key_type = ""
        else:
            names = {"scratch": Sql(f"{quoted(SCHEMA)}.{quoted(TABLE)}"), "key": table.target_of(table.key or "")}
            names["columns"] = column_list(write.targets)
            types = [f"::{table.types[target]}" for target in write.targets]
            columns = write.targets
            key_type = "::bigint"
        values = ", ".join(f"{{p{number}}}{kind}" for number, kind in enumerate(types, 1))
        insert = words("INSERT INTO {scratch} ({columns}) VALUES (", values, ")")
        by_key = f"WHERE {{key}} = {{p1}}{key_type}"
        found: Dict[str, str] = {
            "insert": Statement(insert, names, len(write.columns)).spelled(driver),
            "select": Statement(words("SELECT {columns} FROM {scratch}", by_key), names, 1).spelled(driver),
        }
        if write.updated is not None:
            names = dict(names, updated=columns[write.updated])
            change = f"{{updated}} = {{p1}}{types[write.updated]} WHERE {{key}} = {{p2}}{key_type}"
            found["update"] = Statement(words("UPDATE {scratch} SET", change), names, 2).spelled(driver)
        return found

    def example(self, name: str, driver: str) -> Optional[Tuple[str, List[Any]]]:
        """One of the statements with parameters, for its plan."""
        statement = self.statements(driver).get(name)
        if statement is None:
            return None
        row = _driver.Rows(self.job(driver), 2).take()
        updated = [] if self._write.updated is None else [row[self._write.updated]]
        return statement, {"insert": row, "select": [1], "update": [*updated, 1]}[name]

    def job(self, driver: str) -> Dict[str, Any]:
        """The part of a client's job that says what to write, see C(_driver.operation)."""
        side = 0 if driver == "sqlite" else 1
        return {
            **self.statements(driver),
            "rows": [_encoded(pair[side]) for pair in self._write.rows],
            "fresh": [list(place) for place in self._write.fresh[side]],
            "keys": FIRST_ROWS,
            "updated": self._write.updated or 0,
            "batch": 20,
        }


def _encoded(values: Sequence[Any]) -> List[Any]:
    """Values for JSON; the opposite of C(_driver.decoded)."""
    return [
        {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value for value in values
    ]


def sample_of(pairs: Sequence[Pair], side: int) -> List[List[Any]]:
    """The values of one side of I(pairs) for a job."""
    return [_encoded(pair[side]) for pair in pairs]
