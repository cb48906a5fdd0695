# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password and certificates are replaced by running the playbook again; the server goes on running."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from support.ansible_runs import PlaybookRun
from support.machines import Machine
from support.secrets_guard import SecretsGuard

PORTS = (5432, 6432)


@dataclass(frozen=True)
class State:
    """What must change by the run, and what must not."""

    started: str
    pooler: str
    certificates: tuple[int, ...]


def look(machine: Machine) -> State:
    return State(
        machine.admin("SELECT pg_catalog.pg_postmaster_start_time()")[0][0],
        machine.execute(["systemctl", "show", "--property", "MainPID", "--value", "pgbouncer"]).strip(),
        tuple(machine.served_certificate(port).serial_number for port in PORTS),
    )


@dataclass(frozen=True)
class Rotated:
    """One run of the playbook with a new password and certificates that count as due."""

    old_password: str
    before: Mapping[str, State]
    arguments: str


class ArgumentsWatch(threading.Thread):
    """Collects the arguments of every process of the machine; those in containers are among them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: set[bytes] = set()
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self._seen.add(path.read_bytes())
                except OSError:
                    continue  # the process has ended meanwhile

    def stop(self) -> str:
        """Every command line, arguments between spaces."""
        self._done.set()
        self.join()
        return "\n".join(seen.replace(b"\0", b" ").decode(errors="replace") for seen in self._seen)


@pytest.fixture(scope="module")
def rotated(
    machines: Sequence[Machine], rerun: Callable[..., PlaybookRun], guard: SecretsGuard, passwords: dict[str, str]
) -> Rotated:
    """All machines at once: a run is what takes time. The new password stays, where the inventory looks for it."""
    kept = machines[0].made / "secrets" / "mcps_app"
    old, word = passwords["mcps_app"], kept.read_text().strip()
    new_word = secrets.token_hex(8)
    passwords["mcps_app"] = guard.add(old.replace(word, new_word))
    kept.write_text(f"{new_word}\n")
    before = {machine.name: look(machine) for machine in machines}
    ends = [machine.served_certificate(port).not_valid_after_utc for machine in machines for port in PORTS]
    longest = (max(ends) - datetime.now(UTC)).days
    watch = ArgumentsWatch()
    watch.start()
    try:
        run = rerun({"tls_renew_days": longest + 2, "tls_days": longest + 100})
    finally:
        arguments = watch.stop()
    run.succeeded(changed=True)
    return Rotated(old, before, arguments)


@pytest.mark.parametrize("port", PORTS)
def test_the_new_password_is_taken_and_the_old_one_refused(machine: Machine, rotated: Rotated, port: int) -> None:
    machine.connect("mcps_app", port=port).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed|SASL authentication failed"):
        machine.connect("mcps_app", port=port, password=rotated.old_password)


def test_other_passwords_stay(machine: Machine, rotated: Rotated) -> None:
    machine.connect("mcps_analytics").close()
    machine.connect("mcps_owner", port=6432).close()


def test_renewed_certificates_are_served(machine: Machine, rotated: Rotated) -> None:
    now = look(machine)
    for port, old, new in zip(PORTS, rotated.before[machine.name].certificates, now.certificates, strict=True):
        assert new != old, f"port {port} shows the old certificate"
    machine.connect("mcps_analytics").close()
    machine.connect("mcps_analytics", port=6432).close()


def test_nothing_was_restarted(machine: Machine, rotated: Rotated) -> None:
    before, now = rotated.before[machine.name], look(machine)
    assert (now.started, now.pooler) == (before.started, before.pooler)


def test_no_password_was_an_argument_of_a_program(rotated: Rotated, guard: SecretsGuard) -> None:
    assert "ansible" in rotated.arguments
    guard.check(rotated.arguments, "a command line")
