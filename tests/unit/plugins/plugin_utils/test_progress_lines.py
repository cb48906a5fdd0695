# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.plugin_utils._progress_lines import Lines, duration


def status(**changes: Any) -> dict[str, Any]:
    return {
        "step": "load",
        "tables_done": 1,
        "tables_total": 3,
        "table": "social_posts",
        "rows": 412_000,
        "rows_total": 900_000,
        "all_rows": 413_200,
        "all_rows_total": 1_000_000,
        "rows_per_second": 81_300.0,
        "finished": [{"table": "server", "rows": 1200, "seconds": 0.42}],
        **changes,
    }


def test_a_finished_table_is_told_once_and_at_once() -> None:
    lines = Lines(5, 0)
    assert lines.due(status(), 0.1) == ["  load  server  1,200 rows  0.4 s"]
    assert lines.due(status(), 0.2) == []
    more = [*status()["finished"], {"table": "tool", "rows": 1, "seconds": 2.0}]
    assert lines.due(status(finished=more), 0.3) == ["  load  tool  1 row  2.0 s  0 rows/s"]

    pages = [*more, {"table": "file", "rows": 3308, "seconds": 2.0}]
    assert lines.due(
        status(finished=[*pages, {"table": "a", "rows": 7, "bytes": 1_500_000, "seconds": 0.5}]), 0.35
    ) == [
        "  load  file  3,308 rows  2.0 s  1,654 rows/s",
        "  load  a  7 rows  1.5 MB  0.5 s",
    ]
    lines = Lines(5, 0)
    lines.due(status(finished=more), 0.3)
    assert lines.due(status(finished=pages, unit="pages"), 0.4) == ["  load  file  3,308 pages  2.0 s  1,654 pages/s"]


def test_a_long_table_is_told_every_interval() -> None:
    lines = Lines(5, 0)
    lines.due(status(), 1)
    expected = [
        "  load  social_posts  412,000 / 900,000  45 %  81,300 rows/s  6.0 s left",
        "  load  all tables  1 of 3 done  413,200 / 1,000,000  41 %  81,300 rows/s  7.2 s left",
    ]
    assert lines.due(status(), 5) == expected
    assert lines.due(status(), 9.9) == []
    assert lines.due(status(), 10) == expected


def test_several_hosts_are_told_apart() -> None:
    assert Lines(5, 0, "db1  ").due(status(), 0) == ["  db1  load  server  1,200 rows  0.4 s"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"tables_total": 1, "tables_done": 0, "rows_per_second": 0.0, "rows": 0},
            ["  load  social_posts  0 / 900,000  0 %"],
            id="no rate yet, one table",
        ),
        pytest.param(
            {"tables_total": 1, "tables_done": 0, "rows": 10, "rows_total": 0},
            ["  load  social_posts  10 / 0  81,300 rows/s"],
            id="unknown total",
        ),
        pytest.param(
            {"tables_total": 1, "tables_done": 0, "rows": 11, "rows_total": 10},
            ["  load  social_posts  11 / 10  100 %  81,300 rows/s"],
            id="more than expected",
        ),
        pytest.param({"tables_total": 0, "tables_done": 0, "table": ""}, [], id="not begun"),
        pytest.param(
            {
                "bytes": 52_428_800,
                "running": [
                    {"table": "posts", "rows": 100, "rows_total": 400, "bytes": 2_000_000, "rows_per_second": 50.0},
                    {"table": "tool", "rows": 0, "rows_total": 10, "bytes": 0, "rows_per_second": 0.0},
                ],
            },
            [
                "  load  posts  100 / 400  25 %  2.0 MB  50 rows/s  6.0 s left",
                "  load  tool  0 / 10  0 %",
                "  load  all tables  1 of 3 done  413,200 / 1,000,000  41 %  52.4 MB  81,300 rows/s  7.2 s left",
            ],
            id="several at once",
        ),
        pytest.param(
            {"tables_total": 1, "tables_done": 0, "table": "a\x1b[2Jb\nc", "rows": 1, "rows_total": 1},
            ["  load  a\ufffd[2Jb\ufffdc  1 / 1  100 %  81,300 rows/s"],
            id="hostile name",
        ),
    ],
)
def test_running(changes: dict[str, Any], expected: list[str]) -> None:
    assert Lines(5, 0).due(status(finished=[], **changes), 5) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
