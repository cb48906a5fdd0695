# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each role may do, and that it may do no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors

from support.machines import Machine

Connect = Callable[..., Any]
WRITES = [
    "INSERT INTO later (word) VALUES ('x')",
    "UPDATE later SET word = 'x'",
    "DELETE FROM later",
    "TRUNCATE later",
]


def ask(connection: Any, query: str) -> Any:
    """The rows of a query; None where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else None


def denied(connection: Any, query: str) -> None:
    """AssertionError where the server does anything but refuse for want of a privilege."""
    with pytest.raises(errors.InsufficientPrivilege):
        ask(connection, query)


def writing(connection: Any) -> Any:
    """The connection without the reader's own guard rail: privileges have to hold by themselves."""
    ask(connection, "SET default_transaction_read_only = off")
    return connection


@pytest.fixture
def later(machine: Machine, connect: Connect) -> Iterator[None]:
    """Tables that the owner makes after the roles were granted their privileges."""
    owner = connect("mcps_owner")
    ask(owner, "DROP TABLE IF EXISTS later")
    ask(owner, "DROP SCHEMA IF EXISTS hidden CASCADE")
    ask(owner, "CREATE TABLE later (id serial PRIMARY KEY, word text)")
    ask(owner, "INSERT INTO later (word) VALUES ('first')")
    ask(owner, "CREATE SCHEMA hidden CREATE TABLE secret (one int)")
    yield
    ask(owner, "DROP TABLE later")
    ask(owner, "DROP SCHEMA hidden CASCADE")


def test_the_application_reads_and_writes_what_the_owner_makes_later(connect: Connect, later: None) -> None:
    application = connect("mcps_app")
    ask(application, "INSERT INTO later (word) VALUES ('second')")  # uses the sequence as well
    ask(application, "UPDATE later SET word = upper(word)")
    assert ask(application, "SELECT word FROM later ORDER BY id") == [("FIRST",), ("SECOND",)]
    ask(application, "DELETE FROM later")


@pytest.mark.parametrize(
    "query",
    [
        "CREATE ROLE intruder",
        "ALTER ROLE mcps_app SUPERUSER",
        "ALTER ROLE mcps_owner PASSWORD 'x'",
        "CREATE DATABASE intruder",
        "CREATE EXTENSION fuzzystrmatch",
        "CREATE EXTENSION file_fdw",
        "CREATE SCHEMA intruder",
        "CREATE TABLE public.intruder ()",
        "DROP TABLE later",
        "ALTER TABLE later ADD COLUMN more text",
        "SELECT one FROM hidden.secret",
        "SELECT rolpassword FROM pg_catalog.pg_authid",
        "SELECT pg_catalog.pg_read_file('/etc/passwd')",
        "COPY later FROM PROGRAM 'id'",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SET ROLE mcps_owner",
        "SELECT * FROM pgbouncer.user_lookup('mcps_owner')",
    ],
)
def test_the_application_may_not(connect: Connect, later: None, query: str) -> None:
    denied(connect("mcps_app"), query)


def test_the_reader_reads_what_the_owner_makes_later(connect: Connect, later: None) -> None:
    assert ask(connect("mcps_analytics"), "SELECT word FROM later") == [("first",)]


@pytest.mark.parametrize(
    "query",
    [
        *WRITES,
        "SELECT nextval('later_id_seq')",
        "SELECT one FROM hidden.secret",
        "SELECT rolpassword FROM pg_catalog.pg_authid",
        "SELECT * FROM pg_catalog.pg_shadow",
        "SELECT pg_catalog.pg_read_file('/etc/passwd')",
        "SELECT pg_catalog.pg_ls_dir('/')",
        "CREATE TABLE public.intruder ()",
        "CREATE SCHEMA intruder",
        "CREATE TEMPORARY TABLE intruder ()",
        "CREATE ROLE intruder",
        "CREATE DATABASE intruder",
        "CREATE EXTENSION fuzzystrmatch",
        "SET ROLE mcps_app",
        "SELECT * FROM pgbouncer.user_lookup('mcps_owner')",
    ],
)
def test_the_reader_may_not(connect: Connect, later: None, query: str) -> None:
    denied(writing(connect("mcps_analytics")), query)


@pytest.mark.parametrize("role", ["mcps_app", "mcps_analytics"])
def test_nobody_gets_into_a_database_that_is_not_theirs(connect: Connect, role: str) -> None:
    for database in ("other", "postgres", "template1"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied|no pg_hba.conf entry"):
            connect(role, database)


def test_the_owner_is_no_superuser(connect: Connect) -> None:
    owner = connect("mcps_owner")
    for query in ("CREATE ROLE intruder", "CREATE DATABASE intruder", "CREATE EXTENSION file_fdw"):
        denied(owner, query)
    denied(owner, "SELECT rolpassword FROM pg_catalog.pg_authid")


def test_the_schema_public_belongs_to_the_owner_of_the_database(machine: Machine) -> None:
    query = """SELECT pg_catalog.pg_get_userbyid(nspowner),
        EXISTS (SELECT FROM pg_catalog.aclexplode(nspacl) WHERE grantee = 0 AND privilege_type = 'CREATE')
        FROM pg_catalog.pg_namespace WHERE nspname = 'public'"""
    for database in ("mcps", "other"):
        assert machine.admin(query, database) == [["pg_database_owner", "f"]]


def test_the_monitor_sees_everybodys_queries(connect: Connect) -> None:
    ask(connect("mcps_app"), "SELECT 'seen by the monitor' AS marker")
    monitor = connect("mcps_monitor")
    seen = ask(
        monitor,
        "SELECT count(*) FROM pg_stat_statements JOIN pg_catalog.pg_roles ON pg_roles.oid = userid"
        " WHERE rolname = 'mcps_app' AND query LIKE '%AS marker%'",
    )
    assert seen[0][0] >= 1
    assert ask(monitor, "SELECT count(*) FROM pg_catalog.pg_settings WHERE name = 'data_directory'") == [(1,)]


@pytest.mark.parametrize("query", ["SELECT word FROM later", *WRITES, "SELECT rolpassword FROM pg_catalog.pg_authid"])
def test_the_monitor_does_not_see_data(connect: Connect, later: None, query: str) -> None:
    denied(connect("mcps_monitor"), query)


def test_the_lookup_role_of_the_pooler_finds_hashes_of_ordinary_roles_only(connect: Connect, machine: Machine) -> None:
    lookup = connect("pgbouncer_auth")
    ((name, found),) = ask(lookup, "SELECT * FROM pgbouncer.user_lookup('mcps_app')")
    assert (name, found.partition("$")[0]) == ("mcps_app", "SCRAM-SHA-256")
    machine.admin("CREATE ROLE chief SUPERUSER LOGIN PASSWORD 'chief-password'")
    machine.admin("CREATE ROLE gone LOGIN PASSWORD 'gone-password' VALID UNTIL '2020-01-01'")
    try:
        for role in ("chief", "gone", "nobody"):
            assert ask(lookup, f"SELECT * FROM pgbouncer.user_lookup('{role}')") in ([], [(role, None)], [(None, None)])
    finally:
        machine.admin("DROP ROLE chief")
        machine.admin("DROP ROLE gone")
    denied(lookup, "SELECT rolpassword FROM pg_catalog.pg_authid")
    denied(lookup, "CREATE TABLE public.intruder ()")


def test_extensions_are_there(machine: Machine) -> None:
    names = {row[0] for row in machine.admin("SELECT extname FROM pg_catalog.pg_extension", "mcps")}
    assert {"vector", "pg_trgm", "pg_stat_statements"} <= names
