# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load decides before it touches anything, and which rows it sets aside, without any database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import InvalidRowError, JournalError, TargetError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._load import (
    Fault,
    KeyDefinition,
    LoadPlan,
    LoadSettings,
    Run,
    TableResult,
    _Scan,
    _TooMany,
    mapping_digest,
    plan_load,
    require_counts,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._mapping import plan_mapping
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    Mapping,
    MappingOptions,
    RuleSpec,
    SourceColumn,
    SourceTable,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rejects import Tally, invalid_rows
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type

SOURCE = SourceTable(
    "t", (SourceColumn("id", "INTEGER"), SourceColumn("n", "INTEGER")), primary_key=("id",), rowid="id"
)
TARGET = TargetTable(
    "public",
    "t",
    (TargetColumn("id", parse_type("integer"), not_null=True), TargetColumn("n", parse_type("smallint"))),
    primary_key=("id",),
    unique=(("id",),),
)


def mapping(*rules: RuleSpec) -> Mapping:
    return plan_mapping([SOURCE], [TARGET], MappingOptions(rules=rules))


@dataclass
class Source:
    rows_of_t: list[tuple[Any, ...]] = field(default_factory=lambda: [(1, 1), (2, 2)])
    print: str = "f1"

    def tables(self) -> list[SourceTable]:
        return [SOURCE]

    def count(self, table: SourceTable) -> int:
        return len(self.rows_of_t)

    def rows(
        self, table: SourceTable, columns: Sequence[str], order_by: Any = (), after: Any = None, span: Any = None
    ) -> Iterator[Any]:
        assert list(columns) == ["id", "n"]
        return iter(self.rows_of_t)

    def fingerprint(self) -> str:
        return self.print


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


def test_rows_of_others_are_named() -> None:
    require_counts({"a": 1, "b": 0}, {"a": 1, "b": 0, "c": 5})
    with pytest.raises(JournalError, match=r"a \(loaded 1, found 2\), b \(loaded 3, found 0\)"):
        require_counts({"a": 1, "b": 3}, {"a": 2})


def test_a_key_goes_through_the_journal() -> None:
    key = KeyDefinition(
        "s", "t", "k", "FOREIGN KEY", None, ("a", "b"), "s", "p", ("c", "d"), (("pg_catalog", "="),) * 2, False, True
    )
    as_json = {**vars(key), "columns": ["a", "b"], "parent_columns": ["c", "d"], "operators": [["pg_catalog", "="]] * 2}
    assert KeyDefinition.from_dict(as_json) == key


def scan(rows: list[Any], allowed: int = 100, refused: Sequence[int] = (), until: int | None = None) -> _Scan:
    fault = Fault("n", None, "refused", "because", "do something")
    source = Source(list(enumerate(rows)))
    return _Scan(source, mapping().tables[0], dict.fromkeys(refused, fault), allowed, until)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([1, "misfit"]), max_size=40), st.sets(st.integers(0, 39)))
def test_the_line_of_a_copy_leads_back_to_the_row(rows: list[Any], refused: set[int]) -> None:
    reading = scan(rows, refused=sorted(refused))
    sent = [int(literals[0] or "") for literals in reading.rows()]
    assert [reading.ordinal(line) for line in range(1, len(sent) + 1)] == sent
    left = [entry.key["id"] for entry in reading.rejects]
    assert sorted(sent + left) == list(range(len(rows)))
    assert left == [number for number, value in enumerate(rows) if value == "misfit" or number in refused]


def test_rows_are_sent_until_too_many_do_not_fit() -> None:
    reading = scan([1, "x", 1, "x", 1, "x", 1], allowed=1)
    sent = []
    with pytest.raises(_TooMany) as stopped:
        for literals in reading.rows():
            sent.append(literals[0])
    assert sent == ["0", "2"] and stopped.value.complete and len(stopped.value.rejects) == 3


def test_reading_ends_once_there_are_enough_to_show() -> None:
    with pytest.raises(_TooMany) as stopped:
        list(scan(["x"] * 1000, allowed=5).rows())
    assert not stopped.value.complete and len(stopped.value.rejects) == 26


def test_a_refused_row_is_described_with_its_value() -> None:
    reading = scan([1, 7, 1], refused=[1])
    assert len(list(reading.rows())) == 2
    (entry,) = reading.rejects
    assert entry.as_dict() == {
        "table": "t",
        "target": "t",
        "key": {"id": 1},
        "problems": [{"column": "n", "value": 7, "kind": "refused", "reason": "because", "advice": "do something"}],
        "reason_row": "n: because",
        "row": {"id": 1, "n": 7},
    }
    assert entry.sentence() == "t (id=1): n = 7: because. do something"


def test_the_error_lists_counts_by_table_and_kind() -> None:
    reading = scan(["x", 70000, 1])
    list(reading.rows())
    tally = Tally()
    for entry in reading.rejects:
        tally.add(entry.table, [fault.kind for fault in entry.faults])
    error = invalid_rows(reading.rejects, tally, None, complete=True)
    assert isinstance(error, InvalidRowError)
    assert error.message.startswith("2 rows do not fit the target (t out_of_range: 1, t storage_class: 1). t (id=0)")
    assert error.details["counts"] == [
        {"table": "t", "kind": "out_of_range", "rows": 1},
        {"table": "t", "kind": "storage_class", "rows": 1},
    ]
    assert not error.details["more"] and "on_invalid: quarantine" in error.advice
    over = invalid_rows(reading.rejects, tally, 1, complete=False)
    assert over.message.startswith("At least 2 rows do not fit") and "quarantine_budget is 1" in over.message
    assert over.details["more"] and "on_invalid" not in over.advice
