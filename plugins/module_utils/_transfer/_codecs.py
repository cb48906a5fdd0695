# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one definition of every conversion: from a SQLite value to a PostgreSQL literal, and what makes two equal.

A codec belongs to one target type. C(encode) turns a SQLite value into the literal that PostgreSQL reads (COPY text
before escaping) and raises Misfit where PostgreSQL would refuse the value or would take it only by changing it.
C(canonical) brings a literal, ours or PostgreSQL's own output, into a normal form: two values mean the same if, and
only if, their normal forms are equal texts. The audit and the load use C(encode); the verification uses both.
C(fast) is a short cut for whole chunks of plain values (see C(_fast)), whose literals mean what C(encode)'s mean;
whatever it does not vouch for goes through C(encode).

PostgreSQL's output is read under DateStyle ISO, IntervalStyle iso_8601, TimeZone UTC, bytea_output hex and
extra_float_digits 1, which every session of this collection sets.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from array import array
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Callable, Collection, Dict, FrozenSet, Iterable, List, Optional, Tuple, Union

from . import _json
from ._fast import (
    NULL,
    ROW,
    UNFIT,
    Certain,
    FastForm,
    Fields,
    Raw,
    Sound,
    Take,
    among,
    anything,
    each,
    shaped,
    text_within,
    whole,
    whole_numbers,
)
from ._types import SqlType
from ._values import LONG, InvalidText, LongHex, Misfit, SqliteValue, sample, storage_class
from ._wire import wired_vector

_ROW = ROW.encode()
EPOCH = datetime(1970, 1, 1)
#: PostgreSQL's limit of a displacement from UTC (MAX_TZDISP_HOUR in datatype/timestamp.h is 15 hours).
MAX_OFFSET = timedelta(hours=16)
#: Marks a number between JSON texts.
REAL = "\x05"
#: PostgreSQL's limit of an array's dimensions (MAXDIM).
MAX_DIMENSIONS = 6


class Codec:
    """Conversion for one target type; see the module's text for what the methods promise."""

    def __init__(self, sql_type: SqlType) -> None:
        self.type = sql_type

    def encode(self, value: SqliteValue) -> str:
        """The literal of I(value), which is not NULL. Raises Misfit."""
        raise NotImplementedError

    def sent(self, value: SqliteValue) -> Union[str, LongHex]:
        """As M(encode), but a long literal may be one that is written out while it is sent."""
        return self.encode(value)

    def fast(self, column: str) -> FastForm:
        """The short cut for I(column) (SQL of SQLite). Here: texts are taken out of SQLite in chunks, and no more."""
        return FastForm({"text": column}, self.singly())

    def singly(self) -> Take:
        """Texts are converted by M(encode), equal ones of a chunk once."""
        return each(self.encode, Misfit)

    def all_fit(self, texts: Iterable[bytes]) -> bool:
        """Whether M(encode) takes each of I(texts)."""
        try:
            for text in texts:
                self.encode(text.decode())
        except Misfit:
            return False
        return True

    def canonical(self, literal: str) -> str:
        """The normal form of a literal that this type printed or C(encode) made."""
        return literal

    def wrong_class(self, value: SqliteValue) -> Misfit:
        """The misfit of a value whose storage class cannot mean this type."""
        return Misfit("storage_class", f"SQLite holds {storage_class(value)} where {self.type} is expected")


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


class TextCodec(Codec):
    """text, character varying(n), citext: the same characters, counted, never cut or padded."""

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            if isinstance(value, InvalidText):
                raise Misfit("invalid_utf8", f"the text is not UTF-8: {sample(value)}")
            raise self.wrong_class(value)
        if "\x00" in value:
            raise Misfit("nul_character", f"NUL character at position {value.index(chr(0))}")
        if self.type.length is not None and len(value) > self.type.length:
            raise Misfit("too_long", f"{len(value)} characters, {self.type} holds {self.type.length}")
        return value

    def fast(self, column: str) -> FastForm:
        form = {"text": text_within(column, self.type.length)}
        return FastForm(form, whole(anything), sound=anything)


class CharacterCodec(TextCodec):
    """character(n): PostgreSQL pads with blanks, which have no meaning in this type."""

    def canonical(self, literal: str) -> str:
        return literal.rstrip(" ")


