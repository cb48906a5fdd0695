# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario's tests. The tests look at the hosts from outside, as clients.

machine    (every test that asks for it runs once for each platform) a support.machines.Machine:
           .name, .address, .ca (path of the authority's certificate on this machine),
           .host (testinfra: .host.run("..."), .host.service("...")), .admin("SELECT ...", database) (rows of text, as
           the superuser through the socket), .setting("name"), .read(path), .write(path, text), .execute(argv, stdin),
           .restart() (the whole host), .log() (the server's), .served_certificate(port),
           .parameters(role, database, **libpq) (a dict for psycopg2.connect)
connect    connect(role, database="mcps", **libpq) -> psycopg2 connection to the machine in autocommit mode, verify-full
           unless told otherwise (port=6432 goes through PgBouncer); closed when the test ends
passwords  role's or account's name -> password: mcps_owner, mcps_app, mcps_analytics, mcps_monitor, other_owner,
           pgbouncer_auth, pgbouncer_admin, pgadmin, authority
machines   all Machine objects, for what is done once for all of them
rerun      rerun(variables={...}, check=False, limit="") -> support.ansible_runs.PlaybookRun: runs
           playbooks/provision.yml again over the scenario's inventory, with these extra variables
guard      support.secrets_guard.SecretsGuard that knows every password: guard.check(text, "where")

Roles: mcps_owner owns database mcps, mcps_app writes, mcps_analytics reads, mcps_monitor watches; other_owner owns
database other. `molecule converge -s provision` and `molecule verify -s provision` run this while writing tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
import yaml

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.machines import Machine, made_passwords
from support.secrets_guard import SecretsGuard

SCENARIO = Path(__file__).resolve().parents[1]
EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent"))
PLATFORMS = [platform["name"] for platform in yaml.safe_load((SCENARIO / "molecule.yml").read_text())["platforms"]]

Connect = Callable[..., psycopg2.extensions.connection]


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    return made_passwords(EPHEMERAL / "made", SCENARIO / "group_vars" / "all.yml", "provision_awkward")


@pytest.fixture(scope="session")
def guard(passwords: dict[str, str]) -> SecretsGuard:
    return SecretsGuard(passwords.values())


@pytest.fixture(scope="session")
def machines(passwords: dict[str, str]) -> Sequence[Machine]:
    return [Machine(name, EPHEMERAL / "made", passwords) for name in PLATFORMS]


# Not of session scope: pytest would then sort the tests by machine, and what is done once for all would be done twice.
@pytest.fixture(params=range(len(PLATFORMS)), ids=PLATFORMS)
def machine(request: pytest.FixtureRequest, machines: Sequence[Machine]) -> Machine:
    return machines[request.param]


@pytest.fixture
def connect(machine: Machine) -> Iterator[Connect]:
    opened = []

    def connect_to(role: str, database: str = "mcps", **parameters: Any) -> psycopg2.extensions.connection:
        connection = machine.connect(role, database, **parameters)
        opened.append(connection)
        return connection

    yield connect_to
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def rerun(tmp_path_factory: pytest.TempPathFactory, guard: SecretsGuard) -> Callable[..., PlaybookRun]:
    runner = PlaybookRunner(tmp_path_factory.mktemp("provision"), guard)

    def run(variables: Mapping[str, Any] | None = None, *, check: bool = False, limit: str = "") -> PlaybookRun:
        return runner(
            "playbooks/provision.yml",
            inventory=EPHEMERAL / "inventory",
            variables=variables,
            check=check,
            extra_args=["--limit", limit] if limit else [],
            timeout=1800,
        )

    return run
