# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where two rounds of answers differ."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.plugin_utils._answers import differences


def places(one: Any, other: Any, ignore: list[str] | None = None) -> list[tuple[str, str, str]]:
    request = {"name": "r", **({"ignore": ignore} if ignore else {})}
    found = differences({"r": json.dumps(one)}, {"r": json.dumps(other)}, [request])
    return [(item["place"], item["before"], item["after"]) for item in found]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}), ({"a": 3}, {"a": 3.0}), ([], []), (None, None), ("x", "x")],
)
def test_documents_that_are_the_same(one: Any, other: Any) -> None:
    assert places(one, other) == []


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"items": [{"stars": 7}]}, {"items": [{"stars": 8}]}, [("items.0.stars", "7", "8")]),
        ({"items": [1]}, {"items": [1, 2]}, [("items.1", "nothing", "2")]),
        ({"a": 1}, {"b": 1}, [("a", "1", "nothing"), ("b", "nothing", "1")]),
        ({"a": True}, {"a": 1}, [("a", "true", "1")]),
        ({"a": None}, {"a": "x"}, [("a", "null", "x")]),
        ({"a": [1]}, {"a": {"0": 1}}, [("a", "[1]", '{"0": 1}')]),
        ([1, 2], [2, 1], [("0", "1", "2"), ("1", "2", "1")]),
    ],
)
def test_documents_that_are_not(one: Any, other: Any, found: list[tuple[str, str, str]]) -> None:
    assert places(one, other) == found


def test_numbers_are_compared_by_their_digits() -> None:
    request = [{"name": "r"}]
    assert differences({"r": "[1.5e+300, 0.1, 2.50]"}, {"r": f"[15{'0' * 299}, 1e-1, 2.5]"}, request) == []
    (found,) = differences({"r": "[0.1]"}, {"r": "[0.10000000000000001]"}, request)
    assert (found["before"], found["after"]) == ("0.1", "0.10000000000000001")


def test_what_may_differ_is_left_out() -> None:
    one, other = {"items": [{"id": 1, "at": "a"}]}, {"items": [{"id": 1, "at": "b"}]}
    assert places(one, other, [r"\.at$"]) == []
    assert places(one, other, ["^at$"]) != []


def test_texts_are_shown_from_where_they_differ() -> None:
    one, other = "a" * 500 + "7 rows", "a" * 500 + "8 rows"
    (found,) = differences({"r": one}, {"r": other}, [{"name": "r"}])
    assert found["before"].endswith("7 rows") and len(found["before"]) < 60
    assert differences({"r": one}, {"r": other}, [{"name": "r", "ignore": [r"\d+ rows"]}]) == []


def test_an_answer_that_is_missing() -> None:
    (found,) = differences({"r": "x"}, {}, [{"name": "r"}])
    assert (found["before"], found["after"]) == ("x", "nothing")


def test_a_document_beside_a_text_is_a_text() -> None:
    assert differences({"r": "{}"}, {"r": "oops"}, [{"name": "r"}])[0]["after"] == "oops"