class ByteaCodec(Codec):
    """bytea: BLOB, byte for byte."""

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, bytes):
            raise self.wrong_class(value)
        return str(LongHex(value))

    def sent(self, value: SqliteValue) -> Union[str, LongHex]:
        return LongHex(value) if isinstance(value, bytes) and len(value) > LONG else self.encode(value)

    def fast(self, column: str) -> FastForm:
        return FastForm({"blob": f"'\\x' || hex({column})"}, whole(anything), sound=anything)


class UuidCodec(Codec):
    """uuid: 32 hexadecimal digits with or without dashes, or a BLOB of 16 bytes."""

    FORM = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            if not self.FORM.fullmatch(value):
                raise Misfit("not_uuid", f"{sample(value)} is not a UUID")
            digits = value.replace("-", "").lower()
        elif isinstance(value, bytes) and len(value) == 16:
            digits = value.hex()
        else:
            raise self.wrong_class(value)
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def fast(self, column: str) -> FastForm:
        # PostgreSQL reads the digits without dashes and in capitals too, but also dashes in other places.
        forms = {
            "text": column,
            "blob": f"CASE WHEN length({column}) = 16 THEN hex({column}) ELSE {UNFIT} END",
        }
        shapes = frozenset(["0" * 32, "-".join(["0" * 8, "0" * 4, "0" * 4, "0" * 4, "0" * 12])])
        sound = shaped(shapes, hexadecimal=True)
        return FastForm(forms, whole(sound), sound=sound)


class EnumCodec(Codec):
    """A native enum: TEXT that is one of its labels, letter for letter."""

    def __init__(self, sql_type: SqlType) -> None:
        super().__init__(sql_type)
        self.labels: FrozenSet[str] = frozenset(sql_type.labels)

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            raise self.wrong_class(value)
        if value not in self.labels:
            known = ", ".join(self.type.labels[:12]) + (", ..." if len(self.type.labels) > 12 else "")
            raise Misfit("not_in_enum", f"{sample(value)} is not a label of {self.type} ({known})")
        return value

    def fast(self, column: str) -> FastForm:
        sound = among(self.labels)
        return FastForm({"text": column}, whole(sound), sound=sound)


