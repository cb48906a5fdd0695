# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which order of rows both databases can agree on: keys as bytes that sort the way PostgreSQL sorts the column.

The verification walks both sides side by side, so it needs one order. Every key is turned into bytes whose plain
comparison is that order; the target is asked for the same order by SQL. SQLite orders what it stores (32 hexadecimal
digits in either case, with or without dashes), which need not be this order: whoever reads a side in a promised order
checks the bytes as they come, and sorts the rows by the bytes if the promise does not hold.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Callable, Dict, Optional, Sequence, Tuple

from ._codec import Codec
from ._codecs import codec_for
from ._model import TargetColumn
from ._types import SqlType
from ._values import Misfit

KeyBytes = Callable[[Sequence[Optional[str]]], bytes]


@dataclass(frozen=True)
class OrderTerm:
    """One term of the target's ORDER BY.

    I(as_text) orders by the value's text in C order (its UTF-8 bytes) instead of by the type's own order;
    I(nulls_first) is for columns that may be NULL: without it PostgreSQL puts them last.
    """

    column: str
    as_text: bool = False
    nulls_first: bool = False


@dataclass(frozen=True)
class KeyPlan:
    """How rows of one table are named and put in order.

    I(order) is what the target is asked for; it is empty where a type of the key has no order that can be computed
    here, so that both sides have to be sorted by I(bytes_of). I(bytes_of) takes the key's literals, of either side.
    """

    order: Tuple[OrderTerm, ...]
    bytes_of: KeyBytes


def key_plan(columns: Sequence[TargetColumn]) -> KeyPlan:
    """The plan for a key of these target columns, in key order. Raises ValueError for a type without a codec."""
    parts = [_part(column) for column in columns]
    order: Tuple[OrderTerm, ...] = ()
    if all(known for known, _, _ in parts):
        order = tuple(
            OrderTerm(column.name, as_text, nulls_first=not column.not_null)
            for column, (_, as_text, _) in zip(columns, parts)
        )
    encoders = [encode for _, _, encode in parts]
    if len(columns) == 1:
        only = encoders[0]
        return KeyPlan(order, lambda literals: _field(only, literals[0]))
    return KeyPlan(order, lambda literals: b"".join([_field(e, v) for e, v in zip(encoders, literals)]))


def row_digest(canonical: Sequence[Optional[str]]) -> bytes:
    """SHA-256 of a row in normal form; every field is preceded by its length, and NULL is no text at all."""
    digest = hashlib.sha256()
    for text in canonical:
        if text is None:
            digest.update(b"\xff" * 8)
        else:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(struct.pack(">Q", len(data)))
            digest.update(data)
    return digest.digest()


def normal_form(codec: Codec, literal: str) -> str:
    """The codec's canonical form; a literal that it cannot read (e.g. an infinite interval) stands for itself.

    No SQLite value encodes to such a literal, so it equals only its own spelling.
    """
    try:
        return codec.canonical(literal)
    except (Misfit, ValueError, ArithmeticError, IndexError, RecursionError, struct.error):
        return "\x00" + literal


def _field(encode: Callable[[str], bytes], literal: Optional[str]) -> bytes:
    return b"\x00" if literal is None else b"\x01" + encode(literal)


def _part(column: TargetColumn) -> Tuple[bool, bool, Callable[[str], bytes]]:
    """Whether the type has a common order, whether the target orders it as text, and the bytes of a literal."""
    codec = codec_for(column.type)
    if codec is None:
        raise ValueError(f"no codec for {column.type}")
    name = _kind(column.type)
    to_bytes = _ORDERED.get(name)
    if to_bytes is None:
        return False, False, _through(codec, _text)
    if to_bytes is _integer:
        return True, False, _integer
    return True, name in _AS_TEXT, _through(codec, to_bytes)


def _kind(sql_type: SqlType) -> str:
    return "array" if sql_type.element is not None else sql_type.name


def _through(codec: Codec, to_bytes: Callable[[str], bytes]) -> Callable[[str], bytes]:
    def encode(literal: str) -> bytes:
        form = normal_form(codec, literal)
        if form.startswith("\x00"):
            return b"\xff" + _text(form)
        return to_bytes(form)

    return encode


def _integer(literal: str) -> bytes:
    return (int(literal) + (1 << 63)).to_bytes(8, "big")


def _text(form: str) -> bytes:
    """UTF-8, ended so that no text is a beginning of another."""
    return form.encode("utf-8", "surrogatepass").replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _bytea(form: str) -> bytes:
    return bytes.fromhex(form[2:]).replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _double(form: str) -> bytes:
    """IEEE 754 bits in numeric order; both zeros are one key, as in an index, and NaN is the largest."""
    bits: int = struct.unpack(">Q", struct.pack(">d", float(form) + 0.0))[0]
    sign = 1 << 63
    return ((bits ^ (2 * sign - 1)) if bits & sign else bits | sign).to_bytes(8, "big")


def _numeric(form: str) -> bytes:
    number = Decimal(form)
    if number.is_nan():
        return b"\xff"
    if number.is_infinite():
        return b"\xfe" if number > 0 else b"\x01"
    if not number:
        return b"\x80"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0").encode()
    body = (number.adjusted() + (1 << 31)).to_bytes(4, "big") + digits + b"\x00"
    return b"\xc0" + body if number > 0 else b"\x40" + bytes(255 - byte for byte in body)


#: Types whose order is known, and the bytes of their normal form. Moments sort as their ISO text for the years 1 to
#: 9999, which are all that a codec takes; what else the target holds (BC, infinity) is found out of order.
_ORDERED: Dict[str, Callable[[str], bytes]] = {
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "boolean": _text,
    "numeric": _numeric,
    "double precision": _double,
    "real": _double,
    "text": _text,
    "character varying": _text,
    "character": _text,
    "citext": _text,
    "name": _text,
    "enum": _text,
    "bytea": _bytea,
    "uuid": _text,
    "timestamp without time zone": _text,
    "timestamp with time zone": _text,
    "date": _text,
    "time without time zone": _text,
}

_AS_TEXT = frozenset({"text", "character varying", "character", "citext", "name", "enum"})
