# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence refuses every write, says why, comes and goes whole, and misses no write before it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._errors import SourceError
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._fence import FenceReport, set_fence

MESSAGE = 'It\'s moving — 100% to "PostgreSQL"; bitte warten'
SCHEMA = """
CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
CREATE TABLE "o'dd ""näme%s" (a TEXT PRIMARY KEY, b) WITHOUT ROWID;
INSERT INTO "o'dd ""näme%s" VALUES ('x', 1);
CREATE TABLE bare (a, b);
INSERT INTO bare VALUES (1, 2), (1, 2), (1.5, 2), ('1', X'00');
CREATE TABLE loose (k TEXT PRIMARY KEY, v);
INSERT INTO loose VALUES (NULL, 1), (NULL, 2), ('a', 1);
CREATE TABLE kept (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT);
CREATE TRIGGER own AFTER INSERT ON t BEGIN INSERT INTO kept (at) VALUES ('now'); END;
CREATE VIRTUAL TABLE search USING fts5 (body);
INSERT INTO search VALUES ('hello');
"""
TABLES = ("bare", "kept", "loose", "o'dd \"näme%s", "t")
WRITES = (
    "INSERT INTO t (v) VALUES ('c')",
    "INSERT OR IGNORE INTO t VALUES (1, 'c')",
    "INSERT OR REPLACE INTO t VALUES (1, 'c')",
    "REPLACE INTO t VALUES (9, 'a')",
    "INSERT INTO t VALUES (1, 'c') ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1, 'c') ON CONFLICT (id) DO UPDATE SET v = 'd'",
    "UPDATE OR IGNORE t SET v = 'z' WHERE id = 1",
    "DELETE FROM t",
    'DELETE FROM "o\'dd ""näme%s"',
    "UPDATE bare SET a = 7",
    "INSERT INTO kept (at) VALUES ('x')",
)


@pytest.fixture(params=["wal", "delete"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return made(tmp_path / "source.db", SCHEMA, request.param)


def made(path: Path, script: str, mode: str = "delete") -> Path:
    with connected(path) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.executescript(script)
    return path


@contextlib.contextmanager
def connected(path: Path, timeout: float = 5) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=timeout)) as connection:
        yield connection


def fence(path: Path, state: str = "present", message: str = MESSAGE, **options: Any) -> FenceReport:
    return set_fence(str(path), state, message, **options)


def schema(path: Path) -> list[tuple[Any, ...]]:
    with connected(path) as connection:
        return connection.execute("SELECT * FROM sqlite_master ORDER BY type, name").fetchall()


def test_every_write_is_refused_with_the_message(path: Path) -> None:
    before = schema(path)
    report = fence(path)
    assert report.plan.tables == TABLES
    assert report.plan.unfenceable == ("search",)
    with connected(path) as connection:
        for statement in WRITES:
            with pytest.raises(sqlite3.IntegrityError) as caught:
                connection.execute(statement)
            assert str(caught.value) == MESSAGE
        assert connection.execute("SELECT * FROM t").fetchall() == [(1, "a"), (2, "b")]
        assert connection.execute("SELECT * FROM search WHERE search MATCH 'hello'").fetchall() == [("hello",)]
    assert fence(path, "absent").plan.changed
    assert schema(path) == before


