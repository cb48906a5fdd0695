# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite can hand over, and how a value that does not fit is described."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Any, Dict, Iterator, Tuple, Union

#: Longest piece of a value that an error, a finding or a report shows, in characters.
SAMPLE_LENGTH = 120


class InvalidText:
    """TEXT of SQLite whose bytes are not UTF-8 (SQLite does not check).

    Kept apart from V(bytes), which is a BLOB: the two storage classes are different values.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InvalidText) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((InvalidText, self.raw))

    def __repr__(self) -> str:
        return f"InvalidText({self.raw!r})"


#: Bytes of a value beyond which its literal is not held as a whole while it is sent.
LONG = 1 << 20


class LongHex:
    """bytea's literal of a long BLOB, written out a piece at a time: as text the whole would take four times its size."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __len__(self) -> int:
        return 2 + 2 * len(self._value)

    def __str__(self) -> str:
        return "".join(self.pieces())

    def pieces(self) -> Iterator[str]:
        yield "\\x"
        for start in range(0, len(self._value), LONG):
            yield self._value[start : start + LONG].hex()


class LongText:
    """TEXT of more than C(LONG) bytes that are UTF-8, a piece at a time: as Python's text it may take four times its size."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """Raises UnicodeDecodeError."""
        self.raw = raw
        for _ in self.pieces():
            pass

    def __len__(self) -> int:
        """In bytes."""
        return len(self.raw)

    def __str__(self) -> str:
        return self.raw.decode()

    def pieces(self) -> Iterator[str]:
        decoder = getincrementaldecoder("utf-8")()
        whole = memoryview(self.raw)
        for start in range(0, len(whole), LONG):
            yield decoder.decode(whole[start : start + LONG], start + LONG >= len(whole))


#: One value as SQLite stores it: NULL, INTEGER, REAL, TEXT, BLOB, or TEXT that is not UTF-8.
SqliteValue = Union[None, int, float, str, bytes, InvalidText]
#: The same as it is read where long texts may stay what they are.
ReadValue = Union[SqliteValue, LongText]


def plain(row: Tuple[ReadValue, ...]) -> Tuple[SqliteValue, ...]:
    """I(row) with all of its texts as Python's."""
    return tuple([str(value) if isinstance(value, LongText) else value for value in row])


def storage_class(value: SqliteValue) -> str:
    """Name of SQLite's storage class of I(value): null, integer, real, text or blob."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "real"
    if isinstance(value, bytes):
        return "blob"
    return "text"


def sample(value: SqliteValue) -> str:
    """A short, printable, unambiguous picture of I(value): SQL literal style, cut at SAMPLE_LENGTH characters."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        text = "x'" + value[: SAMPLE_LENGTH // 2].hex() + "'"
        length = len(value)
        return text if length <= SAMPLE_LENGTH // 2 else f"{text}... ({length} bytes)"
    if isinstance(value, InvalidText):
        return "invalid UTF-8 " + sample(value.raw)
    if isinstance(value, str):
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value[:SAMPLE_LENGTH])
        return f"'{shown}'" if len(value) <= SAMPLE_LENGTH else f"'{shown}'... ({len(value)} characters)"
    return repr(value)


def to_json(value: SqliteValue) -> Any:
    """I(value) as JSON that can be turned back without loss by M(from_json).

    NULL, finite numbers and text stand for themselves; the rest is an object: C({"blob": hex}),
    C({"text_bytes": hex}) (not UTF-8), C({"real": "inf"}).
    """
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, InvalidText):
        return {"text_bytes": value.raw.hex()}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return {"real": repr(value)}
    return value


def from_json(document: Any) -> SqliteValue:
    """The value that M(to_json) wrote."""
    if isinstance(document, dict):
        tagged: Dict[str, str] = document
        if "blob" in tagged:
            return bytes.fromhex(tagged["blob"])
        if "text_bytes" in tagged:
            return InvalidText(bytes.fromhex(tagged["text_bytes"]))
        return float(tagged["real"])
    result: SqliteValue = document
    return result


class Misfit(Exception):
    """A value that the target's type refuses, or would take only by changing it.

    I(kind) is one of the names in M(KINDS); I(reason) says what is wrong with the value; I(advice) what to do.
    """

    def __init__(self, kind: str, reason: str, advice: str = "") -> None:
        super().__init__(kind, reason, advice)
        self.kind = kind
        self.reason = reason
        self.advice = advice or KINDS[kind]


#: Every kind of misfit and finding, with what to do about it when nothing better is known.
KINDS: Dict[str, str] = {
    "storage_class": "Correct the row in SQLite, or declare a value rule for the column, or quarantine the row.",
    "out_of_range": "Widen the column in PostgreSQL (bigint, numeric), correct the row, or quarantine it.",
    "not_integral": "Correct the row, or declare the rule 'round' for the column, or quarantine the row.",
    "precision_lost": "Widen the type in PostgreSQL, or declare the rule 'round' for the column.",
    "not_boolean": "Correct the row to 0 or 1, or declare a 'map' rule for the column, e.g. {'yes': true}.",
    "not_a_date": "Correct the row to ISO 8601, or declare how numbers are meant: epoch_seconds, epoch_milliseconds, julian_day.",
    "offset_dropped": "Declare the rule 'offset_to_utc' for the column, or make the column timestamp with time zone.",
    "no_offset": "Declare the rule 'assume_utc' for the column if its times are UTC.",
    "not_an_interval": "Correct the row, or declare the rule 'seconds' for the column.",
    "not_uuid": "Correct the row to 32 hexadecimal digits (dashes allowed), or quarantine it.",
    "not_in_enum": "Add the label to the enum by an Alembic revision, or declare a 'map' rule, or quarantine the row.",
    "not_numeric": "Correct the row, or quarantine it.",
    "invalid_json": "Correct the row, or quarantine it.",
    "json_nul": "jsonb cannot hold \\u0000: declare the rule 'json_strip_nul', keep the column json, or correct the row.",
    "json_nan": "JSON has no NaN or Infinity: declare the rule 'json_nan_to_null', or correct the row.",
    "json_duplicate_key": "jsonb would keep only the last of equal keys: declare the rule 'json_last_key', keep the column json, or correct the row.",
    "json_surrogate": "jsonb refuses unpaired surrogates: correct the row, or keep the column json.",
    "json_too_deep": "Correct the row, or quarantine it: it is nested deeper than can be checked.",
    "json_null": "Declare the rule 'json_null_to_null' if SQL NULL is meant, or correct the row.",
    "not_an_array": "Correct the row to a JSON array whose elements fit the element type, or quarantine it.",
    "not_a_vector": "Correct the row to a JSON array of finite numbers or a float32 BLOB of the declared length, or quarantine it.",
    "nul_character": "PostgreSQL text cannot hold NUL: declare the rule 'strip_nul' for the column, or correct the row.",
    "invalid_utf8": "Declare the rule 'replace_invalid_utf8' or 'latin1' for the column, or correct the row.",
    "too_long": "Widen the column in PostgreSQL, correct the row, or quarantine it.",
    "too_long_for_index": "Shorten the value, or index a hash or a prefix of the column instead, or quarantine the row.",
    "null_in_not_null": "Correct the row, declare the rule 'default' for the column, or quarantine the row.",
    "orphan": "Correct the row's foreign key (or set it NULL), restore its parent, or quarantine the row.",
    "parent_quarantined": "The parent row was quarantined; mend the parent, then this row can be restored too.",
    "duplicate": "Correct one of the rows: the target's unique constraint holds only one of them.",
}
