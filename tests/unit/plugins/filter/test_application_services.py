# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's services, declared once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.filter.application_services import (
    application_commands,
    application_environments,
    application_probes,
    application_services,
)

API: dict[str, Any] = {"name": "api", "command": ["api"], "url_variable": "DATABASE_URL"}
WEB: dict[str, Any] = {
    "name": "web",
    "command": ["node"],
    "after": ["api"],
    "writer": False,
    "url_variable": "PGURL",
    "url_driver": "node-postgres",
    "database": {"user": "reader", "password": "r@/"},
}
HARVESTER: dict[str, Any] = {"name": "harvester", "command": ["h"], "every": "5min", "environment": {"N": 3}}
DATABASE = {
    "host": "db.example.com",
    "port": 6432,
    "user": "app",
    "password": "p@/",
    "database": "mcps",
    "ca_cert": "/ca",
}


def names(services: list[dict[str, Any]]) -> list[str]:
    return [service["name"] for service in services]


def test_order_is_as_given_but_for_what_waits() -> None:
    assert names(application_services([WEB, HARVESTER, API])) == ["harvester", "api", "web"]
    assert names(application_services([API, WEB, HARVESTER])) == ["api", "web", "harvester"]


@pytest.mark.parametrize(
    ("services", "deployment", "error"),
    [
        ([API, API], "systemd", "api stands more than once"),
        ([WEB], "systemd", "api, which is not declared"),
        ([{**API, "after": ["web"]}, WEB], "systemd", "each waits for another"),
        ([{**API, "after": ["api"]}], "systemd", "each waits for another"),
        ([{**API, "comand": ["x"]}], "systemd", "has comand"),
        ([{"name": "api"}], "systemd", "has no command"),
        ([{"name": "api", "image": "i"}], "container", "has no command"),
        ([{"name": "a b", "command": ["x"]}], "systemd", "'a b'"),
        ([{**API, "database": {"login": "x"}}], "systemd", "has login"),
        ([{**API, "probe": {"match": "x"}}], "systemd", "probe of service api has match: it needs command"),
        ([{**API, "probe": {"command": ["x"], "url": "y"}}], "systemd", "probe of service api has command, url"),
        ([API], "container", "has no image"),
        ([{**HARVESTER, "image": "i"}], "container", "needs a timer"),
    ],
)
def test_what_cannot_be_is_refused(services: list[dict[str, Any]], deployment: str, error: str) -> None:
    with pytest.raises(AnsibleFilterError, match=error):
        application_services(services, deployment)


def test_a_container_finds_the_files_where_they_are_mounted() -> None:
    way = {**DATABASE, "ssl_cert": "/c", "ssl_key": "/k"}
    _, web = application_environments([API, WEB], way, "hub", deployment="container")
    assert {name: value for name, value in web["environment"].items() if name.startswith("PGSSL")} == {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/run/hub-tls/ca_cert",
        "PGSSLCERT": "/run/hub-tls/ssl_cert",
        "PGSSLKEY": "/run/hub-tls/ssl_key",
    }


def test_every_service_has_its_own_url_and_all_check_the_server() -> None:
    api, harvester, web = application_environments([API, HARVESTER, WEB], DATABASE, absent=["DATABASE_PATH"])
    tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca"}
    assert api == {
        "path": "/etc/mcps/api/environment",
        "environment": {**tls, "DATABASE_URL": "postgresql+asyncpg://app:p%40%2F@db.example.com:6432/mcps"},
        "absent": ["DATABASE_PATH"],
    }
    assert harvester["environment"] == {**tls, "N": "3"}
    assert web["environment"] == {**tls, "PGURL": "postgresql://reader:r%40%2F@db.example.com:6432/mcps"}


def test_this_host_needs_no_tls_and_no_database_none_at_all() -> None:
    (here,) = application_environments([API], {"host": "/run/postgresql", "database": "mcps"})
    assert "PGSSLMODE" not in here["environment"]
    (none,) = application_environments([{**API, "environment": {"USE_SQLITE": "true"}}], {})
    assert none["environment"] == {"USE_SQLITE": "true"}


def test_commands_of_systemd() -> None:
    services = [API, HARVESTER, WEB]
    assert application_commands(services, "start") == [
        ["systemctl", "start", "mcps-api.service"],
        ["systemctl", "start", "mcps-harvester.timer"],
        ["systemctl", "start", "mcps-web.service"],
    ]
    assert application_commands(services, "stop", name="hub", writers=True) == [
        ["systemctl", "stop", "hub-harvester.timer"],
        ["systemctl", "stop", "hub-harvester.service"],
        ["systemctl", "stop", "hub-api.service"],
    ]
    assert application_commands([{**API, "enabled": False}], "start") == []


def test_timers_apart_from_what_goes_on_by_itself() -> None:
    services = [API, HARVESTER, WEB]
    assert application_commands(services, "start", periodic=True) == [["systemctl", "start", "mcps-harvester.timer"]]
    assert application_commands(services, "start", periodic=False) == [
        ["systemctl", "start", "mcps-api.service"],
        ["systemctl", "start", "mcps-web.service"],
    ]


def test_commands_of_containers() -> None:
    services = [{**API, "image": "i", "stop_seconds": 7}]
    assert application_commands(services, "start", deployment="container") == [["docker", "start", "mcps-api"]]
    assert application_commands(services, "stop", deployment="container") == [
        ["docker", "stop", "--time", "7", "mcps-api"]
    ]


