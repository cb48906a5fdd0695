# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets the lock."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import LockedError
from ansible_collections.mcps.postgres.plugins.module_utils._lock import decide, rebooted, same_controller

ME = {
    "controller": "deploy01",
    "machine": "m1",
    "boot": "b1",
    "namespace": "pid:[1]",
    "pid": "100",
    "started": "555",
    "inventory_host": "app1",
    "user": "ops",
}


def held(**other: Any) -> dict[str, Any]:
    return {**ME, "pid": "99", "token": "t", "since": "2026-11-22T10:00:00Z", "phase": "load", **other}


ELSEWHERE = {"controller": "deploy02", "machine": "m2", "boot": "b2"}
CASES = [
    ("free", None, {}, "take"),
    ("own", held(pid="100"), {}, "keep"),
    ("another host of this run", held(pid="100", inventory_host="app2"), {}, ""),
    ("a later process with this number", held(pid="100", started="1"), {}, ""),
    ("live here", held(), {}, ""),
    ("live here, lease run out", held(), {"seconds_left": -5.0}, ""),
    ("dead here", held(), {"dead": "t"}, "take_over"),
    ("another one than the dead one", held(), {"dead": "other"}, ""),
    ("elsewhere, lease runs", held(**ELSEWHERE), {}, ""),
    ("elsewhere, lease run out", held(**ELSEWHERE), {"seconds_left": -5.0}, "take_over"),
    ("same name, another container", held(namespace="pid:[2]"), {"seconds_left": -5.0}, "take_over"),
    ("broken", held(**ELSEWHERE), {"break_lock": True}, "take_over"),
]


@pytest.mark.parametrize(("holder", "options", "action"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_decision(holder: dict[str, Any] | None, options: dict[str, Any], action: str) -> None:
    options = {"seconds_left": 60.0, **options}
    if action:
        assert decide(holder, ME, **options).action == action
        return
    with pytest.raises(LockedError) as caught:
        decide(holder, ME, **options)
    assert holder is not None
    for word in (holder["pid"], holder["controller"], "2026-11-22T10:00:00Z", "load", "ops"):
        assert word in caught.value.message
    assert ("break_lock" in caught.value.advice) == (not same_controller(holder, ME))


def test_a_machine_that_was_started_again_has_no_old_processes() -> None:
    assert rebooted(held(boot="b0"), ME)
    assert not rebooted(held(), ME)
    assert not rebooted(held(boot="b0", machine="m2"), ME)
    assert not rebooted(held(boot="b0", machine=""), {**ME, "machine": ""})
