# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the application's own interpreter, where nothing of this collection can be imported.

M(_process) sends this file's source and then requests to it on standard input, a line of JSON each, and reads a line of JSON
for each from its standard output. Each request is carried out by a process that is forked for it and runs the application's
env.py once, so that nothing that it keeps (engines, event loops) lives on into a second run. That process writes its answer to
its standard output; whatever the application prints goes to standard error.

Works with Python 3.7, Alembic 1.8 and SQLAlchemy 1.4, and all newer ones. Alembic's planning of a move between
revisions has no public name; C(ScriptDirectory._upgrade_revs) and its two sisters are what its documentation of
EnvironmentContext tells callers to use.
"""

from __future__ import annotations

import configparser
import contextlib
import gc
import importlib
import inspect
import io
import json
import os
import sys
import tempfile
import traceback
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

#: What every request needs, whatever the application is.
IMPORTS = (
    "alembic.autogenerate",
    "alembic.config",
    "alembic.script",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
)
#: Of what a request's process writes, no more than this many bytes are sent on, from the end.
OUTPUT_LENGTH = 64 << 20
ERRORS_LENGTH = 1 << 20
#: A longer statement or traceback is cut to this many characters.
STATEMENT_LENGTH = 4000
TRACEBACK_LENGTH = 20000


class Refusal(Exception):
    """A stop of this driver itself. I(kind) is one of the kinds that M(_failure) explains."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class LenientInterpolation(configparser.BasicInterpolation):
    """Lets env.py store a URL with a percent sign without doubling it, as many an env.py does.

    A percent-encoded URL never holds two percent signs in a row, so which of the two was meant is never in doubt.
    """

    def before_set(self, parser: Any, section: str, option: str, value: str) -> str:
        try:
            return super().before_set(parser, section, option, value)
        except ValueError:
            return value.replace("%", "%%")


class Recorder(io.StringIO):
    """What Alembic's offline mode writes, which hands over one statement (or comment) at a time.

    I(at) gives the revision that is running and its file.
    """

    def __init__(self, at: Callable[[], Tuple[str, str]]) -> None:
        super().__init__()
        self.pieces: List[Dict[str, Any]] = []
        self._at = at

    def write(self, text: str) -> int:
        if text.strip():
            revision, path = self._at()
            lines = [frame.lineno for frame in traceback.extract_stack() if path and same_file(frame.filename, path)]
            self.pieces.append(
                {"revision": revision, "file": path, "line": lines[-1] if lines else 0, "text": text.strip()}
            )
        return super().write(text)


class Session:
    """One request's Alembic configuration and what became known while env.py ran."""

    def __init__(self, request: Dict[str, Any]) -> None:
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        self.request = request
        self.output = Recorder(self.at)
        path = request["config_file"]
        files: Dict[str, Any] = {"toml_file": path} if path.endswith(".toml") else {"file_": path}
        if "file_" in files and "toml_file" in inspect.signature(Config).parameters:
            files["toml_file"] = "pyproject.toml"  # as the command alembic does since 1.16, whether it is there or not
        self.config = Config(output_buffer=self.output, **files)
        self.config.file_config._interpolation = LenientInterpolation()  # type: ignore[attr-defined]
        self.config.set_main_option("sqlalchemy.url", request["url"].replace("%", "%%"))
        self.script = ScriptDirectory.from_config(self.config)
        self.entered = False
        self.before: Tuple[str, ...] = ()
        self.after: Tuple[str, ...] = ()
        self.done: List[Any] = []
        self.step: Optional[Any] = None
        self.creating = False
        self.facts: Dict[str, Any] = {}

    def run(self, function: Callable[[Tuple[str, ...], Any], Iterable[Any]], **options: Any) -> None:
        """Run env.py, which calls I(function) with the current heads and its migration context."""
        from alembic.runtime.environment import EnvironmentContext

        def entered(heads: Any, context: Any) -> Iterable[Any]:
            self.entered = True
            self.before = tuple(sorted(listed(heads)))
            if not context.as_sql:
                require_target(context, self.request)
            return function(self.before, context)

        with EnvironmentContext(self.config, self.script, fn=entered, **options):
            self.script.run_env()
        if not self.entered:
            raise Refusal("env_idle", "env.py ended without a call of context.run_migrations().")

    def steps(self, heads: Tuple[str, ...]) -> List[Any]:
        """What the request's command takes from I(heads): Alembic's own steps, in order."""
        command, revision = self.request["command"], self.request["revision"]
        if command == "upgrade":
            return list(self.script._upgrade_revs(revision, heads))  # type: ignore[arg-type]
        if command == "downgrade":
            return list(self.script._downgrade_revs(revision, heads))  # type: ignore[arg-type]
        return list(self.script._stamp_revs(revision, heads))

    def at(self) -> Tuple[str, str]:
        """The revision that Alembic is at and its file; both empty between two of them."""
        if self.step is None or is_stamp(self.step):
            return "", ""
        return str(self.step.revision.revision), str(self.step.revision.path)

    def watched(self, steps: Iterable[Any]) -> Iterator[Any]:
        """The I(steps), noting which one Alembic is at: it asks for the next only when one is done."""
        for step in steps:
            self.step = step
            yield step
            self.done.append(step)
            self.step = None


