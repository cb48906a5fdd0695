# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference application's web site, built and running, on a real server and in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from psycopg2 import sql
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By

from support.authority import Authority, tls_entry
from support.browser import headless_browser
from support.secrets_guard import SecretsGuard, awkward_password
from support.server import Database, Server, running_server
from support.web_site import NODE, WebSite, running_site

ROOT = Path(__file__).parents[2]
APPLICATION = ROOT / "examples" / "mcps"
PYTHON = ROOT / ".cache" / "venv-mcps" / "bin" / "python"
SERVERS, PAGE_SIZE, POOL = 60, 20, 4
HOSTILE = [
    "'; DROP TABLE server; --",
    '<script>alert("x")</script>',
    "100% _ \\ $1 %s",
    '"unbalanced & | ! ( :*',
    "\U0001f680 数据",
]


@pytest.fixture(scope="module")
def server(secrets_guard: SecretsGuard) -> Iterator[Server]:
    """One of its own: a test stops it."""
    with running_server(secrets_guard) as server:
        yield server


@pytest.fixture(scope="module")
def owner(server: Server) -> Database:
    """The application's database at its newest revision, with rows."""
    database = server.create_database()
    environment = {**os.environ, "DATABASE_URL": database.url("psycopg2"), "PYTHONPATH": str(APPLICATION)}
    for command in (["alembic", "upgrade", "head"], ["packages.harvester.cli", "seed", "--servers", str(SERVERS)]):
        done = subprocess.run(
            [str(PYTHON), "-m", *command], cwd=APPLICATION, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    database.query(
        "UPDATE server SET name = %s, primary_url = 'javascript:alert(1)' WHERE id = (SELECT id FROM server ORDER BY stars, id LIMIT 1)",
        ("<b>bold</b> & 'quoted'",),
    )
    return database


@pytest.fixture(scope="module")
def reader(server: Server, owner: Database, secrets_guard: SecretsGuard) -> Database:
    """A role that may do nothing but read."""
    password = secrets_guard.add(awkward_password())
    server.execute(sql.SQL("CREATE ROLE web_reader LOGIN PASSWORD {}").format(sql.Literal(password)))
    for statement in (
        "GRANT USAGE ON SCHEMA public TO web_reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO web_reader",
    ):
        owner.query(statement)
    return Database(owner.name, owner.host, owner.port, "web_reader", password)


def settings(database: Database, **more: str) -> dict[str, str]:
    return {
        "POSTGRES_HOST": database.host,
        "POSTGRES_PORT": str(database.port),
        "POSTGRES_USER": database.user,
        "POSTGRES_PASSWORD": database.password,
        "POSTGRES_DB": database.name,
        "DB_POOL_SIZE": str(POOL),
        **more,
    }


@pytest.fixture(scope="module")
def site(reader: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with running_site(tmp_path_factory.mktemp("site"), settings(reader)) as site:
        yield site


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with headless_browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


Show = Callable[..., "Shown"]


class Shown:
    """A page in the browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def texts(self, selector: str) -> list[str]:
        return self._of_each(selector, lambda element: element.text)

    def links(self, selector: str) -> list[str]:
        return self._of_each(selector, lambda element: str(element.get_attribute("href")))

    def _of_each(self, selector: str, what: Callable[[Any], str]) -> list[str]:
        """A page that gives way to the next one between two questions is asked again."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return [what(element) for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]
            except StaleElementReferenceException:
                assert time.monotonic() < deadline, "the page does not come to rest"

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    @property
    def total(self) -> int:
        return int(self.texts("#total")[0].split()[0].replace(",", ""))


@pytest.fixture
def show(browser: Any, site: WebSite) -> Iterator[Show]:
    """show("/path", name=value): the page, once it is there. At the end: nothing failed in the browser or was fetched elsewhere."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)

    def go(path: str, **query: str) -> Shown:
        browser.get(f"{site.url}{path}?{urlencode(query)}" if query else f"{site.url}{path}")
        return Shown(browser)

    yield go
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((site.url, "data:"))] == []


def test_home_counts(show: Show, owner: Database) -> None:
    page = show("/")
    tables = {
        "servers": "server",
        "tools": "tool",
        "prompts": "prompt",
        "posts": "social_posts",
        "articles": "articles",
        "videos": "videos",
    }
    for name, table in tables.items():
        (expected,) = owner.query(f"SELECT count(*) FROM {table}")[0]
        assert page.texts(f"[data-count={name}] dd") == [f"{expected:,}"]
    best = owner.query("SELECT name FROM server ORDER BY stars DESC, id LIMIT 5")
    assert page.texts(".server h3") == [name for (name,) in best]


def test_pages_of_servers_show_each_once(show: Show, owner: Database) -> None:
    page = show("/servers")
    expected = [f"{uuid}" for (uuid,) in owner.query("SELECT uuid FROM server ORDER BY stars DESC, id")]
    assert page.total == len(expected) > 2 * PAGE_SIZE
    found = []
    while True:
        found += [link.rpartition("/")[2] for link in page.links(".server h3 a")]
        if not page.links("[rel=next]"):
            break
        page = show("/" + page.links("[rel=next]")[0].split("/", 3)[3])
    assert found == expected
    assert page.links("[rel=prev]")


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ({"host": "NPM"}, "host_type = 'NPM'"),
        ({"risk": "SAFE"}, "risk_level = 'SAFE'"),
        ({"verified": "yes"}, "verified_source"),
        ({"host": "GITHUB", "verified": "yes"}, "host_type = 'GITHUB' AND verified_source"),
        ({"host": "no such"}, "true"),
    ],
)
def test_filters(show: Show, owner: Database, query: dict[str, str], condition: str) -> None:
    expected = owner.query(f"SELECT name FROM server WHERE {condition} ORDER BY stars DESC, id")
    page = show("/servers", **query)
    assert page.total == len(expected) > 0
    assert page.texts(".server h3") == [name for (name,) in expected[:PAGE_SIZE]]


def test_full_text_search_through_the_form(show: Show, owner: Database) -> None:
    words = owner.query(
        "SELECT word FROM ts_stat('SELECT search_vector FROM server') WHERE word ~ '^[a-z]{5,}$' AND ndoc BETWEEN 2 AND 15 "
        "ORDER BY word LIMIT 1"
    )[0][0]
    page = show("/servers")
    page.driver.find_element(By.NAME, "q").send_keys(words)
    page.click("form button")
    expected = owner.query(
        "SELECT uuid::text FROM server WHERE search_vector @@ websearch_to_tsquery('english', %s) "
        "ORDER BY ts_rank(search_vector, websearch_to_tsquery('english', %s)) DESC, id",
        (words, words),
    )
    assert page.total == len(expected) >= 2
    assert [link.rpartition("/")[2] for link in page.links(".server h3 a")] == [uuid for (uuid,) in expected]
    assert page.driver.find_element(By.NAME, "q").get_attribute("value") == words


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("path", ["/servers", "/social"])
def test_hostile_words_are_only_words(site: WebSite, owner: Database, path: str, words: str) -> None:
    before = owner.query("SELECT count(*) FROM server")
    for name in ("q", "page", "host", "platform"):
        answer = site.get(f"{path}?{name}={quote(words)}")
        assert answer.status == 200
        assert "<script>alert" not in answer.text
    assert owner.query("SELECT count(*) FROM server") == before


@pytest.mark.parametrize(
    "path", ["/servers?q=%00", "/servers?page=-1", "/servers?page=1e99", "/social?page=99999", "/servers?q=a&q=b"]
)
def test_odd_addresses_are_answered(site: WebSite, path: str) -> None:
    assert site.get(path).status == 200


def test_detail_has_all_that_belongs_to_the_server(show: Show, owner: Database) -> None:
    uuid, key, name = owner.query("SELECT uuid::text, id, name FROM server ORDER BY stars DESC, id LIMIT 1")[0]
    page = show("/servers")
    page.click(".server h3 a")
    deadline = time.monotonic() + 10
    while page.texts("h1") != [name] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert page.texts("h1") == [name]
    assert page.driver.current_url.endswith(f"/servers/{uuid}")
    tools = owner.query("SELECT name FROM tool WHERE server_id = %s ORDER BY name, id", (key,))
    assert tools
    assert page.texts("[data-part=tools] h3") == [tool for (tool,) in tools]


def test_what_harvesters_found_is_text(show: Show, owner: Database) -> None:
    """Markup in a name is shown as it is, and an address that is a script is no link."""
    (uuid,) = owner.query("SELECT uuid::text FROM server WHERE primary_url LIKE 'javascript:%%'")[0]
    page = show(f"/servers/{uuid}")
    assert page.texts("h1") == ["<b>bold</b> & 'quoted'"]
    assert "javascript:alert(1)" in page.texts(".facts")[0]
    assert not [link for link in page.links("a") if link.startswith("javascript")]


@pytest.mark.parametrize("uuid", ["00000000-0000-0000-0000-000000000000", "1", "'", "%00", "..%2f..%2fetc"])
def test_unknown_server(site: WebSite, uuid: str) -> None:
    answer = site.get(f"/servers/{uuid}")
    assert answer.status == 404


def test_social_feed(show: Show, owner: Database) -> None:
    page = show("/social", platform="REDDIT")
    expected = owner.query(
        "SELECT uuid::text FROM social_posts WHERE platform = 'REDDIT' ORDER BY published_at DESC, id DESC"
    )
    assert page.total == len(expected) > 0
    found = [element.get_attribute("data-uuid") for element in page.driver.find_elements(By.CSS_SELECTOR, ".post")]
    assert found == [uuid for (uuid,) in expected[:PAGE_SIZE]]
    (moment,) = owner.query(
        "SELECT to_char(max(published_at), 'YYYY-MM-DD HH24:MI') FROM social_posts WHERE platform = 'REDDIT'"
    )[0]
    assert page.texts(".post time")[0] == moment


def test_pages_show_what_is_there_now(site: WebSite, owner: Database) -> None:
    name = f"fresh {time.time_ns()}"
    owner.query(
        "UPDATE server SET name = %s WHERE id = (SELECT id FROM server ORDER BY stars DESC, id LIMIT 1)", (name,)
    )
    assert name in site.get("/").text
    assert name in site.get("/servers").text


def test_headers_keep_other_origins_out(site: WebSite) -> None:
    headers = site.get("/").headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "X-Powered-By" not in headers


def test_pool_is_held_under_load(site: WebSite, owner: Database) -> None:
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            (number,) = owner.query("SELECT count(*) FROM pg_stat_activity WHERE usename = 'web_reader'")[0]
            most = max(most, number)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(40) as threads:
            statuses = list(threads.map(lambda number: site.get(f"/servers?page={number % 3 + 1}").status, range(120)))
    finally:
        done.set()
        watcher.join()
    assert statuses == [200] * 120
    assert 1 < most <= POOL


@pytest.mark.parametrize("driver", ["", "asyncpg"])
def test_url_instead_of_parts(reader: Database, tmp_path: Path, driver: str) -> None:
    with running_site(tmp_path, {"DATABASE_URL": reader.url(driver)}) as site:
        assert site.get("/health").status == 200


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"POSTGRES_HOST": "db.example.com"}, "set it to verify-full"),
        ({"POSTGRES_HOST": "db.example.com", "PGSSLMODE": "require"}, "knows verify-full and disable"),
        ({"DATABASE_URL": "sqlite+aiosqlite:///data/mcps.db"}, "reads PostgreSQL only"),
        ({"USE_SQLITE": "true"}, "reads PostgreSQL only"),
        ({"DATABASE_URL": "postgresql://u:p@h:port/d"}, "percent-encode"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE is many"),
    ],
)
def test_settings_that_will_not_do(tmp_path: Path, environment: dict[str, str], reason: str) -> None:
    with running_site(tmp_path, environment) as site:
        answer = site.get("/health")
        assert (answer.status, json.loads(answer.text)) == (503, {"status": "unhealthy"})
        assert reason in site.log.read_text()


def test_server_without_tls_is_refused(reader: Database, tmp_path: Path, secrets_guard: SecretsGuard) -> None:
    with running_site(tmp_path, settings(reader, PGSSLMODE="verify-full")) as site:
        assert site.get("/health").status == 503
        assert "does not support SSL" in site.log.read_text()
        secrets_guard.check(site.log.read_text(), "the site's log")


@pytest.mark.parametrize(
    ("trusted", "name", "reason"),
    [
        ("own", "localhost", ""),
        ("foreign", "localhost", "unable to verify the first certificate"),
        ("", "localhost", "unable to verify the first certificate"),
        ("own", "db.example.com", "does not match certificate's altnames"),
    ],
    ids=["right", "authority", "no-authority", "name"],
)
def test_only_the_server_that_was_meant_is_talked_to(
    reader: Database, tmp_path: Path, secrets_guard: SecretsGuard, trusted: str, name: str, reason: str
) -> None:
    """With the certificate of another authority, or of another name, it hears no word, and so no password."""
    authorities = {each: Authority(tmp_path, each).write() for each in ("own", "foreign")}
    tls = {"PGSSLMODE": "verify-full"}
    if trusted:
        tls["PGSSLROOTCERT"] = str(authorities[trusted].file)
    with tls_entry(reader.host, reader.port, authorities["own"].issue("server", name, 200)) as entry:
        place = {"POSTGRES_HOST": "localhost", "POSTGRES_PORT": str(entry.port)}
        with running_site(tmp_path, settings(reader, **tls, **place)) as site:
            assert site.get("/health").status == (503 if reason else 200)
            assert (entry.heard == 0) == bool(reason)
            assert reason in site.log.read_text()
            secrets_guard.check(site.log.read_text(), "the site's log")


def test_connection_that_nobody_uses_does_not_keep_it_from_stopping(reader: Database, tmp_path: Path) -> None:
    """Browsers open one in advance, for which Next would wait a minute."""
    with (
        running_site(tmp_path, settings(reader, WEB_SHUTDOWN_SECONDS="1")) as site,
        socket.create_connection(("127.0.0.1", site.port)) as unused,
    ):
        begun = time.monotonic()
        assert site.stop() == 143
        assert time.monotonic() - begun < 10
        assert unused.recv(1) == b""


def test_request_is_finished_when_the_site_stops(owner: Database, reader: Database, tmp_path: Path) -> None:
    with (
        running_site(tmp_path, settings(reader)) as site,
        ThreadPoolExecutor(1) as client,
        contextlib.closing(owner.connect()) as lock,
    ):
        lock.cursor().execute("LOCK TABLE server IN ACCESS EXCLUSIVE MODE")
        page = client.submit(site.get, "/servers")
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'server'::regclass AND NOT granted"
        deadline = time.monotonic() + 10
        while owner.query(waiting) != [(1,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        site.process.terminate()
        time.sleep(1)
        assert not page.done() and site.process.poll() is None
        lock.rollback()
        assert page.result().status == 200
        assert site.stop() == 143


@pytest.mark.parametrize("password", ["change-me", "aZ09._-/:@%+"])
def test_environment_file_is_read_by_node_as_by_the_application(tmp_path: Path, password: str) -> None:
    """The application's own tests compare it with other readers."""
    text = (APPLICATION / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(text.replace("=change-me", f"={password}"), encoding="utf-8")
    read = {
        str(PYTHON): ["-c", "import dotenv, json; print(json.dumps(dotenv.dotenv_values('.env')))"],
        str(NODE): ["--env-file=.env", "-p", "JSON.stringify(process.env)"],
    }
    by_application, by_node = (
        json.loads(subprocess.run([program, *words], cwd=tmp_path, env={}, capture_output=True, check=True).stdout)
        for program, words in read.items()
    )
    assert by_application == by_node and by_node["POSTGRES_PASSWORD"] == password


def test_health_follows_the_server(server: Server, site: WebSite, secrets_guard: SecretsGuard) -> None:
    """The last test: it stops the server."""
    assert json.loads(site.get("/health").text)["status"] == "healthy"
    server.stop()
    down = site.get("/health")
    assert (down.status, json.loads(down.text)) == (503, {"status": "unhealthy"})
    assert site.get("/servers").status == 500
    server.start()
    assert json.loads(site.get("/health").text)["status"] == "healthy"
    assert site.get("/servers").status == 200
    secrets_guard.check(site.log.read_text(), "the site's log")
