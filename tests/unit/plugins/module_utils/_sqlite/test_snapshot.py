# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: consistent under fire, all or nothing, never over something else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import MigrationError, SourceError
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite import _snapshot
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._snapshot import plan_snapshot, take_snapshot
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SqliteSource

FILL = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, v); CREATE TABLE b (id INTEGER PRIMARY KEY, v);"
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    " INSERT INTO a SELECT i, hex(randomblob(400)) FROM n; INSERT INTO b SELECT id, 1 FROM a;"
)

#: Writes a pair of rows per transaction, for as long as it lives; says "on" after the first.
WRITER = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO a (v) VALUES (?)", (os.urandom(400).hex(),))
    connection.execute("INSERT INTO b (v) VALUES (1)")
    connection.execute("COMMIT")
    print("on", flush=True)
"""


def made(path: Path, rows: int = 10, mode: str = "delete") -> Path:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.executescript(FILL.format(rows=rows))
    return path


def snapped(source: Path, dest: Path, **options: Any) -> dict[str, Any]:
    return take_snapshot(plan_snapshot(str(source), str(dest), **options))


def read(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute(statement).fetchall()


@contextlib.contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "on\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_while_another_process_writes(tmp_path: Path, mode: str) -> None:
    """Each transaction writes a row into both tables, so that every consistent moment has equally many."""
    source = made(tmp_path / "live.db", 20_000, mode)
    with writer(source) as process:
        for number in range(3):
            manifest = snapped(source, tmp_path / f"{number}.db")
            assert manifest["tables"]["a"] == manifest["tables"]["b"] > 20_000
            assert read(tmp_path / f"{number}.db", "SELECT count(*) FROM a") == [(manifest["tables"]["a"],)]
            # It is still at it: the snapshots were not taken in a quiet moment.
            assert process.poll() is None
    assert manifest["source"]["journal_mode"] == mode


def test_a_committed_row_that_is_in_the_wal_only(tmp_path: Path) -> None:
    source = made(tmp_path / "live.db", 5, "wal")
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO a VALUES (99, 'only in the wal')")
        shutil.copy(source, tmp_path / "copied.db")
        manifest = snapped(source, tmp_path / "snapshot.db")
    assert read(tmp_path / "copied.db", "SELECT * FROM a WHERE id = 99") == []
    assert read(tmp_path / "snapshot.db", "SELECT * FROM a WHERE id = 99") == [(99, "only in the wal")]
    assert manifest["tables"] == {"a": 6, "b": 5}


def test_one_private_file_and_a_true_manifest(tmp_path: Path) -> None:
    source = made(tmp_path / "live.db", 7, "wal")
    dest = tmp_path / "out" / "snapshot 100%.db"
    dest.parent.mkdir()
    manifest = snapped(source, dest)
    assert sorted(os.listdir(dest.parent)) == [dest.name, dest.name + ".manifest.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in dest.parent.iterdir()} == {0o600}
    assert json.loads(Path(f"{dest}.manifest.json").read_text()) == manifest
    assert manifest["sha256"] == hashlib.sha256(dest.read_bytes()).hexdigest()
    assert (manifest["size"], manifest["rows"]) == (dest.stat().st_size, 14)
    assert manifest["source"]["path"] == str(source.resolve())
    assert dest.read_bytes()[18:20] == b"\x01\x01"  # rollback-journal mode, by the file format
    dest.chmod(0o400)
    with SqliteSource.open(str(dest)) as snapshot:
        assert snapshot.fingerprint() == f"sha256:{manifest['sha256']}"
        assert sorted(os.listdir(dest.parent)) == [dest.name, dest.name + ".manifest.json"]


def test_the_fingerprint_of_a_snapshot_goes_with_its_content(tmp_path: Path) -> None:
    source, dest = made(tmp_path / "live.db"), tmp_path / "snapshot.db"
    manifest = snapped(source, dest)

    def fingerprint() -> str:
        with SqliteSource.open(str(dest)) as snapshot:
            return snapshot.fingerprint()

    os.utime(dest, (1, 1))
    assert fingerprint() == f"sha256:{manifest['sha256']}"
    with contextlib.closing(sqlite3.connect(dest, isolation_level=None)) as connection:
        connection.execute("UPDATE b SET v = 2")
    assert fingerprint().startswith("file:")


def test_an_existing_snapshot_is_left_alone(tmp_path: Path) -> None:
    source, dest = made(tmp_path / "live.db"), tmp_path / "snapshot.db"
    manifest = snapped(source, dest)
    before = dest.stat()
    plan = plan_snapshot(str(source), str(dest), verify=True)
    assert (plan.state, plan.source_changed, plan.manifest) == ("existing", False, manifest)
    assert take_snapshot(plan) == manifest
    assert plan_snapshot(str(source), str(dest), replace=True).state == "existing"
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("INSERT INTO b VALUES (50, 1)")
    plan = plan_snapshot(str(source), str(dest))
    assert (plan.state, plan.source_changed) == ("existing", True)
    assert (dest.stat().st_mtime_ns, dest.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    plan = plan_snapshot(str(source), str(dest), replace=True)
    assert plan.state == "replaced"
    assert take_snapshot(plan)["tables"] == {"a": 10, "b": 11}
    assert plan_snapshot(str(source), str(dest), verify=True).state == "existing"


def refused(source: Path, dest: Path, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        plan_snapshot(str(source), str(dest), **options)
    return str(caught.value)


def test_it_overwrites_nothing_else(tmp_path: Path) -> None:
    source, dest = made(tmp_path / "live.db"), tmp_path / "snapshot.db"
    other = made(tmp_path / "other.db")
    assert "overwrite its source" in refused(source, source, replace=True)
    assert "is not there" in refused(source, tmp_path / "no" / "snapshot.db")
    assert "is a directory" in refused(source, tmp_path, replace=True)
    assert "no manifest" in refused(source, other)
    snapped(other, dest)
    assert "another source" in refused(source, dest)
    dest.unlink()
    assert "manifest of a snapshot of another source" in refused(source, dest)
    (tmp_path / "notes.json").write_text("{}")
    assert "not a snapshot's manifest" in refused(source, dest, manifest=str(tmp_path / "notes.json"))
    assert snapped(source, dest, replace=True)["rows"] == 20
    assert read(other, "SELECT count(*) FROM a") == [(10,)]


@pytest.mark.parametrize("verify", [True, False])
def test_a_changed_snapshot_is_noticed(tmp_path: Path, verify: bool) -> None:
    source, dest = made(tmp_path / "live.db"), tmp_path / "snapshot.db"
    snapped(source, dest)
    status = dest.stat()
    content = bytearray(dest.read_bytes())
    content[-1] ^= 1
    dest.write_bytes(content)
    if verify:
        # Nothing but the content tells.
        os.utime(dest, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert plan_snapshot(str(source), str(dest)).state == "existing"
    assert "SHA-256" in refused(source, dest, verify=verify)
    dest.write_bytes(content[:-1])
    assert "bytes, its manifest says" in refused(source, dest)


def test_a_missing_source(tmp_path: Path) -> None:
    assert "There is no SQLite file" in refused(tmp_path / "missing.db", tmp_path / "snapshot.db")
    assert list(tmp_path.iterdir()) == []


def nothing_left(tmp_path: Path, source: Path) -> bool:
    return [path for path in tmp_path.iterdir() if path != source] == []


@pytest.mark.parametrize("page", [3, 60])
def test_a_damaged_source_leaves_no_snapshot(tmp_path: Path, page: int) -> None:
    source = made(tmp_path / "live.db", 2000)
    content = bytearray(source.read_bytes())
    content[4096 * page : 4096 * page + 2000] = b"\xff" * 2000
    source.write_bytes(content)
    with pytest.raises(SourceError, match="is damaged") as caught:
        snapped(source, tmp_path / "snapshot.db")
    assert str(source) in caught.value.message
    assert caught.value.details["integrity"]
    assert nothing_left(tmp_path, source)


def test_a_full_disk_is_seen_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "live.db")
    needed = source.stat().st_size + _snapshot.SPARE_BYTES

    def statvfs(free: int) -> Any:
        return lambda path: os.statvfs_result((1, 1, free, free, free, 0, 0, 0, 0, 255))

    with monkeypatch.context() as patched:
        patched.setattr(_snapshot.os, "statvfs", statvfs(needed - 1))
        with pytest.raises(SourceError, match=f"needs {needed} bytes of disk, {needed - 1} are free"):
            snapped(source, tmp_path / "snapshot.db")
        assert nothing_left(tmp_path, source)
        patched.setattr(_snapshot.os, "statvfs", statvfs(needed))
        assert snapped(source, tmp_path / "snapshot.db")["rows"] == 20


class Told:
    """A Progress that writes down what it is told, and may have enough of it."""

    def __init__(self, patience: int = 1000) -> None:
        self.patience = patience
        self.total = self.done = self.ended = 0

    def begin(self, table: str, total_rows: int) -> None:
        self.total = total_rows

    def advance(self, rows: int, size: int = 0) -> None:
        self.done += rows
        self.patience -= 1
        if not self.patience:
            raise MigrationError("Stopped.")

    def end(self) -> None:
        self.ended += 1


def test_progress_adds_up(tmp_path: Path) -> None:
    told = Told()
    source = made(tmp_path / "live.db", 10_000)
    take_snapshot(plan_snapshot(str(source), str(tmp_path / "snapshot.db")), told)
    assert told.total == told.done == source.stat().st_size / 4096 > _snapshot.PAGES_A_STEP
    assert told.ended == 1


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    source = made(tmp_path / "live.db", 10_000)
    plan = plan_snapshot(str(source), str(tmp_path / "snapshot.db"))
    with pytest.raises(MigrationError, match=r"Stopped\."):
        take_snapshot(plan, Told(patience=1))
    assert nothing_left(tmp_path, source)


KILLED = """
import os, signal, sys
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite import _snapshot
moment = sys.argv[3]
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
class Deadly:
    begin = end = lambda self, *arguments: None
    def advance(self, rows, size=0):
        if moment == "copying":
            die()
