# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A promise holds where it was measured to hold, and the reason names what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._workload._figures import Figures
from ansible_collections.mcps.postgres.plugins.module_utils._workload._verdict import (
    PROMISES,
    Case,
    Facts,
    Trial,
    judge,
    span,
    users_to_try,
)

PROMISE = {promise.name: promise for promise in PROMISES}
FACTS = Facts(cores=2, sync=0.000073, round_trip=0.00005, most_clients=128, connections=90)


def side(rate: float = 1.0, p50: float = 1.0, p95: float = 1.0, clients: int = 1) -> Figures:
    return Figures(clients, 10, 1.0, rate, p50, p95, p95)


def case(name: str, sqlite: Figures, postgres: Figures, facts: Any = None, **conditions: Any) -> Case:
    return Case(name, sqlite, postgres, conditions, facts or {})


RATES: list[tuple[str, list[float], str]] = [
    ("writes", [10.0, 12.5], "yes"),
    ("writes", [10.0, 9.9], "partly"),
    ("writes", [0.3, 9.9], "no"),
    ("writes", [], "unmeasured"),
    ("reads", [5.0], "yes"),
]


@pytest.mark.parametrize(("name", "ratios", "verdict"), RATES)
def test_verdicts(name: str, ratios: list[float], verdict: str) -> None:
    cases = [case(f"case {n}", side(rate=2.0), side(rate=2.0 * value)) for n, value in enumerate(ratios)]
    found = judge(PROMISE[name], cases, FACTS)
    assert (found["verdict"], found["holds"]) == (verdict, verdict == "yes")
    assert [one["ratio"] for one in found["cases"]] == ratios
    assert (found["lowest"], found["highest"]) == ((min(ratios), max(ratios)) if ratios else (None, None))
    assert found["holds_in"] == [f"case {n}" for n, value in enumerate(ratios) if value >= PROMISE[name].ratio]


def test_half_the_latency_is_half_at_both_marks() -> None:
    quick, slow = side(p50=1.0, p95=2.0), side(p50=4.0, p95=3.0)
    assert judge(PROMISE["latency"], [case("q", slow, quick)], FACTS)["lowest"] == 1.5
    assert judge(PROMISE["search"], [case("q", slow, quick)], FACTS)["lowest"] == 4.0


def test_a_side_without_results_does_not_make_a_promise_hold() -> None:
    nothing = Figures(1, 0, 1.0, 0.0, None, None, 1.0, errors={"locked": 3})
    found = judge(PROMISE["reads"], [case("good", side(rate=1), side(rate=9)), case("none", side(), nothing)], FACTS)
    assert found["verdict"] == "partly" and found["cases"][1]["ratio"] is None
    assert found["reason"].endswith("such as none: locked.")


@pytest.mark.parametrize("name", ["writes", "users"])
def test_commits_that_are_not_durable_are_no_comparison(name: str) -> None:
    facts = Facts(2, 0.001, 0.0001, durable=False, not_durable="the server runs with fsync off")
    found = judge(PROMISE[name], [case("c", side(rate=1, clients=1), side(rate=99, clients=999))], facts)
    assert found["verdict"] == "unfair" and not found["holds"] and "fsync off" in found["reason"]


REASONS: list[tuple[str, Case, Facts, list[str]]] = [
    (
        "reads",
        case("q", side(9, 0.00001), side(1, 0.0002)),
        FACTS,
        ["10 microseconds", "round trip", "50 microseconds"],
    ),
    (
        "search",
        case("s", side(p50=0.02), side(p50=0.01), {"share": 0.3, "rows": 10**6}),
        FACTS,
        ["30% of the rows", "20 ms", "10 ms"],
    ),
    ("search", case("s", side(p50=0.002), side(p50=0.001), {"rows": 1500}), FACTS, ["1,500 rows only"]),
    (
        "search",
        case("s", side(p50=0.002), side(p50=0.01), {"share": 0.3, "limit": 20}),
        FACTS,
        ["stops once it has 20"],
    ),
    ("search", case("s", side(p50=2), side(p50=1), {"rows": 10**6}), FACTS, ["about the same rows", "2 cores"]),
    (
        "writes",
        case("w", side(9000), side(600), shape="short", journal="wal", synchronous="NORMAL"),
        FACTS,
        ["9,000 a second", "600", "power cut"],
    ),
    (
        "writes",
        case("w", side(900), side(600), shape="short", journal="wal", synchronous="FULL", sync_seconds=0.0002),
        FACTS,
        ["one writer", "200 microseconds for a sync"],
    ),
    (
        "writes",
        case("w", side(90), side(400, clients=8), shape="held", journal="wal", synchronous="FULL"),
        FACTS,
        ["8 clients cannot have more transactions open"],
    ),
    ("users", case("u", side(clients=4), side(clients=128)), FACTS, ["4 clients", "most that was tried"]),
    ("users", case("u", side(clients=4), side(clients=90)), FACTS, ["no pooler was given"]),
    ("users", case("u", side(clients=4), side(clients=64)), FACTS, ["2 cores", "were the limit"]),
]


@pytest.mark.parametrize(("name", "one", "facts", "said"), REASONS)
def test_reasons(name: str, one: Case, facts: Facts, said: list[str]) -> None:
    reason = judge(PROMISE[name], [one], facts)["reason"]
    assert [text for text in said if text not in reason] == [], reason


def test_where_a_promise_holds_is_told() -> None:
    cases = [
        case("a", side(rate=1), side(rate=20, clients=32), shape="held"),
        case("b", side(rate=1), side(rate=11, clients=8), shape="held"),
        case("c", side(rate=1), side(rate=1, clients=8), shape="short"),
    ]
    reason = judge(PROMISE["writes"], cases, FACTS)["reason"]
    assert "2 of 3 cases, for transactions held open of 8 clients or more" in reason


@pytest.mark.parametrize(
    ("seconds", "expected"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (0.000073, "73 microseconds"), (0.0, "0 microseconds")]
)
def test_spans(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


@pytest.mark.parametrize(
    ("most", "sqlite", "connections", "expected"),
    [
        (1024, 2, None, 200),
        (1024, 0, None, 100),
        (1024, 64, None, 1024),
        (1024, 2, 64, 64),
        (16, 2, 64, 16),
    ],
)
def test_no_more_clients_are_tried_than_are_promised_allowed_and_there(
    most: int, sqlite: int, connections: int | None, expected: int
) -> None:
    assert users_to_try(most, sqlite, connections) == expected


def test_what_helped_is_told_and_does_not_count() -> None:
    slow, fast = side(p50=0.02, p95=0.02), side(p50=0.004, p95=0.004)
    cases = [case("one", side(p50=0.01, p95=0.01), slow), case("two", side(p50=0.01, p95=0.01), slow)]
    trials = [Trial(case("one", side(p50=0.01, p95=0.01), fast), ["SET jit = off"], slow, ["Index Scan"])]
    found = judge(PROMISE["latency"], cases, FACTS, trials=trials)
    assert (found["verdict"], found["highest"]) == ("no", 0.5)
    assert found["reason"].endswith("were found that help 1 of the others; it then holds in 1 of them.")
    (told,) = found["tuned"]
    assert (told["name"], told["changes"], told["plan"]) == ("one", ["SET jit = off"], ["Index Scan"])
    assert (told["ratio"], told["holds"], told["before"]["p50"], told["after"]["p50"]) == (2.5, True, 0.02, 0.004)