def listed(value: Any) -> Tuple[Any, ...]:
    """One, several or no values as a tuple."""
    if value is None or value == ():
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def require_target(context: Any, request: Dict[str, Any]) -> None:
    """Refusal unless env.py's connection leads to the database that was asked for."""
    from sqlalchemy import text

    connection = context.connection
    url = connection.engine.url
    shown = f"{url.drivername}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database}"
    if connection.dialect.name != "postgresql":
        raise Refusal("wrong_database", f"env.py connected to {shown}, which is not PostgreSQL.")
    database = connection.execute(text("SELECT current_database()")).scalar()
    # A pooler's entry may bear another name than the database that it leads to.
    if request["database"] and request["database"] not in (database, url.database):
        raise Refusal("wrong_database", f"env.py connected to database '{database}', not to '{request['database']}'.")
    host = url.host or url.query.get("host")
    port = url.port or url.query.get("port")
    wanted = (request["host"], request["port"])
    for found, asked in zip((host, port), wanted):
        if isinstance(found, (str, int)) and found and asked and place(found) != place(asked):
            raise Refusal("wrong_database", f"env.py connected to {host}:{port}, not to {wanted[0]}:{wanted[1]}.")


def place(value: Any) -> str:
    """A host or port in a form in which equal ones are equal."""
    text = str(value).strip("[]").lower()
    return "localhost" if text in ("127.0.0.1", "::1") else text


def commit_nothing() -> None:
    """From now on every commit through SQLAlchemy is a rollback, also those that env.py itself asks for."""
    from sqlalchemy.engine.default import DefaultDialect

    def do_commit(self: Any, dbapi_connection: Any) -> None:
        self.do_rollback(dbapi_connection)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


# --- revisions


def described(revision: Any) -> Dict[str, Any]:
    """One revision as data. I(down_revision) is a list: none for the first, several for a merge."""
    message = (revision.doc or "").strip().splitlines()
    return {
        "revision": revision.revision,
        "down_revision": list(listed(revision.down_revision)),
        "message": message[0] if message else "",
        "path": revision.path,
    }


def is_stamp(step: Any) -> bool:
    """Whether a step only writes down a revision, which it then does not have itself."""
    return not hasattr(step, "revision")


def of_steps(session: Session, steps: Iterable[Any]) -> List[Dict[str, Any]]:
    """The revisions that I(steps) are about, in order."""
    result = []
    for step in steps:
        if is_stamp(step):
            result += [described(session.script.get_revision(name)) for name in listed(step.to_)]
        else:
            result.append(described(step.revision))
    return result


def parents(session: Session, name: str) -> Set[str]:
    """What must be there before revision I(name): the ones it follows and those it depends on."""
    revision = session.script.get_revision(name)
    found = set(listed(revision.down_revision))
    for dependency in listed(revision.dependencies):
        found |= {other.revision for other in session.script.get_revisions(dependency) if other}
    return found


