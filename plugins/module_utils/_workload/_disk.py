# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the disk takes to make a few bytes safe: what every durable commit has to wait for."""

from __future__ import annotations

import os
import tempfile
import time
from typing import List

from ._figures import median

PAGE = 8192
PAGES = 64
MOST_SYNCS = 20
LONGEST = 0.3


def sync_seconds(folder: str) -> float:
    """The median time of writing one page into a file in I(folder) and syncing it. OSError as it comes.

    The file has its size beforehand, as PostgreSQL's log has: a file that grows needs more than one write of the disk.
    """
    sync = getattr(os, "fdatasync", os.fsync)
    times: List[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        handle = file.fileno()
        os.write(handle, b"\0" * PAGE * PAGES)
        os.fsync(handle)
        end = time.perf_counter() + LONGEST
        while len(times) < MOST_SYNCS and (not times or time.perf_counter() < end):
            os.pwrite(handle, os.urandom(PAGE), len(times) % PAGES * PAGE)
            start = time.perf_counter()
            sync(handle)
            times.append(time.perf_counter() - start)
    return median(times)
