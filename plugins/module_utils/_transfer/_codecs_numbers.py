# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codecs of numbers and of truth values."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal, InvalidOperation
from typing import Callable, Collection, Dict

from ._codec import Codec
from ._fast import UNFIT, FastForm, anything, each, whole, whole_numbers
from ._types import SqlType
from ._values import Misfit, SqliteValue, sample


def numbers_within(column: str, smallest: int, largest: int) -> FastForm:
    """INTEGERs within bounds."""
    # The sign takes the column's affinity away, by which SQLite would compare texts: none is less than a number is.
    # REAL is told by its text, which costs less than asking for the storage class of each value.
    cases = {f"+{column} BETWEEN {smallest} AND {largest}": column}
    return FastForm({}, whole(whole_numbers), sound=whole_numbers, cases=cases)


class IntegerCodec(Codec):
    """smallint, integer, bigint: INTEGER within range. REAL and TEXT are never rounded or parsed."""

    BITS = {"smallint": 16, "integer": 32, "bigint": 64}

    def __init__(self, sql_type: SqlType) -> None:
        super().__init__(sql_type)
        self.limit = 1 << (self.BITS[sql_type.name] - 1)

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, int):
            if isinstance(value, float) and not value.is_integer():
                raise Misfit("not_integral", f"{value!r} is not a whole number")
            raise self.wrong_class(value)
        if not -self.limit <= value < self.limit:
            raise Misfit("out_of_range", f"{value} is outside {self.type} ({-self.limit} to {self.limit - 1})")
        return str(value)

    def fast(self, column: str) -> FastForm:
        # SQLite's own integers end where bigint ends.
        if self.limit == 1 << 63:
            return FastForm({"integer": column}, whole(anything), sound=anything)
        return numbers_within(column, -self.limit, self.limit - 1)


class BooleanCodec(Codec):
    """boolean: INTEGER 0 or 1, as SQLAlchemy writes it."""

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, int):
            if value == 1:
                return "t"
            if value == 0:
                return "f"
        raise Misfit("not_boolean", f"{sample(value)} is neither 0 nor 1")

    def fast(self, column: str) -> FastForm:
        return numbers_within(column, 0, 1)


class NumericCodec(Codec):
    """numeric: exact decimals. REAL stands for its shortest decimal, which is what SQLAlchemy wrote."""

    NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")

    def encode(self, value: SqliteValue) -> str:
        number = self._decimal(value)
        if not number.is_finite():
            if self.type.length is not None:
                raise Misfit("out_of_range", f"{value!r} does not fit {self.type}")
            return "Infinity" if number > 0 else "-Infinity"
        text = plain_decimal(number)
        if self.type.length is not None:
            scale = self.type.scale or 0
            _, digits, exponent = Decimal(text).as_tuple()
            places = -int(exponent)
            if places > scale:
                raise Misfit("precision_lost", f"{text} has {places} decimal places, {self.type} keeps {scale}")
            if number and len(digits) + int(exponent) > self.type.length - scale:
                raise Misfit("out_of_range", f"{text} has more digits than {self.type} holds")
        return text

    def fast(self, column: str) -> FastForm:
        # Equal digits mean different things in different classes: the first letter tells them apart.
        forms = {
            "integer": f"'i' || {column}",
            "text": f"'t' || {column}",
        }
        return FastForm(forms, each(self._marked, Misfit), certain=_without_exponents, real="r", unmarked=True)

    def _marked(self, text: str) -> str:
        make: Dict[str, Callable[[str], SqliteValue]] = {"i": int, "r": float, "t": str}
        return self.encode(make[text[0]](text[1:]))

    def _decimal(self, value: SqliteValue) -> Decimal:
        if isinstance(value, int):
            return Decimal(value)
        if isinstance(value, float):
            return Decimal(repr(value))
        if isinstance(value, str) and self.NUMBER.fullmatch(value):
            return Decimal(value)
        if isinstance(value, str):
            raise Misfit("not_numeric", f"{sample(value)} is not a decimal number")
        raise self.wrong_class(value)

    def canonical(self, literal: str) -> str:
        try:
            number = Decimal(literal)
        except InvalidOperation:
            return literal
        return plain_decimal(number) if number.is_finite() else str(number)


def _without_exponents(texts: Collection[bytes]) -> bool:
    """Of an exponent PostgreSQL may make more digits than an index takes."""
    return not any(b"e" in text or b"E" in text for text in texts)


def plain_decimal(number: Decimal) -> str:
    """I(number) without exponent and without trailing zeros; there is one zero and it has no sign."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class DoubleCodec(Codec):
    """double precision, bit for bit: the shortest decimal that reads back as the same double."""

    def encode(self, value: SqliteValue) -> str:
        return repr(self._double(value))

    def fast(self, column: str) -> FastForm:
        forms = {
            "integer": f"CASE WHEN {column} BETWEEN {-(1 << 53)} AND {1 << 53} THEN {column} ELSE {UNFIT} END",
        }
        return FastForm(forms, whole(anything), sound=anything, real="")

    def _double(self, value: SqliteValue) -> float:
        if isinstance(value, float):
            return value
        if isinstance(value, int):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if not math.isinf(number) and int(number) == value:
                return number
            raise Misfit("precision_lost", f"integer {value} has no exact {self.type}")
        if isinstance(value, str):
            raise Misfit("not_numeric", f"{sample(value)} is text, {self.type} is expected")
        raise self.wrong_class(value)

    def canonical(self, literal: str) -> str:
        return repr(float(literal))


class RealCodec(DoubleCodec):
    """real: only doubles that are exact with 24 binary digits."""

    def encode(self, value: SqliteValue) -> str:
        number = self._double(value)
        try:
            single: float = struct.unpack("<f", struct.pack("<f", number))[0]
        except OverflowError:
            raise Misfit("out_of_range", f"{number!r} is outside real") from None
        if single != number:
            raise Misfit("precision_lost", f"{number!r} would become {single!r} as real")
        return repr(number)

    def fast(self, column: str) -> FastForm:
        return FastForm(super().fast(column).classes, each(lambda text: self.encode(float(text)), Misfit), real="")

    def canonical(self, literal: str) -> str:
        return repr(struct.unpack("<f", struct.pack("<f", float(literal)))[0])
