# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role application with containers: a small service in an image that has nothing but Python; then the reference
application in its own images, beside the scenario's server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.hub import Hub
from support.machines import wait_for
from support.secrets_guard import SecretsGuard, awkward_password
from support.server import free_port

pytestmark = pytest.mark.made_by("ansible")

NAME = "mcps-test-hub"
SCENARIO = "mcps-container"
PROGRAM = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("GREETING", "DATABASE_URL", "PGSSLMODE")
        said = {"status": "healthy", "environment": {name: os.environ.get(name) for name in names}, "uid": os.getuid()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""
Deploy = Callable[..., PlaybookRun]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def password(guard: SecretsGuard) -> str:
    return guard.add(awkward_password())


@pytest.fixture(scope="module")
def variables(port: int, password: str) -> dict[str, Any]:
    return {
        "application_name": NAME,
        "application_user": NAME,
        "application_deployment": "container",
        "application_pull": "never",
        "application_database": {"host": "db.example.com", "user": "hub", "password": password, "database": "hub"},
        "application_services": [
            {
                "name": "api",
                "image": "mcps-test/systemd:trixie",
                "command": ["python3", "-c", PROGRAM],
                "user": "65534:65534",
                "environment": {"GREETING": "a «good» 'one' # and"},
                "url_variable": "DATABASE_URL",
                "published_ports": [f"127.0.0.1:{port}:8000"],
                "stop_seconds": 1,
                "health": [{"url": f"http://127.0.0.1:{port}/", "match": '"status": *"healthy"'}],
            }
        ],
    }


@pytest.fixture(scope="module")
def deploy(
    tmp_path_factory: pytest.TempPathFactory, guard: SecretsGuard, variables: Mapping[str, Any]
) -> Iterator[Deploy]:
    """deploy(entry="main", check=False, **variables): the role once more. What it made is removed in the end."""
    runner = PlaybookRunner(tmp_path_factory.mktemp("application"), guard)

    def run(entry: str = "main", check: bool = False, **more: Any) -> PlaybookRun:
        task = {
            "name": "Run the role",
            "ansible.builtin.include_role": {"name": "mcps.postgres.application", "tasks_from": entry},
        }
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        return runner([play], variables={**variables, **more}, check=check)

    yield run
    for service in ("api", "whole-api", "whole-web"):
        subprocess.run(["docker", "rm", "--force", f"{NAME}-{service}"], check=False, capture_output=True)
    subprocess.run(["userdel", NAME], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", f"/etc/{NAME}", f"/etc/{NAME}-whole"], check=True)


def started(name: str = f"{NAME}-api") -> str:
    form = "{{.State.StartedAt}} {{.State.Running}}"
    return subprocess.run(
        ["docker", "inspect", "--format", form, name], capture_output=True, text=True, check=True
    ).stdout


def test_a_service_runs_with_its_environment_and_nobody_else_sees_it(
    deploy: Deploy, port: int, variables: Mapping[str, Any], guard: SecretsGuard
) -> None:
    deploy(check=True).succeeded(changed=True)
    deploy().succeeded(changed=True)
    said = Hub(f"http://127.0.0.1:{port}").get("/")
    assert said["environment"]["GREETING"] == "a «good» 'one' # and"
    assert said["environment"]["DATABASE_URL"].startswith("postgresql+asyncpg://hub:")
    assert said["environment"]["PGSSLMODE"] == "verify-full"
    assert said["uid"] == 65534
    file = Path(f"/etc/{NAME}/api/environment")
    assert file.stat().st_mode & 0o777 == 0o640
    inspected = subprocess.run(["docker", "inspect", f"{NAME}-api"], capture_output=True, text=True, check=True).stdout
    guard.check(json.dumps(json.loads(inspected), ensure_ascii=False), "what the engine knows of the container")


def test_a_second_run_changes_nothing_and_a_changed_variable_starts_it_anew(
    deploy: Deploy, port: int, variables: Mapping[str, Any]
) -> None:
    before = started()
    deploy().succeeded(changed=False)
    deploy(check=True).succeeded(changed=False)
    assert started() == before
    (service,) = variables["application_services"]
    other = [{**service, "environment": {"GREETING": "another"}}]
    deploy(application_services=other).succeeded(changed=True)
    assert started() != before
    assert Hub(f"http://127.0.0.1:{port}").get("/")["environment"]["GREETING"] == "another"


def test_it_stops_and_starts(deploy: Deploy, port: int) -> None:
    deploy("stop").succeeded()
    assert started().endswith("false\n")
    with pytest.raises(OSError, match="refused"):
        Hub(f"http://127.0.0.1:{port}").ask("/")
    deploy("start").succeeded()
    wait_for("it runs", lambda: started().endswith("true\n"))


def test_a_service_that_is_not_well_is_an_error(deploy: Deploy, variables: Mapping[str, Any]) -> None:
    (service,) = variables["application_services"]
    sick = [{**service, "health": [{**service["health"][0], "match": "never said"}]}]
    deploy("verify", application_services=sick, application_health_retries=1).failed()


@pytest.fixture(scope="module")
def whole(ca: Path, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The role's variables for API and web site in the images that their Dockerfiles make."""
    ports = {"api": free_port(), "web": free_port()}
    reader = {"user": "mcps_analytics", "password": secrets["analytics"]}
    return {
        "application_name": f"{NAME}-whole",
        "application_network": SCENARIO,
        "application_database": {
            "host": f"{SCENARIO}-postgres",
            "user": "mcps",
            "password": secrets["application"],
            "database": "mcps",
            "ca_cert": str(ca),
        },
        "application_services": [
            {
                "name": "api",
                "image": "mcps-test/mcps:1",
                "command": ["python", "-m", "packages.api"],
                "url_variable": "DATABASE_URL",
                "published_ports": [f"127.0.0.1:{ports['api']}:8000"],
                "health": [{"url": f"http://127.0.0.1:{ports['api']}/health", "match": '"status": *"healthy"'}],
            },
            {
                "name": "web",
                "image": "mcps-test/mcps-web:1",
                "command": ["node", "server.js"],
                "url_variable": "DATABASE_URL",
                "url_driver": "postgresql",
                "database": reader,
                "writer": False,
                "published_ports": [f"127.0.0.1:{ports['web']}:3000"],
                "health": [{"url": f"http://127.0.0.1:{ports['web']}/health", "match": '"status": *"healthy"'}],
            },
        ],
    }


def within(command: str) -> str:
    """What a command says in the container of the API, with the environment that the API has."""
    shell = f"set -a; . /run/{NAME}-whole/environment; set +a; exec {command}"
    done = subprocess.run(
        ["docker", "exec", f"{NAME}-whole-api", "sh", "-c", shell], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_reference_application_runs_in_its_own_images(
    deploy: Deploy, whole: Mapping[str, Any], guard: SecretsGuard
) -> None:
    deploy(**whole).succeeded(changed=True)
    deploy(**whole).succeeded(changed=False)
    api, web = (Hub(service["health"][0]["url"].removesuffix("/health")) for service in whole["application_services"])
    assert api.get("/health/db")["database"]["database_type"] == "postgresql"
    assert api.total("servers") == 100
    assert '<p id="total">100 found</p>' in web.ask("/servers").text.replace("<!-- -->", "")
    # Its one image has all that the application is kept up with.
    assert "(head)" in within("alembic current")
    assert " 100\n" in within("python -m packages.harvester.cli stats")
    assert "accepting connections" in within(f"pg_isready --host {SCENARIO}-postgres")
    assert within("pg_dump --version").startswith("pg_dump (PostgreSQL)")
    for service in ("api", "web"):
        found = subprocess.run(
            ["docker", "inspect", f"{NAME}-whole-{service}"], capture_output=True, text=True, check=True
        )
        assert json.loads(found.stdout)[0]["Config"]["User"].split(":")[0] not in ("", "0")
        guard.check(found.stdout, f"what the engine knows of {service}")
