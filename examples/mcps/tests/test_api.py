# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API as clients see it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import AtHead, empty_database, sqlite_url
from serving import PATIENCE, Api, Pooler, running_api, until
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from packages.harvester.database import sync_engine
from packages.harvester.models import ToolEmbedding
from packages.harvester.settings import Settings

SERVER = {"name": "Weather", "primary_url": "https://example.org/weather", "host_type": "github"}
POST = {
    "platform": "reddit",
    "post_id": "p1",
    "content": "A forecast for seafarers",
    "url": "https://example.org/p1",
    "published_at": "2026-01-02T03:04:05+01:00",
}


@pytest.fixture
def api(database: str, at_head: AtHead, tmp_path: Path) -> Iterator[Api]:
    """On an empty database at its newest revision."""
    at_head(database)
    with running_api(tmp_path, DATABASE_URL=database) as found:
        yield found


@pytest.fixture(scope="module", params=["lite", "postgres"])
def untouched(
    request: pytest.FixtureRequest, at_head: AtHead, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The same for requests that leave nothing: they share it."""
    folder = tmp_path_factory.mktemp("untouched")
    with contextlib.ExitStack() as stack:
        if request.param == "lite":
            url = sqlite_url(folder / "mcps.db")
        else:
            server, run_sql = request.getfixturevalue("server"), request.getfixturevalue("run_sql")
            url = stack.enter_context(empty_database(server, run_sql))
        at_head(url)
        yield stack.enter_context(running_api(folder, DATABASE_URL=url))


@pytest.fixture
def filled(database: str, at_head: AtHead, tmp_path: Path) -> Iterator[Api]:
    """On a database with rows of 30 servers."""
    at_head(database, 30)
    with running_api(tmp_path, DATABASE_URL=database) as found:
        yield found


def done(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def away(answer: httpx.Response, seconds: str = "1", detail: str = "the database is away") -> None:
    """The client is told to come again."""
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, seconds), answer.text
    assert answer.json() == {"detail": detail}


def test_servers_are_created_read_changed_listed_and_deleted(api: Api) -> None:
    made = done(api.client.post("/servers", json={**SERVER, "topics": ["sea", "wind"], "stars": 7}), 201)
    key = made["id"]
    assert made["topics"] == ["sea", "wind"] and made["host_type"] == "github"
    assert done(api.client.get(f"/servers/{key}")) == made
    changed = done(api.client.patch(f"/servers/{key}", json={"stars": 8, "risk_level": "high"}))
    assert (changed["stars"], changed["risk_level"], changed["name"]) == (8, "high", "Weather")
    assert done(api.client.get("/servers", params={"min_stars": 8, "host_type": "github"}))["total"] == 1
    assert done(api.client.get("/servers", params={"min_stars": 9})) == {
        "items": [],
        "total": 0,
        "limit": 50,
        "offset": 0,
    }
    assert api.client.delete(f"/servers/{key}").status_code == 204
    assert done(api.client.get(f"/servers/{key}"), 404)["detail"]


def test_tools_and_posts(api: Api) -> None:
    server = done(api.client.post("/servers", json=SERVER), 201)["id"]
    tool = done(api.client.post("/tools", json={"server_id": server, "name": "forecast"}), 201)
    assert done(api.client.patch(f"/tools/{tool['id']}", json={"is_read_only": True}))["is_read_only"] is True
    assert done(api.client.get("/tools", params={"server_id": server}))["items"][0]["id"] == tool["id"]
    assert done(api.client.get(f"/tools/{tool['id']}/similar")) == []
    post = done(api.client.post("/posts", json={**POST, "hashtags": ["sea"]}), 201)
    assert post["published_at"] == "2026-01-02T02:04:05" and post["hashtags"] == ["sea"]
    assert done(api.client.get("/posts", params={"since": "2026-01-02T02:04:05Z"}))["total"] == 1
    assert done(api.client.get("/posts", params={"since": "2026-01-02T02:04:06Z"}))["total"] == 0
    assert api.client.delete(f"/posts/{post['id']}").status_code == 204
    # The tools of a server go with it.
    assert api.client.delete(f"/servers/{server}").status_code == 204
    assert done(api.client.get(f"/tools/{tool['id']}"), 404)


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/servers", {**SERVER, "stars": 2**31}, 422),
        ("/servers", {**SERVER, "name": "nul \0"}, 422),
        ("/servers", {**SERVER, "host_type": "GITHUB"}, 422),
        ("/servers", {"name": "only"}, 422),
        ("/tools", {"server_id": 4711, "name": "orphan"}, 409),
        ("/posts", {**POST, "published_at": "soon"}, 422),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    untouched: Api, path: str, document: dict[str, Any], status: int
) -> None:
    done(untouched.client.post(path, json=document), status)
    assert done(untouched.client.get(path))["total"] == 0


def test_a_value_that_is_there_already_rolls_the_transaction_back(api: Api) -> None:
    done(api.client.post("/servers", json=SERVER), 201)
    assert "another record" in done(api.client.post("/servers", json=SERVER), 409)["detail"]
    done(api.client.post("/servers", json={**SERVER, "primary_url": "https://example.org/other"}), 201)
    assert done(api.client.get("/servers"))["total"] == 2
    assert done(api.client.get("/health/db"))["database"]["pool"]["checked_out"] == 0


@pytest.mark.parametrize("key", [0, -1, 2**31, 2**40])
def test_ids_that_nobody_has(untouched: Api, key: int) -> None:
    done(untouched.client.get(f"/servers/{key}"), 404)


def test_search_finds_words(api: Api, database: str) -> None:
    done(api.client.post("/servers", json={**SERVER, "description": "Forecasts 100% of storms_at sea"}), 201)
    done(api.client.post("/posts", json=POST), 201)
    for words in ("storms", "STORMS forecasts"):
        assert done(api.client.get("/search/servers", params={"q": words}))["total"] == 1, words
    assert done(api.client.get("/search/servers", params={"q": "desert"}))["total"] == 0
    assert done(api.client.get("/search/posts", params={"q": "seafarers"}))["items"][0]["post_id"] == "p1"
    if database.startswith("postgresql"):
        # Another form of the word is another word for LIKE.
        assert done(api.client.get("/search/servers", params={"q": "storm forecasting"}))["total"] == 1
    else:
        assert done(api.client.get("/search/servers", params={"q": "0%"}))["total"] == 1
        assert done(api.client.get("/search/servers", params={"q": "s_a"}))["total"] == 1
        assert done(api.client.get("/search/servers", params={"q": "s_t"}))["total"] == 0


def vectors_of(database: str) -> dict[int, list[float]]:
    """The vectors of tools, as the embeddings have them."""
    engine = sync_engine(Settings(database_url=database))
    with Session(engine) as session:
        rows = session.execute(select(ToolEmbedding.tool_id, ToolEmbedding.embedding)).all()
    engine.dispose()
    return {key: [float(number) for number in numbers] for key, numbers in rows}


def apart(one: list[float], other: list[float]) -> float:
    """1 minus the cosine of their angle."""
    return 1 - sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_similar_tools_are_the_nearest_of_all(filled: Api, database: str) -> None:
    vectors = vectors_of(database)
    assert len(vectors) > 10 and len({len(each) for each in vectors.values()}) == 1
    for key, own in vectors.items():
        expected = sorted((apart(own, other), each) for each, other in vectors.items() if each != key)[:5]
        near = done(filled.client.get(f"/tools/{key}/similar", params={"limit": 5}))
        assert [item["tool"]["id"] for item in near] == [each for _distance, each in expected]
        # The databases keep float32.
        assert [item["distance"] for item in near] == pytest.approx([each for each, _ in expected], abs=1e-5)
    without = next(key for key in range(1, 40) if key not in vectors)
    assert done(filled.client.get(f"/tools/{without}/similar")) == []


def test_health_says_which_database_and_how_fast(api: Api, database: str) -> None:
    whole = done(api.client.get("/health"))
    kind = make_url(database).get_backend_name()
    assert whole["status"] == "healthy" and whole["database"]["database_type"] == kind
    found = done(api.client.get("/health/db"))["database"]
    assert found["healthy"] and found["latency_ms"] > 0 and found["pool"]["size"] > 0
    assert done(api.client.get("/readiness"))["status"] == "ready"
    assert done(api.client.get("/liveness")) == {"status": "alive"}


def test_metrics_have_requests_and_the_pool(api: Api) -> None:
    done(api.client.get("/servers/1"), 404)
    figures = api.client.get("/metrics").text
    assert 'mcps_http_requests_total{method="GET",path="/servers/{key}",status="404"} 1.0' in figures
    assert "mcps_http_request_seconds_bucket" in figures and "mcps_db_retries_total" in figures
    assert 'state="checked_out"} 0.0' in figures


def test_many_clients_at_once(filled: Api) -> None:
    def ask(number: int) -> int:
        return filled.client.get("/servers", params={"offset": number % 30, "limit": 5}).status_code

    with concurrent.futures.ThreadPoolExecutor(32) as clients:
        assert set(clients.map(ask, range(300))) == {200}
    assert done(filled.client.get("/health/db"))["database"]["pool"]["checked_out"] == 0


def test_writers_at_once_lose_nothing(api: Api) -> None:
    def write(number: int) -> int:
        document = {**POST, "post_id": f"p{number}", "url": f"https://example.org/{number}"}
        return api.client.post("/posts", json=document).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        assert set(clients.map(write, range(80))) == {201}
    assert done(api.client.get("/posts"))["total"] == 80


def test_lines_of_the_log_are_documents_without_passwords(api: Api, database: str) -> None:
    done(api.client.get("/servers", headers={"x-request-id": "mine"}))
    password = make_url(database).password
    started = next(line for line in api.lines if line["event"] == "started")
    assert started["level"] == "info" and (password is None or "***" in started["url"])
    request = next(line for line in api.lines if line["event"] == "request" and line.get("request") == "mine")
    assert (request["method"], request["path"], request["status"]) == ("GET", "/servers", 200) and request["ms"] > 0
    if password:
        assert str(password) not in api.log.read_text().replace(f"/{make_url(database).database}", "")


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_connection_that_the_server_closed_is_made_anew(
    filled: Api, postgres: str, run_sql: Callable[..., None]
) -> None:
    done(filled.client.get("/servers"))
    name = make_url(postgres).database
    run_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert done(filled.client.get("/servers"))["total"] == 30


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_database_that_is_away_is_told_and_comes_back(
    filled: Api, postgres: str, run_sql: Callable[..., None]
) -> None:
    name = make_url(postgres).database
    run_sql(
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        assert done(filled.client.get("/health"))["status"] == "unhealthy"
        done(filled.client.get("/readiness"), 503)
        done(filled.client.get("/liveness"))
        # Not 500: it is not the request's fault, and the same one will do later.
        away(filled.client.get("/servers"))
    finally:
        run_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert done(filled.client.get("/health"))["status"] == "healthy"
    assert done(filled.client.get("/servers"))["total"] == 30


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_lost_connection_is_tried_again(
    database: str, at_head: AtHead, tmp_path: Path, run_sql: Callable[..., None]
) -> None:
    at_head(database)
    # Else the pool would notice first.
    with running_api(tmp_path, DATABASE_URL=database, DB_POOL_PRE_PING="false") as api:
        name = make_url(database).database
        lost = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        done(api.client.get("/servers"))
        assert api.figure("mcps_db_retries_total") == 0
        run_sql(lost)
        done(api.client.get("/servers"))
        retries = api.figure("mcps_db_retries_total")
        assert retries >= 1
        run_sql(lost)
        done(api.client.post("/servers", json=SERVER), 201)
        assert api.figure("mcps_db_retries_total") > retries
        assert done(api.client.get("/servers"))["total"] == 1
        assert api.event("trying again")


@pytest.fixture
def pooler(postgres: str) -> Iterator[Pooler]:
    url = make_url(postgres)
    pooler = Pooler(str(url.host), url.port or 5432)
    yield pooler
    pooler.close()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_way_that_is_closed_is_tried_again_and_then_told(
    database: str, at_head: AtHead, tmp_path: Path, pooler: Pooler
) -> None:
    at_head(database)
    through = make_url(database).set(host="127.0.0.1", port=pooler.port).render_as_string(hide_password=False)
    settings = {"DATABASE_URL": through, "DB_POOLER": "true", "DB_RETRIES": "2", "PGSSLMODE": "disable"}
    with running_api(tmp_path, **settings) as api:
        done(api.client.get("/servers"))
        assert api.figure("mcps_db_retries_total") == 0
        pooler.close()
        for number in (1, 2):
            away(api.client.get("/servers"))
            assert api.figure("mcps_db_retries_total") == 2 * number
        away(api.client.post("/servers", json=SERVER))
        done(api.client.get("/readiness"), 503)
        # Whoever only looks does not try again.
        assert api.figure("mcps_db_retries_total") == 6
    assert count_servers(database) == 0


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_server_that_takes_no_writes_is_told(filled: Api, postgres: str, run_sql: Callable[..., None]) -> None:
    """A standby, or one that was fenced: reading goes on."""
    name = make_url(postgres).database
    run_sql(
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    away(filled.client.post("/servers", json=SERVER), "5", "the database takes no writes now")
    assert done(filled.client.get("/servers"))["total"] == 30


def taken(api: Api) -> bool:
    """Whether a connection of the pool is in use, without asking for another."""
    line = 'mcps_db_pool_connections{database="postgresql",state="checked_out"} 1.0'
    return line in api.client.get("/metrics").text.splitlines()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_pool_that_has_none_left_is_told(database: str, at_head: AtHead, tmp_path: Path) -> None:
    at_head(database)
    pool = {"DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "0.3"}
    with (
        running_api(tmp_path, DATABASE_URL=database, **pool) as api,
        concurrent.futures.ThreadPoolExecutor(1) as client,
        locked(database) as let_go,
    ):
        begun = client.submit(api.client.post, "/servers", json=SERVER)
        until(lambda: taken(api), "the request is at the database")
        away(api.client.get("/servers"))
        # More attempts would only make the queue longer.
        assert api.figure("mcps_db_retries_total") == 0
        let_go()
        done(begun.result(), 201)
        assert done(api.client.get("/servers"))["total"] == 1


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_database_that_is_slow_is_told(database: str, at_head: AtHead, tmp_path: Path) -> None:
    at_head(database)
    with (
        running_api(tmp_path, DATABASE_URL=database, DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0") as api,
        concurrent.futures.ThreadPoolExecutor(2) as clients,
        locked(database) as let_go,
    ):
        begun = clients.submit(api.client.post, "/servers", json=SERVER)
        until(lambda: taken(api), "the request is at the database")
        look = clients.submit(api.client.get, "/health")
        time.sleep(1.5)
        let_go()
        slow = done(look.result())
        done(begun.result(), 201)
        assert slow["status"] == "degraded"
        assert slow["database"]["healthy"] and 1000 < slow["database"]["latency_ms"] < 10_000
        assert done(api.client.get("/health"))["status"] == "healthy"


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("poolable", [True, False])
def test_prepared_statements_and_a_pooler(
    database: str, at_head: AtHead, tmp_path: Path, pooler: Pooler, poolable: bool
) -> None:
    """What is prepared on one connection is not there on the next: the setting says that nothing is to be relied on."""
    at_head(database)
    through = make_url(database).set(host="127.0.0.1", port=pooler.port, drivername="postgresql")
    engine = create_engine(through.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    # Each brings a connection along that is lent to all.
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(engine.connect()) for _ in range(3)]
        url = through.render_as_string(hide_password=False)
        api = stack.enter_context(running_api(tmp_path, DATABASE_URL=url, DB_POOLER=str(poolable), PGSSLMODE="disable"))
        statuses = {api.client.get("/servers").status_code for _ in range(10)}
        key = api.client.post("/servers", json=SERVER).json().get("id")
        statuses |= {api.client.patch(f"/servers/{key}", json={"stars": n}).status_code for n in range(10)}
        kept = sum(others[0].execute(text("SELECT name FROM pg_prepared_statements")).all() != [] for _ in range(12))
        if poolable:
            assert statuses == {200}
            assert (set(pooler.names), kept) == ({""}, 0)
        else:
            assert 500 in statuses and kept
            assert "26000" in {line.get("sqlstate") for line in api.lines}
    engine.dispose()


@contextlib.contextmanager
def locked(database: str) -> Iterator[Callable[[], None]]:
    """Nobody else writes a server meanwhile, or until what this gives is called."""
    engine = sync_engine(Settings(database_url=database))
    with engine.connect() as connection:
        lite = engine.dialect.name == "sqlite"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if lite else "LOCK TABLE server IN EXCLUSIVE MODE")
        yield connection.rollback
    engine.dispose()


def count_servers(database: str) -> int:
    engine = sync_engine(Settings(database_url=database))
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT count(*) FROM server"))
    engine.dispose()
    return int(found)


def stopping(api: Api) -> bool:
    """Whether the port is closed. Until then no answer may say that requests are welcome."""
    try:
        # Not the client that has connections from before.
        answer = httpx.get(f"{api.client.base_url}/readiness")
    except httpx.TransportError:
        return True
    assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
    return False


def test_a_running_request_is_finished_when_the_service_stops(api: Api, database: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as client, locked(database) as let_go:
        begun = client.submit(api.client.post, "/servers", json=SERVER)
        until(lambda: api.pool()["checked_out"] == 1, "the request is at the database")
        api.process.send_signal(signal.SIGTERM)
        until(lambda: api.event("stopping") is not None, "the signal arrives")
        until(lambda: stopping(api), "the port is closed")
        time.sleep(0.5)
        assert not begun.done() and api.process.poll() is None
        let_go()
        assert done(begun.result(), 201)["name"] == "Weather"
    # Uvicorn ends by the signal that it was sent, after it has finished.
    assert api.process.wait(PATIENCE) == -signal.SIGTERM
    assert api.event("stopped")
    assert count_servers(database) == 1


def test_a_request_that_takes_too_long_is_given_up_when_the_service_stops(
    database: str, at_head: AtHead, tmp_path: Path
) -> None:
    at_head(database)
    with (
        running_api(tmp_path, DATABASE_URL=database, API_SHUTDOWN_SECONDS="1") as api,
        concurrent.futures.ThreadPoolExecutor(1) as client,
        locked(database) as let_go,
    ):
        begun = client.submit(api.client.post, "/servers", json=SERVER)
        until(lambda: api.pool()["checked_out"] == 1, "the request is at the database")
        api.process.send_signal(signal.SIGTERM)
        # While the lock is held.
        assert api.process.wait(10) == -signal.SIGTERM
        assert api.event("stopped") and begun.result().status_code == 500
        let_go()
    assert count_servers(database) == 0


def test_settings_that_are_no_good_are_told(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="there is no SQLite database"),
        running_api(tmp_path, DATABASE_URL="sqlite:///none.db"),
    ):
        pass
