# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""REAL values as texts that read back bit for bit, whatever the SQLite in use can do by itself."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._digits import LENT, Digits
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._names import Sql

UNFIT = "\x03"
EDGES = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e22, -1 / 3]


def as_it_is(_connection: sqlite3.Connection) -> None:
    pass


def without_pow(connection: sqlite3.Connection) -> None:
    """As before version 3.35: statements with it cannot be prepared."""
    deny, allow = sqlite3.SQLITE_DENY, sqlite3.SQLITE_OK
    connection.set_authorizer(
        lambda action, _argument, name, *_others: deny if (action, name) == (sqlite3.SQLITE_FUNCTION, "pow") else allow
    )


def with_a_pow_of_its_own(connection: sqlite3.Connection) -> None:
    """One that takes both zeros for the same."""
    connection.create_function("pow", 2, lambda _base, _exponent: math.inf)


def rounding(connection: sqlite3.Connection) -> None:
    connection.create_function("printf", 2, lambda _form, number: format(number, ".16g"))


def rounding_without_pow(connection: sqlite3.Connection) -> None:
    rounding(connection)
    without_pow(connection)


LIBRARIES = [as_it_is, without_pow, with_a_pow_of_its_own, rounding, rounding_without_pow]


class Asked:
    """A SQLite that writes numbers, and how many of them Python wrote for it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.digits = Digits(connection).of(Sql("?1"))

    def __call__(self, number: float) -> str:
        text: str = self.connection.execute(f"SELECT {self.digits}", (number,)).fetchone()[0]
        return text


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.__name__, scope="module")
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    library: Callable[[sqlite3.Connection], None] = request.param
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        library(connection)
        yield Asked(connection)


def bits(number: float) -> bytes:
    return struct.pack(">d", number)


@pytest.mark.parametrize("number", EDGES)
def test_numbers_at_the_edges(asked: Asked, number: float) -> None:
    text = asked(number)
    if text == UNFIT:
        # Left to whoever converts value by value.
        assert bits(number) == bits(-0.0)
    else:
        assert bits(float(text)) == bits(number)


@settings(max_examples=500, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_any_number_reads_back(asked: Asked, number: float) -> None:
    assert bits(float(asked(number))) == bits(number)


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinity_has_no_digits(asked: Asked, number: float) -> None:
    assert asked(number) == UNFIT


@pytest.mark.parametrize(
    ("library", "calls"), [(as_it_is, 0), (without_pow, 2), (rounding, len(EDGES)), (rounding_without_pow, len(EDGES))]
)
def test_python_writes_only_what_sqlite_cannot(library: Callable[[sqlite3.Connection], None], calls: int) -> None:
    """Each call of Python costs."""
    numbers = []
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        library(connection)
        asked = Asked(connection)
        connection.create_function(LENT, 1, lambda number: numbers.append(number) or repr(number), deterministic=True)
        for number in EDGES:
            asked(number)
    assert len(numbers) == calls
