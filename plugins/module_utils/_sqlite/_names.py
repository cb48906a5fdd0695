# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How SQLite spells and compares names."""

from __future__ import annotations

from typing import Dict, Iterable

#: The names under which a table's rowid can be read, unless a column bears the name.
ROWID_NAMES = ("rowid", "_rowid_", "oid")


def quoted(name: str) -> str:
    """I(name) as an SQL identifier. SQLite has no driver function for it; doubling the quote is its whole rule."""
    return '"' + name.replace('"', '""') + '"'


def folded(name: str) -> str:
    """I(name) as SQLite compares names: ASCII letters without case, all others as they are."""
    return name.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def spelled(name: str, existing: Iterable[str]) -> str:
    """The one of I(existing) that SQLite would take I(name) for, I(name) itself if there is none."""
    known: Dict[str, str] = {folded(one): one for one in existing}
    return known.get(folded(name), name)
