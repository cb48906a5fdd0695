# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients through PgBouncer: who gets in, many on few connections, prepared statements, and being held back."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import psycopg2
import psycopg2.extensions
import pytest

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.machines import Machine, wait_for
from support.secrets_guard import SecretsGuard

PORT = 6432
CONSOLE = "pgbouncer"
CLIENTS = 1000
SERVER_CONNECTIONS = 30
INVENTORY = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent")) / "inventory"

Connect = Callable[..., psycopg2.extensions.connection]
Order = Callable[..., PlaybookRun]


def ask(connection: psycopg2.extensions.connection, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def longest_wait(console: psycopg2.extensions.connection) -> int:
    """Seconds after which PgBouncer sends a waiting client away."""
    return int(next(row[1] for row in ask(console, "SHOW CONFIG") if row[0] == "query_wait_timeout"))


@pytest.fixture
def order(machine: Machine, tmp_path: Path, guard: SecretsGuard) -> Order:
    """order("pause", check=False, **variables) gives the role's order to the machine's PgBouncer."""
    runner = PlaybookRunner(tmp_path, guard)

    def give(entry_point: str, check: bool = False, **variables: Any) -> PlaybookRun:
        task = {"name": "mcps.postgres.pgbouncer", "tasks_from": entry_point}
        tasks = [{"name": f"Order {entry_point}", "ansible.builtin.include_role": task}]
        play = [{"hosts": machine.name, "gather_facts": False, "tasks": tasks}]
        return runner(play, inventory=INVENTORY, variables=variables, check=check)

    return give


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"sslmode": "disable"}, "SSL required"),
        ({"password": "not it"}, "authentication failed"),
        ({"role": "pgbouncer_auth"}, "login rejected"),
        ({"role": "no_such_role", "password": "not it"}, "authentication failed|no such user"),
        ({"database": "postgres"}, "authentication failed|no such database"),
    ],
    ids=lambda what: next(iter(what.values())) if isinstance(what, dict) else "",
)
def test_who_is_refused(connect: Connect, what: dict[str, str], words: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match=words):
        connect(**{"role": "mcps_app", "port": PORT, **what})


def test_systemd_never_listens_in_its_place(machine: Machine) -> None:
    assert machine.host.run("systemctl is-enabled pgbouncer.socket").stdout.strip() == "masked"
    assert not machine.host.service("pgbouncer.socket").is_running


def test_both_sides_are_encrypted(connect: Connect) -> None:
    client = connect("mcps_app", port=PORT)
    assert ask(client, "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()") == [(True,)]
    console = connect("pgbouncer_admin", CONSOLE, port=PORT)
    for listed in ("CLIENTS", "SERVERS"):
        with console.cursor() as cursor:
            cursor.execute(f"SHOW {listed}")
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        over_network = [row for row in rows if row["database"] == "mcps"]
        assert over_network
        assert all(row["tls"].startswith("TLSv1.") for row in over_network), over_network


def test_the_monitor_looks_and_gives_no_orders(connect: Connect) -> None:
    console = connect("mcps_monitor", CONSOLE, port=PORT)
    assert ask(console, "SHOW POOLS")
    with pytest.raises(psycopg2.Error, match="admin access needed"), console.cursor() as cursor:
        cursor.execute("PAUSE")


def test_many_clients_on_few_connections(
    connect: Connect, machine: Machine, passwords: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """asyncpg prepares every statement by default, so this is also a test of those through transaction pooling."""
    console = connect("pgbouncer_admin", CONSOLE, port=PORT)
    most, counting = [0], threading.Event()

    def count() -> None:
        while not counting.wait(0.2):
            rows = machine.admin("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = 'mcps_app'")
            most[0] = max(most[0], int(rows[0][0]))

    context = ssl.create_default_context(cafile=str(machine.ca))
    context.check_hostname = False  # the connection goes to the address; other tests look at names
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CLIENTS + 500)), hard))

    async def work() -> int:
        gate, all_there, there, seen = asyncio.Semaphore(50), asyncio.Event(), 0, 0

        async def client(number: int) -> None:
            nonlocal there, seen
            async with gate:
                connection = await asyncpg.connect(
                    host=machine.address,
                    port=PORT,
                    user="mcps_app",
                    password=passwords["mcps_app"],
                    database="mcps",
                    ssl=context,
                    timeout=120,
                )
            there += 1
            if there == CLIENTS:
                seen = len([row for row in ask(console, "SHOW CLIENTS") if row[1] == "mcps_app"])
                all_there.set()
            await all_there.wait()
            for turn in range(3):
                async with connection.transaction():
                    # Eight different statements, each prepared by many clients on whatever connection they get.
                    query = f"SELECT $1::int + {number % 8}, pg_catalog.pg_sleep(0.02)"
                    assert (await connection.fetchrow(query, turn))[0] == turn + number % 8
            await connection.close()

        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
        return seen

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        seen = asyncio.run(work())
    finally:
        counting.set()
        counter.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with capsys.disabled():
        print(f"\n{machine.name}: {seen} clients at a time on {most[0]} connections to the server")
    assert seen == CLIENTS
    assert SERVER_CONNECTIONS // 2 < most[0] <= SERVER_CONNECTIONS


def test_clients_are_held_back_and_go_on(connect: Connect, order: Order) -> None:
    console = connect("pgbouncer_admin", CONSOLE, port=PORT)
    client = connect("mcps_app", port=PORT, application_name="a busy client")
    with client.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1")
    # A transaction that does not end keeps it from being paused, and nothing has happened.
    order("pause", pgbouncer_pause_timeout=4).failed(
        "could not be paused within 4 seconds", "mcps_app on mcps", "a busy"
    )
    assert ask(connect("mcps_app", port=PORT), "SELECT 1") == [(1,)]
    assert longest_wait(console) == 120
    with client.cursor() as cursor:
        cursor.execute("COMMIT")

    order("pause", check=True).succeeded(changed=True)
    assert ask(client, "SELECT 1") == [(1,)]
    order("pause").succeeded(changed=True)
    order("pause").succeeded(changed=False)
    assert longest_wait(console) == 900

    answers: list[Any] = []
    held = threading.Thread(target=lambda: answers.append(ask(client, "SELECT 2")), daemon=True)
    held.start()
    order("resume", check=True).succeeded(changed=True)
    assert not answers
    order("resume").succeeded(changed=True)
    wait_for("the held client goes on", lambda: answers == [[(2,)]])
    assert longest_wait(console) == 120
    order("resume").succeeded(changed=False)
