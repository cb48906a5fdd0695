# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole chunks of rows from SQLite to COPY text: SQLite concatenates, Python looks at each column as one text.

A codec's C(fast) says how, beside C(encode), which is the definition. Whatever a fast form does not vouch for is
converted by C(encode), row by row, so that every misfit, rule and reason has one place. A fast form may let a value
through that PostgreSQL refuses: the table is then begun anew row by row. It must never let one through that PostgreSQL
takes for something else than C(encode)'s literal, and none that C(encode) refuses and PostgreSQL takes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, Collection, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Type, Union

from ._wire import Wire, wired_row

#: Between fields, between rows, and for NULL: text seldom holds them, so that a whole chunk is escaped at once.
FIELD, ROW, NULL = "\x02", "\x03", "\x04"
_FIELD, _ROW, _NULL = FIELD.encode(), ROW.encode(), NULL.encode()

#: Rows and bytes of a chunk; larger ones were measured to cost memory and gain nothing.
CHUNK_ROWS = 500
CHUNK_BYTES = 1 << 17
#: Bytes of a chunk in binary format, of which there are fewer copies.
BINARY_BYTES = 1 << 18
#: Rows of a table's first chunk: nobody knows yet how long they are.
FIRST_ROWS = 50
#: Bytes of a value that goes this way, and of all that SQLite makes of a chunk. Each step holds a copy.
LONGEST = 1 << 21
#: A chunk that fails is tried again in so many pieces, down to this many rows, which are then converted singly.
PIECES = 8
FEW_ROWS = 8
#: Chunks that are converted singly without a try, at most, once none of the last had anything to go this way.
MAX_PATIENCE = 64

#: Bytes of a row from which on looking for the end of each is quicker than split(), which looks at byte after byte.
LONG_ROW = 400

#: SQL of what a value leaves that does not qualify: a separator too many. Were the value just missing, a separator inside
#: of a text could make up for it.
UNFIT = f"char({ord(ROW)})"

FIRST_ROWID, LAST_ROWID = -(1 << 63), (1 << 63) - 1

Fields = List[bytes]
#: Literals from texts, which come joined by C(ROW) and parted (NULL among them as it is); None if one does not qualify.
Take = Callable[[bytes, Fields], Optional[Fields]]
#: Whether texts, joined by C(ROW) with NULL among them as it is, are their own literals.
Sound = Callable[[bytes], bool]
#: Whether PostgreSQL takes each of a chunk's different texts, NULL not being among them.
Certain = Callable[[Collection[bytes]], bool]
#: The same in binary format, NULL being None.
Wired = Callable[[bytes, Fields], Optional[List[Optional[bytes]]]]


class Raw(NamedTuple):
    """Values of one size that SQLite only strings together: I(size) bytes each, which I(sql) gives, or none for NULL.

    I(wire) makes the binary format of the bytes of many; None if one of them does not qualify.
    """

    size: int
    sql: str
    wire: Callable[[bytes], Optional[List[bytes]]]


@dataclass(frozen=True)
class FastForm:
    """How a column is brought over in chunks.

    I(classes) is SQL of SQLite by storage class: the text of a value of this class, or C(UNFIT). I(cases), in its place,
    is the same by conditions, none of which is true of NULL. I(real) is for REAL, which is the adapter's to spell: what
    stands before its digits, which read back as the same double, or None where none qualifies. I(unmarked): none of the
    texts is C(NULL); otherwise the adapter looks for that where NULL may come. I(take) has the last word over a chunk's texts, and makes literals of them. Where there is I(sound), it is asked
    first, and most texts are literals already. I(wire), where there is one, makes PostgreSQL's binary format instead.
    I(certain) is for those that want to know beforehand whether PostgreSQL takes what I(take) has let through; without
    one, it takes all of it. With I(raw), texts are a mark of one character each, and the values follow them.
    """

    classes: Dict[str, str]
    take: Take
    wire: Optional[Wired] = None
    certain: Optional[Certain] = None
    sound: Optional[Sound] = None
    cases: Optional[Dict[str, str]] = None
    real: Optional[str] = None
    unmarked: bool = False
    raw: Optional[Raw] = None


@dataclass(frozen=True)
class FastColumn:
    """A mapped column: I(form) makes its FastForm from the column's SQL, I(wire) the binary format of a literal."""

    name: str
    not_null: bool
    form: Callable[[str], FastForm]
    wire: Optional[Wire] = None
    #: For BLOBs that a binary COPY takes nearly as they are, in place of I(form).
    blobs: Optional[Callable[[str], FastForm]] = None

    def of_blobs(self) -> FastColumn:
        """The same column where a table goes in binary format."""
        return self if self.blobs is None else replace(self, form=self.blobs)


