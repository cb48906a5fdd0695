# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's rules: order of phases, agreement of the two copies, one source and one target."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import JournalError
from ansible_collections.mcps.postgres.plugins.module_utils._journal import (
    PHASES,
    Document,
    agreed,
    begun,
    closed,
    decoded,
    encoded,
    loaded_before,
    phase_state,
    stepped,
)

SOURCE = {"path": "/srv/a.db", "inode": 7}
TARGET = {"system": "1", "database_oid": 5, "database": "d", "schema": "public", "host": "h", "port": 5432}


def new(identifier: str = "one", previous: Document | None = None) -> Document:
    return begun(previous, identifier=identifier, now="t0", source=SOURCE, target=TARGET)


def step(document: Document, phase: str, state: str, **facts: Any) -> Document:
    return stepped(document, phase, state, now="t1", facts=facts, state_dir="/s")


def done_up_to(phase: str, document: Document | None = None) -> Document:
    document = document or new()
    for name in PHASES[: PHASES.index(phase) + 1]:
        document = step(step(document, name, "started"), name, "done")
    return document


def rolled_back(document: Document) -> Document:
    return closed(document, "rolled_back", now="t2", state_dir="/s")


def test_a_running_or_finished_migration_is_gone_on_with() -> None:
    running = done_up_to("load")
    assert new("two", running) is running
    finished = closed(done_up_to("switch"), "finished", now="t2", state_dir="/s")
    assert new("two", finished) is finished


def test_a_new_one_follows_a_rollback_and_remembers_that_rows_were_loaded() -> None:
    assert not loaded_before(new())
    second = new("two", rolled_back(done_up_to("load")))
    assert (second["id"], second["phases"], loaded_before(second)) == ("two", {}, True)
    assert not loaded_before(new("two", rolled_back(done_up_to("schema"))))
    third = new("three", rolled_back(second))
    assert [entry["id"] for entry in third["history"]] == ["one", "two"]
    assert loaded_before(third)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"path": "/srv/b.db"}, {}),
        ({"inode": 8}, {}),
        ({}, {"system": "2"}),
        ({}, {"database_oid": 6}),
        ({}, {"schema": "other"}),
    ],
)
def test_another_source_or_target_is_refused(source: dict[str, Any], target: dict[str, Any]) -> None:
    with pytest.raises(JournalError) as caught:
        begun(new(), identifier="two", now="t", source={**SOURCE, **source}, target={**TARGET, **target})
    assert caught.value.advice


def test_the_same_target_may_have_another_address_and_need_not_tell_its_cluster() -> None:
    running = new()
    target = {**TARGET, "host": "proxy", "port": 6432, "system": None}
    assert begun(running, identifier="two", now="t", source=SOURCE, target=target) is running


@pytest.mark.parametrize("phase", PHASES[1:])
def test_phases_start_in_order(phase: str) -> None:
    with pytest.raises(JournalError, match="not done") as caught:
        step(new(), phase, "started")
    assert caught.value.details["missing"] == list(PHASES[: PHASES.index(phase)])
    before = PHASES[PHASES.index(phase) - 1]
    assert phase_state(step(done_up_to(before), phase, "started"), phase) == "started"


@pytest.mark.parametrize("state", ["failed", "undone", "started"])
def test_what_is_not_done_any_more_holds_up_what_follows(state: str) -> None:
    document = step(done_up_to("verify"), "load", state)
    with pytest.raises(JournalError, match="(load is|load, verify are) not done"):
        step(document, "fence", "started")


def test_what_is_taken_back_takes_back_what_was_built_on_it() -> None:
    document = step(step(done_up_to("verify"), "fence", "started", fenced=True), "snapshot", "undone", reason="changed")
    states = {name: phase_state(document, name) for name in PHASES}
    assert states == {
        "preflight": "done",
        "schema": "done",
        "snapshot": "undone",
        "load": "undone",
        "verify": "undone",
        "fence": "undone",
        "switch": "",
    }
    assert document["phases"]["fence"]["facts"] == {"fenced": True}


def test_facts_are_kept_until_the_phase_begins_anew() -> None:
    document = step(step(new(), "preflight", "started", a=1), "preflight", "done", b=2)
    assert document["phases"]["preflight"]["facts"] == {"a": 1, "b": 2}
    assert step(document, "preflight", "done", b=2) is document
    assert step(document, "preflight", "started")["phases"]["preflight"]["facts"] == {}
    assert step(document, "preflight", "done", b=3)["sequence"] == document["sequence"] + 1


def test_closing() -> None:
    with pytest.raises(JournalError, match="fence, switch not done"):
        closed(done_up_to("verify"), "finished", now="t", state_dir="/s")
    finished = closed(done_up_to("switch"), "finished", now="t2", state_dir="/s")
    assert closed(finished, "finished", now="t3", state_dir="/s") is finished
    with pytest.raises(JournalError, match="finished"):
        step(finished, "load", "started")
    back = rolled_back(step(step(finished, "rollback", "started"), "switch", "undone"))
    assert rolled_back(back) is back
    with pytest.raises(JournalError, match="rolled_back"):
        step(back, "load", "started")
    with pytest.raises(JournalError):
        closed(None, "finished", now="t", state_dir="/s")
    with pytest.raises(JournalError):
        stepped(None, "load", "started", now="t", facts={}, state_dir="/s")


ONE, TWO = done_up_to("load"), done_up_to("load", new("two"))
AGREEMENTS: list[tuple[str, Document | None, Document | None, str, bool]] = [
    ("nothing", None, None, "none", False),
    ("same", ONE, ONE, "same", False),
    ("last step missing", step(ONE, "verify", "started"), ONE, "behind", False),
    ("killed while it began", new(), None, "behind", False),
    ("wrong or new database", ONE, None, "target_unknown", True),
    ("state lost", None, ONE, "state_lost", True),
    ("two migrations", ONE, TWO, "different", True),
    ("begun where another one is", new(), TWO, "state_lost", True),
    ("rolled back here, never told there", rolled_back(ONE), ONE, "behind", False),
    ("rolled back here, database new", rolled_back(ONE), None, "behind", False),
    ("rolled back there, nothing here", None, rolled_back(ONE), "none", False),
    ("rolled back there, another here", ONE, rolled_back(TWO), "target_unknown", True),
]


@pytest.mark.parametrize(
    ("local", "mirror", "verdict", "refused"), [a[1:] for a in AGREEMENTS], ids=[a[0] for a in AGREEMENTS]
)
def test_agreement(local: Document | None, mirror: Document | None, verdict: str, refused: bool) -> None:
    agreement = agreed(local, mirror, mirrored=True, state_dir="/s", where="database 'd'")
    assert agreement.verdict == verdict
    if refused:
        with pytest.raises(JournalError) as caught:
            agreement.required()
        assert caught.value.advice
    else:
        assert agreement.required() is local


def test_without_a_target_the_file_alone_counts() -> None:
    assert agreed(ONE, None, mirrored=False, state_dir="/s", where="").required() is ONE
    assert agreed(None, TWO, mirrored=False, state_dir="/s", where="").verdict == "none"


def test_text_and_back() -> None:
    assert decoded(encoded(ONE), "here") == ONE


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "mcps.postgres/journal/99"}'])
def test_what_is_no_journal_is_refused(text: str) -> None:
    with pytest.raises(JournalError, match="here"):
        decoded(text, "here")
