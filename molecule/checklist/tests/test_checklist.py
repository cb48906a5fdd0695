# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklist of the migration plan, each line of it a test from outside."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from installation import Installation
from selenium.webdriver.common.by import By

from support.browser import headless_browser
from support.hub import Hub
from support.machines import Machine, wait_for
from support.secrets_guard import SecretsGuard

#: How many connections the application may have: SQLAlchemy's own limit on SQLite, DB_POOL_SIZE and DB_MAX_OVERFLOW on
#: PostgreSQL (host_vars); and how many the pooler (molecule/shared/migration).
LIMIT, POOLER = {"sqlite": 15, "postgresql": 8}, 10

PLATFORMS = ("reddit", "twitter", "discord", "mastodon", "hacker-news")
ARTICLES = ("medium", "dev.to", "hashnode", "substack", "blog")
#: Says how the application's own engine gets to PostgreSQL.
WAY = """
import json, socket
from sqlalchemy import text
from packages.harvester.database import sync_engine
from packages.harvester.settings import load_settings

with sync_engine(load_settings()).connect() as connection:
    user, client, tls = connection.execute(text(
        "SELECT current_user, host(inet_client_addr()), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).one()
own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
print(json.dumps({"user": user, "tls": tls, "own": client in own}))
"""


def a_server(**fields: Any) -> dict[str, Any]:
    name = f"checklist {uuid.uuid4().hex}"
    return {"name": name, "primary_url": f"https://example.com/{uuid.uuid4()}", "host_type": "github", **fields}


def a_post(**fields: Any) -> dict[str, Any]:
    identity = uuid.uuid4().hex
    return {
        "platform": "reddit",
        "post_id": identity,
        "content": "It isn't «ASCII» only: 数据库 🚀",
        "url": f"https://example.com/{identity}",
        "published_at": "2026-03-01T12:00:00",
        **fields,
    }


def side_by_side(number: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(work, range(number)))


def test_database_connection(hub: Hub, installation: Installation, side: str) -> None:
    found = hub.get("/health/db")["database"]
    assert found["healthy"]
    assert found["database_type"] == side
    if side == "postgresql":
        assert json.loads(installation.run("api", "-c", WAY)) == {"user": "mcps_app", "tls": True, "own": False}


def test_all_migrations(installation: Installation) -> None:
    heads = installation.run("api", "-m", "alembic", "heads").split()
    current = installation.run("api", "-m", "alembic", "current").split()
    assert heads
    assert current == heads


@pytest.mark.parametrize("kind", ["servers", "tools", "posts"])
def test_crud(hub: Hub, kind: str) -> None:
    server = hub.get("/servers", limit=1)["items"][0]["id"]
    new = {
        "servers": a_server(stars=3),
        "tools": {"server_id": server, "name": f"tool {uuid.uuid4().hex}", "input_schema": {"type": ["a", None, 1.5]}},
        "posts": a_post(),
    }[kind]
    changed = "content" if kind == "posts" else "description"
    made = hub.ask(f"/{kind}", "POST", new)
    assert made.status == 201, made.text
    path = f"/{kind}/{made.document['id']}"
    read = hub.get(path)
    assert {name: read[name] for name in new if name in read} == {name: new[name] for name in new if name in read}
    assert hub.ask(path, "PATCH", {changed: "another “text”"}).status == 200
    assert hub.get(path) == {**read, changed: "another “text”"} | _touched(hub.get(path))
    assert hub.ask(path, "DELETE").status == 204
    assert hub.ask(path).status == 404


def _touched(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in ("updated_at",) if name in document}


def test_pooling_under_load(hub: Hub, database: Machine, side: str) -> None:
    seen = []

    def work(number: int) -> int:
        status = hub.ask("/servers", limit=200, offset=number).status
        seen.append(hub.pool())
        return status

    for _ in range(3):
        assert side_by_side(40, work) == [200] * 40
    assert max(pool["checked_out"] for pool in seen) <= LIMIT[side]
    assert max(pool["checked_out"] for pool in seen) > 1
    if side == "postgresql":
        used = database.admin("SELECT count(*) FROM pg_stat_activity WHERE usename = 'mcps_app'")
        assert 1 <= int(used[0][0]) <= POOLER
    wait_for("all connections are given back", lambda: hub.pool()["checked_out"] == 0)


def test_transaction_rollback(hub: Hub) -> None:
    """Twenty clients want the same post: one gets it, what the others had begun is taken back, and all can go on."""
    new = a_post()
    before = hub.total("posts", platform="reddit", since="2026-03-01T12:00:00")
    statuses = side_by_side(20, lambda _: hub.ask("/posts", "POST", new).status)
    assert sorted(statuses) == [201, *[409] * 19]
    assert hub.total("posts", platform="reddit", since="2026-03-01T12:00:00") == before + 1
    assert side_by_side(20, lambda _: hub.ask("/posts", "POST", a_post()).status) == [201] * 20


