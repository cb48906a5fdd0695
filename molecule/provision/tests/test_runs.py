# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenario's own runs printed: on a fresh host, check mode tells what the first real run then does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from support.ansible_runs import PlaybookRun
from support.machines import Machine

LINE = re.compile(r"^\S+ \S+ p=(?P<run>\d+) .*?\| (?P<text>.*)$")
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?P<name>.*?)\](?: \[CHECK MODE\])? \*")
RESULT = re.compile(r"^(?P<state>changed|ok|fatal|failed): \[(?P<host>[^\]]+?)(?: -> [^\]]*)?\]")


@dataclass
class Run:
    """One run of provision.yml: whether in check mode, and (host, task) pairs that reported a change."""

    check: bool = False
    provisions: bool = False
    task: str = ""
    changed: set[tuple[str, str]] = field(default_factory=set)
    failed: set[tuple[str, str]] = field(default_factory=set)


def read_runs(log: str) -> list[Run]:
    """The runs of provision.yml in Ansible's log file, in their order; each line begins with its process."""
    runs: dict[str, Run] = {}
    for line in log.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        run, text = runs.setdefault(found["run"], Run()), found["text"]
        if text.startswith("PLAY [Provision"):
            run.provisions = True
            run.check = run.check or "[CHECK MODE]" in text
        elif task := TASK.match(text):
            run.task = task["name"]
        elif result := RESULT.match(text):
            pair = (result["host"], run.task)
            if result["state"] == "changed":
                run.changed.add(pair)
            elif result["state"] in ("fatal", "failed"):
                run.failed.add(pair)
    return [run for run in runs.values() if run.provisions]


@pytest.fixture(scope="module")
def runs(machines: list[Machine]) -> list[Run]:
    """Check on fresh hosts, converge, idempotence; more only while somebody is writing tests."""
    path = machines[0].made.parent / "ansible.log"
    assert path.exists(), f"{path} is missing: run this by molecule test, which keeps Ansible's output there"
    found = read_runs(path.read_text())
    assert [run.check for run in found[:3]] == [True, False, False], (
        "molecule test checks, converges and converges again"
    )
    return found


def test_check_mode_on_a_fresh_host_fails_on_nothing(runs: list[Run]) -> None:
    assert runs[0].failed == set()


def test_check_mode_on_a_fresh_host_tells_what_the_first_run_does(runs: list[Run], machine: Machine) -> None:
    said = {task for host, task in runs[0].changed if host == machine.name}
    done = {task for host, task in runs[1].changed if host == machine.name}
    # The names of the tasks may differ: where a program is not there yet, another one says what would be done.
    roles = {task.partition(" : ")[0] for task in done}
    assert roles >= {f"mcps.postgres.{role}" for role in ("tls", "postgres_server", "pgbouncer", "pgadmin")}
    assert {task.partition(" : ")[0] for task in said} >= roles


def test_nothing_is_left_to_change_by_the_second_run(runs: list[Run]) -> None:
    assert runs[2].changed == set()
    assert runs[2].failed == set()


def test_check_mode_finds_nothing_to_change_after_all_the_tests_before(rerun: Callable[..., PlaybookRun]) -> None:
    rerun(check=True).succeeded(changed=False)
