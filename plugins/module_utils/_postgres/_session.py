# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL connection with pinned settings, explicit transactions, and errors that an operator can act on."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._deps import psycopg2
from .._endpoint import default_ssl_mode
from .._errors import LockedError, TargetError

#: A statement: text without names of the user's, or text composed by M(compose).
Statement = Any
Row = Tuple[Any, ...]

OLDEST_SERVER = 130000

#: How often a pooler is tried that has not yet given a connection to somebody else.
POOLING_ROUNDS = 5

#: One spelling per value on either side of a comparison, whatever the role's or database's own settings are.
#: Nothing but the built-in names is found without a schema, so that deparsed definitions carry all schemas.
PINNED_SETTINGS: Tuple[Tuple[str, str], ...] = (
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("default_transaction_read_only", "off"),
    ("xmloption", "content"),
    ("default_tablespace", ""),
    ("search_path", "pg_catalog, pg_temp"),
)

ISOLATION = {"repeatable read": "ISOLATION LEVEL REPEATABLE READ", "serializable": "ISOLATION LEVEL SERIALIZABLE"}

#: SQLSTATE (or its class) and what the operator can do about it.
ADVICE: Tuple[Tuple[str, str], ...] = (
    ("28P01", "Check login_user and login_password."),
    ("28", "Check login_user, login_password and the server's pg_hba.conf."),
    ("3D000", "Create the database first, e.g. with community.postgresql.postgresql_db."),
    ("3F000", "Create the schema first, or check target_schema."),
    ("42501", "Let the owner of the objects run this, or have the privilege granted to login_user."),
    ("53100", "Free or add disk space on the server, then run the same command again."),
    ("53200", "The server ran out of memory: lower maintenance_work_mem, or give the server more."),
    ("53300", "Raise max_connections, or close idle connections."),
    ("53400", "Raise the server's limit that the message names."),
    ("55P03", "Another session holds a lock on the table: stop the application, then run the same command again."),
    ("40P01", "Another session works on the same tables: stop the application, then run the same command again."),
    ("57P", "The server was stopped or is starting: once it is up, run the same command again."),
    ("08", "Check that the server runs and can be reached, then run the same command again."),
    ("25006", "The server is a standby or read-only: connect to the primary."),
)


def compose(template: str, **names: Any) -> Statement:
    """I(template) with its C({placeholders}) replaced by what M(identifier), M(literal) and the like return."""
    return psycopg2().sql.SQL(template).format(**names)


def identifier(*names: str) -> Statement:
    """A quoted name; several are joined with dots (schema, table)."""
    return psycopg2().sql.Identifier(*names)


def literal(value: Any) -> Statement:
    """A quoted value."""
    return psycopg2().sql.Literal(value)


def raw(text: str) -> Statement:
    """SQL text that came from PostgreSQL itself (a deparsed definition) or from this code; never from a user."""
    return psycopg2().sql.SQL(text.replace("{", "{{").replace("}", "}}")).format()


def comma(parts: Sequence[Statement]) -> Statement:
    """I(parts) joined with commas."""
    return psycopg2().sql.SQL(", ").join(parts)


def join(separator: str, parts: Sequence[Statement]) -> Statement:
    """I(parts) joined with I(separator), e.g. V( AND )."""
    return psycopg2().sql.SQL(separator).join(parts)


def columns(names: Sequence[str]) -> Statement:
    """Quoted names joined with commas."""
    return comma([identifier(name) for name in names])


class _TakenBack(Exception):
    """Ends what is to be undone."""