def heads_after(session: Session, heads: Iterable[str], steps: Iterable[Any]) -> Tuple[str, ...]:
    """The heads that I(steps) lead to from I(heads), as alembic_version will hold them."""
    steps = list(steps)
    if any(is_stamp(step) for step in steps):
        current = set(heads)
        for step in steps:
            current = (current - set(listed(step.from_))) | set(listed(step.to_))
        return tuple(sorted(current))
    applied: Set[str] = set()
    waiting = set(heads)
    while waiting:
        name = waiting.pop()
        if name not in applied:
            applied.add(name)
            waiting |= parents(session, name)
    for step in steps:
        if step.is_upgrade:
            applied.add(step.revision.revision)
        else:
            applied.discard(step.revision.revision)
    followed: Set[str] = set()
    for name in applied:
        followed |= parents(session, name)
    return tuple(sorted(applied - followed))


# --- the application's model


def concrete(sql_type: Any, dialect: Any) -> Any:
    """The type that really stands behind I(sql_type) on PostgreSQL, whatever decorates it."""
    from sqlalchemy.types import TypeDecorator

    found = sql_type.dialect_impl(dialect)
    while isinstance(found, TypeDecorator):
        found = found.type_engine(dialect)
    return found


def enum_of(sql_type: Any, dialect: Any) -> Optional[Any]:
    """The native enum type in I(sql_type), which may be an array of it; None where there is none."""
    from sqlalchemy import Enum

    found = concrete(sql_type, dialect)
    while getattr(found, "item_type", None) is not None:
        found = concrete(found.item_type, dialect)
    return found if isinstance(found, Enum) and found.native_enum else None


def metadata_list(target_metadata: Any) -> List[Any]:
    """env.py may name one MetaData, several, or none."""
    if target_metadata is None:
        return []
    return list(target_metadata) if isinstance(target_metadata, (list, tuple, set)) else [target_metadata]


def model_of(target_metadata: Any, schema: str) -> Dict[str, Any]:
    """Every table of the application's metadata as PostgreSQL would have it.

    Tables of another schema than I(schema) are keyed with it in front, as C(schema.table).
    """
    from sqlalchemy import UniqueConstraint
    from sqlalchemy.dialects import postgresql

    # The parameter style is one that doubles no percent sign.
    dialect = postgresql.dialect(paramstyle="named")
    compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
    tables = {}
    for metadata in metadata_list(target_metadata):
        for table in metadata.tables.values():
            counter = table._autoincrement_column
            columns, enums = {}, {}
            for column in table.columns:
                enum = enum_of(column.type, dialect)
                if enum is not None:
                    enums[enum.name] = list(enum.enums)
                identity = getattr(column, "identity", None)
                computed = getattr(column, "computed", None)
                columns[column.name] = {
                    "type": column.type.compile(dialect=dialect),
                    "nullable": bool(column.nullable),
                    "default": bool(computed is None and (column.server_default is not None or column is counter)),
                    "generated": computed is not None,
                    "identity": ("a" if identity.always else "d") if identity is not None else "",
                    "expression": expression_of(compiler, column),
                }
            unique = [item.columns.keys() for item in table.constraints if isinstance(item, UniqueConstraint)]
            unique += [item.columns.keys() for item in table.indexes if item.unique and plain(item)]
            indexed = [item.columns.keys() for item in table.indexes if plain(item, partial=True)]
            tables[table_key(table.schema, table.name, schema)] = {
                "columns": columns,
                "primary_key": [column.name for column in table.primary_key.columns],
                "foreign_keys": sorted((foreign_key(item, schema) for item in table.foreign_key_constraints), key=str),
                "unique": sorted(set_of(unique)),
                "indexed": sorted(set_of(indexed + unique + [table.primary_key.columns.keys()])),
                "checks": sorted(checks_of(compiler, table), key=str),
                "enums": enums,
            }
    return tables


def expression_of(compiler: Any, column: Any) -> Optional[str]:
    """The SQL of a default or a generated column; None without one, an empty text where SQLAlchemy cannot write it."""
    from sqlalchemy.schema import DefaultClause

    computed = getattr(column, "computed", None)
    if computed is not None:
        return written(compiler, computed.sqltext)
    if not isinstance(column.server_default, DefaultClause):
        return None
    try:
        return str(compiler.get_column_default_string(column))
    except Exception:
        return ""


