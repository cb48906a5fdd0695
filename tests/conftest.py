# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of every suite. Heavy imports wait until a fixture is asked for: pure tests start at once."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.secrets_guard import SecretsGuard

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner, PlaybookRunner
    from support.server import Database, Server

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Make this checkout importable as ansible_collections.mcps.postgres."""
    link = ROOT / ".cache" / "collections" / "ansible_collections" / "mcps" / "postgres"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../../../..")
        importlib.invalidate_caches()


@pytest.fixture(scope="session")
def secrets_guard() -> SecretsGuard:
    """Every secret of this run; what modules and playbooks print is held against it."""
    return SecretsGuard()


@pytest.fixture(scope="session")
def postgres(secrets_guard: SecretsGuard) -> Iterator[Server]:
    """One real PostgreSQL for the whole run."""
    from support.server import running_server

    with running_server(secrets_guard) as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Iterator[Database]:
    """A fresh database with vector and pg_trgm, owned by an ordinary role."""
    fresh = postgres.create_database()
    try:
        yield fresh
    finally:
        postgres.drop(fresh)


@pytest.fixture(scope="session")
def run_module(tmp_path_factory: pytest.TempPathFactory, secrets_guard: SecretsGuard) -> Iterator[ModuleRunner]:
    """Call it with a module's name and arguments: runs the module in a process of its own."""
    from support.ansible_runs import ModuleRunner
    from support.quick_python import launcher

    runner = ModuleRunner(tmp_path_factory.mktemp("modules"), secrets_guard)
    with launcher(runner.environment) as runner.python:
        yield runner


@pytest.fixture(scope="session")
def quick_python() -> Iterator[str]:
    """The interpreter of modules on this machine: it has started already."""
    from support.quick_python import launcher

    with launcher() as path:
        yield path


#: What this collection's modules ask an application's interpreter for, and what the reference application uses.
ALEMBIC = (
    *("alembic.autogenerate", "alembic.command", "alembic.runtime.environment"),
    *("sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
)
APPLICATION = (*ALEMBIC, "aiosqlite", "asyncpg", "httpx", "pydantic_settings")
#: This collection starts applications' interpreters with it.
ALWAYS_THE_SAME_ORDER = {"PYTHONHASHSEED": "0"}


@pytest.fixture(scope="session")
def quick_alembic() -> Iterator[str]:
    """The interpreter of applications that have Alembic: it has started already, with nothing of theirs imported."""
    from support.quick_python import launcher

    with launcher(ALWAYS_THE_SAME_ORDER, ALEMBIC) as path:
        yield path


@pytest.fixture(scope="session")
def quick_application() -> Iterator[str]:
    """The reference application's interpreter: it has started already, with nothing of the application imported."""
    from support.quick_python import launcher

    python = ROOT / ".cache" / "venv-mcps" / "bin" / "python"
    with launcher(ALWAYS_THE_SAME_ORDER, APPLICATION, str(python)) as path:
        yield path


@pytest.fixture
def playbook(tmp_path: Path, secrets_guard: SecretsGuard, quick_python: str) -> PlaybookRunner:
    """Call it with a playbook's path or a list of plays: runs ansible-playbook on this machine."""
    from support.ansible_runs import PlaybookRunner

    return PlaybookRunner(tmp_path / "playbooks", secrets_guard, quick_python)