class Session:
    """One connection. Outside of M(transaction) every statement is a transaction of its own.

    All methods raise TargetError; its details hold V(sqlstate) and, where the server gives them, V(constraint),
    V(table), V(column), V(detail), V(context).
    """

    def __init__(self, connection: Any, where: str, secret: str = "") -> None:
        self._connection = connection
        self._secret = secret
        self._depth = 0
        self.where = where

    @property
    def version(self) -> int:
        """The server's version as a number: 180006 is 18.6."""
        return int(self._connection.server_version)

    @property
    def announced_process(self) -> int:
        """The server process that this connection was told at its start."""
        return int(self._connection.get_backend_pid())

    @property
    def alive(self) -> bool:
        """Whether the connection still stands (as far as the client has noticed)."""
        return not self._connection.closed

    @property
    def in_transaction(self) -> bool:
        return self._depth > 0

    def close(self) -> None:
        """Leave; an open transaction is rolled back and session locks are released by the server."""
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def query(self, statement: Statement, parameters: Optional[Any] = None) -> List[Row]:
        """All rows of a statement. For large results use M(_copy.copy_out)."""
        with self.errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def one(self, statement: Statement, parameters: Optional[Any] = None) -> Optional[Row]:
        """The first row, or None."""
        with self.errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            row: Optional[Row] = cursor.fetchone()
            return row

    def value(self, statement: Statement, parameters: Optional[Any] = None) -> Any:
        """The first column of the first row, or None."""
        row = self.one(statement, parameters)
        return row[0] if row else None

    def execute(self, statement: Statement, parameters: Optional[Any] = None) -> int:
        """Run a statement; number of rows that it touched (-1 where the server does not say)."""
        with self.errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)

    @contextmanager
    def transaction(self, isolation: str = "", read_only: bool = False, snapshot: str = "") -> Iterator[None]:
        """Everything inside is committed together, or rolled back when an error leaves the block.

        I(snapshot) is what another session's M(export_snapshot) gave: this one sees the same rows then.

        Inside another transaction the block is a part of that one, and ends with it.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        words = ["BEGIN"]
        if isolation:
            words.append(ISOLATION[isolation])
        if read_only:
            words.append("READ ONLY")
        self.execute(" ".join(words))
        self._depth = 1
        try:
            if snapshot:
                self.execute(compose("SET TRANSACTION SNAPSHOT {snapshot}", snapshot=literal(snapshot)))
            yield
        except BaseException:
            self._depth = 0
            if self.alive:
                # If the connection broke, the server rolls back by itself, and the first error is the cause.
                with suppress(TargetError):
                    self.execute("ROLLBACK")
            raise
        self._depth = 0
        self.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what the block did is undone when an error leaves it; the transaction goes on."""
        self.execute("SAVEPOINT mcps_part")
        try:
            yield
        except BaseException:
            if self.alive:
                self.execute("ROLLBACK TO SAVEPOINT mcps_part")
                self.execute("RELEASE SAVEPOINT mcps_part")
            raise
        self.execute("RELEASE SAVEPOINT mcps_part")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction, or a part of the one around, that is taken back at the end, whatever came of it."""
        with suppress(_TakenBack), self.savepoint() if self._depth else self.transaction():
            yield
            raise _TakenBack

    def export_snapshot(self) -> str:
        """The name by which others see what this transaction sees, for as long as it lasts."""
        return str(self.value("SELECT pg_catalog.pg_export_snapshot()"))

    def cancel(self) -> None:
        """Ask the server to stop the statement that another thread runs on this connection."""
        self._connection.cancel()

    def copy(self, statement: Statement, stream: Any, size: int = 1 << 18) -> None:
        """COPY from or to I(stream) (read(n) -> bytes, or write(bytes))."""
        with self.errors(), self._connection.cursor() as cursor:
            cursor.copy_expert(statement, stream, size)

    def use_application_path(self, schema: str) -> None:
        """Unqualified names inside the application's own functions mean what they mean to the application.

        Functions behind generated columns and checks often lean on search_path. Holds until the transaction ends, or
        until M(pin_path).
        """
        self.execute("SET LOCAL search_path TO DEFAULT")
        self.execute(
            "SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), true)",
            (schema,),
        )

    def pin_path(self) -> None:
        """Undo M(use_application_path)."""
        self.execute("SET LOCAL search_path TO pg_catalog, pg_temp")

    def pin(self) -> None:
        """Set what the meaning of text and names depends on."""
        for name, setting in PINNED_SETTINGS:
            self.execute("SELECT set_config(%s, %s, false)", (name, setting))

    def lock(self, name: str, patience: float = 0.0) -> None:
        """Take the session lock I(name) of this database, waiting for up to I(patience) seconds.

        A killed client's lock lives until the server notices, hence the patience. Raises LockedError, whose details
        say who holds it and since when.
        """
        key = _lock_key(name)
        deadline = time.monotonic() + patience
        while not self.value("SELECT pg_try_advisory_lock(%s)", (key,)):
            if time.monotonic() >= deadline:
                holder = self.lock_holder(name)
                raise LockedError(
                    f"Another session holds '{name}' in {self.where}: {_describe(holder)}.",
                    advice="Wait until it is done, or end it with pg_terminate_backend() if it is a leftover.",
                    details={"holder": holder},
                )
            time.sleep(0.25)

    def unlock(self, name: str) -> None:
        """Give the session lock I(name) back."""
        self.execute("SELECT pg_advisory_unlock(%s)", (_lock_key(name),))

    def lock_holder(self, name: str) -> Dict[str, Any]:
        """Who holds the session lock I(name): pid, user, application, address, since; empty if nobody does."""
        key = _lock_key(name) & (2**64 - 1)
        row = self.one(
            "SELECT a.pid, a.usename, a.application_name, coalesce(host(a.client_addr), 'local'), a.backend_start::text"
            " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid",
            (key >> 32, key & (2**32 - 1)),
        )
        return dict(zip(("pid", "user", "application", "address", "since"), row)) if row else {}

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the driver's errors into TargetError."""
        driver = psycopg2()
        try:
            yield
        except driver.Error as error:
            raise target_error(error, self.where, self._secret) from error


