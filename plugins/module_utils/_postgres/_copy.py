# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COPY in both directions, streamed: one thread talks to the server while the other makes or takes rows."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union, cast

from .._errors import TargetError
from .._transfer._fast import CHUNK_BYTES, CHUNK_ROWS, FIELD, NULL, ROW, Packed
from .._transfer._rows import Sent
from .._transfer._values import LONG
from .._transfer._wire import HEADER, TRAILER
from ._session import Session, Statement, columns, compose, identifier, raw

#: Chunks between the two threads.
QUEUED = 2

#: Characters of a row that is sent in pieces of so many.
PIECE_CHARACTERS = LONG

#: Seconds that a COPY gets to end by itself before the server is asked to stop it.
ABORT_PATIENCE = 2.0

_FIELD_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\n": "\\n", "\r": "\\r", FIELD: "\\" + FIELD, ROW: ROW, NULL: "\\" + NULL}
)

Literals = Sequence[Sent]


class Copied(NamedTuple):
    """How much went over."""

    rows: int
    bytes: int


class _Aborted(Exception):
    """The other thread has given up."""


def encode_chunk(rows: Sequence[Sequence[Optional[str]]]) -> bytes:
    """COPY text (delimiter 0x02, null 0x04) of I(rows); None is NULL."""
    text = ROW.join([FIELD.join([NULL if field is None else field for field in row]) for row in rows])
    fields = sum(map(len, rows))
    nulls = sum([row.count(None) for row in rows])
    separators_alone = (
        text.count(FIELD) == fields - len(rows) and text.count(ROW) == len(rows) - 1 and text.count(NULL) == nulls
    )
    if separators_alone:
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace(ROW, "\n")
    else:
        escaped = "\n".join(
            [FIELD.join([NULL if f is None else f.translate(_FIELD_ESCAPES) for f in row]) for row in rows]
        )
    return (escaped + "\n").encode()


def encode_large(row: Literals) -> Iterator[bytes]:
    """COPY text of one row but for the end of its line, in pieces, so that a long value is not held several times."""
    for place, field in enumerate(row):
        if place:
            yield FIELD.encode()
        if field is None:
            yield NULL.encode()
            continue
        for piece in _pieces(field) if isinstance(field, str) else field.pieces():
            yield piece.translate(_FIELD_ESCAPES).encode()


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS))


def escape_packed(text: bytes) -> bytes:
    """COPY text of rows in which the separators are separators only."""
    escaped = text.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return escaped.replace(ROW.encode(), b"\n") + b"\n"


def chunks(rows: Iterable[Union[Literals, Packed]]) -> Iterator[Tuple[int, bytes]]:
    """I(rows) as (number of rows, COPY text), bounded by rows and bytes."""
    batch: List[Sequence[Optional[str]]] = []
    size = 0
    for row in rows:
        if isinstance(row, Packed):
            if batch:
                yield len(batch), encode_chunk(batch)
                batch, size = [], 0
            yield row.rows, row.text if row.binary else escape_packed(row.text)
            continue
        # Counting characters is cheap, and the bound needs no precision.
        length = sum([len(field) for field in row if field is not None])
        if length > PIECE_CHARACTERS:
            if batch:
                yield len(batch), encode_chunk(batch)
                batch, size = [], 0
            for piece in encode_large(row):
                yield 0, piece
            yield 1, b"\n"
            continue
        # What is written out while it is sent is long, and was a row of its own.
        batch.append(cast("Sequence[Optional[str]]", row))
        size += length
        if len(batch) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield len(batch), encode_chunk(batch)
            batch, size = [], 0
    if batch:
        yield len(batch), encode_chunk(batch)


def copy_in(
    session: Session,
    schema: str,
    table: str,
    names: Sequence[str],
    rows: Iterable[Union[Literals, Packed]],
    advance: Optional[Callable[[int, int], None]] = None,
    binary: bool = False,
) -> Copied:
    """Append I(rows) (fields as COPY literals, or packed, not escaped) to a table; I(advance) hears of rows and bytes on the way.

    With I(binary), all of them are packed in binary format. The caller's thread makes the rows. An error that I(rows) raises ends the COPY and is raised here; the server's own
    error is a TargetError whose details['context'] names the line, counted from 1 over I(rows).
    """
    text = "FORMAT text, DELIMITER E'\\x02', NULL E'\\x04', ENCODING 'UTF8'"
    statement = compose(
        "COPY {table} ({columns}) FROM STDIN WITH ({how})",
        how=raw("FORMAT binary" if binary else text),
        table=identifier(schema, table),
        columns=columns(names),
    )
    pipe = _Inbound(session, statement)
    total_rows = total_bytes = 0
    try:
        if binary:
            pipe.put(HEADER)
        for count, data in chunks(rows):
            pipe.put(data)
            total_rows += count
            total_bytes += len(data)
            if advance is not None:
                advance(count, len(data))
        if binary:
            pipe.put(TRAILER)
        pipe.finish()
    except _Aborted:
        pipe.stop()  # Raises the server's error.
    except BaseException:
        pipe.abort()
        raise
    return Copied(total_rows, total_bytes)


