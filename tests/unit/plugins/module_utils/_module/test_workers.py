# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many workers there are where the operator does not say."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._module._import import cores, default_workers


@pytest.mark.parametrize(("allowed", "workers"), [(1, 1), (2, 2), (4, 4), (64, 4)])
def test_one_for_each_core_that_may_be_used(monkeypatch: pytest.MonkeyPatch, allowed: int, workers: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(allowed)), raising=False)
    assert (cores(), default_workers()) == (allowed, workers)


def test_where_nobody_tells_which_cores_those_of_the_machine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_workers() == 1
