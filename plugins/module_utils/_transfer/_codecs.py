# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which codec belongs to which type."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from ._codec import Codec
from ._codecs_lists import ArrayCodec, VectorCodec
from ._codecs_numbers import BooleanCodec, DoubleCodec, IntegerCodec, NumericCodec, RealCodec
from ._codecs_texts import ByteaCodec, CharacterCodec, EnumCodec, JsonbCodec, JsonCodec, TextCodec, UuidCodec
from ._codecs_times import DateCodec, IntervalCodec, TimeCodec, TimestampCodec, TimestampTzCodec
from ._types import SqlType

_CODECS: Dict[str, Callable[[SqlType], Codec]] = {
    "smallint": IntegerCodec,
    "integer": IntegerCodec,
    "bigint": IntegerCodec,
    "boolean": BooleanCodec,
    "numeric": NumericCodec,
    "double precision": DoubleCodec,
    "real": RealCodec,
    "text": TextCodec,
    "character varying": TextCodec,
    "citext": TextCodec,
    "character": CharacterCodec,
    "bytea": ByteaCodec,
    "uuid": UuidCodec,
    "enum": EnumCodec,
    "json": JsonCodec,
    "jsonb": JsonbCodec,
    "timestamp without time zone": TimestampCodec,
    "timestamp with time zone": TimestampTzCodec,
    "date": DateCodec,
    "time without time zone": TimeCodec,
    "interval": IntervalCodec,
    "vector": VectorCodec,
    "halfvec": VectorCodec,
}


def codec_for(sql_type: SqlType) -> Optional[Codec]:
    """The codec of a target type, or None where this collection has no definition of what would be equal."""
    if sql_type.element is not None:
        element = codec_for(sql_type.element)
        return None if element is None else ArrayCodec(sql_type, element)
    make = _CODECS.get(sql_type.name)
    return None if make is None else make(sql_type)
