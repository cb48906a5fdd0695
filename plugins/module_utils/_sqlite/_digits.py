# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How SQLite is to write REAL values so that they read back bit for bit: by itself where it can, else with Python's help."""

from __future__ import annotations

import math
import sqlite3
import struct
import sys
from typing import List

from .._transfer._fast import UNFIT
from ._names import Sql

#: printf() format whose digits read back as the same double: one more than the shortest may need.
FORMAT = "%!.18g"
#: The function that Python lends to SQLite: the digits of one REAL.
LENT = "mcps_digits"
_FINITE = "abs({column}) <= 1.7976931348623157e308"
#: Doubles whose text is tried before SQLite is trusted with them.
PROBED = 500


class Digits:
    """One connection's way. SQLite's own functions are asked first: Python takes longer, and keeps other threads from it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        lent, own = f"{LENT}({{column}})", f"printf('{FORMAT}', {{column}})"
        if not _reads_back(connection):
            self._template = f"CASE WHEN {_FINITE} THEN {lent} ELSE {UNFIT} END"
        elif _tells_zeros_apart(connection):
            # A comparison takes both zeros for the same, a division does not.
            whole = f"{_FINITE} AND ({{column}} <> 0 OR pow({{column}}, -1) > 0)"
            self._template = f"CASE WHEN {whole} THEN {own} ELSE {UNFIT} END"
            return
        else:
            self._template = f"CASE WHEN {{column}} = 0 THEN {lent} WHEN {_FINITE} THEN {own} ELSE {UNFIT} END"
        connection.create_function(LENT, 1, repr, deterministic=True)

    def of(self, column: Sql) -> Sql:
        """SQL: the digits of I(column), which is REAL. Infinities, and with SQLite's own functions -0.0, do not qualify."""
        return Sql(self._template.format(column=column))


def _reads_back(connection: sqlite3.Connection) -> bool:
    """Try the double's limits and some hundred others of all sizes: versions of SQLite differ in how they round."""
    numbers = [0.1, 1e22, 5e-324, 2.2250738585072014e-308, sys.float_info.max, 2.0**53 + 2, 1 / 3]
    numbers += _many_doubles(PROBED - len(numbers))
    try:
        written = [connection.execute(f"SELECT printf('{FORMAT}', ?)", (number,)).fetchone()[0] for number in numbers]
        return [float(text) for text in written] == numbers
    except (sqlite3.Error, ValueError):
        return False


def _many_doubles(count: int) -> List[float]:
    """Of all sizes; the same at each run."""
    numbers: List[float] = []
    state = 1
    while len(numbers) < count:
        # Knuth's linear congruential generator (MMIX).
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        number = struct.unpack("<d", struct.pack("<Q", state))[0]
        if math.isfinite(number) and number:
            numbers.append(number)
    return numbers


def _tells_zeros_apart(connection: sqlite3.Connection) -> bool:
    """By pow(), which came with version 3.35 and is not in every build."""
    try:
        return bool(connection.execute("SELECT pow(?, -1) > 0 AND NOT pow(?, -1) > 0", (0.0, -0.0)).fetchone()[0])
    except sqlite3.Error:
        return False
