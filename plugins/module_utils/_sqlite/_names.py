# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How SQLite spells and compares names, and how SQL is put together from them."""

from __future__ import annotations

from typing import Dict, Iterable, Union

#: The names under which a table's rowid can be read, unless a column bears the name.
ROWID_NAMES = ("rowid", "_rowid_", "oid")


class Sql(str):
    """Text that is SQL already: of this code, or from M(compose) and its like. Never a name of the user's."""


def quoted(name: str) -> Sql:
    """I(name) as an SQL identifier. Python's driver has no type for it; doubling the quote is SQLite's whole rule."""
    return Sql('"' + name.replace('"', '""') + '"')


def literal(text: str) -> Sql:
    """I(text) as an SQL string, for the few places where SQLite takes no parameter."""
    return Sql("'" + text.replace("'", "''") + "'")


def compose(template: str, **parts: Union[str, Sql]) -> Sql:
    """I(template) with its C({placeholders}) filled in: Sql as it is, any other text as an identifier."""
    return Sql(template.format(**{key: part if isinstance(part, Sql) else quoted(part) for key, part in parts.items()}))


def joined(separator: str, parts: Iterable[Sql]) -> Sql:
    """I(parts) with I(separator), which is SQL, between them."""
    return Sql(separator.join(parts))


def folded(name: str) -> str:
    """I(name) as SQLite compares names: ASCII letters without case, all others as they are."""
    return name.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def spelled(name: str, existing: Iterable[str]) -> str:
    """The one of I(existing) that SQLite would take I(name) for, I(name) itself if there is none."""
    known: Dict[str, str] = {folded(one): one for one in existing}
    return known.get(folded(name), name)
