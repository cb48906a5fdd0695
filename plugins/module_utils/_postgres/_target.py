# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL end of a load. Works as the ordinary owner of the tables."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from .._errors import JournalError, TargetError
from .._transfer._fast import Packed
from .._transfer._load_target import (
    KeyDefinition,
    OpenTable,
    RowRefused,
    Run,
    SequenceReport,
    TableResult,
    require_counts,
)
from .._transfer._model import TableMap, TargetTable
from .._transfer._parts import Part
from .._transfer._rejects import Reject
from .._transfer._rows import Literal, Sent
from .._transfer._sequences import SequenceState
from ._catalog import SCOPE, fingerprint, read_tables
from ._copy import copy_in, copy_out
from ._definitions import (
    IndexDefinition,
    add_foreign_keys,
    check_foreign_key,
    create_indexes,
    disable_triggers,
    drop_foreign_keys,
    drop_indexes,
    missing_indexes,
    read_foreign_keys,
    read_plain_indexes,
    read_sequences,
    restart_sequence,
    restore_triggers,
)
from ._journal import ImportJournal
from ._session import Session, Statement, columns, compose, identifier, join, literal, raw

#: A killed client's session ends once the server notices (client_connection_check_interval below).
LOCK_PATIENCE = 10.0

#: Classes of SQLSTATE that speak of a value or a row: data, constraints, a program limit (row or key too long), errors
#: raised by functions behind generated columns and checks.
_ROW_ERRORS = ("22", "23", "54", "P0", "38")

#: SQLSTATEs: a row without a parent; what this version, or this kind of table, does not have.
NO_PARENT, NOT_SUPPORTED, WRONG_KIND = "23503", "0A000", "42809"

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "c": "a type"}

_TABLE_FACTS = """
SELECT s.name, c.relkind, pg_has_role(c.relowner, 'USAGE'), c.relowner::regrole::text, row_security_active(c.oid),
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
  FROM scope s JOIN pg_class c USING (oid) ORDER BY s.name
"""

_KEY_FACTS = """
SELECT k.conname, k.conrelid::regclass::text, pg_has_role(c.relowner, 'USAGE'), c.relowner::regrole::text,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND (k.conrelid IN (SELECT oid FROM scope) OR k.confrelid IN (SELECT oid FROM scope))
 ORDER BY 2, 1
"""


