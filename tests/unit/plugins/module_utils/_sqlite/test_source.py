# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading SQLite files of every kind, sound and hostile."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import SourceError
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite import _schema
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._file import locked
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import ForeignKey, SourceTable
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import InvalidText

ODD_NAMES = ['with "quotes"', "it's", "with space", "Größe 日本", "100%s", "select", "a.b", "semi;colon", "[x]", "`y`"]


def made(path: Path, script: str = "CREATE TABLE t (id INTEGER PRIMARY KEY)", mode: str = "delete") -> Path:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.executescript(script)
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[SqliteSource]:
    with SqliteSource.open(str(path)) as source:
        yield source


def table(source: SqliteSource, name: str) -> SourceTable:
    return next(table for table in source.tables() if table.name == name)


def refusal(path: Path | str) -> str:
    with pytest.raises(SourceError) as caught:
        SqliteSource.open(str(path), busy_timeout=0.1)
    assert str(path) in caught.value.message
    assert caught.value.advice
    return str(caught.value)


# --- what is no database


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    assert "There is no SQLite file" in refusal(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory(tmp_path: Path) -> None:
    assert "There is no SQLite file" in refusal(tmp_path / "no" / "x.db")


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (b"\x00" * 4096, "zero bytes only"),
        (b"hello, this is a text file\n" * 99, "begins with b'hello"),
        (bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") * 128, "encrypted"),
        (b"\x1f\x8b\x08\x00" + b"\x01" * 600, "gzip"),
        (b"BEGIN TRANSACTION;\nCREATE TABLE x (a);\n", "SQL dump"),
        (b"** This file contains an SQLite 2.1 database **" + b"\x00" * 999, "SQLite 2"),
        (b"SQLite format 3\x00", "cut off"),
        (b"SQLite format 3\x00" + b"\xa5" * 4080, "not a database"),
    ],
)
def test_what_is_no_database(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "source.db"
    path.write_bytes(content)
    assert words in refusal(path)
    assert path.read_bytes() == content


def test_a_file_cut_in_the_middle(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (a); INSERT INTO t SELECT hex(randomblob(500)) FROM json_each('[1,2,3,4,5,6,7,8]')",
    )
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(SourceError, match="malformed"), opened(path) as source:
        list(source.rows(source.tables()[0], ["a"]))


def test_a_corrupt_page_names_the_table(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE big (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        " INSERT INTO big SELECT hex(randomblob(50)) FROM n",
    )
    content = bytearray(path.read_bytes())
    content[4096 * 10 : 4096 * 11] = b"\xff" * 4096
    path.write_bytes(content)
    with opened(path) as source, pytest.raises(SourceError, match="table big, failed") as caught:
        list(source.rows(source.tables()[0], ["a"]))
    assert "recover" in caught.value.advice


def test_an_unreadable_file(common_folder: Path) -> None:
    path = made(common_folder / "a.db")
    path.chmod(0)
    if os.geteuid() == 0:
        assert "may not be read by user id 65534" in as_nobody(path, "SqliteSource.open(sys.argv[1])")
    else:
        assert "may not be read" in refusal(path)


@pytest.fixture
def common_folder() -> Iterator[Path]:
    """A folder that every user may search (pytest's own folders are private)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def as_nobody(path: Path, code: str) -> str:
    """What I(code) says when root gives up all rights before it runs it; the path is its argument."""
    prelude = (
        "import os, sys\n"
        "from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + code, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_locked_file_says_who(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db")
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = refusal(path)
        assert "locked" in message
        assert f"(pid {holder.pid})" in message
        holder.communicate("")


class Counting(sqlite3.Connection):
    """Counts what it is asked to run."""

    asked = 0

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self.asked += 1
        return super().execute(*arguments)


def test_a_lock_is_looked_for_often(tmp_path: Path) -> None:
    """SQLite's own waiting looks ten times a second; beside a program that commits all the time that is too seldom."""
    path = made(tmp_path / "a.db")
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder,
        contextlib.closing(sqlite3.connect(path, isolation_level=None, factory=Counting)) as connection,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            locked(connection, "BEGIN IMMEDIATE", 1.0)
        assert time.monotonic() - started >= 1
        assert connection.asked > 100
        holder.execute("ROLLBACK")
        locked(connection, "BEGIN IMMEDIATE", 1.0)
        assert connection.in_transaction
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (1000,)


# --- how it is opened


@pytest.mark.parametrize("name", ["a?b#c%20 d.db", "ünï 日本.db", "plain.db", "quote'\".db"])
def test_any_file_name(tmp_path: Path, name: str) -> None:
    with opened(made(tmp_path / name)) as source:
        assert [table.name for table in source.tables()] == ["t"]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_committed_row_that_is_in_the_wal_only(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE t (a)")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.execute("INSERT INTO t VALUES ('only in the wal')")
        with opened(path) as source:
            assert list(source.rows(source.tables()[0], ["a"])) == [("only in the wal",)]
            writer.execute("INSERT INTO t VALUES ('later')")
            assert source.count(source.tables()[0]) == 1
        lone = tmp_path / "lone.db"
        shutil.copy(path, lone)
        with opened(lone) as source:
            assert source.count(source.tables()[0]) == 0


def test_a_read_only_folder_in_wal_mode(common_folder: Path) -> None:
    path = made(common_folder / "a.db", mode="wal")
    path.chmod(0o444)
    common_folder.chmod(0o555)
    if os.geteuid() == 0:
        code = "print([table.name for table in SqliteSource.open(sys.argv[1]).tables()])"
        assert as_nobody(path, code) == "['t']\n"
    else:
        with opened(path) as source:
            assert [table.name for table in source.tables()] == ["t"]


def test_a_hot_journal_is_rolled_back(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (a); INSERT INTO t VALUES ('committed')")
    code = (
        "import sqlite3, sys, os; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('PRAGMA cache_size=1');"
        "c.execute('BEGIN'); c.execute(\"UPDATE t SET a = 'half'\");"
        "c.executemany('INSERT INTO t VALUES (?)', [('x' * 3000,)] * 200); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert (tmp_path / "a.db-journal").stat().st_size > 0
    with opened(path) as source:
        assert list(source.rows(source.tables()[0], ["a"])) == [("committed",)]


def test_raw_reading_keeps_the_lock(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when any of its descriptors of that file is closed."""
    path = made(tmp_path / "a.db", "CREATE TABLE t (a)")
    with opened(path) as source:
        source.fingerprint()
        with opened(path) as second:
            second.fingerprint()
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0.2, isolation_level=None).execute('INSERT INTO t VALUES (1)')"
        written = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        assert "database is locked" in written.stderr


# --- tables


def test_names_keys_and_kinds(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        """
        CREATE TABLE Parent (ID INTEGER PRIMARY KEY, code TEXT UNIQUE);
        CREATE TABLE child (a REFERENCES parent, b REFERENCES "PARENT" (Code), c REFERENCES nowhere (x),
                            d INT, e INT, FOREIGN KEY (d, e) REFERENCES pair);
        CREATE TABLE pair (y INT, x INT, PRIMARY KEY (x, y)) WITHOUT ROWID;
        CREATE TABLE descending (id INTEGER PRIMARY KEY DESC);
        CREATE TABLE shadowed (rowid TEXT, _rowid_ TEXT);
        CREATE TABLE hidden (rowid TEXT, _rowid_ TEXT, oid TEXT);
        CREATE TABLE made (a INT, b INT AS (a + 1), c INT AS (a * 2) STORED);
        CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
        INSERT INTO counted (id) VALUES (41);
        CREATE TABLE indexed (a, b, c);
        CREATE UNIQUE INDEX whole ON indexed (b, a);
        CREATE UNIQUE INDEX part ON indexed (c) WHERE c > 0;
        CREATE UNIQUE INDEX computed ON indexed (abs(a));
        CREATE INDEX several ON indexed (c);
        CREATE VIRTUAL TABLE search USING fts5 (body);
        CREATE VIEW seen AS SELECT * FROM made;
        CREATE TABLE search_own (a);
        """,
    )
    with opened(path) as source:
        tables = {table.name: table for table in source.tables()}
        assert list(tables) == sorted(tables)
        assert "seen" not in tables and "sqlite_sequence" not in tables
        assert tables["child"].foreign_keys == (
            ForeignKey(("a",), "Parent", ("ID",)),
            ForeignKey(("b",), "Parent", ("code",)),
            ForeignKey(("c",), "nowhere", ("x",)),
            ForeignKey(("d", "e"), "pair", ("x", "y")),
        )
        assert tables["pair"].primary_key == ("x", "y") and tables["pair"].rowid is None
        assert tables["Parent"].rowid == "ID" and tables["Parent"].key == ("ID",)
        assert tables["Parent"].unique == (("code",),)
        assert tables["descending"].rowid == "rowid"
        assert tables["shadowed"].key == ("oid",)
        assert tables["hidden"].rowid is None and tables["hidden"].key == ()
        assert [column.generated for column in tables["made"].columns] == [False, True, True]
        assert tables["counted"].autoincrement == 41 and tables["made"].autoincrement is None
        assert tables["indexed"].unique == (("b", "a"),)
        assert tables["search"].kind == "virtual"
        assert {name for name, one in tables.items() if one.kind == "shadow"} == {
            f"search_{part}" for part in ("config", "content", "data", "docsize", "idx")
        }
        assert tables["search_own"].kind == "table"


def test_kinds_without_table_list(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE VIRTUAL TABLE f USING fts5 (a); create  virtual\ttable r USING rtree (i, a, b);"
        "CREATE TABLE f_mine (a); CREATE TABLE w (a PRIMARY KEY) WITHOUT ROWID",
    )
    with contextlib.closing(sqlite3.connect(path)) as connection:

        def old(sql: str) -> list[tuple[Any, ...]]:
            return [] if "table_list" in sql else connection.execute(sql).fetchall()

        new = _schema.read_tables(lambda sql: connection.execute(sql).fetchall())
        assert _schema.read_tables(old) == new
        assert [table.rowid for table in new if table.name == "w"] == [None]


def test_a_virtual_table_of_an_unknown_module(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (a)")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'vec', 'vec', 0, 'CREATE VIRTUAL TABLE vec USING vec0(a)')"
        )
    with opened(path) as source:
        assert [(table.name, table.kind, table.columns) for table in source.tables() if table.name == "vec"] == [
            ("vec", "virtual", ())
        ]
        with pytest.raises(SourceError, match="no such module"):
            source.count(table(source, "vec"))


def test_odd_names_and_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in ODD_NAMES:
            spelled = '"' + name.replace('"', '""') + '"'
            connection.execute(f"CREATE TABLE {spelled} ({spelled} TEXT PRIMARY KEY, other REFERENCES {spelled})")  # noqa: S608
            connection.execute(f"INSERT INTO {spelled} VALUES (?, ?)", (name, None))  # noqa: S608
        wide = [f"c{number}" for number in range(100)]
        connection.execute(f"CREATE TABLE wide ({', '.join(wide)})")
        connection.execute(f"INSERT INTO wide VALUES ({', '.join('?' * 100)})", list(range(100)))  # noqa: S608
    with opened(path) as source:
        assert {table.name for table in source.tables()} == {*ODD_NAMES, "wide"}
        for name in ODD_NAMES:
            one = table(source, name)
            assert one.foreign_keys == (ForeignKey(("other",), name, (name,)),)
            assert list(source.rows(one, [name], [name])) == [(name,)]
            assert list(source.rows(one, [name], [name], (name,))) == []
            assert source.count(one) == 1
        assert list(source.rows(table(source, "wide"), wide)) == [tuple(range(100))]


def test_a_column_that_is_not_there_is_no_text(tmp_path: Path) -> None:
    with opened(made(tmp_path / "a.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)")) as source:
        one = source.tables()[0]
        for columns, order in ((["b"], []), (["a"], ["b"])):
            with pytest.raises(ValueError, match="no column b"):
                source.rows(one, columns, order)
        assert list(source.rows(one, ["rowid", "a"])) == [(1, 1)]


# --- values


def test_every_storage_class_comes_as_it_is(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (a); INSERT INTO t VALUES (NULL), (9223372036854775807), (0.1), (-9e999), ('zwölf'),"
        "(CAST(X'6100FF' AS TEXT)), (CAST(X'610062' AS TEXT)), (X'00FF'), (X''), (''), (CAST(X'EDA080' AS TEXT))",
    )
    with opened(path) as source:
        values = [row[0] for row in source.rows(source.tables()[0], ["a"])]
    infinity = float("-inf")
    expected = [None, 2**63 - 1, 0.1, infinity, "zwölf", InvalidText(b"a\x00\xff"), "a\x00b", b"\x00\xff", b"", ""]
    assert values == [*expected, InvalidText(b"\xed\xa0\x80")]
    assert [type(value) for value in values[:4]] == [type(None), int, float, float]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_text_is_ordered_by_its_utf8_bytes(tmp_path: Path, encoding: str) -> None:
    words = ["", "A", "Z", "a", "b", "ä", "\ufffd", "\U0001f680", "aa", "a\x00b"]
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.execute("CREATE TABLE t (a TEXT COLLATE NOCASE)")
        connection.executemany("INSERT INTO t VALUES (?)", [(word,) for word in words])
    ordered = sorted(words, key=lambda word: word.encode())
    with opened(path) as source:
        one = source.tables()[0]
        assert [row[0] for row in source.rows(one, ["a"], ["a"])] == ordered
        for number, word in enumerate(ordered):
            assert [row[0] for row in source.rows(one, ["a"], ["a"], (word,))] == ordered[number + 1 :]


#: Small numbers and short texts, so that parts of keys often are the same.
PARTS = st.one_of(
    st.none(),
    st.integers(-2, 2),
    st.sampled_from([0.5, -1.5]),
    st.sampled_from(["", "a", "B", "b", "ä"]),
    st.sampled_from([b"", b"a", b"\xff"]),
    st.sampled_from([InvalidText(b"\xff"), InvalidText(b"a\xe4")]),
)


def rank(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, (int, float)):
        return (1, value)
    if isinstance(value, bytes):
        return (3, value)
    return (2, value.raw if isinstance(value, InvalidText) else value.encode())


@settings(max_examples=60, deadline=None)
@given(keys=st.sets(st.tuples(PARTS, PARTS), min_size=1, max_size=12))
def test_starting_behind_a_key(tmp_path_factory: pytest.TempPathFactory, keys: set[tuple[Any, Any]]) -> None:
    path = tmp_path_factory.mktemp("keys") / "a.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a COLLATE NOCASE, b)")
        for key in keys:
            marks = ["CAST(? AS TEXT)" if isinstance(part, InvalidText) else "?" for part in key]
            connection.execute(
                f"INSERT INTO t VALUES ({', '.join(marks)})",  # noqa: S608
                [part.raw if isinstance(part, InvalidText) else part for part in key],
            )
    ordered = sorted(keys, key=lambda key: [rank(part) for part in key])
    with SqliteSource.open(str(path)) as source:
        one = source.tables()[0]
        assert list(source.rows(one, ["a", "b"], ["a", "b"])) == ordered
        for number, key in enumerate(ordered):
            assert list(source.rows(one, ["a", "b"], ["a", "b"], key)) == ordered[number + 1 :]


def test_leaving_early_and_reading_side_by_side(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
    with opened(path) as source:
        one = source.tables()[0]
        first, second = source.rows(one, ["a"]), source.rows(one, ["a"])
        assert [next(first), next(second), next(first)] == [(1,), (1,), (2,)]
        first.close()  # type: ignore[attr-defined]
        assert list(second) == [(2,), (3,)]


# --- foreign keys without a parent


def test_orphans(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        """
        CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, part INT);
        INSERT INTO p VALUES (1, 'A', 1), (2, 'b', 2);
        CREATE TABLE c (id INTEGER PRIMARY KEY, p_id, name, part);
        INSERT INTO c VALUES (1, 1, 'A', 1), (2, 3, 'a', 1), (3, NULL, 'b', NULL), (4, 2, 'A', 2);
        """,
    )
    with opened(path) as source:
        child = table(source, "c")

        def found(columns: tuple[str, ...], parents: tuple[str, ...]) -> list[int]:
            return [row[0] for row in source.orphans(child, ["id"], ForeignKey(columns, "p", parents))]  # type: ignore[misc]

        assert found(("p_id",), ("id",)) == [2]
        assert found(("name",), ("name",)) == [2]
        assert found(("name", "part"), ("name", "part")) == [2, 4]


# --- fingerprint


def test_the_fingerprint_changes_with_every_commit(tmp_path: Path) -> None:
    for mode in ("wal", "delete"):
        path = made(tmp_path / f"{mode}.db", "CREATE TABLE t (a)", mode)

        def fingerprint(file: Path = path) -> str:
            with opened(file) as source:
                return source.fingerprint()

        seen = [fingerprint()]
        assert fingerprint() == seen[0]
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            for statement in ("INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "CREATE TABLE u (a)"):
                writer.execute(statement)
                seen.append(fingerprint())
        assert len(set(seen)) == 4
