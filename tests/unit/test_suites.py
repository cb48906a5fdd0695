# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/test: what runs side by side, and how it is counted."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "test"
PATIENCE = 10.0


@pytest.fixture(scope="module")
def suites() -> ModuleType:
    loader = SourceFileLoader("mcps_suites", str(SCRIPT))
    spec = spec_from_loader("mcps_suites", loader)
    assert spec is not None
    module = module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["mcps_suites"] = module
    # A script beside the source must not leave a compiled file.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


class Jobs:
    """Jobs that run until they are let go; I(begun) is in the order in which they began."""

    def __init__(self, suites: ModuleType, lanes: int, widths: list[int]) -> None:
        self.begun: list[int] = []
        self._changed = threading.Condition()
        self._go = [threading.Event() for _ in widths]
        self._pool = ThreadPoolExecutor(len(widths))
        self._suites = suites
        track = suites.Lanes(lanes)
        # The last are handed over first: their order does not depend on it.
        self._done = {
            number: self._pool.submit(track.run, number, width, partial(self._job, number))
            for number, width in reversed(list(enumerate(widths)))
        }

    def _job(self, number: int) -> object:
        with self._changed:
            self.begun.append(number)
            self._changed.notify_all()
        assert self._go[number].wait(PATIENCE)
        if number == 1:
            raise RuntimeError("broken")
        return self._suites.Count(passed=number)

    def running(self, *expected: int) -> bool:
        """Whether exactly these have begun, now and a moment later."""
        with self._changed:
            come = self._changed.wait_for(lambda: len(self.begun) >= len(expected), PATIENCE)
            more = self._changed.wait_for(lambda: len(self.begun) > len(expected), 0.2)
        return come and not more and self.begun == list(expected)

    def end(self, number: int) -> object:
        self._go[number].set()
        return self._done[number].result(PATIENCE)


def test_jobs_begin_in_their_order_as_lanes_become_free(suites: ModuleType) -> None:
    jobs = Jobs(suites, 3, [2, 1, 1, 2, 1])
    assert jobs.running(0, 1)
    with pytest.raises(RuntimeError):
        jobs.end(1)
    assert jobs.running(0, 1, 2), "a job that failed has left its lane"
    jobs.end(2)
    assert jobs.running(0, 1, 2), "the next one needs two lanes, and nobody overtakes it"
    assert jobs.end(0) == suites.Count()
    assert jobs.running(0, 1, 2, 3, 4)
    jobs.end(4)
    assert jobs.end(3) == suites.Count(passed=3)


def test_a_job_wider_than_all_lanes_gets_all_of_them(suites: ModuleType) -> None:
    jobs = Jobs(suites, 1, [2, 2])
    assert jobs.running(0)
    jobs.end(0)
    assert jobs.running(0, 1)
    with pytest.raises(RuntimeError):
        jobs.end(1)


def test_a_report_is_counted(suites: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/><testsuite tests="1"/></testsuites>'
    )
    assert suites.read_report(report) == suites.Count(passed=4, failed=2, skipped=2)


def test_a_failure_is_said_once_more_with_the_end_of_its_reason(suites: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "molecule-checklist-back.xml"
    lines = "&#10;".join(["a line of the test"] * 40 + ["E   assert 3 == 4"])
    report.write_text(
        '<testsuites><testsuite tests="3" failures="1" errors="1" skipped="0">'
        f'<testcase classname="test_passage" name="test_left"><failure message="short">{lines}</failure></testcase>'
        '<testcase classname="test_passage" name="test_right"><error message="no server"/></testcase>'
        '<testcase classname="test_passage" name="test_fine"/></testsuite></testsuites>'
    )
    left, right = suites.read_report(report).reasons
    assert left.splitlines()[0] == "molecule-checklist-back: test_passage::test_left: failure"
    assert left.splitlines()[-1] == "    E   assert 3 == 4"
    assert len(left.splitlines()) == 31
    assert right == "molecule-checklist-back: test_passage::test_right: error\n    no server"


def test_of_a_scenario_the_tasks_that_failed_are_said(suites: ModuleType) -> None:
    said = """
TASK [Fine] ********************
ok: [host]

TASK [Broken] ******************
fatal: [host]: FAILED! =>
    msg: there is
        no room

PLAY RECAP *********************
    host: failed=1
TASK [Never said] **************
"""
    expected = ["TASK [Broken]", "fatal: [host]: FAILED! =>", "    msg: there is", "        no room"]
    assert suites.fatal_lines(said).splitlines() == expected


def test_reasons_of_suites_are_added_up(suites: ModuleType) -> None:
    total = suites.Count(passed=1) + suites.failure("lint: mypy", "x" * 1000) + suites.failure("unit")
    assert (total.passed, total.failed) == (1, 2)
    assert total.reasons == ["lint: mypy\n    " + "x" * 600, "unit"]