def connect(params: Mapping[str, Any], purpose: str = "") -> Session:
    """Connect as the login_* arguments of M(_argspec.target_spec) say, with pinned settings; raises TargetError.

    I(purpose) shows in pg_stat_activity beside this host and process, which is how a second run is told who is first.
    """
    session = visit(params, purpose)
    try:
        _require_suitable(session, params)
        session.pin()
    except BaseException:
        session.close()
        raise
    return session


def visit(params: Mapping[str, Any], purpose: str = "") -> Session:
    """As M(connect), but with nothing set or asked for, so that it leaves nothing behind in a connection that is lent."""
    driver = psycopg2()
    host = params.get("login_host") or ""
    secret = params.get("login_password") or ""
    where = f"database '{params.get('login_db')}' on {host or 'the local socket'}:{params.get('login_port')}"
    name = f"mcps.postgres {purpose}".strip() + f" {socket.gethostname()}:{os.getpid()}"
    try:
        connection = driver.connect(
            application_name=name[:63], connect_timeout=20, keepalives_idle=30, **connection_arguments(params)
        )
    except driver.Error as error:
        raise target_error(error, where, secret, "Cannot connect to") from error
    connection.autocommit = True
    return Session(connection, where, secret)


def connection_arguments(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The login_* arguments of M(_argspec.target_spec) in libpq's words, the password among them."""
    host = params.get("login_host") or ""
    given = {
        "host": host,
        "port": params.get("login_port"),
        "user": params.get("login_user"),
        "password": params.get("login_password") or "",
        "dbname": params.get("login_db"),
        "sslmode": params.get("ssl_mode") or default_ssl_mode(host),
        "sslrootcert": params.get("ca_cert"),
        "sslcert": params.get("ssl_cert"),
        "sslkey": params.get("ssl_key"),
    }
    return {key: setting for key, setting in given.items() if setting not in (None, "")}


def _require_suitable(session: Session, params: Mapping[str, Any]) -> None:
    """Raise TargetError unless this is a session of its own on a server and database that can be worked with."""
    where = session.where
    if session.version < OLDEST_SERVER:
        raise TargetError(
            f"{where} is PostgreSQL {session.version // 10000}, which is too old.", advice="Use PostgreSQL 13 or newer."
        )
    if session.value("SHOW server_encoding") != "UTF8":
        raise TargetError(f"{where} is not encoded in UTF8.", advice="Create the database with ENCODING 'UTF8'.")
    if pooling(session, params) == "transaction":
        raise TargetError(
            f"{where[:1].upper()}{where[1:]} is a pooler that lends its connections for one transaction at a time: "
            "locks would go to other clients, and so would the settings that a migration makes.",
            advice="Give login_host and login_port of the server itself, or in login_db an entry of the pooler that has "
            "pool_mode=session. The application may go on using the pooler.",
        )


def pooling(session: Session, params: Mapping[str, Any]) -> str:
    """How I(session) came to the server: V(none), directly, or through a pooler that lends connections for a
    V(session) or a V(transaction). I(params) are those that it was made with.

    A pooler makes up the process that it announces to its clients (PostgreSQL's protocol, section 53.2.1, message
    BackendKeyData; PgBouncer draws it by lot), whereas the server knows its own. Whether it lends by transaction shows
    in that an idle client's process changes, or is given to a second client.
    """
    lent = session.value("SELECT pg_catalog.pg_backend_pid()")
    if lent == session.announced_process:
        return "none"
    with visit(params, "second") as other:
        for _ in range(POOLING_ROUNDS):
            with other.transaction():
                taken = other.value("SELECT pg_catalog.pg_backend_pid()")
                if taken == lent or session.value("SELECT pg_catalog.pg_backend_pid()") != lent:
                    return "transaction"
    return "session"


def target_error(error: Any, where: str, secret: str = "", action: str = "") -> TargetError:
    """The driver's I(error) as ours: one line, without the password, with the server's own fields as details."""
    diagnostics = getattr(error, "diag", None)
    text = (getattr(diagnostics, "message_primary", None) or str(error)).strip()
    code = getattr(error, "pgcode", None) or ""
    details: Dict[str, Any] = {"sqlstate": code, "reason": " ".join(text.split())}
    for field in ("schema_name", "table_name", "column_name", "constraint_name", "message_detail", "context"):
        found = getattr(diagnostics, field, None) if diagnostics else None
        if found:
            details[field.replace("message_", "").replace("_name", "")] = found
    advice = next((advice for prefix, advice in ADVICE if code.startswith(prefix)), "")
    if not code and not advice:
        advice = _connection_advice(text)
    shown = " ".join(text.split())
    if details.get("detail"):
        shown += " (" + " ".join(str(details["detail"]).split()) + ")"
    if secret:
        shown = shown.replace(secret, "********")
        details = {key: value.replace(secret, "********") for key, value in details.items()}
    prefix = f"{action} {where}: " if action else f"{where[:1].upper()}{where[1:]}: "
    return TargetError(f"{prefix}{shown}".rstrip(".") + ".", advice=advice, details=details)


def _connection_advice(text: str) -> str:
    """What to do about an error that the client library reports without a code."""
    if "root certificate file" in text or "certificate verify failed" in text:
        return "Give ca_cert the certificate of the server's authority, or choose ssl_mode deliberately."
    if "does not support SSL" in text:
        return "Turn TLS on in the server, or choose ssl_mode deliberately."
    if "authentication failed" in text or "no password supplied" in text:
        return "Check login_user and login_password, and for a pooler login_db and how it looks roles up as well."
    if 'database "' in text and "does not exist" in text:
        return "Create the database first, e.g. with community.postgresql.postgresql_db."
    return "Check that the server runs and can be reached, then run the same command again."


def _lock_key(name: str) -> int:
    """A stable 64-bit key: hashtext() may change between server versions."""
    return int.from_bytes(hashlib.sha256(f"mcps.postgres {name}".encode()).digest()[:8], "big", signed=True)


def _describe(holder: Mapping[str, Any]) -> str:
    if not holder:
        return "it was gone a moment later"
    return "{application} as {user} from {address}, server process {pid}, since {since}".format(**holder)
