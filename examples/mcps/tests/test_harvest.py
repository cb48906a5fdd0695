# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""harvest-social, with feeds on this machine, on SQLite and on PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from databases import AtHead
from serving import PROJECT, Feeds, environment, posts, until
from sqlalchemy import text

from packages.harvester.database import sync_engine
from packages.harvester.settings import Settings
from packages.harvester.social import FEEDS


class Harvester:
    """Runs the command line against I(feeds), and looks into the database."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.feeds = Feeds({name: posts(name, 25) for name in FEEDS})

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "packages.harvester.cli", "harvest-social", *words],
            cwd=self.folder,
            env=environment(DATABASE_URL=self.database, FEED_URL=self.feeds.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def value(self, statement: str) -> Any:
        engine = sync_engine(Settings(database_url=self.database))
        with engine.connect() as connection:
            found = connection.scalar(text(statement))
        engine.dispose()
        return found

    def urls(self) -> list[str]:
        """Of all posts and articles, as often as they are there."""
        engine = sync_engine(Settings(database_url=self.database))
        with engine.connect() as connection:
            found = connection.scalars(text("SELECT url FROM social_posts UNION ALL SELECT url FROM articles")).all()
        engine.dispose()
        return sorted(found)

    def kept(self) -> int:
        return int(self.value("SELECT (SELECT count(*) FROM social_posts) + (SELECT count(*) FROM articles)"))


@pytest.fixture
def harvester(database: str, at_head: AtHead, tmp_path: Path) -> Harvester:
    at_head(database)
    return Harvester(database, tmp_path)


def total(output: str) -> int:
    return int(output.splitlines()[-1].split()[-1])


def test_all_feeds_by_many_workers_and_nothing_twice(harvester: Harvester) -> None:
    harvester.feeds.together = len(FEEDS)
    status, output, errors = harvester.run("--platform", "all", "--workers", str(len(FEEDS)), "--page", "10")
    assert (status, errors) == (0, "")
    assert harvester.feeds.most == len(FEEDS) > 4
    assert total(output) == 25 * len(FEEDS)
    assert harvester.urls() == sorted(item["url"] for items in harvester.feeds.items.values() for item in items)
    assert harvester.value("SELECT min(published_at) FROM social_posts") is not None
    status, output, _ = harvester.run()
    assert (status, total(output)) == (0, 0) and harvester.kept() == 25 * len(FEEDS)


@pytest.mark.parametrize("database", ["lite"], indirect=True)
def test_a_worker_reads_one_feed_at_a_time(harvester: Harvester) -> None:
    assert harvester.run("--workers", "1", "--page", "25")[0] == 0
    assert harvester.feeds.most == 1 and harvester.kept() == 25 * len(FEEDS)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_workers_write_at_the_same_time(harvester: Harvester, database: str) -> None:
    """Each is seen to wait, in a transaction of its own, for the lock that the test holds."""
    waiting = (
        "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO %'"
    )
    engine = sync_engine(Settings(database_url=database))
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE social_posts, articles IN EXCLUSIVE MODE"))
        process = harvester.start("--workers", "4", "--page", "5")
        try:
            until(lambda: harvester.value(waiting) == 4, "all four workers write")
            assert harvester.kept() == 0
        finally:
            connection.rollback()
            output, errors = process.communicate(timeout=60)
    engine.dispose()
    assert (process.returncode, errors) == (0, "")
    assert total(output) == 25 * len(FEEDS)
    assert harvester.urls() == sorted(item["url"] for items in harvester.feeds.items.values() for item in items)


def test_what_is_new_is_added_and_what_changed_is_brought_up_to_date(harvester: Harvester) -> None:
    assert harvester.run("--platform", "reddit")[0] == 0
    harvester.feeds.items["reddit"] += posts("reddit", 5, 25)
    again = {**posts("reddit", 1)[0], "id": "again", "score": 4711}
    harvester.feeds.items["reddit"].append(again)
    status, output, _ = harvester.run("--platform", "reddit")
    assert (status, total(output), harvester.kept()) == (0, 6, 30)
    assert harvester.value("SELECT score FROM social_posts WHERE url = 'https://reddit.example/0'") == 4711


def test_a_run_that_was_killed_is_gone_on_with(harvester: Harvester) -> None:
    harvester.feeds.pause = 0.05
    process = harvester.start("--workers", "4", "--page", "2")
    deadline = time.monotonic() + 30
    while harvester.kept() < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = harvester.kept()
    assert 0 < there < 25 * len(FEEDS)
    harvester.feeds.pause = 0.0
    status, output, _ = harvester.run("--workers", "4", "--page", "10")
    assert status == 0 and total(output) == 25 * len(FEEDS) - there
    assert harvester.kept() == 25 * len(FEEDS)


def test_a_feed_that_fails_does_not_keep_the_others(harvester: Harvester) -> None:
    harvester.feeds.fail_after["reddit"] = 10
    status, _, errors = harvester.run("--page", "10")
    assert status == 1 and "feed reddit after 'reddit-9'" in errors
    assert harvester.kept() == 25 * (len(FEEDS) - 1) + 10
    harvester.feeds.fail_after.clear()
    assert harvester.run()[0] == 0 and harvester.kept() == 25 * len(FEEDS)


def test_it_begins_anew_until_it_is_stopped(harvester: Harvester) -> None:
    process = harvester.start("--platform", "mastodon", "--every", "0.2")
    deadline = time.monotonic() + 30
    while len(harvester.feeds.asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and output.count("total") >= 2


def test_without_feeds_it_says_so(harvester: Harvester, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "packages.harvester.cli", "harvest-social"],
        cwd=PROJECT,
        env=environment(DATABASE_URL=harvester.database),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "FEED_URL" in done.stderr
