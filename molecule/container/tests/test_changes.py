# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a changed variable does to the server that runs: no more than it needs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.ansible_runs import PlaybookRun

pytestmark = pytest.mark.made_by("ansible")

NAME = "mcps-container"

Ask = Callable[[str], Any]
Provision = Callable[..., PlaybookRun]
Inspect = Callable[[str], dict[str, Any]]

STARTED = "SELECT pg_catalog.pg_postmaster_start_time()"


@pytest.fixture(scope="module", autouse=True)
def as_it_was(provision: Provision) -> Iterator[None]:
    """Ends with the inventory's own values; the tests do not, because every run takes its time."""
    yield
    provision().succeeded()


@pytest.fixture
def derive(inspect: Inspect) -> Iterator[Callable[[str, str], str]]:
    """derive(tag, instructions): an image on top of the one in use; removed in the end."""
    made = []

    def build(tag: str, instructions: str) -> str:
        name = f"{NAME}-derived:{tag}"
        dockerfile = f"FROM {inspect('postgres')['Config']['Image']}\n{instructions}\n"
        subprocess.run(["docker", "build", "-q", "-t", name, "-"], input=dockerfile, text=True, check=True, timeout=300)
        made.append(name)
        return name

    yield build
    for name in made:
        subprocess.run(["docker", "rmi", "--force", name], check=True, timeout=60)


def test_a_setting_takes_a_reload_and_only_where_needed_a_restart(ask: Ask, provision: Provision) -> None:
    started = ask(STARTED)
    provision(postgres_server_settings={"work_mem": "5MB"}).succeeded(changed=True)
    assert ask("SHOW work_mem") == "5MB"
    assert ask(STARTED) == started
    provision(postgres_server_settings={"work_mem": "5MB", "max_connections": 123}).succeeded(changed=True)
    assert ask("SHOW max_connections") == "123"
    assert ask(STARTED) > started


def test_a_wrong_setting_never_reaches_the_server(ask: Ask, provision: Provision, inspect: Inspect) -> None:
    started = ask(STARTED)
    provision(postgres_server_settings={"work_mem": "much"}).failed("invalid value for parameter", "work_mem")
    subprocess.run(["docker", "restart", f"{NAME}-postgres"], check=True, timeout=120)
    deadline = time.monotonic() + 120
    while inspect("postgres")["State"]["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline
        time.sleep(1)
    assert ask(STARTED) > started


def test_a_setting_that_keeps_the_server_from_starting_is_taken_back(ask: Ask, provision: Provision) -> None:
    libraries = ask("SHOW shared_preload_libraries")
    provision(postgres_server_settings={"shared_preload_libraries": "nowhere"}).failed(
        "does not start with the settings", 'could not access file "nowhere"'
    )
    assert ask("SHOW shared_preload_libraries") == libraries


def test_another_major_version_is_refused(ask: Ask, provision: Provision, derive: Callable[[str, str], str]) -> None:
    started = ask(STARTED)
    says = "RUN printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 99.1\"\\n' >/usr/local/bin/postgres && chmod 755 /usr/local/bin/postgres"
    image = derive("major", says)
    for check in (True, False):
        provision(check=check, postgres_server_container_image=image).failed(
            "was made by PostgreSQL 17", "is PostgreSQL 99", "postgres_server_container_image"
        )
    assert ask(STARTED) == started


def test_a_newer_image_takes_over_the_data(
    ask: Ask, provision: Provision, inspect: Inspect, derive: Callable[[str, str], str]
) -> None:
    before = inspect("postgres")
    rows = ask("SELECT count(*) FROM server")
    image = derive("minor", "LABEL newer=true")
    provision(check=True, postgres_server_container_image=image).succeeded(changed=True)
    assert inspect("postgres")["Id"] == before["Id"]
    provision(postgres_server_container_image=image).succeeded(changed=True)
    assert inspect("postgres")["Image"] != before["Image"]
    assert ask("SELECT count(*) FROM server") == rows
    provision(postgres_server_container_image=image).succeeded(changed=False)