def test_health_check(hub: Hub, side: str, guard: SecretsGuard) -> None:
    health = hub.get("/health")
    assert health["status"] == "healthy"
    assert health["database"]["database_type"] == side
    assert health["database"]["latency_ms"] >= 0
    assert hub.get("/readiness")["status"] == "ready"
    assert hub.get("/liveness")["status"] == "alive"
    metrics = hub.ask("/metrics")
    assert f'database="{side}"' in metrics.text
    guard.check(metrics.text + json.dumps(health), "what the health checks say")


def test_api_endpoints(hub: Hub) -> None:
    servers = hub.get("/servers", limit=200)
    first = servers["items"][0]
    assert servers["total"] >= 50
    same = hub.get("/servers", host_type=first["host_type"], limit=200)
    assert {item["host_type"] for item in same["items"]} == {first["host_type"]}
    assert hub.get(f"/servers/{first['id']}") == first
    # One that has a vector.
    near = hub.get("/tools/8/similar", limit=3)
    assert len({item["tool"]["id"] for item in near} - {8}) == 3
    assert [item["distance"] for item in near] == sorted(item["distance"] for item in near)
    word = max(first["name"].replace("-", " ").split(), key=len)
    assert first["id"] in {item["id"] for item in hub.get("/search/servers", q=word, limit=200)["items"]}
    assert hub.ask("/servers/2147483647").status == 404
    assert hub.ask("/servers", limit=1000).status == 422
    paths = hub.get("/openapi.json")["paths"]
    assert {"/servers", "/tools", "/posts", "/search/servers", "/search/posts", "/health/db"} <= set(paths)


def test_web_pages(hub: Hub, installation: Installation, side: str, tmp_path: Path) -> None:
    """The site reads PostgreSQL only: on SQLite it is not there."""
    site = Hub(f"http://{installation.host.address}:3000")
    if side == "sqlite":
        assert installation.state("hub-web") == "inactive"
        with pytest.raises(OSError, match="refused"):
            site.ask("/health")
        return
    assert site.get("/health")["status"] == "healthy"
    server = hub.get("/servers", limit=1)["items"][0]
    with headless_browser(tmp_path) as browser:
        browser.get(f"{site.url}/")
        assert f"{hub.total('tools')}" in browser.find_element(By.TAG_NAME, "main").text.replace(",", "")
        browser.get(f"{site.url}/servers")
        links = [
            link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "main a[href*='/servers/']")
        ]
        assert links
        browser.get(f"{site.url}/servers/{server['uuid']}")
        assert server["name"] in browser.find_element(By.TAG_NAME, "h1").text
        browser.get(f"{site.url}/social?q=says")
        assert "says about servers" in browser.find_element(By.TAG_NAME, "main").text
        assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_social_harvesting(hub: Hub, installation: Installation, side: str) -> None:
    """One run by hand beside the one that goes on: every feed is read, and nothing is left out or there twice."""
    said = installation.run("harvester", "-m", "packages.harvester.cli", "harvest-social", "--platform", "all")
    assert {line.split()[0] for line in said.splitlines()} == {*PLATFORMS, *ARTICLES, "total"}
    for platform in PLATFORMS:
        part = f"What {platform} says about servers, part "
        rows = installation.rows(side, f"SELECT content FROM social_posts WHERE content LIKE '{part}%'")
        numbers = sorted(int(row[0].removeprefix(part)) for row in rows)
        assert len(numbers) >= 20
        assert numbers == [*range(len(numbers))]
        assert hub.get("/search/posts", q=f"says about servers {platform}", limit=1)["total"] >= 20


def test_background_tasks(hub: Hub, installation: Installation, host: Machine, side: str) -> None:
    """What goes on by itself writes, to the database that the application is on, and does not fail."""
    assert installation.state("hub-harvester.service") == "active"
    process = host.execute(["systemctl", "show", "-P", "MainPID", "hub-harvester.service"])
    posts, begun = hub.total("posts"), time.time()
    wait_for("the harvester adds posts", lambda: hub.total("posts") > posts, seconds=60)
    wait_for("and says when", lambda: max(installation.harvested(side)) > begun, seconds=60)
    assert host.execute(["systemctl", "show", "-P", "MainPID", "hub-harvester.service"]) == process
    failed = host.execute(["systemctl", "list-units", "--state=failed", "--no-legend", "--plain", "hub-*", "entry-*"])
    assert not failed.strip()