def written(compiler: Any, expression: Any) -> str:
    """I(expression) as it stands in a CREATE TABLE; empty where SQLAlchemy cannot write it."""
    try:
        return str(compiler.sql_compiler.process(expression, include_table=False, literal_binds=True))
    except Exception:
        return ""


def checks_of(compiler: Any, table: Any) -> List[Dict[str, str]]:
    """The CHECK constraints that PostgreSQL gets: those of SQLAlchemy's Boolean, for one, are not among them."""
    from sqlalchemy import CheckConstraint

    found = []
    # One that is written beside a column belongs to that column only.
    of_columns = [constraint for column in table.columns for constraint in column.constraints]
    for constraint in [*table.constraints, *(item for item in of_columns if item not in table.constraints)]:
        rule = getattr(constraint, "_create_rule", None)
        conditional = getattr(constraint, "_should_create_for_compiler", None)  # since SQLAlchemy 2.0
        made = conditional(compiler) if conditional is not None else rule is None or rule(compiler)
        if isinstance(constraint, CheckConstraint) and made:
            item = {"name": constraint_name(compiler, constraint), "expression": written(compiler, constraint.sqltext)}
            found.append(item)
    return found


def constraint_name(compiler: Any, constraint: Any) -> str:
    """The name that a constraint gets, by the metadata's naming convention as well; empty where PostgreSQL makes one up."""
    try:
        name = compiler.preparer.format_constraint(constraint) if constraint.name is not None else None
    except Exception:
        return ""
    quoted = (name or "").strip()
    return quoted[1:-1].replace('""', '"') if quoted.startswith('"') else quoted


def plain(index: Any, partial: bool = False) -> bool:
    """Whether an index is a b-tree over whole columns (I(partial): of some rows only is fine)."""
    options = index.dialect_options["postgresql"]
    tree = (options.get("using") or "btree").lower() == "btree"
    whole = len(index.columns) == len(index.expressions) and all(hasattr(item, "name") for item in index.expressions)
    return bool(tree and whole and (partial or options.get("where") is None))


def set_of(names: Iterable[Iterable[str]]) -> List[List[str]]:
    """Column lists without repetition and without empty ones."""
    return [list(entry) for entry in {tuple(entry) for entry in names} if entry]


def table_key(schema: Optional[str], name: str, own: str) -> str:
    return name if schema in (None, "", own) else f"{schema}.{name}"


def foreign_key(constraint: Any, schema: str) -> Dict[str, Any]:
    elements = list(constraint.elements)
    parent = elements[0].column.table
    return {
        "columns": [element.parent.name for element in elements],
        "parent": table_key(parent.schema, parent.name, schema),
        "parent_columns": [element.column.name for element in elements],
        "name": str(constraint.name or ""),
        "on_delete": action_of(constraint.ondelete),
        "on_update": action_of(constraint.onupdate),
        "deferrable": deferral_of(constraint),
    }


def action_of(words: Optional[str]) -> str:
    """ON DELETE's or ON UPDATE's, as PostgreSQL spells it; what is not declared is NO ACTION."""
    return " ".join((words or "NO ACTION").upper().split("(")[0].split())


def deferral_of(constraint: Any) -> Optional[str]:
    """When a foreign key is looked at; None where nothing is declared."""
    deferred = (constraint.initially or "").upper() == "DEFERRED"
    if constraint.deferrable is None and not constraint.initially:
        return None
    if constraint.deferrable is False or not (constraint.deferrable or deferred):
        return "NOT DEFERRABLE"
    return "DEFERRABLE INITIALLY DEFERRED" if deferred else "DEFERRABLE"


# --- what schema_enhancements has made

#: How the names of its indexes begin (M(_enhance), which cannot be imported here).
ENHANCEMENT_PREFIX = "pgx_"
#: Each index of its own, with the columns that it is over, in order. Each of its generated columns has such an index.
ENHANCEMENTS = """
SELECT t.relname::text, i.relname::text, m.amname = 'btree' AND x.indisvalid, a.attname::text, format_type(a.atttypid, a.atttypmod),
       a.attgenerated::text = 's'
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am m ON m.oid = i.relam
  JOIN pg_class t ON t.oid = x.indrelid
 CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k (number, place)
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
 WHERE t.relnamespace = to_regnamespace(quote_ident(:schema)) AND left(i.relname::text, 4) = :prefix
 ORDER BY t.relname, i.relname, k.place
"""


