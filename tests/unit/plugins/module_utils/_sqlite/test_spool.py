# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows sorted on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import SourceError
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._spool import DiskSpool

COLLECTIONS = Path(__file__).resolve().parents[5] / ".cache" / "collections"

#: Fills a spool in a folder of its own, and prints what names the folder shows while the data lies in it.
PROGRAM = """
import os, sys
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._spool import DiskSpool
spool = DiskSpool()
spool.fill((os.urandom(8), bytes(1000)) for _ in range(30_000))
next(spool.sorted())
opened = [os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + fd)]
print(len([name for name in opened if name.startswith(sys.argv[1])]), os.listdir(sys.argv[1]))
"""


@given(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=30))
def test_keys_come_back_in_the_order_of_their_bytes(items: list[tuple[bytes, bytes]]) -> None:
    spool = DiskSpool()
    spool.fill(iter(items))
    found = list(spool.sorted())
    spool.close()
    assert [key for key, _ in found] == sorted(key for key, _ in items)
    assert sorted(found) == sorted(items)


def test_an_error_of_the_rows_goes_through() -> None:
    def rows() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b""
        raise KeyError("mine")

    spool = DiskSpool()
    with pytest.raises(KeyError, match="mine"):
        spool.fill(rows())
    spool.close()


def test_the_files_have_no_names(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "SQLITE_TMPDIR": str(tmp_path)},
    )
    count, names = done.stdout.strip().split(" ", 1)
    assert int(count) >= 1, "nothing lies on disk"
    assert names == "[]"


def test_no_room_is_said_in_words() -> None:
    spool = DiskSpool()
    spool._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(SourceError, match="temporary file.*TMPDIR"):
        spool.fill((bytes(8), bytes(1000)) for _ in range(1000))
    spool.close()
