# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the load."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.imports import Case, Running, Start

if TYPE_CHECKING:
    from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import Session
    from support.ansible_runs import ModuleRunner
    from support.server import Database, Server


@pytest.fixture(scope="module")
def session(postgres: Server) -> Iterator[Session]:
    """A session in a database with the types that the tests of the conversions speak of."""
    from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import connect

    database = postgres.create_database(extensions=("vector", "citext"))
    with connect(database.login) as opened:
        opened.execute("CREATE TYPE public.mood AS ENUM ('HAPPY', 'SAD')")
        yield opened
    postgres.drop(database)


@pytest.fixture
def case(database: Database, run_module: ModuleRunner, tmp_path: Path) -> Case:
    return Case(database, run_module, tmp_path)


@pytest.fixture
def running() -> Iterator[Start]:
    """Call it with a case and a table: the module begins to load and is held up at a row of that table."""
    with contextlib.ExitStack() as stack:

        def start(case: Case, table: str, condition: str = "pause()", **arguments: Any) -> Running:
            return stack.enter_context(contextlib.closing(Running(case, table, arguments, condition)))

        yield start
