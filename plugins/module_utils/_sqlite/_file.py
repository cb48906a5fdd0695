# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file under a database: whether it is one, how to open it without changing it, and what an error means."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import threading
import time
from dataclasses import dataclass
from typing import ClassVar, Dict, Iterator, List, Optional, Tuple
from urllib.parse import quote

from .._errors import SourceError

#: https://www.sqlite.org/fileformat2.html#the_database_header
MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
#: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
WAL_HEADER_BYTES = 32
WAL_FRAME_HEADER_BYTES = 24
#: Seconds to wait for a lock that somebody else holds.
BUSY_TIMEOUT = 30.0
#: Seconds, at most, between two looks at it.
LONGEST_PAUSE = 0.002

#: What other files that are taken for a database begin with.
OTHER_FORMATS = (
    (b"** This file contains an SQLite 2", "an SQLite 2 database", "Convert it by sqlite .dump into sqlite3 first."),
    (b"\x1f\x8b", "compressed by gzip", "Unpack it first."),
    (b"BZh", "compressed by bzip2", "Unpack it first."),
    (b"\xfd7zXZ\x00", "compressed by xz", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it first."),
    (b"PK\x03\x04", "a zip archive", "Unpack it first."),
    (b"BEGIN TRANSACTION;", "an SQL dump", "Load it into a new database by sqlite3 first."),
    (b"PRAGMA foreign_keys", "an SQL dump", "Load it into a new database by sqlite3 first."),
)


@dataclass(frozen=True)
class Header:
    """What the first 100 bytes of a database file say."""

    page_size: int
    wal: bool
    change_counter: int
    schema_cookie: int


class RawFile:
    """A database file's own bytes, read beside SQLite.

    When a process closes any descriptor of a file, the system drops all locks that the process has on it, those of
    SQLite too (sqlite.org/howtocorrupt.html, 2.2). So whoever opens a connection keeps a RawFile open around it, and
    descriptors are closed only with the last RawFile of that file.
    """

    _guard: ClassVar[threading.Lock] = threading.Lock()
    _open: ClassVar[Dict[Tuple[int, int], List[int]]] = {}
    _users: ClassVar[Dict[Tuple[int, int], int]] = {}

    def __init__(self, path: str) -> None:
        """Open I(path). Raises SourceError where it is missing, no regular file, or may not be read."""
        self.path = path
        self._descriptor = _open_regular(path)
        status = os.fstat(self._descriptor)
        self._key = (status.st_dev, status.st_ino)
        self._closed = False
        with self._guard:
            self._open.setdefault(self._key, []).append(self._descriptor)
            self._users[self._key] = self._users.get(self._key, 0) + 1

    def close(self) -> None:
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._users[self._key] -= 1
            if not self._users[self._key]:
                del self._users[self._key]
                for descriptor in self._open.pop(self._key):
                    os.close(descriptor)

    def __enter__(self) -> RawFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def status(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def pieces(self) -> Iterator[bytes]:
        """All bytes, a mebibyte at a time."""
        position = 0
        while True:
            piece = os.pread(self._descriptor, 1 << 20, position)
            if not piece:
                return
            position += len(piece)
            yield piece

    def header(self) -> Header:
        """What the database's header says. Raises SourceError where the file is no database, and says what it is."""
        first = os.pread(self._descriptor, HEADER_BYTES, 0)
        if not first:
            raise SourceError(
                f"The SQLite file {self.path} is empty (0 bytes), so there is nothing in it to move.",
                advice="Check the path: SQLite makes such a file when a program opens a database that is not there.",
            )
        if not first.startswith(MAGIC):
            raise _no_database(self.path, first)
        if len(first) < HEADER_BYTES:
            raise SourceError(
                f"The SQLite file {self.path} is cut off: it has only {len(first)} bytes.", advice="Restore a backup."
            )
        size = int.from_bytes(first[16:18], "big")
        return Header(
            page_size=65536 if size == 1 else size,
            wal=first[18] == 2,
            change_counter=int.from_bytes(first[24:28], "big"),
            schema_cookie=int.from_bytes(first[40:44], "big"),
        )


def read_header(path: str) -> Header:
    """The header of the database I(path). Raises SourceError as RawFile does."""
    with RawFile(path) as file:
        return file.header()


def _open_regular(path: str) -> int:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{path} is a directory, not an SQLite file.", advice="Give the path of the file in it.")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{path} is not a regular file.", advice="Give the path of the SQLite file.")
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise SourceError(
            f"There is no SQLite file {path}.",
            advice="Check the path, and that it is on the host where this task runs.",
        ) from None
    except PermissionError as error:
        raise SourceError(
            f"The SQLite file {path} may not be read by {_user()}: {error.strerror}.",
            advice="Let this user read it (and search its directory), or run the task as a user that may (become).",
        ) from None
    except OSError as error:
        raise SourceError(
            f"The SQLite file {path} cannot be read: {error.strerror}.", advice="Check the path."
        ) from None


def _user() -> str:
    return f"user id {os.geteuid()}"


def _no_database(path: str, first: bytes) -> SourceError:
    for magic, what, advice in OTHER_FORMATS:
        if first.startswith(magic):
            return SourceError(f"{path} is not an SQLite database but {what}.", advice=advice)
    if not any(first):
        cause = "it begins with zero bytes only, as after a crash of the file system or an unfinished copy"
        return SourceError(f"{path} is not an SQLite database: {cause}.", advice="Restore it from a backup.")
    if len(set(first[:16])) > 8 and not first[:16].isascii():
        cause = "it begins with random-looking bytes, so it is either encrypted (SQLCipher, SEE) or another format"
        advice = "If it is encrypted, decrypt it into a plain file first (SQLCipher: sqlcipher_export)."
        return SourceError(f"{path} is not a plain SQLite database: {cause}.", advice=advice)
    return SourceError(f"{path} is not an SQLite database: it begins with {first[:16]!r}.", advice="Check the path.")


def uri(path: str, mode: str, immutable: bool = False) -> str:
    """The C(file:) URI of I(path); I(mode) V(ro) and V(rw) never create a file."""
    return "file:" + quote(os.fsencode(os.path.abspath(path))) + f"?mode={mode}" + ("&immutable=1" if immutable else "")


def wal_path(path: str) -> str:
    """Where the write-ahead log of I(path) is: beside the file itself, not beside a symbolic link to it."""
    return os.path.realpath(path) + "-wal"


def wal_bytes(path: str) -> int:
    """Size of the write-ahead log of I(path), 0 where there is none."""
    try:
        return os.stat(wal_path(path)).st_size
    except OSError:
        return 0


def connect(
    path: str, mode: str = "ro", *, immutable: bool = False, busy_timeout: float = BUSY_TIMEOUT
) -> sqlite3.Connection:
    """A connection to the existing file I(path) that begins no transaction of its own accord. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        uri(path, mode, immutable),
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # A schema may name functions and virtual tables that a hostile file wants to have run.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def locked(connection: sqlite3.Connection, statement: str, busy_timeout: float) -> sqlite3.Cursor:
    """Run I(statement), the one that has to get a lock, within I(busy_timeout) seconds. Raises sqlite3.Error.

    SQLite itself soon looks only ten times a second whether the lock is free. Beside a program that commits one
    transaction after the other, without WAL mode, it is free for a moment in between: such a wait took 30 seconds.
    """
    end = time.monotonic() + busy_timeout
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                return connection.execute(statement)
            except sqlite3.OperationalError as error:
                if str(error) != "database is locked" or time.monotonic() >= end:
                    raise
            # Not at even intervals, which a program with intervals of its own could miss each time.
            time.sleep(random.uniform(0, LONGEST_PAUSE))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")


def explained(path: str, doing: str, error: sqlite3.Error, what: Optional[str] = None) -> SourceError:
    """I(error) of SQLite, met when I(doing) (a noun phrase) on I(path), with its likely cause and what to do."""
    text = str(error)
    lowered = text.lower()
    where = f"the SQLite file {path}" + (f", table {what}," if what else "")
    if "malformed" in lowered or "corrupt" in lowered:
        advice = "It is damaged: restore a backup, or rebuild it by the .recover command of the sqlite3 program."
    elif "locked" in lowered or "busy" in lowered:
        advice = f"Another program holds the lock; it may be one of: {holders(path)}. Stop it, or try again later."
    elif "not a database" in lowered:
        advice = "It is encrypted, or damaged in its first page: decrypt it into a plain file, or restore a backup."
    elif "no such module" in lowered:
        advice = "The file needs an extension of SQLite that Python's sqlite3 lacks: exclude that table."
    elif "no such function" in lowered or "no such collation" in lowered or "unsafe use of" in lowered:
        advice = "The schema uses what only the application defines: exclude the column, or drop it from the schema."
    elif "unable to open" in lowered:
        advice = "Let this user read the file, its -wal and -shm, and search and write the directory they are in."
    elif "readonly" in lowered:
        advice = (
            "A program that wrote to it died, and only a user who may write can roll its last transaction back: "
            "run the task as such a user, or open it once by the application."
        )
    elif "i/o error" in lowered or "full" in lowered:
        advice = "Check the disk: its free space and the kernel's log."
    else:
        advice = "Check it by: sqlite3 FILE 'PRAGMA integrity_check'."
    return SourceError(f"{doing} of {where} failed: {text}.", advice=advice, details={"source": path})


def holders(path: str) -> str:
    """Names and process ids of those who have I(path) open, as far as this user may see; a sentence if none.

    Read from /proc (Linux); elsewhere nobody is seen.
    """
    wanted = os.path.realpath(path)
    found = []
    for entry in _listing("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        for link in _listing(f"/proc/{entry}/fd"):
            try:
                if os.readlink(f"/proc/{entry}/fd/{link}") == wanted:
                    with open(f"/proc/{entry}/comm", encoding="utf-8", errors="replace") as comm:
                        found.append(f"{comm.read().strip()} (pid {entry})")
                    break
            except OSError:
                continue
    return ", ".join(found[:8]) if found else "no process that this user may see"


def _listing(directory: str) -> List[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
