# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL column types as plain data, read from how PostgreSQL or SQLAlchemy spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple

#: Spellings that mean the same type; the right side is what PostgreSQL's format_type() prints.
ALIASES: Dict[str, str] = {
    "bool": "boolean",
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "smallserial": "smallint",
    "serial": "integer",
    "bigserial": "bigint",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "varchar": "character varying",
    "char": "character",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
}


@dataclass(frozen=True)
class SqlType:
    """One PostgreSQL type.

    I(name) is format_type()'s name without modifier, or V(enum). I(length) is the declared number of characters,
    dimensions (vector, halfvec), numeric precision, or fractional digits of seconds. I(element) is set for arrays.
    """

    name: str
    length: Optional[int] = None
    scale: Optional[int] = None
    labels: Tuple[str, ...] = ()
    element: Optional[SqlType] = None
    display: str = ""

    def __str__(self) -> str:
        return self.display or self.name


_MODIFIER = re.compile(r"\(\s*(-?\d+)\s*(?:,\s*(-?\d+)\s*)?\)")


def parse_type(text: str, enums: Optional[Mapping[str, Sequence[str]]] = None) -> SqlType:
    """The type that I(text) spells, as format_type() or SQLAlchemy's compiler print it.

    I(enums) maps the names of enum types (with or without schema, unquoted) to their labels in order. A name that is
    not known is kept as it is: whether it can be loaded is M(codec_for)'s question, not this one's.
    """
    display = text.strip()
    known = enums or {}
    if display.endswith("[]"):
        inner = display
        while inner.endswith("[]"):
            inner = inner[:-2]
        return SqlType(name="array", element=parse_type(inner, known), display=display)
    bare = display.replace('"', "")
    for spelling in (bare, bare.split(".")[-1]):
        if spelling in known:
            return SqlType(name="enum", labels=tuple(known[spelling]), display=display)
    match = _MODIFIER.search(display)
    first = second = None
    if match:
        first = int(match.group(1))
        second = int(match.group(2)) if match.group(2) else None
        bare = (display[: match.start()] + display[match.end() :]).replace('"', "")
    name = " ".join(bare.lower().split())
    if "." in name:
        # A type of an extension in a schema of its own, e.g. extensions.vector.
        name = name.split(".")[-1]
    name = ALIASES.get(name, name)
    if name == "double precision" and first is not None:
        # SQL's float(p): up to 24 binary digits are real.
        return SqlType(name="real" if first <= 24 else name, display=display)
    if name == "numeric" and first is not None and second is None:
        second = 0
    return SqlType(name=name, length=first, scale=second, display=display)
