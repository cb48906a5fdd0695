# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of what runs in a client process."""

from __future__ import annotations

import array
import json
import math
import random
import uuid

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._workload._driver import Rows, distance, fresh

ONE, OTHER = [1.0, 0.0, 2.0], [0.5, 1.0, -1.0]


@pytest.mark.parametrize(
    ("how", "expected"), [("l2", 0.25 + 1 + 9), ("ip", 1.5), ("cosine", 1 + 1.5 / math.sqrt(5 * 2.25))]
)
@pytest.mark.parametrize("stored", [json.dumps(ONE), array.array("f", ONE).tobytes()], ids=["JSON", "float32"])
def test_distances_order_as_those_of_pgvector(how: str, expected: float, stored: object) -> None:
    assert distance(how, stored, json.dumps(OTHER)) == pytest.approx(expected)


@pytest.mark.parametrize("stored", [None, "no JSON", "[1, 2]", '"text"', "[]", b"abc", 5])
def test_what_is_no_such_vector_is_farthest(stored: object) -> None:
    assert distance("cosine", stored, json.dumps(OTHER)) == math.inf


@pytest.mark.parametrize(("form", "length"), [("hex:8", 8), ("hex:32", 32), ("hex:64", 64), ("uuid", 36)])
def test_new_values_have_the_form_asked_for(form: str, length: int) -> None:
    values = {fresh(form, random.Random(1)) for _ in range(50)}
    assert len(values) == 50 and {len(value) for value in values} == {length}
    if form == "uuid":
        assert {str(uuid.UUID(value)) for value in values} == values


def test_rows_are_taken_in_turn_and_renewed_where_they_have_to_be() -> None:
    rows = Rows({"rows": [["a", 1, {"base64": "/w=="}], ["b", 2, None]], "fresh": [[0, "hex:16"]]}, seed=1)
    taken = [rows.take() for _ in range(4)]
    assert [row[1:] for row in taken] == [[2, None], [1, b"\xff"]] * 2
    assert len({row[0] for row in taken}) == 4
