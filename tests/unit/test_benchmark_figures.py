# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the benchmarks make medians, ratios, tables, charts and a page of their runs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.charts import all_charts, memory_by_rows, seconds_by_rows, slug
from benchmarks.figures import Aim, Line, Point, growth, inside_ratio, median, ratio, verdict
from benchmarks.results import BEGIN, BEGIN_SIZES, END, END_SIZES, Results, document
from benchmarks.table import page, sizes, table

LIMIT = Line("limit", "Load", "", None, 10, 10, [1.0, 2.0, 4.0], [None] * 3, [30, 20, 10], [3, 2, 1])
OURS = Line(
    "ours",
    "Load",
    "limit",
    Aim(1.12, judged_from=2),
    10,
    10,
    [1.1, 2.4, 4.2],
    [0.9, 2.0, 4.0],
    [5_000_000, 7_000_000, 6_000_000],
    [4_000_000, 3_000_000, 2_000_000],
    differing=0,
    note="a note",
    processor=[3.0, 1.0, 2.0],
)
LOSING = Line(
    "losing",
    "Load",
    "ours",
    Aim(8, False, 2),
    10,
    4,
    [11.0, 24.0, 42.0],
    [None] * 3,
    [1] * 3,
    [1] * 3,
    ["index i"],
    6,
)
BROKEN = Line(
    "broken", "Load", "limit", None, 10, 10, [None, 5.0, None], [None] * 3, [1], [1], note="failed: out of it"
)
ABSENT = Line("absent", "Load", "ours", note="not installed")
OTHER = Line("other", "Verification", "limit", None, 10, 10, [1.0] * 3, [None] * 3, [1] * 3, [1] * 3)
LINES = [LIMIT, OURS, LOSING, BROKEN, ABSENT, OTHER]

POINTS = [
    Point("ours", 500, 10_000, 2.0, 40_000_000, 30_000_000),
    Point("limit", 500, 10_000, 1.0, 20_000_000, 10_000_000),
    Point("ours", 5, 100, 0.04, 39_000_000, 29_000_000),
]


def test_the_median_of_nothing_is_nothing() -> None:
    assert median([]) is None
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_ratios_are_of_runs_of_the_same_round() -> None:
    assert ratio(OURS, LINES) == pytest.approx(1.1)
    assert inside_ratio(OURS, LINES) == pytest.approx(1.0)
    assert ratio(LOSING, LINES) == pytest.approx(10)
    assert ratio(BROKEN, LINES) == pytest.approx(2.5), "the only round that it came through"


def test_there_is_no_ratio_without_a_base_in_the_same_group() -> None:
    assert [ratio(line, LINES) for line in (LIMIT, ABSENT, OTHER)] == [None, None, None]
    assert ratio(OURS, [OURS]) is None


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim(1.12, True, 2), True),
        (Aim(1.05, True, 2), False),
        (Aim(1.05, False, 2), True),
        (Aim(1.12, True, 3), None),
        (None, None),
    ],
)
def test_an_aim_is_met_or_missed(aim: Aim | None, met: bool | None) -> None:
    line = replace(OURS, aim=aim)
    assert verdict(line, [LIMIT, line]) is met


def test_short_runs_say_nothing_of_an_aim() -> None:
    short = replace(LIMIT, seconds=[0.1, 0.2, 0.3])
    assert verdict(OURS, [short, OURS]) is None
    assert "at most 1.12: too short to say" in table([short, OURS])


def test_the_table_shows_what_was_lost_and_what_was_not_run() -> None:
    text = table([line for line in LINES if line.group == "Load"])
    assert "| ours | 2.40 s | 1.10 - 4.20 | 1.10 x limit | at most 1.12: met | 4 | 7 MB (4) | 2.0 s | 10 |\n" in text
    losing = "| losing | 24.00 s | 11.00 - 42.00 | 10.00 x ours | at least 8: met | 0 | 0 MB (0) |  | **4 of 10** |\n"
    assert losing in text
    assert "| absent | not measured |" in text
    assert "- ours: 2.00 s (1.00 x) without the start of its process; a note\n" in text
    assert "- losing: **6 values are not those of the source**; **missing: index i**\n" in text
    assert "- absent: not installed\n" in text
    most = replace(LOSING, lost=[f"index {number}" for number in range(7)])
    assert "missing: index 0, index 1, index 2, index 3, index 4 and 2 more**" in table([OURS, most])
    assert "- limit" not in text, "nothing is to be said of it"


def test_every_row_of_a_table_has_as_many_cells() -> None:
    for text in (table(LINES), sizes(POINTS)):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1, text


