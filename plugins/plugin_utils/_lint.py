# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a linter says of a migration's SQL, told by revision. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

#: Rules of squawk's that are about locks which a live system would feel, and about clients that would break. The others
#: are about style, or about transactions that Alembic manages.
RULES = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-serial-primary-key-field",
        "ban-drop-column",
        "ban-drop-not-null",
        "ban-drop-table",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "renaming-column",
        "renaming-table",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
    }
)
#: How Alembic's offline mode says which revision comes next.
_RUNNING = re.compile(r"^-- Running (?:upgrade|downgrade) .*-> ?(?P<revision>\S*)")


def parts(sql: str) -> dict[str, str]:
    """I(sql) by revision: a linter takes a table that is made in the same file for one that nobody uses yet."""
    found: dict[str, list[str]] = {}
    revision = ""
    for line in sql.splitlines():
        match = _RUNNING.match(line)
        revision = match.group("revision") if match else revision
        found.setdefault(revision, []).append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in found.items() if name}


def findings(report: str, sql: str) -> list[dict[str, Any]]:
    """What squawk (C(--reporter json)) says of files that are named as M(parts) of I(sql) and hold them.

    Dicts of revision, rule, statement, message and help; equal ones once, with how many there are. ValueError where
    I(report) is no such report.
    """
    lines = {revision: text.splitlines() for revision, text in parts(sql).items()}
    counted: Counter[tuple[str, str, str, str, str]] = Counter()
    for entry in _entries(report):
        rule, line, revision = str(entry["rule_name"]), int(entry["line"]), PurePath(str(entry["file"])).stem
        if rule in RULES and line < len(lines.get(revision, ())):
            statement = " ".join(lines[revision][line].split())[:200]
            counted[revision, rule, statement, str(entry["message"]), str(entry.get("help") or "")] += 1
    names = ("revision", "rule", "statement", "message", "help")
    return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counted.items()]


def _entries(report: str) -> Sequence[Mapping[str, Any]]:
    entries = json.loads(report or "[]")
    if not isinstance(entries, list):
        raise ValueError("the linter gave no list")
    return entries
