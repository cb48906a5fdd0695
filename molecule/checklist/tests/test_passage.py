# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened on the way from one database to the other, and back: what systemd, the migration's journal, the databases and a
client on another machine say of it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from installation import NAME, STATE, Installation, Passage, Request

from support.machines import Machine, wait_for

#: systemd notes that it has opened a socket a little later than clients do.
SLACK = 0.5


@pytest.fixture(scope="module")
def requests(installation: Installation, way: Passage) -> list[Request]:
    return installation.requests(way.name)


def test_traffic_was_closed_from_the_fence_to_the_end(way: Passage, requests: list[Request]) -> None:
    """Until it is closed every request is answered, then everyone is refused, and in the end every one answered again."""
    assert way.begun < way.closed < way.fenced < way.opened < way.ended
    before = [each for each in requests if each.ended < min(way.moments("stop", "entry-")) - SLACK]
    meanwhile = [each for each in requests if way.closed <= each.began <= way.opened - SLACK]
    after = [each for each in requests if each.began >= way.opened + SLACK]
    assert {each.status for each in before} == {201}
    assert {(each.status, "refused" in str(each.error)) for each in meanwhile} == {(None, True)}
    assert {each.status for each in after} == {201}
    # The client was there all the time.
    assert min(len(before), len(meanwhile), len(after)) >= 5
    moments = [each.began for each in requests if way.closed <= each.began <= way.opened]
    assert max(later - earlier for earlier, later in pairwise([way.closed, *moments, way.opened])) < 2


def test_nobody_came_in_while_the_new_side_was_asked(way: Passage, requests: list[Request]) -> None:
    """The API ran on either side behind the closed entry: it was asked by the migration alone."""
    (stopped,) = way.moments("stop", f"{NAME}-api.service")
    (started,) = way.moments("start", f"{NAME}-api.service")
    assert way.closed < stopped < started < way.opened
    for begin, end in ((way.closed, stopped), (started, way.opened - SLACK)):
        found = [each for each in requests if begin <= each.began <= end]
        assert {each.status for each in found} <= {None}
    assert [each for each in requests if started <= each.began <= way.opened - SLACK]


def test_what_was_answered_is_where_it_belongs(
    way: Passage, requests: list[Request], installation: Installation
) -> None:
    """A write that was answered before the entry was closed is on the old side, and after it was opened on the new side. On the
    way there the old ones are on the new side as well; on the way back they are given up, as was said."""
    old = {each.number for each in requests if each.status == 201 and each.ended < way.closed}
    new = {each.number for each in requests if each.status == 201 and each.ended > way.opened - SLACK}
    assert old | new == {each.number for each in requests if each.status == 201}
    assert old
    assert new
    left, right = (installation.posts_of_client(side, way.name) for side in (way.old, way.new))
    assert old <= left
    assert not new & left
    assert new <= right
    if way.name == "there":
        assert old <= right
    else:
        assert not old & right
        # What SQLite was told before it all is there.
        assert installation.posts_of_client("sqlite", "there")


def test_every_service_was_tried_before_the_entries_were_closed(way: Passage, installation: Installation) -> None:
    """Through the pooler, on tables without rows; had one not answered, the preflight would have ended the migration."""
    tried = installation.calls("application_probe")
    assert len(tried) == len(["/health", "/health/db", "the harvester's command", "the web site's page"])
    assert max(tried) < way.closed


def test_services_stopped_and_started_in_their_order(way: Passage) -> None:
    """Traffic first and last, what writes by itself next to it, then the others as the role orders them."""
    done = [job for job in way.jobs if job.unit.startswith((f"{NAME}-", "entry-")) and job.unit != "entry-web.service"]
    stopped = [job.unit for job in done if job.action == "stop" and not job.unit.startswith("entry-")]
    started = [job.unit for job in done if job.action == "start" and not job.unit.endswith("y-api.service")]
    if way.name == "there":
        assert stopped == ["hub-harvester.service", "hub-api.service"]
        assert started == [
            *("hub-api.service", "hub-web.service", "hub-harvester.service"),
            *("entry-api.socket", "entry-web.socket"),
        ]
    else:
        assert stopped == ["hub-harvester.service", "hub-web.service", "hub-api.service"]
        assert started == ["hub-api.service", "hub-harvester.service", "entry-api.socket"]
    stops, starts = way.moments("stop", f"{NAME}-"), way.moments("start", f"{NAME}-")
    assert way.begun < way.closed < min(stops) < max(stops) < way.fenced < min(starts) < max(starts) < way.ended


def test_the_harvester_stopped_before_the_fence_and_goes_on(way: Passage, installation: Installation) -> None:
    """What it reads afterwards arrives on the new side, and nothing arrives on the old one any more."""
    (stopped,) = way.moments("stop", f"{NAME}-harvester.service")
    (started,) = way.moments("start", f"{NAME}-harvester.service")
    assert stopped < way.fenced < started
    assert installation.state(f"{NAME}-harvester.service") == "active"
    wait_for("its rows arrive", lambda: max(installation.harvested(way.new)) > started, seconds=60)
    assert max(installation.harvested(way.old)) <= stopped
    assert not [moment for moment in installation.harvested(way.new) if stopped < moment < started]
    # It had been at work until then.
    assert max(installation.harvested(way.old)) > stopped - 60


def test_the_migration_switched_every_environment_file(installation: Installation) -> None:
    facts = installation.journal()["phases"]["switch"]["facts"]
    assert sorted(facts["environment_file"].split(", ")) == [
        f"/etc/{NAME}/{service}/environment" for service in ("api", "harvester", "web")
    ]


def test_the_answers_compared_include_a_search_and_a_detail_page(installation: Installation, host: Machine) -> None:
    """What the application said on SQLite behind the closed entry; the switch would have been undone, had PostgreSQL differed."""
    answers = {name: json.loads(text) for name, text in json.loads(host.read(f"{STATE}/smoke.json")).items()}
    assert len(answers) == 8
    assert [item["name"] for item in answers["a search for a server"]["items"]] == ["jira-time-1"]
    assert answers["a search for posts"]["total"] > 20
    assert answers["a server's page"]["name"] == "trace-web-12"
    assert answers["a tool's page"]["id"] == 8
    assert len({item["tool"]["id"] for item in answers["what is like a tool"]} - {8}) == 5


def test_the_web_site_is_started_on_postgresql_alone(way: Passage, installation: Installation) -> None:
    """What is started on the way back leaves it out, its entry as well, and nothing has started it since."""
    site = ["hub-web.service", "entry-web.socket"]
    said = installation.commands(way.begun, way.ended)
    named = [unit for command in said if command[:2] == ["systemctl", "start"] for unit in command[2:]]
    rest = ["hub-api.service", "hub-harvester.service", "entry-api.socket"]
    assert sorted(named) == sorted(rest + site if way.name == "there" else rest)
    done = [job.unit for job in installation.jobs(way.begun, 4e9) if job.action == "start" and job.unit in site]
    assert done == (site if way.name == "there" else [])
    assert [installation.state(unit) for unit in site] == ["active" if way.name == "there" else "inactive"] * 2