class Chunk(NamedTuple):
    """The I(rows) rows whose rowid is between I(first) and I(last), as one text for each column.

    The texts hold C(ROW) between two rows, C(NULL) for NULL, and one C(ROW) too many for each value that does not
    qualify.
    """

    first: int
    last: int
    rows: int
    columns: Sequence[bytes]


class Packed(NamedTuple):
    """Rows that need nothing but escaping: UTF-8 without NUL, in which the separators are separators only.

    Or, if I(binary), nothing at all.
    """

    rows: int
    text: bytes
    binary: bool = False


class Span(NamedTuple):
    """Rows (rowid from I(first) to I(last)) that have to be converted singly."""

    first: int
    last: int


#: The next chunk of the rows from one rowid to another, of so many rows at most; None if there is none.
Reader = Callable[[int, int, int], Optional[Chunk]]


def whole(sound: Sound) -> Take:
    """The texts are the literals, if I(sound)."""
    return lambda text, fields: fields if sound(text) else None


def anything(_text: bytes) -> bool:
    """Texts are their own literals."""
    return True


def whole_numbers(text: bytes) -> bool:
    """Whether the texts, which SQLite made of numbers, are those of INTEGERs: others have a point or an exponent."""
    return not text.translate(None, b"-0123456789" + _ROW + _NULL)


def among(values: FrozenSet[str]) -> Sound:
    """Whether all texts are I(values)."""
    known = frozenset(value.encode() for value in values) | {_NULL}
    return lambda text: known.issuperset(text.split(_ROW))


_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_HEXADECIMAL = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)


def shaped(shapes: FrozenSet[str], without: Sequence[str] = (), hexadecimal: bool = False) -> Sound:
    """Whether the texts look like I(shapes), in which 0 stands for any digit.

    I(without) may occur nowhere in C(ROW) + texts + C(ROW).
    """
    known = frozenset(shape.encode() for shape in shapes) | {_NULL}
    excluded = [text.encode() for text in without]
    table = _HEXADECIMAL if hexadecimal else _DIGITS

    def sound(text: bytes) -> bool:
        bounded = _ROW + text + _ROW if excluded else text
        # One byte is looked for in a fraction of the time that several take.
        if any(part[:1] in bounded and part in bounded for part in excluded):
            return False
        return known.issuperset(text.translate(table).split(_ROW))

    return sound


def each(literal: Callable[[str], str], misfit: Type[Exception]) -> Take:
    """Every different text is turned into I(literal)'s result, unless that raises I(misfit)."""

    def take(_text: bytes, fields: Fields) -> Optional[Fields]:
        literals = {_NULL: _NULL}
        try:
            for field in set(fields):
                if field != _NULL:
                    made = literal(field.decode()).encode()
                    if made == _NULL:
                        return None
                    literals[field] = made
        except (misfit, ValueError):
            return None
        return [literals[field] for field in fields]

    return take


def text_within(column: str, longest: Optional[int]) -> str:
    """SQL: I(column), which is TEXT, if it has no more than so many characters."""
    return column if longest is None else f"CASE WHEN length({column}) <= {longest} THEN {column} ELSE {UNFIT} END"


class Checker:
    """Says of chunks whether all of their values fit."""

    def __init__(self, columns: Sequence[FastColumn]) -> None:
        self._forms = [column.form("NULL") for column in columns]

    def longest(self, chunk: Chunk) -> Optional[List[int]]:
        """For each column the bytes of its longest text; None if a value does not fit, or nobody vouches for it."""
        found = []
        for form, text in zip(self._forms, chunk.columns):
            fields = _parted(text, chunk.rows)
            if len(fields) != chunk.rows or b"\x00" in text or not _is_utf8(text) or form.take(text, fields) is None:
                return None
            if form.certain is not None and not form.certain(set(fields) - {_NULL}):
                return None
            found.append(max(map(len, fields)))
        return found


def _literals(form: FastForm, text: bytes, rows: int) -> Optional[Fields]:
    """Those of a column's chunk of so many rows; None if one does not qualify."""
    fields = _parted(text, rows)
    # Looking for a separator takes a fraction of the time that counting does.
    if len(fields) != rows or _FIELD in text:
        return None
    if form.sound is not None and form.sound(text):
        return fields
    literals = form.take(text, fields)
    if literals is None or literals is fields:
        return literals
    # Separators in a literal may come from an escape in a text.
    joined = _ROW.join(literals)
    return literals if _FIELD not in joined and joined.count(_ROW) == rows - 1 else None


