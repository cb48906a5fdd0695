# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the checklist. The same tests run three times; CHECKLIST_SIDE says which database the application is on, and
CHECKLIST_PASSAGE which way it came there.

side          C(sqlite) or C(postgresql)
hub           support.hub.Hub: the application's API, asked over the network, where its clients come in
installation  installation.Installation: both hosts
way           installation.Passage: how the application came to the database that it is on
database      support.machines.Machine of the database's host
host          support.machines.Machine of the application's host
guard         support.secrets_guard.SecretsGuard that knows every password
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from installation import Installation, Passage, passage

from support.hub import Hub
from support.machines import Machine, made_passwords
from support.secrets_guard import SecretsGuard

MADE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "/nonexistent")) / "made"
VARIABLES = Path(__file__).resolve().parents[2] / "shared" / "migration" / "group_vars" / "all.yml"


@pytest.fixture(scope="session")
def side() -> str:
    return os.environ["CHECKLIST_SIDE"]


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    return made_passwords(MADE, VARIABLES, "run_awkward")


@pytest.fixture(scope="session")
def guard(passwords: dict[str, str]) -> SecretsGuard:
    return SecretsGuard(passwords.values())


@pytest.fixture(scope="session")
def database(passwords: dict[str, str]) -> Machine:
    return Machine("checklist-database", MADE, passwords)


@pytest.fixture(scope="session")
def host(passwords: dict[str, str]) -> Machine:
    return Machine("checklist-application", MADE, passwords)


@pytest.fixture(scope="session")
def installation(host: Machine, database: Machine) -> Installation:
    return Installation(host, database)


@pytest.fixture(scope="session")
def way(installation: Installation) -> Passage:
    return passage(installation, os.environ["CHECKLIST_PASSAGE"])


@pytest.fixture(scope="session")
def hub(host: Machine) -> Hub:
    return Hub(f"http://{host.address}:8000")
