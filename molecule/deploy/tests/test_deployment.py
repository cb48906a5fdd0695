# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new deployment, from outside."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from support.browser import headless_browser
from support.hub import Hub
from support.machines import Machine, wait_for
from support.secrets_guard import SecretsGuard

SERVICES = ("api", "harvester", "web")


def test_the_schema_is_at_its_newest_revision(database: Machine, host: Machine) -> None:
    files = host.execute(["sh", "-c", "ls /srv/hub/alembic/versions/[0-9]*.py"]).split()
    newest = Path(max(files)).name.partition("_")[0]
    assert database.admin("SELECT version_num FROM alembic_version", "mcps") == [[newest]]
    owners = database.admin("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'", "mcps")
    assert owners == [["mcps_owner"]]


def test_it_was_filled_once(hub: Hub) -> None:
    """The second run of the playbook added nothing."""
    assert hub.total("servers") == 40


def test_the_api_writes_and_reads(hub: Hub) -> None:
    name = f"deployed {uuid.uuid4().hex}"
    made = hub.ask("/servers", "POST", {"name": name, "primary_url": f"https://example.com/{name}", "host_type": "npm"})
    assert made.status == 201, made.text
    assert hub.get("/search/servers", q=f'"{name}"')["total"] == 1
    assert hub.ask(f"/servers/{made.document['id']}", "DELETE").status == 204


def test_each_service_goes_its_own_way(database: Machine) -> None:
    """Through the pooler, by its own role. What a role may not do is refused by the server."""
    used = {row[0] for row in database.admin("SELECT usename FROM pg_stat_activity WHERE datname = 'mcps'")}
    assert {"mcps_app", "mcps_reader"} <= used
    assert "mcps_owner" not in used
    refused = "SELECT has_table_privilege('mcps_reader', 'server', 'INSERT'), has_schema_privilege('mcps_app', 'public', 'CREATE')"
    assert database.admin(refused, "mcps") == [["f", "f"]]
    # All that listens beyond the host wants TLS.
    clear = "SELECT count(*) FROM pg_hba_file_rules WHERE type = 'host' AND address NOT IN ('127.0.0.1', '::1')"
    assert database.admin(clear) == [["0"]]


def test_the_harvester_runs_by_itself(hub: Hub, host: Machine) -> None:
    posts = hub.total("posts")
    wait_for("the timer brings posts", lambda: hub.total("posts") > posts, seconds=90)
    assert hub.get("/search/posts", q="says about servers", limit=1)["total"] > 0
    assert not host.execute(["systemctl", "list-units", "--state=failed", "--no-legend", "--plain", "hub-*"]).strip()


def test_the_web_site_shows_it(hub: Hub, host: Machine, tmp_path: Path) -> None:
    server = hub.get("/servers", limit=1)["items"][0]
    with headless_browser(tmp_path) as browser:
        browser.get(f"http://{host.address}:3000/servers/{server['uuid']}")
        assert browser.find_element(By.TAG_NAME, "h1").text == server["name"]
        browser.get(f"http://{host.address}:3000/servers")
        assert browser.find_element(By.ID, "total").text.startswith(f"{hub.total('servers')} ")


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_for_the_services_alone(host: Machine, guard: SecretsGuard, service: str) -> None:
    file = host.host.file(f"/etc/hub/{service}/environment")
    assert (file.user, file.group, file.mode) == ("root", "hub", 0o640)
    assert host.host.run(f"runuser -u nobody -- cat /etc/hub/{service}/environment").rc != 0
    assert "PGSSLMODE=verify-full" in file.content_string
    guard.check(host.read(f"/etc/systemd/system/hub-{service}.service"), "the unit")


def test_no_password_is_to_be_seen(host: Machine, guard: SecretsGuard) -> None:
    guard.check(host.execute(["ps", "-eo", "args"]), "the list of processes")
    guard.check(host.execute(["journalctl", "--no-pager"]), "the journal")


def test_a_service_that_dies_comes_back(hub: Hub, host: Machine) -> None:
    before = host.execute(["systemctl", "show", "--property=MainPID", "--value", "hub-api"])
    host.execute(["systemctl", "kill", "--signal=KILL", "hub-api"])
    wait_for(
        "another process",
        lambda: host.execute(["systemctl", "show", "-P", "MainPID", "hub-api"]) not in ("0\n", before),
    )

    def answers() -> bool:
        try:
            return hub.ask("/readiness").status == 200
        except OSError:
            return False

    wait_for("the API answers", answers, seconds=60)


def test_services_start_with_the_host(host: Machine) -> None:
    units = ["hub-api.service", "hub-web.service", "hub-harvester.timer"]
    assert host.execute(["systemctl", "is-enabled", *units]).split() == ["enabled"] * 3
