# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as SVG, drawn by pygal, without scripts."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import pygal
from pygal.style import Style

from .figures import Line, Point

SVG = "http://www.w3.org/2000/svg"
STYLE = Style(background="white", plot_background="white", font_family="system-ui, sans-serif")
OPTIONS: dict[str, Any] = {"style": STYLE, "js": [], "width": 900}


def all_charts(lines: Sequence[Line], points: Sequence[Point]) -> dict[str, bytes]:
    """SVG by file name."""
    drawn = {}
    for group in dict.fromkeys(line.group for line in lines):
        shown = [line for line in lines if line.group == group and line.median is not None]
        if shown:
            drawn[f"{slug(group)}.svg"] = bars(f"{group}: seconds", [(line.name, line.median or 0) for line in shown])
            peaks = [(line.name, max(line.share) / 1e6) for line in shown]
            drawn[f"{slug(group)}-memory.svg"] = bars(f"{group}: memory of the client, MB", peaks)
    if points:
        drawn["scaling.svg"] = curves("Seconds by rows", "seconds", seconds_by_rows(points), by_decade=True)
        drawn["scaling-memory.svg"] = curves("Memory of the client by rows", "MB", memory_by_rows(points))
    return drawn


def slug(title: str) -> str:
    """A file's name."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def seconds_by_rows(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """Curves by name, in the order of rows."""
    return _by_name(points, lambda point: point.seconds)


def memory_by_rows(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """Curves by name, in the order of rows; millions of bytes, pages shared by processes counted once."""
    return _by_name(points, lambda point: point.share / 1e6)


def _by_name(points: Sequence[Point], value: Any) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        curves.setdefault(point.name, []).append((point.rows, value(point)))
    return {name: sorted(curve) for name, curve in curves.items()}


def bars(title: str, values: Sequence[tuple[str, float]]) -> bytes:
    """Horizontal bars from top to bottom."""
    upwards = list(values)[::-1]  # as pygal draws
    chart = pygal.HorizontalBar(
        title=title, show_legend=False, print_values=True, height=120 + 34 * len(values), **OPTIONS
    )
    chart.value_formatter = lambda value: f"{value:,.2f}"
    chart.x_labels = [name for name, _ in upwards]
    chart.add("", [value for _, value in upwards])
    return _without_scripts(chart.render())


def curves(title: str, what: str, values: dict[str, list[tuple[float, float]]], by_decade: bool = False) -> bytes:
    """Curves over numbers of rows, which stand in decades; I(by_decade): the values do so too."""
    # pygal knows a logarithmic scale of the values only: both are made here, so that they read alike.
    scale = math.log10 if by_decade else float
    chart = pygal.XY(
        title=title,
        x_title="rows",
        y_title=what,
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        truncate_legend=-1,
        height=520,
        **OPTIONS,
    )
    chart.x_value_formatter = lambda exponent: f"{10**exponent:,.0f}"
    chart.value_formatter = (lambda exponent: f"{10**exponent:,.3g}") if by_decade else (lambda value: f"{value:,.0f}")
    rows = [row for points in values.values() for row, _ in points]
    chart.x_labels = list(range(math.floor(math.log10(min(rows))), math.ceil(math.log10(max(rows))) + 1))
    if by_decade:
        heights = [math.log10(value) for points in values.values() for _, value in points]
        chart.y_labels = list(range(math.floor(min(heights)), math.ceil(max(heights)) + 1))
    else:
        chart.range = (0, 1.1 * max(value for points in values.values() for _, value in points))
    for name, points in values.items():
        chart.add(name, [(math.log10(row), scale(value)) for row, value in points])
    return _without_scripts(chart.render())


def _without_scripts(svg: bytes) -> bytes:
    """The same picture: what makes it move is of no use in a document."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for script in parent.findall(f"{{{SVG}}}script"):
            parent.remove(script)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
