# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite in versions and builds that lack functions: the same values, as fast as can be, and a warning where it is slow."""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcps.postgres.plugins.module_utils._module import _audit, _import, _verify
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import Outcome, Task
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite import _source
from ansible_collections.mcps.postgres.plugins.module_utils._transfer import _load, _parts
from support.imports import Case

ROWS = 3000
EDGES = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e22, -1 / 3]
#: The columns whose values SQLite may have to be helped with.
HELPED = {"v", "single", "amount", "doc"}


def withhold(connection: sqlite3.Connection, function: str) -> None:
    """Statements with I(function) cannot be prepared."""

    def judge(action: int, _argument: str | None, name: str | None, *_others: str | None) -> int:
        return sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_FUNCTION, function) else sqlite3.SQLITE_OK

    connection.set_authorizer(judge)


def without_pow(connection: sqlite3.Connection) -> None:
    """As before version 3.35, and where it was not compiled in."""
    withhold(connection, "pow")


def rounding(connection: sqlite3.Connection) -> None:
    """A printf() that does not keep all digits."""
    connection.create_function("printf", 2, lambda _form, number: format(number, ".15g"))


def without_char(connection: sqlite3.Connection) -> None:
    """Nothing can be read in chunks then."""
    withhold(connection, "char")


class UpToNul:
    """group_concat() of SQLite 3.35, whose text ends at the first NUL."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.mark = b""

    def step(self, value: int | str | bytes, mark: str) -> None:
        self.parts.append(value if isinstance(value, bytes) else str(value).encode())
        self.mark = mark.encode()

    def finalize(self) -> str:
        return self.mark.join(self.parts).partition(b"\x00")[0].decode(errors="replace")


def cutting(connection: sqlite3.Connection) -> None:
    connection.create_aggregate("group_concat", 2, UpToNul)


class Run:
    """The modules in this process, on a SQLite that is as somebody says."""

    def __init__(self, case: Case, monkeypatch: pytest.MonkeyPatch, library: Callable[..., None]) -> None:
        self.case = case
        #: How many values were read row by row, by column.
        self.read: Counter[str] = Counter()
        opened = _source._open_reading

        def opening(*arguments: Any) -> sqlite3.Connection:
            connection = opened(*arguments)
            library(connection)
            return connection

        def counted(read: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def reading(source: Any, table: Any, columns: Any, *others: Any, **named: Any) -> Iterator[Any]:
                for row in read(source, table, columns, *others, **named):
                    self.read.update(HELPED & set(columns))
                    yield row

            return reading

        monkeypatch.setattr(_source, "_open_reading", opening)
        for name in ("rows", "long_rows"):
            monkeypatch.setattr(_source.SqliteSource, name, counted(getattr(_source.SqliteSource, name)))
        # A small table is a large one.
        monkeypatch.setattr(_load, "PART_BYTES", 1 << 14)
        monkeypatch.setattr(_parts, "PART_BYTES", 1 << 14)

    def __call__(self, module: Any, action: Callable[[Task], Outcome], **arguments: Any) -> Outcome:
        given = {**self.case.database.login, "source": str(self.case.source), **arguments}
        validated = ArgumentSpecValidator(module.argument_spec()).validate(given)
        assert not validated.error_messages
        self.read.clear()
        return action(Task(validated.validated_parameters, False, False))

    @property
    def singly(self) -> set[str]:
        """The columns that were read row by row, but for the rows that a table's size is estimated by."""
        return {column for column, values in self.read.items() if values > _parts.SAMPLE_ROWS}

    def load(self) -> Outcome:
        return self(_import, _import.import_sqlite, workers=2)

    def verify(self, **arguments: Any) -> Outcome:
        return self(_verify, _verify.verify, workers=2, **arguments)

    def audit(self) -> Outcome:
        return self(_audit, _audit.audit)


@pytest.fixture
def numbers(case: Case) -> Case:
    values = [EDGES[key % len(EDGES)] if key % 3 else key / 7 for key in range(ROWS)]
    rows = [(key, value, float(key % 100), key / 4, value, "x" * 20) for key, value in enumerate(values)]
    # A column of REAL would not keep the sign of zero.
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, single REAL, amount NUMERIC, doc JSON, note TEXT)", {"t": rows}
    )
    case.postgres(
        "CREATE TABLE t (id integer PRIMARY KEY, v double precision, single real, amount numeric, doc jsonb, note text)"
    )
    return case


def loaded(case: Case) -> dict[int, str]:
    return {key: repr(value) for key, value in case.query("SELECT id, v FROM t ORDER BY id")}


def stored(case: Case) -> dict[int, str]:
    with sqlite3.connect(case.source) as connection:
        return {key: repr(value) for key, value in connection.execute("SELECT id, v FROM t ORDER BY id")}


def parts(case: Case) -> int:
    [(count,)] = case.query("SELECT count(DISTINCT xmin::text) FROM t")
    return int(count)


@pytest.mark.parametrize("library", [without_pow, rounding], ids=lambda library: library.__name__)
def test_python_helps_out(numbers: Case, monkeypatch: pytest.MonkeyPatch, library: Callable[..., None]) -> None:
    run = Run(numbers, monkeypatch, library)
    audited = run.audit()
    assert audited.result["compared_with"] == "target" and audited.result["sound"], audited.result["findings"]
    assert (audited.warnings, run.singly) == ([], set())
    outcome = run.load()
    assert (outcome.warnings, run.singly) == ([], set())
    assert outcome.result["rows"] == ROWS and outcome.result["workers"] == 2 and parts(numbers) > 1
    assert loaded(numbers) == stored(numbers) and "-0.0" in loaded(numbers).values()
    for sample in (100.0, 50.0):
        verified = run.verify(sample=sample)
        assert (verified.warnings, run.singly) == ([], set())
        assert verified.result["equal"] and verified.result["tables"][0]["order"] == "ranges"
    numbers.postgres("UPDATE t SET v = 0.0 WHERE id = 1")
    assert stored(numbers)[1] == "-0.0"
    [difference] = run.verify().result["differences"]
    assert (difference["key"], difference["column"]) == ("id=1", "v")


def test_vectors_are_strung_together_where_a_text_ends_at_nul(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = [None if key % 7 == 0 else struct.pack("<3f", key, -key / 3, 0.0) for key in range(ROWS)]
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)", {"t": list(enumerate(vectors))})
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, v vector(3))")
    run = Run(case, monkeypatch, cutting)
    outcome = run.load()
    assert (outcome.result["rows"], outcome.warnings, run.singly) == (ROWS, [], set())
    assert parts(case) > 1
    assert case.query("SELECT v::text FROM t WHERE id IN (0, 6) ORDER BY id") == [(None,), ("[6,-2,0]",)]
    verified = run.verify()
    assert (verified.result["equal"], verified.warnings, run.singly) == (True, [], set())


def test_what_has_to_be_slow_says_so(numbers: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(numbers, monkeypatch, without_char)
    for outcome in (run.audit(), run.load(), run.verify(), run.verify(sample=50.0)):
        [warning] = outcome.warnings
        assert "one by one" in warning and "function: char" in warning and sqlite3.sqlite_version in warning
        assert run.singly
    # In parts all the same, by several workers.
    assert parts(numbers) > 1
    assert loaded(numbers) == stored(numbers)


def test_texts_in_utf_16_are_slow_and_say_so(case: Case) -> None:
    case.sqlite(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'ä')"
    )
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, v text)")
    [warning] = case.load()["warnings"]
    assert "one by one" in str(warning) and "UTF-16le" in str(warning)
    assert case.query("SELECT * FROM t") == [(1, "ä")]
