# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load decides before it touches anything, without any database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import TargetError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._load_plan import (
    LoadPlan,
    LoadSettings,
    mapping_digest,
    plan_load,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._load_target import Run, TableResult
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import RuleSpec
from support.one_table import Source, mapping


@dataclass
class Target:
    """Only what the plan asks for: anything else would be a change."""

    held: int = 0
    unfinished: Run | None = None
    finished: Run | None = None

    def counts(self, tables: Sequence[str]) -> dict[str, int]:
        return {"t": self.held}

    def unfinished_run(self) -> Run | None:
        return self.unfinished

    def finished_run(self, tables: Sequence[str]) -> Run | None:
        return self.finished


def run(finished: bool, fingerprint: str = "f1", plan: str = "", done: int | None = 2) -> Run:
    results = {} if done is None else {"t": TableResult("t", "t", done, 10, 0.1)}
    digest = plan or mapping_digest(mapping(), LoadSettings("s"))
    return Run(7, fingerprint, digest, "/s.sqlite", "then", finished, ("t",), (), results)


def plan(target: Target, **settings: Any) -> LoadPlan:
    return plan_load(Source(), target, mapping(), LoadSettings("s", **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "settings", "state", "continued", "undone"),
    [
        (Target(), {}, "load", False, False),
        (Target(), {"replace": True}, "load", False, False),
        (Target(held=5), {"replace": True}, "load", False, False),
        (Target(held=2, finished=run(True)), {}, "existing", True, False),
        (Target(held=2, finished=run(True)), {"replace": True}, "load", False, False),
        (Target(held=0, finished=run(True)), {}, "load", False, False),
        (Target(held=0, finished=run(True, done=0)), {}, "existing", True, False),
        (Target(held=2, unfinished=run(False)), {}, "resume", True, False),
        (Target(held=0, unfinished=run(False, done=None)), {}, "resume", True, False),
        (Target(held=0, unfinished=run(False)), {}, "load", False, True),
        (Target(held=2, unfinished=run(False, fingerprint="f0")), {}, "load", False, True),
        (Target(held=2, unfinished=run(False, plan="other")), {}, "load", False, True),
        (Target(held=2, unfinished=run(False)), {"replace": True}, "load", False, True),
    ],
)
def test_the_state_of_things(
    target: Target, settings: dict[str, Any], state: str, continued: bool, undone: bool
) -> None:
    planned = plan(target, **settings)
    assert (planned.state, planned.run is not None, planned.undo is not None) == (state, continued, undone)


@pytest.mark.parametrize(
    "target",
    [
        Target(held=5),
        Target(held=3, finished=run(True)),
        Target(held=2, finished=run(True, fingerprint="f0")),
        Target(held=2, finished=run(True, plan="other")),
    ],
)
def test_rows_that_are_there_are_not_overwritten(target: Target) -> None:
    with pytest.raises(TargetError, match=rf"t \({target.held} rows\)"):
        plan(target)


def test_the_digest_tells_results_apart() -> None:
    settings = LoadSettings("s")
    digests = {
        mapping_digest(mapping(), settings),
        mapping_digest(mapping(RuleSpec("t", "n", "round")), settings),
        mapping_digest(mapping(RuleSpec("t", "n", "map", (("values", {"a": 1}),))), settings),
        mapping_digest(mapping(RuleSpec("t", "n", "map", (("values", {"a": 2}),))), settings),
        mapping_digest(mapping(), LoadSettings("s", budget=0)),
    }
    assert len(digests) == 5
    assert mapping_digest(mapping(), LoadSettings("other", replace=True, analyze=False)) in digests
    assert mapping_digest(mapping(), LoadSettings("s", budget=9)) in digests