class Packer:
    """Turns chunks into COPY text, and says which rows have to be converted singly. I(columns) are what I(read) gives."""

    def __init__(self, columns: Sequence[FastColumn], read: Reader, binary: bool = False) -> None:
        self._read = read
        self._binary = binary
        self._bytes = BINARY_BYTES if binary else CHUNK_BYTES
        self._wires = [_wired(column) for column in columns] if binary else []
        self._forms = [column.form("NULL") for column in columns]
        self._patience = self._singly = 0

    def pack(self, first: int = FIRST_ROWID, last: int = LAST_ROWID) -> Iterator[Union[Packed, Span]]:
        """All rows from I(first) to I(last) in their order."""
        rows = FIRST_ROWS
        while first <= last:
            chunk = self._read(first, last, rows)
            if chunk is None:
                return
            if self._singly:
                self._singly -= 1
                yield Span(chunk.first, chunk.last)
            else:
                found = False
                for item in self._items(chunk):
                    found = found or isinstance(item, Packed)
                    yield item
                self._patience = 0 if found else min(2 * self._patience + 1, MAX_PATIENCE)
                self._singly = self._patience
            size = sum(map(len, chunk.columns))
            rows = max(1, min(CHUNK_ROWS, 2 * rows, chunk.rows * self._bytes // max(size, 1)))
            first = chunk.last + 1

    def _items(self, chunk: Chunk) -> Iterator[Union[Packed, Span]]:
        text = self._joined(chunk)
        if text is not None:
            yield Packed(chunk.rows, text, self._binary)
        elif chunk.rows <= FEW_ROWS:
            yield Span(chunk.first, chunk.last)
        else:
            first = chunk.first
            while first <= chunk.last:
                piece = self._read(first, chunk.last, chunk.rows // PIECES)
                if piece is None:
                    return
                yield from self._items(piece)
                first = piece.last + 1

    def _joined(self, chunk: Chunk) -> Optional[bytes]:
        """The chunk's rows, None if they cannot all go this way."""
        if self._binary:
            return self._joined_binary(chunk)
        columns = []
        for form, texts in zip(self._forms, chunk.columns):
            literals = _literals(form, texts, chunk.rows)
            if literals is None:
                return None
            columns.append(literals)
        text = _ROW.join(map(_FIELD.join, zip(*columns)))
        return text if b"\x00" not in text and _is_utf8(text) else None

    def _joined_binary(self, chunk: Chunk) -> Optional[bytes]:
        columns = []
        for wire, texts in zip(self._wires, chunk.columns):
            wired = wire(texts, chunk.rows)
            if wired is None:
                return None
            columns.append(wired)
        return b"".join(map(wired_row, zip(*columns)))


def _wired(column: FastColumn) -> Callable[[bytes, int], Optional[List[Optional[bytes]]]]:
    """How a column's chunk of so many rows comes into binary format."""
    raw = column.form("NULL").raw
    if raw is not None:
        return partial(_strung, raw)
    make = _from_texts(column)

    def wire(text: bytes, rows: int) -> Optional[List[Optional[bytes]]]:
        fields = _parted(text, rows)
        return make(text, fields) if len(fields) == rows and b"\x00" not in text else None

    return wire


def _strung(raw: Raw, text: bytes, rows: int) -> Optional[List[Optional[bytes]]]:
    """Marks of one character with separators between and behind them, then what they stand for."""
    marks = text[: 2 * rows].split(_ROW)[:-1]
    present = len(marks) - marks.count(_NULL)
    values = text[2 * rows :]
    if len(marks) != rows or any(len(mark) != 1 for mark in marks) or len(values) != present * raw.size:
        return None
    wired = raw.wire(values)
    if wired is None:
        return None
    following = iter(wired)
    return [None if mark == _NULL else next(following) for mark in marks]


def _from_texts(column: FastColumn) -> Wired:
    """A form's own way, or its literals one by one."""
    form, one = column.form("NULL"), column.wire
    if form.wire is not None:
        return form.wire
    if one is None:
        raise ValueError(f"{column.name} has no binary format")
    make: Wire = one

    def wire(text: bytes, fields: Fields) -> Optional[List[Optional[bytes]]]:
        literals = form.take(text, fields)
        if literals is None:
            return None
        try:
            return [None if literal == _NULL else make(literal.decode()) for literal in literals]
        except (ValueError, OverflowError, struct.error):
            return None

    return wire


def _parted(text: bytes, rows: int) -> Fields:
    """I(text) parted at each C(ROW), as split() does it; of I(rows) parts or so."""
    if len(text) < rows * LONG_ROW:
        return text.split(_ROW)
    fields, begin, end = [], 0, text.find(_ROW)
    while end >= 0:
        fields.append(text[begin:end])
        begin, end = end + 1, text.find(_ROW, end + 1)
    return [*fields, text[begin:]]


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
