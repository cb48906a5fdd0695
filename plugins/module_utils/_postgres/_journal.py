# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports as the target itself remembers them, in a schema of their own: what a killed run is resumed from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .._transfer._load_target import KeyDefinition, OpenTable, Run, TableResult
from .._transfer._parts import Part
from .._transfer._rejects import Reject
from ._catalog import Catalog
from ._session import Session, Statement, compose, identifier, raw

_RUN = """
CREATE TABLE {run} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target_schema text NOT NULL,
  state text NOT NULL CHECK (state IN ('loading', 'finished')),
  source text NOT NULL,
  fingerprint text NOT NULL,
  plan text NOT NULL,
  tables jsonb NOT NULL,
  foreign_keys jsonb NOT NULL,
  catalog jsonb NOT NULL,
  started timestamptz NOT NULL DEFAULT now(),
  finished timestamptz
)
"""

#: However the lock might be lost: a target schema never has two imports under way.
_ONE_RUN = "CREATE UNIQUE INDEX import_run_loading ON {run} (target_schema) WHERE state = 'loading'"

_TABLE = """
CREATE TABLE {table} (
  run bigint NOT NULL REFERENCES {run} ON DELETE CASCADE,
  source_table text NOT NULL,
  target_table text NOT NULL,
  result jsonb NOT NULL,
  PRIMARY KEY (run, source_table)
)
"""

_OPEN = """
CREATE TABLE {open} (
  run bigint NOT NULL REFERENCES {run} ON DELETE CASCADE,
  source_table text NOT NULL,
  target_table text NOT NULL,
  definitions jsonb NOT NULL,
  PRIMARY KEY (run, source_table)
)
"""

_PART = """
CREATE TABLE {part} (
  run bigint NOT NULL,
  source_table text NOT NULL,
  first bigint NOT NULL,
  result jsonb NOT NULL,
  rejects text NOT NULL,
  PRIMARY KEY (run, source_table, first),
  FOREIGN KEY (run, source_table) REFERENCES {open} ON DELETE CASCADE
)
"""

_QUARANTINE = """
CREATE TABLE {quarantine} (
  run bigint NOT NULL REFERENCES {run} ON DELETE CASCADE,
  number bigint GENERATED ALWAYS AS IDENTITY,
  entry text NOT NULL,
  PRIMARY KEY (run, number)
)
"""