def test_another_action_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="say start or stop"):
        application_commands([API], "restart")


HEALTH = {"url": "http://127.0.0.1:8000/health", "match": "healthy"}
REHEARSAL = {"host": "db.example.com", "user": "owner", "database": "mcps_rehearsal", "ca_cert": "/ca"}
TLS = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca"}


def test_every_page_and_what_answers_none_is_tried_where_the_database_is() -> None:
    api = {**API, "directory": "/srv", "environment": {"API_PORT": 8000, "SIZE": 18000}, "health": [HEALTH]}
    web = {
        **WEB,
        "command": ["node", "-p", "3000", "--bind=[::1]:3000"],
        "health": [{"url": "http://[::1]:3000/h?a=3000"}],
    }
    harvester = {**HARVESTER, "url_variable": "DATABASE_URL", "probe": {"command": ["stats"], "match": "total"}}
    url = "postgresql+asyncpg://owner@db.example.com/mcps_rehearsal"
    assert application_probes([web, api, harvester], REHEARSAL) == [
        {
            "name": "api /health",
            "command": ["api"],
            "chdir": "/srv",
            "environment": {**TLS, "API_PORT": "{port}", "SIZE": "18000", "DATABASE_URL": url},
            "url": "http://127.0.0.1:{port}/health",
            "match": "healthy",
        },
        {
            "name": "web /h",
            "command": ["node", "-p", "{port}", "--bind=[::1]:{port}"],
            "environment": {**TLS, "PGURL": "postgresql://owner@db.example.com/mcps_rehearsal"},
            "url": "http://[::1]:{port}/h?a=3000",
        },
        {
            "name": "harvester",
            "command": ["stats"],
            "environment": {**TLS, "N": "3", "DATABASE_URL": url},
            "match": "total",
        },
    ]


def test_where_the_database_is_wins_over_what_a_service_says() -> None:
    lite = {
        **API,
        "environment": {"DATABASE_URL": "sqlite:///live.db", "P": "8000", "PGSSLMODE": "x"},
        "health": [HEALTH],
    }
    (probe,) = application_probes([lite], REHEARSAL)
    assert "sqlite" not in str(probe) and probe["environment"]["PGSSLMODE"] == "verify-full"


def test_a_job_without_page_and_probe_is_not_tried() -> None:
    assert application_probes([API, HARVESTER], REHEARSAL) == []


def test_probes_take_no_password() -> None:
    with pytest.raises(AnsibleFilterError, match="PGPASSWORD"):
        application_probes([{**API, "health": [HEALTH]}], {**REHEARSAL, "password": "x"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/health", "http://127.0.0.1/health"])
def test_a_port_that_cannot_be_another_is_told(url: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Service api cannot be tried on a free port"):
        application_probes([{**API, "environment": {"PORT": "18000"}, "health": [{"url": url}]}], REHEARSAL)


CONTAINER = {
    **API,
    "image": "hub:1",
    "environment": {"SIZE": 5},
    "user": "10:10",
    "directory": "/srv",
    "volumes": ["/data:/data"],
    "published_ports": ["9000:9000", "127.0.0.1:8000:80"],
    "health": [HEALTH],
    "probe": {"command": ["stats", "--all"], "match": "total"},
}


def test_a_container_is_tried_as_it_runs_on_another_port_of_the_host() -> None:
    page, command = application_probes([CONTAINER], REHEARSAL, "container", "inside", ["PGPASSWORD", "SIZE"])
    url = "postgresql+asyncpg://owner@db.example.com/mcps_rehearsal"
    ca = "/run/tried-tls/ca_cert"
    environment = {"SIZE": "5", **TLS, "PGSSLROOTCERT": ca, "DATABASE_URL": url}
    place = ["--user", "10:10", "--workdir", "/srv", "--volume", "/data:/data"]
    given = ["--mount", f"type=bind,source=/ca,target={ca},readonly"]
    for name in ("SIZE", "PGSSLMODE", "PGSSLROOTCERT", "DATABASE_URL", "PGPASSWORD"):
        given += ["--env", name]
    start = ["docker", "run", "--rm", "--init", "--network", "inside"]
    assert page == {
        "name": "api /health",
        "url": "http://127.0.0.1:{port}/health",
        "match": "healthy",
        "command": [*start, "--publish", "127.0.0.1:{port}:80", *place, *given, "--entrypoint", "api", "hub:1"],
        "environment": environment,
    }
    assert command == {
        "name": "api",
        "match": "total",
        "command": [*start, *place, *given, "--entrypoint", "stats", "hub:1", "--all"],
        "environment": environment,
    }


@pytest.mark.parametrize("published", [[], ["18000:8000"], ["127.0.0.1:9000:8000"]])
def test_a_page_of_a_container_needs_a_published_port(published: list[str]) -> None:
    with pytest.raises(
        AnsibleFilterError, match="Service api cannot be tried .* Publish it, such as 127.0.0.1:8000:8000"
    ):
        application_probes([{**CONTAINER, "published_ports": published}], REHEARSAL, "container")


def test_a_container_that_is_tried_needs_an_image() -> None:
    with pytest.raises(AnsibleFilterError, match="Service api has no image"):
        application_probes([{**CONTAINER, "image": ""}], REHEARSAL, "container")