class _Inbound:
    """A file whose end another thread feeds to COPY FROM STDIN."""

    def __init__(self, session: Session, statement: Statement) -> None:
        self._chunks: queue.Queue[Optional[bytes]] = queue.Queue(QUEUED)
        self._rest = b""
        self._sent = 0
        self._session = session
        self._failed = False
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, args=(session, statement), daemon=True)
        self._thread.start()

    def _run(self, session: Session, statement: Statement) -> None:
        try:
            session.copy(statement, self)
        except BaseException as error:  # Whatever it is, the caller's thread has to hear of it.
            self._error = error

    def put(self, data: Optional[bytes]) -> None:
        """Hand over a chunk, which is not empty: that would be the end, as is None."""
        while self._thread.is_alive():
            try:
                self._chunks.put(data, timeout=0.2)
                return
            except queue.Full:
                continue
        raise _Aborted()

    def finish(self) -> None:
        self.put(None)
        self.stop()

    def stop(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        """Make COPY fail on the server, and wait for that."""
        self._failed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._chunks.get_nowait()
        with contextlib.suppress(queue.Full):
            self._chunks.put_nowait(None)
        self._thread.join(ABORT_PATIENCE)
        if self._thread.is_alive():
            # The server waits for something (a lock) and reads nothing.
            self._session.cancel()
            self._thread.join()

    def read(self, size: int) -> bytes:
        """What COPY asks for next, in the thread that talks to the server."""
        if self._sent >= len(self._rest):
            data = self._chunks.get()
            if self._failed:
                raise _Aborted("the rows ended with an error")
            if data is None:
                return b""
            self._rest, self._sent = data, 0
        begin, self._sent = self._sent, self._sent + size
        return self._rest[begin : self._sent]


def copy_out(session: Session, statement: Statement) -> Iterator[Tuple[Optional[str], ...]]:
    """The rows of a query as text, streamed in constant memory; None is NULL.

    Only one such iterator of a session can be open. Closing it early stops the query on the server and leaves an
    open transaction usable.
    """
    pipe = _Outbound(session, compose("COPY ({query}) TO STDOUT WITH (FORMAT text)", query=statement))
    nested = session.in_transaction
    if nested:
        session.execute("SAVEPOINT mcps_copy")
    pipe.start()
    try:
        yield from pipe.rows()
    except BaseException:
        # Closed early, or interrupted while waiting for the server; an error of the query has ended it by itself.
        if not pipe.ended:
            pipe.cancel()
            if nested:
                session.execute("ROLLBACK TO SAVEPOINT mcps_copy")
        raise
    if nested:
        session.execute("RELEASE SAVEPOINT mcps_copy")


class _Outbound:
    """A file into which another thread lets COPY TO STDOUT write."""

    def __init__(self, session: Session, statement: Statement) -> None:
        self._session = session
        self._statement = statement
        self._chunks: queue.Queue[Optional[List[bytes]]] = queue.Queue(QUEUED)
        self._batch: List[bytes] = []
        self._size = 0
        self._error: Optional[BaseException] = None
        self._discard = False
        #: Whether the query has ended and all of its rows were taken.
        self.ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            self._session.copy(self._statement, self)
        except BaseException as error:  # Whatever it is, the caller's thread has to hear of it.
            self._error = error
        self._flush()
        self._chunks.put(None)

    def write(self, data: bytes) -> None:
        """One row of COPY, in the thread that talks to the server."""
        self._batch.append(data)
        self._size += len(data)
        if self._size >= CHUNK_BYTES or len(self._batch) >= CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batch and not self._discard:
            self._chunks.put(self._batch)
        self._batch, self._size = [], 0

    def rows(self) -> Iterator[Tuple[Optional[str], ...]]:
        while True:
            batch = self._chunks.get()
            if batch is None:
                self.ended = True
                break
            for line in batch:
                yield decode_row(line)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        running = self._thread.is_alive()
        self._discard = True
        if running:
            self._session.cancel()
        while self._chunks.get() is not None:
            pass
        self._thread.join()
        if running and self._error is None:
            # The query ended by itself while the request to stop was on its way: let that hit a harmless statement.
            # In a transaction, what it breaks is mended by the rollback to the savepoint.
            with contextlib.suppress(TargetError):
                self._session.value("SELECT 1")


_ESCAPES = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def decode_row(line: bytes) -> Tuple[Optional[str], ...]:
    """The fields of one line of COPY text format as the server writes it."""
    text = line.decode()
    fields = (text[:-1] if text.endswith("\n") else text).split("\t")
    if "\\" not in text:
        return tuple(fields)
    return tuple([None if field == "\\N" else _unescape(field) for field in fields])


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    pieces = field.split("\\")
    result = [pieces[0]]
    index = 1
    while index < len(pieces):
        piece = pieces[index]
        if piece:
            result.append(_ESCAPES.get(piece[0], piece[0]) + piece[1:])
        else:
            # Two backslashes in a row: the split left an empty piece, and the next one is plain text.
            result.append("\\")
            index += 1
            result.append(pieces[index])
        index += 1
    return "".join(result)
