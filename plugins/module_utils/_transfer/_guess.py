# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PostgreSQL type takes all values of a SQLite column without changing one, where nobody has declared it.

A column's declared type says what was meant, its values what is there. The types that suit the declaration are tried in
order, each by the conversion that the load would use (C(Codec.encode)); the first that takes every value is the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ._codec import Codec
from ._codecs import codec_for
from ._types import parse_type
from ._values import Misfit, SqliteValue, sample
from ._verdict import name_row

#: Declared types that say more than SQLite's affinity, by the words that they contain.
_MEANT: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (r"\bBOOL", ("boolean",)),
    (r"TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ", ("timestamp with time zone",)),
    (r"DATETIME|TIMESTAMP", ("timestamp without time zone", "timestamp with time zone")),
    (r"\bDATE\b", ("date", "timestamp without time zone")),
    (r"\bTIME\b", ("time without time zone",)),
    (r"\bU?UID\b|\bGUID\b|UNIQUEIDENTIFIER", ("uuid",)),
    (r"\bJSONB\b", ("jsonb", "json")),
    (r"\bJSON\b", ("json",)),
)
#: By SQLite's affinity (sqlite.org/datatype3.html, 3.1): what such columns hold, the likeliest first.
_BY_AFFINITY: Dict[str, Tuple[str, ...]] = {
    "INTEGER": ("bigint", "double precision", "numeric", "text", "bytea"),
    "TEXT": ("text", "bytea", "bigint", "double precision"),
    "BLOB": ("bytea", "text", "bigint", "double precision"),
    "REAL": ("double precision", "numeric", "text", "bytea"),
    "NUMERIC": ("bigint", "double precision", "numeric", "text", "bytea"),
}
_UNTYPED = ("bigint", "double precision", "text", "bytea")
_DECIMAL = re.compile(r"\b(?:DECIMAL|NUMERIC|NUMBER|MONEY|DEC)\b")
_MODIFIERS = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
#: What PostgreSQL has room for in a modifier.
MAX_LENGTH, MAX_PRECISION = 10_485_760, 1000


def affinity(declared: str) -> str:
    """SQLite's own rules, in their order."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in name or not name:
        return "BLOB"
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def candidates(declared: str) -> List[str]:
    """PostgreSQL types for a declared type, the best first."""
    name = declared.upper()
    if not name.strip():
        return list(_UNTYPED)
    kind = affinity(declared)
    meant = next((types for pattern, types in _MEANT if re.search(pattern, name)), ())
    modifiers = _MODIFIERS.search(name)
    exact: List[str] = []
    if modifiers and kind == "TEXT" and 0 < int(modifiers.group(1)) <= MAX_LENGTH:
        exact.append(f"character varying({int(modifiers.group(1))})")
    if not meant and kind == "NUMERIC" and _DECIMAL.search(name):
        if modifiers and 0 < int(modifiers.group(1)) <= MAX_PRECISION:
            precision, scale = int(modifiers.group(1)), int(modifiers.group(2) or 0)
            exact += [f"numeric({precision},{scale})"] if scale <= precision else []
        exact.append("numeric")
    rest = [*exact, *_BY_AFFINITY[kind]]
    if kind == "NUMERIC" and meant == ("json",):
        rest = ["text", "bytea"]
    return list(dict.fromkeys([*meant, *rest]))


@dataclass(frozen=True)
class Refusal:
    """A type that suited the declaration and not the data: the first value that it would not take."""

    type: str
    key: str
    value: str
    reason: str


@dataclass(frozen=True)
class Guess:
    """What a column becomes: I(type), None where nothing takes all of its values; I(refused) were tried before."""

    type: Optional[str]
    refused: Tuple[Refusal, ...]


#: The values of a row's key, and the column's value in it.
Cell = Tuple[Sequence[SqliteValue], SqliteValue]


def guess(declared: str, key: Sequence[str], cells: Callable[[], Iterator[Cell]]) -> Guess:
    """The type for a column of that declared type. I(cells) begins anew with each call; I(key) are the key's columns."""
    refused: List[Refusal] = []
    for name in candidates(declared):
        codec = codec_for(parse_type(name))
        assert codec is not None, name
        refusal, empty = _try(name, codec, key, cells())
        if refusal is None:
            # Of a column without a declared type and without values nothing is known.
            return Guess("text" if empty and not declared.strip() else name, tuple(refused))
        refused.append(refusal)
    return Guess(None, tuple(refused))


def _try(name: str, codec: Codec, key: Sequence[str], cells: Iterator[Cell]) -> Tuple[Optional[Refusal], bool]:
    """The first value that does not fit, and whether there was none at all."""
    empty = True
    for row, value in cells:
        if value is None:
            continue
        empty = False
        try:
            codec.encode(value)
        except Misfit as misfit:
            return Refusal(name, name_row(key, row), sample(value), misfit.reason), False
    return None, empty
