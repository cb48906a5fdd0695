# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Value rules: changes that the operator declared, each a pure function from SQLite value to SQLite value.

A rule leaves alone what it is not about, so that the codec still refuses whatever the rule did not mend. Where a
rule changed a value, it is counted and named in the result. The audit, the load and the verification run the same
rules.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional

from ._codecs_numbers import NumericCodec
from ._codecs_times import EPOCH, parse_timestamp
from ._types import SqlType
from ._values import InvalidText, SqliteValue

Change = Callable[[SqliteValue], SqliteValue]

TEXTUAL = frozenset({"text", "character varying", "character", "citext", "enum", "uuid"})
DOCUMENTS = frozenset({"json", "jsonb"})
MOMENTS = frozenset({"timestamp without time zone", "timestamp with time zone", "date"})
INTEGERS = frozenset({"smallint", "integer", "bigint"})
NUMBERS = INTEGERS | {"numeric", "real", "double precision"}
#: Types of which no blank text is a value. In chunks, documents and vectors may be blank, which PostgreSQL refuses later.
NEVER_BLANK = NUMBERS | MOMENTS | {"boolean", "uuid", "bytea", "interval", "time without time zone"}

#: The julian day number of 1970-01-01 00:00 UTC (SQLite, date and time functions).
JULIAN_EPOCH = Decimal("2440587.5")
DAY_MILLISECONDS = 86_400_000

_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,30}\s*", re.ASCII)
#: Room for every digit of a double (at most 309 before the point) and of a numeric's scale (at most 1000).
_MANY_DIGITS = Context(prec=1400)


@dataclass(frozen=True)
class Rule:
    """One kind of rule: its meaning, the target types it is for (None: all), and how to make its function.

    I(inert) are those of them whose codec takes no value that the rule would change, and whose short cut lets none
    through: it only mends what does not fit.
    """

    name: str
    meaning: str
    types: Optional[FrozenSet[str]]
    make: Callable[[SqlType, Mapping[str, Any]], Change]
    inert: FrozenSet[str] = frozenset()
    options: FrozenSet[str] = frozenset()

    def applies_to(self, sql_type: SqlType) -> bool:
        return self.types is None or sql_type.name in self.types


