# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a promise holds on the machine at hand, and the reason in words, out of what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence

from ._figures import Figures, median, ratio

#: The shapes of transactions that are measured.
SHAPES = {
    "short": "short transactions",
    "held": "transactions held open",
    "read_then_write": "transactions that read, then write",
    "batch": "transactions of 20 rows",
}
#: Up to this size a table is read as a whole in a few milliseconds.
FEW_ROWS = 20000


@dataclass(frozen=True)
class Promise:
    """What PostgreSQL is said to bring. I(measure): V(rate), V(latency), or V(clients)."""

    name: str
    title: str
    promised: str
    ratio: float
    measure: str


#: How many times as many clients are promised to work at the same time: more are not tried.
MORE_USERS = 100

PROMISES = (
    Promise("writes", "Write throughput", "10 times as many transactions a second", 10, "rate"),
    Promise("reads", "Read throughput", "5 times as many queries a second", 5, "rate"),
    Promise("latency", "Time of typical queries", "half the time, at the median and at 95 per cent", 2, "latency"),
    Promise(
        "users",
        "Clients at the same time",
        f"{MORE_USERS} times as many without errors or a second's wait",
        MORE_USERS,
        "clients",
    ),
    Promise("search", "Full-text search against LIKE", "20 times as fast", 20, "latency"),
    Promise("json", "Filters on JSON documents", "faster", 1, "latency"),
    Promise("arrays", "Filters on arrays", "faster", 1, "latency"),
    Promise("vectors", "Vector search against a scan", "faster", 1, "latency"),
)


def users_to_try(most: int, sqlite_clients: int, connections: Optional[int] = None) -> int:
    """Up to how many clients PostgreSQL is tried with: MORE_USERS times SQLite's, as nothing is left to find out beyond.

    I(most): what the operator allows. I(connections): what the server can be asked for, None by way of a pooler.
    """
    wanted = min(most, MORE_USERS * max(1, sqlite_clients))
    return wanted if connections is None else min(wanted, connections)


@dataclass(frozen=True)
class Facts:
    """What the reasons are made from: measured on this machine. Times are seconds."""

    cores: int
    sync: float
    round_trip: float
    durable: bool = True
    not_durable: str = ""
    most_clients: int = 0
    connections: int = 0
    pooled: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """One comparison. I(conditions) are what it was measured under; I(facts) what is known of the query."""

    name: str
    sqlite: Figures
    postgres: Figures
    conditions: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def ratio(self, promise: Promise) -> Optional[float]:
        """How many times better PostgreSQL is; above 1 is better in every promise."""
        if promise.measure == "rate":
            return ratio(self.postgres.rate, self.sqlite.rate)
        if promise.measure == "clients":
            return ratio(self.postgres.clients, self.sqlite.clients)
        values = [ratio(self.sqlite.p50, self.postgres.p50)]
        if promise.name == "latency":
            values.append(ratio(self.sqlite.p95, self.postgres.p95))
        known = [value for value in values if value is not None]
        return min(known) if len(known) == len(values) else None

    def as_dict(self, promise: Promise) -> Dict[str, Any]:
        found = self.ratio(promise)
        return {
            "name": self.name,
            "conditions": dict(self.conditions),
            "facts": dict(self.facts),
            "sqlite": self.sqlite.as_dict(),
            "postgresql": self.postgres.as_dict(),
            "ratio": found,
            "holds": found is not None and found >= promise.ratio,
        }


@dataclass(frozen=True)
class Trial:
    """A case again with changes on PostgreSQL's side. I(changes): SQL; I(before): PostgreSQL's figures without them."""

    case: Case
    changes: Sequence[str]
    before: Figures
    plan: Sequence[str] = ()

    def as_dict(self, promise: Promise) -> Dict[str, Any]:
        case = self.case.as_dict(promise)
        return {
            **{name: case[name] for name in ("name", "conditions", "sqlite", "ratio", "holds")},
            "changes": list(self.changes),
            "before": self.before.as_dict(),
            "after": case["postgresql"],
            "plan": list(self.plan),
        }


def judge(
    promise: Promise, cases: Sequence[Case], facts: Facts, missing: str = "", trials: Sequence[Trial] = ()
) -> Dict[str, Any]:
    """The promise as a part of the result. I(missing): why nothing was measured. I(trials): what helped.

    C(verdict) is V(yes) where the promise holds in all cases, V(partly), V(no), V(unfair) where the two sides do not do
    the same work, or V(unmeasured).
    """
    ratios = {case: case.ratio(promise) for case in cases}
    known = {case: value for case, value in ratios.items() if value is not None}
    holding = [case for case, value in known.items() if value >= promise.ratio]
    verdict = "unmeasured" if not known else "yes" if len(holding) == len(cases) else "partly" if holding else "no"
    if promise.name in ("writes", "users") and known and not facts.durable:
        verdict = "unfair"
    values = list(known.values())
    return {
        "name": promise.name,
        "title": promise.title,
        "promised": promise.promised,
        "promised_ratio": float(promise.ratio),
        "verdict": verdict,
        "holds": verdict == "yes",
        "lowest": min(values) if values else None,
        "median": round(median(values), 3) if values else None,
        "highest": max(values) if values else None,
        "holds_in": [case.name for case in holding],
        "reason": _reason(promise, verdict, ratios, facts, missing) + _helped(promise, trials),
        "cases": [case.as_dict(promise) for case in cases],
        "tuned": [trial.as_dict(promise) for trial in trials],
    }


