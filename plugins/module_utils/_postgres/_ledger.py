# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migration's own two tables in the target: the journal's mirror and the lock."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional

from .._errors import LockedError
from .._lock import FACTS
from ._session import Session, compose, identifier, literal

#: Sessions of the collection's own modules, see M(_session.connect).
OUR_SESSIONS = "mcps.postgres %"


class Ledger:
    """Journal and lock of one target schema, in the schema that keeps the migration's own tables."""

    def __init__(self, session: Session, journal_schema: str, target_schema: str) -> None:
        self._session = session
        self._schema = journal_schema
        self._target = target_schema

    def exists(self, table: str) -> bool:
        found = self._session.value(
            "SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s",
            (self._schema, table),
        )
        return bool(found)

    def create(self) -> None:
        """Make schema and tables where they are missing. Two runs that come at once wait for each other."""
        if self.exists("journal") and self.exists("lock"):
            return
        with self._session.transaction():
            self._session.execute("SELECT pg_advisory_xact_lock(hashtext('mcps.postgres ledger'))")
            if not self._session.value("SELECT true FROM pg_namespace WHERE nspname = %s", (self._schema,)):
                self._session.execute(compose("CREATE SCHEMA {schema}", schema=identifier(self._schema)))
            self._session.execute(
                compose(
                    "CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, target_schema text NOT NULL,"
                    " written timestamptz NOT NULL DEFAULT clock_timestamp(), document json NOT NULL)",
                    table=identifier(self._schema, "journal"),
                )
            )
            self._session.execute(
                compose(
                    "CREATE TABLE IF NOT EXISTS {table} (target_schema text PRIMARY KEY, token text NOT NULL,"
                    " holder jsonb NOT NULL, phase text NOT NULL DEFAULT '', since timestamptz NOT NULL,"
                    " renewed timestamptz NOT NULL, lease interval NOT NULL)",
                    table=identifier(self._schema, "lock"),
                )
            )

    def target(self) -> Dict[str, Any]:
        """What this database is, whatever name it was reached by; V(system) is None where that may not be read."""
        row = self._session.one(
            "SELECT oid::bigint, datname, has_function_privilege('pg_control_system()', 'execute')"
            " FROM pg_database WHERE datname = current_database()"
        )
        oid, name, allowed = row or (None, "", False)
        system = self._session.value("SELECT system_identifier::text FROM pg_control_system()") if allowed else None
        return {"system": system, "database_oid": oid, "database": name, "schema": self._target}

    def fitness(self) -> Dict[str, Any]:
        """Whether this database could be migrated to: version, whether it takes writes, privileges, extensions."""
        row = self._session.one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),"
            " n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'CREATE'), false),"
            " CASE WHEN j.oid IS NULL THEN has_database_privilege(d.oid, 'CREATE')"
            " ELSE has_schema_privilege(j.oid, 'CREATE') END,"
            " (SELECT coalesce(json_object_agg(extname, extversion), '{}') FROM pg_extension)::text"
            " FROM pg_database d LEFT JOIN pg_namespace n ON n.nspname = %s LEFT JOIN pg_namespace j ON j.nspname = %s"
            " WHERE d.datname = current_database()",
            (self._target, self._schema),
        )
        names = ("version_number", "version", "in_recovery", "schema_exists", "may_create", "may_journal", "extensions")
        found = dict(zip(names, row or ()))
        return {**found, "extensions": json.loads(found["extensions"])}

    def document(self) -> Optional[Dict[str, Any]]:
        """The newest journal of the target schema."""
        if not self.exists("journal"):
            return None
        found = self._session.value(
            compose(
                "SELECT document::text FROM {table} WHERE target_schema = {target} ORDER BY written DESC LIMIT 1",
                table=identifier(self._schema, "journal"),
                target=literal(self._target),
            )
        )
        return None if found is None else json.loads(found)

    def write(self, document: Mapping[str, Any]) -> None:
        """Put the document beside (or in place of) what is there of the same migration."""
        self._session.execute(
            compose(
                "INSERT INTO {table} (id, target_schema, document) VALUES ({id}, {target}, {document}::json)"
                " ON CONFLICT (id) DO UPDATE SET document = excluded.document, written = clock_timestamp()",
                table=identifier(self._schema, "journal"),
                id=literal(document["id"]),
                target=literal(self._target),
                document=literal(json.dumps(document)),
            )
        )

    def holder(self) -> Optional[Dict[str, Any]]:
        """The lock row, locked against others until the transaction's end; None where nobody holds the lock."""
        if not self.exists("lock"):
            return None
        row = self._session.one(
            compose(
                "SELECT token, holder::text, phase, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
                " extract(epoch FROM renewed + lease - clock_timestamp())::float8"
                " FROM {table} WHERE target_schema = {target}",
                table=identifier(self._schema, "lock"),
                target=literal(self._target),
            )
        )
        if row is None:
            return None
        token, holder, phase, since, left = row
        return {**json.loads(holder), "token": token, "phase": phase, "since": since, "seconds_left": left}

    def guard(self) -> None:
        """Let no other run look at or change the lock before this transaction ends."""
        self._session.execute("SELECT pg_advisory_xact_lock(hashtext('mcps.postgres lock'))")

    def take(self, row: Mapping[str, Any], lease: int) -> None:
        """Write the lock row, in place of one that is there."""
        self._session.execute(
            compose(
                "INSERT INTO {table} AS l (target_schema, token, holder, since, renewed, lease) VALUES"
                " ({target}, {token}, {holder}::jsonb, clock_timestamp(), clock_timestamp(), make_interval(secs => {lease}))"
                " ON CONFLICT (target_schema) DO UPDATE SET token = excluded.token, holder = excluded.holder,"
                " phase = '', since = excluded.since, renewed = excluded.renewed, lease = excluded.lease",
                table=identifier(self._schema, "lock"),
                target=literal(self._target),
                token=literal(row["token"]),
                holder=literal(json.dumps({key: row[key] for key in FACTS})),
                lease=literal(lease),
            )
        )

    def release(self, token: str) -> None:
        self._session.execute(
            compose(
                "DELETE FROM {table} WHERE target_schema = {target} AND token = {token}",
                table=identifier(self._schema, "lock"),
                target=literal(self._target),
                token=literal(token),
            )
        )

    def renew(self, token: str, phase: str) -> None:
        """Begin the lease anew; LockedError where the lock is no longer this run's."""
        touched = self._session.execute(
            compose(
                "UPDATE {table} SET renewed = clock_timestamp(), phase = {phase}"
                " WHERE target_schema = {target} AND token = {token}",
                table=identifier(self._schema, "lock"),
                target=literal(self._target),
                token=literal(token),
                phase=literal(phase),
            )
        )
        if touched != 1:
            holder = self.holder()
            raise LockedError(
                "This run has lost its lock on the migration"
                + (f" to process {holder['pid']} on {holder['controller']}." if holder else "."),
                advice="Do nothing in this run any more; once the other run is done, run the same command again.",
                details={"holder": holder or {}},
            )

    def still_working(self) -> List[Dict[str, Any]]:
        """Other sessions of the collection's modules in this database: what a dead run may have left behind."""
        rows = self._session.query(
            "SELECT pid, application_name, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE %s AND application_name NOT LIKE %s ORDER BY backend_start",
            (OUR_SESSIONS, "mcps.postgres lock%"),
        )
        return [dict(zip(("pid", "application", "since"), row)) for row in rows]
