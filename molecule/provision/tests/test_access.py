# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in over the network, and who does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from support.machines import Machine

Connect = Callable[..., Any]


def refused(connect: Connect, role: str = "mcps_app", database: str = "mcps", **parameters: Any) -> str:
    """Why the connection was refused."""
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect(role, database, **parameters)
    return str(caught.value)


def test_a_client_with_the_authority_connects_with_verify_full(connect: Connect) -> None:
    with connect("mcps_app").cursor() as cursor:
        cursor.execute("SELECT version, cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
        assert cursor.fetchone()[0] == "TLSv1.3"


def test_a_client_without_the_authority_refuses_the_server(connect: Connect, tmp_path: Path) -> None:
    assert "does not exist" in refused(connect, sslrootcert=str(tmp_path / "none.crt"))


def test_a_client_with_the_systems_authorities_only_refuses_the_server(connect: Connect) -> None:
    assert "certificate verify failed" in refused(connect, sslrootcert="/etc/ssl/certs/ca-certificates.crt")


def test_a_client_that_means_another_host_refuses_the_server(connect: Connect, machine: Machine) -> None:
    assert 'does not match host name "elsewhere.example"' in refused(connect, host="elsewhere.example")


def test_plain_text_is_refused(connect: Connect) -> None:
    why = refused(connect, sslmode="disable")
    assert "no pg_hba.conf entry" in why
    assert "no encryption" in why


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_tls_is_refused(connect: Connect, version: str) -> None:
    assert refused(connect, ssl_min_protocol_version=version, ssl_max_protocol_version=version)


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(connect: Connect, password: str) -> None:
    assert "password" in refused(connect, password=password)


def test_no_other_method_than_scram_crosses_the_network(machine: Machine, connect: Connect) -> None:
    rules = machine.admin(
        "SELECT type, address, auth_method FROM pg_catalog.pg_hba_file_rules"
        " WHERE type <> 'local' AND address NOT IN ('127.0.0.1', '::1') AND auth_method <> 'reject'"
    )
    assert rules
    assert {(kind, method) for kind, _, method in rules} == {("hostssl", "scram-sha-256")}
    assert machine.admin("SELECT count(*) FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL") == [["0"]]
    assert "SCRAM" not in refused(connect, require_auth="md5,password", password="irrelevant").split("FATAL")[-1]


def test_every_password_is_kept_as_scram(machine: Machine) -> None:
    kinds = machine.admin(
        "SELECT DISTINCT pg_catalog.left(rolpassword, 14) FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL"
    )
    assert kinds == [["SCRAM-SHA-256$"]]


def test_the_superuser_does_not_come_over_the_network(connect: Connect) -> None:
    assert "no pg_hba.conf entry" in refused(connect, "postgres", "postgres", password="irrelevant")


def test_a_role_that_no_client_may_use_is_refused_before_its_password(connect: Connect, machine: Machine) -> None:
    machine.admin("CREATE ROLE stranger LOGIN PASSWORD 'stranger-password'")
    try:
        assert "no pg_hba.conf entry" in refused(connect, "stranger", password="stranger-password")
    finally:
        machine.admin("DROP ROLE stranger")