class JsonCodec(Codec):
    """json: the document's text as it is. A column of declared type JSON keeps bare numbers as INTEGER or REAL."""

    def encode(self, value: SqliteValue) -> str:
        text = self._text(value)
        self.check(text)
        return text

    def check(self, text: str) -> None:
        """Raise Misfit unless I(text) is a JSON document that this type keeps whole."""
        _json.check_json(text)

    def fast(self, column: str) -> FastForm:
        # The shortest decimal of a number is Python's to find: SQLite's digits would be another number.
        # They are marked by a character with which no text that qualifies begins.
        forms = {
            "text": f"CASE WHEN {column} >= ' ' COLLATE BINARY THEN {column} ELSE {UNFIT} END",
            "integer": column,
        }
        return FastForm(forms, self._documents, certain=self._certain, real=REAL, unmarked=True)

    def _certain(self, documents: Collection[bytes]) -> bool:
        mark = REAL.encode()
        try:
            for document in documents:
                if document[:1] != mark:
                    self.check(document.decode())
        except Misfit:
            return False
        return True

    def _documents(self, text: bytes, fields: Fields) -> Optional[Fields]:
        if REAL.encode() in text:
            mark = REAL.encode()
            fields = [repr(float(field[1:])).encode() if field[:1] == mark else field for field in fields]
        return fields if self.sound(set(fields) - {NULL.encode()}) else None

    def sound(self, documents: Collection[bytes]) -> bool:
        """False if one of the documents, all of which PostgreSQL takes, is one that C(check) refuses."""
        return _json.parses(documents)

    def _text(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            if "\x00" in value:
                raise Misfit("nul_character", f"NUL character at position {value.index(chr(0))}")
            return value
        if isinstance(value, float):
            if math.isinf(value):
                raise Misfit("json_nan", f"{value!r} is not a JSON number")
            return repr(value)
        if isinstance(value, int):
            return str(value)
        if isinstance(value, InvalidText):
            raise Misfit("invalid_utf8", f"the text is not UTF-8: {sample(value)}")
        raise self.wrong_class(value)


class JsonbCodec(JsonCodec):
    """jsonb: by meaning. Order of keys, white space and the spelling of equal numbers have none."""

    def check(self, text: str) -> None:
        _json.check_jsonb(text)

    def sound(self, documents: Collection[bytes]) -> bool:
        return _json.keeps(documents)

    def canonical(self, literal: str) -> str:
        return _json.canonical(literal)


_TIME = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
_OFFSET = r"(?: ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?))?"
TIMESTAMP = re.compile(rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:[ Tt]{_TIME}{_OFFSET})?")
TIME = re.compile(_TIME + _OFFSET)
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def parse_timestamp(text: str) -> Optional[Tuple[datetime, str, Optional[timedelta]]]:
    """ISO 8601 I(text) as (whole seconds, digits of the fraction, offset or None); None where it is not one."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return None
    if zone is None:
        return moment, fraction or "", None
    offset = parse_offset(zone)
    return None if abs(offset) >= MAX_OFFSET else (moment, fraction or "", offset)


def parse_offset(zone: str) -> timedelta:
    """C(Z), C(+02), C(+0200), C(+02:00), C(+02:00:30) as a difference to UTC."""
    if zone in ("Z", "z", "UTC"):
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    parts = [int(digits[index : index + 2]) for index in range(0, len(digits), 2)]
    hours, minutes, seconds = (parts + [0, 0])[:3]
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -size if zone[0] == "-" else size


def second_fraction(fraction: str, sql_type: SqlType) -> str:
    """C(.123) without trailing zeros or nothing; Misfit if the type keeps fewer digits."""
    kept = fraction.rstrip("0")
    if not kept:
        return ""
    places = 6 if sql_type.length is None else sql_type.length
    if len(kept) > places:
        raise Misfit("precision_lost", f"{len(kept)} digits of a second, {sql_type} keeps {places}")
    return f".{kept}"


def time_shapes(sql_type: SqlType) -> List[str]:
    """What times of day look like that the type keeps, 0 standing for any digit."""
    digits = 6 if sql_type.length in (None, 6) else 0
    return ["00:00", "00:00:00", *("00:00:00." + "0" * count for count in range(1, digits + 1))]


def are_dates(texts: Iterable[bytes]) -> bool:
    """Whether I(texts), which look like dates with or without a time, begin with days of the calendar."""
    try:
        for text in {text[:10] for text in texts}:
            date.fromisoformat(text.decode())
    except ValueError:
        return False
    return True


def are_times(texts: Iterable[bytes]) -> bool:
    """Whether I(texts), which look like times or are empty, are times of day."""
    known = {text[:8] for text in texts if text}
    return all(text[:2] < b"24" and text[3:5] < b"60" and text[6:8] < b"60" for text in known)


#: What PostgreSQL would take for the first second of the next day or minute.
NO_TIME = (" 24", "T24", ":60")


def shaped_texts(column: str, sound: Sound, certain: Certain) -> FastForm:
    """Texts that are known by their shape."""
    return FastForm({"text": column}, whole(sound), certain=certain, sound=sound)


class TimestampCodec(Codec):
    """timestamp without time zone: ISO 8601 text without an offset; a date alone is its midnight."""

    def encode(self, value: SqliteValue) -> str:
        moment, fraction, offset = self._parse(value)
        if offset is not None:
            raise Misfit("offset_dropped", f"{sample(value)} carries an offset that {self.type} would drop")
        return moment.isoformat(" ") + second_fraction(fraction, self.type)

    def fast(self, column: str) -> FastForm:
        shapes = [f"0000-00-00{sign}{time}" for time in time_shapes(self.type) for sign in " T"]
        return shaped_texts(
            column,
            shaped(frozenset(["0000-00-00", *shapes]), without=NO_TIME),
            lambda texts: are_dates(texts) and are_times(text[11:] for text in texts),
        )

    def _parse(self, value: SqliteValue) -> Tuple[datetime, str, Optional[timedelta]]:
        if isinstance(value, str):
            parsed = parse_timestamp(value)
            if parsed is not None:
                return parsed
        elif isinstance(value, (int, float)):
            raise Misfit("not_a_date", f"{sample(value)} is a number, and nothing says how it is meant")
        elif not isinstance(value, InvalidText):
            raise self.wrong_class(value)
        raise Misfit("not_a_date", f"{sample(value)} is not an ISO 8601 date and time")


class TimestampTzCodec(TimestampCodec):
    """timestamp with time zone: ISO 8601 text with an offset; the moment counts, not the offset."""

    def encode(self, value: SqliteValue) -> str:
        moment, fraction, offset = self._parse(value)
        if offset is None:
            raise Misfit("no_offset", f"{sample(value)} does not say in which time zone it is")
        try:
            moment = moment - offset
        except OverflowError:
            raise Misfit("not_a_date", f"{sample(value)} leaves the years 1 to 9999 in UTC") from None
        return moment.isoformat(" ") + second_fraction(fraction, self.type) + "+00"

    def fast(self, column: str) -> FastForm:
        shapes = [
            f"0000-00-00{sign}{time}{offset}"
            for time in time_shapes(self.type)
            for sign in " T"
            for offset in ("Z", "+00", "-00", "+00:00", "-00:00", "+0000", "-0000")
        ]
        # A displacement may leave the years that both sides know.
        without = (*NO_TIME, ROW + "000", ROW + "9999")
        return shaped_texts(column, shaped(frozenset(shapes), without), self.all_fit)


class DateCodec(Codec):
    """date: C(YYYY-MM-DD) and nothing more."""

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, bytes):
            raise self.wrong_class(value)
        match = DATE.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            try:
                date(*map(int, match.groups()))
            except ValueError:
                match = None
        if match is None:
            raise Misfit("not_a_date", f"{sample(value)} is not a date (YYYY-MM-DD)")
        return str(value)

    def fast(self, column: str) -> FastForm:
        return shaped_texts(column, shaped(frozenset(["0000-00-00"])), are_dates)


class TimeCodec(Codec):
    """time without time zone: C(HH:MM[:SS[.ffffff]])."""

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, bytes):
            raise self.wrong_class(value)
        match = TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Misfit("not_a_date", f"{sample(value)} is not a time (HH:MM:SS.ffffff)")
        hour, minute, second, fraction, zone = match.groups()
        if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
            raise Misfit("not_a_date", f"{sample(value)} is not a time of day")
        if zone:
            raise Misfit("offset_dropped", f"{sample(value)} carries an offset that {self.type} would drop")
        return f"{hour}:{minute}:{second or '00'}" + second_fraction(fraction or "", self.type)

    def fast(self, column: str) -> FastForm:
        shapes = frozenset(time_shapes(self.type))
        return shaped_texts(column, shaped(shapes, without=(ROW + "24", ":60")), are_times)


class IntervalCodec(Codec):
    """interval: what SQLAlchemy's Interval writes on SQLite (a moment that far from 1970-01-01), or ISO 8601 P...."""

    _NUMBER = r"([+-]?[0-9]+)"
    ISO = re.compile(
        rf"P(?=.)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
        rf"(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))S)?)?"
    )

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            if self.ISO.fullmatch(value):
                return self._literal(*self._parts(value))
            parsed = parse_timestamp(value)
            if parsed is not None and parsed[2] is None:
                moment, fraction, _ = parsed
                digits = second_fraction(fraction, self.type).lstrip(".").ljust(6, "0")
                span = moment - EPOCH
                return self._literal(0, span.days, span.seconds * 1_000_000 + int(digits))
        if isinstance(value, bytes):
            raise self.wrong_class(value)
        raise Misfit("not_an_interval", f"{sample(value)} is not an interval")

    @staticmethod
    def _literal(months: int, days: int, microseconds: int) -> str:
        sign = "-" if microseconds < 0 else ""
        seconds, rest = divmod(abs(microseconds), 1_000_000)
        return f"P{months}M{days}DT{sign}{seconds}.{rest:06d}S"

    def _parts(self, literal: str) -> Tuple[int, int, int]:
        match = self.ISO.fullmatch(literal)
        if match is None:
            raise Misfit("not_an_interval", f"{sample(literal)} is not an ISO 8601 interval")
        years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups()[:6])
        seconds = Decimal(match.group(7) or "0") * 1_000_000
        if seconds != int(seconds):
            raise Misfit("precision_lost", f"{sample(literal)} is finer than a microsecond")
        return years * 12 + months, weeks * 7 + days, (hours * 3600 + minutes * 60) * 1_000_000 + int(seconds)

    def canonical(self, literal: str) -> str:
        return self._literal(*self._parts(literal))


