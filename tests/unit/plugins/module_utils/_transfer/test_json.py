# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of many documents at once, held against what is said of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer import _json
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import LONG_ROW, ROW, _parted
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import Misfit

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,7})?", fullmatch=True)
STRINGS = st.lists(
    st.sampled_from(
        ["e", "E", "0", "1234", "+", "-", r"\u0000", r"\ud83d", r"\ude00", r"\u00e9", r"\\u0000", r"\"", "é", " "]
    ),
    max_size=6,
).map(lambda parts: '"' + "".join(parts) + '"')
DOCUMENTS = st.recursive(
    NUMBERS | STRINGS | st.sampled_from(["true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(st.sampled_from(["a", "b"]), inner), max_size=3).map(
            lambda items: "{" + ", ".join(f'"{name}": {value}' for name, value in items) + "}"
        )
    ),
    max_leaves=8,
)


def refused(document: str) -> bool:
    try:
        _json.check_jsonb(document)
    except Misfit:
        return True
    return False


@given(st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_many_documents_are_never_kept_where_one_is_refused(documents: list[str]) -> None:
    if _json.keeps([document.encode() for document in documents]):
        assert not any(map(refused, documents))


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        ("[0.1, 2e-05, 3E+300]", True),
        ("[1e0999, 1]", False),
        ("[1, 2E-1234]", False),
        ("[1, 2e+131073]", False),
        ('"the 1234 e"', True),
        (r'"\\ \u00e9"', True),
        (r'"\u0000"', False),
        (r'"\ud83d"', False),
        (r'"\ud83d\ude00"', True),
        ('{"a": 1, "b": {"a": 2}}', True),
        ('{"a": 1, "a": 2}', False),
    ],
)
def test_documents_that_are_kept(document: str, kept: bool) -> None:
    assert _json.keeps([b"[]", document.encode(), b"{}"]) is kept


@pytest.mark.parametrize("bracket", ["[", "{"])
def test_brackets_are_counted_up_to_what_python_can_nest(bracket: str) -> None:
    """Of three documents, one of them deep."""
    most = 3 + _json.FEW_BRACKETS
    for brackets, flat in ((most - 1, True), (most, False), (most * 50, False)):
        documents = [b"1", bracket.encode() * brackets, b'"no bracket"']
        assert _json._flat(b",".join(documents), documents) is flat


@given(st.lists(st.binary(max_size=20).map(lambda row: row.replace(ROW.encode(), b"")), min_size=1), st.integers(0, 3))
def test_long_rows_are_parted_as_short_ones_are(rows: list[bytes], long: int) -> None:
    for place in range(min(long, len(rows))):
        rows[place] += b"x" * LONG_ROW * len(rows)
    text = ROW.encode().join(rows)
    assert _parted(text, len(rows)) == text.split(ROW.encode()) == rows
