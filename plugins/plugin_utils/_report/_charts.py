# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bar and line charts as SVG that is part of the page: drawn by pygal, coloured by the page's own style, without any script."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass

try:
    import pygal
    from pygal.style import Style
except ImportError:  # the report is right without charts
    pygal = None

#: More bars than this are no chart any more; where their order says something, twice as many are.
LONGEST = 20
WIDTH = 500
BAR_HEIGHT = 30
FONT_SIZE = 15
LABEL_LENGTH = 20


@dataclass(frozen=True)
class Bar:
    """One bar; I(kind) becomes its class."""

    label: str
    value: float
    kind: str = ""


@dataclass(frozen=True)
class Curve:
    """One line of a chart, a value for each place on the x axis; I(kind) becomes its class."""

    label: str
    values: Sequence[float | None]
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """A finished chart. I(left_out) bars, the shortest, found no room."""

    name: str
    title: str
    svg: str
    left_out: int = 0
    #: The lines' classes and what each of them is.
    legend: Sequence[tuple[str, str]] = ()


def available() -> bool:
    """Whether the controller's Python has pygal."""
    return pygal is not None


def bar_chart(
    name: str, title: str, bars: Sequence[Bar], text: Callable[[float], str], by_value: bool = True
) -> Chart | None:
    """Horizontal bars, the longest on top (or in the given order), each with its value as I(text) writes it.

    None where pygal is absent or there is nothing to compare: fewer than two bars, or none above zero.
    """
    if not available() or len(bars) < 2 or max(bar.value for bar in bars) <= 0:
        return None
    shown = sorted(bars, key=lambda bar: (-bar.value, bar.label)) if by_value else list(bars)
    room_for = LONGEST if by_value else 2 * LONGEST
    left_out = max(0, len(shown) - room_for)
    shown = shown[:room_for][::-1]  # pygal draws upwards
    longest = max(len(text(bar.value)) for bar in shown)
    room = 1 - min(0.45, 0.6 * FONT_SIZE * (longest + 1) / (WIDTH - 180))
    chart = pygal.HorizontalBar(
        style=Style(font_family="system-ui, sans-serif", label_font_size=FONT_SIZE, value_font_size=FONT_SIZE),
        width=WIDTH,
        height=BAR_HEIGHT * len(shown) + 12,
        margin=4,
        spacing=6,
        show_legend=False,
        show_x_labels=False,
        show_y_labels=True,
        show_y_guides=False,
        show_x_guides=False,
        print_values=True,
        print_values_position="top",
        range=(0, max(bar.value for bar in shown) / room),
        value_formatter=text,
        js=(),
        disable_xml_declaration=True,
        x_labels=[_short(bar.label) for bar in shown],
    )
    chart.add("", [bar.value for bar in shown])
    root = _inline(chart.render(is_unicode=True), name, title)
    drawn = [element for element in root.iter("g") if element.get("class") == "bar"]
    for element, bar in zip(drawn, shown, strict=True):
        element.set("class", f"bar {bar.kind}".strip())
    return Chart(name, title, _text_of(root), left_out)


def line_chart(
    name: str, title: str, places: Sequence[str], curves: Sequence[Curve], text: Callable[[float], str]
) -> Chart | None:
    """Lines over I(places), upwards in powers of ten, its axis labelled as I(text) writes values.

    None where pygal is absent or there is nothing to draw: fewer than two places, or no value above zero.
    """
    values = [value for curve in curves for value in curve.values if value and value > 0]
    if not available() or len(places) < 2 or not values:
        return None
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    chart = pygal.Line(
        style=Style(font_family="system-ui, sans-serif", label_font_size=FONT_SIZE),
        width=WIDTH,
        height=260,
        margin=4,
        margin_right=16,
        show_legend=False,
        logarithmic=True,
        dots_size=3,
        range=(10.0**low, 10.0 ** max(high, low + 1)),
        y_labels=[10.0**power for power in range(low, max(high, low + 1) + 1)],
        value_formatter=text,
        js=(),
        disable_xml_declaration=True,
        x_labels=list(places),
    )
    for curve in curves:
        chart.add(curve.label, [value if value and value > 0 else None for value in curve.values])
    root = _inline(chart.render(is_unicode=True), name, title)
    for element in root.iter("g"):
        # Lines, and once more their dots.
        number = re.search(r"\bserie-(\d+)", element.get("class") or "")
        if number:
            element.set("class", f"curve {curves[int(number[1])].kind}".strip())
    return Chart(name, title, _text_of(root), legend=tuple((curve.kind, curve.label) for curve in curves))


def _inline(svg: str, name: str, title: str) -> ElementTree.Element:
    """Pygal's document as an element of a page: no namespaces, comments, scripts, styles; named for screen readers."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("defs", "desc", "title", "script", "style") or "tooltip" in child.get("class", "").split():
                parent.remove(child)
    for overlay in root.iter("g"):
        if "text-overlay" in (overlay.get("class") or ""):
            for text in overlay.iter("text"):
                text.set("text-anchor", "start")
    root.attrib.pop("id", None)
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-labelledby", f"chart-{name}")
    caption = ElementTree.Element("title", {"id": f"chart-{name}"})
    caption.text = title
    root.insert(0, caption)
    return root


def _text_of(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "\u2026"
