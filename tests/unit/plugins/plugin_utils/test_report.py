# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.plugin_utils._report import _charts, render
from ansible_collections.mcps.postgres.plugins.plugin_utils._report._text import (
    clean,
    counted,
    duration,
    moment,
    number,
    size,
    value_text,
)
from ansible_collections.mcps.postgres.plugins.plugin_utils._report._view import table_lines, view_of
from support.report_documents import COMMAND, MARKUP, documents, hostile

VOID = {"meta", "link", "img", "br", "hr", "input"}
DOCUMENTS = documents()


class Page(HTMLParser):
    """The page's elements, texts and ids; fails on elements that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    @property
    def flat(self) -> str:
        return " ".join(" ".join(self.text).split())

    def ids(self) -> set[str]:
        return {str(attributes["id"]) for _, attributes in self.elements if "id" in attributes}


EXPECTED = {
    # stage: headline, tone, answers (short), sections that are there, sections that are not
    "measured": ("Measured, not migrated", "good", ["1 of 3 promises hold", "No", "Nothing to undo"], "benchmark promise-writes chart-promise-writes promise-vectors", "phases tables chart-promise-vectors"),
    "empty": ("Under way: not begun", "busy", ["It is still running", "Not compared yet", "Nothing to undo"], "details", "phases tables"),
    "begun": ("Under way: not begun", "busy", ["It is still running", "Not compared yet", "Nothing to undo"], "phases", "tables audit rehearsal"),
    "audited": ("Under way: schema", "busy", ["It is still running", "Not compared yet", "Nothing to undo"], "rehearsal audit tables", "rules"),
    "loaded": ("Under way: verify", "busy", ["It is still running", "Not compared yet", "Nothing to undo"], "rules sequences skipped", "switch"),
    "stopped": ("Stopped in phase load", "bad", ["No, it stopped in phase load", "Not compared yet", "Nothing to undo"], "audit", "rules"),
    "migrated": ("Migrated and verified", "good", ["Yes", "No", "With one command"], "switch sequences", "differences warnings late quarantine"),
    "quarantined": ("Migrated and verified", "warn", ["Yes", "3 rows set aside, none lost", "With one command"], "quarantine warnings", "differences"),
    "different": ("Stopped in phase verify", "bad", ["No, it stopped in phase verify", "2 differences", "Nothing to undo in the application"], "differences", "late"),
    "late": ("Stopped in phase fence", "bad", ["No, it stopped in phase fence", "1 table changed meanwhile", "Nothing to undo in the application"], "late", "differences"),
    "switch undone": ("Stopped in phase switch", "bad", ["No, it stopped in phase switch", "No", "Nothing to undo in the application"], "switch", "late"),
    "rolled back": ("Rolled back", "warn", ["Rolled back", "No", "You are back"], "phases", "differences"),
    "finalized": ("Migrated and finalized", "good", ["Yes", "No", "Not with one command any more"], "switch", "differences"),
}  # fmt: skip


@pytest.mark.parametrize("stage", DOCUMENTS)
def test_every_stage_says_what_is_so(stage: str) -> None:
    headline, tone, answers, there, absent = EXPECTED[stage]
    view = view_of(DOCUMENTS[stage])
    assert (view.headline, view.tone) == (headline, tone)
    assert [answer.short for answer in view.answers] == answers
    page = Page(render(DOCUMENTS[stage]))
    assert headline in page.flat
    assert set(there.split()) <= page.ids()
    assert not set(absent.split()) & page.ids()


def test_the_three_questions_of_a_good_migration() -> None:
    page = Page(render(DOCUMENTS["migrated"]))
    assert "All 9,075,000 values of 825,000 rows were compared, and every one is equal." in page.flat
    assert COMMAND in page.flat
    for fact in (
        "DATABASE_URL, DB_POOL_SIZE, USE_SQLITE",
        "/srv/mcps/migration/env.before",
        "db1.internal:5432",
        "18.1",
    ):
        assert fact in page.flat
    assert "to_utc" in page.flat and "SQLite's own full-text index" in page.flat


def test_a_rehearsal_says_what_was_refused_and_why() -> None:
    page = Page(render(DOCUMENTS["audited"]))
    for text in (
        "Downgrade, revision 0004: other tables refer to the table that is dropped",
        "DROP TABLE server;",
        "Drop the children first. /srv/mcps/alembic/versions/0004_rename.py, line 17.",
        "server.stars: type is BIGINT",
        "tool.risk: text instead of risklevel",
        "The way down leaves behind: hosttype.",
        """op.execute('DROP TYPE "hosttype"')""",
        "tool (server_id).",
        "migration_schema_enhancements: [{kind: foreign_keys}]",
        "require-concurrent-index-creation",
        "CREATE INDEX ix ON server (stars);",
    ):
        assert text in page.flat


def test_a_rehearsal_without_a_linter_says_so() -> None:
    note = "The revisions are not linted: there is no squawk at /srv/squawk"
    rehearsal = {**DOCUMENTS["audited"]["rehearsal"], "lint": [], "notes": [note, "something that stands elsewhere"]}
    page = Page(render({**DOCUMENTS["audited"], "rehearsal": rehearsal}))
    assert note in page.flat and "something that stands elsewhere" not in page.flat


def test_a_rehearsal_that_did_not_take_place_is_not_shown() -> None:
    assert "rehearsal" not in Page(render({**DOCUMENTS["audited"], "rehearsal": {"rehearsed": False}})).ids()


def test_a_benchmark_says_what_holds_where_and_why() -> None:
    page = Page(render(DOCUMENTS["measured"]))
    for text in (
        "Holds: Full-text search against LIKE. In part: Write throughput.",
        "It holds in 4 of 6 cases, for transactions held open of 8 clients or more.",
        "73 \u00b5s",
        "SELECT 1 <= 2",
        "SCAN articles",
        "held transactions, 32 clients, SQLite wal 32 100 10.0 ms 20.0 ms 3 2,300 2 ms 4 ms 0 23 times",
        "SELECT * FROM server WHERE name ~ $1",
        "vectors: no vector column has an HNSW or IVFFlat index",
    ):
        assert text.replace(".0 ms", " ms") in page.flat, text


def test_a_promise_is_drawn_against_the_best_of_sqlite() -> None:
    view = view_of(DOCUMENTS["measured"])
    assert view.benchmark is not None
    (drawn,) = [promise.chart.svg for promise in view.benchmark.promises if promise.chart and promise.name == "writes"]
    assert [text for text in ("0.20 times", "6.1 times", "23 times") if text not in drawn] == []
    assert drawn.count("promise-kept") == 1 and drawn.count("promise-missed") == 2


def test_rates_and_times_are_drawn_by_the_number_of_clients() -> None:
    view = view_of(DOCUMENTS["measured"])
    assert view.benchmark is not None
    writes, search, vectors = view.benchmark.promises
    # Only held transactions were measured with two numbers of clients.
    assert [curve.title for curve in writes.curves] == ["held: a second, by clients", "held: time of one, by clients"]
    assert [label for _, label in writes.curves[0].legend] == ["SQLite", "PostgreSQL"]
    assert [kind for kind, _ in writes.curves[1].legend] == [
        *("sqlite p50", "sqlite p95", "postgresql p50", "postgresql p95"),
    ]
    for curve in writes.curves:
        drawn = ElementTree.fromstring(curve.svg)
        dots = [len(list(group.iter("circle"))) for group in drawn.iter("g") if "curve" in group.get("class", "")]
        assert [count for count in dots if count] == [2] * len(curve.legend)
        texts = [text.text for text in drawn.iter("text")]
        assert {"8", "32"} <= set(texts) and {"1,000", "10 ms"} & set(texts)
    assert search.curves == [] and vectors.curves == []


def test_lines_need_places_and_values() -> None:
    curves = [_charts.Curve("a", [1.0, None], "sqlite"), _charts.Curve("b", [None, 0.0], "postgresql")]
    assert _charts.line_chart("x", "X", ["1"], curves, str) is None
    assert _charts.line_chart("x", "X", ["1", "2"], curves[1:], str) is None
    assert _charts.line_chart("x", "X", ["1", "2"], curves, str) is not None


def test_a_benchmark_says_what_would_help() -> None:
    words = Page(render(DOCUMENTS["measured"])).flat
    assert "2 found faster with other settings or indexes" in words
    assert "SET synchronous_commit = off 20.0 a second 1,200 a second 12.0 times" in words
    assert "SET jit = off CREATE INDEX ON x (y) 20 ms 10 ms 1.50 times" in words


def test_the_benchmark_of_a_migration_stands_in_its_report() -> None:
    page = Page(render({**DOCUMENTS["migrated"], "benchmark": DOCUMENTS["measured"]["benchmark"]}))
    assert {"benchmark", "phases", "tables"} <= page.ids()
    assert "Migrated and verified" in page.flat


def test_a_migration_that_was_not_compared_is_not_called_good() -> None:
    document = {key: value for key, value in DOCUMENTS["migrated"].items() if key != "verification"}
    view = view_of(document)
    assert (view.headline, view.tone) == ("Migrated, not verified", "warn")


def test_a_sample_is_not_called_a_proof() -> None:
    verification = {**DOCUMENTS["migrated"]["verification"], "compared_rows": 42, "sample": 10.0}
    page = Page(render({**DOCUMENTS["migrated"], "verification": verification}))
    assert "Migrated and verified by a sample" in page.flat
    assert "Only 42 of" in page.flat and "every one is equal" not in page.flat


def test_differences_show_table_key_column_and_both_values() -> None:
    page = Page(render(DOCUMENTS["different"]))
    assert "tool [7] score different 0.1 0.125" in page.flat
    assert 'tool [9] missing {"name": "x"} null' in page.flat
    assert "The application still uses SQLite, where everything is." in page.flat


def test_an_error_comes_with_its_advice() -> None:
    page = Page(render(DOCUMENTS["stopped"]))
    assert "'EXTREME' is no label of enum risklevel. Add a rule that maps it" in page.flat


def test_long_lists_are_cut_and_say_so() -> None:
    document = {**DOCUMENTS["different"]}
    one = document["verification"]["differences"][0]
    document["verification"] = {**document["verification"], "differences": [one] * 450}
    page = Page(render(document))
    assert "The first 200 of 450; report.json has all of them." in page.flat
    assert page.flat.count("tool [7] score different") == 200


@pytest.mark.parametrize("stage", [*DOCUMENTS, "hostile"])
def test_nothing_is_fetched_and_nothing_runs(stage: str) -> None:
    html = render(DOCUMENTS.get(stage) or (hostile() if stage == "hostile" else {}))
    html.encode("utf-8")
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in ("script", "img", "iframe", "object", "embed", "base", "form", "b", "foreignobject"), tag
        assert not any(name.startswith("on") for name in attributes), attributes
        for name in ("src", "href", "xlink:href", "style", "action"):
            assert attributes.get(name) in (None, "data:,"), attributes
    assert "http://" not in html and "https://" not in html and "//" not in re.sub(r"/\*.*?\*/", "", html)
    assert "url(" not in html and "@import" not in html


def test_hostile_text_is_shown_as_it_is() -> None:
    html = render(hostile())
    page = Page(html)
    assert MARKUP in page.flat
    assert "{{ 7 * 7 }}" in page.flat
    assert "</style><b>bold</b>" in page.flat
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", html)


@pytest.mark.parametrize("stage", DOCUMENTS)
def test_it_can_be_read_without_seeing_it(stage: str) -> None:
    page = Page(render(DOCUMENTS[stage]))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == 1 and tags.count("main") == 1
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(later - sooner <= 1 for sooner, later in zip(headings, headings[1:], strict=False))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.elements if tag == "th")
    assert tags.count("caption") == tags.count("table")
    ids = page.ids()
    for tag, attributes in page.elements:
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-labelledby"] in ids
    assert dict(page.elements)["html"]["lang"] == "en"


def test_the_charts_of_a_migration() -> None:
    charts = {chart.name: chart for chart in view_of(DOCUMENTS["migrated"]).charts}
    assert list(charts) == ["phases", "rows", "bytes", "rate"]
    assert "400,000" in charts["rows"].svg and "166 MB" in charts["bytes"].svg and "rows/s" in charts["rate"].svg
    assert charts["rows"].svg.index("companies") < charts["rows"].svg.index("social_posts"), "drawn upwards"
    assert 'class="bar phase-failed"' in view_of(DOCUMENTS["stopped"]).charts[0].svg
    assert render(DOCUMENTS["migrated"]) == render(DOCUMENTS["migrated"]), "the same document, the same page"


def test_many_tables_do_not_make_an_endless_chart() -> None:
    bars = [_charts.Bar(f"table_{n:03d}_with_quite_a_long_name", n) for n in range(60)]
    chart = _charts.bar_chart("many", "Many", bars, number)
    assert chart and chart.left_out == 40
    assert chart.svg.count('class="bar"') == 20
    assert "table_059_with_quit\u2026" in chart.svg and "table_039" not in chart.svg


@pytest.mark.parametrize("values", [[], [5], [0, 0]])
def test_nothing_to_compare_is_no_chart(values: list[int]) -> None:
    assert _charts.bar_chart("x", "X", [_charts.Bar(str(v), v) for v in values], number) is None


def test_without_pygal_the_page_says_why_there_are_no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_charts, "pygal", None)
    page = Page(render(DOCUMENTS["migrated"]))
    assert "has no pygal" in page.flat and "svg" not in [tag for tag, _ in page.elements]


def test_a_table_is_one_line_whatever_names_it() -> None:
    lines = {line.name: line for line in table_lines(DOCUMENTS["quarantined"])}
    assert len(lines) == 12
    tool = lines["tool"]
    assert (tool.source_rows, tool.loaded, tool.quarantined, tool.equal) == (84_300, 84_300, 3, True)
    assert tool.rate == pytest.approx(84_300 / tool.seconds) if tool.seconds else pytest.fail("no time")


@pytest.mark.parametrize(
    "part", ["verdict", "source", "phases", "rehearsal", "audit", "snapshot", "load", "verification", "switch"]
)
@pytest.mark.parametrize("value", [None, {}, [], "text"])
def test_a_part_that_is_not_as_it_should_be_spoils_nothing(part: str, value: Any) -> None:
    Page(render({**DOCUMENTS["migrated"], part: value}))


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (number, 1234567, "1,234,567"),
        (number, 38018.4, "38,018"),
        (number, 0, "0"),
        (number, None, "\u2013"),
        (size, 0, "0 B"),
        (size, 999, "999 B"),
        (size, 1000, "1.0 kB"),
        (size, 999_949, "1.0 MB"),
        (size, 431_230_976, "431 MB"),
        (size, 2.5e12, "2.5 TB"),
        (size, None, "\u2013"),
        (duration, 0.044, "0.04 s"),
        (duration, 9.94, "9.9 s"),
        (duration, 59.7, "1 min 00 s"),
        (duration, 7800, "2 h 10 min"),
        (moment, "2026-11-22T17:38:40+00:00", "2026-11-22 17:38:40 UTC"),
        (moment, "2026-11-22T17:38:40.123Z", "2026-11-22 17:38:40 UTC"),
        (moment, "2026-11-22T17:38:40+02:00", "2026-11-22 17:38:40 +02:00"),
        (moment, "yesterday", "yesterday"),
        (moment, None, "\u2013"),
        (value_text, None, "null"),
        (value_text, "text", "text"),
        (value_text, {"a": [1, True]}, '{"a": [1, true]}'),
        (clean, {1: ("a\x00\u202eb", "\ud83d")}, {"1": ["a\ufffd\ufffdb", "\ufffd"]}),
        (clean, "tab\tline\nZo\u00eb \U0001f468\u200d\U0001f469", "tab\tline\nZo\u00eb \U0001f468\u200d\U0001f469"),
    ],
)
def test_texts(write: Any, value: Any, text: Any) -> None:
    assert write(value) == text


def test_counted() -> None:
    assert [counted(1, "row"), counted(2000, "row"), counted(2, "a or b", "as or bs")] == [
        "1 row",
        "2,000 rows",
        "2 as or bs",
    ]