def test_an_application_in_the_midst_of_its_work(path: Path) -> None:
    """Prepared statements and open connections of before the fence are refused as well; SQLAlchemy shows the text."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection, connected(path) as reader:
        insert = sqlalchemy.text("INSERT INTO t (v) VALUES (:v)")
        connection.execute(insert, {"v": "before"})
        connection.commit()
        rows = reader.execute("SELECT count(*) FROM t").fetchall()
        fence(path)
        with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
            connection.execute(insert, {"v": "after"})
        assert str(caught.value.orig) == MESSAGE
        connection.rollback()
        assert reader.execute("SELECT count(*) FROM t").fetchall() == rows
    engine.dispose()


def test_it_is_put_up_and_taken_down_once(path: Path) -> None:
    assert not fence(path, "absent").plan.changed
    assert fence(path, dry_run=True).plan == fence(path).plan
    content = path.read_bytes()
    again = fence(path)
    assert not again.plan.changed and again.plan.tables == TABLES
    assert path.read_bytes() == content
    with connected(path) as connection:
        connection.execute("CREATE TABLE late (a)")
    grown = fence(path)
    assert [name for name, _ in grown.plan.create] == [
        f"mcps_fence_{what}_late" for what in ("insert", "update", "delete")
    ]
    assert fence(path, message="another").plan.changed
    with connected(path) as connection, pytest.raises(sqlite3.IntegrityError, match="^another$"):
        connection.execute("DELETE FROM t")
    assert fence(path, "absent", dry_run=True).plan == fence(path, "absent").plan
    assert not fence(path, "absent").plan.changed


def test_a_dry_run_changes_nothing(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o444)
    assert fence(path, dry_run=True).plan.changed
    assert path.read_bytes() == content


def test_a_writer_in_the_way_is_waited_for_and_named(path: Path) -> None:
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(SourceError, match="locked") as caught:
            fence(path, busy_timeout=0.2)
        assert f"(pid {holder.pid})" in caught.value.advice
        holder.communicate("")
    assert not dump_triggers(path)
    assert fence(path, busy_timeout=0.2).plan.changed


def dump_triggers(path: Path) -> list[str]:
    with connected(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'mcps%'")
        return [name for (name,) in found]


def test_all_or_nothing(path: Path, tmp_path: Path) -> None:
    """What goes wrong inside leaves no half of a fence."""
    with pytest.raises(SourceError):
        fence(path, compare_with=str(tmp_path / "missing.db"))
    assert not dump_triggers(path)


@pytest.mark.parametrize("message", ["", "  ", "a\x00b"])
def test_a_message_that_says_nothing(path: Path, message: str) -> None:
    with pytest.raises(SourceError, match="message"):
        fence(path, message=message)


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no SQLite file"):
        fence(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


# --- compared with a snapshot


def changes(path: Path, snapshot: Path, dry_run: bool = True) -> dict[str, tuple[int, int, int, list[str], str]]:
    report = fence(path, compare_with=str(snapshot), dry_run=dry_run)
    assert report.changes is not None
    return {
        change.table: (
            change.rows_missing,
            change.rows_extra,
            change.rows_changed,
            change.first_keys,
            change.reason,
        )
        for change in report.changes
    }


#: Statement on t, bare, loose or the WITHOUT ROWID table, and what it is found to be.
CHANGES: list[tuple[str, dict[str, tuple[int, int, int, list[str], str]]]] = [
    ("VACUUM", {}),
    ("UPDATE t SET v = v", {}),
    ("INSERT INTO search VALUES ('derived')", {}),
    ("CREATE INDEX another ON t (v, id)", {}),
    ("UPDATE t SET v = 'A' WHERE id = 1", {"t": (0, 0, 1, ["id=1"], "")}),
    ("UPDATE t SET id = 7 WHERE id = 1", {"t": (1, 1, 0, ["id=1", "id=7"], "")}),
    ("DELETE FROM t", {"t": (2, 0, 0, ["id=1", "id=2"], "")}),
    ("DELETE FROM bare WHERE rowid = 1", {"bare": (1, 0, 0, ["a=1, b=2"], "")}),
    ("UPDATE bare SET a = 1.0 WHERE rowid = 1", {"bare": (0, 0, 1, ["a=1.0, b=2"], "")}),
    (
        "UPDATE bare SET b = CAST(X'00' AS TEXT) WHERE rowid = 4",
        {"bare": (1, 1, 0, ["a='1', b='\\x00'", "a='1', b=x'00'"], "")},
    ),
    ("DELETE FROM loose WHERE v = 2", {"loose": (1, 0, 0, ["k=NULL, v=2"], "")}),
    ("DELETE FROM loose WHERE k IS NULL", {"loose": (2, 0, 0, ["k=NULL", "k=NULL"], "")}),
    ("UPDATE loose SET v = 1.0 WHERE k = 'a'", {"loose": (0, 0, 1, ["k='a', v=1.0"], "")}),
    ('UPDATE "o\'dd ""näme%s" SET b = \'1\'', {"o'dd \"näme%s": (0, 0, 1, ["a='x'"], "")}),
    ("CREATE TABLE fresh (a)", {"fresh": (0, 0, 0, [], "the table is new")}),
    ("DROP TABLE bare", {"bare": (4, 0, 0, [], "the table is not there any more")}),
    ("ALTER TABLE loose ADD COLUMN w", {"loose": (0, 0, 3, [], "its columns were k, v, now they are k, v, w")}),
]


@pytest.mark.parametrize(("statement", "expected"), CHANGES, ids=[statement for statement, _ in CHANGES])
def test_what_changed_since_the_snapshot(tmp_path: Path, statement: str, expected: dict[str, Any]) -> None:
    path = made(tmp_path / "source.db", SCHEMA)
    snapshot = tmp_path / "snapshot.db"
    shutil.copy(path, snapshot)
    with connected(path) as connection:
        connection.execute(statement)
    assert changes(path, snapshot) == expected
    # The same with the fence going up in the same transaction, and with the fence there.
    assert changes(path, snapshot, dry_run=False) == expected
    assert changes(path, snapshot, dry_run=False) == expected
    assert dump_triggers(path)


VALUES = st.one_of(
    st.none(), st.integers(-1, 1), st.sampled_from([1.0, -0.0, 0.0]), st.sampled_from(["", "1", b"", b"1"])
)
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=8)


@settings(max_examples=80, deadline=None)
@given(old=ROWS, new=ROWS)
def test_tables_without_key_are_compared_as_multisets(
    tmp_path_factory: pytest.TempPathFactory, old: list[tuple[Any, ...]], new: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("multiset")
    for name, rows in (("old", old), ("new", new)):
        made(folder / name, "CREATE TABLE t (a, b)")
        with connected(folder / name) as connection:
            connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    found = changes(folder / "new", folder / "old").get("t", (0, 0, 0, [], ""))

    def stored(rows: list[tuple[Any, ...]]) -> list[str]:
        return sorted(repr(row) for row in rows)

    assert (sum(found[:3]) == 0) == (stored(old) == stored(new))
    assert found[1] - found[0] == len(new) - len(old)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE t SET v = v + 1 WHERE id = 1700", (0, 0, 1, ["id=1700"], "")),
        ("UPDATE t SET v = CAST(v AS REAL) WHERE id = 3", (0, 0, 1, ["id=3"], "")),
        ("DELETE FROM t WHERE id = 1", (1, 0, 0, ["id=1"], "")),
        ("DELETE FROM t WHERE id > 1990", (10, 0, 0, [f"id={number}" for number in range(1991, 2001)], "")),
        ("INSERT INTO t VALUES (2001, 1)", (0, 1, 0, ["id=2001"], "")),
        ("DELETE FROM t WHERE id = 600; UPDATE t SET v = 0 WHERE id = 1900", (1, 0, 1, ["id=600", "id=1900"], "")),
    ],
)
def test_a_change_among_many_rows(tmp_path: Path, statement: str, expected: Any) -> None:
    rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
    path = made(
        tmp_path / "a.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, v); {rows} INSERT INTO t SELECT i, i FROM n"
    )
    shutil.copy(path, tmp_path / "snapshot.db")
    with connected(path) as connection:
        connection.executescript(statement)
    assert changes(path, tmp_path / "snapshot.db") == {"t": expected}