if moment == "manifest":
    _snapshot.write_manifest = die
if moment == "between":
    _snapshot.os.replace, replace = die, _snapshot.os.replace
    _snapshot.write_manifest = lambda path, document: (replace_manifest(path, document))
    import json
    def replace_manifest(path, document):
        with open(path, "w") as file:
            json.dump(document, file)
_snapshot.take_snapshot(_snapshot.plan_snapshot(sys.argv[1], sys.argv[2]), Deadly())
"""


@pytest.mark.parametrize("moment", ["copying", "manifest", "between"])
def test_a_killed_run_is_just_repeated(tmp_path: Path, moment: str) -> None:
    source, dest = made(tmp_path / "live.db", 10_000), tmp_path / "snapshot.db"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(source), str(dest), moment],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert Path(f"{dest}.part").exists() and not dest.exists()
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("INSERT INTO b VALUES (20000, 1)")
    assert snapped(source, dest)["tables"] == {"a": 10_000, "b": 10_001}
    assert plan_snapshot(str(source), str(dest), verify=True).state == "existing"
    assert not list(tmp_path.glob("*.part*"))


def test_two_runs_at_once(tmp_path: Path) -> None:
    source, dest = made(tmp_path / "live.db"), tmp_path / "snapshot.db"
    code = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, f"{dest}.part"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(SourceError, match="Another run is writing"):
            snapped(source, dest)
        assert Path(f"{dest}.part").exists()
        other.communicate("")
    assert snapped(source, dest)["rows"] == 20


def test_readers_and_writers_go_on_in_wal_mode(tmp_path: Path) -> None:
    source = made(tmp_path / "live.db", 10_000, "wal")

    class Writing(Told):
        def advance(self, rows: int, size: int = 0) -> None:
            started = time.monotonic()
            with contextlib.closing(sqlite3.connect(source, isolation_level=None, timeout=0)) as connection:
                connection.execute("INSERT INTO b (v) VALUES (1)")
            assert time.monotonic() - started < 1
            super().advance(rows, size)

    told = Writing()
    manifest = take_snapshot(plan_snapshot(str(source), str(tmp_path / "snapshot.db")), told)
    assert manifest["tables"] == {"a": 10_000, "b": 10_000}
    with SqliteSource.open(str(source)) as live:
        assert live.count(next(table for table in live.tables() if table.name == "b")) > 10_000
