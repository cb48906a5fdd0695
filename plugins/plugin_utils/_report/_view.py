# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about a document: verdict, answers, tables, charts. No HTML here (but for the charts' SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._benchmark import BenchmarkView, benchmark_view
from ._charts import Bar, Chart, available, bar_chart
from ._text import clean, counted, duration, moment, number, size

Document = Mapping[str, Any]

# Tones: good, warn, bad, busy (nothing to say yet).
_TONES = {
    "measured": "good",
    "migrated": "good",
    "finalized": "good",
    "rolled_back": "warn",
    "stopped": "bad",
    "running": "busy",
}


# What is no dictionary among the parts; a part of another shape is as good as absent.
_SHAPES = {
    "format": str,
    "migration_id": str,
    "application": str,
    "created": str,
    "phases": list,
    "warnings": list,
}


@dataclass(frozen=True)
class Answer:
    """One of the three questions of the first screen. I(code) is something to type."""

    question: str
    tone: str
    short: str
    text: str = ""
    code: str = ""


@dataclass
class TableLine:
    """One table in all that is known of it; None where a step has not run."""

    name: str
    target: str = ""
    source_rows: int | None = None
    loaded: int | None = None
    quarantined: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    equal: bool | None = None
    values: int | None = None

    @property
    def rate(self) -> float | None:
        return self.loaded / self.seconds if self.loaded and self.seconds else None


@dataclass(frozen=True)
class View:
    """Everything that the template needs."""

    document: Document
    tone: str
    headline: str
    subtitle: str
    answers: list[Answer]
    figures: list[tuple[str, str]]
    tables: list[TableLine]
    charts: list[Chart] = field(default_factory=list)
    charts_missing: bool = False
    benchmark: BenchmarkView | None = None


def view_of(document: Document) -> View:
    """Read a Report (see _document; every part may be absent) for the page."""
    document = {name: part for name, part in clean(document).items() if isinstance(part, _SHAPES.get(name, dict))}
    state = verdict_state(document)
    tables = table_lines(document)
    benchmark = benchmark_view(document.get("benchmark"))
    answers = [_worked(document, state), _loss(document), _way_back(document, state)]
    if state == "measured":
        answers = _measured(benchmark)
    return View(
        document=document,
        tone={"busy": "warn"}.get(answers[1].tone, answers[1].tone) if _TONES[state] == "good" else _TONES[state],
        headline=_headline(document, state),
        subtitle=_subtitle(document),
        answers=answers,
        figures=list(_figures(document)),
        tables=tables,
        charts=_charts(document, tables),
        charts_missing=not available(),
        benchmark=benchmark,
    )


def verdict_state(document: Document) -> str:
    """The verdict's state; where there is none yet, what the phases say."""
    state = _part(document, "verdict").get("state")
    if state in _TONES:
        return str(state)
    return "stopped" if any(phase.get("state") == "failed" for phase in _list(document, "phases")) else "running"


def _headline(document: Document, state: str) -> str:
    verdict = _part(document, "verdict")
    verified = _part(document, "verification").get("equal") is True
    verification = _part(document, "verification")
    whole = verification.get("compared_rows") == verification.get("rows") or "compared_rows" not in verification
    how = "" if whole else " by a sample"
    return {
        "migrated": f"Migrated and verified{how}" if verified else "Migrated, not verified",
        "finalized": "Migrated and finalized",
        "rolled_back": "Rolled back",
        "stopped": f"Stopped in phase {_stopped_in(document)}",
        "measured": "Measured, not migrated",
        "running": f"Under way: {verdict.get('phase') or _running_phase(document)}",
    }[state]


def _subtitle(document: Document) -> str:
    source, target = _part(document, "source"), _part(document, "target")
    place = f"{target.get('database') or 'a database'} on {target.get('host') or 'this host'}" if target else ""
    route = " \u2192 ".join(part for part in (source.get("path"), place) if part)
    return ", ".join(part for part in (route, moment(document["created"]) if document.get("created") else "") if part)


