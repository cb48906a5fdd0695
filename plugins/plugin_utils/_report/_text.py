# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as people read them. Nothing here makes HTML; None becomes a dash."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime
from typing import Any

DASH = "\u2013"
_JOINER = "\u200d"


def number(value: Any) -> str:
    """V(1234567) as V(1,234,567)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH if value is None else str(value)
    return f"{value:,.0f}"


def size(value: Any) -> str:
    """Bytes with a unit: V(0 B), V(12.3 kB), V(366 MB)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def duration(value: Any) -> str:
    """Seconds in words: V(0.04 s), V(12 s), V(3 min 05 s), V(2 h 10 min)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH
    if value < 1:
        return f"{value:.2f} s"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(value: Any) -> str:
    """An ISO time as V(2026-11-22 17:30:05 UTC); what is no such time stays as it is."""
    if not value:
        return DASH
    try:
        parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return str(value)
    offset = parsed.strftime("%z")
    zone = "" if not offset else " UTC" if offset == "+0000" else f" {offset[:3]}:{offset[3:5]}"
    return f"{parsed:%Y-%m-%d %H:%M:%S}{zone}"


def value_text(value: Any) -> str:
    """A database value for a cell: text as it is, everything else as JSON (V(null), V(true), lists, numbers)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def counted(count: int, noun: str, plural: str = "") -> str:
    """V(1 row), V(2 rows)."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def clean(value: Any) -> Any:
    """The same document with every string fit to be shown.

    Control characters, lone surrogates and invisible direction marks (with which a name can pose as another one)
    become the replacement mark. Strings stay strings, mappings get string keys.
    """
    if isinstance(value, str):
        return "".join(_shown(character) for character in value)
    if isinstance(value, dict):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def _shown(character: str) -> str:
    if character in "\n\t" or character == _JOINER:
        return character
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character
