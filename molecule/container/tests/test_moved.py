# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application whose services are containers: from its SQLite file to the scenario's server, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from psycopg2 import sql

from support.ansible_runs import ROOT, PlaybookRun, PlaybookRunner
from support.hub import Hub
from support.secrets_guard import SecretsGuard, awkward_password
from support.server import free_port

pytestmark = pytest.mark.made_by("ansible")

NAME = "mcps-test-moved"
IMAGE = "mcps-test/mcps:1"
SERVERS = 40
DEPLOY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Role", "ansible.builtin.include_role": {"name": "mcps.postgres.application"}}],
    }
]


class Installation:
    """One whose services are containers, as vars/moved.yml declares it."""

    def __init__(self, runner: PlaybookRunner, folder: Path, variables: Mapping[str, Any]) -> None:
        self.folder = folder
        self.api = Hub(f"http://127.0.0.1:{variables['moved_api_port']}")
        self.web = Hub(f"http://127.0.0.1:{variables['moved_web_port']}")
        self._runner = runner
        declared = yaml.safe_load((ROOT / "molecule" / "container" / "vars" / "moved.yml").read_text(encoding="utf-8"))
        self._inventory = runner.local_inventory(("database", "application"), runner.python)
        self._inventory["all"]["vars"] = {**declared, **variables}

    def run(self, playbook: str | list[dict[str, Any]], **variables: Any) -> PlaybookRun:
        return self._runner(playbook, inventory=self._inventory, variables=variables)

    def database_type(self) -> str:
        return str(self.api.get("/health/db")["database"]["database_type"])


def in_container(folder: Path, *command: str) -> str:
    """What a command of the application's image says that has its data in I(folder)."""
    url = ("--volume", f"{folder}:/data", "--env", "DATABASE_URL=sqlite+aiosqlite:////data/mcps.db")
    run = ["docker", "run", "--rm", "--network", "none", *url, "--entrypoint", command[0], IMAGE, *command[1:]]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def password(guard: SecretsGuard) -> str:
    return guard.add(awkward_password())


@pytest.fixture(scope="module")
def database(ca: Path, ports: Mapping[str, int], secrets: Mapping[str, str], password: str) -> Iterator[str]:
    """An empty database on the scenario's server, of a role of the same name."""
    name = "moved"
    way = {"host": "localhost", "port": ports["postgres"], "sslmode": "verify-full", "sslrootcert": str(ca)}
    admin = psycopg2.connect(**way, user="postgres", password=secrets["superuser"], dbname="postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(name)), [password])
        cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
    inside = psycopg2.connect(**way, user="postgres", password=secrets["superuser"], dbname=name)
    with inside, inside.cursor() as cursor:
        cursor.execute("CREATE EXTENSION vector; CREATE EXTENSION pg_trgm")
    inside.close()
    yield name
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    admin.close()


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
    guard: SecretsGuard,
    ca: Path,
    ports: Mapping[str, int],
    secrets: Mapping[str, str],
    password: str,
    database: str,
) -> Iterator[Installation]:
    """Deployed on SQLite, with content. What it made is removed in the end."""
    folder = tmp_path_factory.mktemp("moved")
    data = folder / "data"
    data.mkdir()
    # The image's user owns it, as one who had begun with containers would have it.
    data.chmod(0o777)
    user, group = (int(in_container(data, "id", option)) for option in ("-u", "-g"))
    data.chmod(0o755)
    os.chown(data, user, group)
    in_container(data, "alembic", "upgrade", "head")
    in_container(data, "python", "-m", "packages.harvester.cli", "seed", "--servers", str(SERVERS))
    python = os.environ.get("MCPS_QUICK_PYTHON") or sys.executable
    runner = PlaybookRunner(tmp_path_factory.mktemp("runs"), guard, python)
    variables = {
        "application_name": NAME,
        "moved_folder": str(folder),
        "moved_password": password,
        "moved_ca": str(ca),
        "moved_api_port": free_port(),
        "moved_web_port": free_port(),
        "migration_target_port": ports["postgres"],
        "migration_admin_password": secrets["superuser"],
        "migration_alembic_project": str(ROOT / "examples" / "mcps"),
        "migration_alembic_python": str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"),
    }
    yield Installation(runner, folder, variables)
    for service in ("api", "web"):
        subprocess.run(["docker", "rm", "--force", f"{NAME}-{service}"], check=False, capture_output=True)
    subprocess.run(["userdel", NAME], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", f"/etc/{NAME}"], check=True)


def containers_of(image: str) -> set[str]:
    form = ["--all", "--filter", f"ancestor={image}", "--format", "{{.Names}}"]
    return set(subprocess.run(["docker", "ps", *form], capture_output=True, text=True, check=True).stdout.split())


def test_it_runs_on_sqlite(installation: Installation) -> None:
    installation.run(DEPLOY).succeeded(changed=True)
    assert installation.database_type() == "sqlite"
    assert installation.api.total("servers") == SERVERS
    with pytest.raises(OSError, match="refused"):
        installation.web.ask("/health")


def test_its_containers_go_on_with_postgresql(installation: Installation, guard: SecretsGuard) -> None:
    before = containers_of(IMAGE)
    done = installation.run("playbooks/migrate.yml").succeeded(changed=True)
    # Tried on the database that was thrown away, in containers that are gone.
    for probe in ("api /health", "api", "web /health"):
        assert f"(item={probe})" in done.stdout
    assert containers_of(IMAGE) == before
    assert installation.database_type() == "postgresql"
    assert installation.api.total("servers") == SERVERS
    assert f"{SERVERS} found" in installation.web.ask("/servers").text.replace("<!-- -->", "")
    report = json.loads((installation.folder / "report" / "report.json").read_text(encoding="utf-8"))
    guard.check(json.dumps(report, ensure_ascii=False), "the report")
    installation.run("playbooks/migrate.yml").succeeded(changed=False)


def test_the_role_goes_on_from_there(installation: Installation) -> None:
    """With the services as they are on PostgreSQL, from now on."""
    declared = {"application_services": "{{ moved_services }}", "application_database": "{{ moved_postgresql }}"}
    installation.run(DEPLOY, **declared).succeeded()
    installation.run(DEPLOY, **declared).succeeded(changed=False)
    assert installation.database_type() == "postgresql"
    assert installation.web.ask("/health").status == 200
    installation.run("playbooks/migrate.yml").succeeded(changed=False)


def test_and_back_unless_that_would_lose_what_was_written_since(installation: Installation) -> None:
    new = {"name": "since", "primary_url": "https://example.com/since", "host_type": "npm"}
    made = installation.api.ask("/servers", "POST", new)
    assert made.status == 201
    installation.run("playbooks/rollback.yml").failed("PostgreSQL was written to since the switch", "name='since'")
    assert installation.database_type() == "postgresql"
    assert installation.api.ask(f"/servers/{made.document['id']}", "DELETE").status == 204
    installation.run("playbooks/rollback.yml").succeeded(changed=True)
    assert installation.database_type() == "sqlite"
    assert installation.api.total("servers") == SERVERS
    assert installation.api.ask("/servers", "POST", new).status == 201
    with pytest.raises(OSError, match="refused"):
        installation.web.ask("/health")
