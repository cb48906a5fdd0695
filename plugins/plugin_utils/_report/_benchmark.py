# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about a benchmark: the promises, their comparisons, the statements with their plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._charts import Bar, Chart, Curve, bar_chart, line_chart
from ._text import DASH

#: The state whose colour a verdict has, and the verdict in words.
VERDICTS = {
    "yes": ("done", "holds"),
    "partly": ("undone", "holds in part"),
    "no": ("failed", "does not hold"),
    "unfair": ("pending", "not comparable"),
    "unmeasured": ("pending", "not measured"),
}
#: The classes of a chart's lines, in their order.
CURVES = ("sqlite", "postgresql", "third", "fourth")


@dataclass(frozen=True)
class CaseLine:
    """One comparison as texts; I(state) as in VERDICTS."""

    name: str
    clients: str
    sqlite: list[str]
    postgresql: list[str]
    ratio: str
    state: str


@dataclass(frozen=True)
class TrialLine:
    """A case in which the promise does not hold, again with changes of PostgreSQL's settings or indexes, as texts."""

    name: str
    changes: list[str]
    before: str
    after: str
    ratio: str
    state: str
    plan: list[str]


@dataclass(frozen=True)
class PromiseView:
    """One promise as the page shows it."""

    name: str
    title: str
    promised: str
    state: str
    verdict: str
    reason: str
    median: str
    span: str
    cases: list[CaseLine] = field(default_factory=list)
    tuned: list[TrialLine] = field(default_factory=list)
    chart: Chart | None = None
    curves: list[Chart] = field(default_factory=list)
    statements: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class BenchmarkView:
    """The section of the page: promises, the conditions as pairs of texts, slow statements, what was left out."""

    promises: list[PromiseView]
    conditions: list[tuple[str, str]]
    slow: list[Mapping[str, Any]]
    left_out: list[Mapping[str, Any]]

    @property
    def holding(self) -> list[PromiseView]:
        return [promise for promise in self.promises if promise.state == "done"]

    @property
    def partly(self) -> list[PromiseView]:
        return [promise for promise in self.promises if promise.state == "undone"]


def benchmark_view(part: Any) -> BenchmarkView | None:
    """The section of the document's part C(benchmark); None where there is none."""
    if not isinstance(part, Mapping) or not _dicts(part.get("promises")):
        return None
    return BenchmarkView(
        promises=[_promise(promise) for promise in _dicts(part["promises"])],
        conditions=list(_conditions(part)),
        slow=_dicts(part.get("slow_statements")),
        left_out=_dicts(part.get("left_out")),
    )


def _promise(promise: Mapping[str, Any]) -> PromiseView:
    name, title = str(promise.get("name")), str(promise.get("title"))
    state, verdict = VERDICTS.get(str(promise.get("verdict")), VERDICTS["unmeasured"])
    cases = _dicts(promise.get("cases"))
    lowest, highest = promise.get("lowest"), promise.get("highest")
    return PromiseView(
        name=name,
        title=title,
        promised=str(promise.get("promised")),
        state=state,
        verdict=verdict,
        reason=str(promise.get("reason") or ""),
        median=times(promise.get("median")),
        span=DASH if lowest is None else f"{times(lowest)} to {times(highest)}",
        cases=[_case(case) for case in cases],
        tuned=[_trial(trial) for trial in _dicts(promise.get("tuned"))],
        chart=bar_chart(f"promise-{name}", f"{title}: PostgreSQL to SQLite", _bars(cases), times, by_value=False),
        curves=_curves(name, cases),
        statements=_dicts(promise.get("statements")),
    )


def _curves(name: str, cases: list[Mapping[str, Any]]) -> list[Chart]:
    """For each shape that was measured with several numbers of clients: the rates, and the times that an operation takes."""
    shapes: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for case in cases:
        conditions = _dict(case.get("conditions"))
        clients = conditions.get("clients")
        if not isinstance(clients, int):
            continue
        sides = shapes.setdefault(str(conditions.get("shape") or "queries").replace("_", " "), {})
        how = next((word for word in ("prepared", "pipelined") if conditions.get(word)), "")
        driver = f", {conditions['driver']} {how}".rstrip() if conditions.get("driver") else ""
        for side, key in (("SQLite", "sqlite"), (f"PostgreSQL{driver}", "postgresql")):
            figures = _dict(case.get(key))
            best = sides.setdefault(side, {}).get(clients)
            # Where SQLite was measured with several settings, its best counts.
            if best is None or (figures.get("rate") or 0) > (best.get("rate") or 0):
                sides[side][clients] = figures
    charts = []
    for number, (shape, sides) in enumerate(shapes.items()):
        places = sorted({clients for by_clients in sides.values() for clients in by_clients})
        rates = [
            Curve(side, [_number(by_clients.get(place), "rate") for place in places], kind)
            for (side, by_clients), kind in zip(sides.items(), CURVES, strict=False)
        ]
        times_taken = [
            Curve(f"{side}, {title}", [_number(sides[side].get(place), figure) for place in places], f"{kind} {figure}")
            for side, kind in zip(("SQLite", "PostgreSQL"), CURVES, strict=False)
            for figure, title in (("p50", "median"), ("p95", "95 %"))
            if side in sides
        ]
        labels = [f"{place}" for place in places]
        for what, curves, text in (("a second", rates, _round), ("time of one", times_taken, span)):
            title = f"{shape}: {what}, by clients"
            chart = line_chart(f"curve-{name}-{number}-{what.split()[-1]}", title, labels, curves, text)
            charts += [chart] if chart else []
    return charts


