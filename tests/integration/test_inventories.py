# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example inventories hold together: they parse with an encrypted vault, and every role takes what they give it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.ansible_runs import ROOT

INVENTORIES = ["staging", "production"]
#: Role -> the group that it works on.
ROLES = {
    "tls": "all",
    "postgres_server": "database",
    "pgbouncer": "pooler",
    "pgadmin": "pgadmin",
    "migration": "application",
}
#: Prefixes of what is no role's: the inventory's own variables, its secrets, Ansible's.
OWN = ("site_", "vault_", "ansible_")
BIN = ROOT / ".venv" / "bin"


@dataclass
class Copy:
    """A copy of an inventory with a vault of its own."""

    folder: Path
    passphrase_file: Path

    @property
    def vault(self) -> Path:
        return self.folder / "group_vars" / "all" / "vault.yml"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An Ansible program on this inventory."""
        return subprocess.run(
            [BIN / program, "-i", self.folder, "--vault-password-file", self.passphrase_file, *arguments],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )

    def play(self, folder: Path, plays: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
        """A playbook that was made up here."""
        (folder / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
        return self.run("ansible-playbook", str(folder / "play.yml"))


def encrypted(name: str, folder: Path, secret: bool) -> Copy:
    """Inventory I(name) as its vault.yml.example says how to set it up; with I(secret) the values are set as well."""
    copy = Copy(folder / name, folder / "passphrase")
    shutil.copytree(
        ROOT / "inventories" / name, copy.folder, ignore=shutil.ignore_patterns("ca", "reports", "vault.yml")
    )
    copy.passphrase_file.write_text(secrets.token_urlsafe(), encoding="utf-8")
    example = copy.vault.with_name("vault.yml.example").read_text(encoding="utf-8")
    values = {
        key: secrets.token_urlsafe() + "%@:/ '\"" if secret else value for key, value in yaml.safe_load(example).items()
    }
    copy.vault.write_text(yaml.safe_dump(values), encoding="utf-8")
    subprocess.run(
        [BIN / "ansible-vault", "encrypt", "--vault-password-file", copy.passphrase_file, copy.vault],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    return copy


@pytest.fixture(params=INVENTORIES)
def inventory(request: pytest.FixtureRequest, tmp_path: Path) -> Copy:
    return encrypted(request.param, tmp_path, secret=True)


def options_of(role: str) -> dict[str, Any]:
    """Every option of every entry point."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return {name: spec for point in specs["argument_specs"].values() for name, spec in point.get("options", {}).items()}


def given(role: str) -> dict[str, Any]:
    """The options of the main entry point, without defaults: those lean on the role's inner variables."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    return {name: {key: value for key, value in spec.items() if key != "default"} for name, spec in options.items()}


def variables_of(folder: Path) -> set[str]:
    """All names that the inventory's files set."""
    names: set[str] = set()
    for path in [*folder.glob("group_vars/**/*.yml"), *folder.glob("group_vars/**/*.example")]:
        names |= set(yaml.safe_load(path.read_text(encoding="utf-8")))
    return names


@pytest.mark.parametrize("name", INVENTORIES)
def test_every_variable_is_one_of_a_role(name: str) -> None:
    known = {option for role in ROLES for option in options_of(role)}
    names = {name for name in variables_of(ROOT / "inventories" / name) if not name.startswith(OWN)}
    assert sorted(names - known) == []


@pytest.mark.parametrize("name", INVENTORIES)
def test_every_secret_is_used_and_every_used_one_is_in_the_example(name: str) -> None:
    folder = ROOT / "inventories" / name
    texts = [
        path.read_text(encoding="utf-8") for path in folder.glob("group_vars/**/*.yml") if path.name != "vault.yml"
    ]
    used = set(re.findall(r"\bvault_\w+", "\n".join(texts))) - {"vault_"}
    example = yaml.safe_load((folder / "group_vars/all/vault.yml.example").read_text(encoding="utf-8"))
    assert used == set(example)
    assert set(example.values()) == {"CHANGE_ME"}


def test_it_parses(inventory: Copy) -> None:
    listed = inventory.run("ansible-inventory", "--list")
    assert listed.returncode == 0, listed.stderr
    assert "WARNING" not in listed.stderr
    groups = json.loads(listed.stdout)
    assert all(groups[group]["hosts"] for group in ("database", "pooler", "pgadmin", "application"))
    assert inventory.vault.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;")


@pytest.mark.parametrize("playbook", ["provision", "migrate", "verify", "rollback"])
def test_the_playbooks_take_it(inventory: Copy, playbook: str) -> None:
    checked = inventory.run("ansible-playbook", f"playbooks/{playbook}.yml", "--syntax-check")
    assert checked.returncode == 0, checked.stderr


def test_every_role_takes_what_it_is_given(inventory: Copy, tmp_path: Path) -> None:
    plays = [
        {
            "hosts": group,
            "gather_facts": False,
            "become": False,
            "tasks": [
                {
                    "name": f"Arguments of {role}",
                    "ansible.builtin.validate_argument_spec": {"argument_spec": given(role)},
                }
            ],
        }
        for role, group in ROLES.items()
    ]
    run = inventory.play(tmp_path, plays)
    assert run.returncode == 0, run.stdout + run.stderr


def test_secrets_that_nobody_set_are_refused(tmp_path: Path) -> None:
    run = encrypted("staging", tmp_path, secret=False).run("ansible-playbook", "playbooks/secrets.yml")
    assert run.returncode != 0
    assert "vault_owner_password" in run.stdout + run.stderr
    assert "vault.yml.example" in run.stdout + run.stderr


def test_secrets_that_were_set_are_taken_and_not_shown(inventory: Copy) -> None:
    run = inventory.run("ansible-playbook", "-vv", "--diff", "playbooks/secrets.yml")
    assert run.returncode == 0, run.stdout + run.stderr
    shown = subprocess.run(
        [BIN / "ansible-vault", "view", "--vault-password-file", inventory.passphrase_file, inventory.vault],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert not [value for value in yaml.safe_load(shown.stdout).values() if value in run.stdout + run.stderr]
