# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's figures as files, and from there into the documentation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .charts import all_charts
from .figures import Line, Point, as_dict, growth
from .table import page

BEGIN = "<!-- results: written by make bench-docs -->"
END = "<!-- end of results -->"
#: A run with BENCH_SCALING has a place of its own on the page, since it is rarely one of all contenders.
BEGIN_SIZES = "<!-- results by size: written by make bench-docs -->"
END_SIZES = "<!-- end of results by size -->"
BY_SIZE = "by-size.md"
#: Charts that are shown in the documentation, where the run has them.
SHOWN = ("the-whole-application.svg",)
SIZES = ("scaling.svg", "scaling-memory.svg")


@dataclass(frozen=True)
class Results:
    """All that a run has found, up to where it was I(broken_off). I(conditions) are its variables."""

    lines: Sequence[Line]
    points: Sequence[Point]
    machine: Mapping[str, str]
    conditions: Mapping[str, Any]
    command: str
    broken_off: bool = False

    def document(self) -> dict[str, Any]:
        """For programs."""
        names = dict.fromkeys(point.name for point in self.points)
        return {
            "command": self.command,
            "broken_off": self.broken_off,
            "conditions": dict(self.conditions),
            "machine": dict(self.machine),
            "lines": [as_dict(line, self.lines) for line in self.lines],
            "scaling": [asdict(point) for point in self.points],
            "growth": {name: growth(self.points, name) for name in names},
        }

    def text(self, only_sizes: bool = False) -> str:
        """For people, in Markdown."""
        rounds = self.conditions["repeat"]
        said = f"`{self.command}`: {rounds} round{'s' * (rounds != 1)}, medians, begun {self.conditions['begun']}{', broken off' * self.broken_off}."
        return page([] if only_sizes else self.lines, self.points, self.machine, said)

    def write(self, folder: Path) -> None:
        """results.json, results.md and the charts."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("*.svg"), *folder.glob(BY_SIZE)):
            old.unlink()
        (folder / "results.json").write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")
        (folder / "results.md").write_text(self.text(), encoding="utf-8")
        if self.points:
            (folder / BY_SIZE).write_text(self.text(only_sizes=True), encoding="utf-8")
        for name, drawn in all_charts(self.lines, self.points).items():
            (folder / name).write_bytes(drawn)


def document(results: Path, page: Path) -> None:
    """Put a run's table and charts into a page, between its marks; charts go into the folder of the page's name.

    Raises ValueError where the marks are missing, OSError where there are no results.
    """
    by_size = (results / BY_SIZE).exists()
    text = (results / (BY_SIZE if by_size else "results.md")).read_text(encoding="utf-8")
    first, last = (BEGIN_SIZES, END_SIZES) if by_size else (BEGIN, END)
    head, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _old, end, tail = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"{page} lacks the marks {first} and {last}")
    folder = page.with_suffix("")
    shown = [name for name in (SIZES if by_size else SHOWN) if (results / name).exists()]
    if shown:
        folder.mkdir(exist_ok=True)
    for name in shown:
        shutil.copyfile(results / name, folder / name)
        text += f"\n![{Path(name).stem.replace('-', ' ')}]({folder.name}/{name})\n"
    page.write_text(f"{head}{first}\n\n{text}\n{last}{tail}", encoding="utf-8")
