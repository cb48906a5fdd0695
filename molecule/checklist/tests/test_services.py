# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's services as the role application has installed them, on either database."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from installation import NAME, SERVICES, SOURCE, Installation

from support.hub import Hub
from support.machines import Machine
from support.secrets_guard import SecretsGuard

#: Who reads the URL of a service on PostgreSQL: its scheme, and the role that it logs in as.
WAYS = {
    "api": ("postgresql+asyncpg", "mcps_app"),
    "harvester": ("postgresql+psycopg2", "mcps_app"),
    "web": ("postgresql", "mcps_reader"),
}
#: What is said of the database on SQLite.
ON_SQLITE = {
    "api": {"DATABASE_URL": f"sqlite+aiosqlite:///{SOURCE}"},
    "harvester": {"USE_SQLITE": "true", "DATABASE_PATH": SOURCE},
    "web": {},
}
#: What a service is told besides, and no other.
OWN = {
    "api": {"API_PORT": "8080", "DB_POOL_SIZE": "5", "DB_MAX_OVERFLOW": "3"},
    "harvester": {"FEED_URL": "http://127.0.0.1:8100"},
    "web": {"HOSTNAME": "127.0.0.1", "PORT": "8081", "NODE_ENV": "production"},
}
TLS = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/mcps-tls/ca.crt"}


def variables(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if line)
    return {name: value.strip("'\"") for name, value in pairs}


@pytest.mark.parametrize("service", SERVICES)
def test_each_has_an_environment_file_of_its_own(
    host: Machine, side: str, service: str, passwords: dict[str, str]
) -> None:
    path = f"/etc/{NAME}/{service}/environment"
    file = host.host.file(path)
    assert (file.user, file.group, file.mode) == ("root", NAME, 0o640)
    said = variables(host.read(path))
    if side == "sqlite":
        assert said == {**OWN[service], **ON_SQLITE[service]}
        return
    url = said.pop("DATABASE_URL")
    assert said == {**OWN[service], **TLS}
    scheme, _, rest = url.partition("://")
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    assert (scheme, user) == WAYS[service]
    assert unquote(password) == passwords[user]
    assert place == "checklist-database:6432/mcps"


def test_what_runs_was_started_with_what_the_file_says(installation: Installation, host: Machine, side: str) -> None:
    for service in SERVICES if side == "postgresql" else ("api", "harvester"):
        assert installation.state(f"{NAME}-{service}.service") == "active"
        said = variables(host.read(f"/etc/{NAME}/{service}/environment"))
        running = installation.running_environment(service)
        assert {name: running.get(name) for name in said} == said
        gone = {"USE_SQLITE", "DATABASE_PATH"} if side == "postgresql" else set(TLS)
        assert not gone & set(running)


def test_each_goes_its_own_way(hub: Hub, database: Machine, host: Machine, side: str) -> None:
    """To PostgreSQL by its own role; on SQLite nobody asks it, though the pooler keeps its connections for a while."""
    assert hub.total("servers")
    if side == "postgresql":
        assert Hub(f"http://{host.address}:3000").get("/health")["status"] == "healthy"
    rows = database.admin(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename IN ('mcps_app', 'mcps_reader', 'mcps_owner') "
        "AND query_start > now() - interval '5 seconds' ORDER BY 1"
    )
    assert rows == ([["mcps_app"], ["mcps_reader"]] if side == "postgresql" else [])


def test_units_are_those_of_the_role(host: Machine, guard: SecretsGuard) -> None:
    for service in SERVICES:
        unit = host.read(f"/etc/systemd/system/{NAME}-{service}.service")
        assert unit.startswith("# Managed by Ansible\n")
        assert f"User={NAME}\n" in unit
        guard.check(unit, f"the unit of {service}")
    files = host.execute(["sh", "-c", f"ls /etc/systemd/system/{NAME}-*"]).split()
    assert {Path(file).name for file in files} == {f"{NAME}-{service}.service" for service in SERVICES}
    guard.check(host.execute(["ps", "-eo", "args"]), "the list of processes")
    guard.check(host.execute(["journalctl", "--no-pager"]), "the journal")
