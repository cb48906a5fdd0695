# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How both sides write a column of one type so that equal bytes are equal values: what the verification hashes.

The source's texts come in chunks, as for the load (see C(_fast)); the target writes its own values by an expression of
its own, so that what is compared is what is stored there, not what was sent. Different bytes prove nothing: such rows
are compared one by one by C(Codec.canonical), which has the last word.
"""

from __future__ import annotations

import json
import re
import struct
from array import array
from dataclasses import dataclass
from typing import Callable, Dict, Optional

from ._codec import Codec
from ._fast import NULL, ROW, Fields, shaped
from ._types import SqlType
from ._values import Misfit

_ROW, _NULL = ROW.encode(), NULL.encode()
#: What stands before a binary value, and in place of one.
PRESENT, ABSENT = b"\x01", b"\x00"

#: The chunk's column as the target writes it, rows joined by C(ROW), NULL as C(NULL); None if it cannot be told.
Form = Callable[[bytes, Fields], Optional[bytes]]


@dataclass(frozen=True)
class Probe:
    """One column's way. I(target) is SQL of PostgreSQL over C({column}), which gives text, NULL for NULL.

    If I(binary), it gives bytea, and rows are joined by nothing: each is C(PRESENT) and a value that tells its own
    length, or C(ABSENT). With I(documents), the source's texts are sent to the target and compared there as jsonb.
    I(extension) is the extension whose schema C({extension}) stands for.
    """

    form: Form
    target: str = "{column}::pg_catalog.text"
    binary: bool = False
    documents: bool = False
    extension: str = ""


def probe_for(sql_type: SqlType, codec: Codec) -> Optional[Probe]:
    """The probe of a target type; None where only C(Codec.canonical) can tell."""
    if sql_type.element is not None:
        texts = sql_type.element.name in ("text", "character varying") and sql_type.element.length is None
        return Probe(_taken(codec, _json_arrays), _ARRAY) if texts else None
    make = _PROBES.get(sql_type.name)
    return None if make is None else make(codec)


def _taken(codec: Codec, form: Form) -> Form:
    """I(form), for chunks that the load would take, whose literals have a meaning that is known."""
    take = codec.fast("NULL").take

    def taken(text: bytes, fields: Fields) -> Optional[bytes]:
        return None if take(text, fields) is None else form(text, fields)

    return taken


def _as_it_is(text: bytes, _fields: Fields) -> Optional[bytes]:
    return text


def _plain(codec: Codec) -> Probe:
    return Probe(_taken(codec, _as_it_is))


def _boolean(codec: Codec) -> Probe:
    return Probe(_taken(codec, _as_it_is), "CASE WHEN {column} THEN '1' WHEN NOT {column} THEN '0' END")


def _bytea(codec: Codec) -> Probe:
    # SQLite writes capitals.
    return Probe(_taken(codec, lambda text, _fields: text.lower()))


def _uuid(codec: Codec) -> Probe:
    return Probe(
        _taken(codec, lambda text, _fields: text.replace(b"-", b"").lower()),
        "pg_catalog.replace({column}::pg_catalog.text, '-', '')",
    )


def _numeric(codec: Codec) -> Probe:
    def form(text: bytes, fields: Fields) -> Optional[bytes]:
        literals = codec.fast("NULL").take(text, fields)
        return None if literals is None else _ROW.join(literals)

    return Probe(form, "pg_catalog.trim_scale({column})::pg_catalog.text")


def _double(codec: Codec) -> Probe:
    def form(text: bytes, fields: Fields) -> Optional[bytes]:
        if codec.fast("NULL").take(text, fields) is None:
            return None
        pack = struct.Struct(">cd").pack
        return b"".join([ABSENT if field == _NULL else pack(PRESENT, float(field)) for field in fields])

    return Probe(form, "pg_catalog.float8send({column}::pg_catalog.float8)", binary=True)


_FRACTION = re.compile(rb"(\.[0-9]*?)0+(?=" + _ROW + rb"|\Z)")


def _shortened(text: bytes, _fields: Fields) -> Optional[bytes]:
    """Times without the zeros at the end of a fraction, as PostgreSQL prints them."""
    if b"." in text:
        text = text.replace(b".000000", b"")
        if b"." in text:
            text = _FRACTION.sub(rb"\1", text).replace(b"." + _ROW, _ROW)
            text = text[:-1] if text[-1:] == b"." else text
    return text


def _moment(codec: Codec) -> Probe:
    usual = shaped(frozenset(["0000-00-00 00:00:00", *("0000-00-00 00:00:00." + "0" * n for n in range(1, 7))]))

    def form(text: bytes, fields: Fields) -> Optional[bytes]:
        text = text.replace(b"T", b" ")
        return _shortened(text, fields) if usual(text) else None

    return Probe(_taken(codec, form))


def _zoned(codec: Codec) -> Probe:
    def form(_text: bytes, fields: Fields) -> Optional[bytes]:
        # The moment counts, so that every value has to be converted.
        literals = {_NULL: _NULL}
        try:
            for field in set(fields) - {_NULL}:
                literals[field] = codec.encode(field.decode()).encode()
        except (Misfit, ValueError):
            return None
        return _ROW.join([literals[field] for field in fields])

    return Probe(form)


def _time(codec: Codec) -> Probe:
    usual = shaped(frozenset(["00:00:00", *("00:00:00." + "0" * n for n in range(1, 7))]))
    return Probe(_taken(codec, lambda text, fields: _shortened(text, fields) if usual(text) else None))


def _json(codec: Codec) -> Probe:
    def form(text: bytes, fields: Fields) -> Optional[bytes]:
        literals = codec.fast("NULL").take(text, fields)
        return None if literals is None else _ROW.join(literals)

    return Probe(form)


def _jsonb(codec: Codec) -> Probe:
    return Probe(_json(codec).form, documents=True)


_ARRAY = (
    "CASE WHEN pg_catalog.array_ndims({column}) IS NULL OR"
    " (pg_catalog.array_ndims({column}) = 1 AND pg_catalog.array_lower({column}, 1) = 1)"
    " THEN pg_catalog.array_to_json({column})::pg_catalog.text ELSE '-' END"
)


def _json_arrays(text: bytes, fields: Fields) -> Optional[bytes]:
    """JSON arrays of texts as array_to_json() writes them."""
    if b"\\" not in text:
        return text.replace(b'", "', b'","')
    forms = {_NULL: _NULL}
    try:
        for field in set(fields) - {_NULL}:
            forms[field] = json.dumps(json.loads(field), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
    return _ROW.join([forms[field] for field in fields])


def _vector(codec: Codec) -> Probe:
    fast = codec.fast("NULL")

    def form(text: bytes, fields: Fields) -> Optional[bytes]:
        if b"x" in text and fast.wire is not None:
            wired = fast.wire(text, fields)
            return None if wired is None else b"".join([ABSENT if w is None else PRESENT + w for w in wired])
        if fast.take(text, fields) is None:
            return None
        parts = []
        try:
            for field in fields:
                if field == _NULL:
                    parts.append(ABSENT)
                    continue
                numbers = array("f", json.loads(field))
                numbers.byteswap()
                parts.append(struct.pack(">cHH", PRESENT, len(numbers), 0) + numbers.tobytes())
        except (ValueError, TypeError, OverflowError, struct.error):
            return None
        return b"".join(parts)

    return Probe(form, "{extension}.vector_send({column})", binary=True, extension="vector")


_PROBES: Dict[str, Callable[[Codec], Probe]] = {
    "smallint": _plain,
    "integer": _plain,
    "bigint": _plain,
    "boolean": _boolean,
    "numeric": _numeric,
    "double precision": _double,
    "real": _double,
    "text": _plain,
    "character varying": _plain,
    "character": _plain,
    "citext": _plain,
    "enum": _plain,
    "bytea": _bytea,
    "uuid": _uuid,
    "json": _json,
    "jsonb": _jsonb,
    "timestamp without time zone": _moment,
    "timestamp with time zone": _zoned,
    "date": _plain,
    "time without time zone": _time,
    "vector": _vector,
}
