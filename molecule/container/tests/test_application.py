# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role application with containers: a small service in an image that has nothing but Python."""

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
    subprocess.run(["docker", "rm", "--force", f"{NAME}-api"], check=False, capture_output=True)
    subprocess.run(["userdel", NAME], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", f"/etc/{NAME}"], check=True)


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
