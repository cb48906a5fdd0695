# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures were measured on."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

SYNCS = 200


def describe(folder: Path, postgres: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Processor, memory, disk and versions; I(folder) is on the server's disk."""
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores, {_processor()}",
        "load before the run": f"{os.getloadavg()[0]:.1f} processes wanted a core",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{_filesystem(folder)}, {sync_microseconds(folder):.0f} microseconds for 8 KiB and their fdatasync (median)",
        "PostgreSQL": f"{postgres}, durable; " + ", ".join(f"{name} {value}" for name, value in settings.items()),
        "SQLite": sqlite3.sqlite_version,
        "Python": platform.python_version(),
        **_others(),
    }


def _others() -> dict[str, str]:
    """Versions of the other tools, as far as they are here."""
    found = {}
    if shutil.which("pgloader"):
        done = subprocess.run(["pgloader", "--version"], capture_output=True, text=True, check=False)
        found["pgloader"] = " ".join(done.stdout.split())
    for name in ("duckdb", "psycopg2-binary"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _processor() -> str:
    fields = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if ":" in line
    )
    names = {name.strip(): text.strip() for name, text in fields.items()}
    return names.get("model name") or names.get("CPU implementer", platform.machine())


def _filesystem(folder: Path) -> str:
    """Its type: a disk in memory (tmpfs) keeps nothing, whatever is synced."""
    place = str(folder.resolve())
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    holding = [mount for mount in mounts if f"{place}/".startswith(mount[1].rstrip("/") + "/")]
    return max(holding, key=lambda mount: len(mount[1]))[2] if holding else "unknown"


def sync_microseconds(folder: Path) -> float:
    """Median time of a write of 8 KiB that is forced to the disk."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1_000_000
