# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret where others can read it: files, logs, the journal, command lines, statistics, Ansible's output."""

from __future__ import annotations

from support.machines import Machine
from support.secrets_guard import SecretsGuard

FOLDERS = ["/etc", "/var", "/opt", "/srv", "/home", "/root", "/usr/local", "/run"]
PATTERNS = "/run/provision-patterns"


def files_with_a_secret(machine: Machine, guard: SecretsGuard, tests: list[str]) -> list[str]:
    """Files under FOLDERS for which find's I(tests) hold and that have a secret in any spelling."""
    try:
        machine.write(PATTERNS, "\n".join(sorted(guard.forms())) + "\n")
        # grep's exit status says whether it found something; what find does with it is of no interest.
        search = f'find "$@" -exec grep --files-with-matches --text --fixed-strings --file={PATTERNS} {{}} + || true'
        conditions = ["-xdev", "-type", "f", "!", "-path", PATTERNS, *tests]
        found = machine.execute(["sh", "-c", search, "sh", *FOLDERS, *conditions])
    finally:
        machine.execute(["rm", "-f", PATTERNS])
    return found.split()


def test_no_file_that_others_can_read_has_a_secret(machine: Machine, guard: SecretsGuard) -> None:
    assert files_with_a_secret(machine, guard, ["-perm", "/o=r"]) == []


def test_no_log_has_a_secret(machine: Machine, guard: SecretsGuard) -> None:
    assert [path for path in files_with_a_secret(machine, guard, []) if "/log/" in path or path.endswith(".log")] == []


def test_only_the_services_own_files_have_secrets(machine: Machine, guard: SecretsGuard) -> None:
    """The search finds what it looks for, and there is nothing more than is needed."""
    found = files_with_a_secret(machine, guard, [])
    assert any("pgbouncer" in path for path in found), found
    unexpected = [path for path in found if "pgbouncer" not in path]
    assert unexpected == []


def test_no_secret_in_the_journal(machine: Machine, guard: SecretsGuard) -> None:
    journal = machine.execute(["journalctl", "--no-pager", "--output", "cat"])
    assert "PostgreSQL" in journal
    guard.check(journal, "the journal")


def test_no_secret_in_a_command_line_or_environment(machine: Machine, guard: SecretsGuard) -> None:
    guard.check(machine.execute(["ps", "-eo", "args"]), "a command line")
    environments = machine.execute(["sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'"])
    guard.check(environments, "an environment")


def test_no_secret_in_the_servers_statistics(machine: Machine, guard: SecretsGuard) -> None:
    queries = machine.admin("SELECT query FROM pg_stat_statements", "mcps")
    guard.check("\n".join(row[0] for row in queries), "pg_stat_statements")


def test_no_secret_in_what_ansible_printed(guard: SecretsGuard, machines: list[Machine]) -> None:
    log = machines[0].made.parent / "ansible.log"
    assert log.exists(), f"{log} is missing: run this by molecule test, which keeps Ansible's output there"
    guard.check(log.read_text(), "Ansible's output")
