# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's functions for vectors: those of sqlite-vec, or the two that are needed, in Python.

Many a Python is built without the loading of extensions. The functions below then take the names of sqlite-vec's, and
give the same values, only slower.
"""

from __future__ import annotations

import json
import math
from array import array
from typing import Any

import sqlite_vec
import structlog

log = structlog.get_logger("packages.api.vectors")


def provide(connection: Any, record: object) -> None:
    """For SQLAlchemy's event C(connect): give an aiosqlite connection the functions."""
    connection.run_async(_provide)


async def _provide(driver: Any) -> None:
    try:
        await driver.enable_load_extension(True)
    except AttributeError:
        await driver.create_function("vec_f32", 1, as_float32, deterministic=True)
        await driver.create_function("vec_distance_cosine", 2, cosine_distance, deterministic=True)
        log.debug("this Python loads no extensions: vectors are compared in Python")
        return
    await driver.load_extension(sqlite_vec.loadable_path())
    await driver.enable_load_extension(False)


def as_float32(vector: str | bytes | None) -> bytes | None:
    """A JSON array of numbers as sqlite-vec keeps it: float32 in the machine's order of bytes. NULL stays NULL."""
    if vector is None or isinstance(vector, bytes):
        return vector
    return array("f", json.loads(vector)).tobytes()


def cosine_distance(one: bytes | None, other: bytes | None) -> float | None:
    """0 for the same direction, 2 for the opposite one. Raises ValueError where the lengths differ."""
    if one is None or other is None:
        return None
    left, right = array("f", one), array("f", other)
    if len(left) != len(right):
        raise ValueError("vectors of different lengths")
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return 1.0 - product / (math.sqrt(sum(a * a for a in left)) * math.sqrt(sum(b * b for b in right)))
