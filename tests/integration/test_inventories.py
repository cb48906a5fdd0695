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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml

from support.ansible_runs import ROOT, ModuleRunner
from support.server import Database

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
PROJECT, PYTHON = ROOT / "examples" / "mcps", ROOT / ".cache" / "venv-mcps" / "bin" / "python"


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


def made(inventory: Copy, folder: Path, more: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """What I(values) are on the application's host, with the variables I(more) besides the inventory's."""
    copy = {"content": "{{ made | to_json }}", "dest": str(folder / "made.json"), "mode": "0600"}
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    task = {"name": "Write it", "ansible.builtin.copy": copy, "delegate_to": "localhost", "vars": here}
    variables = {**more, "made": dict(values)}
    play = {"hosts": "application", "gather_facts": False, "become": False, "vars": variables, "tasks": [task]}
    run = inventory.play(folder, [play])
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, Any] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    return found


def units(commands: list[list[str]]) -> list[str]:
    """What these commands of systemctl are about."""
    return [word for command in commands for word in command[2:]]


#: Where the files and the orders of a migration are, and of the filters for a deployment.
SERVICES = "application_services | mcps.postgres"
WAYS = {
    "migration": {
        "files": "{{ [{'path': migration_environment_file, 'environment': migration_environment,"
        " 'absent': migration_environment_absent}] + migration_environment_files }}",
        "close": "{{ migration_traffic_close }}",
        "stop": "{{ migration_services_stop }}",
        "start": "{{ migration_services_start }}",
        "open": "{{ migration_traffic_open }}",
    },
    "deployment": {
        "files": f"{{{{ {SERVICES}.application_environments(application_database) }}}}",
        "close": f"{{{{ {SERVICES}.application_commands('stop', periodic=true) }}}}",
        "stop": f"{{{{ {SERVICES}.application_commands('stop', periodic=false) }}}}",
        "start": f"{{{{ {SERVICES}.application_commands('start', periodic=false) }}}}",
        "open": f"{{{{ {SERVICES}.application_commands('start', periodic=true) }}}}",
    },
}
FILES = {
    "migration": {"api": "/srv/mcps/.env", "harvester": "/srv/mcps/harvester.env", "web": "/srv/mcps-web/.env"},
    "deployment": {name: f"/etc/mcps/{name}/environment" for name in ("api", "harvester", "web")},
}


@pytest.mark.parametrize("way", WAYS)
def test_all_services_are_switched_and_started_timers_around_all_else(
    inventory: Copy, tmp_path: Path, way: str
) -> None:
    """With the passwords of the inventory's vault, each in the dialect of its own client."""
    secret = "{{ [vault_application_password, vault_reader_password] }}"
    found = made(inventory, tmp_path, {}, {**WAYS[way], "secrets": secret})
    assert {when: units(found[when]) for when in ("close", "stop", "start", "open")} == {
        "close": ["mcps-harvester.timer", "mcps-harvester.service"],
        "stop": ["mcps-web.service", "mcps-api.service"],
        "start": ["mcps-api.service", "mcps-web.service"],
        "open": ["mcps-harvester.timer"],
    }
    files = {name: next(file for file in found["files"] if file["path"] == path) for name, path in FILES[way].items()}
    assert len(found["files"]) == 3
    urls = {name: urlsplit(file["environment"]["DATABASE_URL"]) for name, file in files.items()}
    application, reader = found["secrets"]
    assert {name: (url.scheme, url.username, unquote(url.password or "")) for name, url in urls.items()} == {
        "api": ("postgresql+asyncpg", "mcps_app", application),
        "harvester": ("postgresql+asyncpg", "mcps_app", application),
        "web": ("postgresql", "mcps_reader", reader),
    }
    assert {file["environment"]["PGSSLMODE"] for file in files.values()} == {"verify-full"}
    if way == "migration":
        assert all(file["absent"] == ["USE_SQLITE", "DATABASE_PATH"] for file in files.values())


def test_a_migration_tries_the_services_and_compares_what_they_say(inventory: Copy, tmp_path: Path) -> None:
    names = ("probes", "probe_environment", "smoke_requests", "health_checks", "rollback_services_start")
    values = {name: f"{{{{ migration_{name} }}}}" for name in names}
    more = {
        "database": "{{ migration_rehearsal_database }}",
        "pooled": "{{ hostvars[groups['pooler'][0]].pgbouncer_databases | map(attribute='name') }}",
        "secrets": "{{ [vault_owner_password, vault_reader_password] }}",
    }
    found = made(inventory, tmp_path, {}, {**values, **more})
    owner, reader = found["secrets"]
    probes = {probe["name"]: probe for probe in found["probes"]}
    assert list(probes) == ["api /health", "api /health/db", "harvester", "web /health"]
    for probe in probes.values():
        url = urlsplit(probe["environment"]["DATABASE_URL"])
        assert (url.username, url.password, url.path) == ("mcps_owner", None, f"/{found['database']}")
        assert (url.port, found["database"] in found["pooled"]) == (6432, True)
        assert probe["environment"]["PGSSLMODE"] == "verify-full" and Path(probe["command"][0]).is_absolute()
        # One that answers a page is on a free port, and the other ends by itself.
        assert ("{port}" in probe.get("url", "")) == ("{port}" in probe["environment"].values()) == ("url" in probe)
    assert "stats" in probes["harvester"]["command"] and "url" not in probes["harvester"]
    # Ansible shows the item at which a loop failed.
    assert not [secret for secret in (owner, quote(owner, safe=""), reader) if secret in json.dumps(found["probes"])]
    assert found["probe_environment"] == {"PGDATABASE": found["database"], "PGPASSWORD": owner}
    assert {urlsplit(request["url"]).netloc for request in found["smoke_requests"]} == {"127.0.0.1:8000"}
    assert [request.get("status", 200) for request in found["smoke_requests"]] == [200, 200, 404]
    assert [urlsplit(check["url"]).port for check in found["health_checks"]] == [8000, 8000, 3000]
    # The web site reads PostgreSQL only.
    assert units(found["rollback_services_start"]) == ["mcps-api.service"]


def test_its_probes_try_the_reference_application(database: Database, run_module: ModuleRunner, tmp_path: Path) -> None:
    """Those of API and harvester, in the folder and by the interpreter that are here, on tables that have no rows."""
    login = database.environment
    rehearsal = {"host": database.host, "port": database.port, "user": database.user, "database": database.name}
    here = {
        "site_application_dir": str(PROJECT),
        "migration_alembic_python": str(PYTHON),
        "migration_rehearsal_database": database.name,
        "site_rehearsal": {**rehearsal, "ssl_mode": "disable"},
    }
    values = {"probes": "{{ migration_probes }}"}
    found = made(encrypted("staging", tmp_path, secret=True), tmp_path, here, values)
    own = {**login, "DATABASE_URL": database.url("asyncpg"), "PATH": os.environ["PATH"]}
    subprocess.run([PYTHON, "-m", "alembic", "upgrade", "head"], cwd=PROJECT, env=own, check=True, capture_output=True)
    answers = {}
    for probe in found["probes"][:3]:
        environment = {"PGDATABASE": database.name, "PGPASSWORD": database.password, **probe["environment"]}
        arguments = {key: value for key, value in probe.items() if key != "name"}
        result = run_module("application_probe", {**arguments, "environment": environment})
        assert result["rc"] == 0, result
        answers[probe["name"]] = result["answer"]
    assert re.search('"database_type": *"postgresql"', answers["api /health/db"])
    assert re.search("total +0", answers["harvester"])


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
