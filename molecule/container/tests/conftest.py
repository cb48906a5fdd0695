# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario's tests. They look at the containers as clients on this machine do.

The same tests run twice: over the containers that Ansible made, and over those that compose has made of its file.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.secrets_guard import SecretsGuard

EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent"))
MADE = EPHEMERAL / "made"
NAME = "mcps-container"
ROLES = {"postgres": "superuser", "mcps": "application", "mcps_analytics": "analytics"}
PROVISION_SERVER = [
    {
        "hosts": "database",
        "gather_facts": False,
        "tasks": [{"name": "Server", "ansible.builtin.include_role": {"name": "mcps.postgres.postgres_server"}}],
    }
]

Connect = Callable[..., psycopg2.extensions.connection]


def inspect_container(service: str) -> dict[str, Any]:
    """What the engine knows about a service's container."""
    done = subprocess.run(
        ["docker", "inspect", f"{NAME}-{service}"], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)[0]


def made_by() -> str:
    """Who has made the containers: ansible or compose."""
    labels = inspect_container("postgres")["Config"]["Labels"]
    return "compose" if "com.docker.compose.project" in labels else "ansible"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Each of the two runs leaves a report of its own."""
    config.addinivalue_line("markers", "made_by(who): only for containers that ansible, or compose, has made")
    if config.option.xmlpath and made_by() == "compose":
        path = Path(config.option.xmlpath)
        config.option.xmlpath = str(path.with_stem(f"{path.stem}-compose"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other way of making containers."""
    others = [item for item in items if (mark := item.get_closest_marker("made_by")) and mark.args != (made_by(),)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def made() -> Path:
    """The folder of all that the inventory makes."""
    return MADE


@pytest.fixture(scope="session")
def ca() -> Path:
    """The certificate of the authority that the scenario made."""
    return MADE / "tls" / "ca.crt"


@pytest.fixture(scope="session")
def ports() -> dict[str, int]:
    """Service -> published port."""
    return json.loads((MADE / "ports.json").read_text())


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """File in the folder of the secrets -> what it holds."""
    return {path.name: path.read_text().strip() for path in (MADE / "secrets").iterdir()}


@pytest.fixture(scope="session")
def guard(secrets: Mapping[str, str]) -> SecretsGuard:
    return SecretsGuard(secrets.values())


@pytest.fixture(scope="session")
def inspect() -> Callable[[str], dict[str, Any]]:
    """inspect(service): what the engine knows about its container."""
    return inspect_container


@pytest.fixture
def connect(ca: Path, ports: Mapping[str, int], secrets: Mapping[str, str]) -> Iterator[Connect]:
    """connect(role, service="postgres", **libpq): by localhost and verify-full unless told otherwise."""
    opened = []

    def connect_to(role: str, service: str = "postgres", **parameters: Any) -> psycopg2.extensions.connection:
        defaults = {
            "host": "localhost",
            "hostaddr": "127.0.0.1",
            "port": ports[service],
            "dbname": "mcps",
            "user": role,
            "password": secrets[ROLES[role]],
            "sslmode": "verify-full",
            "sslrootcert": str(ca),
            "connect_timeout": 10,
        }
        connection = psycopg2.connect(**{**defaults, **parameters})
        connection.autocommit = True
        opened.append(connection)
        return connection

    yield connect_to
    for connection in opened:
        connection.close()


@pytest.fixture
def ask(connect: Connect) -> Callable[[str], Any]:
    """ask(query): its first value, as the superuser."""

    def first_value(query: str) -> Any:
        with connect("postgres").cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    return first_value


@pytest.fixture(scope="session")
def provision(tmp_path_factory: pytest.TempPathFactory, guard: SecretsGuard) -> Callable[..., PlaybookRun]:
    """provision(**variables): the server's role once more over the scenario's inventory."""
    runner = PlaybookRunner(tmp_path_factory.mktemp("provision"), guard)

    def run(check: bool = False, **variables: Any) -> PlaybookRun:
        return runner(PROVISION_SERVER, inventory=EPHEMERAL / "inventory", variables=variables, check=check)

    return run