def _worked(document: Document, state: str) -> Answer:
    question = "Did it work?"
    verdict = _part(document, "verdict")
    tone = _TONES[state]
    if state in ("migrated", "finalized"):
        took = sum(float(phase.get("seconds") or 0) for phase in _list(document, "phases"))
        text = "The application runs on PostgreSQL." if _switched(document) else "The data is in PostgreSQL."
        if state == "finalized":
            text += " The source is archived, the way back is closed."
        return Answer(question, tone, "Yes", f"{text} It took {duration(took)}." if took else text)
    if state == "rolled_back":
        return Answer(question, tone, "Rolled back", "The application runs on SQLite again.")
    if state == "stopped":
        text = " ".join(str(verdict[key]) for key in ("error", "advice") if verdict.get(key))
        return Answer(question, tone, f"No, it stopped in phase {_stopped_in(document)}", text)
    return Answer(question, tone, "It is still running", "Each phase adds its part to this page.")


def _measured(benchmark: BenchmarkView | None) -> list[Answer]:
    """The three answers where nothing but a benchmark was run."""
    promises = benchmark.promises if benchmark else []
    holding, partly = (benchmark.holding, benchmark.partly) if benchmark else ([], [])
    kept = ", ".join(promise.title for promise in holding)
    half = ", ".join(promise.title for promise in partly)
    text = " ".join(part for part in (f"Holds: {kept}." if kept else "", f"In part: {half}." if half else "") if part)
    return [
        Answer("What would it bring?", "good", f"{len(holding)} of {len(promises)} promises hold", text),
        Answer("Is anything changed?", "good", "No", "It was measured on copies, which are removed."),
        Answer("How do I go back?", "good", "Nothing to undo", "The application still uses SQLite."),
    ]


def _loss(document: Document) -> Answer:
    question = "Is anything lost?"
    verification, load, fence = (_part(document, name) for name in ("verification", "load", "fence"))
    safe = "" if _switched(document) else " The application still uses SQLite, where everything is."
    if late := fence.get("changed_since_snapshot"):
        names = ", ".join(str(item.get("table")) for item in late[:5])
        text = f"Written to SQLite after the snapshot and not in PostgreSQL: {names}.{safe}"
        return Answer(question, "bad", f"{counted(len(late), 'table')} changed meanwhile", text)
    aside = int(load.get("quarantined") or 0)
    file = f" in {load['quarantine_file']}" if load.get("quarantine_file") else ""
    kept = f" {counted(aside, 'row')} {'was' if aside == 1 else 'were'} set aside{file}." if aside else ""
    if verification.get("equal") is True:
        rows, values = verification.get("rows"), verification.get("values")
        seen = verification.get("compared_rows", rows)
        if seen != rows:
            text = f"Only {number(seen)} of {number(rows)} rows were compared (migration_verify_sample): no difference."
            return Answer(question, "warn", "None was found in a sample", text + kept)
        text = f"All {number(values)} values of {number(rows)} rows were compared, and every one is equal."
        if aside:
            return Answer(question, "warn", f"{counted(aside, 'row')} set aside, none lost", text + kept)
        return Answer(question, "good", "No", text + _left_out(document))
    if verification.get("equal") is False:
        count = _difference_count(verification)
        short = counted(count, "difference") if count else "The two sides are not equal"
        return Answer(question, "bad", short, f"PostgreSQL does not have what SQLite has; see below.{safe}{kept}")
    return Answer(question, "busy", "Not compared yet", f"Nothing was compared so far.{safe}{kept}")


def _difference_count(verification: Document) -> int:
    """Differences by the tables' sums (the list itself is cut off), or else the list's length and other problems."""
    counted_tables = sum(
        int(table.get(kind) or 0)
        for table in verification.get("tables") or []
        for kind in ("missing", "extra", "different")
    )
    problems = sum(len(verification.get(kind) or []) for kind in ("constraints", "indexes", "schema"))
    wrong = sum(1 for sequence in verification.get("sequences") or [] if sequence.get("ok") is False)
    return (counted_tables or len(verification.get("differences") or [])) + problems + wrong


def _left_out(document: Document) -> str:
    skipped = len(_part(document, "load").get("left_out") or [])
    if not skipped:
        return ""
    return f" {counted(skipped, 'table or column', 'tables or columns')} had been left out on purpose, see below."


def _way_back(document: Document, state: str) -> Answer:
    question = "How do I go back?"
    rollback = _part(document, "rollback")
    command, note = str(rollback.get("command") or ""), str(rollback.get("note") or "")
    if state == "rolled_back":
        return Answer(question, "good", "You are back", note or "The application runs on SQLite again.")
    if state == "finalized":
        return Answer(question, "busy", "Not with one command any more", note or "The source is kept as an archive.")
    if _switched(document) or state == "migrated":
        if not command:
            return Answer(question, "warn", "See the operations guide", note)
        return Answer(question, "good", "With one command", note, command)
    if command:
        return Answer(question, "good", "Nothing to undo in the application", "It is not switched over.", command)
    return Answer(question, "good", "Nothing to undo", "The application is not switched over.")


