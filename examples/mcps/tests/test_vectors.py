# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's functions for vectors: which are used, and that both give the same."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlite_vec
from serving import environment

from packages.api.vectors import as_float32, cosine_distance

#: This Python, and that of the system, which often loads extensions where this one does not.
INTERPRETERS = [each for each in (sys.executable, "/usr/bin/python3") if Path(each).exists()]
#: With nothing but Python itself: the distances that sqlite-vec gives for pairs of vectors.
ASK = """
import json, sqlite3, sys

connection = sqlite3.connect(":memory:")
connection.enable_load_extension(True)
connection.load_extension(sys.argv[1])
ask = "SELECT vec_distance_cosine(vec_f32(?), vec_f32(?)), hex(vec_f32(?))"
print(json.dumps([connection.execute(ask, (one, other, one)).fetchone() for one, other in json.load(sys.stdin)]))
"""
#: Which of SQLite's functions for vectors a connection of the application's has, and the extension's version.
USED = """
import asyncio, json, sqlite3, sys

from sqlalchemy import text
from packages.api.database import Database
from packages.harvester.settings import Settings

async def main():
    database = Database(Settings(database_url=sys.argv[1]))
    async with database.engine.connect() as connection:
        names = "SELECT DISTINCT name FROM pragma_function_list WHERE name LIKE 'vec%'"
        found = list((await connection.execute(text(names))).scalars())
        version = (await connection.execute(text("SELECT vec_version()"))).scalar() if "vec_version" in found else ""
    await database.close()
    loads = hasattr(sqlite3.Connection, "enable_load_extension")
    print(json.dumps({"functions": found, "version": version, "loads": loads}))

asyncio.run(main())
"""


def loading() -> str:
    """An interpreter that loads extensions."""
    look = "import sqlite3, sys; sys.exit(not hasattr(sqlite3.Connection, 'enable_load_extension'))"
    for each in INTERPRETERS:
        if subprocess.run([each, "-c", look], check=False).returncode == 0:
            return each
    pytest.skip("no Python of this machine loads extensions of SQLite")


def test_both_give_the_same() -> None:
    numbers = random.Random(7)
    vectors = [[numbers.uniform(-1, 1) for _ in range(length)] for length in (1, 3, 384, 384) for _ in range(8)]
    # No squares that are too large for float32, in which the extension adds them up.
    vectors += [[1e-5, 0.25, -0.5], [3e15, 1, 1], [1, 2, 3], [-1, -2, -3], [2, 4, 6]]
    pairs = [(one, other) for one in vectors for other in vectors if len(one) == len(other)]
    texts = [(json.dumps(one), json.dumps(other)) for one, other in pairs]
    asked = subprocess.run(
        [loading(), "-c", ASK, sqlite_vec.loadable_path()],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    for (one, other), (distance, kept) in zip(texts, json.loads(asked.stdout), strict=True):
        assert (as_float32(one) or b"").hex().upper() == kept
        # Added up in float32 there.
        assert cosine_distance(as_float32(one), as_float32(other)) == pytest.approx(distance, abs=1e-5), (one, other)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_application_uses_the_extension_where_it_can(tmp_path: Path, interpreter: str) -> None:
    """And its own two functions where this Python cannot."""
    look = "import sys; print(*sys.version_info[:2])"
    version = subprocess.run([interpreter, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    if version != [str(part) for part in sys.version_info[:2]]:
        pytest.skip("that of the system is another Python, for which the application is not installed")
    database = tmp_path / "mcps.db"
    sqlite3.connect(database).close()
    own = environment()
    own["PYTHONPATH"] += f":{Path(sqlite_vec.__file__).parents[1]}"
    words = [interpreter, "-c", USED, f"sqlite:///{database}"]
    used = subprocess.run(words, env=own, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    found = json.loads(used.stdout.splitlines()[-1])
    assert {"vec_distance_cosine", "vec_f32"} <= set(found["functions"])
    assert bool(found["version"]) == found["loads"]
    assert found["loads"] or sorted(found["functions"]) == ["vec_distance_cosine", "vec_f32"]
