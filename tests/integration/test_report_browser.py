# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a real browser: what is to be seen, on a wide and on a narrow screen, and that nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import PlaybookRunner
from support.browser import headless_browser
from support.report_documents import COMMAND, documents, hostile

WIDE, NARROW = (1280, 900), (360, 740)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium by its driver, with a record of everything that it asks the network for."""
    with headless_browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


class Shown:
    """A page in the browser."""

    def __init__(self, driver: Any, path: Path, size: tuple[int, int], media: str = "", dark: bool = False) -> None:
        self._driver = driver
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600},
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        for kind in ("browser", "performance"):
            driver.get_log(kind)
        driver.get(path.as_uri())
        self.messages = driver.get_log("browser")
        events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        self.requests = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]

    def script(self, text: str) -> Any:
        return self._driver.execute_script(text)

    def boxes(self, selector: str) -> list[tuple[float, float]]:
        """Width and height of everything that I(selector) finds."""
        found = self.script(
            f"return [...document.querySelectorAll({json.dumps(selector)})]"
            ".map(e => [e.getBoundingClientRect().width, e.getBoundingClientRect().height])"
        )
        return [(float(width), float(height)) for width, height in found]

    def text(self, selector: str) -> str:
        """The text that is to be seen."""
        return " ".join(str(self.script(f"return document.querySelector({json.dumps(selector)}).innerText")).split())

    def brightness(self, selector: str, what: str) -> float:
        """0 (black) to 255 (white) of a computed colour."""
        style = f"getComputedStyle(document.querySelector({json.dumps(selector)})).{what}"
        return sum(float(part) for part in self.script(f"return {style}.match(/[0-9.]+/g).slice(0, 3)")) / 3


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every stage's page as a file."""
    from ansible_collections.mcps.postgres.plugins.plugin_utils._report import render

    folder = tmp_path_factory.mktemp("pages")
    result = {}
    for name, document in {**documents(), "hostile": hostile()}.items():
        result[name] = folder / f"{name}.html"
        result[name].write_text(render(document), encoding="utf-8")
    return result


@pytest.fixture
def show(browser: Any, pages: dict[str, Path]) -> Callable[..., Shown]:
    """Opens the page of a stage."""
    return lambda name, size=WIDE, **how: Shown(browser, pages[name], size, **how)


@pytest.mark.parametrize("stage", [*documents(), "hostile"])
def test_every_stage_is_clean_and_fits(stage: str, show: Callable[..., Shown]) -> None:
    for size in (WIDE, NARROW):
        page = show(stage, size)
        assert page.messages == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in page.requests if url.startswith("file:")]) == 1
        assert page.script("return document.documentElement.scrollWidth") <= size[0]
        assert page.script("return document.documentElement.clientWidth") <= size[0]


def test_the_first_screen_answers_the_three_questions(show: Callable[..., Shown]) -> None:
    page = show("migrated")
    assert page.text("h1") == "Migrated and verified"
    assert page.text(".answer:nth-child(1)").startswith("Did it work? Yes")
    assert page.text(".answer:nth-child(2)").startswith("Is anything lost? No All 9,075,000 values")
    assert page.text(".answer:nth-child(3)").startswith("How do I go back? With one command")
    assert page.text("pre") == COMMAND
    bottom = page.script("return document.querySelector('.answers').getBoundingClientRect().bottom")
    assert bottom < WIDE[1]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_tables_and_charts_are_there(size: tuple[int, int], show: Callable[..., Shown]) -> None:
    page = show("migrated", size)
    assert len(page.boxes("#tables tbody tr")) == 12
    assert len(page.boxes("#phases tbody tr")) == 7
    charts = page.boxes("svg.chart")
    assert len(charts) == 4
    assert all(width > 200 and height > 80 for width, height in charts)
    bars = page.boxes("svg.chart .bar rect")
    assert len(bars) == 7 + 12 + 12 + 11
    assert all(width > 0 and height > 5 for width, height in bars)
    assert page.script("return document.querySelector('.chart title').textContent") == "Seconds per phase"


def test_a_charts_texts_stay_inside_and_apart(show: Callable[..., Shown]) -> None:
    page = show("migrated")
    outside = page.script(
        """return [...document.querySelectorAll('svg.chart')].flatMap(svg => {
             const frame = svg.getBoundingClientRect();
             return [...svg.querySelectorAll('text')].filter(text => {
               const box = text.getBoundingClientRect();
               return box.left < frame.left - 1 || box.right > frame.right + 1 || box.width === 0;
             }).map(text => text.textContent)})"""
    )
    assert outside == []
    overlapping = page.script(
        """return [...document.querySelectorAll('svg.chart')].flatMap(svg => {
             const texts = [...svg.querySelectorAll('text')].map(text => text.getBoundingClientRect());
             return texts.flatMap((a, i) => texts.slice(i + 1).filter(b =>
               a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom))}).length"""
    )
    assert overlapping == 0


def test_a_failed_phase_stands_out(show: Callable[..., Shown]) -> None:
    page = show("stopped")
    assert page.text("h1") == "Stopped in phase load"
    assert "'EXTREME' is no label" in page.text(".answer")
    fills = page.script("return [...document.querySelectorAll('#phases .bar rect')].map(e => getComputedStyle(e).fill)")
    assert len(fills) == 4 and len(set(fills)) == 2


def test_hostile_text_does_nothing(show: Callable[..., Shown]) -> None:
    page = show("hostile")
    assert page.script("return document.title").startswith("MCPS<script>")
    assert page.script("return document.querySelectorAll('script, img, main b, svg:not(.chart)').length") == 0
    assert "<script>document.title='owned'</script>" in page.text("h1")


def test_dark_and_paper(show: Callable[..., Shown]) -> None:
    light, text = (show("migrated").brightness("body", name) for name in ("backgroundColor", "color"))
    assert light > 220 and text < 60
    dark = show("migrated", dark=True)
    assert dark.brightness("body", "backgroundColor") < 50 and dark.brightness("body", "color") > 200
    assert dark.brightness(".chart text", "fill") > 200
    paper = show("migrated", media="print", dark=True)
    assert paper.brightness("body", "backgroundColor") == 255 and paper.brightness(".chart text", "fill") < 60


def test_the_filter_writes_the_page(playbook: PlaybookRunner, browser: Any, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(documents()["migrated"]))
    content = (
        f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/report.json') | from_json | mcps.postgres.report_html }}}}"
    )
    write = {"ansible.builtin.copy": {"content": content, "dest": str(tmp_path / "report.html"), "mode": "0600"}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [write]}
    playbook([play]).succeeded(changed=True)
    playbook([play]).succeeded(changed=False)
    page = Shown(browser, tmp_path / "report.html", WIDE)
    assert page.text("h1") == "Migrated and verified" and page.messages == []
    wrong = {"ansible.builtin.debug": {"msg": "{{ 'text' | mcps.postgres.report_html }}"}}
    playbook([{**play, "tasks": [wrong]}]).failed("needs a report document (a dictionary), not")