class Enhancements:
    """What schema_enhancements has added to the application's tables, of which the application knows nothing."""

    def __init__(self, rows: Iterable[Iterable[Any]] = ()) -> None:
        self.generated: Dict[Tuple[str, str], str] = {}
        self.jsonb: Set[Tuple[str, str]] = set()
        self.trees: Dict[Tuple[str, str], List[str]] = {}
        for table, index, tree, column, type_, generated in rows:
            if generated:
                self.generated[table, column] = type_
            elif type_ == "jsonb":
                self.jsonb.add((table, column))
            if tree:
                self.trees.setdefault((table, index), []).append(column)

    def explain(self, change: Tuple[Any, ...]) -> bool:
        """Whether one of autogenerate's tuples is about what was added."""
        operation = str(change[0])
        if operation == "remove_column":
            return (change[2], change[3].name) in self.generated
        if operation == "remove_index":
            return str(change[1].name).startswith(ENHANCEMENT_PREFIX)
        # jsonb in json's place; the model that wants something else is left alone.
        return operation == "modify_type" and (change[2], change[3]) in self.jsonb and spelled(change[6]) == "JSON"

    def added_to(self, model: Dict[str, Any]) -> Dict[str, Any]:
        """I(model), which then also expects what was added."""
        for (table, name), type_ in self.generated.items():
            column = {"type": type_, "nullable": True, "default": False, "generated": True, "identity": ""}
            if table in model:
                model[table]["columns"].setdefault(name, column)
        for table, name in self.jsonb:
            column = model.get(table, {"columns": {}})["columns"].get(name, {})
            if column.get("type") == "JSON":
                column["type"] = "JSONB"
        for (table, _index), columns in self.trees.items():
            if table in model and columns not in model[table]["indexed"]:
                model[table]["indexed"].append(columns)
        return model


def enhancements_of(context: Any, schema: str) -> Enhancements:
    from sqlalchemy import text

    values = {"schema": schema, "prefix": ENHANCEMENT_PREFIX}
    return Enhancements(context.connection.execute(text(ENHANCEMENTS), values).fetchall())


def unused_types(context: Any, model: Dict[str, Any], schema: str) -> List[str]:
    """Enum types of I(model) that are there although no column has them: what a downgrade left behind, mostly."""
    from sqlalchemy import text

    # A column may have the array of it (typarray) as well.
    found = context.connection.execute(
        text(
            "SELECT t.typname::text FROM pg_type t WHERE t.typtype = 'e' AND t.typnamespace = to_regnamespace(quote_ident(:schema))"
            " AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped)"
            " ORDER BY 1"
        ),
        {"schema": schema},
    )
    wanted = {name for table in model.values() for name in table["enums"]}
    return [name for (name,) in found if name in wanted]


# --- drift


def drift_of(context: Any, target_metadata: Any, enhancements: Enhancements) -> List[Dict[str, str]]:
    """What autogenerate, with the application's own options, would change, but for I(enhancements)."""
    from alembic.autogenerate import compare_metadata

    found = []
    for entry in compare_metadata(context, target_metadata):
        for change in entry if isinstance(entry, list) else [entry]:
            if not enhancements.explain(change):
                found.append(drift_entry(change))
    return found


def drift_entry(change: Tuple[Any, ...]) -> Dict[str, str]:
    """One of autogenerate's tuples as data (alembic.autogenerate.compare_metadata documents them)."""
    operation = str(change[0])
    if operation.startswith("modify_"):
        _, schema, table, column, _, old, new = change
        what = operation[len("modify_") :]
        detail = f"{what} is {spelled(old)} in the database, {spelled(new)} in the application's model"
        return drift_item(operation, table_key(schema, table, ""), str(column), detail)
    side = "the application's model has it, the database does not"
    if operation.startswith("remove_"):
        side = "the database has it, the application's model does not"
    if operation in ("add_column", "remove_column"):
        _, schema, table, column = change
        return drift_item(operation, table_key(schema, table, ""), column.name, side)
    item = change[1]
    table = getattr(item, "table", item)
    name = "" if table is item else str(getattr(item, "name", "") or "")
    columns = "" if table is item else ", ".join(column.name for column in getattr(item, "columns", ()))
    detail = side if table is item else f"{name or 'unnamed'} ({columns}): {side}"
    return drift_item(
        operation, table_key(getattr(table, "schema", None), str(getattr(table, "name", "")), ""), "", detail
    )