class PostgresTarget:
    """Implements C(_transfer._load_target.LoadTarget) on one session."""

    def __init__(self, session: Session, schema: str, journal_schema: str, maintenance_work_mem: str = "") -> None:
        self._session = session
        self._schema = schema
        self._journal = ImportJournal(session, journal_schema, schema)
        self._singly = False
        # A crash may lose the last commits, but never one without those after it: the journal stays right.
        session.execute("SET synchronous_commit TO off")
        session.execute("SET lock_timeout TO '60s'")
        if maintenance_work_mem:
            session.execute("SELECT set_config('maintenance_work_mem', %s, false)", (maintenance_work_mem,))
        if session.version >= 140000:
            # Servers on platforms that cannot tell refuse it; their sessions end with the running statement.
            with suppress(TargetError):
                session.execute("SET client_connection_check_interval TO '1s'")

    @property
    def alive(self) -> bool:
        return self._session.alive

    def keep_to_sessions(self) -> None:
        """Where client and server share a machine, let no index but those of vectors be made by several processes.

        For loads whose sessions have a core each: more processes would only take turns with them.
        """
        self._singly = bool(self._session.value("SELECT inet_client_addr() IS NOT DISTINCT FROM inet_server_addr()"))

    def lock(self) -> None:
        """Keep other imports into this schema out until the session ends. Raises LockedError."""
        self._session.lock(f"import into schema {self._schema}", LOCK_PATIENCE)

    def tables(self) -> List[TargetTable]:
        return read_tables(self._session, self._schema)

    def other_relations(self) -> Dict[str, str]:
        """What else bears a name in the schema (views ...), with what it is."""
        rows = self._session.query(
            "SELECT relname, relkind::text, relispartition FROM pg_class"
            " WHERE relnamespace = to_regnamespace(quote_ident(%s))",
            (self._schema,),
        )
        kinds = {name: "a partition" if partition else _KINDS.get(kind, "") for name, kind, partition in rows}
        return {name: kind for name, kind in kinds.items() if kind}

    def require_loadable(self, tables: Sequence[str]) -> None:
        """Raise TargetError, naming everything that stands in the way: privileges, row security, inheritance."""
        user = self._session.value("SELECT current_user::text")
        problems: List[str] = []
        advice: List[str] = []
        scope = {"schema": self._schema, "tables": list(tables)}
        for name, _kind, owner, owned_by, guarded, inherited in self._session.query(SCOPE + _TABLE_FACTS, scope):
            if not owner:
                problems.append(f"table {name} belongs to {owned_by}, not to {user}")
                advice.append(f'GRANT {owned_by} TO "{user}"')
            if guarded:
                problems.append(f"row-level security of {name} applies to {user}, so that rows could go missing unseen")
                advice.append(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY (and back afterwards)")
            if inherited:
                problems.append(f"other tables inherit from {name}, so that its rows are not only its own")
                advice.append(f"exclude {name}")
        for name, table, owner, owned_by, switched in self._session.query(SCOPE + _KEY_FACTS, scope):
            if not owner:
                problems.append(f"foreign key {name} of table {table} has to go for a while, and belongs to {owned_by}")
                advice.append(f'GRANT {owned_by} TO "{user}"')
            if switched:
                problems.append(f"the triggers of foreign key {name} of {table} are switched off or altered")
                advice.append(f"ALTER TABLE ... ENABLE TRIGGER ALL on both tables of {name}")
        for grant, allowed in (
            (f"CREATE ON SCHEMA {self._schema}", self._allowed("schema", self._schema, "CREATE")),
            (self._journal_grant(), self._journal_allowed()),
        ):
            if not allowed:
                problems.append(f"{user} lacks {grant}")
                advice.append(f'GRANT {grant} TO "{user}"')
        if problems:
            raise TargetError(
                "The target cannot be loaded: " + "; ".join(problems) + ".",
                advice="As a superuser or the owner: " + "; ".join(dict.fromkeys(advice)) + ".",
                details={"obstacles": problems},
            )

    def _allowed(self, kind: str, name: str, privilege: str) -> bool:
        return bool(
            self._session.value(
                {
                    "schema": "SELECT has_schema_privilege(quote_ident(%s), %s)",
                    "database": "SELECT has_database_privilege(%s, %s)",
                }[kind],
                (name, privilege),
            )
        )

    def _journal_grant(self) -> str:
        if self._journal_schema_exists():
            return f"CREATE, USAGE ON SCHEMA {self._journal.schema}"
        return f"CREATE ON DATABASE {self._session.value('SELECT current_database()')}"

    def _journal_schema_exists(self) -> bool:
        return bool(self._session.value("SELECT to_regnamespace(quote_ident(%s)) IS NOT NULL", (self._journal.schema,)))

    def _journal_allowed(self) -> bool:
        if self._journal_schema_exists():
            # Both privileges matter: "CREATE, USAGE" would mean either.
            return self._allowed("schema", self._journal.schema, "USAGE") and (
                self._journal.present() or self._allowed("schema", self._journal.schema, "CREATE")
            )
        return self._allowed("database", self._session.value("SELECT current_database()"), "CREATE")

    # Transactions

    def transaction(self) -> ContextManager[None]:
        return self._session.transaction()

    def savepoint(self) -> ContextManager[None]:
        return self._session.savepoint()

    # Looking

    def counts(self, tables: Sequence[str]) -> Dict[str, int]:
        return {
            name: self._session.value(compose("SELECT count(*) FROM {table}", table=identifier(self._schema, name)))
            for name in tables
        }

    def unfinished_run(self) -> Optional[Run]:
        return self._journal.unfinished()

    def finished_run(self, tables: Sequence[str]) -> Optional[Run]:
        return self._journal.finished(tables)

    def quarantined(self, run: Run) -> Iterator[Dict[str, Any]]:
        return self._journal.quarantined(run)

    # Beginning and end

    def begin(self, source: str, fingerprint: str, plan: str, tables: Sequence[str]) -> Run:
        self._journal.create()
        keys = read_foreign_keys(self._session, self._schema, tables)
        run = self._journal.begin(source, fingerprint, plan, tables, keys, self._catalog(tables))
        drop_foreign_keys(self._session, keys)
        return run

    def empty(self, tables: Sequence[str]) -> None:
        with self._triggers_off(tables):
            names = [identifier(self._schema, name) for name in tables]
            self._session.execute(compose("TRUNCATE {names}", names=join(", ", names)))

    def record(self, run: Run, result: TableResult, rejects: Sequence[Reject]) -> None:
        self._journal.record(run, result, rejects)

    def restore_keys(self, run: Run) -> bool:
        try:
            with self._session.savepoint():
                add_foreign_keys(self._session, run.keys)
        except TargetError as error:
            if error.details.get("sqlstate") == NO_PARENT:
                return False
            raise
        return True

    def promise_keys(self, run: Run) -> bool:
        if not all(key.checked for key in run.keys):
            return False
        try:
            with self._session.transaction():
                add_foreign_keys(self._session, run.keys, checked=False)
        except TargetError as error:
            # Before version 18, a key of a partitioned table is checked when it is made, or not at all.
            if error.details.get("sqlstate") in (NOT_SUPPORTED, WRONG_KIND):
                return False
            raise
        return True

    def check_key(self, key: KeyDefinition) -> bool:
        try:
            with self._session.transaction():
                check_foreign_key(self._session, key)
        except TargetError as error:
            if error.details.get("sqlstate") == NO_PARENT:
                return False
            raise
        return True

    def drop_keys(self, run: Run) -> None:
        drop_foreign_keys(self._session, run.keys)

    # Tables in parts

    def open_table(self, run: Run, table: OpenTable) -> None:
        with self._session.transaction():
            indexes = read_plain_indexes(self._session, self._schema, table.target)
            triggers = disable_triggers(self._session, self._schema, table.target)
            drop_indexes(self._session, indexes)
            self._journal.open(run, table, {"indexes": indexes, "triggers": triggers})

    def load_part(
        self,
        table: TableMap,
        rows: Iterable[Union[Sequence[Sent], Packed]],
        advance: Callable[[int, int], None],
        binary: bool = False,
    ) -> Tuple[int, int]:
        name = table.target.name
        self._session.use_application_path(self._schema)
        try:
            names = [column.target.name for column in table.columns]
            copied = copy_in(self._session, self._schema, name, names, rows, advance, binary)
            self._session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except TargetError as error:
            raise _refused(error, name) from error
        self._session.pin_path()
        return copied.rows, copied.bytes

    def record_part(self, run: Run, table: OpenTable, part: Part, rejects: Sequence[Reject]) -> None:
        self._journal.record_part(run, table, part, rejects)

    def missing_indexes(self, run: Run, table: OpenTable) -> List[IndexDefinition]:
        return missing_indexes(self._session, self._definitions(run, table)[0])

    def build_index(self, table: OpenTable, index: IndexDefinition) -> None:
        with self._session.transaction():
            self._session.use_application_path(self._schema)
            try:
                create_indexes(self._session, [index], self._singly)
            except TargetError as error:
                raise _refused(error, table.target) from error

    def close_table(self, run: Run, table: OpenTable, result: TableResult) -> List[Dict[str, Any]]:
        with self._session.transaction():
            self._restore(run, table)
            self._journal.record(run, result, [])
            entries = self._journal.close(run, table)
            self._journal.set_aside(run, entries)
        return entries

    def reset_table(self, run: Run, table: OpenTable) -> None:
        with self._session.transaction():
            require_counts({table.target: table.rows}, self.counts([table.target]))
            self.empty([table.target])
            self._restore(run, table)
            self._journal.close(run, table)

    def cancel(self) -> None:
        self._session.cancel()

    def _definitions(self, run: Run, table: OpenTable) -> Tuple[List[IndexDefinition], List[Tuple[str, str]]]:
        kept = self._journal.definitions(run, table)
        return [IndexDefinition(*index) for index in kept["indexes"]], [(n, state) for n, state in kept["triggers"]]

    def _restore(self, run: Run, table: OpenTable) -> None:
        """Indexes and triggers of I(table) as they were before M(open_table)."""
        indexes, triggers = self._definitions(run, table)
        self._session.use_application_path(self._schema)
        create_indexes(self._session, missing_indexes(self._session, indexes), self._singly)
        self._session.pin_path()
        restore_triggers(self._session, self._schema, table.target, triggers)

    def finish(self, run: Run) -> None:
        differences = self._journal.catalog(run).differences(self._catalog(run.tables))
        if differences:
            raise TargetError(
                "The target's definitions are not what they were before the load: " + "; ".join(differences[:5]) + ".",
                advice="Change no definitions while the import runs.",
                details={"differences": differences},
            )
        self._journal.finish(run)
        # This one has to be on disk before anybody is told that the load is done.
        self._session.execute("SET LOCAL synchronous_commit TO on")

    def undo(self, run: Run) -> None:
        with self._session.transaction():
            here = {name for (name,) in self._session.query(_PRESENT, (self._schema, list(run.tables)))}
            expected = {name: 0 for name in run.tables if name in here}
            expected.update({target: rows for target, rows in run.loaded().items() if target in here})
            found = self.counts(list(expected))
            # A crash of the server may have emptied unlogged tables: nothing is left there that could be lost.
            require_counts(
                {name: rows for name, rows in expected.items() if found[name]},
                {name: rows for name, rows in found.items() if rows},
            )
            drop_foreign_keys(self._session, run.keys)
            if expected:
                self.empty(list(expected))
            for table in run.open.values():
                if table.target in here:
                    self._restore(run, table)
            add_foreign_keys(self._session, run.keys)
            self._journal.forget(run)

    def analyze(self, tables: Sequence[str]) -> None:
        for name in tables:
            self._session.execute(compose("ANALYZE {table}", table=identifier(self._schema, name)))

    def _catalog(self, tables: Sequence[str]) -> Any:
        return fingerprint(self._session, self._schema, tables)

    @contextmanager
    def _triggers_off(self, tables: Sequence[str]) -> Iterator[None]:
        states = {name: disable_triggers(self._session, self._schema, name) for name in tables}
        yield
        for name, before in states.items():
            restore_triggers(self._session, self._schema, name, before)

    # Rows

    def load(
        self,
        table: TableMap,
        rows: Iterable[Union[Sequence[Sent], Packed]],
        keep_indexes: bool,
        advance: Callable[[int, int], None],
        binary: bool = False,
    ) -> Tuple[int, int]:
        name = table.target.name
        indexes = [] if keep_indexes else read_plain_indexes(self._session, self._schema, name)
        with self._triggers_off([name]):
            drop_indexes(self._session, indexes)
            self._session.use_application_path(self._schema)
            try:
                names = [column.target.name for column in table.columns]
                copied = copy_in(self._session, self._schema, name, names, rows, advance, binary)
                # What was put off to the commit has to be found here, and would keep indexes from being made.
                self._session.execute("SET CONSTRAINTS ALL IMMEDIATE")
                create_indexes(self._session, indexes, self._singly)
            except TargetError as error:
                raise _refused(error, name) from error
            self._session.pin_path()
        return copied.rows, copied.bytes

    def duplicates(
        self, table: TableMap, rows: Iterable[Sequence[Sent]], limit: int
    ) -> List[Tuple[int, Tuple[str, ...]]]:
        names = [column.target.name for column in table.columns]
        keys = [key for key in table.target.unique if set(key) <= set(names)]
        wanted = [name for name in names if any(name in key for key in keys)]
        if not wanted:
            return []
        places = [names.index(name) for name in wanted]
        numbered = ([str(number), *(row[place] for place in places)] for number, row in enumerate(rows, 1))
        found: Dict[int, Tuple[str, ...]] = {}
        with self._session.savepoint():
            self._session.execute(
                compose(
                    "CREATE TEMPORARY TABLE mcps_keys AS SELECT 0::bigint AS mcps_line, {columns} FROM {table} LIMIT 0",
                    columns=columns(wanted),
                    table=identifier(self._schema, table.target.name),
                )
            )
            copy_in(self._session, "pg_temp", "mcps_keys", ["mcps_line", *wanted], numbered)
            self._session.use_application_path(self._schema)
            for key in keys:
                for (line,) in self._session.query(
                    compose(
                        "SELECT mcps_line FROM (SELECT mcps_line,"
                        " row_number() OVER (PARTITION BY {columns} ORDER BY mcps_line) AS place FROM pg_temp.mcps_keys"
                        " WHERE mcps_line <> ALL (%s::bigint[]) AND {present}) AS numbered"
                        " WHERE place > 1 ORDER BY mcps_line LIMIT %s",
                        columns=columns(key),
                        present=join(" AND ", [compose("{c} IS NOT NULL", c=identifier(c)) for c in key]),
                    ),
                    (list(found), limit),
                ):
                    found[line] = key
            self._session.execute("DROP TABLE pg_temp.mcps_keys")
            self._session.pin_path()
        return sorted(found.items())[:limit]

    # Rows without parents

    def count_orphans(self, key: KeyDefinition) -> int:
        statement = compose("SELECT count(*) FROM {child} AS c WHERE {orphan}", **_orphan_parts(key))
        return int(self._session.value(statement))

    def orphans(self, key: KeyDefinition, names: Sequence[str], limit: int) -> List[Tuple[Literal, ...]]:
        parts = _orphan_parts(key)
        query = compose(
            "SELECT {columns} FROM {child} AS c WHERE {orphan} LIMIT {limit}",
            columns=join(", ", [identifier("c", name) for name in names]),
            limit=literal(limit),
            **parts,
        )
        return list(copy_out(self._session, query))

    def remove_orphans(self, key: KeyDefinition, names: Sequence[str]) -> List[Tuple[Literal, ...]]:
        query = compose(
            "DELETE FROM {child} AS c WHERE {orphan} RETURNING {columns}",
            columns=join(", ", [identifier("c", name) for name in names]),
            **_orphan_parts(key),
        )
        expected = self.count_orphans(key)
        with self._triggers_off([key.table]):
            removed = list(copy_out(self._session, query))
        if len(removed) != expected:
            raise JournalError(
                f"{expected} rows of {key.table} had to be set aside, but {len(removed)} were removed.",
                advice="A rule on the table turns DELETE into something else: drop it for the time of the import.",
            )
        return removed

    # Sequences

    def advance_sequences(
        self,
        tables: Mapping[str, Optional[int]],
        set_aside: Mapping[Tuple[str, str], Tuple[int, int]],
        find: Callable[[SequenceState, Optional[int]], int],
        change: bool,
    ) -> List[SequenceReport]:
        reports: List[SequenceReport] = []
        for use in read_sequences(self._session, self._schema, list(tables)):
            state = use.state
            outermost = max if state.increment > 0 else min
            used: List[int] = []
            for table, column in use.columns:
                held = self._session.value(
                    compose(
                        "SELECT {f}({column})::text FROM {table}",
                        f=raw("max" if state.increment > 0 else "min"),
                        column=identifier(column),
                        table=identifier(self._schema, table),
                    )
                )
                used += [int(held.split(".")[0])] if held and held != "NaN" else []
                counter = tables[table]
                used += [counter] if counter and state.increment > 0 else []
                used += set_aside.get((table, column), ())
            largest = outermost(used) if used else None
            following = find(state, largest) if change else state.next
            if following != state.next:
                restart_sequence(self._session, state, following)
            table, column = use.columns[0]
            reports.append(SequenceReport(f"{state.schema}.{state.name}", table, column, following, largest))
        return reports


_PRESENT = """
SELECT relname FROM pg_class
 WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relname = ANY(%s) AND relkind IN ('r', 'p')
"""


def _orphan_parts(key: KeyDefinition) -> Dict[str, Statement]:
    """What finds rows of the child (alias c) that I(key) does not allow, with the key's own operators."""
    matches = [
        compose(
            "p.{parent} OPERATOR({schema}.{sign}) c.{child}",
            parent=identifier(parent),
            child=identifier(child),
            schema=identifier(schema),
            sign=raw(sign),
        )
        for parent, child, (schema, sign) in zip(key.parent_columns, key.columns, key.operators)
    ]
    nulls = [compose("c.{child} IS NULL", child=identifier(child)) for child in key.columns]
    missing = compose(
        "NOT EXISTS (SELECT FROM {parent} AS p WHERE {matches})",
        parent=identifier(key.parent_schema, key.parent),
        matches=join(" AND ", matches),
    )
    # MATCH SIMPLE asks nothing of a row with any NULL, MATCH FULL only of rows that are NULL throughout.
    free = join(" AND " if key.match_full else " OR ", nulls)
    orphan = compose("NOT ({free}) AND {missing}", free=free, missing=missing)
    return {"child": identifier(key.schema, key.table), "orphan": orphan}


def _refused(error: TargetError, table: str) -> TargetError:
    """I(error) as RowRefused if it is about a row."""
    code = str(error.details.get("sqlstate", ""))
    if not code.startswith(_ROW_ERRORS):
        return error
    message = error.message.split(": ", 1)[-1].rstrip(".")
    refused = RowRefused(message, advice=error.advice, details=error.details)
    refused.duplicate = code == "23505"
    # "COPY server, line 6, column id: ..." in whatever language the server speaks.
    context = str(error.details.get("context", "")).split("\n")
    for line in context:
        found = re.match(r"COPY " + re.escape(table) + r", \D*(\d+)", line)
        if found:
            refused.line = int(found.group(1))
            column = re.match(r", \S+ ([^:]+)(?::|$)", line[found.end() :])
            refused.column = column.group(1) if column else ""
    return refused
