# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codecs of dates, times and intervals."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Iterable, List, Optional, Tuple

from ._codec import Codec
from ._fast import ROW, Certain, FastForm, Sound, shaped, whole
from ._types import SqlType
from ._values import InvalidText, Misfit, SqliteValue, sample

EPOCH = datetime(1970, 1, 1)
#: PostgreSQL's limit of a displacement from UTC (MAX_TZDISP_HOUR in datatype/timestamp.h is 15 hours).
MAX_OFFSET = timedelta(hours=16)

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
