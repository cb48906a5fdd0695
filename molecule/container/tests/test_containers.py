# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in, what works, and what the containers give away."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from support.ansible_runs import ROOT
from support.secrets_guard import SecretsGuard

NAME = "mcps-container"
SERVICES = ("postgres", "pgbouncer", "pgadmin")

Connect = Callable[..., Any]
Inspect = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize("service", ["postgres", "pgbouncer"])
def test_a_client_with_the_authority_connects_with_verify_full(connect: Connect, service: str) -> None:
    connection = connect("mcps", service)
    assert connection.info.ssl_in_use
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM server")
        assert cursor.fetchone() == (100,)


@pytest.mark.parametrize("service", ["postgres", "pgbouncer"])
@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}, "certificate verify failed"),
        ({"host": "elsewhere.example"}, 'does not match host name "elsewhere.example"'),
        ({"password": "wrong"}, "authentication failed"),
    ],
    ids=["authority", "host", "password"],
)
def test_what_is_wrong_is_refused(connect: Connect, service: str, parameters: dict[str, str], why: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match=why):
        connect("mcps", service, **parameters)


def test_plain_text_is_refused(connect: Connect) -> None:
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        connect("mcps", sslmode="disable")


def test_who_reads_cannot_write(connect: Connect) -> None:
    with connect("mcps_analytics").cursor() as cursor:
        cursor.execute("SELECT count(*) FROM server")
        assert cursor.fetchone() == (100,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM server")


def test_the_application_runs_on_postgresql(made: Path) -> None:
    environment_file = made / "application" / ".env"
    text = environment_file.read_text()
    assert "DATABASE_URL=postgresql+asyncpg" in text
    assert environment_file.stat().st_mode & 0o777 == 0o600
    done = subprocess.run(
        [str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"), "-m", "packages.harvester.cli", "stats"],
        cwd=ROOT / "examples" / "mcps",
        env={"PATH": "/usr/bin:/bin", "MCPS_ENV_FILE": str(environment_file)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "server" in done.stdout
    assert " 100\n" in done.stdout


def test_pgadmin_answers(ca: Path, ports: Mapping[str, int]) -> None:
    context = ssl.create_default_context(cafile=str(ca))
    for path, word in (("misc/ping", "PING"), ("login", "pgAdmin")):
        with urllib.request.urlopen(
            f"https://localhost:{ports['pgadmin']}/{path}", context=context, timeout=30
        ) as page:
            assert word in page.read().decode()


@pytest.mark.parametrize("service", SERVICES)
def test_published_on_the_loopback_only(inspect: Inspect, ports: Mapping[str, int], service: str) -> None:
    published = [
        binding for bindings in inspect(service)["NetworkSettings"]["Ports"].values() for binding in bindings or []
    ]
    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(ports[service])}]


@pytest.mark.parametrize("service", SERVICES)
def test_the_engine_knows_no_secret(inspect: Inspect, guard: SecretsGuard, service: str) -> None:
    guard.check(json.dumps(inspect(service), ensure_ascii=False), f"docker inspect of {service}")
    logs = subprocess.run(
        ["docker", "logs", f"{NAME}-{service}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    guard.check(logs.stdout, f"docker logs of {service}")


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_has_a_secret_in_its_arguments(guard: SecretsGuard, service: str) -> None:
    top = subprocess.run(
        ["docker", "top", f"{NAME}-{service}", "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    guard.check(top.stdout, f"processes of {service}")


def test_secrets_and_keys_are_for_their_owner_only(made: Path) -> None:
    paths = [*made.glob("*/secrets/**/*"), *made.glob("secrets/*"), *made.glob("tls/*.key"), *made.glob("ca/*.key")]
    assert len(paths) > 10
    loose = [str(path) for path in paths if path.is_file() and path.stat().st_mode & 0o037]
    assert loose == []


@pytest.mark.made_by("compose")
def test_the_compose_file_has_no_secret(made: Path, guard: SecretsGuard) -> None:
    for path in (made / "compose").rglob("*.yml"):
        guard.check(path.read_text(), str(path))


@pytest.mark.parametrize("service", SERVICES)
def test_the_containers_are_as_wanted(inspect: Inspect, service: str) -> None:
    found = inspect(service)
    assert found["State"]["Health"]["Status"] == "healthy"
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    assert found["Config"]["User"].split(":")[0] not in ("", "0")
    assert not found["HostConfig"]["Privileged"]


def test_the_data_is_checksummed_and_in_the_volume(ask: Callable[[str], Any], inspect: Inspect) -> None:
    assert ask("SHOW data_checksums") == "on"
    volumes = {
        mount["Name"]: mount["Destination"] for mount in inspect("postgres")["Mounts"] if mount["Type"] == "volume"
    }
    assert volumes == {f"{NAME}-postgres-data": "/var/lib/postgresql/data"}
    assert ask("SHOW data_directory") == "/var/lib/postgresql/data/pgdata"
