# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows the load sends and which it sets aside, without any database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import InvalidRowError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._load_scan import LoadScan, TooMany
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rejects import Fault, Tally, invalid_rows
from support.one_table import Source, mapping


def scan(rows: list[Any], allowed: int = 100, refused: Sequence[int] = (), until: int | None = None) -> LoadScan:
    fault = Fault("n", None, "refused", "because", "do something")
    source = Source(list(enumerate(rows)))
    return LoadScan(source, mapping().tables[0], dict.fromkeys(refused, fault), allowed, until)  # type: ignore[arg-type]


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
    with pytest.raises(TooMany) as stopped:
        for literals in reading.rows():
            sent.append(literals[0])
    assert sent == ["0", "2"] and stopped.value.complete and len(stopped.value.rejects) == 3


def test_reading_ends_once_there_are_enough_to_show() -> None:
    with pytest.raises(TooMany) as stopped:
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
    tally.add_rejects(reading.rejects)
    of_file = Tally()
    of_file.add_lines(entry.as_dict() for entry in reading.rejects)
    assert of_file == tally
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