def _elements(literal: str) -> List[str]:
    """The numbers of a vector's text."""
    return literal.strip()[1:-1].split(",")


def _vectors(size: int, raw: bytes) -> Optional[List[bytes]]:
    """The binary format of vectors that are I(size) bytes of float32, little-endian, each; None where one is not finite."""
    numbers = array("f", raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    # Sign and most of the exponent stand in the last byte; those of infinity and NaN are among these two.
    # One that is not finite makes the sum so; doubles hold any sum of float32.
    if len(raw[3::4].translate(None, b"\x7f\xff")) != len(numbers) and not math.isfinite(sum(numbers)):
        return None
    numbers.byteswap()
    # pgvector's format: the number of dimensions, 16 bits that are not used, and the numbers, big-endian.
    head, swapped = struct.pack(">HH", size // 4, 0), numbers.tobytes()
    return [head + swapped[start : start + size] for start in range(0, len(swapped), size)]


class VectorCodec(Codec):
    """vector and halfvec of pgvector: a JSON array of finite numbers, or a BLOB of little-endian float32.

    A number of an array stands for the nearest value of the type's width (float32, float16), as it does when the
    application writes the column itself. Numbers may be spelled as pgvector spells them, which JSON would not (V(.5)).
    """

    _NUMBER = r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*"
    LITERAL = re.compile(rf"\s*\[{_NUMBER}(?:,{_NUMBER})*\]\s*", re.ASCII)

    def __init__(self, sql_type: SqlType) -> None:
        super().__init__(sql_type)
        self.half = sql_type.name == "halfvec"

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            numbers = self._from_text(value)
        elif isinstance(value, bytes):
            numbers = self._from_blob(value)
        else:
            raise self.wrong_class(value)
        if not numbers:
            raise Misfit("not_a_vector", "a vector has at least one number")
        if self.type.length is not None and len(numbers) != self.type.length:
            raise Misfit("not_a_vector", f"{len(numbers)} numbers, {self.type} has {self.type.length}")
        narrow = self._narrow(numbers)
        if isinstance(value, str) and narrow != numbers:
            narrow = self._nearest(value, numbers, narrow)
        return "[" + ",".join([format(number, ".9g") for number in narrow]) + "]"

    def fast(self, column: str) -> FastForm:
        if self.half:
            # pgvector rounds twice there, through float32.
            return super().fast(column)
        # A text that begins as an array may, with white space before: neither NULL's mark nor that of a BLOB. Asked
        # for in one go, because SQLite reads a long text anew each time.
        array_like = f"CASE WHEN {column} COLLATE BINARY BETWEEN char(9) AND 'w' THEN {column} ELSE {UNFIT} END"
        forms = {"text": array_like, "blob": f"'x' || {self._whole(column)}"}
        return FastForm(forms, self._digits, self._wired, self._certain, unmarked=True)

    def blobs(self, column: str) -> FastForm:
        """The short cut for BLOBs of one length, which none but a binary COPY takes."""
        size = 4 * (self.type.length or 0)
        if self.half or not size:
            return self.fast(column)
        mark = f"CASE WHEN length({column}) = {size} THEN 'x' ELSE {UNFIT} END"
        values = f"CASE typeof({column}) WHEN 'blob' THEN {column} ELSE '' END"
        return FastForm({"blob": mark}, lambda _text, _fields: None, raw=Raw(size, values, partial(_vectors, size)))

    def _certain(self, texts: Collection[bytes]) -> bool:
        blobs = [text for text in texts if text[:1] == b"x"]
        return self._wired(b"", blobs) is not None and self.all_fit(text for text in texts if text[:1] != b"x")

    def _whole(self, column: str) -> str:
        """SQL: the digits of I(column), which is a BLOB, if it is as long as a vector of this type."""
        length = self.type.length
        right = f"= {4 * length}" if length is not None else f">= 4 AND length({column}) % 4 = 0"
        return f"CASE WHEN length({column}) {right} THEN hex({column}) ELSE {UNFIT} END"

    def _wired(self, _text: bytes, fields: Fields) -> Optional[List[Optional[bytes]]]:
        wired: List[Optional[bytes]] = []
        try:
            for field in fields:
                if field[:1] == b"x":
                    raw = bytes.fromhex(field[1:].decode())
                    vectors = _vectors(len(raw), raw)
                    if vectors is None:
                        return None
                    wired += vectors
                elif field == NULL.encode():
                    wired.append(None)
                else:
                    wired.append(wired_vector(array("f", map(float, _elements(self.encode(field.decode()))))))
        except (Misfit, ValueError):
            return None
        return wired

    def _digits(self, text: bytes, fields: Fields) -> Optional[Fields]:
        # Of whatever else PostgreSQL takes (0x1p3, say) something is none of these, and the mark of a BLOB is not.
        return None if text.translate(None, b"0123456789+-.eE, []" + ROW.encode() + NULL.encode()) else fields

    def _from_text(self, text: str) -> List[float]:
        try:
            document = _json.load_array(text, "not_a_vector")
        except Misfit:
            if not self.LITERAL.fullmatch(text):
                raise
            document = list(map(float, _elements(text)))
        for number in document:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise Misfit("not_a_vector", f"{sample(str(number))} is not a number")
        try:
            return [float(number) for number in document]
        except OverflowError:
            raise Misfit("out_of_range", "a number is outside the range of floats") from None

    def _from_blob(self, blob: bytes) -> List[float]:
        if len(blob) % 4:
            raise Misfit("not_a_vector", f"a BLOB of {len(blob)} bytes is not an array of float32")
        return list(struct.unpack(f"<{len(blob) // 4}f", blob))

    def _narrow(self, numbers: List[float]) -> List[float]:
        if not all(map(math.isfinite, numbers)):
            raise Misfit("not_a_vector", "NaN or Infinity cannot be an element")
        code = f"<{len(numbers)}{'e' if self.half else 'f'}"
        try:
            return list(struct.unpack(code, struct.pack(code, *numbers)))
        except OverflowError:
            raise Misfit("out_of_range", f"a number is outside the range of {self.type.name}") from None

    @staticmethod
    def _nearest(text: str, numbers: List[float], narrow: List[float]) -> List[float]:
        """I(narrow) corrected where a number's double is half way between two float32, but its text is not.

        Rounding twice (text to double to float32) would round such a half to even, PostgreSQL reads the text at once.
        """
        others = [2 * number - rounded for number, rounded in zip(numbers, narrow)]
        try:
            halves = [n != r and o == f for n, r, o, f in zip(numbers, narrow, others, array("f", others))]
        except OverflowError:
            return narrow
        if not any(halves):
            return narrow
        corrected = list(narrow)
        for place, part in enumerate(_elements(text)):
            if halves[place]:
                exact, half = Decimal(part.strip()), Decimal(numbers[place])
                if exact != half:
                    pair = (narrow[place], others[place])
                    corrected[place] = max(pair) if exact > half else min(pair)
        return corrected

    def canonical(self, literal: str) -> str:
        numbers = [float(part) for part in _elements(literal)]
        if self.half:
            return struct.pack(f"<{len(numbers)}e", *numbers).hex()
        return array("f", numbers).tobytes().hex()


#: Arrays without the signs that part their texts: one pair of quotes each, so that no sign was inside of a text.
_PLAIN_TEXTS = re.compile(rb'(?:(?:\["[^"\\\x00-\x1f]*"\]|\[\]|' + NULL.encode() + rb")" + _ROW + rb")*")


class ArrayCodec(Codec):
    """A native array, from a JSON array whose elements fit the element type. Nested arrays must be rectangular."""

    def __init__(self, sql_type: SqlType, element: Codec) -> None:
        super().__init__(sql_type)
        self.element = element

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            raise self.wrong_class(value)
        if value.strip() == "null":
            raise Misfit("json_null", "JSON null is not an array")
        document = _json.load_array(value, "not_an_array", exact=isinstance(self.element, NumericCodec))
        if len(self._shape(document)) > MAX_DIMENSIONS:
            raise Misfit("not_an_array", f"PostgreSQL arrays have at most {MAX_DIMENSIONS} dimensions")
        return self._braces([self._literal(item) for item in document])

    def fast(self, column: str) -> FastForm:
        form = super().fast(column)
        element = self.element.type
        plain = element.name in ("text", "character varying") and element.length is None
        return FastForm(form.classes, self._texts) if plain else form

    def _texts(self, text: bytes, fields: Fields) -> Optional[Fields]:
        # Where all elements are texts that JSON writes as they are, only the brackets differ.
        if not any(_PLAIN_TEXTS.fullmatch(text.replace(sign, b"") + _ROW) for sign in (b'", "', b'","')):
            return self.singly()(text, fields)
        bounded = (_ROW + text + _ROW).replace(_ROW + b"[", _ROW + b"{").replace(b"]" + _ROW, b"}" + _ROW)
        return bounded[1:-1].split(_ROW)

    def _shape(self, items: List[Any]) -> Tuple[int, ...]:
        """Lengths by dimension; Misfit where rows of a nested array differ in length."""
        nested = [item for item in items if isinstance(item, list)]
        if not nested:
            return (len(items),)
        shapes = {self._shape(item) for item in nested}
        if len(nested) != len(items) or len(shapes) != 1 or shapes == {(0,)}:
            raise Misfit("not_an_array", "a nested array must be rectangular and not empty")
        return (len(items),) + shapes.pop()

    def _literal(self, item: Any) -> str:
        if item is None:
            return "NULL"
        if isinstance(item, list):
            return self._braces([self._literal(inner) for inner in item])
        return self._quote(self.element.encode(self._element_value(item)))

    def _element_value(self, item: Any) -> SqliteValue:
        if isinstance(self.element, JsonCodec):
            return _json.dump(item)
        if isinstance(item, dict):
            raise Misfit("not_an_array", f"an object is not a {self.element.type}")
        if isinstance(item, bool):
            if not isinstance(self.element, BooleanCodec):
                raise Misfit("not_an_array", f"element {item} is not a {self.element.type}")
            return int(item)
        result: SqliteValue = item
        return result

    @staticmethod
    def _braces(parts: List[str]) -> str:
        return "{" + ",".join(parts) + "}"

    @staticmethod
    def _quote(literal: str) -> str:
        return '"' + literal.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def canonical(self, literal: str) -> str:
        if not literal.startswith("{"):
            # Bounds that do not begin at 1, e.g. [0:1]={a,b}: another array than any that JSON can stand for.
            return literal
        return self._normal(parse_array(literal))

    def _normal(self, items: List[Any]) -> str:
        parts = []
        for item in items:
            if item is None:
                parts.append("NULL")
            elif isinstance(item, list):
                parts.append(self._normal(item))
            else:
                parts.append(self._quote(self.element.canonical(item)))
        return self._braces(parts)


def parse_array(literal: str) -> List[Any]:
    """The nested lists of texts and None of an array literal (PostgreSQL manual, 8.15.6)."""
    stack: List[List[Any]] = []
    position = 0
    length = len(literal)
    while position < length:
        char = literal[position]
        if char == "{":
            inner: List[Any] = []
            if stack:
                stack[-1].append(inner)
            stack.append(inner)
            position += 1
        elif char == "}":
            if len(stack) == 1:
                return stack[0]
            stack.pop()
            position += 1
        elif char == ",":
            position += 1
        elif char == '"':
            position += 1
            piece: List[str] = []
            while literal[position] != '"':
                if literal[position] == "\\":
                    position += 1
                piece.append(literal[position])
                position += 1
            stack[-1].append("".join(piece))
            position += 1
        else:
            end = position
            while literal[end] not in ",}":
                end += 1
            word = literal[position:end]
            stack[-1].append(None if word == "NULL" else word)
            position = end
    raise ValueError(f"not an array literal: {literal[:60]}")


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