def _map(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    entries: Dict[str, SqliteValue] = {}
    for key, result in (options.get("values") or {}).items():
        entries[str(key)] = int(result) if isinstance(result, bool) else result

    def change(value: SqliteValue) -> SqliteValue:
        if value is None or isinstance(value, (bytes, InvalidText)):
            return value
        return entries.get(value if isinstance(value, str) else repr(value), value)

    return change


def mapped(options: Mapping[str, Any]) -> List[SqliteValue]:
    """The values that a rule C(map) with these options replaces."""
    found: List[SqliteValue] = []
    for key in map(str, options.get("values") or {}):
        found.append(key)
        for kind in (int, float):
            try:
                number = kind(key)
            except ValueError:
                continue
            # SQLite's own numbers: whole ones of 64 bits, and no NaN.
            held = -(2**63) <= number < 2**63 if kind is int else number == number
            if held and repr(number) == key:
                found.append(number)
    return found


def _default(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    filler = options.get("value")
    replacement: SqliteValue = int(filler) if isinstance(filler, bool) else filler
    return lambda value: replacement if value is None else value


def _strip_nul(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    return lambda value: value.replace("\x00", "") if isinstance(value, str) else value


def _replace_invalid_utf8(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    return lambda value: value.raw.decode("utf-8", "replace") if isinstance(value, InvalidText) else value


def _latin1(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    return lambda value: value.raw.decode("latin-1") if isinstance(value, InvalidText) else value


def _decode_utf8(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, bytes):
            return value
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value

    return change


def _encode_utf8(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if isinstance(value, InvalidText):
            return value.raw
        return value.encode("utf-8") if isinstance(value, str) else value

    return change


def _to_text(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        return repr(value) if isinstance(value, (int, float)) else value

    return change


def _to_integer(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            return int(value)
        return value

    return change


def _to_number(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        return float(value) if isinstance(value, str) and NumericCodec.NUMBER.fullmatch(value) else value

    return change


def _truncate(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    length = sql_type.length
    return lambda value: value[:length] if isinstance(value, str) and length is not None else value


def _empty_to_null(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    return lambda value: None if isinstance(value, str) and not value.strip() else value


def _json_null_to_null(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    return lambda value: None if isinstance(value, str) and value.strip() == "null" else value


def _rewrite_json(mend: Callable[[Any], Any]) -> Change:
    """A rule that parses a document, mends it, and writes it again only if that changed it."""

    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, str):
            return value
        try:
            before = json.loads(value, parse_int=_Literal, parse_float=_Literal)
            after = mend(before)
            return value if after == before else _write_json(after)
        except (ValueError, RecursionError):
            return value

    return change


class _Literal(str):
    """A number of a document as it was spelled, so that writing it again keeps every digit."""


def _write_json(item: Any) -> str:
    if isinstance(item, _Literal):
        return str(item)
    if isinstance(item, list):
        return "[" + ", ".join(map(_write_json, item)) + "]"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_write_json(value)}" for key, value in item.items()) + "}"
    return json.dumps(item)


def _walk_strings(item: Any, change: Callable[[str], str]) -> Any:
    if isinstance(item, _Literal):
        return item
    if isinstance(item, str):
        return change(item)
    if isinstance(item, list):
        return [_walk_strings(inner, change) for inner in item]
    if isinstance(item, dict):
        return {change(key): _walk_strings(value, change) for key, value in item.items()}
    return item


def _json_strip_nul(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    rewrite = _rewrite_json(lambda document: _walk_strings(document, lambda text: text.replace("\x00", "")))
    return lambda value: rewrite(value) if isinstance(value, str) and "\\u0000" in value else value


def _json_nan_to_null(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, str) or ("NaN" not in value and "Inf" not in value):
            return value
        names: List[str] = []
        try:
            document = json.loads(value, parse_int=_Literal, parse_float=_Literal, parse_constant=names.append)
            # append() gives the None that stands in the document then; texts may hold these words, too.
            return _write_json(document) if names else value
        except (ValueError, RecursionError):
            return value

    return change


def _json_last_key(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, str):
            return value
        repeated: List[bool] = []

        def last(pairs: List[Any]) -> Dict[str, Any]:
            document = dict(pairs)
            if len(document) != len(pairs):
                repeated.append(True)
            return document

        try:
            document = json.loads(value, parse_int=_Literal, parse_float=_Literal, object_pairs_hook=last)
            return _write_json(document) if repeated else value
        except (ValueError, RecursionError):
            return value

    return change


def _moment_text(microseconds: int, sql_type: SqlType, unchanged: SqliteValue) -> SqliteValue:
    """ISO text for I(sql_type) of a moment; I(unchanged) if it leaves the years 1 to 9999 or is no whole date."""
    try:
        moment = EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return unchanged
    if sql_type.name == "date":
        return moment.date().isoformat() if moment == datetime(moment.year, moment.month, moment.day) else unchanged
    return moment.isoformat(sep=" ") + ("+00:00" if sql_type.name == "timestamp with time zone" else "")


def _epoch(per_second: int) -> Callable[[SqlType, Mapping[str, Any]], Change]:
    def make(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
        def change(value: SqliteValue) -> SqliteValue:
            if not isinstance(value, (int, float)) or value in (float("inf"), float("-inf")):
                return value
            micro = Decimal(repr(value)) * 1_000_000 / per_second
            return _moment_text(int(micro.to_integral_value(ROUND_HALF_EVEN)), sql_type, value)

        return change

    return make


def _julian_day(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, (int, float)) or value in (float("inf"), float("-inf")):
            return value
        # SQLite itself counts julian days in whole milliseconds; a double holds no more.
        milliseconds = (Decimal(repr(value)) - JULIAN_EPOCH) * DAY_MILLISECONDS
        return _moment_text(int(milliseconds.to_integral_value(ROUND_HALF_EVEN)) * 1000, sql_type, value)

    return change


def _offset_to_utc(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        parsed = parse_timestamp(value) if isinstance(value, str) else None
        if parsed is None:
            return value
        moment, fraction, offset = parsed
        if offset is None:
            return value
        try:
            moment = moment - offset
        except OverflowError:
            return value
        return moment.isoformat(sep=" ") + (f".{fraction}" if fraction else "")

    return change


def _assume_utc(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        parsed = parse_timestamp(value) if isinstance(value, str) else None
        if parsed is None or parsed[2] is not None:
            return value
        moment, fraction, _ = parsed
        return moment.isoformat(sep=" ") + (f".{fraction}" if fraction else "") + "+00:00"

    return change


def _seconds(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    def change(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, (int, float)) or value in (float("inf"), float("-inf")):
            return value
        micro = int((Decimal(repr(value)) * 1_000_000).to_integral_value(ROUND_HALF_EVEN))
        sign = "-" if micro < 0 else ""
        whole, rest = divmod(abs(micro), 1_000_000)
        return f"PT{sign}{whole}.{rest:06d}S"

    return change


def _round(sql_type: SqlType, options: Mapping[str, Any]) -> Change:
    """Half to even, to what the type keeps: whole numbers, a numeric's scale, a real's 24 bits, a second's digits."""

    def number(value: SqliteValue) -> SqliteValue:
        if not isinstance(value, (int, float)) or value in (float("inf"), float("-inf")):
            return value
        if sql_type.name == "real":
            try:
                single: float = struct.unpack("<f", struct.pack("<f", value))[0]
            except OverflowError:
                return value
            return single
        if sql_type.name == "double precision":
            return float(value) if abs(value) < 2**1023 else value
        exact = Decimal(repr(value))
        if sql_type.name == "numeric":
            if sql_type.length is None:
                return value
            rounded = exact.quantize(Decimal(1).scaleb(-(sql_type.scale or 0)), ROUND_HALF_EVEN, _MANY_DIGITS)
            return value if rounded == exact else str(rounded)
        return int(exact.to_integral_value(ROUND_HALF_EVEN))

    def fraction(value: SqliteValue) -> SqliteValue:
        parsed = parse_timestamp(value) if isinstance(value, str) else None
        places = 6 if sql_type.length is None else sql_type.length
        if parsed is None or parsed[2] is not None or len(parsed[1].rstrip("0")) <= places:
            return value
        moment, digits, _ = parsed
        unit = Decimal(1).scaleb(-places)
        rounded = Decimal("0." + digits).quantize(unit, ROUND_HALF_EVEN)
        return (moment + timedelta(microseconds=int(rounded * 1_000_000))).isoformat(sep=" ")

    return fraction if sql_type.name == "timestamp without time zone" else number


def _rule(
    name: str,
    meaning: str,
    types: Optional[FrozenSet[str]],
    make: Callable[[SqlType, Mapping[str, Any]], Change],
    *options: str,
    inert: FrozenSet[str] = frozenset(),
) -> Rule:
    return Rule(name, meaning, types, make, inert, frozenset(options))


_TEXT_OR_DOCUMENT = TEXTUAL | DOCUMENTS
_BYTES = frozenset({"bytea"})
_CUT = frozenset({"character varying", "character"})
_DOUBLES = frozenset({"real", "double precision"})
_INTERVAL = frozenset({"interval"})
_JSONB = frozenset({"jsonb"})
_WITHOUT_ZONE = frozenset({"timestamp without time zone"})
_WITH_ZONE = frozenset({"timestamp with time zone"})

#: Every rule by name, with what its documentation says.
RULES: Dict[str, Rule] = {
    rule.name: rule
    for rule in (
        # Whether these two are inert is in their options and in NOT NULL.
        _rule("map", "replaces listed values by others; option C(values)", None, _map, "values"),
        _rule("default", "puts a value where NULL is not allowed; option C(value)", None, _default, "value"),
        _rule(
            "empty_to_null",
            "makes text without any character but blanks NULL",
            None,
            _empty_to_null,
            inert=NEVER_BLANK,
        ),
        _rule("strip_nul", "removes NUL characters from text", _TEXT_OR_DOCUMENT, _strip_nul, inert=_TEXT_OR_DOCUMENT),
        _rule(
            "replace_invalid_utf8",
            "puts U+FFFD for bytes that are not UTF-8",
            _TEXT_OR_DOCUMENT,
            _replace_invalid_utf8,
            inert=_TEXT_OR_DOCUMENT,
        ),
        _rule(
            "latin1",
            "reads text that is not UTF-8 as ISO 8859-1",
            _TEXT_OR_DOCUMENT,
            _latin1,
            inert=_TEXT_OR_DOCUMENT,
        ),
        _rule(
            "decode_utf8",
            "takes a BLOB of UTF-8 as text",
            _TEXT_OR_DOCUMENT,
            _decode_utf8,
            # 16 bytes are a UUID.
            inert=_TEXT_OR_DOCUMENT - {"uuid"},
        ),
        _rule("encode_utf8", "takes text as its UTF-8 bytes", _BYTES, _encode_utf8, inert=_BYTES),
        _rule("to_text", "takes INTEGER and REAL as their decimal text", TEXTUAL, _to_text, inert=TEXTUAL),
        _rule(
            "to_integer",
            "takes whole REAL and decimal text as integer",
            NUMBERS | {"boolean"},
            _to_integer,
            inert=INTEGERS | {"boolean"},
        ),
        _rule("to_number", "takes decimal text as a number", _DOUBLES, _to_number, inert=_DOUBLES),
        _rule("truncate", "cuts text at the declared length", _CUT, _truncate, inert=_CUT),
        _rule(
            "round",
            "rounds half to even to what the type keeps",
            NUMBERS | _WITHOUT_ZONE,
            _round,
            inert=INTEGERS | {"numeric"} | _WITHOUT_ZONE,
        ),
        _rule("epoch_seconds", "takes numbers as seconds since 1970 UTC", MOMENTS, _epoch(1), inert=MOMENTS),
        _rule(
            "epoch_milliseconds", "takes numbers as milliseconds since 1970 UTC", MOMENTS, _epoch(1000), inert=MOMENTS
        ),
        _rule("julian_day", "takes numbers as julian days, UTC", MOMENTS, _julian_day, inert=MOMENTS),
        _rule(
            "offset_to_utc",
            "moves times with an offset to UTC and drops the offset",
            _WITHOUT_ZONE,
            _offset_to_utc,
            inert=_WITHOUT_ZONE,
        ),
        _rule("assume_utc", "takes times without an offset as UTC", _WITH_ZONE, _assume_utc, inert=_WITH_ZONE),
        _rule("seconds", "takes numbers as seconds", _INTERVAL, _seconds, inert=_INTERVAL),
        _rule("json_null_to_null", "makes a JSON null SQL NULL", None, _json_null_to_null),
        # json keeps what jsonb refuses.
        _rule("json_strip_nul", "removes \\u0000 from texts of a document", DOCUMENTS, _json_strip_nul, inert=_JSONB),
        # Not inert: in chunks, whether a document holds NaN is left to PostgreSQL, which refuses all of the chunk then.
        _rule("json_nan_to_null", "makes NaN and Infinity of a document null", DOCUMENTS, _json_nan_to_null),
        _rule("json_last_key", "keeps the last of equal keys of an object", DOCUMENTS, _json_last_key, inert=_JSONB),
    )
}