class ImportJournal:
    """The tables import_* of the journal schema: run, table, quarantine, and open and part for tables loaded in parts."""

    def __init__(self, session: Session, journal_schema: str, target_schema: str) -> None:
        self._session = session
        self.schema = journal_schema
        self._target = target_schema
        self._names = {
            "run": identifier(journal_schema, "import_run"),
            "table": identifier(journal_schema, "import_table"),
            "quarantine": identifier(journal_schema, "import_quarantine"),
            "open": identifier(journal_schema, "import_open"),
            "part": identifier(journal_schema, "import_part"),
        }

    def _sql(self, template: str, **names: Any) -> Statement:
        used = {name: value for name, value in self._names.items() if "{" + name + "}" in template}
        return compose(template, **used, **names)

    def present(self, table: str = "import_quarantine") -> bool:
        return bool(
            self._session.value(
                "SELECT to_regclass(quote_ident(%s) || '.' || %s) IS NOT NULL",
                (self.schema, table),
            )
        )

    def create(self) -> None:
        """Make the schema and its tables where they are missing. To be called in a transaction."""
        if not self._session.value("SELECT to_regnamespace(quote_ident(%s)) IS NOT NULL", (self.schema,)):
            # IF NOT EXISTS alone asks for the privilege to create even if there is nothing to create.
            self._session.execute(compose("CREATE SCHEMA IF NOT EXISTS {schema}", schema=identifier(self.schema)))
        if not self.present():
            for statement in (_RUN, _ONE_RUN, _TABLE, _QUARANTINE):
                self._session.execute(self._sql(statement))
        if not self.present("import_part"):
            # Journals of the first releases do not have them.
            for statement in (_OPEN, _PART):
                self._session.execute(self._sql(statement))

    def unfinished(self) -> Optional[Run]:
        """The import into the target schema that has not come to its end."""
        return self._read("target_schema = %s AND state = 'loading'", (self._target,))

    def finished(self, tables: Sequence[str]) -> Optional[Run]:
        """The finished import that holds the last word on all of I(tables)."""
        return self._read(
            "target_schema = %s AND state = 'finished' AND tables @> %s", (self._target, json.dumps(tables))
        )

    def _read(self, condition: str, parameters: Tuple[Any, ...]) -> Optional[Run]:
        if not self.present():
            return None
        row = self._session.one(
            self._sql(
                "SELECT id, fingerprint, plan, source, started::text, state, tables, foreign_keys FROM {run}"
                " WHERE {condition} ORDER BY id DESC LIMIT 1",
                condition=raw(condition),
            ),
            parameters,
        )
        if row is None:
            return None
        done = self._session.query(self._sql("SELECT source_table, result FROM {table} WHERE run = %s"), (row[0],))
        return Run(
            id=row[0],
            fingerprint=row[1],
            plan=row[2],
            source=row[3],
            started=row[4],
            finished=row[5] == "finished",
            tables=tuple(row[6]),
            keys=tuple(KeyDefinition.from_dict(key) for key in row[7]),
            done={name: TableResult.from_dict(result) for name, result in done},
            open=self._open(row[0]),
        )

    def _open(self, run: int) -> Dict[str, OpenTable]:
        if not self.present("import_part"):
            return {}
        found = {
            source: OpenTable(source, target)
            for source, target in self._session.query(
                self._sql("SELECT source_table, target_table FROM {open} WHERE run = %s"), (run,)
            )
        }
        for source, part in self._session.query(
            self._sql("SELECT source_table, result FROM {part} WHERE run = %s ORDER BY source_table, first"), (run,)
        ):
            found[source].parts.append(Part.from_dict(part))
        return found

    def open(self, run: Run, table: OpenTable, definitions: Any) -> None:
        """I(table) is loaded in parts from now on; I(definitions) are what has to be put back afterwards."""
        self._session.execute(
            self._sql("INSERT INTO {open} (run, source_table, target_table, definitions) VALUES (%s, %s, %s, %s)"),
            (run.id, table.table, table.target, json.dumps(definitions)),
        )

    def definitions(self, run: Run, table: OpenTable) -> Any:
        """What M(open) was given."""
        return self._session.value(
            self._sql("SELECT definitions FROM {open} WHERE run = %s AND source_table = %s"), (run.id, table.table)
        )

    def record_part(self, run: Run, table: OpenTable, part: Part, rejects: Sequence[Reject]) -> None:
        self._session.execute(
            self._sql("INSERT INTO {part} (run, source_table, first, result, rejects) VALUES (%s, %s, %s, %s, %s)"),
            (
                run.id,
                table.table,
                part.first,
                json.dumps(asdict(part)),
                "\n".join(json.dumps(entry.as_dict()) for entry in rejects),
            ),
        )

    def close(self, run: Run, table: OpenTable) -> List[Dict[str, Any]]:
        """I(table) is no longer loaded in parts; the quarantine file's lines of all of them, in the rows' order."""
        lines = [
            json.loads(line)
            for (text,) in self._session.query(
                self._sql("SELECT rejects FROM {part} WHERE run = %s AND source_table = %s ORDER BY first"),
                (run.id, table.table),
            )
            for line in text.splitlines()
        ]
        self._session.execute(
            self._sql("DELETE FROM {open} WHERE run = %s AND source_table = %s"), (run.id, table.table)
        )
        return lines

    def begin(
        self,
        source: str,
        fingerprint: str,
        plan: str,
        tables: Sequence[str],
        keys: Sequence[KeyDefinition],
        catalog: Catalog,
    ) -> Run:
        row: Any = self._session.one(
            self._sql(
                "INSERT INTO {run} (target_schema, state, source, fingerprint, plan, tables, foreign_keys, catalog)"
                " VALUES (%s, 'loading', %s, %s, %s, %s, %s, %s) RETURNING id, started::text"
            ),
            (
                self._target,
                source,
                fingerprint,
                plan,
                json.dumps(list(tables)),
                json.dumps([asdict(key) for key in keys]),
                catalog.to_json(),
            ),
        )
        return Run(row[0], fingerprint, plan, source, row[1], False, tuple(tables), tuple(keys))

    def catalog(self, run: Run) -> Catalog:
        """Definitions as they were before I(run)."""
        return Catalog.from_json(
            self._session.value(self._sql("SELECT catalog::text FROM {run} WHERE id = %s"), (run.id,))
        )

    def record(self, run: Run, result: TableResult, rejects: Sequence[Reject]) -> None:
        """One table is done, or done anew."""
        self._session.execute(
            self._sql(
                "INSERT INTO {table} (run, source_table, target_table, result) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (run, source_table) DO UPDATE SET result = EXCLUDED.result"
            ),
            (run.id, result.table, result.target, json.dumps(asdict(result))),
        )
        self.set_aside(run, [entry.as_dict() for entry in rejects])

    def set_aside(self, run: Run, entries: Iterable[Dict[str, Any]]) -> None:
        """Keep the quarantine file's lines."""
        for entry in entries:
            # JSON text in ASCII holds whatever SQLite holds; jsonb would refuse some of it.
            self._session.execute(
                self._sql("INSERT INTO {quarantine} (run, entry) VALUES (%s, %s)"), (run.id, json.dumps(entry))
            )

    def quarantined(self, run: Run) -> Iterator[Dict[str, Any]]:
        after = 0
        while True:
            rows = self._session.query(
                self._sql(
                    "SELECT number, entry FROM {quarantine} WHERE run = %s AND number > %s ORDER BY number LIMIT 200"
                ),
                (run.id, after),
            )
            for number, entry in rows:
                after = number
                yield json.loads(entry)
            if not rows:
                return

    def finish(self, run: Run) -> None:
        """I(run) is done, and is from now on what is known about its tables."""
        self._session.execute(
            self._sql("UPDATE {run} SET state = 'finished', finished = now() WHERE id = %s"), (run.id,)
        )
        for statement in (
            "UPDATE {run} r SET tables = (SELECT coalesce(jsonb_agg(t), '[]') FROM jsonb_array_elements(r.tables) AS t"
            " WHERE NOT %(tables)s::jsonb @> t) WHERE id <> %(run)s AND target_schema = %(schema)s",
            "DELETE FROM {run} WHERE id <> %(run)s AND target_schema = %(schema)s AND tables = '[]'",
        ):
            self._session.execute(
                self._sql(statement),
                {"tables": json.dumps(list(run.tables)), "run": run.id, "schema": self._target},
            )

    def forget(self, run: Run) -> None:
        self._session.execute(self._sql("DELETE FROM {run} WHERE id = %s"), (run.id,))