def _number(figures: Mapping[str, Any] | None, name: str) -> float | None:
    value = _dict(figures).get(name)
    return float(value) if isinstance(value, (int, float)) else None


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _bars(cases: list[Mapping[str, Any]]) -> list[Bar]:
    """One bar for each case; where SQLite was measured with several settings, against its best."""
    lowest: dict[str, float] = {}
    holds: dict[str, bool] = {}
    for case in cases:
        ratio = case.get("ratio")
        if not isinstance(ratio, (int, float)):
            continue
        label = _label(case)
        if label not in lowest or ratio < lowest[label]:
            lowest[label], holds[label] = ratio, bool(case.get("holds"))
    return [Bar(label, ratio, "promise-kept" if holds[label] else "promise-missed") for label, ratio in lowest.items()]


def _label(case: Mapping[str, Any]) -> str:
    conditions = _dict(case.get("conditions"))
    facts = _dict(case.get("facts"))
    shape, driver = conditions.get("shape"), " (asyncpg)" if conditions.get("driver") else ""
    if shape:
        clients = f", {conditions['clients']}" if conditions.get("clients") else ""
        return f"{str(shape).replace('_', ' ')}{clients}{driver}"
    if facts.get("term") and isinstance(facts.get("share"), (int, float)):
        kind = "last 20" if "last 20" in str(case.get("name")) else "count"
        return f"{facts['term']} {facts['share']:.1%} {kind}"
    return f"{case.get('name')}{driver}" if not driver else str(case.get("name"))


def _case(case: Mapping[str, Any]) -> CaseLine:
    sqlite, postgresql = _dict(case.get("sqlite")), _dict(case.get("postgresql"))
    here, there = (str(side.get("clients", "")) for side in (sqlite, postgresql))
    return CaseLine(
        name=str(case.get("name")),
        clients=here if here == there else f"{here} / {there}",
        sqlite=_figures(sqlite),
        postgresql=_figures(postgresql),
        ratio=times(case.get("ratio")),
        state="done" if case.get("holds") else "pending",
    )


def _trial(trial: Mapping[str, Any]) -> TrialLine:
    plan, changes = trial.get("plan"), trial.get("changes")
    # What was run alone has a plan; of many clients the rate counts.
    show = _median if plan else _rate
    return TrialLine(
        name=str(trial.get("name")),
        changes=[str(change) for change in changes] if isinstance(changes, list) else [],
        before=show(_dict(trial.get("before"))),
        after=show(_dict(trial.get("after"))),
        ratio=times(trial.get("ratio")),
        state="done" if trial.get("holds") else "pending",
        plan=[str(line) for line in plan] if isinstance(plan, list) else [],
    )


def _median(side: Mapping[str, Any]) -> str:
    return span(side.get("p50"))


def _rate(side: Mapping[str, Any]) -> str:
    return f"{_figures(side)[0]} a second"


def _figures(side: Mapping[str, Any]) -> list[str]:
    """Operations a second, median, 95 per cent, errors."""
    rate = side.get("rate")
    errors = side.get("errors") or 0
    shown = f"{rate:,.1f}" if isinstance(rate, (int, float)) and rate < 100 else f"{rate or 0:,.0f}"
    return [shown, span(side.get("p50")), span(side.get("p95")), f"{errors:,}"]


def _conditions(part: Mapping[str, Any]) -> Any:
    environment = _dict(part.get("environment"))
    settings = _dict(environment.get("server_settings"))
    yield "Processor cores, for clients and server", str(environment.get("cores", DASH))
    yield "Disk: one sync", span(environment.get("sync_seconds"))
    yield "PostgreSQL: one round trip", span(environment.get("round_trip_seconds"))
    yield "Way to PostgreSQL", str(environment.get("way", DASH))
    yield "Pooler", "yes" if environment.get("pooler") else "no"
    yield "asyncpg", "measured too" if environment.get("asyncpg") else "not measured"
    yield "SQLite", str(environment.get("sqlite_version", DASH))
    yield "PostgreSQL", str(environment.get("server_version", DASH))
    yield "Rows", f"{part.get('rows') or 0:,}"
    for name in ("fsync", "synchronous_commit", "shared_buffers", "max_connections"):
        if settings.get(name) is not None:
            yield name, str(settings[name])


def times(value: Any) -> str:
    """A ratio: V(0.32 times), V(17 times)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH
    return f"{value:,.0f} times" if value >= 20 else f"{value:.1f} times" if value >= 2 else f"{value:.2f} times"


def span(value: Any) -> str:
    """Seconds in the unit that suits them: V(1.2 s), V(3.4 ms), V(56 \u00b5s)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-6:.3g} \u00b5s"


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