def _figures(document: Document) -> Iterator[tuple[str, str]]:
    load, verification, source = (_part(document, name) for name in ("load", "verification", "source"))
    if load.get("rows") is not None:
        yield "rows loaded", number(load["rows"])
    elif _part(document, "audit").get("rows") is not None:
        yield "rows in the source", number(_part(document, "audit")["rows"])
    if verification.get("values") is not None:
        yield "values compared", number(verification["values"])
    if source.get("bytes") is not None:
        yield "source", size(source["bytes"])
    if load.get("rows_per_second"):
        yield "rows per second", number(load["rows_per_second"])
    took = sum(float(phase.get("seconds") or 0) for phase in _list(document, "phases"))
    if took:
        yield "all phases", duration(took)


def table_lines(document: Document) -> list[TableLine]:
    """One line for each table that any part names, in name order."""
    lines: dict[str, TableLine] = {}

    def line(name: Any) -> TableLine:
        return lines.setdefault(str(name), TableLine(str(name)))

    for table in _part(document, "audit").get("tables") or []:
        found = line(table.get("table"))
        found.source_rows, found.bytes = table.get("rows"), table.get("bytes")
        found.target = table.get("target") or ""
    for name, rows in (_part(_part(document, "snapshot"), "manifest").get("tables") or {}).items():
        line(name).source_rows = rows
    for table in _part(document, "load").get("tables") or []:
        found = line(table.get("table"))
        found.target = table.get("target") or found.target
        found.loaded, found.bytes = table.get("rows"), table.get("bytes")
        found.seconds, found.quarantined = table.get("seconds"), table.get("quarantined")
    for table in _part(document, "verification").get("tables") or []:
        found = line(table.get("table"))
        found.target = table.get("target") or found.target
        found.source_rows = table.get("source_rows", found.source_rows)
        found.equal, found.values = table.get("equal"), table.get("compared_values")
    return [lines[name] for name in sorted(lines)]


def _charts(document: Document, tables: list[TableLine]) -> list[Chart]:
    phases = [
        Bar(str(phase.get("name")), float(phase["seconds"]), f"phase-{phase.get('state') or 'done'}")
        for phase in _list(document, "phases")
        if phase.get("seconds") is not None
    ]
    rows = [(table.name, table.loaded if table.loaded is not None else table.source_rows) for table in tables]
    charts = [
        bar_chart("phases", "Seconds per phase", phases, duration, by_value=False),
        bar_chart("rows", "Rows per table", [Bar(name, count) for name, count in rows if count is not None], number),
        bar_chart("bytes", "Size per table", [Bar(t.name, t.bytes) for t in tables if t.bytes is not None], size),
        bar_chart(
            "rate",
            "Throughput per table",
            [Bar(table.name, table.rate) for table in tables if table.rate and (table.seconds or 0) >= 0.05],
            lambda value: f"{value:,.0f} rows/s",
        ),
    ]
    return [chart for chart in charts if chart]


def _stopped_in(document: Document) -> str:
    named = _part(document, "verdict").get("phase")
    failed = [phase.get("name") for phase in _list(document, "phases") if phase.get("state") == "failed"]
    return str(named or (failed[-1] if failed else "unknown"))


def _running_phase(document: Document) -> str:
    phases = _list(document, "phases")
    running = [phase.get("name") for phase in phases if phase.get("state") == "running"]
    done = [phase.get("name") for phase in phases if phase.get("state") == "done"]
    return str(running[-1]) if running else f"{done[-1]} is done" if done else "not begun"


def _switched(document: Document) -> bool:
    """Whether the application is pointed at PostgreSQL: it was, and the phase did not undo itself."""
    undone = [
        p for p in _list(document, "phases") if p.get("name") == "switch" and p.get("state") in ("undone", "failed")
    ]
    return bool(_part(document, "switch")) and not undone


def _part(document: Document, name: str) -> Document:
    part = document.get(name)
    return part if isinstance(part, Mapping) else {}


def _list(document: Document, name: str) -> list[Document]:
    part = document.get(name)
    return [item for item in part if isinstance(item, Mapping)] if isinstance(part, list) else []
