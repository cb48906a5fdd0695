# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A consistent copy of a database that is in use, with a manifest that says what it holds.

SQLite's own backup copies the pages as the reading connection sees them, what is only in the -wal included. It starts
anew whenever somebody else writes, unless the source connection is inside a read transaction, which SqliteSource is.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, Optional

from .._errors import SourceError
from .._transfer._ports import Progress, Silent
from ._checks import damaged, integrity
from ._file import explained, read_header, uri
from ._manifest import FORMAT, hash_file, load_manifest, manifest_path
from ._source import SqliteSource, file_fingerprint

#: Pages that are copied between two reports of progress.
PAGES_A_STEP = 1000
#: Room that has to stay free on the disk beside the copy, in bytes.
SPARE_BYTES = 16 << 20
#: What the copy is called until it is complete.
PART = ".part"


@dataclass(frozen=True)
class SnapshotPlan:
    """What is to be done: I(state) is V(existing) (nothing), V(created) or V(replaced).

    I(manifest) is that of the existing snapshot. I(source_changed) tells that the source may have changed since.
    """

    source: str
    path: str
    manifest_path: str
    state: str
    manifest: Optional[Dict[str, Any]] = None
    source_changed: bool = False


def plan_snapshot(
    source: str, dest: str, manifest: str = "", *, replace: bool = False, verify: bool = False
) -> SnapshotPlan:
    """Decide what a snapshot of I(source) in I(dest) means, changing nothing.

    I(verify) hashes an existing snapshot again. Raises SourceError where the source is none, or where I(dest) or the
    manifest is something that only I(replace) may overwrite.
    """
    read_header(source)
    where = manifest or manifest_path(dest)
    if os.path.realpath(source) == os.path.realpath(dest):
        raise SourceError(f"The snapshot {dest} would overwrite its source.", advice="Choose another dest.")
    if not os.path.isdir(os.path.dirname(os.path.abspath(dest))):
        raise SourceError(f"The directory of the snapshot {dest} is not there.", advice="Create it first.")
    if os.path.isdir(dest):
        raise SourceError(f"The snapshot {dest} is a directory.", advice="Give the name of a file in it.")
    if not os.path.exists(dest):
        _check_manifest_free(source, where, replace)
        return SnapshotPlan(source, dest, where, "created")
    try:
        document = _existing(source, dest, where, verify)
    except SourceError:
        if replace:
            return SnapshotPlan(source, dest, where, "replaced")
        raise
    changed = document["source"].get("fingerprint") != file_fingerprint(source)
    if changed and replace:
        return SnapshotPlan(source, dest, where, "replaced", source_changed=True)
    return SnapshotPlan(source, dest, where, "existing", document, changed)


def _check_manifest_free(source: str, where: str, replace: bool) -> None:
    document = load_manifest(where) if os.path.exists(where) and not replace else None
    if document is not None and document["source"].get("path") != os.path.realpath(source):
        raise SourceError(
            f"{where} is the manifest of a snapshot of another source ({document['source'].get('path')}).",
            advice="Choose another dest or manifest, or set replace to overwrite it.",
        )


def _existing(source: str, dest: str, where: str, verify: bool) -> Dict[str, Any]:
    """The manifest of the snapshot I(dest). Raises SourceError where it is not a sound snapshot of I(source)."""
    advice = "Choose another dest, or set replace to overwrite it."
    document = load_manifest(where)
    if document is None:
        raise SourceError(f"{dest} exists and is no snapshot of {source}: it has no manifest {where}.", advice=advice)
    if document["source"].get("path") != os.path.realpath(source):
        raise SourceError(f"{dest} is a snapshot of another source: {document['source'].get('path')}.", advice=advice)
    size = os.stat(dest).st_size
    if size != document.get("size"):
        raise SourceError(f"{dest} has {size} bytes, its manifest says {document.get('size')}.", advice=advice)
    moved = os.stat(dest).st_mtime_ns != document.get("mtime_ns")
    if (verify or moved) and hash_file(dest) != document.get("sha256"):
        raise SourceError(f"{dest} is not what its manifest describes: the SHA-256 differs.", advice=advice)
    return document