def test_the_page_has_a_table_per_group_and_the_machine() -> None:
    text = page(LINES, POINTS, {"disk": "ext4"}, "conditions")
    assert text.index("conditions") < text.index("- disk: ext4") < text.index("### Load")
    assert text.index("### Load") < text.index("### Verification") < text.index("### By size")
    assert "By size" not in page(LINES, [], {}, "")


def test_growth_is_where_it_is_most() -> None:
    seconds = {10: 1.0, 100: 2.0, 1000: 40.0, 10_000: 100.0}
    points = [Point("ours", rows, rows, taken, 1, 1) for rows, taken in seconds.items()]
    assert growth(points, "ours") == pytest.approx(2.0)


def test_memory_is_held_against_its_aim() -> None:
    assert "7 MB (4), at most 4: met" in table([replace(OURS, memory_aim=4_000_000)])
    assert "7 MB (4), at most 4: **missed**" in table([replace(OURS, memory_aim=3_999_999)])


def test_growth_is_of_the_time_per_row() -> None:
    assert growth(POINTS, "ours") == pytest.approx(0.5)
    assert growth(POINTS, "limit") is None


def test_sizes_leave_out_what_was_not_run() -> None:
    assert sizes(POINTS).splitlines() == [
        "| | 100 rows | 10,000 rows | time per row |",
        "|---|---:|---:|---:|",
        "| ours | 0.04 s, 39 MB (29) | 2.00 s, 40 MB (30) | x 0.50 |",
        "| limit |  | 1.00 s, 20 MB (10) |  |",
    ]


def test_curves_go_from_few_rows_to_many() -> None:
    assert seconds_by_rows(POINTS) == {"ours": [(100, 0.04), (10_000, 2.0)], "limit": [(10_000, 1.0)]}
    assert memory_by_rows(POINTS) == {"ours": [(100, 29.0), (10_000, 30.0)], "limit": [(10_000, 10.0)]}


def test_charts_are_drawn_without_scripts() -> None:
    drawn = all_charts(LINES, POINTS)
    assert set(drawn) == {
        "load.svg",
        "load-memory.svg",
        "verification.svg",
        "verification-memory.svg",
        "scaling.svg",
        "scaling-memory.svg",
    }
    for name, svg in drawn.items():
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
        assert "svg" in tags and "script" not in tags, name
    assert b"not measured" not in drawn["load.svg"] and b"absent" not in drawn["load.svg"]


def test_a_file_name_has_no_blanks() -> None:
    assert slug("What pgloader can load: (memory)") == "what-pgloader-can-load-memory"


def results() -> Results:
    return Results(LINES, POINTS, {"disk": "d"}, {"repeat": 3, "begun": "today"}, "make bench")


def test_the_document_holds_every_run_and_what_follows() -> None:
    found = json.loads(json.dumps(results().document()))
    lines = {line["name"]: line for line in found["lines"]}
    assert lines["ours"]["seconds"] == [1.1, 2.4, 4.2]
    assert lines["ours"]["aim"] == {"ratio": 1.12, "most": True, "judged_from": 2, "met": True}
    assert (lines["ours"]["median"], lines["absent"]["median"]) == (2.4, None)
    assert found["scaling"][0]["rows"] == 10_000
    assert found["growth"] == {"ours": pytest.approx(0.5), "limit": None}


@pytest.mark.parametrize(
    ("points", "begin", "end", "chart"),
    [
        (POINTS, BEGIN_SIZES, END_SIZES, "scaling.svg"),
        ([], BEGIN, END, "the-whole-application.svg"),
    ],
)
def test_results_go_between_the_marks_of_a_page_and_stay_there(
    tmp_path: Path, points: list[Point], begin: str, end: str, chart: str
) -> None:
    where, place = tmp_path / "results", tmp_path / "benchmarks.md"
    replace(results(), points=points).write(where)
    (where / "the-whole-application.svg").write_text("<svg/>")
    place.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    document(where, place)
    once = place.read_text()
    assert once.startswith(f"before\n{begin}\n") and once.endswith(f"{end}\nafter\n") and "old" not in once
    assert ("| ours | 2.40 s |" in once) == (not points) and f"](benchmarks/{chart})" in once
    assert (tmp_path / "benchmarks" / chart).read_bytes() == (where / chart).read_bytes()
    document(where, place)
    assert place.read_text() == once


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    results().write(tmp_path)
    place = tmp_path / "page.md"
    place.write_text("no marks\n")
    with pytest.raises(ValueError, match="lacks the marks"):
        document(tmp_path, place)
    assert place.read_text() == "no marks\n"
