# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mcps.postgres.plugins.plugin_utils import _progress_action
from ansible_collections.mcps.postgres.plugins.plugin_utils._progress_action import Interrupted, _Job, _Look, _parse

DOWN = AnsibleConnectionFailure("no route to host")
ANSWER = ["banner", "mcps-job: 123 45", '{"step": "load", "pid": 7}']


class Host:
    """An action plugin whose host answers as told, one answer (or failure) after the other, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.commands: list[str] = []

    def _low_level_execute_command(self, command: str) -> dict[str, Any]:
        self.commands.append(command)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"rc": 0, "stdout": "\n".join(answer), "stdout_lines": answer, "stderr": ""}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which only sleeping moves on."""
    now = [0.0]
    monkeypatch.setattr(_progress_action.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_progress_action.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def job(host: Host) -> _Job:
    host.answers.insert(0, ["/tmp/mcps-1"])
    action: Any = host
    return _Job(action, {}, None, 60.0)


def test_a_lost_connection_is_tried_again(clock: list[float]) -> None:
    host = Host(*[DOWN] * 5, ANSWER)
    look = job(host)._look(_Look())
    assert (look.state, look.status["pid"], look.alive) == ("123 45", 7, True)
    assert 5 < clock[0] < 20


def test_a_connection_that_stays_lost_fails_after_the_lease(clock: list[float]) -> None:
    with pytest.raises(AnsibleConnectionFailure):
        job(Host(DOWN))._look(_Look())
    assert 60 <= clock[0] < 65


def test_the_death_of_ansible_playbook_is_noticed(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    watched = job(Host(DOWN))
    monkeypatch.setattr(os, "getppid", lambda: 1)
    with pytest.raises(Interrupted):
        watched._look(_Look())


def test_a_look_renews_the_lease_and_asks_whether_the_module_lives() -> None:
    host = Host(ANSWER)
    watched = job(host)
    watched._look(_Look())
    assert "touch /tmp/mcps-1/status.json.lease" in host.commands[-1] and "kill -0" not in host.commands[-1]
    watched._look(_Look(status={"pid": 7}))
    assert "kill -0 7 2>/dev/null || echo mcps-gone" in host.commands[-1]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], _Look()),
        (["mcps-job:"], _Look()),
        (["mcps-gone", "mcps-job: 1 2"], _Look(state="1 2", alive=False)),
        (["mcps-job: 1 2", '{"half'], _Look(state="1 2")),
        (ANSWER, _Look(state="123 45", status={"step": "load", "pid": 7})),
    ],
)
def test_what_a_look_says(lines: list[str], expected: _Look) -> None:
    assert _parse(lines) == expected


def test_no_room_on_the_host_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(Exception, match="mcps_progress to never"):
        _Job(Host([""]), {}, None, 60.0)  # type: ignore[arg-type]
