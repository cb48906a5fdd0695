# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the target's journal keeps of a load, without any database."""

from __future__ import annotations

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import JournalError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._load_target import KeyDefinition, require_counts


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