def drift_item(operation: str, table: str, column: str, detail: str) -> Dict[str, str]:
    return {"operation": operation, "table": table, "column": column, "detail": detail}


def spelled(value: Any) -> str:
    """A type, default or comment the way a person reads it."""
    from sqlalchemy.dialects import postgresql

    if hasattr(value, "compile"):
        try:
            return str(value.compile(dialect=postgresql.dialect()))
        except Exception:
            return repr(value)
    argument = getattr(value, "arg", value)
    return str(getattr(argument, "text", argument))


def existing_tables(context: Any, target_metadata: Any) -> List[str]:
    """The application's tables that are there already (without metadata: every table but Alembic's own)."""
    from sqlalchemy import inspect

    wanted = {
        (table.schema, table.name) for metadata in metadata_list(target_metadata) for table in metadata.tables.values()
    }
    inspector = inspect(context.connection)
    found = []
    for schema in {schema for schema, _ in wanted} or {None}:
        for name in inspector.get_table_names(schema=schema):
            own = name == context.version_table and schema == context.version_table_schema
            if not own and (not wanted or (schema, name) in wanted):
                found.append(table_key(schema, name, ""))
    return sorted(found)


# --- operations


def inspect_database(session: Session) -> Dict[str, Any]:
    """Where the database and the scripts stand. Reads only."""

    def look(heads: Tuple[str, ...], context: Any) -> Iterable[Any]:
        metadata = context.opts.get("target_metadata")
        script = session.script
        wanted = tuple(sorted(script.get_heads()))
        known = {revision.revision for revision in script.walk_revisions()}
        unknown = [name for name in heads if name not in known]
        pending = [] if unknown else [step.revision for step in script._upgrade_revs("heads", heads)]  # type: ignore[arg-type]
        tables = existing_tables(context, metadata)
        # An application without revisions is at their end as soon as its tables are there.
        at_head = not unknown and not pending and set(heads) == set(wanted) and bool(wanted or tables)
        # Without a revision, the tables may be what the newest one would have made.
        compared = metadata is not None and (at_head or bool(not heads and tables))
        schema = session.request["schema"]
        model = model_of(metadata, schema)
        enhancements = enhancements_of(context, schema) if compared else Enhancements()
        session.facts = {
            "current": list(heads),
            "heads": list(wanted),
            "unknown": unknown,
            "pending": [described(revision) for revision in pending],
            "branches": sorted(item.revision for item in script.walk_revisions() if item.is_branch_point),
            "at_head": at_head,
            "unversioned": not heads and bool(wanted and tables),
            "existing_tables": tables,
            "compared": compared,
            "drift": drift_of(context, metadata, enhancements) if compared else [],
            "unused_types": [] if at_head else unused_types(context, model, schema),
            "model": enhancements.added_to(model),
        }
        return []

    commit_nothing()
    session.run(look, dont_mutate=True)
    return session.facts


def plan(session: Session) -> Dict[str, Any]:
    """What the command would run. Reads only."""

    def look(heads: Tuple[str, ...], context: Any) -> Iterable[Any]:
        steps = session.steps(heads)
        session.facts = {
            "before": list(heads),
            "after": list(heads_after(session, heads, steps)),
            "revisions": of_steps(session, steps),
            "existing_tables": [] if heads else existing_tables(context, context.opts.get("target_metadata")),
        }
        return []

    commit_nothing()
    session.run(look, dont_mutate=True)
    return session.facts