def _helped(promise: Promise, trials: Sequence[Trial]) -> str:
    """A sentence about I(trials), which are of cases in which the promise does not hold; empty without any."""
    if not trials:
        return ""
    holding = sum(1 for trial in trials if (trial.case.ratio(promise) or 0.0) >= promise.ratio)
    made = f"{holding} of them" if holding else "none of them"
    return f" Changes of settings or indexes were found that help {len(trials)} of the others; it then holds in {made}."


def _reason(promise: Promise, verdict: str, ratios: Mapping[Case, Optional[float]], facts: Facts, missing: str) -> str:
    if verdict == "unmeasured":
        return sentence(missing or "no comparison came to a result")
    if verdict == "unfair":
        return sentence(f"not comparable: {facts.not_durable}, so that its commits are not durable as SQLite's are")
    if verdict == "yes":
        return "It holds in all cases." if len(ratios) > 1 else "It holds in the one case that there is."
    known = {case: value for case, value in ratios.items() if value is not None}
    holding = [case for case, value in known.items() if value >= promise.ratio]
    others = {case: value for case, value in known.items() if value < promise.ratio}
    where = f", for {_where(holding)}" if promise.measure == "rate" and holding else ""
    counted = f"It holds in {len(holding)} of {len(ratios)} cases{where}. " if holding else "It holds in no case. "
    if not others:
        without = next(case for case, value in ratios.items() if value is None)
        error = next(iter([*without.sqlite.errors, *without.postgres.errors]), "no operation was finished")
        return counted + sentence(f"the others came to no result, such as {without.name}: {error}")
    worst = min(others, key=lambda case: others[case])
    explain = {"writes": _of_writes, "users": _of_users}.get(promise.name, _of_queries)
    return f"{counted}Lowest: {worst.name}, {times(others[worst])}. {sentence(explain(worst, facts))}"


def _where(cases: Sequence[Case]) -> str:
    """From how many clients on, by shape of transaction where there is one."""
    least: Dict[str, int] = {}
    for case in cases:
        shape = SHAPES.get(str(case.conditions.get("shape")), "queries")
        least[shape] = min(least.get(shape, case.postgres.clients), case.postgres.clients)
    return " and ".join(f"{shape} of {count} clients or more" for shape, count in sorted(least.items()))


def _of_writes(case: Case, facts: Facts) -> str:
    conditions = case.conditions
    came_to = f"SQLite came to {case.sqlite.rate:,.0f} a second, PostgreSQL to {case.postgres.rate:,.0f}"
    rest = f"a round trip of {span(facts.round_trip)} for each statement and {_cores(facts)} for clients and server"
    if (conditions.get("journal"), conditions.get("synchronous")) == ("wal", "NORMAL"):
        return (
            f"{came_to}: with these settings SQLite does not wait for the disk at a commit, and may lose the last ones in a"
            f" power cut, while PostgreSQL waits, besides {rest}"
        )
    if conditions.get("shape") == "held":
        return f"{came_to}: {case.postgres.clients} clients cannot have more transactions open at a time than that"
    sync = conditions.get("sync_seconds") or facts.sync
    return f"{came_to}: all that SQLite's one writer waits for is the disk's {span(sync)} for a sync, PostgreSQL for {rest}"


def _of_queries(case: Case, facts: Facts) -> str:
    own, other = case.sqlite.p50 or 0.0, case.postgres.p50 or 0.0
    share, rows = case.facts.get("share"), case.facts.get("rows")
    if own < 4 * facts.round_trip or own < 1e-4:
        return (
            f"SQLite answers in {span(own)} within the application's own process, while a round trip to PostgreSQL alone"
            f" takes {span(facts.round_trip)}"
        )
    both = f"SQLite needs {span(own)}, PostgreSQL {span(other)}"
    if case.facts.get("limit"):
        return f"SQLite reads the table from its end and stops once it has {case.facts['limit']} rows, which is soon: {both}"
    if isinstance(share, float) and share >= 0.02:
        return f"The term is in {share:.0%} of the rows, so that an index saves little: {both}"
    if isinstance(rows, int) and rows <= FEW_ROWS:
        return f"The table has {rows:,} rows only, which a scan reads about as fast as an index is searched: {both}"
    return f"{both}, as both read about the same rows, with {_cores(facts)} for clients and server"


def _of_users(case: Case, facts: Facts) -> str:
    found = f"SQLite worked with {case.sqlite.clients} clients, PostgreSQL with {case.postgres.clients}"
    if case.postgres.clients >= MORE_USERS * max(1, case.sqlite.clients):
        return f"{found}; more were not tried"
    if case.postgres.clients >= facts.most_clients:
        return f"{found}, which is the most that was tried (max_users)"
    if not facts.pooled and case.postgres.clients >= facts.connections:
        return f"{found}, which is two thirds of the server's free connections, and no pooler was given"
    return f"{found}, where {_cores(facts)} for clients and server were the limit"


def span(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} microseconds"


def times(value: float) -> str:
    """A ratio in words."""
    return f"{value:.3g} times"


def sentence(text: str) -> str:
    """I(text) with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _cores(facts: Facts) -> str:
    return f"{facts.cores} core{'' if facts.cores == 1 else 's'}"
