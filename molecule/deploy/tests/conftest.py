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

from support.hub import Hub
from support.machines import Machine, made_passwords
from support.secrets_guard import SecretsGuard

MADE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent")) / "made"
VARIABLES = Path(__file__).resolve().parents[2] / "shared" / "migration" / "group_vars" / "all.yml"


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    return made_passwords(MADE, VARIABLES, "run_awkward")


@pytest.fixture(scope="session")
def guard(passwords: dict[str, str]) -> SecretsGuard:
    return SecretsGuard(passwords.values())


@pytest.fixture(scope="session")
def database(passwords: dict[str, str]) -> Machine:
    return Machine("deploy-database", MADE, passwords)


@pytest.fixture(scope="session")
def host(passwords: dict[str, str]) -> Machine:
    return Machine("deploy-application", MADE, passwords)


@pytest.fixture(scope="session")
def hub(host: Machine) -> Hub:
    return Hub(f"http://{host.address}:8000")
