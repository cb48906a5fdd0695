# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario's tests, which look at the deployment from outside.

hub       support.hub.Hub: the API, asked over the network
host      support.machines.Machine of the application's host
database  support.machines.Machine of the database's host
guard     support.secrets_guard.SecretsGuard that knows every password
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from support.hub import Hub
from support.machines import Machine
from support.secrets_guard import SecretsGuard

MADE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent")) / "made"
VARIABLES = Path(__file__).resolve().parents[2] / "shared" / "migration" / "group_vars" / "all.yml"


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    awkward = yaml.safe_load(VARIABLES.read_text())["run_awkward"]
    return {path.name: path.read_text().strip() + awkward for path in (MADE / "secrets").iterdir()}


@pytest.fixture(scope="session")
def guard(passwords: dict[str, str]) -> SecretsGuard:
    guard = SecretsGuard()
    for password in passwords.values():
        guard.add(password)
    return guard


@pytest.fixture(scope="session")
def database(passwords: dict[str, str]) -> Machine:
    return Machine("deploy-database", MADE, passwords)


@pytest.fixture(scope="session")
def host(passwords: dict[str, str]) -> Machine:
    return Machine("deploy-application", MADE, passwords)


@pytest.fixture(scope="session")
def hub(host: Machine) -> Hub:
    return Hub(f"http://{host.address}:8000")