def locate(session: Session) -> Dict[str, Any]:
    """The database's current heads. Reads only."""

    def look(heads: Tuple[str, ...], context: Any) -> Iterable[Any]:
        return []

    commit_nothing()
    session.run(look, dont_mutate=True)
    return {"current": list(session.before)}


def render(session: Session) -> Dict[str, Any]:
    """The SQL that the command would run from the request's I(heads), by Alembic's offline mode. No database."""
    heads = tuple(session.request["heads"])

    def offline(current: Tuple[str, ...], context: Any) -> Iterable[Any]:
        # Where env.py leaves the driver's parameter style as it is, percent signs would be doubled, as for parameters.
        context.dialect.identifier_preparer._double_percents = False
        return session.watched(session.steps(current))

    session.run(offline, as_sql=True, starting_rev=heads or None, destination_rev=session.request["revision"])
    return {
        "sql": session.output.getvalue(),
        "statements": session.output.pieces,
        "known": sorted(revision.revision for revision in session.script.walk_revisions()),
    }


def create(session: Session) -> Dict[str, Any]:
    """Make the tables of the application's metadata, and write down that they are at the request's revision."""

    def apply(heads: Tuple[str, ...], context: Any) -> Iterable[Any]:
        if heads:
            raise Refusal("not_empty", f"The database is at revision {', '.join(heads)} already.")
        metadata = metadata_list(context.opts.get("target_metadata"))
        if not metadata:
            raise Refusal("no_metadata", "env.py gives Alembic no target_metadata.")
        steps = list(session.script._stamp_revs(session.request["revision"], heads))

        def make(**_options: Any) -> None:
            for one in metadata:
                one.create_all(context.connection, checkfirst=False)

        session.after = heads_after(session, heads, steps)
        session.creating = True
        if not steps:  # The application has no revisions yet.
            with context.begin_transaction(_per_migration=True):
                make()
            return []
        # As Alembic's first step, so that tables and revision are kept together or not at all.
        steps[0].migration_fn = make
        return session.watched(steps)

    session.run(apply, destination_rev=session.request["revision"])
    return moved(session)


def moved(session: Session) -> Dict[str, Any]:
    """Where the database was, where it is meant to be now, and what ran."""
    return {
        "before": list(session.before),
        "after": list(session.after),
        "revisions": of_steps(session, session.done),
    }


def execute(session: Session) -> Dict[str, Any]:
    """Run the command."""

    def apply(heads: Tuple[str, ...], context: Any) -> Iterable[Any]:
        steps = session.steps(heads)
        session.after = heads_after(session, heads, steps)
        return session.watched(steps)

    session.run(apply, destination_rev=session.request["revision"])
    return moved(session)


OPERATIONS: Dict[str, Callable[[Session], Dict[str, Any]]] = {
    "inspect": inspect_database,
    "plan": plan,
    "locate": locate,
    "render": render,
    "execute": execute,
    "create": create,
}


# --- errors


def chain(error: BaseException) -> List[BaseException]:
    """I(error) and what caused it, the outermost first."""
    found: List[BaseException] = []
    current: Optional[BaseException] = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def failure(error: BaseException, session: Optional[Session]) -> Dict[str, Any]:
    """What went wrong where, as far as it can be told."""
    errors = chain(error)
    statement = first(getattr(item, "statement", None) for item in errors)
    original = first(getattr(item, "orig", None) for item in errors)
    sqlstate = first(getattr(item, name, None) for item in [*errors, original] for name in ("pgcode", "sqlstate"))
    step = session.step if session else None
    result: Dict[str, Any] = {
        "kind": kind_of(error, errors, session, bool(original or sqlstate)),
        "type": type(error).__name__,
        "message": str(original if original is not None else error).strip() or type(error).__name__,
        "statement": statement.strip()[:STATEMENT_LENGTH] if isinstance(statement, str) else "",
        "sqlstate": str(sqlstate or ""),
        "done": of_steps(session, session.done) if session else [],
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__))[-TRACEBACK_LENGTH:],
        "batch": any(in_batch(item) for item in errors),
        "revision": None,
    }
    if isinstance(error, ModuleNotFoundError):
        result["missing"] = error.name or ""
    path = ""
    if session and step is not None:
        at = of_steps(session, [step])
        if at:
            result["revision"], path = at[-1], at[-1]["path"]
    result["file"], result["line"] = position(errors, path, os.getcwd())
    return result


