# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's binary formats (COPY ... FORMAT binary, and each type's receive function) from the literals of a codec.

Only for tables with vectors that are kept as BLOBs of float32: writing those as text takes hundreds of times as long.
"""

from __future__ import annotations

import struct
from array import array
from datetime import date, datetime
from typing import Callable, Dict, List, Optional, Sequence

from ._types import SqlType

#: One value's literal, as the codec makes it or SQLite's text for it, as the type's receive function reads it.
Wire = Callable[[str], bytes]

#: What a binary COPY begins and ends with.
HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)

_EPOCH = datetime(2000, 1, 1)
_ABSENT = struct.pack(">i", -1)


def wire_for(sql_type: SqlType) -> Optional[Wire]:
    """None for a type whose binary format is not known here."""
    return None if sql_type.element is not None else _WIRES.get(sql_type.name)


def wired_row(fields: Sequence[Optional[bytes]]) -> bytes:
    """One row of a binary COPY; None is NULL."""
    parts: List[bytes] = [struct.pack(">h", len(fields))]
    for field in fields:
        if field is None:
            parts.append(_ABSENT)
        else:
            parts.append(struct.pack(">i", len(field)))
            parts.append(field)
    return b"".join(parts)


def wired_vector(numbers: array[float]) -> bytes:
    """I(numbers), float32 in this machine's order, which are changed."""
    numbers.byteswap()
    return struct.pack(">HH", len(numbers), 0) + numbers.tobytes()


def _packed(code: str, read: Callable[[str], object]) -> Wire:
    pack = struct.Struct(code).pack
    return lambda literal: pack(read(literal))


def _timestamp(literal: str) -> bytes:
    whole, _, fraction = literal.partition(".")
    moment = datetime.fromisoformat(whole) - _EPOCH
    microseconds = (moment.days * 86400 + moment.seconds) * 1_000_000 + int(fraction.ljust(6, "0") or 0)
    return struct.pack(">q", microseconds)


def _vector(literal: str) -> bytes:
    return wired_vector(array("f", map(float, literal.strip()[1:-1].split(","))))


_WIRES: Dict[str, Wire] = {
    "smallint": _packed(">h", int),
    "integer": _packed(">i", int),
    "bigint": _packed(">q", int),
    "boolean": _packed(">?", lambda literal: literal in ("t", "1")),
    "double precision": _packed(">d", float),
    "real": _packed(">f", float),
    "text": str.encode,
    "character varying": str.encode,
    "enum": str.encode,
    "json": str.encode,
    "jsonb": lambda literal: b"\x01" + literal.encode(),
    "uuid": lambda literal: bytes.fromhex(literal.replace("-", "")),
    "bytea": lambda literal: bytes.fromhex(literal[2:]),
    "timestamp without time zone": _timestamp,
    "date": lambda literal: struct.pack(">i", (date.fromisoformat(literal) - _EPOCH.date()).days),
    "vector": _vector,
}
