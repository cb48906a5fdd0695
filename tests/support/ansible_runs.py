# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's modules and playbooks, run for real in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible

from .secrets_guard import SecretsGuard

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".cache" / "collections"
MODULES = "ansible_collections.mcps.postgres.plugins.modules"
#: Nothing of the tests' own but what keeps compiled modules, where that is asked for.
SITE = Path(__file__).with_name("site")
RUNNER = Path(__file__).with_name("module_runner.py")
RECAP = re.compile(r"^(?P<host>\S+)\s*:\s+(?P<counts>(?:\w+=\d+\s*)+)$", re.MULTILINE)


class ModuleRunner:
    """Runs modules as a managed node sees them: ansible.module_utils and this collection, nothing else of Ansible."""

    def __init__(self, folder: Path, guard: SecretsGuard) -> None:
        self._guard = guard
        self._temporary = folder / "module-tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._path = folder / "module-path"
        package = self._path / "ansible"
        collection = self._path / "ansible_collections" / "mcps"
        package.mkdir(parents=True, exist_ok=True)
        collection.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "module_utils").symlink_to(Path(ansible.__file__).parent / "module_utils")
        (collection / "postgres").symlink_to(ROOT)
        #: What Python needs to know before it starts.
        self.environment = {"PYTHONPATH": str(self._path), "PYTHONDONTWRITEBYTECODE": "1"}
        #: The interpreter, where a test does not say which: one that begins with that environment.
        self.python = sys.executable

    def __call__(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        check: bool = False,
        diff: bool = False,
        python: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        timeout: float = 300,
    ) -> dict[str, Any]:
        """Run module I(name) of this collection with I(arguments); what it returned, plus C(rc).

        A failed module is returned as well (C(failed) is true): the test looks. AssertionError where it printed
        anything but one JSON document or where any known secret (or one of I(secrets)) shows in its output.
        """
        for secret in secrets:
            self._guard.add(secret)
        payload = {
            **(arguments or {}),
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
            "_ansible_remote_tmp": str(self._temporary),
            "_ansible_tracebacks_for": [],
        }
        done = subprocess.run(
            [str(python or self.python), str(RUNNER), f"{MODULES}.{name}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": payload}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            env={**os.environ, **(environment or {}), **self.environment},
        )
        result = _only_document(done.stdout, done.stderr)
        # What went in comes back under "invocation" without what was marked as secret, so all of it is checked.
        self._guard.check(done.stdout, f"{name}'s result")
        self._guard.check(done.stderr, f"{name}'s standard error")
        result["rc"] = result.get("rc", done.returncode)
        if done.returncode != 0:
            result.setdefault("failed", True)
        return result


def _only_document(stdout: str, stderr: str) -> dict[str, Any]:
    try:
        document = json.loads(stdout)
    except ValueError:
        raise AssertionError(f"Not one JSON document but:\n{stdout}\n{stderr}") from None
    assert isinstance(document, dict), stdout
    return document


@dataclass(frozen=True)
class PlaybookRun:
    """What a run of ansible-playbook came to. I(recap): host -> ok, changed, unreachable, failed, skipped ..."""

    rc: int
    stdout: str
    stderr: str
    recap: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Everything that was printed."""
        return self.stdout + self.stderr

    def count(self, what: str) -> int:
        """The sum of one figure of the recap over all hosts."""
        return sum(counts.get(what, 0) for counts in self.recap.values())

    def succeeded(self, changed: bool | None = None) -> PlaybookRun:
        """Itself; AssertionError where it failed, or where it did (not) change anything against I(changed)."""
        assert self.rc == 0, self.output
        if changed is not None:
            assert (self.count("changed") > 0) == changed, self.output
        return self

    def failed(self, *words: str) -> PlaybookRun:
        """Itself; AssertionError where it succeeded or where a failure does not show all I(words)."""
        assert self.rc != 0, self.output
        flat = " ".join(self.output.split())
        for word in words:
            assert word in flat, f"no {word!r} in:\n{self.output}"
        return self


class PlaybookRunner:
    """Runs ansible-playbook of the environment that the tests run in, with an inventory of this machine."""

    def __init__(self, folder: Path, guard: SecretsGuard, python: str = sys.executable) -> None:
        #: The interpreter of this machine's modules.
        self.python = python
        self._folder = folder
        self._guard = guard
        self._number = 0

    def __call__(
        self,
        playbook: str | Path | Sequence[Mapping[str, Any]],
        *,
        variables: Mapping[str, Any] | None = None,
        groups: Sequence[str] = ("database", "application"),
        inventory: str | Path | Mapping[str, Any] | None = None,
        check: bool = False,
        diff: bool = False,
        tags: Sequence[str] = (),
        extra_args: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        timeout: float = 600,
    ) -> PlaybookRun:
        """Run a playbook file (relative to the checkout) or a list of plays, and read the recap.

        I(variables) go into a file that only this user can read. Without I(inventory) (a path, or an inventory as
        data) the only host is localhost, in every one of I(groups). AssertionError where a known secret shows.
        """
        for secret in secrets:
            self._guard.add(secret)
        self._number += 1
        folder = self._folder / f"run{self._number}"
        folder.mkdir(parents=True)
        if isinstance(playbook, (str, Path)):
            path = ROOT / playbook
        else:
            path = folder / "playbook.yml"
            path.write_text(json.dumps(list(playbook)), encoding="utf-8")
        if inventory is None:
            inventory = self.local_inventory(groups, self.python)
        if not isinstance(inventory, (str, Path)):
            inventory_path = folder / "inventory.yml"
            inventory_path.write_text(json.dumps(inventory), encoding="utf-8")
            inventory = inventory_path
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(path)]
        if variables:
            variables_path = folder / "variables.json"
            variables_path.touch(mode=0o600)
            variables_path.write_text(json.dumps(variables), encoding="utf-8")
            command += ["--extra-vars", f"@{variables_path}"]
        command += ["--check"] * check + ["--diff"] * diff
        command += ["--tags", ",".join(tags)] * bool(tags)
        done = subprocess.run(
            [*command, *extra_args],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "ANSIBLE_HOME": str(self._folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONPATH": str(SITE),
                **(environment or {}),
            },
        )
        self._guard.check(done.stdout, "ansible-playbook's output")
        self._guard.check(done.stderr, "ansible-playbook's standard error")
        return PlaybookRun(done.returncode, done.stdout, done.stderr, read_recap(done.stdout))

    @staticmethod
    def local_inventory(groups: Sequence[str], python: str = sys.executable) -> dict[str, Any]:
        """An inventory whose one host, this machine, is in all I(groups) and uses I(python)."""
        variables = {"ansible_connection": "local", "ansible_python_interpreter": python}
        return {
            "all": {
                "hosts": {"localhost": variables},
                "children": {group: {"hosts": {"localhost": None}} for group in groups},
            }
        }


def phases_until(phase: str) -> tuple[str, ...]:
    """The tags that let a migration go up to that phase: a test of what comes before need not go all the way.

    None of them for C(""): then all phases run.
    """
    from ansible_collections.mcps.postgres.plugins.module_utils._journal import PHASES

    return PHASES[: PHASES.index(phase) + 1] if phase else ()


def read_recap(stdout: str) -> dict[str, dict[str, int]]:
    """The figures after PLAY RECAP, per host."""
    _, found, recap = stdout.rpartition("PLAY RECAP")
    if not found:
        return {}
    return {
        match["host"]: {name: int(value) for name, value in (pair.split("=") for pair in match["counts"].split())}
        for match in RECAP.finditer(recap)
    }
