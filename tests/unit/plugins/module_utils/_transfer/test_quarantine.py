# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the import writes about a row, the verification reads."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import JournalError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import SourceColumn, SourceTable
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._quarantine import Quarantine
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rejects import Reject
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import InvalidText, SqliteValue

TABLE = SourceTable("t", (SourceColumn("a"), SourceColumn("b")), ("b", "a"))
BAG = SourceTable("bag", (SourceColumn("a"),))


def line(table: str, **key: SqliteValue) -> str:
    return json.dumps(Reject(table, table, key, key, ()).as_dict()) + "\n"


@pytest.mark.parametrize("value", [None, 1, 1.5, float("inf"), "é\n", b"\xff", InvalidText(b"\xff")])
def test_keys_come_back_as_they_were(value: SqliteValue) -> None:
    found = Quarantine.read([line("t", a=value, b=2)], [TABLE])
    assert found.keys("t") == {(2, value)}
    assert found.keys("other") == frozenset()


def test_rows_without_a_key_go_by_their_rowid() -> None:
    assert Quarantine.read([line("bag", rowid=7), "\n", line("bag", rowid=8)], [BAG]).keys("bag") == {(7,), (8,)}


def test_counts_have_to_agree() -> None:
    lines = [line("t", a=1, b=1), line("t", a=2, b=2), line("gone", id=1), line("bag", rowid=1)]
    found = Quarantine.read(lines, [TABLE, BAG])
    assert found.listed == {"t": 2, "gone": 1, "bag": 1}
    assert found.problems({"t": 1, "bag": 1}) == [
        "gone: 1 rows are listed, but the table is not compared",
        "t: 2 rows are listed, and the source has 1 of them",
    ]
    assert Quarantine().problems({"t": 0}) == []


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "{}", '{"table": "t", "key": {"a": 1}}', '{"table": "t", "key": [1]}', '"t"']
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(JournalError, match="Line 2 of the quarantine file"):
        Quarantine.read([line("t", a=1, b=1), text], [TABLE])