def take_snapshot(plan: SnapshotPlan, progress: Optional[Progress] = None) -> Dict[str, Any]:
    """Carry out I(plan) and return the manifest. On failure nothing of this run is left behind. Raises SourceError."""
    if plan.state == "existing" and plan.manifest is not None:
        return plan.manifest
    teller = progress or Silent()
    before = file_fingerprint(plan.source)
    part = plan.path + PART
    lock = -1
    try:
        with SqliteSource.open(plan.source) as source:
            _check_room(plan.path, int(source.pragma("page_count")) * int(source.pragma("page_size")))
            lock = _take(part, plan.path)
            origin = _origin(plan, source, before)
            _copy(source, part, teller)
        document = _describe(plan, part, origin)
        os.fsync(lock)
        # The manifest goes first: a run that dies in between leaves no file that the next run has to refuse.
        write_manifest(plan.manifest_path, document)
        os.replace(part, plan.path)
        _sync_directory(plan.path)
    except BaseException:
        if lock >= 0:
            _remove(part, part + "-journal", part + "-wal", part + "-shm")
        raise
    finally:
        if lock >= 0:
            os.close(lock)
    return document


def _take(part: str, dest: str) -> int:
    """A locked descriptor of the empty file I(part), readable by its owner alone."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise _unwritable(dest, error) from error
    try:
        # Not SQLite's kind of lock, so that they do not meet.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
    except BlockingIOError:
        os.close(descriptor)
        raise SourceError(f"Another run is writing the snapshot {dest} right now.", advice="Wait for it.") from None
    except OSError as error:
        os.close(descriptor)
        raise _unwritable(dest, error) from error
    _remove(part + "-journal", part + "-wal", part + "-shm")
    return descriptor


def _unwritable(dest: str, error: OSError) -> SourceError:
    return SourceError(
        f"The snapshot {dest} cannot be written: {error.strerror or error}.",
        advice="Check the directory's permissions and its free space.",
    )


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _check_room(dest: str, needed: int) -> None:
    status = os.statvfs(os.path.dirname(os.path.abspath(dest)))
    free = status.f_bavail * status.f_frsize
    if free < needed + SPARE_BYTES:
        raise SourceError(
            f"The snapshot {dest} needs {needed + SPARE_BYTES} bytes of disk, {free} are free.",
            advice="Make room, or choose a dest on another disk.",
            details={"needed_bytes": needed + SPARE_BYTES, "free_bytes": free},
        )


def _copy(source: SqliteSource, part: str, progress: Progress) -> None:
    """Copy all pages into I(part) and make it one file that opens anywhere."""
    page_size = int(source.pragma("page_size"))
    done = 0

    def advance(status: int, remaining: int, total: int) -> None:
        nonlocal done
        progress.advance(total - remaining - done, (total - remaining - done) * page_size)
        done = total - remaining

    progress.begin("snapshot", int(source.pragma("page_count")))
    try:
        with closing(sqlite3.connect(uri(part, "rw"), uri=True, isolation_level=None)) as copy:
            # Nobody else sees the file before it is synced and renamed, so that SQLite need not be careful.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            source.connection.backup(copy, pages=PAGES_A_STEP, progress=advance)
            mode = copy.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    except sqlite3.Error as error:
        raise explained(source.path, "Taking a snapshot", error) from error
    if mode != "delete":
        raise SourceError(f"The snapshot of {source.path} stays in journal mode {mode}.", advice="Try again.")
    progress.end()


def _origin(plan: SnapshotPlan, source: SqliteSource, fingerprint: str) -> Dict[str, Any]:
    status = os.stat(plan.source)
    return {
        "path": os.path.realpath(plan.source),
        "fingerprint": fingerprint,
        "size": status.st_size,
        "inode": status.st_ino,
        "journal_mode": source.pragma("journal_mode"),
        "user_version": source.pragma("user_version"),
        "application_id": source.pragma("application_id"),
    }


def _describe(plan: SnapshotPlan, part: str, origin: Dict[str, Any]) -> Dict[str, Any]:
    """The manifest of the finished copy I(part), after SQLite found it sound."""
    with SqliteSource.open(part) as copy:
        complaints = integrity(copy)
        if complaints:
            raise damaged(plan.source, complaints)
        tables = {table.name: copy.count(table) for table in copy.tables() if table.kind == "table"}
        encoding = copy.encoding
    status = os.stat(part)
    return {
        "format": FORMAT,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "source": origin,
        "sqlite_version": sqlite3.sqlite_version,
        "encoding": encoding,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": hash_file(part),
        "tables": tables,
        "rows": sum(tables.values()),
    }


def write_manifest(path: str, document: Dict[str, Any]) -> None:
    """Put I(document) into the file I(path), whole or not at all, readable by its owner alone."""
    part = path + PART
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        _remove(part)
        raise _unwritable(path, error) from error


def _sync_directory(path: str) -> None:
    descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
