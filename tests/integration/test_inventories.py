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
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

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
    "application": "application",
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


@pytest.mark.parametrize("playbook", ["provision", "deploy", "migrate", "verify", "rollback"])
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


def test_the_services_are_switched_and_started_as_a_migration_does_it(inventory: Copy, tmp_path: Path) -> None:
    """What the filters make of the inventory's services, with the passwords of its vault: whole, and timers around all else."""
    commands = "application_services | mcps.postgres.application_commands"
    made = {
        "files": "{{ application_services | mcps.postgres.application_environments(application_database) }}",
        "close": f"{{{{ {commands}('stop', periodic=true) }}}}",
        "stop": f"{{{{ {commands}('stop', periodic=false) }}}}",
        "start": f"{{{{ {commands}('start', periodic=false) }}}}",
        "open": f"{{{{ {commands}('start', periodic=true) }}}}",
        "secrets": "{{ [vault_application_password, vault_reader_password] }}",
    }
    copy = {"content": "{{ made | to_json }}", "dest": str(tmp_path / "made.json"), "mode": "0600"}
    task = {"name": "Write it", "ansible.builtin.copy": copy, "delegate_to": "localhost", "connection": "local"}
    play = {"hosts": "application", "gather_facts": False, "become": False, "vars": {"made": made}, "tasks": [task]}
    task["vars"] = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    run = inventory.play(tmp_path, [play])
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    units = {
        when: [word for command in found[when] for word in command[2:]] for when in ("close", "stop", "start", "open")
    }
    assert units == {
        "close": ["mcps-harvester.timer", "mcps-harvester.service"],
        "stop": ["mcps-web.service", "mcps-api.service"],
        "start": ["mcps-api.service", "mcps-web.service"],
        "open": ["mcps-harvester.timer"],
    }
    urls = {Path(file["path"]).parent.name: urlsplit(file["environment"]["DATABASE_URL"]) for file in found["files"]}
    application, reader = found["secrets"]
    assert {name: (url.scheme, url.username, unquote(url.password or "")) for name, url in urls.items()} == {
        "api": ("postgresql+asyncpg", "mcps_app", application),
        "harvester": ("postgresql+asyncpg", "mcps_app", application),
        "web": ("postgresql", "mcps_reader", reader),
    }
    assert {file["environment"]["PGSSLMODE"] for file in found["files"]} == {"verify-full"}


@pytest.mark.parametrize("name", INVENTORIES)
def test_a_deployment_leaves_alone_where_the_sqlite_database_is(name: str) -> None:
    """The folders of sources are exchanged as a whole."""
    values = yaml.safe_load(
        (ROOT / "inventories" / name / "group_vars" / "application.yml").read_text(encoding="utf-8")
    )
    assert all(source["dest"].startswith("{{ site_deployment_dir }}") for source in values["application_sources"])
    place, other = Path(values["site_deployment_dir"]), Path(values["site_application_dir"])
    assert not place.is_relative_to(other)
    assert not other.is_relative_to(place)


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
