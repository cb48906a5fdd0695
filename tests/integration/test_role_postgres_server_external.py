# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role postgres_server on a server that somebody else runs: what it asks of it, and what it makes in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.secrets_guard import SecretsGuard, awkward_password
from support.server import SETTINGS, Database, Server, running_server

PROVISION = "playbooks/provision.yml"


@dataclass
class Tenant:
    """Names of its own in the shared server, and how to provision them as one of its roles."""

    server: Server
    admin: Database
    name: str
    password: str
    run: PlaybookRunner

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "postgres_server_deployment": "external",
            "postgres_server_host": self.server.host,
            "postgres_server_port": self.server.port,
            "postgres_server_superuser": self.admin.user,
            "postgres_server_superuser_password": self.admin.password,
            "postgres_server_max_connections": 50,
            "postgres_server_roles": [{"name": self.name, "password": self.password, "flags": ["LOGIN"]}],
            "postgres_server_databases": [{"name": self.name, "owner": self.name, "extensions": ["vector", "pg_trgm"]}],
        }

    @property
    def database(self) -> Database:
        return Database(self.name, self.server.host, self.server.port, self.name, self.password)

    def provision(self, check: bool = False, **others: Any) -> PlaybookRun:
        """Run the playbook; I(others) go over the variables."""
        return self.run(PROVISION, variables={**self.variables, **others}, groups=["database"], check=check)


def make_tenant(server: Server, admin: Database, guard: SecretsGuard, run: PlaybookRunner) -> Tenant:
    return Tenant(server, admin, f"tenant_{secrets.token_hex(4)}", guard.add(awkward_password()), run)


def remove(tenant: Tenant) -> None:
    tenant.server.drop(tenant.database)


@pytest.fixture
def tenant(postgres: Server, secrets_guard: SecretsGuard, playbook: PlaybookRunner) -> Iterator[Tenant]:
    """Provisioned by the superuser."""
    result = make_tenant(postgres, postgres.admin, secrets_guard, playbook)
    yield result
    remove(result)


@pytest.fixture
def ordinary(postgres: Server, secrets_guard: SecretsGuard) -> Iterator[Database]:
    """A role that may log in, and nothing else yet."""
    name = f"admin_{secrets.token_hex(4)}"
    password = secrets_guard.add(awkward_password())
    postgres.admin.query(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
    )
    yield Database("postgres", postgres.host, postgres.port, name, password)
    postgres.admin.query(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(sql.Identifier(name), sql.Identifier(name)))


def test_makes_what_is_wanted_and_then_nothing(tenant: Tenant) -> None:
    tenant.provision(check=True).succeeded(changed=True)
    with pytest.raises(psycopg2.OperationalError):
        tenant.database.connect()
    tenant.provision().succeeded(changed=True)
    extensions = tenant.database.query("SELECT extname FROM pg_extension")
    assert {("vector",), ("pg_trgm",)} <= set(extensions)
    tenant.provision().succeeded(changed=False)
    tenant.provision(check=True).succeeded(changed=False)


def test_a_managed_servers_role_is_enough(
    postgres: Server, ordinary: Database, secrets_guard: SecretsGuard, playbook: PlaybookRunner
) -> None:
    """No provider gives a superuser: CREATEROLE and CREATEDB have to do."""
    postgres.admin.query(sql.SQL("ALTER ROLE {} CREATEROLE CREATEDB").format(sql.Identifier(ordinary.user)))
    tenant = make_tenant(postgres, ordinary, secrets_guard, playbook)
    try:
        tenant.provision(check=True).succeeded(changed=True)
        # This server's pgvector is a superuser's to make, which the role says beforehand.
        refused = tenant.provision().failed("permission denied to create extension")
        assert "lets only a superuser make vector" in " ".join(refused.output.split())
        postgres.as_superuser(tenant.name).query("CREATE EXTENSION vector")
        tenant.provision().succeeded(changed=True)
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert tenant.database.query(owner) == [(tenant.name,)]
        tenant.provision().succeeded(changed=False)
    finally:
        remove(tenant)


def test_a_role_without_privileges_is_told_what_it_lacks(
    postgres: Server, ordinary: Database, secrets_guard: SecretsGuard, playbook: PlaybookRunner
) -> None:
    tenant = make_tenant(postgres, ordinary, secrets_guard, playbook)
    tenant.provision().failed(f'ALTER ROLE "{ordinary.user}" CREATEROLE CREATEDB')


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"postgres_server_superuser_password": "wrong"}, "postgres_server_superuser_password"),
        ({"postgres_server_port": 1}, "Cannot log in to PostgreSQL at 127.0.0.1:1"),
        ({"postgres_server_max_connections": 5000}, "set max_connections there to 5000"),
        ({"postgres_server_databases": [{"name": "x", "extensions": ["postgis"]}]}, "has no extension postgis"),
    ],
    ids=["password", "port", "connections", "extension"],
)
def test_says_what_to_change(tenant: Tenant, others: dict[str, Any], words: str) -> None:
    tenant.provision(check=True, **others).failed(words)
    tenant.provision(**others).failed(words)


def test_another_host_has_to_speak_tls(tenant: Tenant) -> None:
    """The tests' server has no TLS; by an address that is not known to be this machine, that is refused."""
    tenant.provision(postgres_server_host="0.0.0.0").failed("is not encrypted", "postgres_server_ca_file")


def test_warns_where_statements_are_not_counted(
    tenant: Tenant, secrets_guard: SecretsGuard, playbook: PlaybookRunner
) -> None:
    warning = "pg_stat_statements is not known to be among"
    assert warning not in " ".join(tenant.provision(check=True).succeeded().output.split())
    settings = {name: value for name, value in SETTINGS.items() if name != "shared_preload_libraries"}
    with running_server(secrets_guard, settings) as server:
        other = make_tenant(server, server.admin, secrets_guard, playbook)
        assert warning in " ".join(other.provision(check=True).succeeded().output.split())
