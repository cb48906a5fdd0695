# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database beside the target's that is made for a trial and dropped after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from .._errors import TargetError
from ._catalog import read_tables
from ._session import Session, compose, connect, identifier, literal, raw

#: The comment that tells such a database from one that is somebody's.
MARK = "made by mcps.postgres for a rehearsal, may be dropped"

_ROLES = "SELECT rolcreatedb OR rolsuper, rolsuper FROM pg_roles WHERE rolname = current_user"
_THERE = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
_EXTENSIONS = """
SELECT e.extname::text, n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname <> 'plpgsql' ORDER BY e.oid
"""
#: Settings that come with the target's database, for all of its roles or for one.
_SETTINGS = """
SELECT r.rolname::text, split_part(s.line, '=', 1), substr(s.line, strpos(s.line, '=') + 1)
  FROM pg_db_role_setting d
  LEFT JOIN pg_roles r ON r.oid = d.setrole
 CROSS JOIN LATERAL unnest(d.setconfig) AS s (line)
 WHERE d.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (d.setrole = 0 OR r.rolname = %s)
"""
#: Whatever a schema can hold, but for what belongs to extensions and what goes with its table.
_OBJECTS = """
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                      WHEN 'S' THEN 'sequence' ELSE 'foreign table' END AS kind, c.relname::text AS name
  FROM pg_class c
 WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype IN ('e', 'a', 'i'))
UNION ALL
SELECT CASE t.typtype WHEN 'e' THEN 'enum type' WHEN 'd' THEN 'domain' ELSE 'type' END, t.typname::text
  FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE t.typnamespace = to_regnamespace(quote_ident(%(schema)s)) AND (t.typtype IN ('e', 'd') OR c.relkind = 'c')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'routine', p.oid::regprocedure::text
  FROM pg_proc p
 WHERE p.pronamespace = to_regnamespace(quote_ident(%(schema)s))
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
 ORDER BY 1, 2
"""

#: Schemas besides the application's own, which its revisions made, or which are there for an extension.
_SCHEMAS = """
SELECT nspname::text, EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid) FROM pg_namespace n
 WHERE nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND nspname NOT IN ('public', %s)
   AND nspname !~ '^pg_'
"""
#: How what M(objects) names is dropped.
_WORDS = {
    **{
        kind: kind.upper()
        for kind in ("table", "view", "materialized view", "sequence", "foreign table", "domain", "type")
    },
    "enum type": "TYPE",
    "routine": "ROUTINE",
}


@contextmanager
def throwaway(params: Mapping[str, Any], admin: Mapping[str, Any], name: str) -> Iterator[Dict[str, Any]]:
    """Make database I(name) for the block and drop it after it; gives I(params) with I(name) as login_db.

    I(params) are the login_* arguments of the target, whose owner, extensions and settings the new one gets; I(admin)
    those of a role that may create databases, connected to a database that is there. One that a killed run left behind
    is dropped first, if its comment says that it is one. Raises TargetError, LockedError.
    """
    with connect(params, "rehearsal") as target:
        owner = target.value("SELECT current_user::text")
        extensions = target.query(_EXTENSIONS)
        settings = target.query(_SETTINGS, (owner,))
        schema = params["target_schema"]
    with connect(admin, "rehearsal") as session:
        _require_rights(session, name)
        session.lock(f"rehearsal {name}")
        _clear(session, name)
        session.execute(compose("CREATE DATABASE {name} OWNER {owner}", name=identifier(name), owner=identifier(owner)))
        try:
            session.execute(compose("COMMENT ON DATABASE {name} IS {mark}", name=identifier(name), mark=literal(MARK)))
            _configure(session, name, settings)
            with connect({**admin, "login_db": name}, "rehearsal") as inside:
                _furnish(inside, owner, schema, extensions)
            yield {**params, "login_db": name}
        finally:
            if session.alive:
                _drop(session, name)


