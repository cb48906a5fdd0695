# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks at a tiny size: that all take part, and load what they say. Their figures are nobody's test."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVERS, VECTORS = 50, 40
#: Where an earlier "make bench" has left it, the environment with DuckDB in it.
BENCH_VENV = ROOT / ".cache" / "venv-bench"


def python() -> str:
    return str(BENCH_VENV / "bin" / "python") if (BENCH_VENV / ".stamp").exists() else sys.executable


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one run with everything."""
    place = tmp_path_factory.mktemp("benchmarks")
    options = {
        "--servers": SERVERS,
        "--embeddings": VECTORS,
        "--repeat": 1,
        "--scaling": "10,50",
        "--slow-servers": 10,
        "--results": place / "results",
        "--cache": place / "cache",
    }
    done = subprocess.run(
        [python(), "-m", "benchmarks", *(str(word) for option in options.items() for word in option)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "results"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return document


def installed(name: str) -> bool:
    """Whether that contender can be run here."""
    if name.startswith("pgloader"):
        return shutil.which("pgloader") is not None
    if name.startswith("DuckDB"):
        return python() != sys.executable or importlib.util.find_spec("duckdb") is not None
    return True


def test_whoever_is_installed_took_part(result: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [f"{line['group']}: {line['name']}" for line in result["lines"]] == listed
    for line in result["lines"]:
        if installed(line["name"]):
            assert len(line["seconds"]) == 1 and line["seconds"][0] > 0, line
            assert line["resident"][0] > 1_000_000, line
        else:
            assert line["seconds"] == [] and "not installed" in line["note"], line


def test_all_rows_and_definitions_are_there(result: dict[str, Any]) -> None:
    whole = 0
    for line in result["lines"]:
        assert line["rows"] == line["expected"] or not installed(line["name"]), line
        assert line["lost"] == [], line
        whole = max(whole, line["rows"])
    assert whole > 20 * SERVERS
    vectors = [line["rows"] for line in result["lines"] if "of 384 numbers" in line["name"]]
    assert vectors == [VECTORS] * 8


def test_the_limit_and_the_product_loaded_the_same_values(result: dict[str, Any]) -> None:
    ours = [
        line
        for line in result["lines"]
        if line["name"].startswith(("limit", "mcps", "binary", "text", "JSON", "float32"))
    ]
    assert len(ours) == 22
    assert [line["differing"] for line in ours] == [0] * 22


def test_the_machine_and_the_conditions_are_written_down(result: dict[str, Any]) -> None:
    assert {"processor", "memory", "kernel", "disk", "PostgreSQL", "SQLite", "Python"} <= set(result["machine"])
    assert "microseconds" in result["machine"]["disk"]
    assert result["conditions"]["servers"] == SERVERS
    assert "BENCH_SERVERS=50" in result["command"]


def test_sizes_have_points_of_time_and_memory(result: dict[str, Any]) -> None:
    servers: dict[str, list[int]] = {}
    for point in result["scaling"]:
        servers.setdefault(point["name"], []).append(point["servers"])
        assert point["seconds"] > 0 and point["resident"] > 1_000_000 and point["rows"] > 0
    for name in ("limit (2 connections)", "mcps.postgres (1 worker)", "verification (2 workers)"):
        assert servers[name] == [10, 50]
    assert servers["SQLAlchemy ORM"] == [10], "too slow for the larger size"
    assert result["growth"]["mcps.postgres (2 workers)"] > 0


def test_table_and_charts_are_written(folder: Path) -> None:
    text = (folder / "results.md").read_text()
    assert "| mcps.postgres (2 workers) |" in text and "### By size" in text
    for name in ("the-whole-application", "embeddings", "what-pgloader-can-load", "scaling", "scaling-memory"):
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()


def test_what_was_measured_before_an_interruption_is_written(tmp_path: Path) -> None:
    options = ["--servers", "20", "--repeat", "100", "--only", "limit (1 connection)", "--no-values"]
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(
        [python(), "-m", "benchmarks", *options, *places],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if "round 2" in line:
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted, only what" in errors, output + errors
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    (line,) = document["lines"]
    assert document["broken_off"] and 1 <= len(line["seconds"]) < 100
    assert "broken off" in (tmp_path / "results" / "results.md").read_text()
