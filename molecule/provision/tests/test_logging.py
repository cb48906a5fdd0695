# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server logs, and that pgBadger can read it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2 import errors

from support.machines import Machine, wait_for

Connect = Callable[..., Any]


def slow_query(connect: Connect, seconds: float = 0.9) -> str:
    """Runs a slow query and returns a word that only it has."""
    marker = f"marker_{secrets.token_hex(6)}"
    with connect("mcps_app").cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) AS {marker} FROM generate_series(1, 3) AS n WHERE pg_sleep(%s) IS NOT NULL",
            (seconds / 3,),
        )
    return marker


def test_a_slow_query_is_logged_with_its_duration(machine: Machine, connect: Connect) -> None:
    marker = slow_query(connect)

    def logged() -> bool:
        return any(
            "duration:" in line and marker in line and "plan:" not in line for line in machine.log().splitlines()
        )

    wait_for("the slow query is in the log", logged)


def test_a_slow_querys_plan_is_logged(machine: Machine, connect: Connect) -> None:
    marker = slow_query(connect)

    def planned() -> bool:
        parts = machine.log().split("plan:")[1:]
        return any(marker in part and "Function Scan" in part for part in parts)

    wait_for("its plan is in the log", planned)


def test_a_fast_query_is_not_logged(machine: Machine, connect: Connect) -> None:
    fast = slow_query(connect, 0)
    slow = slow_query(connect)
    wait_for("the slow one is in the log", lambda: slow in machine.log())
    assert fast not in machine.log()


def test_a_refused_login_is_logged_without_its_password(machine: Machine) -> None:
    wrong = f"wrong-{secrets.token_hex(6)}"
    with pytest.raises(Exception, match="password authentication failed"):
        machine.connect("mcps_app", password=wrong)
    wait_for("the refusal is in the log", lambda: 'failed for user "mcps_app"' in machine.log())
    assert wrong not in machine.log()


def test_waiting_for_a_lock_is_logged(machine: Machine, connect: Connect) -> None:
    holder, waiter = connect("mcps_app"), connect("mcps_app")
    number = secrets.randbelow(2**31)
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (number,))
    with waiter.cursor() as cursor, pytest.raises(errors.QueryCanceled):
        cursor.execute("SET statement_timeout = '2500ms'")
        cursor.execute("SELECT pg_advisory_lock(%s)", (number,))
    wait_for("the wait is in the log", lambda: "still waiting for" in machine.log())


def test_pgbadger_reads_the_log(machine: Machine, connect: Connect) -> None:
    marker = slow_query(connect)
    wait_for("the slow query is in the log", lambda: marker in machine.log())
    found = machine.host.run("dpkg-query --show --showformat='${db:Status-Status}' pgbadger")
    if found.stdout.strip() != "installed":
        machine.execute(["apt-get", "update", "-q"])
        machine.execute(["apt-get", "install", "-y", "-q", "--no-install-recommends", "pgbadger", "libjson-xs-perl"])
    prefix = machine.setting("log_line_prefix")
    output = machine.execute(
        [
            "pgbadger",
            "--quiet",
            "--format",
            "stderr",
            "--prefix",
            prefix,
            "--extension",
            "json",
            "--outfile",
            "-",
            "--disable-hourly",
            *machine.log_files(),
        ]
    )
    # Its text is a line-oriented notation: the marker has to be among the slowest queries.
    report = json.loads(output)
    assert marker in json.dumps(report.get("top_slowest", report))
    databases = json.dumps(report.get("database_info", {}))
    assert '"mcps"' in databases