def in_batch(error: BaseException) -> bool:
    """Whether Alembic's batch mode was making a table anew when I(error) came."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name == "_create" and frame.filename.endswith("batch.py") for frame in frames)


def first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value), None)


def kind_of(error: BaseException, errors: List[BaseException], session: Optional[Session], of_database: bool) -> str:
    """Which of the stops that M(_failure) explains this one is."""
    from alembic.util import CommandError

    if isinstance(error, Refusal):
        return error.kind
    if session and session.creating:
        return "create"
    if session and session.step is not None:
        return "revision"
    if session and session.done:
        return "commit"
    if isinstance(error, CommandError):
        return "script"
    if session is None:
        return "config"
    if not session.entered and (of_database or isinstance(error, OSError)):
        return "connect"
    return "exit" if isinstance(error, SystemExit) else "env"


def position(errors: List[BaseException], path: str, project: str) -> Tuple[str, int]:
    """File and line of the last thing that the application itself did: in I(path), else anywhere in I(project)."""
    frames = [frame for item in reversed(errors) for frame in traceback.extract_tb(item.__traceback__)]
    own = [frame for frame in frames if path and same_file(frame.filename, path)]
    if not own:
        # The interpreter's own packages may lie within the project's folder.
        root = os.path.join(os.path.realpath(project), "")
        own = [
            frame
            for frame in frames
            if os.path.realpath(frame.filename).startswith(root)
            and "site-packages" not in frame.filename
            and not frame.filename.startswith("<")
        ]
    if not own:
        return "", 0
    return own[-1].filename, own[-1].lineno or 0


def same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def end_with_parent() -> None:
    """On Linux: be told to end when the module that started this process is killed. The transaction rolls back."""
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    except Exception:
        return
    if os.getppid() == 1:
        sys.exit("The module that started this is gone.")


def serve(imports: List[str]) -> None:
    """Import what requests need and I(imports); then carry out each line of standard input in a process of its own.

    Writes a line of JSON for each: C(status) as subprocess counts it, C(output) and C(errors).
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    end_with_parent()
    for name in (*IMPORTS, *imports):
        with contextlib.suppress(Exception):  # Who needs it will say so.
            importlib.import_module(name)
    # What the requests' processes share with this one is not to be copied because a collection looks at it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            pid = os.fork()
            if pid == 0:
                with open(os.devnull, "rb") as nothing:
                    for number, stream in enumerate((nothing, output, errors)):
                        os.dup2(stream.fileno(), number)
                main(json.loads(line.decode("ascii")))
                return
            _, status = os.waitpid(pid, 0)
            reply = {
                "status": -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
                "output": end_of(output, OUTPUT_LENGTH),
                "errors": end_of(errors, ERRORS_LENGTH),
            }
        replies.write(json.dumps(reply).encode("ascii") + b"\n")
        replies.flush()


def end_of(stream: BinaryIO, length: int) -> str:
    """The last I(length) bytes of a file as text."""
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - length))
    return stream.read().decode("utf-8", "replace")


def main(request: Dict[str, Any]) -> None:
    """Carry out one request; write the marker, the answer as JSON and a newline to standard output."""
    answers = os.dup(1)
    os.dup2(2, 1)
    end_with_parent()
    sys.argv = ["alembic"]
    session: Optional[Session] = None
    answer: Dict[str, Any]
    try:
        try:
            import alembic
            import sqlalchemy
        except ImportError as error:
            raise Refusal("no_alembic", f"{type(error).__name__}: {error}") from error
        session = Session(request)
        answer = {"answer": OPERATIONS[request["operation"]](session)}
        answer["versions"] = {"alembic": alembic.__version__, "sqlalchemy": sqlalchemy.__version__}
    except Refusal as error:
        answer = {"failure": {"kind": error.kind, "message": str(error), "revision": None, "file": "", "line": 0}}
    except BaseException as error:
        answer = {"failure": failure(error, session)}
    data = (request["marker"] + json.dumps(answer) + "\n").encode("ascii")
    while data:
        data = data[os.write(answers, data) :]
