# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: computed from the machine, what they bring about, and that they outlive a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors

from support.machines import Machine, wait_for

Connect = Callable[..., Any]
MEMORY = 2048 * 1024**2  # postgres_server_memory_mb of the scenario


def bytes_of(machine: Machine, name: str) -> int:
    """A memory setting in bytes."""
    query = f"SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('{name}'))"
    return int(machine.admin(query)[0][0])


def test_memory_follows_the_size_of_the_machine(machine: Machine) -> None:
    assert MEMORY / 8 <= bytes_of(machine, "shared_buffers") <= MEMORY / 2
    assert MEMORY / 2 <= bytes_of(machine, "effective_cache_size") <= MEMORY
    assert MEMORY / 64 <= bytes_of(machine, "maintenance_work_mem") <= MEMORY / 4
    # Every connection may use it at once and there has to be something left.
    connections = int(machine.setting("max_connections"))
    assert bytes_of(machine, "work_mem") * connections <= 2 * MEMORY


def test_checksums_are_on(machine: Machine) -> None:
    assert machine.setting("data_checksums") == "on"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password_encryption", "scram-sha-256"),
        ("ssl", "on"),
        ("ssl_min_protocol_version", "TLSv1.2"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("log_lock_waits", "on"),
        ("log_checkpoints", "on"),
        ("server_encoding", "UTF8"),
    ],
)
def test_a_production_server_has(machine: Machine, name: str, value: str) -> None:
    assert machine.setting(name) == value


def test_libraries_are_loaded(machine: Machine) -> None:
    loaded = {name.strip() for name in machine.setting("shared_preload_libraries").split(",")}
    assert {"pg_stat_statements", "auto_explain"} <= loaded


def test_a_statement_timeout_ends_a_query(connect: Connect) -> None:
    started = time.monotonic()
    with connect("mcps_analytics").cursor() as cursor, pytest.raises(errors.QueryCanceled, match="statement timeout"):
        cursor.execute("SELECT pg_sleep(30)")
    assert 1.5 < time.monotonic() - started < 10


def test_an_idle_transaction_is_ended(connect: Connect) -> None:
    connection = connect("mcps_analytics")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1")
        time.sleep(3)
        with pytest.raises((errors.IdleInTransactionSessionTimeout, psycopg2.OperationalError)):
            cursor.execute("SELECT 1")


def test_forgotten_transactions_and_vanished_clients_are_ended_for_everybody(machine: Machine) -> None:
    ours = "SELECT name FROM pg_catalog.pg_settings WHERE setting::int > 0 AND name IN "
    names = "('idle_in_transaction_session_timeout', 'lock_timeout', 'statement_timeout', 'tcp_keepalives_idle')"
    assert "idle_in_transaction_session_timeout" in {row[0] for row in machine.admin(ours + names)}


def test_the_configuration_files_have_no_error(machine: Machine) -> None:
    assert machine.admin("SELECT name, error FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL") == []
    assert machine.admin("SELECT name FROM pg_catalog.pg_settings WHERE pending_restart") == []


def test_the_distributions_main_file_is_left_alone_but_for_the_include(machine: Machine) -> None:
    sources = {
        row[0]
        for row in machine.admin(
            "SELECT sourcefile FROM pg_catalog.pg_settings WHERE name IN ('shared_buffers', 'ssl_cert_file', 'work_mem')"
        )
    }
    assert len(sources) == 1
    assert sources != {machine.setting("config_file")}


SNAPSHOT = (
    "SELECT name, setting FROM pg_catalog.pg_settings"
    " WHERE source IN ('configuration file', 'command line', 'override') AND name <> 'transaction_isolation' ORDER BY name"
)
HBA = "SELECT type, database, user_name, address, netmask, auth_method FROM pg_catalog.pg_hba_file_rules ORDER BY 1, 2, 3, 4"


def state(machine: Machine) -> list[list[str]]:
    return machine.admin(SNAPSHOT) + machine.admin(HBA)


def test_settings_survive_a_restart_of_the_service(machine: Machine) -> None:
    before = state(machine)
    machine.execute(["systemctl", "restart", "postgresql"])
    wait_for("the server answers", lambda: machine.host.run("runuser -u postgres -- pg_isready").rc == 0, 60)
    assert state(machine) == before
    machine.connect("mcps_app").close()


def test_everything_comes_back_after_a_restart_of_the_host(machine: Machine) -> None:
    before = state(machine)
    machine.restart()
    wait_for("the server answers", lambda: machine.host.run("runuser -u postgres -- pg_isready").rc == 0, 60)
    assert state(machine) == before
    for unit in ("postgresql", "pgbouncer", "pgadmin"):
        assert machine.host.service(unit).is_running, unit
        assert machine.host.service(unit).is_enabled, unit
    machine.connect("mcps_app").close()
    machine.connect("mcps_app", port=6432).close()