@contextmanager
def prepared(params: Mapping[str, Any], name: str) -> Iterator[Dict[str, Any]]:
    """As M(throwaway), with a database that somebody who may has made, marked, and given to the target's role.

    It is emptied before the block and after it, but for extensions.
    """
    place = {**params, "login_db": name}
    with connect(place, "rehearsal") as session:
        if session.value(_THERE, (name,)) != MARK:
            raise _somebodys(name)
        session.lock(f"rehearsal {name}")
        _empty(session, params["target_schema"])
        try:
            yield place
        finally:
            if session.alive:
                _empty(session, params["target_schema"])


def _empty(session: Session, schema: str) -> None:
    """Drop whatever this role has made."""
    for other, holds_extension in session.query(_SCHEMAS, (schema,)):
        if holds_extension:
            _empty_schema(session, other)
        else:
            session.execute(compose("DROP SCHEMA {name} CASCADE", name=identifier(other)))
    _empty_schema(session, schema)


def _empty_schema(session: Session, schema: str) -> None:
    for item in objects(session, schema):
        whose = raw(item["name"]) if item["kind"] == "routine" else identifier(schema, item["name"])
        # One that went along with another is gone already.
        session.execute(compose("DROP {kind} IF EXISTS {whose} CASCADE", kind=raw(_WORDS[item["kind"]]), whose=whose))


def _somebodys(name: str) -> TargetError:
    return TargetError(
        f"There is a database {name} that is not marked as one for rehearsals.",
        advice="Drop it if it is a leftover, or give rehearsal_db another name.",
        details={"database": name},
    )


def _require_rights(session: Session, name: str) -> None:
    (may_create, _super), *_ = session.query(_ROLES)
    if not may_create:
        raise TargetError(
            f"Role {session.value('SELECT current_user::text')} may not create the database {name} to rehearse in.",
            advice="Name a role that may (admin_user, admin_password), or ALTER ROLE ... CREATEDB.",
            details={"sqlstate": "42501"},
        )


def _clear(session: Session, name: str) -> None:
    there = session.query(_THERE, (name,))
    if not there:
        return
    if there[0][0] != MARK:
        raise _somebodys(name)
    _drop(session, name)


def _drop(session: Session, name: str) -> None:
    session.execute(compose("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=identifier(name)))


def _configure(session: Session, name: str, settings: List[Tuple[str, str, str]]) -> None:
    for role, setting, value in settings:
        whose = "ROLE {role} IN DATABASE {name}" if role else "DATABASE {name}"
        session.execute(
            compose(
                f"ALTER {whose} SET {{setting}} TO {{value}}",
                role=identifier(role or ""),
                name=identifier(name),
                setting=identifier(*setting.split(".")),
                # A list (search_path) is stored with its commas and quotes, as it is to be written.
                value=raw(value) if setting in _LISTS else literal(value),
            )
        )


_LISTS = ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces")


def _furnish(session: Session, owner: str, schema: str, extensions: List[Tuple[str, str]]) -> None:
    """The schemas and extensions that the target has."""
    schemas = {place for _extension, place in extensions} | {schema}
    for place in sorted(schemas - {"public", "pg_catalog"}):
        session.execute(
            compose(
                "CREATE SCHEMA IF NOT EXISTS {place} AUTHORIZATION {owner}",
                place=identifier(place),
                owner=identifier(owner),
            )
        )
    for extension, place in extensions:
        try:
            session.execute(
                compose(
                    "CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {place} CASCADE",
                    extension=identifier(extension),
                    place=identifier(place),
                )
            )
        except TargetError as error:
            raise TargetError(
                f"Extension {extension}, which the target has, cannot be made for the rehearsal: {error.message}",
                advice="Name a superuser (admin_user, admin_password), who may create it.",
                details=error.details,
            ) from error


def unindexed(session: Session, schema: str) -> List[Dict[str, Any]]:
    """Foreign keys of I(schema) whose columns no index begins with: dicts of table, columns, parent."""
    return [
        {"table": table.name, "columns": list(key.columns), "parent": key.parent}
        for table in read_tables(session, schema)
        for key in table.foreign_keys
        if not any(set(index[: len(key.columns)]) == set(key.columns) for index in table.indexed)
    ]


def objects(session: Session, schema: str) -> List[Dict[str, str]]:
    """What is in I(schema): dicts of kind and name."""
    return [{"kind": kind, "name": name} for kind, name in session.query(_OBJECTS, {"schema": schema})]
