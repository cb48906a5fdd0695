# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import MigrationError
from ansible_collections.mcps.postgres.plugins.module_utils._module._progress import FileProgress, Lease, progress_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._ports import Silent


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def read(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text())
    assert isinstance(document, dict)
    return document


def test_without_a_file_nobody_is_told() -> None:
    assert isinstance(progress_for({"progress_file": None}, "load"), Silent)
    assert isinstance(progress_for({}, "load"), Silent)


def test_the_file_is_there_from_the_beginning_and_private(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    umask = os.umask(0)
    try:
        assert isinstance(progress_for({"progress_file": str(path)}, "load", {"a": 5, "b": 7}), FileProgress)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status = read(path)
    assert (status["step"], status["tables_done"], status["tables_total"]) == ("load", 0, 2)
    assert (status["all_rows"], status["all_rows_total"], status["seconds_left"]) == (0, 12, None)
    assert status["pid"] == os.getpid()


def test_what_a_step_writes(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "status.json"
    progress = FileProgress(str(path), "load", {"server": 100, "tool": 900}, clock)
    progress.begin("server", 100)
    clock.now += 1
    progress.advance(100, 5000)
    progress.end()
    progress.begin("tool", 900)
    clock.now += 1
    progress.advance(300, 6000)
    status = read(path)
    assert status["table"] == "tool"
    assert (status["rows"], status["rows_total"]) == (300, 900)
    assert (status["all_rows"], status["all_rows_total"], status["bytes"]) == (400, 1000, 11000)
    assert (status["rows_per_second"], status["seconds_left"]) == (200.0, 3.0)
    assert status["finished"] == [{"table": "server", "rows": 100, "bytes": 5000, "seconds": 1.0}]
    assert (status["tables_done"], status["tables_total"]) == (1, 2)
    progress.advance(600)
    progress.end()
    assert read(path)["tables_done"] == 2, "the last table's end is written at once"


def test_the_rate_forgets_what_is_long_past(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "status.json"
    progress = FileProgress(str(path), "load", {"t": 100_000}, clock)
    progress.begin("t", 100_000)
    for rows in [1000] * 20 + [10] * 20:
        clock.now += 1
        progress.advance(rows)
    assert 10 <= read(path)["rows_per_second"] < 20


def test_at_most_twice_a_second(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = FileProgress(str(tmp_path / "status.json"), "load", {f"t{n}": 100 for n in range(1000)}, clock)
    writes = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (writes.append(clock.now), replace(*names)))
    for number in range(100):
        progress.begin(f"t{number}", 100)
        for _ in range(10):
            clock.now += 0.01
            progress.advance(10)
        progress.end()
    assert 15 <= len(writes) <= 21, "ten seconds"
    assert min(later - sooner for sooner, later in zip(writes, writes[1:], strict=False)) >= 0.5


def test_unplanned_tables_are_counted_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    progress = FileProgress(str(path), "scan")
    for name in ("a", "b"):
        progress.begin(name, 3)
        progress.advance(3)
        progress.end()
    status = read(path)
    assert (status["tables_done"], status["tables_total"], status["all_rows_total"]) == (2, 2, 6)


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    progress = FileProgress(str(tmp_path / "status.json"), "load")
    progress.begin("t", 0)
    progress.end()
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_an_impossible_path_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"absent/status\.json cannot be written.*progress_file"):
        FileProgress(str(tmp_path / "absent" / "status.json"), "load")


def test_a_status_that_cannot_be_written_any_more_stops_nothing(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    progress = FileProgress(str(folder / "status.json"), "load", None, clock)
    (folder / "status.json").unlink()
    folder.rmdir()
    progress.begin("t", 10)
    clock.now += 1
    progress.advance(10)
    progress.end()


def touch(path: Path) -> None:
    former = path.stat().st_mtime_ns
    os.utime(path, ns=(former + 1_000_000, former + 1_000_000))


def test_a_lease_that_is_renewed_lasts(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "lease"
    path.write_text("10")
    lease = Lease(str(path), clock)
    for _ in range(5):
        clock.now += 9
        touch(path)
        lease.check()
    clock.now += 9
    lease.check()
    clock.now += 2
    with pytest.raises(MigrationError, match="is gone: no word from it for 10 seconds"):
        lease.check()


def test_a_lease_is_renewed_while_nobody_checks(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "lease"
    path.write_text("10")
    lease = Lease(str(path), clock)
    clock.now += 3600  # one long statement
    touch(path)
    lease.check()


@pytest.mark.parametrize(("text", "seconds"), [("", 120), ("soon", 120), ("5", 5), ("0.5", 0.5), ("7\n", 7)])
def test_how_long_a_lease_lasts(text: str, seconds: float, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "lease"
    path.write_text(text)
    lease = Lease(str(path), clock)
    clock.now += seconds
    lease.check()
    clock.now += 0.1
    with pytest.raises(MigrationError, match="is gone"):
        lease.check()


def test_a_lease_that_vanishes_runs_out(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "lease"
    path.write_text("10")
    lease = Lease(str(path), clock)
    path.unlink()
    clock.now += 10
    lease.check()
    clock.now += 1
    with pytest.raises(MigrationError, match="is gone"):
        lease.check()


def test_an_unwatched_module_has_no_lease(tmp_path: Path, clock: Clock) -> None:
    progress = FileProgress(str(tmp_path / "status.json"), "load", None, clock)
    (tmp_path / "status.json.lease").write_text("0")
    clock.now += 1000
    progress.begin("t", 1)
    progress.end()


def test_a_module_that_is_told_to_stop_stops(tmp_path: Path, clock: Clock) -> None:
    lease = tmp_path / "status.json.lease"
    lease.write_text("120")
    progress = FileProgress(str(tmp_path / "status.json"), "load", None, clock)
    progress.begin("t", 1)
    lease.write_text("0")
    clock.now += 1
    with pytest.raises(MigrationError, match="was interrupted"):
        progress.advance(1)
    with pytest.raises(MigrationError, match="was interrupted"):
        FileProgress(str(tmp_path / "status.json"), "load", None, clock)


def test_tables_at_once_and_begun_anew(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "status"
    progress = FileProgress(str(path), "load", {"a": 10, "b": 20}, clock=lambda: now[0])
    progress.begin("a", 10)
    progress.begin("b", 20)
    progress.advance(4, 100, "a")
    progress.advance(5, 50, "b")
    now[0] = 2.0
    progress.begin("b", 20)
    status = json.loads(path.read_text())
    assert status["running"] == [
        {
            "table": "a",
            "rows": 4,
            "rows_total": 10,
            "bytes": 100,
            "seconds": 2.0,
            "rows_per_second": 2.0,
            "seconds_left": 3.0,
        },
        {
            "table": "b",
            "rows": 0,
            "rows_total": 20,
            "bytes": 0,
            "seconds": 0.0,
            "rows_per_second": 0.0,
            "seconds_left": None,
        },
    ]
    assert (status["all_rows"], status["bytes"], status["table"]) == (4, 100, "b")
    progress.advance(6, 0, "a")
    progress.end("a")
    progress.end("b")
    assert json.loads(path.read_text())["finished"] == [
        {"table": "a", "rows": 10, "bytes": 100, "seconds": 2.0},
        {"table": "b", "rows": 0, "bytes": 0, "seconds": 0.0},
    ]
